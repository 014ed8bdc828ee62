//! Errors of the administrative interface: what is wrong, and what to do about it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::HttpResponse;
use schemars::JsonSchema;
use serde::Serialize;

use super::Role;
use crate::subscriber::import::ImportError;
use crate::subscriber::{State, Verb};

/// Why a call is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unauthorized,
    Forbidden(Role),
    NoRoute,
    NoSubscriber,
    NoCut,
    Equipment,
    NoEquipment,
    EquipmentFull,
    Method(String),
    Imsi,
    Body(String),
    Content(String),
    Changed,
    Exists,
    OtherCall,
    SameCall,
    TooLarge(usize),
    Import(Vec<ImportError>),
    WrongState { state: State, verb: Verb },
    NotTerminated,
    StampTaken,
    NotServing,
    OutOfOrders,
    DiskFailed,
    StoreAway,
    StoreFull,
    NotDurable,
}

/// What every call that fails is answered with.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub(crate) struct Body<'a, C: Serialize> {
    error: Error,
    /// The certificate of an order that could not be made durable.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a C>,
}

/// What is wrong, and what to do about it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
struct Error {
    /// The same for the same kind of failure, for programs.
    code: &'static str,
    what: String,
    what_to_do: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<Row>,
}

/// A row of an import that cannot be taken.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErrorRow")]
pub(super) struct Row {
    /// Its place in the call, from 1.
    number: usize,
    imsi: heiiki_types::Imsi,
    what: String,
}

impl Row {
    pub(super) fn new(error: &ImportError) -> Self {
        Self {
            number: error.index + 1,
            imsi: error.imsi,
            what: error.what.to_string(),
        }
    }
}

impl Refusal {
    const fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Unauthorized => (401, "unauthorized"),
            Self::Forbidden(_) => (403, "forbidden"),
            Self::NoRoute => (404, "no_such_path"),
            Self::NoSubscriber => (404, "no_such_subscriber"),
            Self::NoCut => (404, "no_such_cut"),
            Self::Equipment => (400, "not_equipment"),
            Self::NoEquipment => (404, "no_such_equipment"),
            Self::EquipmentFull => (409, "too_much_equipment"),
            Self::Method(_) => (405, "wrong_method"),
            Self::Imsi => (400, "not_an_imsi"),
            Self::Body(_) => (400, "bad_request"),
            Self::TooLarge(_) => (413, "too_large"),
            Self::Content(_) => (422, "bad_content"),
            Self::Import(_) => (422, "bad_rows"),
            Self::Changed => (412, "changed"),
            Self::Exists => (412, "exists"),
            Self::OtherCall => (422, "key_of_another_call"),
            Self::SameCall => (409, "under_way"),
            Self::WrongState { .. } => (409, "wrong_state"),
            Self::NotTerminated => (409, "not_terminated"),
            Self::StampTaken => (409, "stamp_taken"),
            Self::NotServing => (503, "not_serving"),
            Self::OutOfOrders => (503, "out_of_orders"),
            Self::DiskFailed => (503, "disk_failed"),
            Self::StoreAway => (503, "store_away"),
            Self::StoreFull => (503, "store_full"),
            Self::NotDurable => (503, "not_durable"),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unauthorized => "the call has no valid bearer token".to_string(),
            Self::Forbidden(_) => "the role of this token does not cover the call".to_string(),
            Self::NoRoute => "there is nothing under this path".to_string(),
            Self::NoSubscriber => "the store has no subscriber with this IMSI".to_string(),
            Self::NoCut => "no cut with this number is remembered".to_string(),
            Self::Equipment => "the path does not name equipment".to_string(),
            Self::NoEquipment => "no list has a row of this name".to_string(),
            Self::EquipmentFull => "the lists hold as many rows as they may".to_string(),
            Self::Method(allowed) => format!("this path answers {allowed} only"),
            Self::Imsi => "the path does not hold an IMSI of 6 to 15 digits".to_string(),
            Self::Body(why) => format!("the body cannot be used: {why}"),
            Self::Content(why) => why.clone(),
            Self::Changed => "the subscriber is not as `If-Match` names it".to_string(),
            Self::Exists => "the subscriber is there already".to_string(),
            Self::OtherCall => "this `Idempotency-Key` was used for another call".to_string(),
            Self::SameCall => "the same call is under way".to_string(),
            Self::TooLarge(limit) => format!("the body has more than {limit} octets"),
            Self::Import(errors) => format!("{} rows cannot be imported", errors.len()),
            Self::WrongState { state, verb } => format!("a SIM that is {state} takes no {verb}"),
            Self::NotTerminated => "only a terminated SIM can be erased".to_string(),
            Self::StampTaken => "the stamp has been reported already".to_string(),
            Self::NotServing => "the HSS has not read its store yet".to_string(),
            Self::OutOfOrders => "this start has used up its order numbers".to_string(),
            Self::StoreAway => "the shared store cannot be reached now".to_string(),
            Self::StoreFull => "the disk of the store is full".to_string(),
            Self::DiskFailed => "the disk has failed: nothing more becomes durable".to_string(),
            Self::NotDurable => {
                "the order is not durable: the disk is full or has failed. A cut is in force, and is \
                 written as soon as there is room; after a failure it ends with the process. A \
                 resume did not happen"
                    .to_string()
            }
        }
    }

    fn what_to_do(&self) -> String {
        match self {
            Self::Unauthorized => {
                "send `Authorization: Bearer TOKEN` with the token of the HSS's token file"
            }
            Self::Forbidden(role) => {
                return format!(
                    "use a token of the role `{}`, or the administrator's",
                    role.name()
                );
            }
            Self::NoRoute => "see /v1/openapi.json: it lists every path",
            Self::NoSubscriber => "list /v1/subscribers, or import the subscriber first",
            Self::NoCut => "list /v1/cuts",
            Self::Equipment => return crate::equipment::InvalidKey.to_string(),
            Self::NoEquipment => "list /v1/equipment",
            Self::EquipmentFull => "remove rows, or name many devices by their TAC or by a range",
            Self::Method(_) => "change the method of the call",
            Self::Imsi => "give the IMSI as decimal digits, such as 001010000000001",
            Self::Body(_) => "send JSON as the documentation of the path shows it",
            Self::Content(_) => "correct the body; nothing of the call has been done",
            Self::Changed => "read the subscriber again, and decide again",
            Self::Exists => "leave `If-None-Match` out to change it",
            Self::OtherCall => "make a new key for each call",
            Self::SameCall => "wait for its answer, then ask again with the same key",
            Self::TooLarge(_) => "split the call",
            Self::Import(_) => "correct these rows; none of the call has been imported",
            Self::WrongState { state, .. } => match state {
                State::Terminated => "nothing: a terminated SIM never gets service again",
                _ => "resume the SIM first",
            },
            Self::NotTerminated => "terminate it first: that cannot be undone",
            Self::StampTaken => "nothing: the first report counts",
            Self::NotServing => "try again in a moment; see the log if it lasts",
            Self::OutOfOrders => "restart the HSS",
            Self::StoreFull => {
                "make room on the disk of the store; the call can be repeated then, without a restart"
            }
            Self::StoreAway => "look at the database; the call can be repeated when it is back",
            Self::DiskFailed => {
                "repair the disk of the store, restart the HSS, and give the order again; until \
                 then use the emergency cut of the gateways"
            }
            Self::NotDurable => {
                "make room on the disk of the store; one that has failed has to be repaired: then \
                 restart the HSS and give the order again, and until then use the emergency cut of \
                 the gateways"
            }
        }
        .to_string()
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status_and_code().0
    }

    /// The answer, with a certificate beside it if there is one.
    pub(crate) fn response<C: Serialize>(&self, certificate: Option<&C>) -> HttpResponse {
        let (status, code) = self.status_and_code();
        let rows = match self {
            Self::Import(errors) => errors.iter().map(Row::new).collect(),
            _ => Vec::new(),
        };
        let body = Body {
            error: Error {
                code,
                what: self.message(),
                what_to_do: self.what_to_do(),
                rows,
            },
            certificate,
        };
        HttpResponse {
            status,
            body: serde_json::to_vec(&body).unwrap_or_default(),
            headers: heiiki_types::Headers::default(),
        }
    }
}
