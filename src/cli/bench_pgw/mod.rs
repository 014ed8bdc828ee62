//! `bench-pgw`: measures a gateway process over real sockets, and counts every packet at both ends.

mod drain;
mod life;
mod packet;
mod plane;
mod sgw;
mod stage;
mod tcp;
mod traffic;

use core::time::Duration;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::bench::server::{Folder, pin};
use super::bench::table::{self, float};
use super::failure::{Exit, Failure, Outcome};
use super::out;
use sgw::Sgw;
use stage::Stage;
use traffic::Plane;

/// Measure a gateway: it starts its own `pgw` beside this program
///
/// The gateway is pinned to one core and this program, which plays the SGW and its UEs, to another.
/// Every packet is counted where it leaves and where it arrives, and checked where it arrives
/// downlink; every answer is checked. An error ends the run.
#[derive(Debug, Parser)]
#[command(
    name = "bench-pgw",
    version,
    after_help = "\
Examples:
  bench-pgw                          everything, medians of five: several minutes
  bench-pgw --size ci                everything once and small; times mean nothing then
  bench-pgw --only uplink --runs 3   one part
  bench-pgw --json > figures.json"
)]
pub(super) struct Bench {
    #[command(subcommand)]
    command: Option<Sub>,
    /// How much is measured
    #[arg(long, value_enum, default_value = "full")]
    size: Size,
    /// How often each thing is measured; by the size without it
    #[arg(long, value_name = "N")]
    runs: Option<u32>,
    /// Milliseconds of each run of traffic; by the size without it
    #[arg(long, value_name = "MS")]
    millis: Option<u64>,
    /// Sessions that traffic belongs to
    #[arg(long, value_name = "N", default_value_t = 100)]
    sessions: usize,
    /// Sessions of the parts about many of them; by the size without it
    #[arg(long, value_name = "N")]
    many: Option<usize>,
    /// Create Session Requests in flight
    #[arg(long, value_name = "N", default_value_t = 256)]
    window: usize,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// The core of the gateway
    #[arg(long, value_name = "N", default_value_t = 1)]
    pgw_core: usize,
    /// The core of everything else
    #[arg(long, value_name = "N", default_value_t = 0)]
    client_core: usize,
    /// Where files and logs go, and stay; a temporary folder without it
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// The services of the host behind the gateway, as in its file
    #[arg(
        long,
        hide = true,
        default_value = "\"http\", \"echo\", \"throughput\""
    )]
    services: String,
    /// Send uplink traffic to this address, where nobody counts it
    #[arg(long, hide = true)]
    nowhere: Option<core::net::Ipv4Addr>,
}

#[derive(Clone, Debug, Subcommand)]
enum Sub {
    /// Receive and count, for comparison
    #[command(hide = true)]
    Drain {
        /// Where
        address: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Size {
    /// Up to a million sessions
    Full,
    /// Small enough for every commit
    Ci,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// 1,400 octets from UEs into the segment
    Uplink,
    /// 1,400 octets from the segment to UEs
    Downlink,
    /// Simple IMIX both ways
    Imix,
    /// TCP through the tunnel
    Tcp,
    /// Create Session Requests
    Create,
    /// Memory of many sessions
    Memory,
    /// Kill, start, first packet
    Restart,
    /// Cuts
    Cut,
}

/// The sizes, once the arguments are counted in.
struct Plan {
    runs: u32,
    time: Duration,
    sessions: usize,
    /// For the memory of many: a part, and all.
    many: [usize; 2],
    /// Connections at once.
    flows: usize,
    /// For a restart, and a cut of all.
    restored: usize,
    created: usize,
    cuts: usize,
}

impl Bench {
    fn plan(&self) -> Plan {
        let full = self.size == Size::Full;
        let pick = |small: usize, large: usize| if full { large } else { small };
        let millis = self.millis.unwrap_or(if full { 2_000 } else { 100 });
        let many = self.many;
        Plan {
            runs: self.runs.unwrap_or(if full { 5 } else { 1 }).max(1),
            time: Duration::from_millis(millis),
            sessions: self.sessions.max(1),
            many: [
                many.unwrap_or_else(|| pick(500, 100_000)),
                many.unwrap_or_else(|| pick(1_000, 1_000_000)),
            ],
            flows: pick(20, 1_000),
            restored: many.unwrap_or_else(|| pick(500, 60_000)),
            created: many.unwrap_or_else(|| pick(500, 100_000)),
            cuts: pick(10, 200),
        }
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn say(what: impl core::fmt::Display) {
    table::say("bench-pgw", what);
}

pub(super) fn execute(bench: &Bench) -> Outcome {
    if let Some(Sub::Drain { address }) = &bench.command {
        return drain::run(address);
    }
    let plan = bench.plan();
    pin(bench.client_core)?;
    let folder = Folder::make(bench.folder.as_deref())?;
    let mut rows = Vec::new();
    let mut checked = Checked::default();
    let traffic = [Part::Uplink, Part::Downlink, Part::Imix, Part::Tcp];
    if traffic.iter().any(|p| bench.wants(*p)) {
        let stage = Stage::start(&folder, bench.pgw_core, &bench.services)?;
        let mut sgw = Sgw::open(&stage)?;
        let tcp = if bench.wants(Part::Tcp) {
            plan.flows
        } else {
            0
        };
        sgw.create(plan.sessions.max(tcp), bench.window)?;
        let plane = Plane::open(stage.sgw(2_152), stage.gateway(2_152))?;
        let mut run = plane::Run {
            bench,
            plan: &plan,
            stage,
            sgw,
            plane,
            folder: &folder,
            rows: &mut rows,
            checked: &mut checked,
            port: 10_000,
        };
        run.all()?;
        run.stage.server.end()?;
    }
    life::measure(bench, &plan, &folder, &mut rows)?;
    let notes = [format!(
        "{} packets counted at both ends uplink, {} checked downlink",
        checked.uplink, checked.downlink
    )];
    if bench.json {
        out::line(table::json(&rows, &notes))?;
    } else {
        out::text(&table::text(&rows, &notes))?;
    }
    Ok(Exit::Done)
}

/// Packets that both ends agree on.
#[derive(Clone, Copy, Debug, Default)]
struct Checked {
    uplink: u64,
    downlink: u64,
}

/// Fails a run that found something wrong.
fn must(good: bool, what: impl core::fmt::Display) -> Result<(), Failure> {
    if good {
        Ok(())
    } else {
        Err(stage::failed(what))
    }
}
