//! The messages of the flood: one of each that a peer may send, and what is broken in them.

use heiiki_diameter::base::{
    Capabilities, DeviceWatchdogRequest, DisconnectCause, DisconnectPeerRequest, VendorApplication,
};
use heiiki_diameter::s6a::{
    AuthenticationInformationRequest, CancelLocationAnswer, DeleteSubscriberDataAnswer,
    InsertSubscriberDataAnswer, NotifyRequest, PgwIdentity, PurgeUeRequest, RAT_TYPE_EUTRAN,
    RequestedAuthenticationInfo, ResetAnswer, ServiceSelection, SupportedFeatures, Terminal,
    UpdateLocationRequest, ulr_flags,
};
use heiiki_diameter::s13::IdentityCheckRequest;
use heiiki_diameter::{AnswerResult, ApplicationId, HEADER_LEN, Message, ResultCode};
use heiiki_types::{Imsi, Rng};

use super::super::mutate::{mutate, pick};
use super::{BAD, HSS, OTHER_SIM, REALM};

pub(super) fn capabilities(host: &str) -> Capabilities {
    let application = |auth| VendorApplication {
        vendor: Some(10_415),
        auth: Some(auth),
        acct: None,
    };
    Capabilities {
        origin_host: host.into(),
        origin_realm: REALM.into(),
        host_ips: vec![[10, 0, 0, 7].into()],
        vendor_id: 10_415,
        product_name: "flood".into(),
        origin_state_id: None,
        supported_vendors: vec![10_415],
        auth_applications: vec![],
        acct_applications: vec![],
        vendor_applications: vec![
            application(ApplicationId::S6A),
            application(ApplicationId::S13),
        ],
        inband_security: vec![0],
        firmware_revision: None,
    }
}

pub(super) fn air(
    host: &str,
    imsi: &str,
    resync: Option<[u8; 30]>,
) -> Option<AuthenticationInformationRequest> {
    Some(AuthenticationInformationRequest {
        session_id: format!("{host};1;1"),
        origin_host: host.into(),
        origin_realm: REALM.into(),
        destination_host: None,
        destination_realm: REALM.into(),
        imsi: imsi.parse().ok()?,
        visited_plmn: "00101".parse().ok()?,
        requested_eutran: Some(RequestedAuthenticationInfo {
            vectors: 1,
            immediate_response_preferred: true,
            resync,
        }),
        requested_utran: None,
        supported_features: vec![],
        route_record: vec![],
    })
}

fn ulr(imsi: Imsi) -> Option<UpdateLocationRequest> {
    Some(UpdateLocationRequest {
        session_id: format!("{BAD};1;2"),
        origin_host: BAD.into(),
        origin_realm: REALM.into(),
        destination_host: Some(HSS.into()),
        destination_realm: REALM.into(),
        imsi,
        rat_type: RAT_TYPE_EUTRAN,
        ulr_flags: ulr_flags::S6A | ulr_flags::INITIAL_ATTACH,
        visited_plmn: "00101".parse().ok()?,
        terminal_information: "35609204079301".parse().ok(),
        software_version: Some("42".into()),
        ue_srvcc_capability: Some(0),
        active_apns: vec![],
        supported_features: vec![SupportedFeatures::list_1(7)],
        route_record: vec![],
    })
}

fn notify(imsi: Imsi) -> NotifyRequest {
    NotifyRequest {
        session_id: format!("{BAD};1;3"),
        origin_host: BAD.into(),
        origin_realm: REALM.into(),
        destination_host: Some(HSS.into()),
        destination_realm: REALM.into(),
        imsi,
        terminal: Terminal::default(),
        pgw: Some(PgwIdentity {
            addresses: vec![[192, 0, 2, 7].into()],
            host: Some("pgw.example".into()),
            realm: Some(REALM.into()),
        }),
        context: Some(1),
        apn: Some(ServiceSelection::Wildcard),
        alert_reason: Some(0),
        ue_srvcc_capability: None,
        nor_flags: Some(0x108),
        supported_features: vec![],
        route_record: vec![],
    }
}

/// Answers to requests that the HSS may have sent, with tags that it may have used.
fn answers() -> Vec<Message> {
    let text = || (format!("{HSS};1;1"), BAD.to_owned(), REALM.to_owned());
    let (session_id, origin_host, origin_realm) = text();
    let cla = CancelLocationAnswer {
        session_id,
        result: AnswerResult::SUCCESS,
        origin_host,
        origin_realm,
        failed_avp: vec![],
    };
    let (session_id, origin_host, origin_realm) = text();
    let ida = InsertSubscriberDataAnswer {
        session_id,
        result: AnswerResult::SUCCESS,
        origin_host,
        origin_realm,
        rat_type: Some(RAT_TYPE_EUTRAN),
        ida_flags: None,
        user_state: Some(4),
        location: None,
        supported_features: vec![],
        failed_avp: vec![],
    };
    let (session_id, origin_host, origin_realm) = text();
    let dsa = DeleteSubscriberDataAnswer {
        session_id,
        result: ResultCode::UNABLE_TO_COMPLY.into(),
        origin_host,
        origin_realm,
        dsa_flags: Some(0),
        supported_features: vec![],
        failed_avp: vec![],
    };
    let (session_id, origin_host, origin_realm) = text();
    let rsa = ResetAnswer {
        session_id,
        result: AnswerResult::SUCCESS,
        origin_host,
        origin_realm,
        supported_features: vec![],
        failed_avp: vec![],
    };
    vec![
        cla.to_message(),
        ida.to_message(),
        dsa.to_message(),
        rsa.to_message(),
    ]
}

/// One of each message that a peer may send.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let resync = core::array::from_fn(|i| u8::try_from(i).unwrap_or_default());
    all.extend(air(BAD, OTHER_SIM, None).map(|m| m.to_message()));
    all.extend(air(BAD, OTHER_SIM, Some(resync)).map(|m| m.to_message()));
    if let Ok(imsi) = OTHER_SIM.parse::<Imsi>() {
        all.extend(ulr(imsi).map(|m| m.to_message()));
        all.push(notify(imsi).to_message());
        let purge = PurgeUeRequest {
            session_id: format!("{BAD};1;4"),
            origin_host: BAD.into(),
            origin_realm: REALM.into(),
            destination_host: None,
            destination_realm: REALM.into(),
            imsi,
            pur_flags: Some(1),
            supported_features: vec![],
            route_record: vec![],
        };
        all.push(purge.to_message());
        let check = IdentityCheckRequest {
            session_id: format!("{BAD};1;5"),
            origin_host: BAD.into(),
            origin_realm: REALM.into(),
            destination_host: None,
            destination_realm: REALM.into(),
            terminal: Terminal {
                imei: "35609204079301".parse().ok(),
                software_version: Some("42".into()),
            },
            imsi: Some(imsi),
            route_record: vec![],
        };
        all.push(check.to_message());
    }
    all.push(capabilities(BAD).to_request());
    let watchdog = DeviceWatchdogRequest {
        origin_host: BAD.into(),
        origin_realm: REALM.into(),
        origin_state_id: None,
    };
    all.push(watchdog.to_message());
    let leave = DisconnectPeerRequest {
        origin_host: BAD.into(),
        origin_realm: REALM.into(),
        cause: DisconnectCause::BUSY,
    };
    all.push(leave.to_message());
    all.extend(answers());
    all.iter().map(Message::encode).collect()
}

/// A message of the corpus, with one to three changes when it is to be broken. Most have a true
/// length and identifiers of their own, so that they get past the frame and past what was answered
/// before.
pub(super) fn message(corpus: &[Vec<u8>], rng: &mut Rng, id: u32, broken: bool) -> Vec<u8> {
    let at = pick(rng, corpus.len());
    let mut octets = corpus.get(at).cloned().unwrap_or_default();
    for (place, octet) in id.to_be_bytes().into_iter().enumerate() {
        for at in [12, 16] {
            if let Some(o) = octets.get_mut(at + place) {
                *o = octet;
            }
        }
    }
    let lies = broken && pick(rng, 500) == 0;
    if broken {
        let from = if lies { 0 } else { HEADER_LEN };
        mutate(&mut octets, rng, from, HEADER_LEN);
    }
    if !lies {
        let length = u32::try_from(octets.len()).unwrap_or_default();
        let [_, length @ ..] = length.to_be_bytes();
        if let Some(place) = octets.get_mut(1..4) {
            place.copy_from_slice(&length);
        }
    }
    octets
}
