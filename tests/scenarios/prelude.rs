//! Ways to build the usual lab and to look at what it did.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use heiiki::lab::{AdminOf, AttachError, Builder, Session};
use heiiki::log::NodeEvent;
use heiiki::world::Verdict;
use heiiki::{Lab, Link};
use heiiki_types::Method;
use serde_json::Value;

/// A builder with one tenant.
pub(crate) fn acme() -> Builder {
    Lab::builder().tenant("acme", "10.20.0.0/16")
}

/// A lab with one tenant and one SIM, `pc-1`.
pub(crate) fn one_pc() -> Lab {
    acme().sim("pc-1", "acme").build().unwrap()
}

/// The host `intranet` of a tenant whose range is 10.20.0.0/16.
pub(crate) const INTRANET: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 10);

/// Seconds.
pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn hss(lab: &Lab) -> impl Iterator<Item = &heiiki_hss::Event> {
    lab.log().iter().filter_map(|e| match &e.event {
        NodeEvent::Hss(event) => Some(event),
        _ => None,
    })
}

pub(crate) fn mme(lab: &Lab) -> impl Iterator<Item = &heiiki_mme::Event> {
    lab.log().iter().filter_map(|e| match &e.event {
        NodeEvent::Mme(event) => Some(event),
        _ => None,
    })
}

pub(crate) fn pgw(lab: &Lab) -> impl Iterator<Item = &heiiki_pgw::Event> {
    lab.log().iter().filter_map(|e| match &e.event {
        NodeEvent::Pgw(event) => Some(event),
        _ => None,
    })
}

pub(crate) fn ue<'a>(lab: &'a Lab, sim: &str) -> impl Iterator<Item = &'a heiiki_ue_sim::Event> {
    let wanted = lab.imsi(sim);
    lab.log().iter().filter_map(move |e| match &e.event {
        NodeEvent::Ue { imsi, event } if *imsi == wanted => Some(event),
        _ => None,
    })
}

/// The NAS messages of a name that the MME saw, as octets.
pub(crate) fn nas(lab: &Lab, wanted: &str) -> Vec<Vec<u8>> {
    let wires = mme(lab).filter_map(|event| match event {
        heiiki_mme::Event::Nas { name, wire, .. } if *name == wanted => Some(wire.clone()),
        _ => None,
    });
    wires.collect()
}

/// What the HSS shows of a SIM.
pub(crate) fn row(lab: &mut Lab, sim: &str) -> Value {
    let target = format!("/v1/subscribers/{}", lab.imsi(sim));
    let response = lab.admin(AdminOf::Hss, Method::Get, &target, "");
    assert_eq!(response.status, 200, "{target}");
    serde_json::from_slice(&response.body).unwrap()
}

/// The last SEQ that the HSS issued for a SIM.
pub(crate) fn seq(lab: &mut Lab, sim: &str) -> u64 {
    row(lab, sim)["seq"].as_u64().unwrap()
}

/// The addresses of a SIM's sessions at the gateway.
pub(crate) fn sessions(lab: &mut Lab, sim: &str) -> Vec<Ipv4Addr> {
    let imsi = lab.imsi(sim).to_string();
    let all = lab.sessions().unwrap();
    let own = all["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v["imsi"] == imsi.as_str());
    own.map(|v| v["address"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// Whether the gateway bars a SIM.
pub(crate) fn is_barred(lab: &mut Lab, sim: &str) -> bool {
    let imsi = lab.imsi(sim).to_string();
    let response = lab.admin(AdminOf::Pgw, Method::Get, "/v1/bars", "");
    let bars: Value = serde_json::from_slice(&response.body).unwrap();
    let bars = bars["bars"].as_array().unwrap();
    bars.iter().any(|v| v["imsi"] == imsi.as_str())
}

/// How many packets the gateway refused for this reason.
pub(crate) fn refused(lab: &mut Lab, reason: &str) -> u64 {
    let counters = lab.counters().unwrap();
    counters["refused"][reason].as_u64().unwrap_or(0)
}

/// The SIM has no service and gets none: nothing at the gateway, and the closedness proof holds.
pub(crate) fn assert_dark(lab: &mut Lab, sim: &str, what: &str) {
    assert!(is_barred(lab, sim), "{what}: no bar");
    assert_eq!(
        sessions(lab, sim),
        [] as [Ipv4Addr; 0],
        "{what}: a session is left"
    );
    assert!(
        !lab.ping(sim, INTRANET).is_answered(),
        "{what}: a ping comes through"
    );
    let audit = lab.audit().unwrap();
    assert_eq!(audit["closed"], true, "{what}: {audit}");
}

/// The SIM works: it has one session and gets its page.
pub(crate) fn assert_works(lab: &mut Lab, sim: &str, what: &str) {
    let page = lab.get(sim, "http://intranet/");
    assert!(
        page.as_ref().is_ok_and(|p| p.status == 200),
        "{what}: {page:?}"
    );
    assert_eq!(sessions(lab, sim).len(), 1, "{what}");
}

/// Attaches as a patient person would: waits out a back-off and tries again, up to ten times.
pub(crate) fn attach_patiently(lab: &mut Lab, sim: &str) -> Result<Session, AttachError> {
    let mut last = AttachError::TimedOut;
    for _ in 0..10 {
        match lab.attach(sim) {
            Ok(session) => return Ok(session),
            Err(error) => {
                let back_off = match &error {
                    AttachError::Rejected { back_off, .. } => *back_off,
                    // Unprotected, #22 binds a UE for up to half an hour (TS 24.301 §5.5.1.2.5).
                    AttachError::NotStarted(_) => Some(s(600)),
                    _ => None,
                };
                lab.run_for(back_off.unwrap_or(s(10)));
                last = error;
            }
        }
    }
    Err(last)
}

/// Fetches the page as a patient person would: a few times, and once more after a new attach. A UE
/// may hold an ATTACH ACCEPT for a bearer that its base station never heard of.
pub(crate) fn page_patiently(lab: &mut Lab, sim: &str, what: &str) {
    for _ in 0..8 {
        let is_page = |lab: &mut Lab| {
            let page = lab.get(sim, "http://intranet/");
            page.is_ok_and(|p| p.status == 200)
        };
        if (0..3).any(|_| is_page(lab)) {
            return;
        }
        lab.run_for(s(30));
        attach_patiently(lab, sim).unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    panic!("{what}: no page");
}

/// The names of all messages on a link from now on, in order.
pub(crate) fn record(lab: &mut Lab, link: Link) -> Arc<Mutex<Vec<String>>> {
    let names = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&names);
    let rule = Box::new(move |packet: &heiiki::world::Packet<'_>| {
        let name = format!("{} from {}", packet.name, packet.from);
        into.lock().unwrap().push(name);
        Verdict::Pass
    });
    lab.world().add_rule(link, rule);
    names
}

/// Lets this happen to the message at this place (from 0) of a link, counted from now.
pub(crate) fn strike(lab: &mut Lab, link: Link, place: usize, verdict: Verdict) {
    let mut seen = 0;
    let rule = Box::new(move |_: &heiiki::world::Packet<'_>| {
        seen += 1;
        if seen == place + 1 {
            verdict
        } else {
            Verdict::Pass
        }
    });
    lab.world().add_rule(link, rule);
}

/// An IPv4 packet, RFC 791 §3.1.
pub(crate) fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0];
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    [&header, payload].concat()
}

/// An ICMP echo request, RFC 792.
pub(crate) fn echo_request(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut icmp = *b"\x08\0\0\0\0\x01\0\x01whose is this";
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum);
    ipv4(from, to, 1, &icmp)
}

/// The checksum of the Internet, RFC 1071; an odd octet at the end counts as high.
fn checksum(octets: &[u8]) -> [u8; 2] {
    let words = octets
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |low| u32::from(*low)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!u16::try_from(folded).unwrap()).to_be_bytes()
}
