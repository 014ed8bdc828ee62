//! The JSON of the administrative interface.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_types::{
    Ambr, Apn, Ebi, HttpResponse, Imei, Imsi, Instant, Msisdn, Protections, Qci, WallTime,
};
use serde::{Deserialize, Serialize};

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
    /// Accounting stopped: the sessions' counters are final.
    pub(super) t7: Instant,
    pub(super) last_uplink: Option<Instant>,
    pub(super) last_downlink: Option<Instant>,
    /// Zero when the last packet of every session was before `t0`; not known otherwise.
    pub(super) packets_after_t0: Option<u64>,
    pub(super) purged: u64,
    pub(super) durable: bool,
    pub(super) boot: &'a str,
}

/// The answer to a lift.
#[derive(Debug, Serialize)]
pub(super) struct LiftReply<'a> {
    pub(super) imsi: Imsi,
    pub(super) version: u64,
    /// Whether there was a bar.
    pub(super) lifted: bool,
    pub(super) boot: &'a str,
}

/// The answer to a delete-session.
#[derive(Debug, Serialize)]
pub(super) struct DeleteReply<'a> {
    pub(super) id: SessionId,
    pub(super) t5_uplink: Instant,
    pub(super) t5_downlink: Instant,
    pub(super) t7: Instant,
    pub(super) purged: u64,
    pub(super) durable: bool,
    pub(super) boot: &'a str,
}

/// A bar in `GET /v1/bars`.
#[derive(Debug, Serialize)]
pub(super) struct BarView<'a> {
    pub(super) imsi: Imsi,
    pub(super) cut: &'a str,
    pub(super) version: u64,
    pub(super) reason: &'a str,
    pub(super) actor: &'a str,
    pub(super) since: WallTime,
}

/// `GET /v1/bars`
#[derive(Debug, Serialize)]
pub(super) struct BarsReply<'a> {
    pub(super) bars: Vec<BarView<'a>>,
    pub(super) boot: &'a str,
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
    pub(super) address: Ipv4Addr,
    pub(super) state: &'static str,
    pub(super) ebi: Ebi,
    pub(super) qci: Qci,
    pub(super) ambr: Option<Ambr>,
    pub(super) sgw: IpAddr,
    pub(super) worker: u32,
    pub(super) since: WallTime,
}

/// `GET /v1/sessions`
#[derive(Debug, Serialize)]
pub(super) struct SessionsReply<'a> {
    pub(super) sessions: Vec<SessionView<'a>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
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
    let version = None;
    reply(status, &ErrorReply { error, version })
}

/// An order came too late: the version that counts is in the answer.
pub(super) fn stale(version: u64) -> HttpResponse {
    let body = ErrorReply {
        error: "a later order for this SIM is in force; its version is given",
        version: Some(version),
    };
    reply(409, &body)
}
