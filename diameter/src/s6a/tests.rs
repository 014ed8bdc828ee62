use alloc::vec::Vec;

use heiiki_types::from_hex;

use super::*;
use crate::samples::{
    HSS, MME, REALM, aia, air, clr, crafted, named, own, pur, python, subscription, ula, ulr,
};

/// Sets or clears the M bit of these AVPs, in groups too.
fn set(avps: &mut [Avp], codes: &[u32], on: bool) {
    for avp in avps {
        if codes.contains(&avp.code) {
            avp.mandatory = on;
        }
        if avp
            .as_ref()
            .def()
            .is_some_and(|def| def.kind == d::Kind::Grouped)
        {
            let mut members: Vec<Avp> = avp.members().map(|m| m.unwrap().to_owned()).collect();
            set(&mut members, codes, on);
            let mut data = Vec::new();
            crate::avp::encode_all(&members, &mut data);
            avp.data = data.into();
        }
    }
}

/// Takes the optional members of ARP out.
fn strip(avp: &mut Avp) {
    let mut members: Vec<Avp> = avp.members().map(|m| m.unwrap().to_owned()).collect();
    members.retain(|m| m.code != 1047 && m.code != 1048);
    for m in &mut members {
        if m.as_ref().def().unwrap().kind == d::Kind::Grouped {
            strip(m);
        }
    }
    let mut data = Vec::new();
    crate::avp::encode_all(&members, &mut data);
    avp.data = data.into();
}

#[test]
fn air_with_resynchronisation() {
    let air = named(crafted(), "AIR with resync");
    let air = AuthenticationInformationRequest::from_message(&air).unwrap();
    assert_eq!(air.origin_host, MME);
    assert_eq!(air.destination_host.as_deref(), None);
    let info = air.requested_eutran.unwrap();
    assert!(info.resync.is_some());
}

#[test]
fn air_in_the_order_of_a_stock_mme() {
    let air = named(python(), "AIR as a stock MME orders it");
    let last = air.avps.last().unwrap();
    assert!(last.is(&d::VENDOR_SPECIFIC_APPLICATION_ID));
    let air = AuthenticationInformationRequest::from_message(&air).unwrap();
    assert_eq!(air.destination_host, None);
    assert_eq!(air.destination_realm, REALM);
    assert_eq!(air.imsi.to_string(), "001010000000001");
    assert_eq!(air.visited_plmn, "00101".parse().unwrap());
    let info = air.requested_eutran.unwrap();
    assert_eq!((info.vectors, info.resync), (1, None));
    assert!(info.immediate_response_preferred);
    assert_eq!(air.requested_utran, None);
}

#[test]
fn aia_of_another_implementation() {
    let message = named(python(), "AIA two vectors");
    let answer = AuthenticationInformationAnswer::from_message(&message).unwrap();
    assert_eq!(answer.vectors, aia().vectors);
    assert_eq!(answer.result, AnswerResult::SUCCESS);
    assert_eq!(answer.vectors[1].xres.expose().len(), 16);
}

#[test]
fn ula_of_another_implementation() {
    let message = named(python(), "ULA with subscription");
    let answer = UpdateLocationAnswer::from_message(&message).unwrap();
    assert_eq!(answer.subscription.as_deref(), Some(&subscription()));
    assert_eq!(answer.ula_flags, Some(1));
    let profile = answer.subscription.unwrap().apn_profile.unwrap();
    let default = profile.default_apn().unwrap();
    let corp = "corp.example".parse().unwrap();
    assert!(default.apn.covers(&corp));
    assert!(!default.apn.covers(&"other".parse().unwrap()));
    assert!(profile.apns[1].apn.covers(&corp));
}

#[test]
fn ulr_of_another_implementation() {
    let message = named(python(), "ULR relayed, with an unknown optional AVP");
    let request = UpdateLocationRequest::from_message(&message).unwrap();
    assert_eq!(request.route_record, [MME]);
    assert_eq!(request.ulr_flags, 34);
    assert_eq!(request.terminal_information, ulr().terminal_information);
    assert_eq!(request.software_version.as_deref(), Some("42"));
    assert_eq!(request.rat_type, RAT_TYPE_EUTRAN);
}

#[test]
fn refusals_of_other_implementations() {
    let answer = named(crafted(), "AIA unknown user");
    let answer = AuthenticationInformationAnswer::from_message(&answer).unwrap();
    assert_eq!(answer.result, USER_UNKNOWN);
    assert!(answer.vectors.is_empty());
    let answer = named(crafted(), "ULA roaming not allowed");
    let answer = UpdateLocationAnswer::from_message(&answer).unwrap();
    assert_eq!(answer.result, ROAMING_NOT_ALLOWED);
    assert!(answer.error_diagnostic.is_some());
    let answer = named(crafted(), "error answer REALM_NOT_SERVED");
    assert!(answer.flags.error);
    let answer = UpdateLocationAnswer::from_message(&answer).unwrap();
    assert_eq!(answer.result, ResultCode::REALM_NOT_SERVED.into());
    assert_ne!(answer.result, ResultCode(5001).into());
}

#[test]
fn cancel_and_purge_of_other_implementations() {
    let request = named(crafted(), "CLR subscription withdrawal");
    let request = CancelLocationRequest::from_message(&request).unwrap();
    let withdrawal = CancellationType::SUBSCRIPTION_WITHDRAWAL;
    assert_eq!(request.cancellation_type, withdrawal);
    assert_eq!(request.destination_host, MME);
    let answer = named(crafted(), "CLA");
    let answer = CancelLocationAnswer::from_message(&answer).unwrap();
    assert!(answer.result.is_success());
    let request = named(crafted(), "PUR");
    let request = PurgeUeRequest::from_message(&request).unwrap();
    assert_eq!(request.origin_host, MME);
    let answer = named(crafted(), "PUA freeze M-TMSI");
    let answer = PurgeUeAnswer::from_message(&answer).unwrap();
    assert_eq!(answer.pua_flags, Some(pua_flags::FREEZE_M_TMSI));
    assert_eq!(answer.origin_host, HSS);
}

/// Goal: the order of AVPs means nothing. Method: each message with its AVPs reversed, groups
/// included.
#[test]
fn any_order_of_avps() {
    fn reversed(avps: &[Avp]) -> Vec<Avp> {
        let flip = |avp: &Avp| match avp.as_ref().def().map(|def| def.kind) {
            Some(d::Kind::Grouped) => {
                let members: Vec<Avp> = avp.members().map(|m| m.unwrap().to_owned()).collect();
                let mut data = Vec::new();
                crate::avp::encode_all(&reversed(&members), &mut data);
                Avp {
                    data: data.into(),
                    ..avp.clone()
                }
            }
            _ => avp.clone(),
        };
        avps.iter().rev().map(flip).collect()
    }
    let flip = |mut m: Message| {
        m.avps = reversed(&m.avps);
        m
    };
    let m = flip(air().to_message());
    assert_eq!(
        AuthenticationInformationRequest::from_message(&m),
        Ok(air())
    );
    let m = flip(ulr().to_message());
    assert_eq!(UpdateLocationRequest::from_message(&m), Ok(ulr()));
    let m = flip(clr().to_message());
    assert_eq!(CancelLocationRequest::from_message(&m), Ok(clr()));
    let m = flip(pur().to_message());
    assert_eq!(PurgeUeRequest::from_message(&m), Ok(pur()));
    let m = flip(ula().to_message());
    let answer = UpdateLocationAnswer::from_message(&m).unwrap();
    let apns = answer.subscription.unwrap().apn_profile.unwrap().apns;
    assert_eq!(apns.iter().map(|a| a.context).collect::<Vec<_>>(), [2, 1]);
}

/// Goal: a missing AVP is named in Failed-AVP with zeroes of its least length (RFC 6733 §7.5).
#[test]
fn each_mandatory_avp_is_missed() {
    let air = air().to_message();
    for (def, least) in [
        (&d::SESSION_ID, 1),
        (&d::AUTH_SESSION_STATE, 4),
        (&d::ORIGIN_HOST, 1),
        (&d::ORIGIN_REALM, 1),
        (&d::DESTINATION_REALM, 1),
        (&d::USER_NAME, 1),
        (&d::VISITED_PLMN_ID, 3),
    ] {
        let mut message = air.clone();
        message.avps.retain(|a| !a.is(def));
        let error = AuthenticationInformationRequest::from_message(&message).unwrap_err();
        assert_eq!(error.result, ResultCode::MISSING_AVP, "{}", def.name);
        let failed = error.failed_avp.unwrap();
        assert!(failed.is(def));
        assert_eq!(failed.data, vec![0; least]);
    }
    for optional in [&d::VENDOR_SPECIFIC_APPLICATION_ID, &d::DESTINATION_HOST] {
        let mut message = air.clone();
        message.avps.retain(|a| !a.is(optional));
        assert!(AuthenticationInformationRequest::from_message(&message).is_ok());
    }
}

#[test]
fn an_avp_that_comes_twice() {
    let mut message = air().to_message();
    message
        .avps
        .push(Avp::text(&d::USER_NAME, "001010000000002"));
    let error = AuthenticationInformationRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::AVP_OCCURS_TOO_MANY_TIMES);
    let second = error.failed_avp.unwrap();
    assert_eq!(second.as_str(), Some("001010000000002"));
}

#[test]
fn wrong_lengths_and_values() {
    let with = |avp: Avp| {
        let mut message = air().to_message();
        message
            .avps
            .retain(|a| (a.code, a.vendor) != (avp.code, avp.vendor));
        message.avps.push(avp);
        AuthenticationInformationRequest::from_message(&message).unwrap_err()
    };
    let error = with(Avp::octets(&d::VISITED_PLMN_ID, [0x00, 0xf1]));
    assert_eq!(error.result, ResultCode::INVALID_AVP_LENGTH);
    let error = with(Avp::octets(&d::VISITED_PLMN_ID, [0xff, 0xf1, 0x10]));
    assert_eq!(error.result, ResultCode::INVALID_AVP_VALUE);
    let error = with(Avp::text(&d::USER_NAME, "not an imsi"));
    assert_eq!(error.result, ResultCode::INVALID_AVP_VALUE);
    let error = with(Avp::text(&d::ORIGIN_HOST, "two words"));
    assert_eq!(error.result, ResultCode::INVALID_AVP_VALUE);
    let error = with(Avp::octets(&d::AUTH_SESSION_STATE, [0, 1]));
    assert_eq!(error.result, ResultCode::INVALID_AVP_LENGTH);
}

/// Goal: Failed-AVP shows where in its groups the wrong AVP is, and nothing else of them.
#[test]
fn an_error_inside_a_group() {
    let info = Avp::group(
        &d::REQUESTED_EUTRAN_AUTHENTICATION_INFO,
        &[
            Avp::u32(&d::NUMBER_OF_REQUESTED_VECTORS, 1),
            Avp::octets(&d::RE_SYNCHRONIZATION_INFO, [7; 29]),
        ],
    );
    let mut message = air().to_message();
    let at = message
        .avps
        .iter()
        .position(|a| a.is(&d::REQUESTED_EUTRAN_AUTHENTICATION_INFO));
    message.avps[at.unwrap()] = info;
    let error = AuthenticationInformationRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::INVALID_AVP_LENGTH);
    let failed = error.failed_avp.unwrap();
    assert!(failed.is(&d::REQUESTED_EUTRAN_AUTHENTICATION_INFO));
    let members: Vec<Avp> = failed.members().map(|m| m.unwrap().to_owned()).collect();
    assert_eq!(members, [Avp::octets(&d::RE_SYNCHRONIZATION_INFO, [7; 29])]);
}

#[test]
fn unknown_avps_by_their_m_bit() {
    let unknown = |mandatory| Avp {
        code: 65_535,
        vendor: Some(32_473),
        mandatory,
        protected: false,
        data: b"xyz".to_vec().into(),
    };
    let top = |avp: Avp| {
        let mut message = air().to_message();
        message.avps.insert(2, avp);
        AuthenticationInformationRequest::from_message(&message)
    };
    assert_eq!(top(unknown(false)), Ok(air()));
    let error = top(unknown(true)).unwrap_err();
    assert_eq!(error.result, ResultCode::AVP_UNSUPPORTED);
    assert_eq!(error.failed_avp, Some(unknown(true)));
    // In a group that we know, the M bit counts; in one that we do not, it does not.
    let inside = Avp::group(&d::TERMINAL_INFORMATION, &[unknown(true)]);
    let error = top(inside.clone()).unwrap_err();
    assert_eq!(error.result, ResultCode::AVP_UNSUPPORTED);
    assert_eq!(error.failed_avp, Some(inside.clone()));
    let wrapped = Avp {
        data: inside.data,
        ..unknown(false)
    };
    assert_eq!(top(wrapped), Ok(air()));
    let message = named(python(), "ULR with an unknown mandatory AVP");
    let error = UpdateLocationRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::AVP_UNSUPPORTED);
}

/// Goal: the AVPs on whose M bit the dictionaries disagree are taken with it and without it.
#[test]
fn m_bits_in_dispute() {
    let disputed = [628, 629, 630, 1032, 1034, 1046, 1047, 1048];
    for on in [false, true] {
        let mut message = air().to_message();
        set(&mut message.avps, &disputed, on);
        assert_eq!(
            AuthenticationInformationRequest::from_message(&message),
            Ok(air())
        );
        let mut message = ulr().to_message();
        set(&mut message.avps, &disputed, on);
        assert_eq!(UpdateLocationRequest::from_message(&message), Ok(ulr()));
        let mut message = ula().to_message();
        set(&mut message.avps, &disputed, on);
        assert_eq!(UpdateLocationAnswer::from_message(&message), Ok(ula()));
    }
}

#[test]
fn a_senseless_value_without_the_m_bit_counts_as_absent() {
    let imei = |mandatory| {
        let imei = Avp {
            mandatory,
            ..Avp::text(&d::IMEI, "not an imei")
        };
        let mut message = ulr().to_message();
        message.avps.retain(|a| !a.is(&d::TERMINAL_INFORMATION));
        message
            .avps
            .push(Avp::group(&d::TERMINAL_INFORMATION, &[imei]));
        UpdateLocationRequest::from_message(&message)
    };
    assert_eq!(imei(false).unwrap().terminal_information, None);
    let error = imei(true).unwrap_err();
    assert_eq!(error.result, ResultCode::INVALID_AVP_VALUE);
}

#[test]
fn another_command_or_application_is_not_read() {
    let message = ulr().to_message();
    let error = AuthenticationInformationRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::COMMAND_UNSUPPORTED);
    let mut message = air().to_message();
    message.application = ApplicationId::S13;
    let error = AuthenticationInformationRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::APPLICATION_UNSUPPORTED);
    let message = aia().to_message();
    assert!(AuthenticationInformationRequest::from_message(&message).is_err());
}

#[test]
fn arp_members_that_are_absent() {
    // TS 29.212 §5.3.46 and §5.3.47.
    let mut answer = ula().to_message();
    let data = answer
        .avps
        .iter_mut()
        .find(|a| a.is(&d::SUBSCRIPTION_DATA))
        .unwrap();
    strip(data);
    let answer = UpdateLocationAnswer::from_message(&answer).unwrap();
    for apn in answer.subscription.unwrap().apn_profile.unwrap().apns {
        assert!(!apn.arp.may_preempt && apn.arp.may_be_preempted);
    }
}

#[test]
fn xres_has_bounds_and_compares() {
    assert_eq!(Xres::new(&[1; 3]), Err(InvalidXres));
    assert_eq!(Xres::new(&[1; 17]), Err(InvalidXres));
    let xres = Xres::new(&[1; 8]).unwrap();
    assert!(xres.matches(&[1; 8]));
    assert!(!xres.matches(&[1; 9]));
    assert!(!xres.matches(&[2; 8]));
}

/// Goal: what we write is what others read. Method: the literals were printed by this encoder once
/// and then dissected with tshark 4.0.17 (no malformed packet, no expert message, every value as
/// written here) and parsed with python-diameter 0.9.0 with the same values.
#[test]
fn octets_that_other_implementations_have_read() {
    let written = include_str!("../../../fixtures/vectors/diameter_written.txt");
    let mut lines = written.lines().filter(|l| !l.starts_with('#'));
    for (name, message) in own() {
        let line = lines.next().unwrap();
        let (pinned, hex) = line.split_once(": ").unwrap();
        assert_eq!(pinned, name);
        assert_eq!(message.encode(), from_hex(hex).unwrap(), "{name}");
    }
    assert_eq!(lines.next(), None);
}
