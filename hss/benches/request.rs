//! What the machine does for one authentication request, from octets to octets, and what it does to
//! take a SIM in: `cargo bench -p heiiki-hss --bench request`.
#![allow(missing_docs, reason = "criterion makes the functions")]

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use heiiki_diameter::base::{Capabilities, VendorApplication};
use heiiki_diameter::s6a::{AuthenticationInformationRequest, RequestedAuthenticationInfo};
use heiiki_diameter::{ApplicationId, Message};
use heiiki_hss::{
    Hss, HssConfig, Input, Output, PdnKind, PeerRule, ProfileOptions, State, SubscribedApn,
    SubscriberImport, Tokens,
};
use heiiki_types::{
    Ambr, Arp, ConnId, Instant, Key128, Machine, Now, Qci, Rng, StorageInput, StorageOutput,
    StreamInput, StreamOutput, Token, WallTime,
};

const HOST: &str = "mme.epc.mnc001.mcc001.3gppnetwork.org";
const HSS: &str = "hss.epc.mnc001.mcc001.3gppnetwork.org";
const REALM: &str = "epc.mnc001.mcc001.3gppnetwork.org";
const SIMS: u64 = 100_000;
/// Requests that come with one read.
const TURN: u32 = 64;

type Made<T> = Result<T, Box<dyn core::error::Error>>;

fn sim(n: u64) -> Made<SubscriberImport> {
    let ambr = Ambr {
        uplink_bps: 50_000_000,
        downlink_bps: 100_000_000,
    };
    let key = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Ok(SubscriberImport {
        imsi: format!("00101{n:010}").parse()?,
        k: Key128::new(key.to_be_bytes()),
        opc: Key128::new((!key).to_be_bytes()),
        amf: [0x80, 0],
        sqn: None,
        msisdn: None,
        tenant: "bench".into(),
        group: String::new(),
        apns: vec![SubscribedApn {
            apn: "bench.corp".parse()?,
            pdn: PdnKind::V4,
            static_ip: None,
            static_ipv6: None,
            ambr,
            qci: Qci(9),
            arp: Arp {
                priority_level: 8,
                may_preempt: false,
                may_be_preempted: true,
            },
            charging_characteristics: None,
        }],
        ue_ambr: ambr,
        options: ProfileOptions::default(),
        state: State::Active,
    })
}

fn capabilities() -> Made<Vec<u8>> {
    let caps = Capabilities {
        origin_host: HOST.to_owned(),
        origin_realm: REALM.to_owned(),
        host_ips: vec!["127.0.0.1".parse()?],
        vendor_id: 0,
        product_name: "bench".to_owned(),
        origin_state_id: None,
        supported_vendors: vec![10_415],
        auth_applications: Vec::new(),
        acct_applications: Vec::new(),
        vendor_applications: vec![VendorApplication {
            vendor: Some(10_415),
            auth: Some(ApplicationId::S6A),
            acct: None,
        }],
        inband_security: Vec::new(),
        firmware_revision: None,
    };
    Ok(caps.to_request().encode())
}

/// The request of one SIM, with identifiers of its own.
fn request(n: u64, id: u32) -> Made<Message> {
    let mut message = AuthenticationInformationRequest {
        session_id: format!("{HOST};bench;{id:010}"),
        origin_host: HOST.to_owned(),
        origin_realm: REALM.to_owned(),
        destination_host: None,
        destination_realm: REALM.to_owned(),
        imsi: format!("00101{n:010}").parse()?,
        visited_plmn: "00101".parse()?,
        requested_eutran: Some(RequestedAuthenticationInfo {
            vectors: 1,
            immediate_response_preferred: true,
            resync: None,
        }),
        requested_utran: None,
        supported_features: Vec::new(),
        route_record: Vec::new(),
    }
    .to_message();
    (message.hop_by_hop, message.end_to_end) = (id, id);
    Ok(message)
}

fn now(micros: u64) -> Now {
    Now {
        at: Instant::from_micros(micros),
        wall: WallTime::from_unix_micros(1_800_000_000_000_000 + micros),
    }
}

/// Nobody calls.
fn tokens() -> Tokens {
    Tokens {
        admin: Token::new("bench".to_owned()),
        cut_only: None,
        operate: None,
        provision: None,
        reader: None,
    }
}

/// Answers for the disk, counts what goes to the peer.
fn drain(hss: &mut Hss, at: Now) -> usize {
    let mut sent = 0;
    while let Some(output) = hss.poll_output() {
        let input = match output {
            Output::Storage(StorageOutput::Load) => StorageInput::Loaded(Vec::new()),
            Output::Storage(StorageOutput::Persist { seq, .. }) => StorageInput::Persisted { seq },
            Output::Stream(StreamOutput::Send { octets, .. }) => {
                sent += black_box(octets).len();
                continue;
            }
            _ => continue,
        };
        hss.handle_input(at, Input::Storage(input));
    }
    sent
}

fn machine(sims: Vec<SubscriberImport>, conn: ConnId) -> Made<Hss> {
    let mut config = HssConfig::new(HSS.into(), REALM.into());
    config.peers = vec![PeerRule {
        origin_host: HOST.into(),
        addresses: vec!["127.0.0.0/8".parse()?],
        visited_plmns: vec!["00101".parse()?],
        ..PeerRule::default()
    }];
    let mut hss = Hss::new(config, Rng::from_seed(1), tokens());
    let at = now(1);
    if hss.import(at, sims).is_err() {
        return Err("the import is refused".into());
    }
    hss.start(at);
    drain(&mut hss, at);
    let peer = "127.0.0.1:4000".parse()?;
    hss.handle_input(at, Input::Stream(StreamInput::Accepted { conn, peer }));
    let octets = capabilities()?;
    hss.handle_input(at, Input::Stream(StreamInput::Data { conn, octets }));
    drain(&mut hss, at);
    Ok(hss)
}

fn requests(c: &mut Criterion) -> Made<()> {
    let conn = ConnId::accepted(0);
    let sims = (0..SIMS).map(sim).collect::<Made<Vec<_>>>()?;
    let mut hss = machine(sims, conn)?;
    let mut id = 0_u32;
    let mut rng = Rng::from_seed(7);
    // Identifiers are put in later, so that making requests is not measured.
    let lots: Vec<Vec<u8>> = (0..1_024)
        .map(|_| {
            let mut lot = Vec::new();
            for _ in 0..TURN {
                lot.extend(request(rng.next_u64() % SIMS, 0)?.encode());
            }
            Ok(lot)
        })
        .collect::<Made<_>>()?;
    let length = lots.first().map_or(0, Vec::len) / usize::try_from(TURN)?;
    let mut next = lots.iter().cycle();
    let mut group = c.benchmark_group("authentication_request");
    group.throughput(Throughput::Elements(u64::from(TURN)));
    group.bench_function("turn_of_64", |b| {
        b.iter(|| {
            let mut octets = next.next().cloned().unwrap_or_default();
            for message in octets.chunks_exact_mut(length) {
                id = id.wrapping_add(1);
                for place in [12, 16] {
                    if let Some(field) = message.get_mut(place..place + 4) {
                        field.copy_from_slice(&id.to_be_bytes());
                    }
                }
            }
            let at = now(10 * u64::from(id));
            hss.handle_input(at, Input::Stream(StreamInput::Data { conn, octets }));
            let sent = drain(&mut hss, at);
            assert!(
                sent > 300 * length / length * 64,
                "every request is answered"
            );
        });
    });
    group.finish();
    Ok(())
}

fn all(c: &mut Criterion) {
    if let Err(error) = requests(c) {
        eprintln!("{error}");
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
