//! The route table: routing, the check of roles and the OpenAPI document all come from it.

use alloc::string::String;

use heiiki_types::Imsi;
use schemars::JsonSchema;

use super::Role;
use super::equipment::{
    BindingBody, BindingView, EquipmentList, EquipmentRow, ListBody, ResetBody, ResetView,
};
use super::orders::{BulkBody, BulkList, OrderBody, StampsBody};
use super::refusal::Body;
use super::route::{Parameter, Route};
use super::rows::{NewSubscriber, NewSubscribers, SubscriptionPatch};
use super::status::StatusView;
use super::subscribers::Imported;
use super::views::{CutList, Detail, SubscriberList};
use crate::cut::bulk::BulkView;
use crate::cut::history::HistoryView;
use crate::cut::{Certificate, CutId};
use crate::node::Hss;
use crate::subscriber::{State, Verb};

/// The body of every failure.
pub(crate) type Failure = Body<'static, Certificate<'static>>;

/// A number of rows.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only its schema is used")]
struct Limit(#[schemars(range(min = 1, max = 1_000))] u16);

const LIMIT: Parameter = Parameter::new::<Limit>("limit", "The most rows of the answer; 100");
const AFTER: Parameter =
    Parameter::new::<Imsi>("after", "Where the page begins: `next` of the page before");
const AFTER_EQUIPMENT: Parameter =
    Parameter::new::<String>("after", "Where the page begins: `next` of the page before");
const BEFORE: Parameter =
    Parameter::new::<CutId>("before", "Where the page begins: `next` of the page before");

const OPEN: Parameter = Parameter::new::<bool>("open", "Only orders that somebody has not done");
const PLACE: Parameter =
    Parameter::new::<usize>("after", "Where the page begins: `next` of the page before");
const STATE: Parameter = Parameter::new::<State>("state", "Only SIMs in this state");
const TENANT: Parameter = Parameter::new::<String>("tenant", "Only SIMs of this tenant");
const GROUP: Parameter = Parameter::new::<String>("group", "Only SIMs of this group");
const PREFIX: Parameter =
    Parameter::new::<String>("prefix", "Only IMSIs that begin with these digits");
const DETAIL: Parameter = Parameter::new::<bool>("detail", "Show all of each, as one is shown");
const IF_MATCH: Parameter = Parameter::new::<String>(
    "If-Match",
    "Only if the subscriber still has this entity tag",
);
const IF_NONE_MATCH: Parameter = Parameter::new::<String>(
    "If-None-Match",
    "Only if the subscriber has not this entity tag; `*`: only if it is not there",
);
const IDEMPOTENCY_KEY: Parameter = Parameter::new::<String>(
    "Idempotency-Key",
    "A name of this call: given again, it gets the same answer and is not carried out again",
);

/// Every call. The first row whose path fits is taken.
pub(crate) const ROUTES: &[Route] = &[
    Route::get("/v1/subscribers", "list_subscribers", Hss::list_subscribers)
        .does("List subscribers in the order of their IMSI")
        .role(Role::Reader)
        .query(&[AFTER, LIMIT, STATE, TENANT, GROUP, PREFIX, DETAIL])
        .answers::<SubscriberList<'static>>(),
    Route::post(
        "/v1/subscribers",
        "import_subscribers",
        Hss::add_subscribers,
    )
    .role(Role::Provision)
    .does("Import subscribers: all of the call or none, durable once it is answered")
    .takes::<NewSubscribers>()
    .headers(&[IDEMPOTENCY_KEY])
    .answers::<Imported>()
    .fails(&[409, 422]),
    Route::get(
        "/v1/subscribers/{imsi}",
        "show_subscriber",
        Hss::show_subscriber,
    )
    .does("Show one subscriber")
    .role(Role::Reader)
    .headers(&[IF_NONE_MATCH])
    .with_status(&[200, 304])
    .answers::<Detail<'static>>()
    .fails(&[404]),
    Route::put(
        "/v1/subscribers/{imsi}",
        "put_subscriber",
        Hss::put_subscriber,
    )
    .does("Make a subscriber, or give one another subscription; the same again changes nothing")
    .role(Role::Provision)
    .takes::<NewSubscriber>()
    .headers(&[IF_MATCH, IF_NONE_MATCH])
    .with_status(&[200, 201])
    .answers::<Detail<'static>>()
    .fails(&[412, 422]),
    Route::patch(
        "/v1/subscribers/{imsi}",
        "patch_subscriber",
        Hss::patch_subscriber,
    )
    .does("Change some members of a subscription")
    .role(Role::Provision)
    .takes::<SubscriptionPatch>()
    .headers(&[IF_MATCH])
    .answers::<Detail<'static>>()
    .fails(&[404, 412, 422]),
    Route::delete(
        "/v1/subscribers/{imsi}",
        "erase_subscriber",
        Hss::delete_subscriber,
    )
    .does("Erase a terminated SIM: what is left is that its IMSI is terminated")
    .role(Role::Provision)
    .headers(&[IF_MATCH])
    .with_status(&[204])
    .fails(&[404, 409, 412]),
    Route::post("/v1/subscribers/{imsi}/suspend", "suspend", |hss, call| {
        hss.give_order(call, Verb::Suspend)
    })
    .does("Cut a lost or stolen SIM everywhere, and refuse it until it is resumed")
    .role(Role::CutOnly)
    .takes::<OrderBody>()
    .headers(&[IDEMPOTENCY_KEY])
    .answers::<Certificate<'static>>()
    .fails(&[404, 409, 422]),
    Route::post("/v1/subscribers/{imsi}/pause", "pause", |hss, call| {
        hss.give_order(call, Verb::Pause)
    })
    .does("Cut a SIM and refuse it for the time being")
    .role(Role::CutOnly)
    .takes::<OrderBody>()
    .headers(&[IDEMPOTENCY_KEY])
    .answers::<Certificate<'static>>()
    .fails(&[404, 409, 422]),
    Route::post("/v1/subscribers/{imsi}/resume", "resume", |hss, call| {
        hss.give_order(call, Verb::Resume)
    })
    .does("Lift a suspension or a pause")
    .role(Role::Operate)
    .takes::<OrderBody>()
    .headers(&[IDEMPOTENCY_KEY])
    .answers::<Certificate<'static>>()
    .fails(&[404, 409, 422]),
    Route::post(
        "/v1/subscribers/{imsi}/terminate",
        "terminate",
        |hss, call| hss.give_order(call, Verb::Terminate),
    )
    .does("End a subscription for good")
    .role(Role::Operate)
    .takes::<OrderBody>()
    .headers(&[IDEMPOTENCY_KEY])
    .answers::<Certificate<'static>>()
    .fails(&[404, 409]),
    Route::get(
        "/v1/subscribers/{imsi}/equipment",
        "show_binding",
        Hss::show_binding,
    )
    .does("Show in which equipment a SIM may be, and in which it is")
    .role(Role::Reader)
    .answers::<BindingView>()
    .fails(&[404]),
    Route::put(
        "/v1/subscribers/{imsi}/equipment",
        "bind",
        Hss::change_binding,
    )
    .does("Set in which equipment a SIM may be, from its next location update on")
    .role(Role::Provision)
    .takes::<BindingBody>()
    .answers::<BindingBody>()
    .fails(&[404]),
    Route::get("/v1/equipment", "list_equipment", Hss::list_equipment)
        .does("List the rows of the equipment identity register")
        .role(Role::Reader)
        .query(&[AFTER_EQUIPMENT, LIMIT])
        .answers::<EquipmentList<'static>>(),
    Route::put(
        "/v1/equipment/{equipment}",
        "set_equipment",
        Hss::set_equipment,
    )
    .does("Put a TAC, an IMEI, an IMEISV or a range of IMEIs on a list; the narrowest row decides")
    .role(Role::Provision)
    .takes::<ListBody>()
    .answers::<EquipmentRow<'static>>()
    .fails(&[409]),
    Route::delete(
        "/v1/equipment/{equipment}",
        "remove_equipment",
        Hss::remove_equipment,
    )
    .does("Take a row off the lists")
    .role(Role::Provision)
    .with_status(&[204])
    .fails(&[404]),
    Route::post("/v1/resets", "reset_mmes", Hss::reset_mmes)
        .does("Let MMEs register their UEs anew, after a loss of data or a restore from a backup")
        .takes::<ResetBody>()
        .answers::<ResetView>(),
    Route::post("/v1/subscribers/{imsi}/isolate", "isolate", |hss, call| {
        hss.give_order(call, Verb::Isolate)
    })
    .does("Leave a SIM its session and its tenant's quarantine prefixes, and nothing else")
    .role(Role::CutOnly)
    .takes::<OrderBody>()
    .answers::<Certificate<'static>>()
    .fails(&[404, 409]),
    Route::post("/v1/subscribers/{imsi}/release", "release", |hss, call| {
        hss.give_order(call, Verb::Release)
    })
    .does("End an isolation")
    .role(Role::Operate)
    .takes::<OrderBody>()
    .answers::<Certificate<'static>>()
    .fails(&[404, 409]),
    Route::post(
        "/v1/subscribers/{imsi}/delete-session",
        "delete_session",
        |hss, call| hss.give_order(call, Verb::DeleteSession),
    )
    .does("End the sessions of a SIM; its UE may come back at once")
    .role(Role::Operate)
    .takes::<OrderBody>()
    .answers::<Certificate<'static>>()
    .fails(&[404]),
    Route::get(
        "/v1/subscribers/{imsi}/history",
        "show_history",
        Hss::show_history,
    )
    .does("Show the last orders for a SIM: who, when, why, and what came of it")
    .role(Role::Reader)
    .answers::<HistoryView<'static>>()
    .fails(&[404]),
    Route::post("/v1/bulk", "give_bulk_order", Hss::give_bulk)
        .does("Give one order for many SIMs; it goes on after its answer, and over a restart")
        .role(Role::CutOnly)
        .takes::<BulkBody>()
        .with_status(&[202])
        .answers::<BulkView<'static>>(),
    Route::get("/v1/bulk", "list_bulk_orders", Hss::list_bulk)
        .does("List the numbers of bulk orders, the newest first")
        .role(Role::Reader)
        .answers::<BulkList>(),
    Route::get("/v1/bulk/{bulk}", "show_bulk_order", Hss::show_bulk)
        .does("Show how far a bulk order is, and what became of each SIM")
        .role(Role::Reader)
        .query(&[PLACE, LIMIT])
        .answers::<BulkView<'static>>()
        .fails(&[404]),
    Route::get("/v1/cuts", "list_cuts", Hss::list_cuts)
        .does("List orders, the newest first")
        .role(Role::Reader)
        .query(&[BEFORE, LIMIT, OPEN])
        .answers::<CutList<'static>>(),
    Route::get("/v1/cuts/{cut}", "show_cut", Hss::show_cut)
        .does("Show the certificate of an order")
        .role(Role::Reader)
        .answers::<Certificate<'static>>()
        .fails(&[404]),
    Route::post("/v1/cuts/{cut}/stamps", "report_stamps", Hss::add_stamps)
        .does("Report what only others see of a cut: t6, t7 and t8")
        .role(Role::CutOnly)
        .takes::<StampsBody>()
        .answers::<Certificate<'static>>()
        .fails(&[404, 409]),
    Route::get("/v1/status", "show_status", Hss::show_status)
        .does("Show what the HSS holds, and whether its store takes writes")
        .role(Role::Reader)
        .answers::<StatusView>(),
    Route::get("/v1/events", "listen", Hss::may_listen)
        .does("Listen to events: one JSON object a line, until the caller hangs up")
        .role(Role::Reader),
    // The driver has the log: the machine says only who may ask.
    Route::get("/v1/audit/head", "audit_head", Hss::may_listen)
        .does("Show where the audit log stands: number and hash of its last durable record")
        .role(Role::Reader),
    Route::get("/v1/openapi.json", "openapi", Hss::show_openapi)
        .does("Show this document")
        .role(Role::Reader)
        .answers::<serde_json::Map<String, serde_json::Value>>(),
];
