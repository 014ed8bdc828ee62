//! `bench-hss`: measures an HSS process over real sockets, and checks every answer.

mod cuts;
mod histogram;
mod load;
pub(in crate::cli) mod server;
mod sims;
pub(in crate::cli) mod table;
mod vectors;
mod wire;

use core::time::Duration;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Parser, Subcommand, ValueEnum};
use heiiki_net::client;
use heiiki_net::clock::nanos;

use super::failure::{Exit, Failure, Outcome};
use super::out;
use load::Load;
use server::{Folder, Server, Shared};
use sims::Sims;
use table::{Row, float};

/// Measure an HSS: it starts its own `hss` and `pgw` beside this program
///
/// The HSS is pinned to one core and this program, with the gateway, to another. Every answer is
/// checked: result, identifiers, session, and its vector against the SIM's key with an
/// implementation by others; a sequence number that comes twice is an error.
#[derive(Debug, Parser)]
#[command(
    name = "bench-hss",
    version,
    after_help = "\
Examples:
  bench-hss                        a million SIMs, medians of five: several minutes
  bench-hss --size ci              everything once and small; times mean nothing then
  bench-hss --only air --runs 3    one part
  bench-hss --postgres postgresql://hss@127.0.0.1/bench --front-ends 2 --sims 20000 --rate 2000
                                   front ends that share an empty database
  bench-hss --json > figures.json"
)]
pub(super) struct Bench {
    #[command(subcommand)]
    command: Option<Sub>,
    /// How much is measured
    #[arg(long, value_enum, default_value = "full")]
    size: Size,
    /// Subscribers; by the size without it
    #[arg(long, value_name = "N")]
    sims: Option<u32>,
    /// How often each thing is measured; by the size without it
    #[arg(long, value_name = "N")]
    runs: Option<u32>,
    /// How often the whole file is imported; as often as --runs without it
    #[arg(long, value_name = "N")]
    imports: Option<u32>,
    /// Seconds of each run under load; by the size without it
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Requests in flight in the closed loop
    #[arg(long, value_name = "N", default_value_t = 64)]
    window: usize,
    /// Requests a second in the open loop; by the size without it
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// Compute the vector of one answer in so many again; everything else is always checked
    #[arg(long, value_name = "N", default_value_t = 1)]
    verify: u32,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// The core of the HSS
    #[arg(long, value_name = "N", default_value_t = 1)]
    hss_core: usize,
    /// The core of everything else
    #[arg(long, value_name = "N", default_value_t = 0)]
    client_core: usize,
    /// An empty PostgreSQL database for the store, as postgresql://USER@HOST:PORT/DATABASE
    #[arg(long, value_name = "ADDRESS")]
    postgres: Option<String>,
    /// Front ends that share it; each has its share of the load
    #[arg(long, value_name = "N", default_value_t = 1, requires = "postgres",
        value_parser = clap::value_parser!(u8).range(1..=4))]
    front_ends: u8,
    /// Where files and logs go, and stay; a temporary folder without it
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Sub {
    /// Echo what comes, for comparison
    #[command(hide = true)]
    Echo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Size {
    /// A million SIMs
    Full,
    /// Small enough for every commit
    Ci,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Vectors in this process
    Vectors,
    /// Requests in flight on one connection
    Air,
    /// One request at a time, beside a bare echo
    RoundTrip,
    /// Cuts under load
    Cut,
    /// Kill, start, first answer
    Restart,
}

/// The sizes, once the arguments are counted in.
struct Plan {
    sims: u32,
    runs: u32,
    imports: u32,
    time: Duration,
    rate: u64,
    cuts: u32,
}

impl Bench {
    fn plan(&self) -> Plan {
        let full = self.size == Size::Full;
        let pick = |small: u64, large: u64| if full { large } else { small };
        let runs = self.runs.unwrap_or(if full { 5 } else { 1 }).max(1);
        let seconds = self.seconds.map(Duration::from_secs);
        Plan {
            sims: self
                .sims
                .unwrap_or(if full { 1_000_000 } else { 2_000 })
                .max(1_000),
            runs,
            imports: match self.postgres {
                // The database is empty only once.
                Some(_) => 1,
                None => self.imports.unwrap_or(runs).max(1),
            },
            time: seconds.unwrap_or_else(|| Duration::from_millis(pick(200, 4_000))),
            rate: self.rate.unwrap_or_else(|| pick(500, 20_000)).max(1),
            cuts: if full { 200 } else { 20 },
        }
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn say(what: impl core::fmt::Display) {
    table::say("bench-hss", what);
}

pub(super) fn execute(bench: &Bench) -> Outcome {
    if let Some(Sub::Echo) = bench.command {
        return echo();
    }
    let plan = bench.plan();
    server::pin(bench.client_core)?;
    let mut rows = Vec::new();
    let mut sims = Sims::new(plan.sims, bench.verify);
    if bench.wants(Part::Vectors) {
        say("vectors in this process");
        rows.extend(vectors::measure(&sims, plan.runs, plan.time));
    }
    let folder = Folder::make(bench.folder.as_deref())?;
    let mut stage = Stage::start(bench, &plan, &folder, &mut rows)?;
    let mut load = Load::open(stage.hss.address("s6a")?, 1)?;
    let mut others = stage.others(bench, &plan)?;
    if bench.wants(Part::Air) {
        requests(
            bench,
            &stage,
            (&mut load, &mut others),
            &mut sims,
            &plan,
            &mut rows,
        )?;
    }
    if bench.wants(Part::RoundTrip) {
        round_trips(bench, &mut load, &mut sims, &plan, &folder, &mut rows)?;
    }
    if let Some(octets) = stage.hss.memory() {
        let each = float(octets) / f64::from(plan.sims);
        rows.push(Row::new("memory a subscriber", "octets", vec![each]));
    }
    if bench.wants(Part::Cut) {
        cut(
            (&mut load, &mut others),
            &mut sims,
            &plan,
            &stage,
            &folder,
            &mut rows,
        )?;
    }
    let mut answered = load.answered;
    answered += others.iter().map(|o| o.load.answered).sum::<u64>();
    sims.verified += others.iter().map(|o| o.sims.verified).sum::<u64>();
    drop((load, others));
    if bench.wants(Part::Restart) {
        answered += stage.restarts(bench, &mut sims, &plan, &folder, &mut rows)?;
    }
    stage.hss.end()?;
    for hss in stage.others {
        hss.end()?;
    }
    stage.pgw.end()?;
    let notes = [format!(
        "{answered} answers checked, {} vectors computed again by the `milenage` crate",
        sims.verified
    )];
    if bench.json {
        out::line(table::json(&rows, &notes))?;
    } else {
        out::text(&table::text(&rows, &notes))?;
    }
    Ok(Exit::Done)
}

fn echo() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    out::line(format_args!(
        "ready echo address={}",
        listener.local_addr()?
    ))?;
    client::echo(&listener)?;
    Ok(Exit::Done)
}

/// The servers, with their subscribers.
struct Stage {
    hss: Server,
    /// The other front ends.
    others: Vec<Server>,
    pgw: Server,
}

/// What another front end is asked, and what it answers: its sequence numbers are its own.
struct Other {
    load: Load,
    sims: Sims,
}

const SERVE: [&str; 5] = ["serve", "--config", "hss.toml", "--log", "warn"];

impl Stage {
    /// Starts both and imports the subscribers, as often as that is measured.
    fn start(
        bench: &Bench,
        plan: &Plan,
        folder: &Folder,
        rows: &mut Vec<Row>,
    ) -> Result<Self, Failure> {
        folder.forget("hss-data");
        folder.forget("pgw-data");
        folder.write("pgw.toml", &server::pgw_file())?;
        let args = ["serve", "--config", "pgw.toml", "--log", "warn"];
        let pgw = Server::start("pgw", &args, bench.client_core, &folder.path)?;
        let gateway = pgw.address("admin")?;
        let file = |number| {
            let database = bench.postgres.as_deref();
            let shared = database.map(|database| Shared {
                database,
                number,
                of: bench.front_ends,
            });
            server::hss_file(Some(gateway), shared)
        };
        folder.write("hss.toml", &file(0))?;
        for number in 1..bench.front_ends {
            folder.write(&format!("hss-{number}.toml"), &file(number))?;
        }
        say(format_args!("writing a file of {} SIMs", plan.sims));
        sims::write_csv(&folder.path.join("sims.csv"), plan.sims)?;
        let mut seconds = Vec::new();
        loop {
            say("importing it");
            let hss = Server::start("hss", &SERVE, bench.hss_core, &folder.path)?;
            seconds.push(import(&hss, folder)?);
            if seconds.len() >= usize::try_from(plan.imports).unwrap_or(1) {
                rows.push(Row::new("import of the CSV file, durable", "s", seconds));
                let others = (1..bench.front_ends).map(|number| {
                    let config = format!("hss-{number}.toml");
                    let args = ["serve", "--config", &config, "--log", "warn"];
                    Server::start("hss", &args, bench.hss_core, &folder.path)
                });
                return Ok(Self {
                    others: others.collect::<Result<_, _>>()?,
                    hss,
                    pgw,
                });
            }
            hss.end()?;
            folder.forget("hss-data");
        }
    }

    /// Connections to the other front ends.
    fn others(&self, bench: &Bench, plan: &Plan) -> Result<Vec<Other>, Failure> {
        let others = self.others.iter().map(|hss| {
            Ok(Other {
                load: Load::open(hss.address("s6a")?, 1)?,
                sims: Sims::new(plan.sims, bench.verify),
            })
        });
        others.collect()
    }

    /// Processor time of all front ends, in hundredths of a second.
    fn ticks(&self) -> Option<u64> {
        let others: Option<u64> = self.others.iter().map(Server::ticks).sum();
        Some(self.hss.ticks()? + others?)
    }

    /// Kills the HSS, starts it and asks, as often as it is measured. Returns the answers.
    fn restarts(
        &mut self,
        bench: &Bench,
        sims: &mut Sims,
        plan: &Plan,
        folder: &Folder,
        rows: &mut Vec<Row>,
    ) -> Result<u64, Failure> {
        let mut seconds = Vec::new();
        for run in 0..plan.runs {
            say(format_args!("restart {run}"));
            let mut start = 0;
            take_place(&mut self.hss, || {
                start = nanos();
                Server::start("hss", &SERVE, bench.hss_core, &folder.path)
            })?;
            // The connection from before the kill is gone: any state will do.
            Load::open(self.hss.address("s6a")?, 2 + run)?.once(sims)?;
            seconds.push(float(nanos() - start) / 1e9);
        }
        rows.push(Row::new("kill -9, start, first answer", "s", seconds));
        Ok(u64::from(plan.runs))
    }
}

/// Kills a server before its successor starts.
fn take_place(
    server: &mut Server,
    start: impl FnOnce() -> Result<Server, Failure>,
) -> Result<(), Failure> {
    server.kill();
    *server = start()?;
    Ok(())
}

/// Imports the file by the command that an operator uses; seconds until it is durable.
fn import(hss: &Server, folder: &Folder) -> Result<f64, Failure> {
    let wrong = |e: &dyn core::fmt::Display| {
        Failure::failed(
            format!("the import: {e}"),
            "see import.log in the folder of the run",
        )
    };
    let url = format!("http://{}", hss.address("admin")?);
    let own = std::env::current_exe()?.with_file_name("hss");
    let log = std::fs::File::create(folder.path.join("import.log"))?;
    let start = nanos();
    let status = Command::new(own)
        .args(["subscriber", "import", "sims.csv", "--url", &url])
        .args(["--token-file", "hss-token"])
        .current_dir(&folder.path)
        .stdout(Stdio::null())
        .stderr(log)
        .status()
        .map_err(|e| wrong(&e))?;
    if !status.success() {
        return Err(wrong(&status));
    }
    Ok(float(nanos() - start) / 1e9)
}

/// Runs a load at the first front end, and beside it another one at each of the others, whose answers
/// count for the rate.
fn beside(
    others: &mut [Other],
    first: impl FnOnce() -> Result<load::Run, Failure>,
    each: impl Fn(&mut Other) -> Result<load::Run, Failure> + Sync,
) -> Result<load::Run, Failure> {
    std::thread::scope(|scope| {
        let each = &each;
        let threads: Vec<_> = others
            .iter_mut()
            .map(|other| scope.spawn(move || each(other)))
            .collect();
        let mut run = first()?;
        for thread in threads {
            let other = thread.join().unwrap_or_else(|_| {
                let help = "see what it said on standard error";
                Err(Failure::failed("a thread ended".to_owned(), help))
            })?;
            run.answers += other.answers;
            run.times.merge(&other.times);
        }
        Ok(run)
    })
}

fn requests(
    bench: &Bench,
    stage: &Stage,
    (load, others): (&mut Load, &mut [Other]),
    sims: &mut Sims,
    plan: &Plan,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let window = bench.window;
    say(format_args!("{window} in flight at each front end"));
    let mut closed = |time| {
        beside(
            others,
            || load.closed(sims, window, time),
            |other| other.load.closed(&mut other.sims, window, time),
        )
    };
    closed(plan.time / 4)?;
    let (mut rates, mut p99, mut cost) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.runs {
        let before = stage.ticks();
        let run = closed(plan.time)?;
        if let (Some(before), Some(after)) = (before, stage.ticks()) {
            let micros = float(after.saturating_sub(before)) * 1e4;
            cost.push(micros / float(run.answers.max(1)));
        }
        rates.push(run.rate());
        p99.push(float(run.times.quantile(990_000)) / 1e6);
    }
    rows.push(Row::new("AIR, window in flight", "1/s", rates));
    rows.push(Row::new("  99 % of them within", "ms", p99));
    rows.push(Row::new("  processor time of the HSS for one", "us", cost));
    Ok(())
}

fn round_trips(
    bench: &Bench,
    load: &mut Load,
    sims: &mut Sims,
    plan: &Plan,
    folder: &Folder,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    say("one at a time, beside a bare echo");
    let server = Server::start("bench-hss", &["echo"], bench.hss_core, &folder.path)?;
    let address = server.address("address")?;
    let micros = |nanos: u64| float(nanos) / 1e3;
    let mut figures: [Vec<f64>; 6] = Default::default();
    for _ in 0..plan.runs {
        let bare = load::echo(address, plan.time / 2)?;
        let own = load.closed(sims, 1, plan.time / 2)?.times;
        let of = |times: &histogram::Histogram, share| micros(times.quantile(share));
        let [e50, e99, a50, a99, more, ratio] = &mut figures;
        e50.push(of(&bare, 500_000));
        e99.push(of(&bare, 990_000));
        a50.push(of(&own, 500_000));
        a99.push(of(&own, 990_000));
        more.push(of(&own, 500_000) - of(&bare, 500_000));
        ratio.push(of(&own, 990_000) / of(&bare, 990_000));
    }
    drop(server);
    let [e50, e99, a50, a99, more, ratio] = figures;
    rows.push(Row::new("bare TCP echo, p50", "us", e50));
    rows.push(Row::new("bare TCP echo, p99", "us", e99));
    rows.push(Row::new("AIR, 1 in flight, p50", "us", a50));
    rows.push(Row::new("AIR, 1 in flight, p99", "us", a99));
    rows.push(Row::new("  p50 above the echo's", "us", more));
    rows.push(Row::new("  p99 by the echo's", "times", ratio));
    Ok(())
}

fn cut(
    (load, others): (&mut Load, &mut [Other]),
    sims: &mut Sims,
    plan: &Plan,
    stage: &Stage,
    folder: &Folder,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let admin = stage.hss.address("admin")?;
    let (mut t2, mut t4, mut rates, mut p99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..plan.runs {
        say(format_args!("{} requests a second and cuts", plan.rate));
        // The load is shared out; the orders are given to the first front end.
        let rate = plan.rate / (others.len() as u64 + 1);
        let size = (rate, plan.cuts, plan.time);
        let left = plan.sims.saturating_sub(plan.runs * plan.cuts).max(1);
        let mut measured = None;
        let total = beside(
            others,
            || {
                let cuts = cuts::run(load, sims, run, size, admin, &folder.path)?;
                let own = cuts.run.clone();
                measured = Some(cuts);
                Ok(own)
            },
            |other| {
                let load = &mut other.load;
                load.open_loop(&mut other.sims, (rate, left), plan.time, |_| {})
            },
        )?;
        let Some(cuts) = measured else { continue };
        t2.push(high(cuts.t2));
        t4.push(high(cuts.t4));
        rates.push(total.rate());
        p99.push(float(total.times.quantile(990_000)) / 1e6);
    }
    rows.push(Row::new("AIR beside the cuts, open loop", "1/s", rates));
    rows.push(Row::new(
        "  99 % answered after their due time within",
        "ms",
        p99,
    ));
    rows.push(Row::new("cut under load, t2 - t0, p99", "ms", t2));
    rows.push(Row::new("cut under load, t4 - t0, p99", "ms", t4));
    Ok(())
}

/// The 99th of a hundred.
fn high(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * 99).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}
