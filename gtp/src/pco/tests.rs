use core::net::{Ipv4Addr, Ipv6Addr};

use heiiki_types::to_hex;

use super::ppp::{
    CONFIGURE_ACK, CONFIGURE_NAK, CONFIGURE_REJECT, CONFIGURE_REQUEST, IpcpOption, TERMINATE_ACK,
    TERMINATE_REQUEST,
};
use super::*;
use crate::testing;

const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 45, 0, 1), Ipv4Addr::new(10, 45, 0, 2)];
const SERVER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);

fn offer() -> Offer<'static> {
    Offer {
        dns_v4: &SERVERS,
        mtu: Some(1400),
        ..Offer::default()
    }
}

fn value(start: &str) -> Vec<u8> {
    let all = testing::pcos();
    let found = all.into_iter().find(|s| s.name.starts_with(start));
    found.unwrap().octets
}

fn read(start: &str) -> Pco {
    Pco::decode(&value(start)).unwrap()
}

#[test]
fn vectors_read_and_write_unchanged() {
    let samples = testing::pcos();
    assert_eq!(samples.len(), 11);
    for sample in samples {
        for form in [Form::Short, Form::Extended] {
            let pco = Pco::decode_as(form, &sample.octets).unwrap();
            assert_eq!(
                to_hex(&pco.encode_as(form)),
                to_hex(&sample.octets),
                "{}",
                sample.name
            );
        }
    }
}

#[test]
fn a_request_is_that_of_the_vectors() {
    let wanted = value("UE -> network: IPCP Configure-Request");
    assert_eq!(to_hex(&Pco::request(1).encode()), to_hex(&wanted));
}

#[test]
fn an_answer_holds_what_was_asked_for() {
    let request = read("UE -> network: IPCP Configure-Request");
    let answer = request.answer(Form::Short, &offer()).unwrap();
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
    assert_eq!(read("minimal").answer(Form::Short, &offer()), None);
    let pap = read("UE -> network: PAP");
    let answer = pap.answer(Form::Short, &offer()).unwrap();
    assert!(answer.protocols.iter().all(|p| p.id == DNS_SERVER_IPV4));
    assert_eq!(answer.ipv4_link_mtu(), None);
}

#[test]
fn ipv6_servers_and_the_bearer_control_mode_are_those_of_the_vector() {
    let request = read("UE -> network: DNS IPv6 request");
    let offer = Offer {
        dns_v6: &[SERVER_6],
        ..Offer::default()
    };
    let answer = request.answer(Form::Short, &offer).unwrap();
    let wanted = value("network -> UE: DNS v6");
    assert_eq!(to_hex(&answer.encode()), to_hex(&wanted));
    assert_eq!(answer.dns_v6(), [SERVER_6]);
}

#[test]
fn p_cscfs_are_told_and_at_most_three() {
    let request = read("UE -> network: DNS IPv6 request");
    let many = [SERVER_6; 5];
    let offer = Offer {
        p_cscf_v4: &SERVERS,
        p_cscf_v6: &many,
        network_bearers: true,
        ..Offer::default()
    };
    let answer = request.answer(Form::Short, &offer).unwrap();
    let of = |id| answer.protocols.iter().filter(move |p| p.id == id);
    assert_eq!(of(P_CSCF_IPV6).count(), 3);
    let v4: Vec<_> = of(P_CSCF_IPV4).map(|p| p.contents.clone()).collect();
    assert_eq!(v4, SERVERS.map(|a| a.octets().to_vec()));
    assert_eq!(of(BEARER_CONTROL_MODE).next().unwrap().contents, [2]);
    assert_eq!(of(0x0002).count(), 0, "a flag that nobody acts on");
}

#[test]
fn ipcp_answers_follow_rfc_1661() {
    let packet = |code, options: &[(u8, [u8; 4])]| Ipcp {
        code,
        identifier: 9,
        options: options.iter().map(|(k, v)| (*k, v.to_vec())).collect(),
    };
    let with = |dns_v4| Offer {
        dns_v4,
        ..Offer::default()
    };
    let both = with(&SERVERS);
    let [first, second] = SERVERS.map(|a| a.octets());
    let request = packet(CONFIGURE_REQUEST, &[(129, [0; 4]), (131, [0; 4])]);
    let nak = packet(CONFIGURE_NAK, &[(129, first), (131, second)]);
    assert_eq!(request.answer(&both), Some(nak));
    let right = packet(CONFIGURE_REQUEST, &[(129, first)]);
    assert_eq!(right.answer(&both).unwrap().code, CONFIGURE_ACK);
    let one = packet(CONFIGURE_NAK, &[(129, first)]);
    assert_eq!(
        request.answer(&with(&SERVERS[..1])),
        Some(one),
        "the second is left out"
    );
    let reject = packet(CONFIGURE_REJECT, &[(129, [0; 4]), (131, [0; 4])]);
    assert_eq!(request.answer(&with(&[])), Some(reject));
    assert_eq!(packet(CONFIGURE_ACK, &[]).answer(&both), None);
    let end = packet(TERMINATE_REQUEST, &[]).answer(&both).unwrap();
    assert_eq!((end.code, end.identifier), (TERMINATE_ACK, 9));
}

#[test]
fn ipcp_tells_the_address_and_rejects_compression() {
    let own = Ipv4Addr::new(10, 20, 0, 2);
    let offer = Offer {
        address: Some(own),
        ..Offer::default()
    };
    let request = |options: &[IpcpOption]| Ipcp {
        code: CONFIGURE_REQUEST,
        identifier: 1,
        options: options.into(),
    };
    let asked = request(&[(3, [0; 4].to_vec())]).answer(&offer).unwrap();
    assert_eq!(asked.code, CONFIGURE_NAK);
    assert_eq!(asked.options, [(3, own.octets().to_vec())]);
    // Van Jacobson compression has another length than an address.
    let option = (2, [0x00, 0x2d, 0x0f, 0x01].to_vec());
    let compression = request(core::slice::from_ref(&option)).answer(&offer);
    let compression = compression.unwrap();
    assert_eq!(compression.code, CONFIGURE_REJECT);
    assert_eq!(compression.options, [option]);
}

#[test]
fn broken_ppp_packets_are_not_answered_and_not_echoed() {
    // A length beyond the end; one below the header; options that run over, or are too short.
    let broken: [&[u8]; 6] = [
        &[1, 1, 0, 17, 129, 6, 0, 0, 0, 0],
        &[1, 1, 0, 3],
        &[1, 1],
        &[1, 1, 0, 10, 129, 7, 0, 0, 0, 0],
        &[1, 1, 0, 10, 129, 1, 0, 0, 0, 0],
        &[1, 1, 0, 5, 129],
    ];
    for contents in broken {
        for id in [IPCP, PAP, CHAP] {
            let pco = Pco {
                protocols: [PcoItem::new(id, contents)].into(),
            };
            let offer = Offer {
                verdict: Verdict::Accepted,
                ..offer()
            };
            // The header of some is sound, and all that PAP's answer needs.
            let answer = pco.answer(Form::Short, &offer);
            let echoes = answer.is_some_and(|a| a.protocols[0].contents.len() > 5);
            assert!(!echoes, "{id:04x} {contents:?}");
            assert!(pco.credentials().is_none());
        }
        let pco = Pco {
            protocols: [PcoItem::new(IPCP, contents)].into(),
        };
        assert_eq!(pco.answer(Form::Short, &offer()), None);
    }
}

#[test]
fn pap_is_read_and_answered_as_in_the_vectors() {
    let request = read("UE -> network: PAP");
    let found = request.credentials().unwrap();
    let expected = Credentials::Pap {
        user: b"sim001@corp",
        password: b"secret",
    };
    assert!(found == expected);
    assert_eq!(alloc::format!("{found:?}"), "PAP", "no password in a log");
    let shown = alloc::format!("{request:?}");
    assert!(!shown.contains("115, 101"), "{shown}");
    let answer = |verdict| {
        let offer = Offer {
            verdict,
            ..Offer::default()
        };
        request.answer(Form::Short, &offer)
    };
    let mut ack = value("network -> UE: PAP Authenticate-Ack");
    // The vector numbers its packet 2, the request here is number 1.
    ack[5] = 1;
    let accepted = answer(Verdict::Accepted).unwrap();
    assert_eq!(to_hex(&accepted.encode()), to_hex(&ack));
    let refused = answer(Verdict::Refused).unwrap();
    assert_eq!(refused.protocols[0].contents, [3, 1, 0, 5, 0]);
    assert_eq!(answer(Verdict::Ignored), None);
}

#[test]
fn chap_pairs_a_challenge_with_its_response() {
    let mut request = read("UE -> network: CHAP");
    let found = request.credentials().unwrap();
    let Credentials::Chap {
        user,
        identifier,
        challenge,
        response,
    } = found
    else {
        panic!("{found:?}");
    };
    assert_eq!((user, identifier), (b"sim001@corp".as_slice(), 7));
    assert_eq!(to_hex(challenge), "00112233445566778899aabbccddeeff");
    assert_eq!(to_hex(response), "15c1682eb7ac3daca85d727884af20a0");
    let offer = Offer {
        verdict: Verdict::Accepted,
        ..Offer::default()
    };
    let answer = request.answer(Form::Short, &offer).unwrap();
    assert_eq!(answer.protocols[0].contents, [3, 7, 0, 4]);
    // Another identifier belongs to another challenge.
    request.protocols[1].contents[1] = 8;
    assert!(request.credentials().is_none());
}

#[test]
fn a_length_that_lies_ends_the_list_and_what_was_before_it_counts() {
    let mut octets = value("UE -> network: IPCP Configure-Request");
    octets.extend([0x00, 0x03, 0xff, 1, 2]);
    let pco = Pco::decode(&octets).unwrap();
    assert_eq!(pco, Pco::request(1));
    let dangling = [0x80, 0x00, 0x0d, 0x00, 0x00];
    assert_eq!(Pco::decode(&dangling).unwrap().protocols.len(), 1);
}

#[test]
fn extended_options_have_a_longer_length_for_one_container() {
    // Service-level-AA container with a length of two octets, then an IPv4 link MTU.
    let mut octets = alloc::vec![0x80, 0x00, 0x41, 0x01, 0x2c];
    octets.extend([7; 300]);
    octets.extend([0x00, 0x10, 0x00]);
    let pco = Pco::decode_as(Form::Extended, &octets).unwrap();
    let ids: Vec<u16> = pco.protocols.iter().map(|p| p.id).collect();
    assert_eq!(ids, [0x0041, IPV4_LINK_MTU]);
    assert_eq!(pco.encode_as(Form::Extended), octets);
    let answer = pco.answer(Form::Extended, &offer()).unwrap();
    assert_eq!(answer.ipv4_link_mtu(), Some(1400));
}

#[test]
fn a_short_answer_fits_its_element() {
    let servers: Vec<Ipv6Addr> = (1..9_u128).map(Ipv6Addr::from).collect();
    let mut request = Pco::request(1);
    for id in [DNS_SERVER_IPV6, P_CSCF_IPV6, P_CSCF_IPV4] {
        request.protocols.push(PcoItem::new(id, &[]));
    }
    let options = (0..20).map(|n| (140 + n, [n; 8].to_vec())).collect();
    let long = Ipcp {
        code: CONFIGURE_REQUEST,
        identifier: 1,
        options,
    };
    request.protocols[0].contents = long.encode();
    let offer = Offer {
        dns_v6: &servers,
        p_cscf_v6: &servers,
        ..offer()
    };
    let short = request.answer(Form::Short, &offer).unwrap();
    assert!(short.encode().len() <= SHORT_MAX);
    let extended = request.answer(Form::Extended, &offer).unwrap();
    assert!(extended.encode_as(Form::Extended).len() > SHORT_MAX);
}

#[test]
fn a_value_that_is_none_is_refused() {
    let cases: [(&[u8], u16, What); 2] = [(&[], 0, What::Truncated), (&[0x00], 0, What::Value)];
    for (octets, at, what) in cases {
        assert_eq!(Pco::decode(octets), Err(DecodeError { at, what }));
    }
    // Other configuration protocols count as PPP.
    assert_eq!(Pco::decode(&[0x81]), Ok(Pco::default()));
}

#[test]
fn spoiled_values_never_panic_and_decode_alike_again() {
    let corpus: Vec<_> = testing::pcos().into_iter().map(|s| s.octets).collect();
    let offer = Offer {
        verdict: Verdict::Accepted,
        dns_v6: &[SERVER_6],
        ..offer()
    };
    let check = |octets: &[u8]| {
        for form in [Form::Short, Form::Extended] {
            let Ok(pco) = Pco::decode_as(form, octets) else {
                return;
            };
            assert_eq!(
                Pco::decode_as(form, &pco.encode_as(form)).as_ref(),
                Ok(&pco)
            );
            let _ = (pco.dns_v4(), pco.dns_v6(), pco.ipv4_link_mtu());
            let _ = pco.credentials();
            let answer = pco.answer(form, &offer);
            let length = answer.map_or(0, |a| a.encode_as(form).len());
            assert!(form == Form::Extended || length <= SHORT_MAX);
            assert!(length <= 2 * octets.len() + 200);
        }
    };
    testing::sweep(&corpus, check);
    testing::mutate(0x0070_636f, &corpus, check);
}
