//! `heiiki-soak`: the swarm over as many seeds as somebody has time for.

use core::time::Duration;
use std::io::{self, IsTerminal, Write as _};

use clap::{Parser, Subcommand};
use heiiki_net::clock::monotonic;

use super::failure::{Exit, Failure, Outcome};
use super::out;
use crate::swarm::{self, crossing, diameter, gtp};

/// Random operations on random labs in virtual time, with the invariants after every step.
///
/// Each seed draws a lab, its links and its operations. A seed that fails is printed with the end
/// of its log and with the command that shows it again.
#[derive(Debug, Parser)]
#[command(
    name = "heiiki-soak",
    version,
    after_help = "Examples:
  heiiki-soak                          a hundred seeds
  heiiki-soak --from 5000 --seeds 1000 others
  heiiki-soak --minutes 60             as many as an hour has
  heiiki-soak --from 42 --seeds 1 --log  one seed, with its whole log
  heiiki-soak diameter                   ten million broken Diameter messages
  heiiki-soak gtp                        ten million broken GTP-C and GTP-U messages
  heiiki-soak crossing --seeds 1000      two tenants with the same addresses"
)]
pub(super) struct Soak {
    /// How many seeds to run; without it 100, or as many as fit into --minutes
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u64,
    /// Operations of each seed
    #[arg(long, value_name = "N", default_value_t = swarm::OPERATIONS)]
    ops: usize,
    /// Begin no seed after this many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
    /// Write the log of every seed to the standard output, one entry a line
    #[arg(long)]
    log: bool,
    #[command(subcommand)]
    what: Option<What>,
}

/// Another long run.
#[derive(Debug, Subcommand)]
enum What {
    /// Broken Diameter messages against an HSS: none may stop it, and nothing in it may grow
    Diameter {
        /// How many messages
        #[arg(long, value_name = "N", default_value_t = 10_000_000)]
        messages: u64,
        /// What they are drawn from
        #[arg(long, value_name = "SEED", default_value_t = 1)]
        seed: u64,
    },
    /// Broken GTP-C and GTP-U messages against a gateway: none may stop it, and nothing in it may
    /// grow
    Gtp {
        /// How many messages
        #[arg(long, value_name = "N", default_value_t = 10_000_000)]
        messages: u64,
        /// What they are drawn from
        #[arg(long, value_name = "SEED", default_value_t = 1)]
        seed: u64,
    },
    /// Random packets of two tenants with the same addresses: not one may cross
    Crossing {
        /// How many seeds
        #[arg(long, value_name = "N", default_value_t = SEEDS)]
        seeds: u64,
        /// The first seed
        #[arg(long, value_name = "SEED", default_value_t = 0)]
        from: u64,
        /// Packets of each seed
        #[arg(long, value_name = "N", default_value_t = crossing::PACKETS)]
        packets: u64,
    },
}

/// What the seeds came to.
#[derive(Default)]
struct Tally {
    seeds: u64,
    failed: Vec<u64>,
    attaches: usize,
    steps: u64,
    virtual_time: Duration,
}

/// Seeds when nobody says how many, or for how long.
const SEEDS: u64 = 100;

pub(super) fn execute(soak: &Soak) -> Outcome {
    match &soak.what {
        Some(What::Diameter { messages, seed }) => {
            return flood("diameter", *seed, *messages, |each| {
                let flood = diameter::flood(*seed, *messages, |so_far| each(so_far.messages));
                flood.map(|flood| flood.to_string())
            });
        }
        Some(What::Gtp { messages, seed }) => {
            return flood("gtp", *seed, *messages, |each| {
                let flood = gtp::flood(*seed, *messages, |so_far| each(so_far.messages));
                flood.map(|flood| flood.to_string())
            });
        }
        Some(What::Crossing {
            seeds,
            from,
            packets,
        }) => return cross(*from, *seeds, *packets),
        None => {}
    }
    let start = monotonic();
    let deadline = soak
        .minutes
        .map(|m| start + Duration::from_mins(m.min(1_000_000)));
    let seeds = match (soak.seeds, soak.minutes) {
        (Some(seeds), _) => seeds,
        (None, Some(_)) => u64::MAX,
        (None, None) => SEEDS,
    };
    let last = soak.from.checked_add(seeds.saturating_sub(1));
    let last = match (last, soak.seeds) {
        (Some(last), _) => last,
        (None, None) => u64::MAX,
        (None, Some(_)) => {
            return Err(Failure::usage(
                "there are not so many seeds after that one",
                "a seed is below 2^64: choose a lower --from or fewer --seeds",
            ));
        }
    };
    let mut tally = Tally::default();
    // A node that panics is reported with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    for seed in (soak.from..=last).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
        if deadline.is_some_and(|at| monotonic() >= at) {
            break;
        }
        run(soak, seed, &mut tally)?;
        progress(&tally, seeds, monotonic().since(start));
    }
    finish(soak, &tally, monotonic().since(start))
}

/// How much more memory the process may take at the end than after the first tenth.
const GROWTH: u64 = 16 << 20;

/// Two tenants, for each seed.
fn cross(from: u64, seeds: u64, packets: u64) -> Outcome {
    let start = monotonic();
    let mut sum = crossing::Crossing::default();
    let mut exit = Exit::Done;
    for seed in (from..).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
        match crossing::cross(seed, packets) {
            Ok(run) => sum.add(&run),
            Err(what) => {
                exit = Exit::Failed;
                out::line(format_args!(
                    "{what}\n  again: heiiki-soak crossing --from {seed} --seeds 1 --packets {packets}"
                ))?;
            }
        }
    }
    out::line(format_args!(
        "{seeds} seeds: {sum}; {} s",
        monotonic().since(start).as_secs()
    ))?;
    Ok(exit)
}

/// Runs a flood, which says how far it is, and looks at the memory.
fn flood(
    name: &str,
    seed: u64,
    messages: u64,
    run: impl FnOnce(&mut dyn FnMut(u64)) -> Result<String, String>,
) -> Outcome {
    let start = monotonic();
    let mut early = None;
    let flood = run(&mut |so_far: u64| {
        if early.is_none() && so_far >= messages / 10 {
            early = resident();
        }
        let err = io::stderr();
        if err.is_terminal() && so_far.is_multiple_of(100_000) {
            let share = so_far * 100 / messages.max(1);
            // Nobody is left to tell when this fails.
            let _ = write!(err.lock(), "\r\x1b[K{share} %");
        }
    });
    clear_progress();
    let took = monotonic().since(start).as_secs();
    let flood = match flood {
        Ok(flood) => flood,
        Err(what) => {
            out::line(format_args!(
                "{what}\n  again: heiiki-soak {name} --seed {seed}"
            ))?;
            return Ok(Exit::Failed);
        }
    };
    out::line(format_args!("{flood}; {took} s"))?;
    let (Some(early), Some(late)) = (early, resident()) else {
        return Ok(Exit::Done);
    };
    out::line(format_args!(
        "memory: {} KiB after a tenth, {} KiB at the end",
        early >> 10,
        late >> 10
    ))?;
    Ok(if late > early + GROWTH {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// Octets of memory that the process has, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|l| l.starts_with("VmRSS:"))?;
    let kib = line.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    Some(kib << 10)
}

fn run(soak: &Soak, seed: u64, tally: &mut Tally) -> Result<(), Failure> {
    let mut written = Ok(());
    let report = swarm::run_logged(seed, soak.ops, |line| {
        if soak.log && written.is_ok() {
            written = out::line(line);
        }
    });
    written?;
    tally.seeds += 1;
    match report {
        Ok(report) => {
            tally.attaches += report.attaches;
            tally.steps += report.steps;
            tally.virtual_time += report.virtual_time;
        }
        Err(failure) => {
            tally.failed.push(seed);
            clear_progress();
            out::line(&failure)?;
            out::line(reproduce(seed, soak.ops))?;
        }
    }
    Ok(())
}

fn reproduce(seed: u64, operations: usize) -> String {
    format!("  again: heiiki-soak --from {seed} --seeds 1 --ops {operations} --log")
}

fn finish(soak: &Soak, tally: &Tally, took: Duration) -> Outcome {
    clear_progress();
    let Tally {
        seeds,
        failed,
        attaches,
        steps,
        virtual_time,
    } = tally;
    let hours = virtual_time.as_secs() / 3_600;
    out::line(format_args!(
        "{seeds} seeds of {} operations: {attaches} attaches, {steps} steps, {hours} h of virtual time in {} s",
        soak.ops,
        took.as_secs()
    ))?;
    if failed.is_empty() {
        out::line("every invariant held")?;
        return Ok(Exit::Done);
    }
    let list: Vec<String> = failed.iter().map(u64::to_string).collect();
    out::line(format_args!("{} failed: {}", failed.len(), list.join(" ")))?;
    Ok(Exit::Failed)
}

/// A line for a person who waits, written over by the next one.
fn progress(tally: &Tally, seeds: u64, elapsed: Duration) {
    let err = io::stderr();
    if !err.is_terminal() {
        return;
    }
    let of = match seeds {
        u64::MAX => String::new(),
        seeds => format!(" of {seeds}"),
    };
    // Nobody is left to tell when this fails.
    let _ = write!(
        err.lock(),
        "\r\x1b[K{}{of} seeds, {} failed, {} s",
        tally.seeds,
        tally.failed.len(),
        elapsed.as_secs()
    );
}

fn clear_progress() {
    let err = io::stderr();
    if err.is_terminal() {
        let _ = write!(err.lock(), "\r\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_see_a_failure_again_reads_back() {
        let line = reproduce(42, 300);
        let words = line.trim().trim_start_matches("again: ").split(' ');
        let soak = Soak::try_parse_from(words).unwrap();
        assert_eq!((soak.from, soak.seeds, soak.ops), (42, Some(1), 300));
        assert!(soak.log);
    }

    #[test]
    fn a_short_soak_passes() {
        let soak = Soak::parse_from(["heiiki-soak", "--seeds", "1", "--ops", "5"]);
        assert!(matches!(execute(&soak), Ok(Exit::Done)));
    }
}
