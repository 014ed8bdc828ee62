//! How long a cut takes while the HSS is busy.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::Path;
use std::sync::mpsc::channel;

use heiiki_net::http;
use heiiki_types::{Headers, HttpRequest, Method, Token};
use serde_json::Value;

use super::load::{Load, Run};
use super::sims::{FIRST_IMSI, Sims};
use crate::cli::failure::Failure;
use crate::cli::token;
use crate::driver::Runtime;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the cuts came to: milliseconds from t0, one number a cut.
pub(super) struct Cuts {
    /// Until the cancellation was handed to the transport.
    pub(super) t2: Vec<f64>,
    /// Until the bar stood at the gateway.
    pub(super) t4: Vec<f64>,
    pub(super) run: Run,
}

fn failed(what: impl core::fmt::Display) -> Failure {
    Failure::failed(
        format!("a cut: {what}"),
        "see hss.log and pgw.log in the folder of the run",
    )
}

fn request(method: Method, target: String, token: &Token, body: &str) -> HttpRequest {
    HttpRequest {
        method,
        target,
        bearer: Some(token.clone()),
        body: body.as_bytes().to_vec(),
        headers: Headers::default(),
    }
}

/// Cuts as many registered SIMs, evenly over the time, under `rate` requests a second. Each `turn`
/// cuts other SIMs, from the last one down; the load leaves them alone.
pub(super) fn run(
    load: &mut Load,
    sims: &mut Sims,
    turn: u32,
    (rate, count, time): (u64, u32, Duration),
    admin: SocketAddr,
    folder: &Path,
) -> Result<Cuts, Failure> {
    let token = token::read(&folder.join("hss-token")).map_err(|u| failed(u.problem))?;
    let runtime = Runtime::start().map_err(failed)?;
    let all = sims.count().saturating_sub(turn * count);
    let first = all.saturating_sub(count);
    load.register(sims, first..all)?;
    let (answers, answered) = channel();
    let length = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut next = 0;
    let run = load.open_loop(sims, (rate, first.max(1)), time, |elapsed| {
        while next < count && u64::from(next) * length / u64::from(count) <= elapsed {
            let imsi = FIRST_IMSI + u64::from(first + next);
            let target = format!("/v1/subscribers/{imsi:015}/suspend");
            let body = "{\"reason\":\"measured\",\"actor\":\"bench-hss\"}";
            let (call, answers) = (request(Method::Post, target, &token, body), answers.clone());
            runtime.handle().spawn(async move {
                let _ = answers.send(http::call(admin, &call, TIMEOUT).await);
            });
            next += 1;
        }
    })?;
    drop(answers);
    let mut ids = Vec::new();
    for answer in answered {
        let answer = answer.map_err(failed)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match body.get("cut").and_then(Value::as_str) {
            Some(id) if (200..300).contains(&answer.status) => ids.push(id.to_owned()),
            _ => return Err(failed(format!("refused: {} {body}", answer.status))),
        }
    }
    // Cancellations that came last are still to be answered.
    load.once(sims)?;
    let mut cuts = Cuts {
        t2: Vec::new(),
        t4: Vec::new(),
        run,
    };
    for id in ids {
        let call = request(Method::Get, format!("/v1/cuts/{id}"), &token, "");
        let answer = runtime
            .wait(async move { http::call(admin, &call, TIMEOUT).await })
            .and_then(|a| a)
            .map_err(failed)?;
        let cut: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let stamp = |name: &str| cut.get(name).and_then(Value::as_u64);
        let since =
            |name: &str| Some(super::float(stamp(name)?.saturating_sub(stamp("t0")?)) / 1e3);
        let (Some(t2), Some(t4)) = (since("t2"), since("t4")) else {
            return Err(failed(format!("{id} has no t2 or t4: {cut}")));
        };
        cuts.t2.push(t2);
        cuts.t4.push(t4);
    }
    Ok(cuts)
}
