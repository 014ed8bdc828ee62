//! The steps of a scenario, one after the other, and what they come to together.

use core::any::TypeId;
use core::fmt::Write as _;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use heiiki_types::{Imsi, Instant};

use super::content::Content;
use super::ledger::Ledger;
use super::limits::LIMITS;
use super::operate::OpenCut;
use super::report::{
    AssertReport, CutReport, ProbeRecord, Report, SentinelRow, StepReport, StreamRecord,
    TransferRecord,
};
use super::stream::Stream;
use super::target::{Map, Target};
use super::{Observer, title};
use crate::lab::{Lab, Network};
use crate::log::Entry;
use crate::observe::{Mark, Verdict};
use crate::plan::{Action, Assert, Destination, NodeName, Scenario, SimRef, Step};
use crate::world::World;

/// Runs a scenario in a lab that was made from its plan, and tells `observer` on the way.
///
/// # Panics
/// When an invariant of the network breaks, as every operation of a [`Lab`].
pub fn run<N: Network + 'static>(
    scenario: &Scenario,
    lab: &mut Lab<N>,
    observer: &mut dyn Observer,
) -> Report {
    let size = title::size(scenario.size);
    observer.began(&scenario.title, lab.seed(), size, clock::<N>());
    let mut run = Run::new(scenario, lab, observer);
    for step in &scenario.steps {
        run.step(step);
    }
    run.wind_down();
    for assert in &scenario.asserts {
        let report = run.assert(assert);
        run.asserts.push(report);
    }
    run.report(clock::<N>())
}

/// The name of a world's clock.
fn clock<N: 'static>() -> &'static str {
    if TypeId::of::<N>() == TypeId::of::<World>() {
        "virtual"
    } else {
        "real"
    }
}

/// What came of a step.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// One line.
    pub(super) detail: String,
    /// What is not as it must be.
    pub(super) faults: Vec<String>,
    /// Why the step proves nothing.
    pub(super) unproved: Vec<String>,
    /// How it went, where the faults do not say.
    pub(super) mark: Option<Mark>,
}

impl Outcome {
    /// Nothing was asked of it.
    pub(super) fn note(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            mark: Some(Mark::Note),
            ..Self::default()
        }
    }

    fn mark(&self) -> Mark {
        match self.mark {
            _ if !self.faults.is_empty() => Mark::Fail,
            Some(mark) => mark,
            None if self.unproved.is_empty() => Mark::Pass,
            None => Mark::Note,
        }
    }

    /// The detail with the first few things that are wrong.
    fn line(&self) -> String {
        const SHOWN: usize = 3;
        let wrong: Vec<&String> = self.faults.iter().chain(&self.unproved).collect();
        let mut line = self.detail.clone();
        for (n, wrong) in wrong.iter().take(SHOWN).enumerate() {
            line.push_str(if n == 0 && line.is_empty() { "" } else { "; " });
            line.push_str(wrong);
        }
        if wrong.len() > SHOWN {
            let _ = write!(line, "; and {} more", wrong.len() - SHOWN);
        }
        line
    }
}

/// A run as it goes on.
pub(super) struct Run<'a, N> {
    pub(super) scenario: &'a Scenario,
    pub(super) lab: &'a mut Lab<N>,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) start: Instant,
    pub(super) ledger: Ledger,
    pub(super) content: Content,
    pub(super) sims: BTreeMap<Imsi, SimRef>,
    pub(super) streams: Vec<Stream>,
    pub(super) cuts: Vec<OpenCut>,
    pub(super) closed: Vec<CutReport>,
    pub(super) probes: Vec<ProbeRecord>,
    pub(super) transfers: Vec<TransferRecord>,
    pub(super) ended_streams: Vec<StreamRecord>,
    pub(super) asserts: Vec<AssertReport>,
    /// Nodes that the scenario has killed. Nobody asks them anything: waiting for an answer would
    /// change the run.
    pub(super) down: BTreeSet<NodeName>,
    steps: Vec<StepReport>,
    unproved: Vec<String>,
}

impl<'a, N: Network> Run<'a, N> {
    fn new(scenario: &'a Scenario, lab: &'a mut Lab<N>, observer: &'a mut dyn Observer) -> Self {
        let sims = lab.plan().sims.iter().enumerate();
        let sims = sims.map(|(place, sim)| (sim.imsi, SimRef(place))).collect();
        Self {
            scenario,
            start: lab.now(),
            lab,
            observer,
            ledger: Ledger::default(),
            content: Content::default(),
            sims,
            streams: Vec::new(),
            cuts: Vec::new(),
            closed: Vec::new(),
            probes: Vec::new(),
            transfers: Vec::new(),
            ended_streams: Vec::new(),
            asserts: Vec::new(),
            down: BTreeSet::new(),
            steps: Vec::new(),
            unproved: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        self.lab.run_until(self.start + step.at);
        let title = title::of_step(step, self.lab.plan());
        let now = self.lab.network().now();
        let (began, log_at) = ((now.at, now.wall), self.lab.log().len());
        self.observer.step(&title);
        let outcome = self.act(step);
        self.read_log();
        let report = StepReport {
            line: step.line,
            title,
            at: now.at.since(self.start),
            took: self.lab.now().since(now.at),
            mark: outcome.mark(),
            detail: outcome.line(),
            faults: outcome.faults,
            log_at,
            began,
        };
        self.observer.row(&report.row());
        let line = step.line;
        self.unproved.extend(
            outcome
                .unproved
                .iter()
                .map(|why| format!("step in line {line}: {why}")),
        );
        self.steps.push(report);
    }

    fn act(&mut self, step: &Step) -> Outcome {
        match &step.action {
            Action::Attach {
                ues,
                apn,
                spread,
                expect,
            } => self.attach(ues, apn.as_ref(), *spread, step.within, *expect),
            Action::Reattach { ues, times, expect } => {
                self.reattach(ues, *times, step.within, *expect)
            }
            Action::Detach { ues, switch_off } => self.detach(ues, *switch_off, step.within),
            Action::HttpGet {
                ues,
                host,
                path,
                expect,
            } => self.fetch(step, ues, host, path, *expect),
            Action::FileGet {
                ues,
                host,
                size,
                expect,
            } => self.fetch(step, ues, host, &format!("/file?size={size}"), *expect),
            Action::Ping {
                ues,
                to,
                count,
                expect,
            } => self.ping(step, ues, to, *count, *expect),
            Action::Dns { ues, name, expect } => self.look_up(step, ues, name, *expect),
            Action::Probe {
                ues,
                to,
                over,
                expect,
            } => self.probe(step, ues, to, over, *expect),
            Action::ProbeStart { ues, to, every } => self.start_streams(ues, to, *every),
            Action::ProbeStop { ues } => self.stop_streams(ues),
            Action::Operate {
                ues,
                verb,
                reason,
                actor,
            } => self.operate(ues, *verb, reason, actor, step.within),
            Action::Wait { time } => {
                self.lab.run_for(*time);
                Outcome::note(crate::observe::short(*time))
            }
            Action::Expect(assert) => self.expect(assert),
            Action::Crash(node) => {
                self.down.insert(*node);
                done(self.lab.crash(*node))
            }
            Action::Restart(node) => {
                self.down.remove(node);
                done(self.lab.restart(*node))
            }
            Action::Link { link, rule } => done(self.lab.network().link(*link, rule)),
        }
    }

    /// Checks something at this moment.
    fn expect(&mut self, assert: &Assert) -> Outcome {
        let report = self.assert(assert);
        let detail = format!("{}, wanted {}", report.seen, report.wanted);
        let mark = match report.verdict {
            Verdict::Pass => Mark::Pass,
            Verdict::Fail => Mark::Fail,
            Verdict::Inconclusive => Mark::Note,
        };
        self.asserts.push(report);
        Outcome {
            detail,
            mark: Some(mark),
            ..Outcome::default()
        }
    }

    /// Brings the ledger up to date.
    pub(super) fn read_log(&mut self) {
        self.ledger.read(self.lab.log());
    }

    /// The name of a SIM.
    pub(super) fn name(&self, sim: SimRef) -> String {
        title::name(self.lab.plan(), sim)
    }

    /// The name of a SIM's tenant.
    pub(super) fn tenant(&self, sim: SimRef) -> String {
        self.lab
            .plan()
            .sims
            .get(sim.0)
            .map_or_else(String::new, |s| s.tenant.clone())
    }

    /// The IMSI of a SIM.
    pub(super) fn imsi(&self, sim: SimRef) -> Option<Imsi> {
        self.lab.plan().sims.get(sim.0).map(|s| s.imsi)
    }

    /// Where packets of a SIM to a destination go at this moment.
    pub(super) fn targets(&mut self, sim: SimRef, to: &Destination) -> Vec<Target> {
        self.read_log();
        let core = self.lab.addresses().core();
        self.map(&core).resolve(sim, to)
    }

    pub(super) fn map<'s>(&'s self, core: &'s [core::net::SocketAddr]) -> Map<'s> {
        let infrastructure = self.lab.addresses().prefix();
        Map {
            plan: self.lab.plan(),
            ledger: &self.ledger,
            core,
            infrastructure,
        }
    }

    /// Lets time pass until `wanted` different keys have something, for at most `within`; what
    /// comes first for a key counts. Looks at the log from the entry `from` on.
    pub(super) fn collect<K: Ord, T>(
        &mut self,
        from: usize,
        within: Duration,
        wanted: usize,
        mut seen: impl FnMut(&Entry) -> Option<(K, T)>,
    ) -> BTreeMap<K, T> {
        let mut found = BTreeMap::new();
        if wanted == 0 {
            return found;
        }
        let observer = &mut *self.observer;
        self.lab.wait(from, within, |entry| {
            let (key, value) = seen(entry)?;
            found.entry(key).or_insert(value);
            observer.progress(found.len(), wanted);
            (found.len() == wanted).then_some(())
        });
        found
    }

    /// Ends what still runs and takes the certificates as they stand.
    fn wind_down(&mut self) {
        let ues: Vec<SimRef> = self.streams.iter().map(|s| s.sim).collect();
        self.stop_streams(&ues);
        self.close_cuts(|_| true);
        self.read_log();
    }

    fn verdict(&self) -> Verdict {
        let control = self
            .asserts
            .iter()
            .any(|a| a.control && a.verdict != Verdict::Pass);
        let step = self.steps.iter().any(|s| !s.faults.is_empty());
        let judged = |verdict| self.asserts.iter().any(|a| a.verdict == verdict);
        if control {
            Verdict::Inconclusive
        } else if step || judged(Verdict::Fail) {
            Verdict::Fail
        } else if judged(Verdict::Inconclusive) || !self.unproved.is_empty() {
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        }
    }

    fn report(mut self, clock: &'static str) -> Report {
        let sentinel = self.sentinel();
        let (counters, audit) = if self.down.contains(&NodeName::Pgw) {
            Default::default()
        } else {
            let (counters, audit) = (self.lab.counters(), self.lab.audit());
            (counters.unwrap_or_default(), audit.unwrap_or_default())
        };
        let verdict = self.verdict();
        let began = self.steps.first().map(|s| s.began.1);
        let run_time = self.lab.now().since(self.start);
        let plan = self.lab.plan();
        let owned = plan
            .tenants
            .iter()
            .flat_map(|t| t.prefixes.iter().map(move |p| (t, p)));
        let owned = owned.filter(|(_, p)| p.owned_global);
        let failed = self
            .asserts
            .iter()
            .filter(|a| a.control && a.verdict != Verdict::Pass);
        let failed: Vec<_> = failed
            .map(|a| format!("the control \"{}\" failed", a.name))
            .collect();
        Report {
            owned_global: owned
                .map(|(t, p)| format!("{} of {}", p.prefix, t.name))
                .collect(),
            verdict,
            unproved: failed.into_iter().chain(self.unproved).collect(),
            scenario: self.scenario.name.clone(),
            title: self.scenario.title.clone(),
            seed: self.lab.seed(),
            size: title::size(self.scenario.size),
            clock,
            began: began.unwrap_or_default(),
            run_time,
            versions: BTreeMap::from([("heiiki", env!("CARGO_PKG_VERSION"))]),
            protections: self.scenario.protections,
            weakened: self.scenario.weakened.clone(),
            tenants: plan.tenants.len(),
            sims: plan.sims.len(),
            steps: self.steps,
            asserts: self.asserts,
            cuts: self.closed,
            probes: self.probes,
            transfers: self.transfers,
            streams: self.ended_streams,
            sentinel,
            counters,
            audit,
            limits: &LIMITS,
        }
    }

    fn sentinel(&mut self) -> Vec<SentinelRow> {
        let escaped = self.lab.network().escaped();
        let tenants = &self.lab.plan().tenants;
        let row = |e: crate::lab::Escaped| SentinelRow {
            tenant: tenants
                .get(e.tenant)
                .map_or_else(String::new, |t| t.name.clone()),
            destination: e.destination,
            port: e.port,
            packets: e.packets,
        };
        escaped.into_iter().map(row).collect()
    }
}

fn done(result: Result<(), crate::lab::NotInThisWorld>) -> Outcome {
    match result {
        Ok(()) => Outcome::note(""),
        Err(error) => Outcome {
            unproved: vec![error.to_string()],
            ..Outcome::default()
        },
    }
}
