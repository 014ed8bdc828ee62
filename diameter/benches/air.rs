//! What the codec and the endpoint cost around one authentication request:
//! `cargo bench -p heiiki-diameter --bench air`.
#![allow(missing_docs, reason = "criterion makes the functions")]

use core::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use heiiki_diameter::base::{Capabilities, VendorApplication};
use heiiki_diameter::s6a::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, EutranVector,
    RequestedAuthenticationInfo, Xres,
};
use heiiki_diameter::{
    AcceptRule, AnswerResult, ApplicationId, Endpoint, EndpointConfig, EndpointOutput, Message,
};
use heiiki_types::{ConnId, Instant, Key256, Rng, StreamInput};

const HOST: &str = "mme.epc.mnc001.mcc001.3gppnetwork.org";
const HSS: &str = "hss.epc.mnc001.mcc001.3gppnetwork.org";
const REALM: &str = "epc.mnc001.mcc001.3gppnetwork.org";

fn request() -> Option<Message> {
    let request = AuthenticationInformationRequest {
        session_id: format!("{HOST};bench;0000000001"),
        origin_host: HOST.to_owned(),
        origin_realm: REALM.to_owned(),
        destination_host: None,
        destination_realm: REALM.to_owned(),
        imsi: "001010000000001".parse().ok()?,
        visited_plmn: "00101".parse().ok()?,
        requested_eutran: Some(RequestedAuthenticationInfo {
            vectors: 1,
            immediate_response_preferred: true,
            resync: None,
        }),
        requested_utran: None,
        supported_features: Vec::new(),
        route_record: Vec::new(),
    };
    Some(request.to_message())
}

fn answer(request: &AuthenticationInformationRequest) -> Option<Message> {
    let vector = EutranVector {
        item: None,
        rand: [1; 16],
        xres: Xres::new(&[2; 8]).ok()?,
        autn: [3; 16],
        kasme: Key256::new([4; 32]),
    };
    let answer = AuthenticationInformationAnswer {
        session_id: request.session_id.clone(),
        result: AnswerResult::SUCCESS,
        origin_host: HSS.to_owned(),
        origin_realm: REALM.to_owned(),
        error_diagnostic: None,
        vectors: vec![vector],
        supported_features: Vec::new(),
        failed_avp: Vec::new(),
    };
    Some(answer.to_message())
}

/// An endpoint with one open connection.
fn endpoint(conn: ConnId) -> Option<Endpoint> {
    let mut config = EndpointConfig::new(HSS, REALM);
    config.applications.push(ApplicationId::S6A);
    config.accept = vec![AcceptRule {
        origin_host: HOST.to_owned(),
        realm: None,
        addresses: vec!["127.0.0.0/8".parse().ok()?],
        tls: false,
        certificates: Vec::new(),
    }];
    let mut endpoint = Endpoint::new(config, Rng::from_seed(1));
    let caps = Capabilities {
        origin_host: HOST.to_owned(),
        origin_realm: REALM.to_owned(),
        host_ips: vec!["127.0.0.1".parse().ok()?],
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
    let peer = "127.0.0.1:4000".parse().ok()?;
    let now = Instant::from_micros(1);
    endpoint.handle_stream(now, StreamInput::Accepted { conn, peer });
    let octets = caps.to_request().encode();
    endpoint.handle_stream(now, StreamInput::Data { conn, octets });
    while endpoint.poll_output().is_some() {}
    endpoint.is_open(conn).then_some(endpoint)
}

fn air(c: &mut Criterion) {
    let conn = ConnId::accepted(0);
    let (Some(request), Some(mut endpoint)) = (request(), endpoint(conn)) else {
        return;
    };
    let octets = request.encode();
    c.bench_function("decode_air", |b| {
        b.iter(|| black_box(Message::decode(black_box(&octets)).is_ok()));
    });
    let Ok(typed) = AuthenticationInformationRequest::from_message(&request) else {
        return;
    };
    c.bench_function("read_air", |b| {
        b.iter(|| AuthenticationInformationRequest::from_message(black_box(&request)).is_ok());
    });
    c.bench_function("build_and_encode_aia", |b| {
        b.iter(|| answer(black_box(&typed)).map(|m| m.encode().len()));
    });
    let mut serial = 0_u32;
    c.bench_function("endpoint_air_and_aia", |b| {
        b.iter(|| {
            serial = serial.wrapping_add(1);
            let mut octets = octets.clone();
            for place in [12, 16] {
                if let Some(id) = octets.get_mut(place..place + 4) {
                    id.copy_from_slice(&serial.to_be_bytes());
                }
            }
            let now = Instant::from_micros(u64::from(serial));
            endpoint.handle_stream(now, StreamInput::Data { conn, octets });
            while let Some(output) = endpoint.poll_output() {
                if let EndpointOutput::Request {
                    handle, message, ..
                } = output
                    && let Ok(request) = AuthenticationInformationRequest::from_message(&message)
                    && let Some(answer) = answer(&request)
                {
                    endpoint.send_answer(now, handle, answer);
                }
            }
        });
    });
}

criterion_group!(benches, air);
criterion_main!(benches);
