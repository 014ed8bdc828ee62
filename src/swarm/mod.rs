//! A swarm: many random operations on a random lab in virtual time, with the invariants after
//! every step.
//!
//! One seed draws the lab, its links and every operation, so a run that failed fails again:
//!
//! ```
//! let report = heiiki::swarm::run(7, 20)?;
//! assert_eq!(heiiki::swarm::run(7, 20)?.log_hash, report.log_hash);
//! # Ok::<(), Box<heiiki::swarm::Failure>>(())
//! ```
//!
//! After the operations the links heal, nodes that are down come back, and every SIM that may
//! attach has to; then all of them leave, time passes, and nothing may be left.

pub mod crossing;
pub mod diameter;
mod finish;
mod gateway;
pub mod gtp;
mod hostile;
mod mutate;
mod operation;
mod plan;
mod traffic;

use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;

use std::collections::BTreeSet;

use heiiki_types::{Imsi, Instant, Rng};
use heiiki_ue_sim::{Event as UeEvent, UeCommand};

use crate::lab::{Lab, Network};
use crate::log::NodeEvent;
use crate::plan::NodeName;
use crate::world::World;

/// How many operations a run has when nobody says otherwise.
pub const OPERATIONS: usize = 120;
/// How much of the log a failure shows.
const LAST_LINES: usize = 30;

/// What a run was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it was drawn from.
    pub seed: u64,
    /// Operations carried out.
    pub operations: usize,
    /// Things that happened one after the other.
    pub steps: u64,
    /// How long it was in its own time.
    pub virtual_time: Duration,
    /// Entries of the log.
    pub entries: usize,
    /// How often a UE was attached.
    pub attaches: usize,
    /// A hash of the whole log, FNV-1a: the same for the same seed.
    pub log_hash: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} operations, {} attaches, {} steps, {} log entries, {} s, log {:016x}",
            self.seed,
            self.operations,
            self.attaches,
            self.steps,
            self.entries,
            self.virtual_time.as_secs(),
            self.log_hash
        )
    }
}

/// Why a run failed: an invariant broke, a node panicked, or the network did not recover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the run was drawn from.
    pub seed: u64,
    /// How many operations it was to have. Fewer would end it before, so both reproduce it.
    pub operations: usize,
    /// How many were begun.
    pub done: usize,
    /// When it failed.
    pub at: Instant,
    /// What broke.
    pub what: String,
    /// The last lines of the log.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "seed {} with {} operations failed in operation {} at {} s: {}",
            self.seed, self.operations, self.done, self.at, self.what
        )
    }
}

impl core::error::Error for Failure {}

/// Runs the swarm of a seed.
///
/// # Errors
/// What broke, with the end of the log.
pub fn run(seed: u64, operations: usize) -> Result<Report, Box<Failure>> {
    run_logged(seed, operations, |_| {})
}

/// Runs the swarm of a seed and shows every line of its log.
///
/// # Errors
/// What broke, with the end of the log.
pub fn run_logged(
    seed: u64,
    operations: usize,
    mut show: impl FnMut(&str),
) -> Result<Report, Box<Failure>> {
    let mut run = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run.insert(Run::new(seed)?).go(operations)
    }));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(panic) => Err(format!("7: a node panicked: {}", message(&*panic))),
    };
    let lines: Vec<String> = run.iter().flat_map(Run::lines).collect();
    for line in &lines {
        show(line);
    }
    match (outcome, run) {
        (Ok(()), Some(run)) => Ok(run.report(&lines)),
        (outcome, run) => Err(Box::new(Failure {
            seed,
            operations,
            done: run.as_ref().map_or(0, |r| r.done),
            at: run.as_ref().map_or(Instant::ZERO, |r| r.lab.now()),
            what: outcome.err().unwrap_or_default(),
            log: lines
                .get(lines.len().saturating_sub(LAST_LINES)..)
                .unwrap_or_default()
                .to_vec(),
        })),
    }
}

fn message(panic: &(dyn core::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

/// A run under way.
struct Run {
    lab: Lab,
    rng: Rng,
    seed: u64,
    done: usize,
    /// Nodes that are about to crash: when, and when each comes back.
    falling: Vec<(NodeName, Instant, Instant)>,
    /// Nodes that are down, and when each comes back.
    down: Vec<(NodeName, Instant)>,
    /// Rules on links, and when each goes.
    rules: Vec<(u64, Instant)>,
    /// Streams of UEs and of segments.
    streams: Vec<(usize, u64)>,
    downlinks: Vec<u64>,
    next_token: u64,
    /// The share of bad luck that does not happen.
    calm: f64,
    /// UEs with a bearer, as the log up to `read` tells.
    attached: BTreeSet<Imsi>,
    read: usize,
}

impl Run {
    fn new(seed: u64) -> Result<Self, String> {
        let mut rng = Rng::from_seed(seed);
        let lab = plan::lab(seed, &mut rng);
        let mut lab = lab.build().map_err(|e| format!("the drawn lab: {e}"))?;
        plan::links(&mut rng, lab.world());
        let calm = match rng.below(3) {
            0 => 0.0,
            1 => 0.75,
            _ => 0.97,
        };
        Ok(Self {
            calm,
            lab,
            rng,
            seed,
            done: 0,
            falling: Vec::new(),
            down: Vec::new(),
            rules: Vec::new(),
            streams: Vec::new(),
            downlinks: Vec::new(),
            next_token: 1,
            attached: BTreeSet::new(),
            read: 0,
        })
    }

    fn go(&mut self, operations: usize) -> Result<(), String> {
        while self.done < operations {
            self.done += 1;
            self.operate();
            let pause = self.pause();
            self.let_pass(pause)?;
        }
        self.finish()
    }

    /// How long the run waits before its next operation: mostly not long enough for the last one to
    /// be over.
    fn pause(&mut self) -> Duration {
        let longest = match self.rng.below(100) {
            0..30 => 1,
            30..70 => 60_000,
            70..92 => 2_000_000,
            92..97 => 20_000_000,
            97..99 => 100_000_000,
            // Long enough for a back-off to end.
            _ => 2_000_000_000,
        };
        Duration::from_micros(self.rng.below(longest))
    }

    /// Lets time pass. Nodes come back and rules go when their time is up.
    fn let_pass(&mut self, time: Duration) -> Result<(), String> {
        let until = self.lab.now() + time;
        loop {
            self.due();
            let now = self.lab.now();
            let next = self.down.iter().map(|(_, at)| *at);
            let next = next.chain(self.falling.iter().map(|(_, at, _)| *at));
            let next = next.chain(self.rules.iter().map(|(_, at)| *at)).min();
            let stop = next.map_or(until, |at| at.min(until));
            let world = self.lab.world();
            while world.step(stop) && world.violations().is_empty() {}
            if let Some(first) = world.violations().first() {
                return Err(first.clone());
            }
            if now >= until || stop >= until {
                return Ok(());
            }
        }
    }

    fn due(&mut self) {
        let now = self.lab.now();
        let world = self.lab.world();
        let down = &mut self.down;
        self.falling.retain(|(node, at, back)| {
            let waits = *at > now;
            if !waits && !down.iter().any(|(other, _)| other == node) {
                // Only real sockets cannot lose a node.
                let _ = Network::crash(world, *node);
                down.push((*node, *back));
            }
            waits
        });
        self.down.retain(|(node, at)| {
            let waits = *at > now;
            if !waits {
                // What a node is made from was good when it started first.
                let _ = world.restart(*node);
            }
            waits
        });
        self.rules.retain(|(rule, at)| {
            if *at <= now {
                world.remove_rule(*rule);
            }
            *at > now
        });
    }

    fn world(&mut self) -> &mut World {
        self.lab.world()
    }

    fn command(&mut self, sim: usize, command: UeCommand) {
        self.world().command(sim, command);
    }

    const fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    /// Any SIM; mostly one whose UE has a bearer (or has none), if there is such a one.
    fn sim(&mut self, with_bearer: bool) -> usize {
        let fits = |run: &Self, sim: usize| {
            let sim = run.lab.plan().sims.get(sim);
            sim.is_some_and(|s| run.attached.contains(&s.imsi) == with_bearer)
        };
        self.follow();
        for _ in 0..4 {
            let sim = self.any_sim();
            if fits(self, sim) {
                return sim;
            }
        }
        self.any_sim()
    }

    /// Reads what is new in the log.
    fn follow(&mut self) {
        let log = self.lab.log();
        for entry in log.get(self.read..).unwrap_or_default() {
            let NodeEvent::Ue { imsi, event } = &entry.event else {
                continue;
            };
            match event {
                UeEvent::Attached { .. } => self.attached.insert(*imsi),
                UeEvent::BearerReleased => self.attached.remove(imsi),
                _ => false,
            };
        }
        self.read = log.len();
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        let drawn = self.rng.below(u64::try_from(bound).unwrap_or(u64::MAX));
        usize::try_from(drawn).unwrap_or(0)
    }

    /// One of `choices`.
    fn one<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let at = self.below(choices.len());
        choices.get(at).copied()
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let entries = self.lab.log().iter();
        entries.map(|e| serde_json::to_string(e).unwrap_or_default())
    }

    fn report(mut self, lines: &[String]) -> Report {
        let attached = |line: &&String| line.contains(r#""event":"attached","ip""#);
        Report {
            seed: self.seed,
            operations: self.done,
            steps: self.world().steps(),
            virtual_time: Duration::from_micros(self.lab.now().as_micros()),
            entries: lines.len(),
            attaches: lines.iter().filter(attached).count(),
            log_hash: hash(lines),
        }
    }
}

/// FNV-1a over the lines, each with its end.
fn hash(lines: &[String]) -> u64 {
    let octets = lines.iter().flat_map(|l| l.bytes().chain([b'\n']));
    octets.fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv() {
        // Test vector of the FNV draft: "foobar" without an end of line would be
        // 85944171f73967e8; the line adds 0a.
        let hashed = hash(&["foobar".to_owned()]);
        let expected = (0x8594_4171_f739_67e8_u64 ^ 0x0a).wrapping_mul(0x0100_0000_01b3);
        assert_eq!(hashed, expected);
    }

    #[test]
    fn a_panic_is_reported_with_its_message() {
        assert_eq!(message(&"short"), "short");
        assert_eq!(message(&String::from("long")), "long");
        assert_eq!(message(&7_u8), "without a message");
    }
}
