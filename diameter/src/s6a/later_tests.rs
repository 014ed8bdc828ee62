//! The commands that follow an attach: insert and delete subscriber data, notify and reset.

use alloc::vec::Vec;

use super::*;
use crate::samples::{
    HSS, MME, dsa, dsr, ida, idr, named, noa, nor, python, rsa, rsr, subscription, ulr,
};

fn reversed(mut message: Message) -> Message {
    message.avps.reverse();
    message
}

#[test]
fn insert_subscriber_data_of_another_implementation() {
    let message = named(python(), "IDR with a whole profile");
    let request = InsertSubscriberDataRequest::from_message(&message).unwrap();
    assert_eq!(request.destination_host, MME);
    assert_eq!(
        SupportedFeatures::in_list_1(&request.supported_features),
        Some(7)
    );
    let flags = idr_flags::EPS_USER_STATE | idr_flags::EPS_LOCATION | idr_flags::RAT_TYPE;
    assert_eq!(request.idr_flags, Some(flags));
    let data = *request.subscription;
    assert_eq!(
        (data.subscriber_status, data.odb),
        (Some(1), Some(odb::ROAMER_HPLMN_AP))
    );
    assert_eq!(data.hplmn_odb, Some(1));
    assert_eq!(data.zones, [[0x12, 0x34], [0x56, 0x78]]);
    assert_eq!(data.access_restriction, Some(restriction::WB_EUTRAN));
    assert_eq!(
        data.apn_oi_replacement.as_deref(),
        Some("mnc001.mcc001.gprs")
    );
    assert_eq!(data.msisdn, subscription().msisdn);
    assert_eq!(
        (data.rfsp, data.subscribed_rau_tau_timer_s),
        (Some(7), Some(3600))
    );
    let apns = data.apn_profile.unwrap().apns;
    let ips: [core::net::IpAddr; 2] = ["10.20.0.7".parse().unwrap(), "fd00:20::".parse().unwrap()];
    assert_eq!(apns[0].served_party_ips, ips);
    assert_eq!(
        (apns[0].pdn_type, apns[1].pdn_type),
        (PdnType::V4V6, PdnType::V4)
    );
    let message = named(python(), "IDA with state and place");
    let answer = InsertSubscriberDataAnswer::from_message(&message).unwrap();
    assert_eq!(answer.user_state, Some(user_state::CONNECTED_REACHABLE));
    assert_eq!(answer.location, ida().location);
    assert_eq!((answer.rat_type, answer.ida_flags), (Some(1004), Some(0)));
}

#[test]
fn delete_subscriber_data_of_another_implementation() {
    let message = named(python(), "DSR of two access points");
    let request = DeleteSubscriberDataRequest::from_message(&message).unwrap();
    assert_eq!(request.dsr_flags, dsr_flags::PDN_SUBSCRIPTION_CONTEXTS);
    assert_eq!(request.contexts, [2, 3]);
    let answer = named(python(), "DSA");
    let answer = DeleteSubscriberDataAnswer::from_message(&answer).unwrap();
    assert_eq!(
        (answer.result, answer.dsa_flags),
        (AnswerResult::SUCCESS, Some(0))
    );
}

#[test]
fn notify_of_another_implementation() {
    let message = named(python(), "NOR with a gateway");
    let request = NotifyRequest::from_message(&message).unwrap();
    assert_eq!(request.destination_host, None);
    assert_eq!(request.terminal, nor().terminal);
    assert_eq!(request.pgw, nor().pgw);
    assert_eq!((request.context, request.apn), (Some(1), nor().apn));
    assert_eq!(request.alert_reason, Some(alert_reason::UE_PRESENT));
    assert_eq!(request.nor_flags, nor().nor_flags);
    let answer = named(python(), "NOA unknown serving node");
    let answer = NotifyAnswer::from_message(&answer).unwrap();
    assert_eq!(answer.result, UNKNOWN_SERVING_NODE);
    assert_eq!(answer.origin_host, HSS);
}

#[test]
fn reset_of_another_implementation() {
    let message = named(python(), "RSR of two prefixes");
    let request = ResetRequest::from_message(&message).unwrap();
    let ids: Vec<&str> = request.user_ids.iter().map(UserId::as_str).collect();
    assert_eq!(ids, ["00101", "44020123"]);
    assert!(request.covers(&"001010000000001".parse().unwrap()));
    assert!(request.covers(&"440201230000001".parse().unwrap()));
    assert!(!request.covers(&"440201240000001".parse().unwrap()));
    let everybody = ResetRequest {
        user_ids: Vec::new(),
        ..request
    };
    assert!(everybody.covers(&"440201240000001".parse().unwrap()));
    let answer = ResetAnswer::from_message(&named(python(), "RSA")).unwrap();
    assert!(answer.result.is_success());
}

#[test]
fn update_location_after_a_reset() {
    let message = named(python(), "ULR with an active access point");
    let request = UpdateLocationRequest::from_message(&message).unwrap();
    assert_eq!(request.active_apns[0].context, 1);
    assert_eq!(request.active_apns[0].pgw, nor().pgw);
    let digits: Vec<u8> = request
        .terminal_information
        .unwrap()
        .significant()
        .collect();
    let same: Vec<u8> = ulr().terminal_information.unwrap().significant().collect();
    assert_eq!(digits, same, "the check digit does not count");
}

#[test]
fn a_prefix_is_digits_and_a_wrong_one_is_not_everybody() {
    for wrong in ["", "12a", "1234567890123456", "+44"] {
        assert_eq!(wrong.parse::<UserId>(), Err(InvalidUserId), "{wrong}");
        let mut message = rsr().to_message();
        message.avps.retain(|a| !a.is(&d::USER_ID));
        message.avps.push(Avp::text(&d::USER_ID, wrong));
        let error = ResetRequest::from_message(&message).unwrap_err();
        assert_eq!(error.result, ResultCode::INVALID_AVP_VALUE, "{wrong:?}");
    }
    let longer: UserId = "00101000000000".parse().unwrap();
    assert!(longer.covers(&"001010000000001".parse().unwrap()));
    assert!(
        !"0010100000000011"
            .get(..15)
            .unwrap()
            .parse::<UserId>()
            .unwrap()
            .covers(&"00101000000000".parse().unwrap())
    );
}

#[test]
fn they_survive_in_any_order() {
    let m = reversed(idr().to_message());
    assert_eq!(InsertSubscriberDataRequest::from_message(&m), Ok(idr()));
    let m = reversed(ida().to_message());
    assert_eq!(InsertSubscriberDataAnswer::from_message(&m), Ok(ida()));
    let m = reversed(dsa().to_message());
    assert_eq!(DeleteSubscriberDataAnswer::from_message(&m), Ok(dsa()));
    let m = reversed(nor().to_message());
    assert_eq!(NotifyRequest::from_message(&m), Ok(nor()));
    let m = reversed(noa().to_message());
    assert_eq!(NotifyAnswer::from_message(&m), Ok(noa()));
    let m = reversed(rsa().to_message());
    assert_eq!(ResetAnswer::from_message(&m), Ok(rsa()));
    assert_eq!(
        DeleteSubscriberDataRequest::from_message(&dsr().to_message()),
        Ok(dsr())
    );
    assert_eq!(ResetRequest::from_message(&rsr().to_message()), Ok(rsr()));
    let m = reversed(dsr().to_message());
    assert_eq!(
        DeleteSubscriberDataRequest::from_message(&m)
            .unwrap()
            .contexts,
        [3, 2]
    );
}

/// Goal: each command names the AVP that its grammar wants and that is not there.
#[test]
fn each_mandatory_avp_is_missed() {
    type Read = fn(&Message) -> Option<AnswerError>;
    let common = [
        &d::SESSION_ID,
        &d::AUTH_SESSION_STATE,
        &d::ORIGIN_HOST,
        &d::ORIGIN_REALM,
        &d::DESTINATION_REALM,
    ];
    let own: [(Message, Read, &[&d::AvpDef]); 4] = [
        (
            idr().to_message(),
            |m| InsertSubscriberDataRequest::from_message(m).err(),
            &[&d::DESTINATION_HOST, &d::USER_NAME, &d::SUBSCRIPTION_DATA],
        ),
        (
            dsr().to_message(),
            |m| DeleteSubscriberDataRequest::from_message(m).err(),
            &[&d::DESTINATION_HOST, &d::USER_NAME, &d::DSR_FLAGS],
        ),
        (
            nor().to_message(),
            |m| NotifyRequest::from_message(m).err(),
            &[&d::USER_NAME],
        ),
        (
            rsr().to_message(),
            |m| ResetRequest::from_message(m).err(),
            &[&d::DESTINATION_HOST],
        ),
    ];
    for (message, read, more) in own {
        assert_eq!(read(&message), None);
        for def in common.iter().chain(more) {
            let mut without = message.clone();
            without.avps.retain(|a| !a.is(def));
            let error = read(&without).unwrap();
            assert_eq!(error.result, ResultCode::MISSING_AVP, "{}", def.name);
            assert!(error.failed_avp.unwrap().is(def), "{}", def.name);
            let mut twice = message.clone();
            let copy = message.find(def).unwrap().clone();
            twice.avps.push(copy);
            let error = read(&twice).unwrap();
            assert_eq!(
                error.result,
                ResultCode::AVP_OCCURS_TOO_MANY_TIMES,
                "{}",
                def.name
            );
        }
    }
}

#[test]
fn wrong_lengths_and_values() {
    let with = |avp: Avp| {
        let mut message = dsr().to_message();
        message.avps.retain(|a| a.code != avp.code);
        message.avps.push(avp);
        DeleteSubscriberDataRequest::from_message(&message).unwrap_err()
    };
    let error = with(Avp::octets(&d::DSR_FLAGS, [1, 2, 3]));
    assert_eq!(error.result, ResultCode::INVALID_AVP_LENGTH);
    let error = with(Avp::text(&d::USER_NAME, "0010"));
    assert_eq!(error.result, ResultCode::INVALID_AVP_VALUE);
    let error = with(Avp::octets(&d::CONTEXT_IDENTIFIER, []));
    assert_eq!(error.result, ResultCode::INVALID_AVP_LENGTH);
    let unknown = Avp {
        code: 65_535,
        vendor: Some(32_473),
        mandatory: true,
        protected: false,
        data: Vec::new().into(),
    };
    assert_eq!(with(unknown).result, ResultCode::AVP_UNSUPPORTED);
}

#[test]
fn a_subscription_has_at_most_ten_zones() {
    let mut request = idr();
    request.subscription.zones = vec![[1, 2]; 10];
    let read = InsertSubscriberDataRequest::from_message(&request.to_message());
    assert_eq!(read, Ok(request.clone()));
    request.subscription.zones.push([3, 4]);
    let error = InsertSubscriberDataRequest::from_message(&request.to_message()).unwrap_err();
    assert_eq!(error.result, ResultCode::AVP_OCCURS_TOO_MANY_TIMES);
    let failed = error.failed_avp.unwrap();
    assert!(failed.is(&d::SUBSCRIPTION_DATA));
    let zone = failed.members().next().unwrap().unwrap().to_owned();
    assert_eq!(
        zone,
        Avp::octets(&d::REGIONAL_SUBSCRIPTION_ZONE_CODE, [3, 4])
    );
}

#[test]
fn an_empty_subscription_asks_with_flags_only() {
    let mut request = idr();
    *request.subscription = SubscriptionData::default();
    let message = request.to_message();
    assert!(message.find(&d::SUBSCRIPTION_DATA).unwrap().data.is_empty());
    let read = InsertSubscriberDataRequest::from_message(&message);
    assert_eq!(read, Ok(request));
}
