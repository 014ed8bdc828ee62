//! What a session gets: PDN types, addresses, prefixes, options; by the clauses that say so.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use heiiki_gtp::c::{
    Cause, CreateSessionRequest, Indication, IndicationFlag, Message, Paa, PdnType,
};
use heiiki_gtp::pco::{self, Form, Pco, PcoItem};
use heiiki_types::{Duration, Ebi, Prefix64, Token, from_hex};

use super::bed::{Bed, SGW, Tunnel, config, imsi};
use crate::config::{Authentication, Families, PgwConfig, SelectionMode, User};

/// Red hands out both families; blue stays with IPv4.
fn dual() -> PgwConfig {
    let mut config = config();
    let red = &mut config.apns[0];
    red.pool_v6 = Some("fd00:1:2:0::/62".parse().unwrap());
    red.dns_v6 = alloc::vec!["fd00:2::53".parse().unwrap()];
    config
}

fn ask(bed: &mut Bed, n: u32, apn: &str, kind: PdnType, dual: bool) -> Result<Tunnel, Cause> {
    let request = asking(bed, n, apn, kind, dual);
    bed.create_with(SGW, request)
}

fn asking(
    bed: &mut Bed,
    n: u32,
    apn: &str,
    kind: PdnType,
    dual: bool,
) -> Box<CreateSessionRequest> {
    let mut request = bed.request(imsi(n), apn);
    request.pdn_type = Some(kind);
    let prefix = Ipv6Addr::UNSPECIFIED;
    request.paa = Some(match kind {
        PdnType::V4 => Paa::V4(Ipv4Addr::UNSPECIFIED),
        PdnType::V6 => Paa::V6 { prefix, length: 0 },
        PdnType::V4V6 => Paa::V4V6 {
            v4: Ipv4Addr::UNSPECIFIED,
            prefix,
            length: 0,
        },
        PdnType::NonIp => Paa::NonIp,
        PdnType::Ethernet => Paa::Ethernet,
    });
    if dual {
        let flags = Indication::default().with(IndicationFlag::DUAL_ADDRESS_BEARER);
        request.indication = Some(flags);
    }
    request
}

/// TS 23.401 §5.3.1.1 and TS 29.274 §8.4: what is granted of a PDN type, and the cause that says so.
#[test]
fn pdn_types_are_granted_or_narrowed() {
    use PdnType::{Ethernet, NonIp, V4, V4V6, V6};
    let accepted = Ok(Cause::REQUEST_ACCEPTED);
    let preference = Ok(Cause::NEW_PDN_TYPE_DUE_TO_NETWORK_PREFERENCE);
    let single = Ok(Cause::NEW_PDN_TYPE_DUE_TO_SINGLE_ADDRESS_BEARER_ONLY);
    let refused = Err(Cause::PREFERRED_PDN_TYPE_NOT_SUPPORTED);
    let cases = [
        (Families::Both, V4, true, accepted, Some(V4)),
        (Families::Both, V6, true, accepted, Some(V6)),
        (Families::Both, V4V6, true, accepted, Some(V4V6)),
        (Families::Both, V4V6, false, single, Some(V4)),
        (Families::V4, V6, true, refused, None),
        (Families::V4, V4V6, true, preference, Some(V4)),
        (Families::V6, V4, true, refused, None),
        (Families::V6, V4V6, true, preference, Some(V6)),
        (Families::V6, V6, false, accepted, Some(V6)),
        (Families::Both, NonIp, true, refused, None),
        (Families::Both, Ethernet, true, refused, None),
    ];
    for (families, kind, flag, verdict, granted) in cases {
        let mut config = dual();
        config.apns[0].families = Some(families);
        let mut bed = Bed::new(config);
        let answer = ask(&mut bed, 1, "red.corp", kind, flag);
        let seen = answer.map(|t| t.cause);
        assert_eq!(seen, verdict, "{families:?} {kind:?} {flag}");
        assert_eq!(answer.ok().map(|t| t.paa.pdn_type()), granted);
    }
}

/// TS 29.274 §8.14: a prefix of 64 bits and an interface identifier; no two sessions share a
/// prefix, and the first one is the gateway's.
#[test]
fn every_session_has_a_prefix_of_its_own() {
    let mut bed = Bed::new(dual());
    let mut seen = Vec::new();
    for n in 1..4 {
        let tunnel = ask(&mut bed, n, "red.corp", PdnType::V6, false).unwrap();
        let Paa::V6 { prefix, length } = tunnel.paa else {
            panic!("{:?}", tunnel.paa);
        };
        assert_eq!(length, 64);
        assert_ne!(prefix.segments()[4..], [0; 4], "an interface identifier");
        seen.push(Prefix64::of(prefix));
    }
    seen.sort_unstable();
    let pool = (1..4).map(|n| Prefix64::of(Ipv6Addr::new(0xfd00, 1, 2, n, 0, 0, 0, 0)));
    assert!(seen.into_iter().eq(pool));
    let full = ask(&mut bed, 9, "red.corp", PdnType::V6, false);
    assert_eq!(full.unwrap_err(), Cause::ALL_DYNAMIC_ADDRESSES_ARE_OCCUPIED);
    // IPv4 is not exhausted by it.
    ask(&mut bed, 9, "red.corp", PdnType::V4, false).unwrap();
}

fn with_prefix(bed: &mut Bed, n: u32, text: &str) -> Result<Tunnel, Cause> {
    let mut request = asking(bed, n, "red.corp", PdnType::V6, false);
    request.paa = Some(Paa::V6 {
        prefix: text.parse().unwrap(),
        length: 64,
    });
    bed.create_with(SGW, request)
}

fn prefix_of(tunnel: &Tunnel) -> Prefix64 {
    match tunnel.paa {
        Paa::V6 { prefix, .. } | Paa::V4V6 { prefix, .. } => Prefix64::of(prefix),
        other => panic!("{other:?}"),
    }
}

/// Goal: a static prefix stays its SIM's, and a dynamic one rests before its next user, over a
/// crash too. Method: each is asked for by another SIM before and after.
#[test]
fn static_prefixes_stay_and_dynamic_ones_rest() {
    let mut bed = Bed::new(dual());
    let own = with_prefix(&mut bed, 1, "fd00:1:2:3::").unwrap();
    assert_eq!(prefix_of(&own).to_bits() & 0xffff, 3);
    let other = with_prefix(&mut bed, 2, "fd00:1:2:3::");
    assert_eq!(other.unwrap_err(), Cause::REQUEST_REJECTED);
    assert_eq!(bed.delete(&own), Cause::REQUEST_ACCEPTED);
    let dynamic = ask(&mut bed, 3, "red.corp", PdnType::V6, false).unwrap();
    let second = ask(&mut bed, 4, "red.corp", PdnType::V6, false).unwrap();
    assert_eq!(bed.delete(&dynamic), Cause::REQUEST_ACCEPTED);
    let mut bed = bed.crash();
    // The session, the reservation and the rest are back.
    assert_eq!(bed.pgw.control().session_count(), 1);
    let other = with_prefix(&mut bed, 2, "fd00:1:2:3::");
    assert_eq!(other.unwrap_err(), Cause::REQUEST_REJECTED);
    let full = ask(&mut bed, 5, "red.corp", PdnType::V6, false);
    assert_eq!(full.unwrap_err(), Cause::ALL_DYNAMIC_ADDRESSES_ARE_OCCUPIED);
    let again = ask(&mut bed, 1, "red.corp", PdnType::V6, false).unwrap();
    assert_eq!(prefix_of(&again).to_bits() & 0xffff, 3);
    bed.advance(Duration::from_secs(61));
    let next = ask(&mut bed, 5, "red.corp", PdnType::V6, false).unwrap();
    assert_eq!(prefix_of(&next), prefix_of(&dynamic));
    assert_eq!(bed.delete(&second), Cause::REQUEST_ACCEPTED);
    // A prefix of another length, and one that is not the pool's.
    let mut request = asking(&mut bed, 6, "red.corp", PdnType::V6, false);
    request.paa = Some(Paa::V6 {
        prefix: "fd00:1:2:2::".parse().unwrap(),
        length: 48,
    });
    assert!(bed.create_with(SGW, request).is_err());
    let outside = with_prefix(&mut bed, 6, "fd00:1:3:1::");
    assert_eq!(outside.unwrap_err(), Cause::REQUEST_REJECTED);
}

/// The list of sessions shows both families.
#[test]
fn the_list_of_sessions_shows_addresses_of_both_families() {
    let mut bed = Bed::new(dual());
    let tunnel = ask(&mut bed, 1, "red.corp", PdnType::V4V6, true).unwrap();
    let shown = bed.get("/v1/sessions")["sessions"][0]["address"].clone();
    let Paa::V4V6 { v4, prefix, .. } = tunnel.paa else {
        panic!("{:?}", tunnel.paa);
    };
    assert_eq!(shown, alloc::format!("{v4},{prefix}/64"));
    // The same UE asks again: the session is replaced and the addresses are others.
    let again = ask(&mut bed, 1, "red.corp", PdnType::V4V6, true).unwrap();
    assert_ne!(again.paa, tunnel.paa);
    assert_eq!(bed.pgw.control().session_count(), 1);
}

fn options(bed: &mut Bed, request: Box<CreateSessionRequest>) -> [Option<Vec<u8>>; 3] {
    let message = Message::CreateSessionRequest(request);
    let sequence = bed.send_c(SGW, Some(0), &message);
    match bed.response(sequence) {
        Some((_, Message::CreateSessionResponse(r))) => {
            assert!(r.cause.is_accepted(), "{:?}", r.cause);
            [r.pco, r.apco, r.epco]
        }
        other => panic!("{other:?}"),
    }
}

fn item(pco: &Pco, id: u16) -> Option<&PcoItem> {
    pco.protocols.iter().find(|p| p.id == id)
}

/// TS 24.008 §10.5.6.3: name servers of both families, the MTU, the bearer control mode, and IPCP
/// with the UE's own address.
#[test]
fn a_ue_is_told_what_it_asks_for() {
    let mut bed = Bed::new(dual());
    let mut request = asking(&mut bed, 1, "red.corp", PdnType::V4V6, true);
    let mut asked = Pco::request_dual(1);
    // IPCP: the address and the first name server.
    asked.protocols[0].contents = from_hex("01010010030600000000810600000000").unwrap();
    asked
        .protocols
        .push(PcoItem::new(pco::BEARER_CONTROL_MODE, &[]));
    asked.protocols.push(PcoItem::new(0xff00, &[1, 2, 3]));
    request.pco = Some(asked.encode());
    let [told, apco, epco] = options(&mut bed, request);
    assert_eq!((apco, epco), (None, None));
    let told = Pco::decode(&told.unwrap()).unwrap();
    let ipcp = &item(&told, pco::IPCP).unwrap().contents;
    assert_eq!(ipcp[..8], [3, 1, 0, 16, 3, 6, 10, 20]);
    assert_eq!(told.dns_v6(), ["fd00:2::53".parse::<Ipv6Addr>().unwrap()]);
    assert_eq!(told.ipv4_link_mtu(), Some(1400));
    assert!(item(&told, pco::BEARER_CONTROL_MODE).is_some());
    assert!(
        item(&told, 0xff00).is_none(),
        "an unknown one is not answered"
    );
}

/// TS 29.274 Table 7.2.2-1: the extended form is answered when everybody between takes it, and the
/// additional one in its own place.
#[test]
fn options_are_answered_in_the_form_in_which_they_came() {
    let mut bed = Bed::new(dual());
    let asked = Pco::request(1);
    let mut request = asking(&mut bed, 1, "red.corp", PdnType::V4, false);
    request.epco = Some(asked.encode_as(Form::Extended));
    request.apco = Some(asked.encode());
    let flags = Indication::default().with(IndicationFlag::EXTENDED_PCO_SUPPORT);
    request.indication = Some(flags);
    let [short, additional, extended] = options(&mut bed, request.clone());
    assert_eq!(short, None);
    let read = Pco::decode_as(Form::Extended, &extended.unwrap()).unwrap();
    assert_eq!(read.ipv4_link_mtu(), Some(1400));
    assert_eq!(Pco::decode(&additional.unwrap()).unwrap(), read);
    let mut without = bed.request(imsi(2), "red.corp");
    without.epco = request.epco;
    assert_eq!(options(&mut bed, without), [None, None, None]);
}

/// Goal: options that are no options cost nobody a session and are not sent back. Method: random
/// octets, and sound ones with a length that lies.
#[test]
fn broken_options_are_neither_fatal_nor_echoed() {
    let mut bed = Bed::new(dual());
    let lying = from_hex("8080211001010012810600000000830600000000000dff").unwrap();
    for (n, octets) in [alloc::vec![], alloc::vec![0xde; 200], lying]
        .into_iter()
        .enumerate()
    {
        let n = u32::try_from(n).unwrap();
        let mut request = asking(&mut bed, n, "red.corp", PdnType::V4, false);
        request.pco = Some(octets);
        assert_eq!(options(&mut bed, request), [None, None, None]);
    }
}

fn pap(name: &str, password: &str) -> Vec<u8> {
    let mut packet = alloc::vec![1, 5, 0, 0];
    for text in [name, password] {
        packet.push(u8::try_from(text.len()).unwrap());
        packet.extend(text.as_bytes());
    }
    packet[3] = u8::try_from(packet.len()).unwrap();
    let pco = Pco {
        protocols: alloc::vec![PcoItem::new(pco::PAP, &packet)],
    };
    pco.encode()
}

/// TS 29.274 §8.4, cause 92: with a list of users nobody else gets a session.
#[test]
fn a_list_of_users_admits_its_users_only() {
    let mut config = dual();
    let user = User {
        name: "meter@red".into(),
        password: Token::new("geheim".into()),
    };
    config.apns[0].authentication = Authentication::Users(alloc::vec![user]);
    config.apns[1].authentication = Authentication::Accept;
    let mut bed = Bed::new(config);
    let mut attempt = |apn: &str, pco: Option<Vec<u8>>| {
        let mut request = bed.request(imsi(1), apn);
        request.pco = pco;
        let message = Message::CreateSessionRequest(request);
        let sequence = bed.send_c(SGW, Some(0), &message);
        match bed.response(sequence) {
            Some((_, Message::CreateSessionResponse(r))) => (r.cause.cause, r.pco),
            other => panic!("{other:?}"),
        }
    };
    let refused = (Cause::USER_AUTHENTICATION_FAILED, None);
    assert_eq!(attempt("red.corp", None), refused);
    assert_eq!(
        attempt("red.corp", Some(pap("meter@red", "falsch"))),
        refused
    );
    assert_eq!(
        attempt("red.corp", Some(pap("other@red", "geheim"))),
        refused
    );
    let (cause, told) = attempt("red.corp", Some(pap("meter@red", "geheim")));
    assert_eq!(cause, Cause::REQUEST_ACCEPTED);
    let told = Pco::decode(&told.unwrap()).unwrap();
    assert_eq!(item(&told, pco::PAP).unwrap().contents, [2, 5, 0, 5, 0]);
    let (cause, told) = attempt("blue.corp", Some(pap("anybody", "anything")));
    assert_eq!((cause, told.is_some()), (Cause::REQUEST_ACCEPTED, true));
    let said = alloc::format!("{:?}", bed.events);
    assert!(!said.contains("geheim") && !said.contains("falsch"));
}

/// TS 29.274 §8.57: the maximum that the SGW tells against the access point's own.
#[test]
fn apn_restrictions_are_held_against_the_maximum() {
    for (own, maximum, fits) in [(1, 3, true), (2, 3, false), (4, 1, false), (0, 4, false)] {
        let mut config = config();
        config.apns[0].apn_restriction = own;
        let mut bed = Bed::new(config);
        let mut request = bed.request(imsi(1), "red.corp");
        request.maximum_apn_restriction = Some(maximum);
        let expected = if fits {
            Ok(Cause::REQUEST_ACCEPTED)
        } else {
            Err(Cause::APN_RESTRICTION_TYPE_INCOMPATIBLE)
        };
        let answer = bed.create_with(SGW, request).map(|t| t.cause);
        assert_eq!(answer, expected, "{own} {maximum}");
    }
}

/// TS 29.274 §8.58: what the subscription does not vouch for is refused, unless configured.
#[test]
fn selection_modes_are_those_of_the_configuration() {
    let mut config = config();
    config.apns[1]
        .selection_modes
        .push(SelectionMode::NETWORK_NOT_VERIFIED);
    let mut bed = Bed::new(config);
    let mut ask = |apn: &str, mode| {
        let mut request = bed.request(imsi(1), apn);
        request.selection_mode = Some(mode);
        bed.create_with(SGW, request).map(|_| ())
    };
    let refused = Err(Cause::APN_ACCESS_DENIED_NO_SUBSCRIPTION);
    assert_eq!(ask("red.corp", 1), refused);
    assert_eq!(ask("red.corp", 2), refused);
    assert_eq!(ask("red.corp", 0), Ok(()));
    assert_eq!(ask("blue.corp", 1), refused);
    assert_eq!(ask("blue.corp", 2), Ok(()));
}

/// TS 29.274 §8.4, cause 116, and TS 24.301 §6.5.1: a second session at one access point is for the
/// other family only.
#[test]
fn a_second_session_at_an_apn_is_of_the_other_family() {
    let mut bed = Bed::new(dual());
    let first = ask(&mut bed, 1, "red.corp", PdnType::V4V6, false).unwrap();
    assert_eq!(
        first.cause,
        Cause::NEW_PDN_TYPE_DUE_TO_SINGLE_ADDRESS_BEARER_ONLY
    );
    let second = |bed: &mut Bed, kind| {
        let mut request = asking(bed, 1, "red.corp", kind, false);
        request.bearer_contexts[0].ebi = Ebi::new(6).unwrap();
        bed.create_with(SGW, request)
    };
    let refused = second(&mut bed, PdnType::V4);
    assert_eq!(
        refused.unwrap_err(),
        Cause::MULTIPLE_PDN_CONNECTIONS_FOR_A_GIVEN_APN_NOT_ALLOWED
    );
    let other = second(&mut bed, PdnType::V6).unwrap();
    assert_eq!(bed.pgw.control().session_count(), 2);
    assert_eq!(bed.delete(&first), Cause::REQUEST_ACCEPTED);
    // It has another default bearer.
    assert_eq!(bed.delete(&other), Cause::CONTEXT_NOT_FOUND);
}

/// TS 29.274 Table 7.2.1-1: an emergency attach without a SIM, or with one that nobody has
/// authenticated, is not served.
#[test]
fn nobody_is_served_without_an_authenticated_sim() {
    let mut bed = Bed::new(config());
    let mut request = bed.request(imsi(1), "red.corp");
    request.imsi = None;
    let imei: heiiki_types::Imei = "35349000000000".parse().unwrap();
    request.mei = Some(imei.into());
    let message = Message::CreateSessionRequest(request.clone());
    let sequence = bed.send_c(SGW, Some(0), &message);
    let (_, Message::CreateSessionResponse(response)) = bed.response(sequence).unwrap() else {
        panic!("not a response");
    };
    assert_eq!(response.cause.cause, Cause::CONDITIONAL_IE_MISSING);
    assert_eq!(response.cause.offending, Some((1, 0)));
    request.imsi = Some(imsi(1));
    let flags = Indication::default().with(IndicationFlag::UNAUTHENTICATED_IMSI);
    request.indication = Some(flags);
    let refused = bed.create_with(SGW, request);
    assert_eq!(refused.unwrap_err(), Cause::USER_AUTHENTICATION_FAILED);
}

/// A configuration that promises what it does not have is refused before anything starts.
#[test]
fn mistakes_in_addresses_are_found_at_the_start() {
    let mistakes = |change: &dyn Fn(&mut PgwConfig)| {
        let mut config = dual();
        change(&mut config);
        let errors = crate::Network::check(&config).err().unwrap_or_default();
        errors.into_iter().map(|e| e.path).collect::<Vec<_>>()
    };
    assert!(mistakes(&|_| {}).is_empty());
    let of = |path: &str| alloc::vec![String::from(path)];
    let pool = |text: &'static str| {
        move |c: &mut PgwConfig| {
            c.apns[0].pool_v6 = Some(text.parse().unwrap());
        }
    };
    for text in [
        "10.30.0.0/16",
        "fd00::/64",
        "fd00::/24",
        "2001:db8::/48",
        "fe80::/48",
    ] {
        assert_eq!(mistakes(&pool(text)), of("apns[0].pool_v6"), "{text}");
    }
    let none = mistakes(&|c| {
        c.apns[0].pool_v6 = None;
        c.apns[0].families = Some(Families::Both);
    });
    assert_eq!(none, of("apns[0].families"));
    let users = mistakes(&|c| c.apns[0].authentication = Authentication::Users(Vec::new()));
    assert_eq!(users, of("apns[0].authentication"));
    let route = |text: &'static str| {
        move |c: &mut PgwConfig| {
            let prefix = text.parse().unwrap();
            let imsi = imsi(1);
            c.apns[0]
                .routes
                .push(crate::config::FramedRoute { imsi, prefix });
        }
    };
    assert!(mistakes(&route("10.20.7.0/24")).is_empty());
    // The pool, a host, outside what is declared, everything.
    for text in [
        "10.20.0.128/25",
        "10.20.255.0/24",
        "10.21.0.0/24",
        "0.0.0.0/0",
    ] {
        assert_eq!(mistakes(&route(text)), of("apns[0].routes[0]"), "{text}");
    }
    let twice = mistakes(&|c| {
        route("10.20.7.0/24")(c);
        route("10.20.7.128/25")(c);
    });
    assert_eq!(twice, of("apns[0].routes[1]"));
}
