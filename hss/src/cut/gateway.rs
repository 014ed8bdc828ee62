//! What is said between the HSS and a gateway: `POST /v1/bars` and its lift.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{HttpRequest, HttpResponse, Imsi, Instant, Method, Token, WallTime};
use serde::{Deserialize, Serialize};

use super::{Cut, CutId, GatewayAnswer};
use crate::subscriber::Verb;

/// GTPv2 cause of the bearers' deletion: "PDN reactivation to this APN disallowed"
/// (TS 29.274 Table 8.4-1). "Reactivation requested" would call the UE back.
const REACTIVATION_DISALLOWED: u8 = 9;

#[derive(Serialize)]
struct Bar<'a> {
    imsi: Imsi,
    cut: CutId,
    version: u64,
    verb: Verb,
    reason: &'a str,
    actor: &'a str,
    cause: u8,
    /// t0, on the clock of `boot`: the gateway counts what it forwarded after it.
    t0: Instant,
    boot: &'a str,
}

#[derive(Serialize)]
struct Isolation<'a> {
    imsi: Imsi,
    cut: CutId,
    version: u64,
    reason: &'a str,
    actor: &'a str,
}

#[derive(Serialize)]
struct Deletion<'a> {
    imsi: Imsi,
    /// Sessions that began later stay: the call may have to be said again.
    not_after: WallTime,
    actor: &'a str,
}

#[derive(Serialize)]
struct Lift<'a> {
    cut: CutId,
    version: u64,
    reason: &'a str,
    actor: &'a str,
}

/// What a gateway answers to a bar or a lift; unknown members do not matter.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    sessions: u64,
    t4: Option<u64>,
    t5_uplink: Option<u64>,
    t5_downlink: Option<u64>,
    t7: Option<u64>,
    boot: String,
    packets_after_t0: Option<u64>,
    purged: Option<u64>,
    accounting: String,
    pub(super) instance: String,
}

/// What a gateway says when it does not take an order: the one that counts there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Overruled {
    pub(crate) version: u64,
    /// Whether that one is in force, and not the lift of one.
    #[serde(default = "in_force")]
    pub(crate) in_force: bool,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) actor: String,
}

const fn in_force() -> bool {
    true
}

/// The instance of its journal that a gateway names in an answer.
pub(crate) fn instance(response: &HttpResponse) -> Option<String> {
    let answer: Answer = serde_json::from_slice(&response.body).ok()?;
    Some(answer.instance).filter(|i| !i.is_empty())
}

/// Why a gateway has not done its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is to be told again.
    Again(String),
    /// It has a later order for the SIM: telling it again changes nothing.
    Overruled(Overruled),
}

impl Trouble {
    fn again(why: &str) -> Self {
        Self::Again(String::from(why))
    }
}

/// The call that carries an order to a gateway.
pub(crate) fn request(cut: &Cut, token: &Token) -> HttpRequest {
    let (id, version) = (cut.id(), cut.version);
    let (imsi, reason, actor) = (cut.imsi, &cut.reason, &cut.actor);
    let lift = Lift {
        cut: id,
        version,
        reason,
        actor,
    };
    let (target, body) = match cut.verb {
        Verb::Pause | Verb::Suspend | Verb::Terminate => {
            let bar = Bar {
                imsi,
                cut: id,
                version,
                verb: cut.verb,
                reason,
                actor,
                cause: REACTIVATION_DISALLOWED,
                t0: cut.t0,
                boot: &cut.boot,
            };
            (String::from("/v1/bars"), serde_json::to_vec(&bar))
        }
        Verb::Isolate => {
            let isolation = Isolation {
                imsi,
                cut: id,
                version,
                reason,
                actor,
            };
            let target = String::from("/v1/isolations");
            (target, serde_json::to_vec(&isolation))
        }
        Verb::DeleteSession => {
            let deletion = Deletion {
                imsi,
                not_after: cut.wall,
                actor,
            };
            let target = String::from("/v1/delete-session");
            (target, serde_json::to_vec(&deletion))
        }
        Verb::Resume => (format!("/v1/bars/{imsi}/lift"), serde_json::to_vec(&lift)),
        Verb::Release => {
            let target = format!("/v1/isolations/{imsi}/release");
            (target, serde_json::to_vec(&lift))
        }
    };
    HttpRequest {
        method: Method::Post,
        target,
        bearer: Some(token.clone()),
        body: body.unwrap_or_default(),
        headers: heiiki_types::Headers::default(),
    }
}

/// What the gateway's answer says, or why it is none.
pub(crate) fn read(
    cut: &Cut,
    boot: &str,
    at: Instant,
    response: &HttpResponse,
) -> Result<GatewayAnswer, Trouble> {
    if response.status == 409
        && let Ok(overruled) = serde_json::from_slice(&response.body)
    {
        return Err(Trouble::Overruled(overruled));
    }
    // A gateway that knows of no bar has nothing to lift.
    let nothing_to_lift = !cut.verb.takes_away() && response.status == 404;
    if !nothing_to_lift && !(200..300).contains(&response.status) {
        let why = match response.status {
            401 | 403 => ": the token is not the gateway's, or may not do this",
            507 => ": it keeps as many orders as it can, and this one is not in force",
            _ => "",
        };
        return Err(Trouble::Again(format!("status {}{why}", response.status)));
    }
    let answer: Answer = if nothing_to_lift {
        Answer::default()
    } else {
        serde_json::from_slice(&response.body)
            .map_err(|_| Trouble::again("the answer is not the JSON of a bar"))?
    };
    let stamp = |micros: Option<u64>| micros.map(Instant::from_micros);
    // Without a session there is no packet in flight: the bar alone is the boundary.
    let bar_is_enough = answer.t4.filter(|_| answer.sessions == 0);
    let (t5_uplink, t5_downlink) = (
        answer.t5_uplink.or(bar_is_enough),
        answer.t5_downlink.or(bar_is_enough),
    );
    if cut.verb.takes_away() && (t5_uplink.is_none() || t5_downlink.is_none()) {
        return Err(Trouble::again(
            "the answer does not say that the workers are past the bar",
        ));
    }
    Ok(GatewayAnswer {
        at,
        comparable: !boot.is_empty() && answer.boot == boot,
        same_boot: cut.boot == boot,
        sessions: answer.sessions,
        t4: stamp(answer.t4),
        t5_uplink: stamp(t5_uplink),
        t5_downlink: stamp(t5_downlink),
        t7: stamp(answer.t7),
        packets_after_t0: answer.packets_after_t0,
        purged: answer.purged,
        accounting: answer.t7.is_some() || !matches!(answer.accounting.as_str(), "" | "none"),
    })
}

/// The gateways that serve some of `apns`, and the access points that none serves.
pub(crate) fn of_apns<'a, 'b>(
    gateways: &'a [crate::config::Gateway],
    apns: impl Iterator<Item = &'b heiiki_types::Apn> + Clone,
) -> (Vec<&'a crate::config::Gateway>, Vec<String>) {
    let serving = gateways
        .iter()
        .filter(|g| apns.clone().any(|apn| g.apns.contains(apn)))
        .collect();
    let unlisted = apns
        .filter(|apn| !gateways.iter().any(|g| g.apns.contains(apn)))
        .map(|apn| String::from(apn.as_str()))
        .collect();
    (serving, unlisted)
}
