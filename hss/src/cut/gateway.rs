//! What is said between the HSS and a gateway: `POST /v1/bars` and its lift.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{HttpRequest, HttpResponse, Imsi, Instant, Method, Token};
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
}

/// What a gateway says when it does not take an order.
#[derive(Deserialize)]
struct Overruled {
    version: u64,
}

/// Why a gateway has not done its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is to be told again.
    Again(String),
    /// It has a later order for the SIM, by this version: telling it again changes nothing.
    Overruled(u64),
}

impl Trouble {
    fn again(why: &str) -> Self {
        Self::Again(String::from(why))
    }
}

/// The call that carries an order to a gateway.
pub(crate) fn request(cut: &Cut, token: &Token) -> HttpRequest {
    let version = cut.id().version();
    let (target, body) = if cut.verb.is_cut() {
        let bar = Bar {
            imsi: cut.imsi,
            cut: cut.id(),
            version,
            verb: cut.verb,
            reason: &cut.reason,
            actor: &cut.actor,
            cause: REACTIVATION_DISALLOWED,
            t0: cut.t0,
            boot: &cut.boot,
        };
        (String::from("/v1/bars"), serde_json::to_vec(&bar))
    } else {
        let lift = Lift {
            cut: cut.id(),
            version,
            reason: &cut.reason,
            actor: &cut.actor,
        };
        let target = format!("/v1/bars/{}/lift", cut.imsi);
        (target, serde_json::to_vec(&lift))
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
        && let Ok(Overruled { version }) = serde_json::from_slice(&response.body)
    {
        return Err(Trouble::Overruled(version));
    }
    // A gateway that knows of no bar has nothing to lift.
    let nothing_to_lift = !cut.verb.is_cut() && response.status == 404;
    if !nothing_to_lift && !(200..300).contains(&response.status) {
        let why = match response.status {
            401 | 403 => ": the token of the cut-only role is not the gateway's",
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
    if cut.verb.is_cut() && (t5_uplink.is_none() || t5_downlink.is_none()) {
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
