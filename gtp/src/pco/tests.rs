use core::net::Ipv4Addr;

use heiiki_types::to_hex;

use super::*;
use crate::testing;

const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 45, 0, 1), Ipv4Addr::new(10, 45, 0, 2)];

fn value(start: &str) -> Vec<u8> {
    let all = testing::pcos();
    let found = all.into_iter().find(|s| s.name.starts_with(start));
    found.unwrap().octets
}

#[test]
fn vectors_read_and_write_unchanged() {
    let samples = testing::pcos();
    assert_eq!(samples.len(), 11);
    for sample in samples {
        let pco = Pco::decode(&sample.octets).unwrap();
        assert_eq!(
            to_hex(&pco.encode()),
            to_hex(&sample.octets),
            "{}",
            sample.name
        );
    }
}

#[test]
fn a_request_is_that_of_the_vectors() {
    let wanted = value("UE -> network: IPCP Configure-Request");
    assert_eq!(to_hex(&Pco::request(1).encode()), to_hex(&wanted));
}

#[test]
fn an_answer_holds_what_was_asked_for() {
    let request = Pco::decode(&value("UE -> network: IPCP Configure-Request")).unwrap();
    let answer = request.answer(&SERVERS, Some(1400)).unwrap();
    // As the vector of the answer, whose IPCP identifier is another and which has one container.
    let mut vector = value("network -> UE: IPCP Configure-Nak");
    vector[5] = 1;
    let expected = Pco::decode(&vector).unwrap();
    assert_eq!(
        answer.protocols[0].contents[2..],
        expected.protocols[0].contents[2..]
    );
    assert_eq!(answer.protocols[0].contents[..2], [CONFIGURE_NAK, 1]);
    assert_eq!(answer.protocols[1], expected.protocols[1]);
    assert_eq!(answer.protocols[3], expected.protocols[2]);
    assert_eq!(answer.dns_v4(), SERVERS);
    assert_eq!(answer.ipv4_link_mtu(), Some(1400));
}

#[test]
fn what_was_not_asked_for_is_not_said() {
    let minimal = Pco::decode(&value("minimal")).unwrap();
    assert_eq!(minimal.answer(&SERVERS, Some(1400)), None);
    let pap = Pco::decode(&value("UE -> network: PAP")).unwrap();
    let answer = pap.answer(&SERVERS, Some(1400)).unwrap();
    assert!(answer.protocols.iter().all(|p| p.id == DNS_SERVER_IPV4));
    assert_eq!(answer.ipv4_link_mtu(), None);
}

#[test]
fn ipcp_answers_follow_rfc_1661() {
    let packet = |code, options: &[(u8, [u8; 4])]| IpcpPacket {
        code,
        identifier: 9,
        options: options.into(),
    };
    let [first, second] = SERVERS.map(|a| a.octets());
    let request = packet(CONFIGURE_REQUEST, &[(129, [0; 4]), (131, [0; 4])]);
    let nak = packet(CONFIGURE_NAK, &[(129, first), (131, second)]);
    assert_eq!(request.answer(&SERVERS), Some(nak));
    let right = packet(CONFIGURE_REQUEST, &[(129, first)]);
    assert_eq!(right.answer(&SERVERS).unwrap().code, CONFIGURE_ACK);
    let one = packet(CONFIGURE_NAK, &[(129, first)]);
    assert_eq!(
        request.answer(&SERVERS[..1]),
        Some(one),
        "the second is left out"
    );
    let reject = packet(CONFIGURE_REJECT, &[(129, [0; 4]), (131, [0; 4])]);
    assert_eq!(request.answer(&[]), Some(reject));
    assert_eq!(packet(CONFIGURE_ACK, &[]).answer(&SERVERS), None);
}

#[test]
fn a_value_that_is_none_is_refused() {
    let cases: [(&[u8], u16, What); 5] = [
        (&[], 0, What::Truncated),
        (&[0x00], 0, What::Value),
        (&[0x81], 0, What::Value),
        (&[0x80, 0x00], 1, What::Truncated),
        (&[0x80, 0x00, 0x0d, 0x01], 1, What::Truncated),
    ];
    for (octets, at, what) in cases {
        assert_eq!(Pco::decode(octets), Err(DecodeError { at, what }));
    }
}

#[test]
fn spoiled_values_never_panic_and_decode_alike_again() {
    let corpus: Vec<_> = testing::pcos().into_iter().map(|s| s.octets).collect();
    let check = |octets: &[u8]| {
        let Ok(pco) = Pco::decode(octets) else { return };
        assert_eq!(Pco::decode(&pco.encode()).as_ref(), Ok(&pco));
        let _ = (pco.dns_v4(), pco.ipv4_link_mtu());
        let answer = pco.answer(&SERVERS, Some(1400));
        assert!(answer.is_none_or(|a| a.encode().len() <= 2 * octets.len() + 64));
    };
    testing::sweep(&corpus, check);
    testing::mutate(0x0070_636f, &corpus, check);
}
