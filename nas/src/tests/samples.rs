//! Messages from elsewhere, with what they say.
//!
//! The octets were encoded by pycrate 0.8.1 (`TS24301_EMM`, `TS24301_ESM`) from the values beside
//! them, and dissected by tshark 4.0.17 (`nas-eps_plain`) without a malformed or an expert item.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Ambr, Apn, Guti, Imsi, PlmnId, Qci, Tac, Tai, from_hex};

use crate::emm::{EmmCause, NetworkDetachType, UeDetachType};
use crate::esm::EsmCause;
use crate::{
    Direction, EpsMobileIdentity, EpsQos, GprsTimer, GprsTimer2, GprsTimer3, IdentityType, Imeisv,
    Ksi, MobileIdentity, PdnAddress, PdnType, Plain, RequestType, Res, TaiList,
    UeNetworkCapability, UeSecurityCapability, emm, esm,
};

/// One message.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) direction: Direction,
    pub(crate) octets: Vec<u8>,
    pub(crate) value: Plain,
    /// Whether every element of it is read, so that writing gives the same octets.
    pub(crate) whole: bool,
}

fn octets(hex: &str) -> Vec<u8> {
    from_hex(hex).unwrap()
}

fn apn(text: &str) -> Apn {
    text.parse().unwrap()
}

fn plmn(text: &str) -> PlmnId {
    text.parse().unwrap()
}

fn tai(plmn: &str, tac: u16) -> Tai {
    Tai {
        plmn: self::plmn(plmn),
        tac: Tac(tac),
    }
}

fn tais(list: &[(&str, u16)]) -> TaiList {
    TaiList::new(list.iter().map(|(p, t)| tai(p, *t)).collect()).unwrap()
}

fn imsi() -> Imsi {
    "001010000000001".parse().unwrap()
}

fn imeisv() -> Imeisv {
    let imeisv: Imeisv = "3569380356438077".parse().unwrap();
    assert_eq!(imeisv.imei().unwrap().to_string(), "35693803564380");
    imeisv
}

fn guti() -> Guti {
    Guti {
        plmn: plmn("00101"),
        mme_group_id: 0x8001,
        mme_code: 1,
        m_tmsi: 0xc0ff_ee01,
    }
}

fn pco_up() -> Vec<u8> {
    octets("8080211001000010810600000000830600000000000d00")
}

fn pdn_connectivity_request() -> esm::PdnConnectivityRequest {
    esm::PdnConnectivityRequest {
        request_type: RequestType::INITIAL,
        pdn_type: PdnType::V4,
        esm_info_transfer: true,
        apn: None,
        pco: Some(pco_up()),
    }
}

fn pdn_connectivity_reject() -> esm::PdnConnectivityReject {
    esm::PdnConnectivityReject {
        cause: EsmCause::MISSING_OR_UNKNOWN_APN,
        pco: None,
        t3396: Some(GprsTimer3::from_octet(0xaa)),
    }
}

fn activate_default() -> esm::ActivateDefaultEpsBearerContextRequest {
    esm::ActivateDefaultEpsBearerContextRequest {
        qos: EpsQos::non_gbr(Qci(9)),
        apn: apn("corp.example.mnc001.mcc001.gprs"),
        pdn_address: PdnAddress::V4(Ipv4Addr::new(10, 20, 0, 5)),
        apn_ambr: Some(Ambr {
            uplink_bps: 50_000_000,
            downlink_bps: 100_000_000,
        }),
        esm_cause: None,
        pco: Some(octets("80000d040a14000a0010020578")),
    }
}

fn sample(name: &'static str, direction: Direction, hex: &str, value: Plain) -> Sample {
    Sample {
        name,
        direction,
        octets: octets(hex),
        value,
        whole: true,
    }
}

/// A message with elements that are stepped over.
fn partly(sample: Sample) -> Sample {
    Sample {
        whole: false,
        ..sample
    }
}

/// Every message.
pub(crate) fn samples() -> Vec<Sample> {
    [esm_samples(), attach_samples(), other_emm_samples()]
        .into_iter()
        .flatten()
        .collect()
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn esm_samples() -> Vec<Sample> {
    vec![
        partly(sample(
            "ACTIVATE DEFAULT EPS BEARER CONTEXT REQUEST with elements of older accesses",
            Direction::Downlink,
            "5201c101090d04636f7270076578616d706c6505010a1400055d0105300c23621f9396404074f94040403203843401005e024001b0c091",
            Plain::Esm(esm::Message {
                ebi: 5,
                pti: 1,
                body: esm::Body::ActivateDefaultEpsBearerContextRequest(
                    esm::ActivateDefaultEpsBearerContextRequest {
                        apn: apn("corp.example"),
                        apn_ambr: Some(Ambr {
                            uplink_bps: 1_000,
                            downlink_bps: 64_000,
                        }),
                        pco: None,
                        ..activate_default()
                    },
                ),
            }),
        )),
        sample(
            "PDN CONNECTIVITY REQUEST",
            Direction::Uplink,
            "0201d011d127178080211001000010810600000000830600000000000d00",
            Plain::Esm(esm::Message {
                ebi: 0,
                pti: 1,
                body: esm::Body::PdnConnectivityRequest(pdn_connectivity_request()),
            }),
        ),
        sample(
            "PDN CONNECTIVITY REQUEST with APN",
            Direction::Uplink,
            "0202d032280d04636f7270076578616d706c65",
            Plain::Esm(esm::Message {
                ebi: 0,
                pti: 2,
                body: esm::Body::PdnConnectivityRequest(esm::PdnConnectivityRequest {
                    request_type: RequestType::HANDOVER,
                    pdn_type: PdnType::V4V6,
                    esm_info_transfer: false,
                    apn: Some(apn("corp.example")),
                    pco: None,
                }),
            }),
        ),
        sample(
            "PDN CONNECTIVITY REJECT",
            Direction::Downlink,
            "0201d11b3701aa",
            Plain::Esm(esm::Message {
                ebi: 0,
                pti: 1,
                body: esm::Body::PdnConnectivityReject(pdn_connectivity_reject()),
            }),
        ),
        sample(
            "PDN DISCONNECT REQUEST",
            Direction::Uplink,
            "0203d206",
            Plain::Esm(esm::Message {
                ebi: 0,
                pti: 3,
                body: esm::Body::PdnDisconnectRequest(esm::PdnDisconnectRequest {
                    linked_ebi: 6,
                    pco: None,
                }),
            }),
        ),
        sample(
            "PDN DISCONNECT REJECT",
            Direction::Downlink,
            "0203d331",
            Plain::Esm(esm::Message {
                ebi: 0,
                pti: 3,
                body: esm::Body::PdnDisconnectReject(esm::PdnDisconnectReject {
                    cause: EsmCause::LAST_PDN_DISCONNECTION_NOT_ALLOWED,
                    pco: None,
                }),
            }),
        ),
        sample(
            "ESM INFORMATION REQUEST",
            Direction::Downlink,
            "0201d9",
            Plain::Esm(esm::Message {
                ebi: 0,
                pti: 1,
                body: esm::Body::EsmInformationRequest,
            }),
        ),
        sample(
            "ESM INFORMATION RESPONSE",
            Direction::Uplink,
            "0201da280d04636f7270076578616d706c6527178080211001000010810600000000830600000000000d00",
            Plain::Esm(esm::Message {
                ebi: 0,
                pti: 1,
                body: esm::Body::EsmInformationResponse(esm::EsmInformationResponse {
                    apn: Some(apn("corp.example")),
                    pco: Some(pco_up()),
                }),
            }),
        ),
        sample(
            "ACTIVATE DEFAULT EPS BEARER CONTEXT REQUEST",
            Direction::Downlink,
            "5201c101092004636f7270076578616d706c65066d6e63303031066d6363303031046770727305010a1400055e04fefe9e6c270d80000d040a14000a0010020578",
            Plain::Esm(esm::Message {
                ebi: 5,
                pti: 1,
                body: esm::Body::ActivateDefaultEpsBearerContextRequest(activate_default()),
            }),
        ),
        sample(
            "ACTIVATE DEFAULT EPS BEARER CONTEXT REQUEST for both kinds of address",
            Direction::Downlink,
            "6202c101050403696d730d0301020304050607080a1400065e06fe40ef0003005832",
            Plain::Esm(esm::Message {
                ebi: 6,
                pti: 2,
                body: esm::Body::ActivateDefaultEpsBearerContextRequest(
                    esm::ActivateDefaultEpsBearerContextRequest {
                        qos: EpsQos::non_gbr(Qci(5)),
                        apn: apn("ims"),
                        pdn_address: PdnAddress::V4V6 {
                            interface_id: [1, 2, 3, 4, 5, 6, 7, 8],
                            v4: Ipv4Addr::new(10, 20, 0, 6),
                        },
                        apn_ambr: Some(Ambr {
                            uplink_bps: 64_000,
                            downlink_bps: 1_002_000_000,
                        }),
                        esm_cause: Some(EsmCause::PDN_TYPE_IPV4_ONLY),
                        pco: None,
                    },
                ),
            }),
        ),
        sample(
            "ACTIVATE DEFAULT EPS BEARER CONTEXT ACCEPT",
            Direction::Uplink,
            "5200c2",
            Plain::Esm(esm::Message {
                ebi: 5,
                pti: 0,
                body: esm::Body::ActivateDefaultEpsBearerContextAccept(
                    esm::ActivateDefaultEpsBearerContextAccept { pco: None },
                ),
            }),
        ),
        sample(
            "ACTIVATE DEFAULT EPS BEARER CONTEXT REJECT",
            Direction::Uplink,
            "5200c31f",
            Plain::Esm(esm::Message {
                ebi: 5,
                pti: 0,
                body: esm::Body::ActivateDefaultEpsBearerContextReject(
                    esm::ActivateDefaultEpsBearerContextReject {
                        cause: EsmCause::REJECTED_UNSPECIFIED,
                        pco: None,
                    },
                ),
            }),
        ),
        sample(
            "DEACTIVATE EPS BEARER CONTEXT REQUEST",
            Direction::Downlink,
            "5200cd24370105",
            Plain::Esm(esm::Message {
                ebi: 5,
                pti: 0,
                body: esm::Body::DeactivateEpsBearerContextRequest(
                    esm::DeactivateEpsBearerContextRequest {
                        cause: EsmCause::REGULAR_DEACTIVATION,
                        pco: None,
                        t3396: Some(GprsTimer3::from_octet(0x05)),
                    },
                ),
            }),
        ),
        sample(
            "DEACTIVATE EPS BEARER CONTEXT ACCEPT",
            Direction::Uplink,
            "5200ce",
            Plain::Esm(esm::Message {
                ebi: 5,
                pti: 0,
                body: esm::Body::DeactivateEpsBearerContextAccept(
                    esm::DeactivateEpsBearerContextAccept { pco: None },
                ),
            }),
        ),
        sample(
            "ESM STATUS",
            Direction::Uplink,
            "5201e861",
            Plain::Esm(esm::Message {
                ebi: 5,
                pti: 1,
                body: esm::Body::EsmStatus(esm::EsmStatus {
                    cause: EsmCause::MESSAGE_TYPE_UNKNOWN,
                }),
            }),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn attach_samples() -> Vec<Sample> {
    vec![
        sample(
            "ATTACH REQUEST by IMSI",
            Direction::Uplink,
            "074171080910100000000010026060001e0201d011d127178080211001000010810600000000830600000000000d00",
            Plain::Emm(emm::Message::AttachRequest(emm::AttachRequest::new(
                EpsMobileIdentity::Imsi(imsi()),
                UeNetworkCapability {
                    eea: 0x60,
                    eia: 0x60,
                    rest: Vec::new(),
                },
                octets("0201d011d127178080211001000010810600000000830600000000000d00"),
            ))),
        ),
        partly(sample(
            "ATTACH REQUEST by GUTI",
            Direction::Uplink,
            "0741220bf600f110800101c0ffee0107e0e0c0c0000400001e0201d011d127178080211001000010810600000000830600000000000d00500bf6130014ffffff000000015200f11000075c0a003103e5e0341300f110fffe90f15d0100e06a0121",
            Plain::Emm(emm::Message::AttachRequest(emm::AttachRequest {
                attach_type: emm::AttachRequest::COMBINED_ATTACH,
                ksi: Ksi::new(2).unwrap(),
                identity: EpsMobileIdentity::Guti(guti()),
                ue_network_capability: UeNetworkCapability {
                    eea: 0xe0,
                    eia: 0xe0,
                    rest: octets("c0c0000400"),
                },
                esm_container: octets(
                    "0201d011d127178080211001000010810600000000830600000000000d00",
                ),
                additional_guti: Some(Guti {
                    plmn: plmn("310410"),
                    mme_group_id: 0xffff,
                    mme_code: 0xff,
                    m_tmsi: 1,
                }),
                last_tai: Some(tai("00101", 7)),
                ms_network_capability: Some(octets("e5e034")),
                old_guti_is_mapped: Some(false),
            })),
        )),
        sample(
            "ATTACH ACCEPT",
            Direction::Downlink,
            "07420149080100f1100007000800415201c101092004636f7270076578616d706c65066d6e63303031066d6363303031046770727305010a1400055e04fefe9e6c270d80000d040a14000a0010020578500bf600f110800101c0ffee01",
            Plain::Emm(emm::Message::AttachAccept(emm::AttachAccept {
                guti: Some(guti()),
                ..emm::AttachAccept::new(
                    GprsTimer::from_octet(0x49),
                    tais(&[("00101", 7), ("00101", 8)]),
                    octets(
                        "5201c101092004636f7270076578616d706c65066d6e63303031066d6363303031046770727305010a1400055e04fefe9e6c270d80000d040a14000a0010020578",
                    ),
                )
            })),
        ),
        partly(sample(
            "ATTACH ACCEPT with more",
            Direction::Downlink,
            "074201e00c0000f110000700130014ffff00415201c101092004636f7270076578616d706c65066d6e63303031066d6363303031046770727305010a1400055e04fefe9e6c270d80000d040a14000a0010020578500bf600f110800101c0ffee011300f11000015312172c59494a0600f11013001464020100f05e0101",
            Plain::Emm(emm::Message::AttachAccept(emm::AttachAccept {
                result: emm::AttachAccept::EPS_ONLY,
                t3412: GprsTimer::DEACTIVATED,
                tai_list: tais(&[("00101", 7), ("310410", 0xffff)]),
                esm_container: octets(
                    "5201c101092004636f7270076578616d706c65066d6e63303031066d6363303031046770727305010a1400055e04fefe9e6c270d80000d040a14000a0010020578",
                ),
                guti: Some(guti()),
                emm_cause: Some(EmmCause::CS_DOMAIN_NOT_AVAILABLE),
                t3402: Some(GprsTimer::from_octet(0x2c)),
                t3423: Some(GprsTimer::from_octet(0x49)),
                equivalent_plmns: vec![plmn("00101"), plmn("310410")],
                eps_network_feature_support: Some(vec![1, 0]),
                t3412_extended: Some(GprsTimer3::from_octet(1)),
            })),
        )),
        sample(
            "ATTACH COMPLETE",
            Direction::Uplink,
            "074300035200c2",
            Plain::Emm(emm::Message::AttachComplete(emm::AttachComplete {
                esm_container: octets("5200c2"),
            })),
        ),
        sample(
            "ATTACH REJECT",
            Direction::Downlink,
            "074408",
            Plain::Emm(emm::Message::AttachReject(emm::AttachReject::new(
                EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED,
            ))),
        ),
        sample(
            "ATTACH REJECT for an ESM failure",
            Direction::Downlink,
            "0744137800070201d11b3701aa160122",
            Plain::Emm(emm::Message::AttachReject(emm::AttachReject {
                esm_container: Some(octets("0201d11b3701aa")),
                t3402: Some(GprsTimer2::from_octet(0x22)),
                ..emm::AttachReject::new(EmmCause::ESM_FAILURE)
            })),
        ),
        sample(
            "ATTACH REJECT with back-off",
            Direction::Downlink,
            "0744165f0125a1",
            Plain::Emm(emm::Message::AttachReject(emm::AttachReject {
                t3346: Some(GprsTimer2::from_octet(0x25)),
                extended_cause: Some(1),
                ..emm::AttachReject::new(EmmCause::CONGESTION)
            })),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn other_emm_samples() -> Vec<Sample> {
    vec![
        sample(
            "AUTHENTICATION REQUEST",
            Direction::Downlink,
            "075203000102030405060708090a0b0c0d0e0f10101112131415161718191a1b1c1d1e1f",
            Plain::Emm(emm::Message::AuthenticationRequest(
                emm::AuthenticationRequest {
                    ksi: Ksi::new(3).unwrap(),
                    rand: core::array::from_fn(|i| u8::try_from(i).unwrap()),
                    autn: core::array::from_fn(|i| 16 + u8::try_from(i).unwrap()),
                },
            )),
        ),
        sample(
            "AUTHENTICATION RESPONSE",
            Direction::Uplink,
            "075308a54211d5e3ba50bf",
            Plain::Emm(emm::Message::AuthenticationResponse(
                emm::AuthenticationResponse {
                    res: Res::new(&octets("a54211d5e3ba50bf")).unwrap(),
                },
            )),
        ),
        sample(
            "AUTHENTICATION FAILURE #20",
            Direction::Uplink,
            "075c14",
            Plain::Emm(emm::Message::AuthenticationFailure(
                emm::AuthenticationFailure {
                    cause: EmmCause::MAC_FAILURE,
                    auts: None,
                },
            )),
        ),
        sample(
            "AUTHENTICATION FAILURE #21",
            Direction::Uplink,
            "075c15300eba853f3c123ccf44e93596e355c6",
            Plain::Emm(emm::Message::AuthenticationFailure(
                emm::AuthenticationFailure {
                    cause: EmmCause::SYNCH_FAILURE,
                    auts: Some(octets("ba853f3c123ccf44e93596e355c6").try_into().unwrap()),
                },
            )),
        ),
        sample(
            "AUTHENTICATION REJECT",
            Direction::Downlink,
            "0754",
            Plain::Emm(emm::Message::AuthenticationReject),
        ),
        sample(
            "IDENTITY REQUEST",
            Direction::Downlink,
            "075501",
            Plain::Emm(emm::Message::IdentityRequest(emm::IdentityRequest {
                identity_type: IdentityType::IMSI,
            })),
        ),
        sample(
            "IDENTITY RESPONSE IMSI",
            Direction::Uplink,
            "0756080910100000000010",
            Plain::Emm(emm::Message::IdentityResponse(emm::IdentityResponse {
                identity: MobileIdentity::Imsi(imsi()),
            })),
        ),
        sample(
            "IDENTITY RESPONSE IMSI of 14 digits",
            Direction::Uplink,
            "07560801101000000000f1",
            Plain::Emm(emm::Message::IdentityResponse(emm::IdentityResponse {
                identity: MobileIdentity::Imsi("00101000000001".parse().unwrap()),
            })),
        ),
        sample(
            "IDENTITY RESPONSE IMEI",
            Direction::Uplink,
            "0756083a65390853468390",
            Plain::Emm(emm::Message::IdentityResponse(emm::IdentityResponse {
                identity: MobileIdentity::Imei("356938035643809".parse().unwrap()),
            })),
        ),
        sample(
            "IDENTITY RESPONSE IMEISV",
            Direction::Uplink,
            "0756093365390853468370f7",
            Plain::Emm(emm::Message::IdentityResponse(emm::IdentityResponse {
                identity: MobileIdentity::Imeisv(imeisv()),
            })),
        ),
        sample(
            "IDENTITY RESPONSE TMSI",
            Direction::Uplink,
            "075605f4c0ffee01",
            Plain::Emm(emm::Message::IdentityResponse(emm::IdentityResponse {
                identity: MobileIdentity::Tmsi(0xc0ff_ee01),
            })),
        ),
        sample(
            "SECURITY MODE COMMAND",
            Direction::Downlink,
            "075d2203026060",
            Plain::Emm(emm::Message::SecurityModeCommand(
                emm::SecurityModeCommand {
                    eia: 2,
                    eea: 2,
                    ksi: Ksi::new(3).unwrap(),
                    replayed_capability: UeSecurityCapability {
                        eea: 0x60,
                        eia: 0x60,
                        uea_uia: None,
                        gea: None,
                    },
                    imeisv_request: false,
                    hash_mme: None,
                },
            )),
        ),
        sample(
            "SECURITY MODE COMMAND with more",
            Direction::Downlink,
            "075d020005e0e0c04070c14f080102030405060708",
            Plain::Emm(emm::Message::SecurityModeCommand(
                emm::SecurityModeCommand {
                    eia: 2,
                    eea: 0,
                    ksi: Ksi::new(0).unwrap(),
                    replayed_capability: UeSecurityCapability {
                        eea: 0xe0,
                        eia: 0xe0,
                        uea_uia: Some([0xc0, 0x40]),
                        gea: Some(0x70),
                    },
                    imeisv_request: true,
                    hash_mme: Some([1, 2, 3, 4, 5, 6, 7, 8]),
                },
            )),
        ),
        sample(
            "SECURITY MODE COMPLETE",
            Direction::Uplink,
            "075e",
            Plain::Emm(emm::Message::SecurityModeComplete(
                emm::SecurityModeComplete::default(),
            )),
        ),
        sample(
            "SECURITY MODE COMPLETE with more",
            Direction::Uplink,
            "075e23093365390853468370f779002f074171080910100000000010026060001e0201d011d127178080211001000010810600000000830600000000000d00",
            Plain::Emm(emm::Message::SecurityModeComplete(
                emm::SecurityModeComplete {
                    imeisv: Some(imeisv()),
                    replayed_nas: Some(octets(
                        "074171080910100000000010026060001e0201d011d127178080211001000010810600000000830600000000000d00",
                    )),
                },
            )),
        ),
        sample(
            "SECURITY MODE REJECT",
            Direction::Uplink,
            "075f17",
            Plain::Emm(emm::Message::SecurityModeReject(emm::SecurityModeReject {
                cause: EmmCause::SECURITY_CAPABILITIES_MISMATCH,
            })),
        ),
        sample(
            "DETACH REQUEST of the UE",
            Direction::Uplink,
            "0745390bf600f110800101c0ffee01",
            Plain::Emm(emm::Message::DetachRequestFromUe(
                emm::DetachRequestFromUe {
                    switch_off: true,
                    detach_type: UeDetachType::Eps,
                    ksi: Ksi::new(3).unwrap(),
                    identity: EpsMobileIdentity::Guti(guti()),
                },
            )),
        ),
        sample(
            "DETACH REQUEST of the UE by IMSI",
            Direction::Uplink,
            "074573080910100000000010",
            Plain::Emm(emm::Message::DetachRequestFromUe(
                emm::DetachRequestFromUe {
                    switch_off: false,
                    detach_type: UeDetachType::Combined,
                    ksi: Ksi::NO_KEY,
                    identity: EpsMobileIdentity::Imsi(imsi()),
                },
            )),
        ),
        sample(
            "DETACH REQUEST of the network",
            Direction::Downlink,
            "0745025308",
            Plain::Emm(emm::Message::DetachRequestToUe(emm::DetachRequestToUe {
                detach_type: NetworkDetachType::ReattachNotRequired,
                cause: Some(EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED),
            })),
        ),
        sample(
            "DETACH REQUEST of the network to attach again",
            Direction::Downlink,
            "074501",
            Plain::Emm(emm::Message::DetachRequestToUe(emm::DetachRequestToUe {
                detach_type: NetworkDetachType::ReattachRequired,
                cause: None,
            })),
        ),
        sample(
            "DETACH ACCEPT",
            Direction::Uplink,
            "0746",
            Plain::Emm(emm::Message::DetachAccept),
        ),
        sample(
            "EMM STATUS",
            Direction::Uplink,
            "076061",
            Plain::Emm(emm::Message::EmmStatus(emm::EmmStatus {
                cause: EmmCause::MESSAGE_TYPE_UNKNOWN,
            })),
        ),
    ]
}
