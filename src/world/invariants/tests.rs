//! Every check can fail: each test breaks an invariant, by a protection that is off or by something
//! said to the checker that did not happen, and looks for the number.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use heiiki_hss::auc::sqn::Sqn;
use heiiki_hss::{Answered, Resynchronisation};
use heiiki_nas::emm::{DetachRequestFromUe, Message, UeDetachType};
use heiiki_nas::{EpsMobileIdentity, Ksi};
use heiiki_pgw::user_plane::{SessionId, Usage};
use heiiki_types::{Key256, WallTime, to_hex};
use heiiki_ue_sim::{NasProtection, UeCommand};

use core::net::Ipv4Addr;

use super::*;
use crate::lab::{Lab, Network as _};
use crate::log::{Frame, Tap};
use crate::plan::{NodeName, Operator};
use crate::world::World;

const K: [u8; 16] = *b"a subscriber key";
const OPC: [u8; 16] = *b"an operator code";

/// What crossed the links.
#[derive(Default)]
struct Seen {
    datagrams: Vec<(Link, Datagram)>,
    streams: Vec<Vec<u8>>,
    packets: Vec<Vec<u8>>,
}

struct Recorder(Arc<Mutex<Seen>>);

impl Tap for Recorder {
    fn frame(&mut self, _: Instant, _: WallTime, link: Link, frame: &Frame<'_>) {
        let mut seen = self.0.lock().unwrap();
        match frame {
            Frame::Datagram { from, to, payload } => seen.datagrams.push((
                link,
                Datagram {
                    local: *from,
                    remote: *to,
                    payload: payload.to_vec(),
                },
            )),
            Frame::Stream { octets, .. } => seen.streams.push(octets.to_vec()),
            Frame::Packet {
                uplink: true,
                packet,
                ..
            } => seen.packets.push(packet.to_vec()),
            _ => {}
        }
    }
}

/// Two tenants with one range; the checker excuses nothing.
fn lab(weaken: impl FnOnce(&mut Protections)) -> (Lab, Arc<Mutex<Seen>>) {
    let mut lab = Lab::builder()
        .tenant("red", "10.20.0.0/16")
        .tenant("blue", "10.20.0.0/16")
        .sims("red", 2, "red")
        .sim("blue-1", "blue")
        .with_sim(|sim| {
            sim.secrets = Some(crate::plan::Secrets {
                k: heiiki_types::Key128::new(K),
                operator: Operator::Opc(heiiki_types::Key128::new(OPC)),
            });
        })
        .weaken(weaken)
        .build()
        .unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    lab.world().tap(Box::new(Recorder(Arc::clone(&seen))));
    lab.world().excuse_nothing();
    (lab, seen)
}

fn strict() -> (Lab, Arc<Mutex<Seen>>) {
    lab(|_| {})
}

/// Lets time pass without the panic by which a lab ends at a violation.
fn pass(lab: &mut Lab, time: Duration) {
    let until = lab.now() + time;
    while lab.world().step(until) {}
}

fn do_it(lab: &mut Lab, sim: &str, command: UeCommand) {
    lab.command(sim, command);
    pass(lab, Duration::from_secs(3));
}

#[track_caller]
fn first(lab: &mut Lab, invariant: u8) {
    let violations = lab.world().violations();
    let first = violations.first().expect("a violation");
    assert!(first.starts_with(&format!("{invariant}: ")), "{first}");
}

#[track_caller]
fn is(found: Option<Violation>, invariant: u8, words: &str) {
    let found = found.expect("a violation");
    assert_eq!(found.invariant, invariant, "{found}");
    assert!(found.what.contains(words), "{found}");
}

fn ping(dst: Ipv4Addr) -> UeCommand {
    UeCommand::Ping { token: 1, dst }
}

const INTRANET: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 11);

fn intranet(lab: &Lab) -> Ipv4Addr {
    match lab.plan().tenants[0].hosts[0].address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => INTRANET,
    }
}

/// The last datagram of a link that fits.
fn last(seen: &Mutex<Seen>, link: Link, fits: impl Fn(&Datagram) -> bool) -> Datagram {
    let seen = seen.lock().unwrap();
    let mut found = seen.datagrams.iter().rev();
    let found = found.find(|(on, d)| *on == link && fits(d));
    found.unwrap().1.clone()
}

fn to_sgw(lab: &Lab) -> impl Fn(&Datagram) -> bool + use<> {
    let sgw = lab.addresses().sgw_s5u();
    move |d| d.remote == sgw && d.payload[1] == 255
}

fn to_gateway(lab: &Lab) -> impl Fn(&Datagram) -> bool + use<> {
    let gateway = lab.addresses().pgw_s5u(0);
    move |d| d.remote == gateway && d.payload[1] == 255
}

/// The same datagram as it arrives.
fn arrived(sent: &Datagram) -> Datagram {
    Datagram {
        local: sent.remote,
        remote: sent.local,
        payload: sent.payload.clone(),
    }
}

fn checker(lab: &mut Lab) -> &mut Checker {
    &mut lab.world().checker
}

#[test]
fn a_protected_lab_breaks_nothing() {
    let (mut lab, _) = strict();
    for sim in ["red-1", "red-2", "blue-1"] {
        lab.attach(sim).unwrap();
        let host = intranet(&lab);
        do_it(&mut lab, sim, ping(host));
        do_it(&mut lab, sim, ping(Ipv4Addr::new(8, 8, 8, 8)));
    }
    lab.suspend("red-1", "lost").unwrap();
    lab.world().scan();
    assert_eq!(lab.world().violations(), &[] as &[String]);
}

#[test]
fn a_protection_that_is_off_excuses_its_invariant() {
    let (mut lab, _) = lab(|p| p.closed_egress = false);
    let excused = excused(Protections {
        closed_egress: false,
        ..Protections::ALL
    });
    checker(&mut lab).excused = excused;
    lab.attach("red-1").unwrap();
    do_it(&mut lab, "red-1", ping(Ipv4Addr::new(8, 8, 8, 8)));
    assert_eq!(lab.world().violations(), &[] as &[String]);
}

#[test]
fn one_a_spoofed_source_reaches_the_segment() {
    let (mut lab, _) = lab(|p| p.source_check = false);
    lab.attach("red-1").unwrap();
    let other = lab.attach("red-2").unwrap().ip;
    let host = intranet(&lab);
    let packet = udp(other, host);
    do_it(&mut lab, "red-1", UeCommand::Inject { packet });
    first(&mut lab, 1);
}

fn udp(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    use etherparse::{IpNumber, Ipv4Header, UdpHeader};
    let mut ip = Ipv4Header::new(12, 64, IpNumber::UDP, from.octets(), to.octets()).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let udp = UdpHeader::with_ipv4_checksum(9, 9, &ip, b"spoo").unwrap();
    [&ip.to_bytes()[..], &udp.to_bytes(), b"spoo"].concat()
}

#[test]
fn one_a_packet_reaches_another_tenants_segment() {
    let (mut lab, _) = lab(|p| p.tenant_isolation = false);
    lab.attach("blue-1").unwrap();
    let host = intranet(&lab);
    do_it(&mut lab, "blue-1", ping(host));
    first(&mut lab, 1);
}

#[test]
fn one_a_packet_of_another_tenant_reaches_a_ue() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    let host = intranet(&lab);
    do_it(&mut lab, "red-1", ping(host));
    let downlink = last(&seen, Link::S5U, to_sgw(&lab));
    let now = lab.now();
    let checker = checker(&mut lab);
    checker.tunnels.segment_speaks(TenantId(0));
    let own = checker.datagram(now, Sender::Gateway, Link::S5U, &downlink);
    assert_eq!(own, None);
    checker.tunnels.segment_speaks(TenantId(1));
    let other = checker.datagram(now, Sender::Gateway, Link::S5U, &downlink);
    is(other, 1, "a packet of blue goes to");
    checker.tunnels.handled();
    let nobody = checker.datagram(now, Sender::Gateway, Link::S5U, &downlink);
    is(nobody, 1, "a packet of nobody");
}

#[test]
fn one_tunnels_that_nobody_asked_for() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    let host = intranet(&lab);
    do_it(&mut lab, "red-1", ping(host));
    let mut downlink = last(&seen, Link::S5U, to_sgw(&lab));
    downlink.payload[4] ^= 0x80;
    let now = lab.now();
    let enb = lab.addresses().enb(0);
    let mut to_enb = last(&seen, Link::S1U, |d| d.remote == enb);
    to_enb.payload[4] ^= 0x80;
    let checker = checker(&mut lab);
    let found = checker.datagram(now, Sender::Gateway, Link::S5U, &downlink);
    is(found, 1, "which no session asked for");
    let found = checker.datagram(now, Sender::Core, Link::S1U, &to_enb);
    is(found, 1, "which no eNB asked for");
}

#[test]
fn one_the_sgw_mixes_tunnels_up() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    lab.attach("red-2").unwrap();
    let host = intranet(&lab);
    do_it(&mut lab, "red-1", ping(host));
    let enb = lab.addresses().enb(0);
    let (s5u, s1u) = (
        last(&seen, Link::S5U, to_sgw(&lab)),
        last(&seen, Link::S1U, |d| d.remote == enb),
    );
    let sgw = lab.addresses().sgw_s1u();
    let (from_enb, to_pgw) = (
        last(&seen, Link::S1U, |d| d.remote == sgw),
        last(&seen, Link::S5U, to_gateway(&lab)),
    );
    do_it(&mut lab, "red-2", ping(host));
    let other_s5u = last(&seen, Link::S5U, to_sgw(&lab));
    let other_from_enb = last(&seen, Link::S1U, |d| d.remote == sgw);
    let now = lab.now();
    let checker = checker(&mut lab);
    let mut relayed = |link, cause: &Datagram, sent: &Datagram, on| {
        checker.tunnels.arriving(link, &arrived(cause));
        checker.datagram(now, Sender::Core, on, sent)
    };
    assert_eq!(relayed(Link::S5U, &s5u, &s1u, Link::S1U), None);
    is(
        relayed(Link::S5U, &other_s5u, &s1u, Link::S1U),
        1,
        "goes to the eNB for",
    );
    assert_eq!(relayed(Link::S1U, &from_enb, &to_pgw, Link::S5U), None);
    is(
        relayed(Link::S1U, &other_from_enb, &to_pgw, Link::S5U),
        1,
        "goes by the tunnel of",
    );
}

#[test]
fn two_an_undeclared_destination() {
    let (mut lab, _) = lab(|p| p.closed_egress = false);
    lab.attach("red-1").unwrap();
    do_it(&mut lab, "red-1", ping(Ipv4Addr::new(8, 8, 8, 8)));
    first(&mut lab, 2);
}

#[test]
fn two_the_sentinel_is_for_open_access_points_alone() {
    let (mut lab, _) = strict();
    let truth = &checker(&mut lab).truth;
    let out = "8.8.8.8".parse().unwrap();
    let from = "10.20.128.2".parse().unwrap();
    is(
        tunnels::leaves(truth, 0, Some(AccessId(0)), from, out),
        2,
        "did not declare",
    );
}

/// The SIM is dark as far as the checker knows, and the network has not heard of it.
fn darken(lab: &mut Lab, sim: &str) {
    let (imsi, now) = (lab.imsi(sim), lab.now());
    checker(lab).dark.bar_set(imsi);
    checker(lab).dark.cut_done(imsi, now);
}

#[test]
fn three_a_dark_sim_sends() {
    let (mut lab, _) = strict();
    lab.attach("red-1").unwrap();
    darken(&mut lab, "red-1");
    let host = intranet(&lab);
    do_it(&mut lab, "red-1", ping(host));
    first(&mut lab, 3);
    lab.world().scan();
    let found = lab.world().violations().last().unwrap().clone();
    assert!(found.contains("is dark and has session"), "{found}");
}

#[test]
fn three_a_packet_reaches_a_dark_sim() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    let host = intranet(&lab);
    do_it(&mut lab, "red-1", ping(host));
    let downlink = last(&seen, Link::S5U, to_sgw(&lab));
    let enb = lab.addresses().enb(0);
    let to_enb = last(&seen, Link::S1U, |d| d.remote == enb);
    darken(&mut lab, "red-1");
    let now = lab.now();
    let checker = checker(&mut lab);
    checker.tunnels.segment_speaks(TenantId(0));
    let found = checker.datagram(now, Sender::Gateway, Link::S5U, &downlink);
    is(found, 3, "passes to the SGW");
    checker.tunnels.arriving(Link::S5U, &arrived(&downlink));
    // What had passed the gateway before the cut may still come.
    assert_eq!(
        checker.datagram(now, Sender::Core, Link::S1U, &to_enb),
        None
    );
    let later = now + Duration::from_micros(1);
    let found = checker.datagram(later, Sender::Core, Link::S1U, &to_enb);
    is(found, 3, "the SGW sends one");
}

#[test]
fn three_a_barred_sim_gets_a_session() {
    let (mut lab, _) = strict();
    let imsi = lab.imsi("red-1");
    checker(&mut lab).dark.bar_set(imsi);
    do_it(&mut lab, "red-1", UeCommand::Attach);
    first(&mut lab, 3);
}

#[test]
fn three_a_cut_leaves_a_session() {
    let (mut lab, _) = strict();
    lab.attach("red-1").unwrap();
    let (imsi, at) = (lab.imsi("red-1"), lab.now());
    let done = PgwEvent::CutDone {
        imsi,
        cut: String::new(),
        sessions: 0,
        t4: at,
        t5_uplink: at,
        t5_downlink: at,
        purged: 0,
        durable: true,
    };
    is(
        checker(&mut lab).gateway_event(at, &done, None, at),
        3,
        "still has 1 sessions",
    );
}

#[test]
fn four_a_number_comes_twice_or_falls() {
    let mut vectors = Vectors::default();
    let imsi = "001010000000001".parse().unwrap();
    let sqn = |seq, ind| Sqn::new(seq, ind).unwrap();
    assert_eq!(vectors.issued(imsi, sqn(7, 1)), None);
    assert_eq!(vectors.issued(imsi, sqn(6, 2)), None);
    is(vectors.issued(imsi, sqn(7, 1)), 4, "SEQ 7 and IND 1");
    is(vectors.issued(imsi, sqn(5, 2)), 4, "after SEQ 6");
    let other = "001010000000002".parse().unwrap();
    assert_eq!(vectors.issued(other, sqn(7, 1)), None);
}

#[test]
fn four_a_vector_is_handed_out_again() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    let streams = core::mem::take(&mut seen.lock().unwrap().streams);
    let again = streams
        .iter()
        .find_map(|octets| checker(&mut lab).diameter(octets));
    is(again, 4, "gets a vector with SEQ 1");
}

#[test]
fn four_an_auts_moves_what_it_must_not() {
    let vectors = Vectors::default();
    let event = |from, to| heiiki_hss::Event::AuthenticationInformation {
        imsi: "001010000000001".parse().unwrap(),
        host: String::new(),
        visited: "00101".parse().unwrap(),
        state: None,
        result: Answered(heiiki_diameter::AnswerResult::tgpp(2001)),
        vectors: 1,
        resynchronisation: Some(Resynchronisation::Raised { from, to }),
    };
    is(vectors.event(&event(3, 9)), 4, "that the SIM did not make");
}

#[test]
fn four_a_genuine_auts_is_known() {
    let mut lab = Lab::builder()
        .tenant("red", "10.20.0.0/16")
        .sim("red-1", "red")
        .with_sim(|sim| sim.card.sqn = Some(1_000 << 5))
        .build()
        .unwrap();
    lab.attach("red-1").unwrap();
    let (from, to) = lab
        .log()
        .iter()
        .find_map(|e| match &e.event {
            NodeEvent::Hss(heiiki_hss::Event::AuthenticationInformation {
                resynchronisation: Some(Resynchronisation::Raised { from, to }),
                ..
            }) => Some((*from, *to)),
            _ => None,
        })
        .unwrap();
    let event = |from, to| heiiki_hss::Event::AuthenticationInformation {
        imsi: "001010000000001".parse().unwrap(),
        host: String::new(),
        visited: "00101".parse().unwrap(),
        state: None,
        result: Answered(heiiki_diameter::AnswerResult::tgpp(2001)),
        vectors: 1,
        resynchronisation: Some(Resynchronisation::Raised { from, to }),
    };
    let vectors = &checker(&mut lab).vectors;
    assert_eq!(vectors.event(&event(from, to)), None);
    is(vectors.event(&event(to + 1, to)), 4, "back from SEQ");
}

fn given(session: u32, imsi: &str, address: Ipv4Addr) -> PgwEvent {
    PgwEvent::SessionCreated {
        session: SessionId(session),
        imsi: imsi.parse().unwrap(),
        apn: "red".parse().unwrap(),
        tenant: "red".to_owned(),
        address: address.into(),
        sgw: IpAddr::V4(address),
        worker: 0,
    }
}

fn taken(session: u32, imsi: &str, address: Ipv4Addr) -> PgwEvent {
    PgwEvent::SessionEnded {
        session: SessionId(session),
        imsi: imsi.parse().unwrap(),
        apn: "red".parse().unwrap(),
        address: address.into(),
        reason: heiiki_pgw::EndReason::Deleted,
        usage: Usage::default(),
    }
}

const ONE: &str = "001010000000001";
const TWO: &str = "001010000000002";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 20, 128, 77);

#[test]
fn five_an_address_has_two_sessions() {
    let (mut lab, _) = strict();
    let (at, checker) = (lab.now(), checker(&mut lab));
    let mut say = |event: PgwEvent| checker.gateway_event(at, &event, None, at);
    assert_eq!(say(given(1, ONE, ADDRESS)), None);
    is(say(given(2, TWO, ADDRESS)), 5, "while session 1 of");
}

#[test]
fn five_an_address_does_not_rest() {
    let (mut lab, _) = strict();
    let (at, checker) = (lab.now(), checker(&mut lab));
    let rested = at + Duration::from_mins(1);
    let mut say = |at, event: PgwEvent| checker.gateway_event(at, &event, None, at);
    for (session, again) in [(1, at), (2, rested)] {
        assert_eq!(say(again, given(session, ONE, ADDRESS)), None);
        assert_eq!(say(again, taken(session, ONE, ADDRESS)), None);
    }
    is(say(rested, given(3, TWO, ADDRESS)), 5, "rests until");
}

#[test]
fn five_a_reserved_address_goes_to_another_sim() {
    let (mut lab, _) = strict();
    let (at, checker) = (lab.now(), checker(&mut lab));
    let one = ONE.parse().unwrap();
    checker.truth.sims.get_mut(&one).unwrap().fixed = vec![(0, ADDRESS.into())];
    let mut say = |at, event: PgwEvent| checker.gateway_event(at, &event, None, at);
    let later = at + Duration::from_hours(1);
    for session in [1, 2] {
        // Its own SIM need not wait.
        assert_eq!(say(at, given(session, ONE, ADDRESS)), None);
        assert_eq!(say(at, taken(session, ONE, ADDRESS)), None);
    }
    is(say(later, given(3, TWO, ADDRESS)), 5, "is reserved to");
}

#[test]
fn five_a_teid_does_not_rest() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    assert!(lab.detach("red-1", false));
    pass(&mut lab, Duration::from_secs(1));
    let mut request = last(&seen, Link::S5C, |d| d.payload[1] == 32);
    let mut response = last(&seen, Link::S5C, |d| d.payload[1] == 33);
    let now = lab.now();
    let checker = checker(&mut lab);
    let mut send = |sent: &Datagram| checker.datagram(now, Sender::Core, Link::S5C, sent);
    // The same once more is a retransmission.
    assert_eq!(send(&request), None);
    assert_eq!(send(&response), None);
    // Under another sequence number it is another session with the same TEIDs.
    request.payload[10] ^= 1;
    response.payload[10] ^= 1;
    assert_eq!(send(&request), None);
    is(send(&response), 5, "the gateway's TEID");
}

#[test]
fn five_a_packet_outlives_its_session() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    let host = intranet(&lab);
    do_it(&mut lab, "red-1", ping(host));
    let (uplink, downlink) = (
        last(&seen, Link::S5U, to_gateway(&lab)),
        last(&seen, Link::S5U, to_sgw(&lab)),
    );
    let packet = seen.lock().unwrap().packets.last().unwrap().clone();
    assert!(lab.detach("red-1", false));
    pass(&mut lab, Duration::from_secs(1));
    let now = lab.now();
    let checker = checker(&mut lab);
    checker.tunnels.arriving(Link::S5U, &arrived(&uplink));
    let found = checker.to_segment(TenantId(0), None, &packet);
    is(found, 5, "a packet of it passes");
    checker.tunnels.segment_speaks(TenantId(0));
    let found = checker.datagram(now, Sender::Gateway, Link::S5U, &downlink);
    is(found, 5, "a packet of it passes");
}

#[test]
fn five_a_packet_goes_to_a_tunnel_of_another_address() {
    let (mut lab, seen) = strict();
    lab.attach("red-1").unwrap();
    let host = intranet(&lab);
    do_it(&mut lab, "red-1", ping(host));
    let mut downlink = last(&seen, Link::S5U, to_sgw(&lab));
    downlink.payload[8 + 19] ^= 0x40;
    let now = lab.now();
    let checker = checker(&mut lab);
    checker.tunnels.segment_speaks(TenantId(0));
    let found = checker.datagram(now, Sender::Gateway, Link::S5U, &downlink);
    is(found, 5, "which has another address");
}

#[test]
fn five_something_is_left() {
    let (mut lab, _) = strict();
    assert_eq!(lab.world().at_rest(), Ok(()));
    lab.attach("red-1").unwrap();
    let left = lab.world().at_rest().unwrap_err();
    for part in [
        "5: ",
        "1 sessions at the gateway",
        "1 forwarding entries",
        "1 sessions at the SGW",
        "1 UEs in a procedure",
    ] {
        assert!(left.contains(part), "{left}");
    }
    assert_eq!(lab.world().sessions_agree(), Ok(()));
    lab.crash(NodeName::Mme).unwrap();
    lab.restart(NodeName::Mme).unwrap();
    pass(&mut lab, Duration::from_secs(1));
    let differ = lab.world().sessions_agree().unwrap_err();
    assert!(differ.contains("the gateway has one"), "{differ}");
}

#[test]
fn six_a_key_is_in_an_order_and_in_the_log() {
    let (mut lab, _) = strict();
    let reason = to_hex(&K);
    let body = format!(r#"{{"reason":"{reason}","actor":"lab"}}"#);
    let token = lab.tokens().hss.clone();
    let request = heiiki_types::HttpRequest {
        method: heiiki_types::Method::Post,
        target: "/v1/subscribers/001010000000003/suspend".to_owned(),
        bearer: Some(token),
        body: body.into_bytes(),
        headers: heiiki_types::Headers::default(),
    };
    crate::lab::Network::call(lab.world(), crate::lab::AdminOf::Hss, request);
    pass(&mut lab, Duration::from_secs(1));
    first(&mut lab, 6);
    let all = lab.world().violations().join("\n");
    assert!(all.contains("6: K of a SIM is in the log"), "{all}");
    assert!(
        all.contains("6: K of a SIM is in an administrative call"),
        "{all}"
    );
}

#[test]
fn six_a_key_crosses_a_link() {
    let (mut lab, _) = strict();
    let secrets = &mut checker(&mut lab).secrets;
    for (key, name) in [(K, "K"), (OPC, "OPc")] {
        let octets = [&[1, 2, 3][..], &key, &[4]].concat();
        for link in [Link::S1Nas, Link::S6a, Link::S5C, Link::Admin] {
            is(secrets.octets(link, &octets), 6, name);
        }
        assert_eq!(secrets.octets(Link::S6a, &octets[..18]), None);
    }
    let kasme: [u8; 32] = core::array::from_fn(|i| u8::try_from(i).unwrap() + 100);
    let (ck, ik) = (
        heiiki_types::Key128::new([0xc1; 16]),
        heiiki_types::Key128::new([0xd2; 16]),
    );
    secrets.session(&ck, &ik, &Key256::new(kasme), b"response");
    assert_eq!(secrets.octets(Link::S6a, &kasme), None);
    is(secrets.octets(Link::S1Nas, &kasme[..16]), 6, "KASME");
    is(secrets.octets(Link::S5C, &kasme[16..]), 6, "KASME");
    is(secrets.octets(Link::S6a, ck.expose()), 6, "CK");
    is(secrets.octets(Link::Admin, ik.expose()), 6, "IK");
    assert_eq!(secrets.octets(Link::S1Nas, b"a response"), None);
    is(secrets.octets(Link::S5C, b"a response"), 6, "XRES");
}

#[test]
fn six_a_text_shows_a_key() {
    let (mut lab, _) = strict();
    let secrets = &checker(&mut lab).secrets;
    let hex = to_hex(&K);
    let list: Vec<String> = K.iter().map(u8::to_string).collect();
    for text in [
        hex.clone(),
        hex.to_uppercase(),
        format!("ab{hex}cd"),
        format!("a{hex}"),
        format!("[1,{},2]", list.join(",")),
    ] {
        is(secrets.text("a text", text.as_bytes()), 6, "K of a SIM");
    }
    let harmless = format!("{} {}", &hex[..16], &hex[16..]);
    assert_eq!(secrets.text("a text", harmless.as_bytes()), None);
}

#[test]
fn seven_a_node_contradicts_itself_or_grows() {
    let bug = NodeEvent::Mme(heiiki_mme::Event::Bug { what: "planted" });
    is(rest::contradiction(&bug), 7, "planted");
    let bug = NodeEvent::Pgw(PgwEvent::Bug { what: "planted" });
    is(rest::contradiction(&bug), 7, "planted");
    let (mut lab, _) = strict();
    lab.attach("red-1").unwrap();
    // To a checker that knows of no SIM, one is too many.
    checker(&mut lab).truth.sims.clear();
    lab.world().scan();
    first(&mut lab, 7);
}

fn forged_detach(lab: &Lab, victim: &str) -> UeCommand {
    let forged = Message::DetachRequestFromUe(DetachRequestFromUe {
        switch_off: true,
        detach_type: UeDetachType::Eps,
        ksi: Ksi::NO_KEY,
        identity: EpsMobileIdentity::Imsi(lab.imsi(victim)),
    });
    UeCommand::SendNas {
        pdu: forged.encode(),
        protection: NasProtection::AsIs,
    }
}

#[test]
fn eight_a_forged_detach_works() {
    let (mut lab, _) = lab(|p| p.nas_integrity = false);
    lab.attach("red-1").unwrap();
    let forged = forged_detach(&lab, "red-1");
    do_it(&mut lab, "red-2", forged);
    first(&mut lab, 8);
}

#[test]
fn eight_a_context_changes_while_another_speaks() {
    let (mut lab, _) = strict();
    lab.attach("red-1").unwrap();
    let (victim, liar) = (lab.imsi("red-1"), lab.imsi("red-2"));
    let context = context_of(lab.world(), victim).unwrap();
    let UeCommand::SendNas { pdu, .. } = forged_detach(&lab, "red-1") else {
        unreachable!();
    };
    let message = s1::Message::InitialUeMessage {
        enb_ue_id: 1,
        tai: lab_tai(&lab),
        ecgi: heiiki_types::Ecgi {
            plmn: lab.plan().network.plmn,
            eci: 1,
        },
        nas: pdu,
    };
    let speakers = &mut checker(&mut lab).speakers;
    let before = |imsi| (imsi == victim).then(|| context.clone());
    speakers.speaks(liar, &message, before);
    assert_eq!(speakers.heard(before), None);
    speakers.speaks(liar, &message, before);
    is(speakers.heard(|_| None), 8, "speaks as");
    speakers.speaks(liar, &message, before);
    let lost = heiiki_mme::Event::Idle { imsi: victim };
    is(speakers.event(&lost), 8, "becomes idle");
    let own = heiiki_mme::Event::Idle { imsi: liar };
    assert_eq!(speakers.event(&own), None);
}

fn lab_tai(lab: &Lab) -> heiiki_types::Tai {
    heiiki_types::Tai {
        plmn: lab.plan().network.plmn,
        tac: lab.plan().network.tac,
    }
}

fn context_of(world: &World, imsi: Imsi) -> Option<ContextSnapshot> {
    world.nodes.iter().find_map(|slot| match &slot.node {
        Some(Node::Mme(mme)) => mme.context_of(imsi),
        _ => None,
    })
}
