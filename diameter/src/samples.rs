//! Messages that the tests of this crate share.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Ambr, Arp, Key256, Qci, from_hex};

use crate::base::{
    Capabilities, CapabilitiesAnswer, DeviceWatchdogAnswer, DeviceWatchdogRequest, DisconnectCause,
    DisconnectPeerAnswer, DisconnectPeerRequest, VendorApplication,
};
use crate::s6a::*;
use crate::s13::{EquipmentStatus, IdentityCheckAnswer, IdentityCheckRequest};
use crate::{AnswerError, AnswerResult, ApplicationId, Message, ResultCode, error_answer};

pub(crate) const MME: &str = "mme.epc.mnc001.mcc001.3gppnetwork.org";
pub(crate) const HSS: &str = "hss.epc.mnc001.mcc001.3gppnetwork.org";
pub(crate) const REALM: &str = "epc.mnc001.mcc001.3gppnetwork.org";
pub(crate) const SESSION: &str = "mme.epc.mnc001.mcc001.3gppnetwork.org;7;9";

/// The messages of a file of vectors, with their names.
fn vectors(json: &str) -> Vec<(String, Vec<u8>)> {
    let file: serde_json::Value = serde_json::from_str(json).unwrap();
    let samples = file["samples"].as_array().unwrap();
    let text = |v: &serde_json::Value| String::from(v.as_str().unwrap());
    samples
        .iter()
        .map(|s| (text(&s["name"]), from_hex(&text(&s["hex"])).unwrap()))
        .collect()
}

/// Built by hand for this project, checked with tshark and python-diameter.
pub(crate) fn crafted() -> Vec<(String, Vec<u8>)> {
    vectors(include_str!("../../fixtures/vectors/diameter_crafted.json"))
}

/// Built with python-diameter, checked with tshark.
pub(crate) fn python() -> Vec<(String, Vec<u8>)> {
    vectors(include_str!("../../fixtures/vectors/diameter_python.json"))
}

pub(crate) fn named(samples: Vec<(String, Vec<u8>)>, name: &str) -> Message {
    let (_, octets) = samples.into_iter().find(|(n, _)| n == name).unwrap();
    Message::decode(&octets).unwrap()
}

/// Everything that decodes: both files and what this crate writes.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = crafted().into_iter().map(|s| s.1).collect();
    all.extend(python().into_iter().map(|s| s.1));
    all.extend(own().into_iter().map(|s| s.1.encode()));
    all
}

pub(crate) fn air() -> AuthenticationInformationRequest {
    AuthenticationInformationRequest {
        session_id: SESSION.into(),
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        destination_host: Some(HSS.into()),
        destination_realm: REALM.into(),
        imsi: "001010000000001".parse().unwrap(),
        visited_plmn: "00101".parse().unwrap(),
        requested_eutran: Some(RequestedAuthenticationInfo {
            vectors: 2,
            immediate_response_preferred: true,
            resync: Some(core::array::from_fn(|i| u8::try_from(i).unwrap())),
        }),
        requested_utran: None,
        supported_features: vec![SupportedFeatures {
            vendor: 10415,
            list_id: 1,
            features: 1,
        }],
        route_record: vec![],
    }
}

pub(crate) fn aia() -> AuthenticationInformationAnswer {
    fn octets<const N: usize>(from: u8) -> [u8; N] {
        core::array::from_fn(|i| from + u8::try_from(i).unwrap())
    }
    AuthenticationInformationAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        error_diagnostic: None,
        vectors: vec![
            EutranVector {
                item: Some(1),
                rand: octets(0),
                xres: Xres::new(&octets::<8>(0x20)).unwrap(),
                autn: octets(0x30),
                kasme: Key256::new(octets(0x40)),
            },
            EutranVector {
                item: Some(2),
                rand: octets(0x80),
                xres: Xres::new(&octets::<16>(0xa0)).unwrap(),
                autn: octets(0xb0),
                kasme: Key256::new(octets(0xc0)),
            },
        ],
        supported_features: vec![],
        failed_avp: vec![],
    }
}

pub(crate) fn ulr() -> UpdateLocationRequest {
    UpdateLocationRequest {
        session_id: SESSION.into(),
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        destination_host: Some(HSS.into()),
        destination_realm: REALM.into(),
        imsi: "001010000000001".parse().unwrap(),
        rat_type: RAT_TYPE_EUTRAN,
        ulr_flags: ulr_flags::S6A | ulr_flags::INITIAL_ATTACH,
        visited_plmn: "00101".parse().unwrap(),
        terminal_information: Some("35609204079301".parse().unwrap()),
        software_version: Some("42".into()),
        ue_srvcc_capability: Some(0),
        active_apns: vec![],
        supported_features: vec![],
        route_record: vec!["dra.example".into()],
    }
}

pub(crate) fn subscription() -> SubscriptionData {
    let arp = |priority_level, may_preempt, may_be_preempted| Arp {
        priority_level,
        may_preempt,
        may_be_preempted,
    };
    let ambr = |uplink_bps, downlink_bps| Ambr {
        uplink_bps,
        downlink_bps,
    };
    SubscriptionData {
        subscriber_status: Some(0),
        msisdn: Some("81791000000".parse().unwrap()),
        network_access_mode: Some(2),
        odb: Some(0),
        hplmn_odb: None,
        zones: vec![],
        access_restriction: Some(0x2f),
        apn_oi_replacement: None,
        charging_characteristics: Some(0x0800),
        ue_ambr: Some(ambr(50_000_000, 10_000_000_000)),
        apn_profile: Some(ApnConfigurationProfile {
            default_context: 1,
            all_apn_included: true,
            apns: vec![
                ApnConfiguration {
                    context: 1,
                    apn: ServiceSelection::Apn("corp.example".parse().unwrap()),
                    pdn_type: PdnType::V4,
                    served_party_ips: vec!["10.20.0.7".parse().unwrap()],
                    qci: Qci(9),
                    arp: arp(8, false, true),
                    ambr: Some(ambr(1_000_000, 2_000_000)),
                    charging_characteristics: None,
                    pgw: None,
                    pgw_allocation: None,
                    vplmn_dynamic_address: None,
                },
                ApnConfiguration {
                    context: 2,
                    apn: ServiceSelection::Wildcard,
                    pdn_type: PdnType::V4V6,
                    served_party_ips: vec![
                        "10.20.0.8".parse().unwrap(),
                        "fd00:20::".parse().unwrap(),
                    ],
                    qci: Qci(5),
                    arp: arp(1, true, false),
                    ambr: None,
                    charging_characteristics: Some(0x0400),
                    pgw: None,
                    pgw_allocation: Some(0),
                    vplmn_dynamic_address: Some(0),
                },
            ],
        }),
        rfsp: None,
        subscribed_rau_tau_timer_s: Some(3600),
    }
}

pub(crate) fn ula() -> UpdateLocationAnswer {
    let mut subscription = subscription();
    let profile = subscription.apn_profile.as_mut().unwrap();
    profile.apns[0].pgw = Some(PgwIdentity {
        addresses: vec!["192.0.2.7".parse().unwrap()],
        host: Some("pgw.example".into()),
        realm: Some("example".into()),
    });
    UpdateLocationAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        error_diagnostic: None,
        ula_flags: Some(ula_flags::SEPARATION),
        subscription: Some(Box::new(subscription)),
        supported_features: vec![],
        failed_avp: vec![],
    }
}

pub(crate) fn clr() -> CancelLocationRequest {
    CancelLocationRequest {
        session_id: SESSION.into(),
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        destination_host: MME.into(),
        destination_realm: REALM.into(),
        imsi: "001010000000001".parse().unwrap(),
        cancellation_type: CancellationType::SUBSCRIPTION_WITHDRAWAL,
        clr_flags: Some(clr_flags::S6A),
        supported_features: vec![],
        route_record: vec![],
    }
}

pub(crate) fn pur() -> PurgeUeRequest {
    PurgeUeRequest {
        session_id: SESSION.into(),
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        destination_host: None,
        destination_realm: REALM.into(),
        imsi: "001010000000001".parse().unwrap(),
        pur_flags: Some(1),
        supported_features: vec![],
        route_record: vec![],
    }
}

/// Everything that an IDR can bring beside what an ULA of this file has.
pub(crate) fn idr() -> InsertSubscriberDataRequest {
    let mut subscription = subscription();
    subscription.hplmn_odb = Some(1);
    subscription.odb = Some(odb::ROAMER_HPLMN_AP);
    subscription.subscriber_status = Some(1);
    subscription.zones = vec![[0x12, 0x34], [0x56, 0x78]];
    subscription.apn_oi_replacement = Some("mnc001.mcc001.gprs".into());
    subscription.rfsp = Some(7);
    InsertSubscriberDataRequest {
        session_id: SESSION.into(),
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        destination_host: MME.into(),
        destination_realm: REALM.into(),
        imsi: "001010000000001".parse().unwrap(),
        subscription: Box::new(subscription),
        idr_flags: Some(idr_flags::EPS_USER_STATE | idr_flags::EPS_LOCATION | idr_flags::RAT_TYPE),
        supported_features: vec![SupportedFeatures::list_1(7)],
        route_record: vec![],
    }
}

pub(crate) fn ida() -> InsertSubscriberDataAnswer {
    InsertSubscriberDataAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        rat_type: Some(rat_type::EUTRAN),
        ida_flags: Some(1),
        user_state: Some(user_state::CONNECTED_REACHABLE),
        location: Some(EpsLocation {
            // PLMN 001/01, cell 0x2161e15; PLMN 001/01, area 7.
            cell: Some([0x00, 0xf1, 0x10, 0x02, 0x16, 0x1e, 0x15]),
            tracking_area: Some([0x00, 0xf1, 0x10, 0x00, 0x07]),
        }),
        supported_features: vec![SupportedFeatures::list_1(7)],
        failed_avp: vec![],
    }
}

pub(crate) fn dsr() -> DeleteSubscriberDataRequest {
    DeleteSubscriberDataRequest {
        session_id: SESSION.into(),
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        destination_host: MME.into(),
        destination_realm: REALM.into(),
        imsi: "001010000000001".parse().unwrap(),
        dsr_flags: dsr_flags::PDN_SUBSCRIPTION_CONTEXTS | dsr_flags::PERIODIC_RAU_TAU_TIMER,
        contexts: vec![2, 3],
        supported_features: vec![],
        route_record: vec![],
    }
}

pub(crate) fn dsa() -> DeleteSubscriberDataAnswer {
    DeleteSubscriberDataAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        dsa_flags: Some(0),
        supported_features: vec![],
        failed_avp: vec![],
    }
}

pub(crate) fn nor() -> NotifyRequest {
    NotifyRequest {
        session_id: SESSION.into(),
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        destination_host: Some(HSS.into()),
        destination_realm: REALM.into(),
        imsi: "001010000000001".parse().unwrap(),
        terminal: Terminal {
            imei: Some("35609204079301".parse().unwrap()),
            software_version: Some("42".into()),
        },
        pgw: Some(PgwIdentity {
            addresses: vec!["192.0.2.7".parse().unwrap(), "fd00::7".parse().unwrap()],
            host: Some("pgw.example".into()),
            realm: Some("example".into()),
        }),
        context: Some(2),
        apn: Some(ServiceSelection::Apn("corp.example".parse().unwrap())),
        alert_reason: Some(alert_reason::UE_PRESENT),
        ue_srvcc_capability: Some(0),
        nor_flags: Some(nor_flags::S6A | nor_flags::UE_REACHABLE_FROM_MME),
        supported_features: vec![],
        route_record: vec!["dra.example".into()],
    }
}

pub(crate) fn noa() -> NotifyAnswer {
    NotifyAnswer {
        session_id: SESSION.into(),
        result: UNKNOWN_SERVING_NODE,
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        supported_features: vec![],
        failed_avp: vec![],
    }
}

pub(crate) fn rsr() -> ResetRequest {
    ResetRequest {
        session_id: SESSION.into(),
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        destination_host: MME.into(),
        destination_realm: REALM.into(),
        user_ids: vec!["00101".parse().unwrap(), "44020123".parse().unwrap()],
        supported_features: vec![],
        route_record: vec![],
    }
}

pub(crate) fn rsa() -> ResetAnswer {
    ResetAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        supported_features: vec![],
        failed_avp: vec![],
    }
}

pub(crate) fn ecr() -> IdentityCheckRequest {
    IdentityCheckRequest {
        session_id: SESSION.into(),
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        destination_host: Some(HSS.into()),
        destination_realm: REALM.into(),
        terminal: Terminal {
            imei: Some("35609204079301".parse().unwrap()),
            software_version: Some("42".into()),
        },
        imsi: Some("001010000000001".parse().unwrap()),
        route_record: vec![],
    }
}

pub(crate) fn eca() -> IdentityCheckAnswer {
    IdentityCheckAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        status: Some(EquipmentStatus::BLACK),
        failed_avp: vec![],
    }
}

pub(crate) fn capabilities(host: &str) -> Capabilities {
    Capabilities {
        origin_host: host.into(),
        origin_realm: REALM.into(),
        host_ips: vec!["127.0.0.8".parse().unwrap()],
        vendor_id: 0,
        product_name: "heiiki".into(),
        origin_state_id: Some(3),
        supported_vendors: vec![10415],
        auth_applications: vec![],
        acct_applications: vec![],
        vendor_applications: vec![VendorApplication {
            vendor: Some(10415),
            auth: Some(ApplicationId::S6A),
            acct: None,
        }],
        inband_security: vec![0],
        firmware_revision: Some(1),
    }
}

/// One of each command that this crate writes.
pub(crate) fn own() -> Vec<(&'static str, Message)> {
    let mut all = own_base();
    all.extend(own_s6a());
    all.extend(own_after_attach());
    let missing = AnswerError::missing(&crate::dictionary::VISITED_PLMN_ID);
    let unknown = AnswerError::from(ResultCode::COMMAND_UNSUPPORTED);
    let air = air().to_message();
    let refused = |e| error_answer(&air, HSS, REALM, e);
    all.push(("missing AVP", refused(&missing)));
    all.push(("unknown command", refused(&unknown)));
    all
}

fn own_base() -> Vec<(&'static str, Message)> {
    let (origin_host, origin_realm) = (|| HSS.into(), || REALM.into());
    let cea = CapabilitiesAnswer {
        result: AnswerResult::SUCCESS,
        capabilities: capabilities(HSS),
    };
    let dwr = DeviceWatchdogRequest {
        origin_host: origin_host(),
        origin_realm: origin_realm(),
        origin_state_id: Some(3),
    };
    let dwa = DeviceWatchdogAnswer {
        result: AnswerResult::SUCCESS,
        origin_host: origin_host(),
        origin_realm: origin_realm(),
        origin_state_id: Some(3),
    };
    let dpr = DisconnectPeerRequest {
        origin_host: origin_host(),
        origin_realm: origin_realm(),
        cause: DisconnectCause::REBOOTING,
    };
    let dpa = DisconnectPeerAnswer {
        result: AnswerResult::SUCCESS,
        origin_host: origin_host(),
        origin_realm: origin_realm(),
    };
    vec![
        ("CER", capabilities(MME).to_request()),
        ("CEA", cea.to_message()),
        ("DWR", dwr.to_message()),
        ("DWA", dwa.to_message()),
        ("DPR", dpr.to_message()),
        ("DPA", dpa.to_message()),
    ]
}

fn own_s6a() -> Vec<(&'static str, Message)> {
    let user_unknown = AuthenticationInformationAnswer {
        result: USER_UNKNOWN,
        vectors: vec![],
        ..aia()
    };
    let barred = UpdateLocationAnswer {
        result: ROAMING_NOT_ALLOWED,
        error_diagnostic: Some(error_diagnostic::ODB_ALL_APN),
        ula_flags: None,
        subscription: None,
        ..ula()
    };
    let cla = CancelLocationAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: MME.into(),
        origin_realm: REALM.into(),
        failed_avp: vec![],
    };
    let pua = PurgeUeAnswer {
        session_id: SESSION.into(),
        result: AnswerResult::SUCCESS,
        origin_host: HSS.into(),
        origin_realm: REALM.into(),
        pua_flags: Some(pua_flags::FREEZE_M_TMSI),
        supported_features: vec![],
        failed_avp: vec![],
    };
    vec![
        ("AIR", air().to_message()),
        ("AIA", aia().to_message()),
        ("AIA user unknown", user_unknown.to_message()),
        ("ULR", ulr().to_message()),
        ("ULA", ula().to_message()),
        ("ULA barred", barred.to_message()),
        ("CLR", clr().to_message()),
        ("CLA", cla.to_message()),
        ("PUR", pur().to_message()),
        ("PUA", pua.to_message()),
    ]
}

fn own_after_attach() -> Vec<(&'static str, Message)> {
    let ulr = UpdateLocationRequest {
        active_apns: vec![ActiveApn {
            context: 2,
            apn: Some(ServiceSelection::Apn("corp.example".parse().unwrap())),
            pgw: nor().pgw,
        }],
        ..ulr()
    };
    let unknown = IdentityCheckAnswer {
        result: EQUIPMENT_UNKNOWN,
        status: None,
        ..eca()
    };
    vec![
        ("IDR", idr().to_message()),
        ("IDA", ida().to_message()),
        ("DSR", dsr().to_message()),
        ("DSA", dsa().to_message()),
        ("NOR", nor().to_message()),
        ("NOA unknown serving node", noa().to_message()),
        ("RSR", rsr().to_message()),
        ("RSA", rsa().to_message()),
        ("ECR", ecr().to_message()),
        ("ECA", eca().to_message()),
        ("ECA equipment unknown", unknown.to_message()),
        ("ULR after a reset", ulr.to_message()),
    ]
}
