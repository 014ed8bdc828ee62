//! The JSON of the administrative interface.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::{
    Ambr, Apn, Ebi, HttpResponse, Imei, Imsi, Instant, Msisdn, Protections, Qci, Tai, UeAddresses,
    WallTime,
};
use serde::{Deserialize, Serialize};

use super::orders::{Order, Standing};
use crate::refusal::RefusalCounts;
use crate::user_plane::{SessionId, Usage, WorkerCounters};

/// `POST /v1/bars`
#[derive(Debug, Deserialize)]
pub(super) struct BarCall {
    pub(super) imsi: Imsi,
    pub(super) cut: String,
    pub(super) version: u64,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) actor: String,
    /// 9 forbids the UE to come back to the APN, 8 invites it.
    #[serde(default = "disallowed")]
    pub(super) cause: u8,
    /// When the order was given, microseconds of the monotonic clock of `boot`.
    #[serde(default)]
    pub(super) t0: Option<Instant>,
    #[serde(default)]
    pub(super) boot: String,
}

const fn disallowed() -> u8 {
    9
}

/// `POST /v1/emergency-cut`
#[derive(Debug, Deserialize)]
pub(super) struct EmergencyCall {
    pub(super) imsi: Imsi,
    #[serde(default)]
    pub(super) cut: Option<String>,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) actor: String,
}

/// `POST /v1/bars/{imsi}/lift`
#[derive(Debug, Deserialize)]
pub(super) struct LiftCall {
    pub(super) version: u64,
    #[serde(default)]
    pub(super) cut: String,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) actor: String,
}

/// `POST /v1/isolations`
#[derive(Debug, Deserialize)]
pub(super) struct IsolationCall {
    pub(super) imsi: Imsi,
    #[serde(default)]
    pub(super) cut: Option<String>,
    /// None is above every version so far: an isolation that no HSS knows of.
    #[serde(default)]
    pub(super) version: Option<u64>,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) actor: String,
}

/// `POST /v1/delete-session`
#[derive(Debug, Deserialize)]
pub(super) struct DeleteSessionsCall {
    pub(super) imsi: Imsi,
    /// Only the session at this access point.
    #[serde(default)]
    pub(super) apn: Option<Apn>,
    /// Sessions that began later stay: the order may come more than once.
    #[serde(default)]
    pub(super) not_after: Option<WallTime>,
    #[serde(default)]
    pub(super) actor: String,
}

/// `POST /v1/sessions/{id}/delete`; the body may be empty.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DeleteCall {
    #[serde(default)]
    pub(super) actor: String,
}

/// The answer to a cut. Times are microseconds of the monotonic clock of `boot`.
#[derive(Debug, Serialize)]
pub(super) struct CutReply<'a> {
    pub(super) cut: &'a str,
    pub(super) imsi: Imsi,
    pub(super) version: u64,
    pub(super) sessions: u32,
    pub(super) t4: Instant,
    pub(super) t5_uplink: Instant,
    pub(super) t5_downlink: Instant,
    pub(super) last_uplink: Option<Instant>,
    pub(super) last_downlink: Option<Instant>,
    /// Zero when the last packet of every session was before `t0`; not known otherwise.
    pub(super) packets_after_t0: Option<u64>,
    pub(super) purged: u64,
    pub(super) durable: bool,
    /// `none`: the gateway keeps no charging records, so there is no t7.
    pub(super) accounting: &'static str,
    pub(super) boot: &'a str,
    pub(super) instance: String,
}

/// The answer to an isolation or its release.
#[derive(Debug, Serialize)]
pub(super) struct IsolationReply<'a> {
    pub(super) imsi: Imsi,
    pub(super) cut: &'a str,
    pub(super) version: u64,
    /// Whether the SIM is isolated now.
    pub(super) isolated: bool,
    pub(super) was_isolated: bool,
    pub(super) sessions: u32,
    pub(super) t4: Instant,
    pub(super) t5_uplink: Instant,
    pub(super) t5_downlink: Instant,
    pub(super) purged: u64,
    pub(super) durable: bool,
    pub(super) boot: &'a str,
    pub(super) instance: String,
}

/// The answer to a lift.
#[derive(Debug, Serialize)]
pub(super) struct LiftReply<'a> {
    pub(super) imsi: Imsi,
    pub(super) version: u64,
    /// Whether there was a bar.
    pub(super) lifted: bool,
    pub(super) boot: &'a str,
    pub(super) instance: String,
}

/// The answer to a delete-session.
#[derive(Debug, Serialize)]
pub(super) struct DeleteReply<'a> {
    /// The session, when one was named.
    pub(super) id: Option<SessionId>,
    pub(super) imsi: Imsi,
    /// How many ended.
    pub(super) sessions: u32,
    pub(super) t4: Instant,
    pub(super) t5_uplink: Instant,
    pub(super) t5_downlink: Instant,
    pub(super) purged: u64,
    pub(super) durable: bool,
    pub(super) boot: &'a str,
    pub(super) instance: String,
}

/// A row of `GET /v1/bars` or `GET /v1/isolations`.
#[derive(Debug, Serialize)]
pub(super) struct BarView<'a> {
    pub(super) imsi: Imsi,
    pub(super) cut: &'a str,
    pub(super) version: u64,
    pub(super) reason: &'a str,
    pub(super) actor: &'a str,
    pub(super) since: WallTime,
    /// Ordered at this gateway, by somebody who is not an HSS.
    pub(super) local: bool,
}

/// `GET /v1/bars`
#[derive(Debug, Serialize)]
pub(super) struct BarsReply<'a> {
    pub(super) bars: Vec<BarView<'a>>,
    /// For `after`, when there are more.
    pub(super) next: Option<Imsi>,
    pub(super) boot: &'a str,
    pub(super) instance: String,
}

/// `GET /v1/isolations`
#[derive(Debug, Serialize)]
pub(super) struct IsolationsReply<'a> {
    pub(super) isolations: Vec<BarView<'a>>,
    /// For `after`, when there are more.
    pub(super) next: Option<Imsi>,
    pub(super) boot: &'a str,
    pub(super) instance: String,
}

/// `GET /v1/status`
#[derive(Debug, Serialize)]
pub(super) struct StatusReply<'a> {
    pub(super) name: &'a str,
    pub(super) sessions: u32,
    pub(super) bars: usize,
    pub(super) isolations: usize,
    /// Emergency cuts and isolations of this run that no HSS has ordered.
    pub(super) local_orders: u32,
    pub(super) boot: &'a str,
    /// Changes with every start, and with the journal: what the gateway was told may be gone then.
    pub(super) instance: String,
}

/// A session in `GET /v1/sessions`.
#[derive(Debug, Serialize)]
pub(super) struct SessionView<'a> {
    pub(super) id: SessionId,
    pub(super) imsi: Imsi,
    pub(super) msisdn: Option<Msisdn>,
    pub(super) imei: Option<Imei>,
    pub(super) apn: &'a Apn,
    pub(super) tenant: &'a str,
    pub(super) address: UeAddresses,
    pub(super) state: &'static str,
    pub(super) ebi: Ebi,
    pub(super) qci: Qci,
    pub(super) ambr: Option<Ambr>,
    pub(super) sgw: IpAddr,
    pub(super) isolated: bool,
    pub(super) suspended: bool,
    pub(super) tai: Option<Tai>,
    pub(super) worker: u32,
    pub(super) since: WallTime,
}

/// `GET /v1/sessions`
#[derive(Debug, Serialize)]
pub(super) struct SessionsReply<'a> {
    pub(super) sessions: Vec<SessionView<'a>>,
    /// For `after`, when there are more.
    pub(super) next: Option<u32>,
    /// All sessions of the gateway, shown or not.
    pub(super) total: u32,
    pub(super) boot: &'a str,
}

/// `GET /v1/counters`
#[derive(Debug, Serialize)]
pub(super) struct CountersReply<'a> {
    pub(super) sessions: u32,
    pub(super) total: Usage,
    pub(super) refused: RefusalCounts,
    pub(super) workers: Vec<WorkerCounters>,
    pub(super) protections: Protections,
    pub(super) boot: &'a str,
}

/// A session in `GET /v1/counters?imsi=`.
#[derive(Debug, Serialize)]
pub(super) struct SessionUsage {
    pub(super) id: SessionId,
    pub(super) usage: Usage,
}

/// `GET /v1/counters?imsi=`
#[derive(Debug, Serialize)]
pub(super) struct SessionCountersReply<'a> {
    pub(super) imsi: Imsi,
    pub(super) sessions: Vec<SessionUsage>,
    pub(super) boot: &'a str,
}

#[derive(Debug, Serialize)]
struct ErrorReply<'a> {
    error: &'a str,
}

/// What a caller hears whose order came too late: the order that counts.
#[derive(Debug, Serialize)]
struct StaleReply<'a> {
    error: &'a str,
    version: u64,
    /// Whether that one is in force, and not the lift of one.
    in_force: bool,
    local: bool,
    cut: &'a str,
    reason: &'a str,
    actor: &'a str,
    instance: &'a str,
}

/// An answer with a body.
pub(super) fn reply<T: Serialize>(status: u16, body: &T) -> HttpResponse {
    HttpResponse {
        status,
        // Maps of this module have texts for keys and nothing else can fail.
        body: serde_json::to_vec(body).unwrap_or_default(),
        headers: heiiki_types::Headers::default(),
    }
}

/// An answer that says what is wrong.
pub(super) fn error(status: u16, error: &str) -> HttpResponse {
    reply(status, &ErrorReply { error })
}

/// An order came too late: the one that counts is in the answer.
pub(super) fn stale(order: &Order, instance: &str) -> HttpResponse {
    let body = StaleReply {
        error: "a later order for this SIM is in force; its version is given",
        version: order.version,
        in_force: order.standing == Standing::InForce,
        local: order.is_local,
        cut: &order.cut,
        reason: &order.reason,
        actor: &order.actor,
        instance,
    };
    reply(409, &body)
}
