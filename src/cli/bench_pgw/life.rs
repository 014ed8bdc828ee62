//! The parts about many sessions: how fast they are made, what they cost, how they come back and
//! how they are cut.

use heiiki_net::clock::{self, nanos};
use heiiki_types::Method;
use serde_json::{Value, json};

use super::sgw::{Sgw, imsi};
use super::stage::{Stage, failed};
use super::traffic::Plane;
use super::{Bench, Part, Plan, float, must, say};
use crate::cli::bench::server::Folder;
use crate::cli::bench::table::Row;
use crate::cli::failure::Failure;

pub(super) fn measure(
    bench: &Bench,
    plan: &Plan,
    folder: &Folder,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    if bench.wants(Part::Create) {
        create(bench, plan, folder, rows)?;
    }
    if bench.wants(Part::Memory) {
        memory(bench, plan, folder, rows)?;
    }
    if bench.wants(Part::Restart) {
        restart(bench, plan, folder, rows)?;
    }
    if bench.wants(Part::Cut) {
        cut_one(bench, plan, folder, rows)?;
    }
    Ok(())
}

fn create(bench: &Bench, plan: &Plan, folder: &Folder, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for run in 0..plan.runs {
        say(format_args!(
            "making {} sessions ({})",
            plan.created,
            run + 1
        ));
        let stage = Stage::start(folder, bench.pgw_core, &bench.services)?;
        let mut sgw = Sgw::open(&stage)?;
        let cpu = stage.server.cpu().unwrap_or(0);
        let made = sgw.create(plan.created, bench.window)?;
        let cpu = stage.server.cpu().unwrap_or(0).saturating_sub(cpu);
        must(made.again == 0, "requests had to be sent again")?;
        let count = float(u64::try_from(plan.created).unwrap_or(1));
        rates.push(count / made.seconds);
        costs.push(float(cpu) / count / 1e3);
        stage.server.end()?;
    }
    rows.push(Row::new("Create Session, window in flight", "1/s", rates));
    rows.push(Row::new(
        "  processor time of the gateway for one",
        "us",
        costs,
    ));
    Ok(())
}

fn memory(bench: &Bench, plan: &Plan, folder: &Folder, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let stage = Stage::start(folder, bench.pgw_core, &bench.services)?;
    let mut sgw = Sgw::open(&stage)?;
    let empty = stage.server.memory().unwrap_or(0);
    for (count, name) in plan.many.into_iter().zip([
        "memory a session, part of them",
        "memory a session, all of them",
    ]) {
        say(format_args!("making {count} sessions for their memory"));
        sgw.create(count, bench.window)?;
        let used = stage.server.memory().unwrap_or(0).saturating_sub(empty);
        let each = float(used) / float(u64::try_from(count).unwrap_or(1));
        rows.push(Row::new(name, "octets", vec![each]));
    }
    stage.server.end()
}

fn restart(
    bench: &Bench,
    plan: &Plan,
    folder: &Folder,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let mut stage = Stage::start(folder, bench.pgw_core, &bench.services)?;
    let mut sgw = Sgw::open(&stage)?;
    say(format_args!("making {} sessions to restore", plan.restored));
    sgw.create(plan.restored, bench.window)?;
    let mut plane = Plane::open(stage.sgw(2_152), stage.gateway(2_152))?;
    let last = sgw.sessions.last().copied();
    let last = last.ok_or_else(|| failed("there is no session"))?;
    let mut seconds = Vec::new();
    for run in 0..plan.runs {
        say(format_args!("restart ({})", run + 1));
        plane.echo(last)?;
        stage.server.kill();
        let start = nanos();
        stage.restart(folder)?;
        plane.echo(last)?;
        seconds.push(float(nanos() - start) / 1e9);
        let status = stage.call(folder, Method::Get, "/v1/status", &Value::Null)?;
        let restored = status.get("sessions").and_then(Value::as_u64);
        must(
            restored == u64::try_from(plan.restored).ok(),
            format_args!("{restored:?} sessions came back"),
        )?;
    }
    rows.push(Row::new(
        "kill -9, start, first packet through",
        "s",
        seconds,
    ));
    stage.server.end()
}

fn cut_one(
    bench: &Bench,
    plan: &Plan,
    folder: &Folder,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let stage = Stage::start(folder, bench.pgw_core, &bench.services)?;
    let mut sgw = Sgw::open(&stage)?;
    say("cuts of one session");
    sgw.create(
        plan.cuts * usize::try_from(plan.runs).unwrap_or(1),
        bench.window,
    )?;
    let boot = clock::boot_id();
    let mut p99 = Vec::new();
    let mut number = 0;
    for _ in 0..plan.runs {
        let mut times = Vec::new();
        for _ in 0..plan.cuts {
            let t0 = clock::monotonic();
            let body = json!({
                "imsi": imsi(number), "cut": format!("bench-{number}"), "version": number + 1,
                "actor": "bench-pgw", "t0": t0, "boot": boot,
            });
            let answer = stage.call(folder, Method::Post, "/v1/bars", &body)?;
            let stamp = |name| answer.get(name).and_then(Value::as_u64);
            let t5 = stamp("t5_uplink").max(stamp("t5_downlink"));
            let t5 = t5.ok_or_else(|| failed(format!("a cut has no t5: {answer}")))?;
            must(
                stamp("sessions") == Some(1),
                "a cut did not find its session",
            )?;
            times.push(float(t5.saturating_sub(t0.as_micros())) / 1e3);
            number += 1;
        }
        times.sort_by(f64::total_cmp);
        let place = (times.len() * 99).div_ceil(100).saturating_sub(1);
        p99.push(times.get(place).copied().unwrap_or(f64::NAN));
    }
    rows.push(Row::new("cut of one session, t5 - t0, p99", "ms", p99));
    sgw.drain()?;
    stage.server.end()
}
