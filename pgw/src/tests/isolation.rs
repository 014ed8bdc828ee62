//! Isolation: the session stays, and reaches the quarantine prefixes of its tenant only.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_gtp::u;
use heiiki_types::{Instant, Method, StorageInput, Teid};
use serde_json::{Value, json};

use super::bed::{Bed, INTRANET, RED, SGW, Tunnel, config, imsi, udp};
use crate::config::{AccessId, GroupId, PgwConfig, UeToUe};
use crate::control::Control;
use crate::user_plane::{
    Downlink, DownlinkVerdict, Gone, Origin, SessionEntry, SessionId, Slot, Update, Uplink,
    UplinkVerdict, Worker,
};
use crate::{Event, Input};

const CLINIC: Ipv4Addr = Ipv4Addr::new(10, 20, 254, 1);

fn quarantined() -> PgwConfig {
    let mut config = config();
    config.tenants[0].quarantine_prefixes = alloc::vec!["10.20.254.0/24".parse().unwrap()];
    config.tenants[0].ue_to_ue = UeToUe::Allow;
    config
}

fn isolate(bed: &mut Bed, n: u32, version: u64) -> (u16, Value) {
    let body = json!({"imsi": imsi(n), "version": version, "cut": "7", "actor": "test"});
    bed.post("/v1/isolations", &body)
}

fn release(bed: &mut Bed, n: u32, version: u64) -> (u16, Value) {
    let target = alloc::format!("/v1/isolations/{}/release", imsi(n));
    bed.post(&target, &json!({"version": version, "actor": "test"}))
}

/// What passes: to the intranet, from it, to the clinic, from it, to another UE, from it.
fn passes(bed: &mut Bed, tunnel: &Tunnel, other: &Tunnel) -> [bool; 6] {
    let own = tunnel.address;
    let mut out = [false; 6];
    for (place, peer) in [(0, INTRANET), (2, CLINIC)] {
        let before = bed.sgi.len();
        bed.uplink(tunnel, &udp(own, peer, 9));
        out[place] = bed.sgi.len() > before;
        // What the gateway says to a refusal does not count.
        bed.s5u.clear();
        bed.downlink(RED, &udp(peer, own, 9));
        out[place + 1] = !bed.received(tunnel).is_empty();
    }
    bed.uplink(tunnel, &udp(own, other.address, 9));
    out[4] = !bed.received(other).is_empty();
    bed.s5u.clear();
    bed.uplink(other, &udp(other.address, own, 9));
    out[5] = !bed.received(tunnel).is_empty();
    bed.s5u.clear();
    out
}

const ALL: [bool; 6] = [true; 6];
const ISOLATED: [bool; 6] = [false, false, true, true, false, false];

#[test]
fn an_isolated_sim_keeps_its_session_and_reaches_the_quarantine_only() {
    let mut bed = Bed::new(quarantined());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    assert_ne!(tunnel.worker(), other.worker());
    assert_eq!(passes(&mut bed, &tunnel, &other), ALL);
    let (status, body) = isolate(&mut bed, 1, 5);
    assert_eq!((status, &body["isolated"]), (200, &json!(true)));
    assert_eq!(
        (&body["sessions"], &body["durable"]),
        (&json!(1), &json!(true))
    );
    assert!(bed.delete_bearers().is_empty());
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    assert_eq!(bed.refusals()["isolated"], 4);
    // A new session, here or after a restart, does not escape.
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    let mut bed = bed.crash();
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    bed.delete(&tunnel);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    let listed = bed.get("/v1/isolations");
    assert_eq!(listed["isolations"][0]["version"], 5);
    let sessions = bed.get(&alloc::format!("/v1/sessions?imsi={}", imsi(1)));
    assert_eq!(sessions["sessions"][0]["isolated"], true);
    // A release is above it; the same version is not.
    assert_eq!(release(&mut bed, 1, 5).0, 409);
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    let (status, body) = release(&mut bed, 1, 6);
    assert_eq!((status, &body["was_isolated"]), (200, &json!(true)));
    assert_eq!(passes(&mut bed, &tunnel, &other), ALL);
    assert_eq!(isolate(&mut bed, 1, 5).0, 409);
    let mut bed = bed.crash();
    assert_eq!(passes(&mut bed, &tunnel, &other), ALL);
}

#[test]
fn without_quarantine_prefixes_an_isolated_sim_reaches_nothing() {
    let mut bed = Bed::new(config());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    let body = json!({"imsi": imsi(1), "actor": "night shift"});
    // The night shift may isolate, and needs no version.
    let call = bed.call("cut", Method::Post, "/v1/isolations", &body);
    assert_eq!(bed.reply(call).unwrap().0, 200);
    assert_eq!(passes(&mut bed, &tunnel, &other), [false; 6]);
    assert_eq!(bed.get("/v1/status")["local_orders"], 1);
}

#[test]
fn with_the_protection_off_isolation_is_an_order_that_nobody_follows() {
    let mut config = quarantined();
    config.protections.isolation = false;
    let mut bed = Bed::new(config);
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    assert_eq!(isolate(&mut bed, 1, 5).0, 200);
    assert_eq!(passes(&mut bed, &tunnel, &other), ALL);
}

#[test]
fn isolation_is_answered_by_the_disk_and_release_begins_there() {
    let mut bed = Bed::new(quarantined());
    let tunnel = bed.create(imsi(1), "red.corp").unwrap();
    let other = bed.create(imsi(2), "red.corp").unwrap();
    bed.sync = false;
    let body = json!({"imsi": imsi(1), "version": 5});
    let call = bed.call("operate", Method::Post, "/v1/isolations", &body);
    assert!(bed.reply(call).is_none());
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    bed.sync_now();
    assert_eq!(bed.reply(call).unwrap().0, 200);
    let target = alloc::format!("/v1/isolations/{}/release", imsi(1));
    let call = bed.call("operate", Method::Post, &target, &json!({"version": 6}));
    assert!(bed.reply(call).is_none());
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    bed.input(Input::Storage(StorageInput::Failed));
    let (status, body) = bed.reply(call).unwrap();
    assert_eq!((status, &body["isolated"]), (500, &json!(true)));
    assert_eq!(passes(&mut bed, &tunnel, &other), ISOLATED);
    assert!(bed.events.contains(&Event::DiskFailed));
}

#[test]
fn a_quarantine_prefix_is_one_of_the_tenants_own() {
    let mut config = config();
    config.tenants[0].quarantine_prefixes = alloc::vec!["10.99.1.0/24".parse().unwrap()];
    let errors = Control::new(config, heiiki_types::Rng::from_seed(1)).unwrap_err();
    assert_eq!(errors[0].path, "tenants[0].quarantine_prefixes[0]");
}

fn entry(slot: u32, address: [u8; 4]) -> SessionEntry {
    SessionEntry {
        slot: Slot(slot),
        session: SessionId(100 + slot),
        imsi: imsi(slot),
        tenant: RED,
        access: AccessId(0),
        addresses: Ipv4Addr::from(address).into(),
        framed: Vec::new(),
        group: GroupId::default(),
        ambr: None,
        teid: Teid::new(1 << 20 | slot).unwrap(),
        peer: (SGW, 2152).into(),
        peer_teid: Teid::new(0x9000 + slot).unwrap(),
        is_suspended: false,
        is_isolated: false,
    }
}

/// A packet that worker 0 has judged and worker 1 has not, when the sender is cut or isolated.
fn handed_over(before: impl Fn(&mut [Worker; 2])) -> DownlinkVerdict {
    let control = Control::new(quarantined(), heiiki_types::Rng::from_seed(9)).unwrap();
    let mut workers =
        [0, 1].map(|i| Worker::new(control.network(), i, "192.0.2.11:2152".parse().unwrap()));
    let [from, to] = [entry(0, [10, 20, 0, 2]), entry(1, [10, 20, 0, 3])];
    for worker in &mut workers {
        for entry in [&from, &to] {
            worker.handle_update(&Update::Install(Arc::new(entry.clone())));
        }
        worker.handle_update(&Update::Serve);
    }
    let mut packet = udp(from.addresses.v4().unwrap(), to.addresses.v4().unwrap(), 9);
    let mut octets =
        u::encode_gpdu_header(from.teid, u16::try_from(packet.len()).unwrap()).to_vec();
    octets.extend(&packet);
    let mut batch = [Uplink {
        remote: (SGW, 2152).into(),
        octets: &mut octets,
        verdict: UplinkVerdict::Unseen,
    }];
    let now = Instant::from_micros(1_000_000);
    workers[0].uplink(now, &mut batch, &mut Vec::new());
    let UplinkVerdict::Ue { worker, sender, .. } = batch[0].verdict else {
        panic!("{:?}", batch[0].verdict);
    };
    assert_eq!((worker, sender), (1, from.session));
    before(&mut workers);
    let mut batch = [Downlink {
        tenant: RED,
        origin: Origin::Ue { sender },
        packet: &mut packet,
        verdict: DownlinkVerdict::Unseen,
    }];
    workers[1].downlink(now, &mut batch);
    let [item] = batch;
    item.verdict
}

#[test]
fn a_packet_between_workers_does_not_outlive_its_sender() {
    let verdict = handed_over(|_| {});
    assert!(matches!(verdict, DownlinkVerdict::Tunnel { .. }));
    let gone: Arc<[Gone]> = Arc::new([Gone {
        slot: Slot(0),
        session: SessionId(100),
        tenant: RED,
        addresses: Ipv4Addr::new(10, 20, 0, 2).into(),
        is_silent: true,
    }]);
    // The worker of the receiver has acknowledged the stop before the packet reaches it.
    let verdict = handed_over(|workers| {
        for worker in workers {
            worker.handle_update(&Update::StopForwarding(Arc::clone(&gone)));
        }
    });
    assert_eq!(verdict, DownlinkVerdict::Consumed);
    let verdict = handed_over(|workers| {
        for worker in workers {
            worker.handle_update(&Update::Isolate {
                sessions: Arc::new([(Slot(0), SessionId(100))]),
                isolates: true,
            });
        }
    });
    assert_eq!(verdict, DownlinkVerdict::Consumed);
}
