use alloc::vec::Vec;

use super::*;
use crate::message::ApplicationId;
use crate::result::ResultCode;
use crate::samples::{HSS, MME, eca, ecr, named, python};

#[test]
fn a_check_of_another_implementation() {
    let message = named(python(), "ECR");
    assert_eq!(message.application, ApplicationId::S13);
    let request = IdentityCheckRequest::from_message(&message).unwrap();
    assert_eq!(request.origin_host, MME);
    assert_eq!(request.destination_host, None);
    assert_eq!(request.terminal, ecr().terminal);
    assert_eq!(request.imsi, ecr().imsi);
    let message = named(python(), "ECA grey");
    let answer = IdentityCheckAnswer::from_message(&message).unwrap();
    assert_eq!(answer.status, Some(EquipmentStatus::GREY));
    assert_eq!(answer.origin_host, HSS);
}

#[test]
fn the_equipment_must_be_named_and_may_be_empty() {
    let mut message = ecr().to_message();
    message.avps.retain(|a| !a.is(&d::TERMINAL_INFORMATION));
    let error = IdentityCheckRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::MISSING_AVP);
    assert!(error.failed_avp.unwrap().is(&d::TERMINAL_INFORMATION));
    let silent = IdentityCheckRequest {
        terminal: Terminal::default(),
        imsi: None,
        ..ecr()
    };
    let message = silent.to_message();
    assert!(message.find(&d::TERMINAL_INFORMATION).is_some());
    assert_eq!(IdentityCheckRequest::from_message(&message), Ok(silent));
}

#[test]
fn any_order_and_no_double() {
    let mut message = ecr().to_message();
    message.avps.reverse();
    assert_eq!(IdentityCheckRequest::from_message(&message), Ok(ecr()));
    message
        .avps
        .push(Avp::text(&d::USER_NAME, "001010000000002"));
    let error = IdentityCheckRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::AVP_OCCURS_TOO_MANY_TIMES);
    let mut message = ecr().to_message();
    message.application = ApplicationId::S6A;
    let error = IdentityCheckRequest::from_message(&message).unwrap_err();
    assert_eq!(error.result, ResultCode::APPLICATION_UNSUPPORTED);
}

#[test]
fn an_answer_has_a_status_only_when_it_has_one() {
    let message = eca().to_message();
    assert_eq!(IdentityCheckAnswer::from_message(&message), Ok(eca()));
    let codes: Vec<u32> = message.avps.iter().map(|a| a.code).collect();
    assert!(codes.contains(&1445));
    let unknown = IdentityCheckAnswer {
        result: EQUIPMENT_UNKNOWN,
        status: None,
        ..eca()
    };
    let read = IdentityCheckAnswer::from_message(&unknown.to_message()).unwrap();
    assert_eq!((read.result, read.status), (EQUIPMENT_UNKNOWN, None));
}
