//! Front ends that share a store: a simulated one, which delays what it likes.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use heiiki_diameter::s6a::{
    AUTHENTICATION_DATA_UNAVAILABLE, AuthenticationInformationAnswer, CancellationType,
    RequestedAuthenticationInfo, USER_UNKNOWN, UpdateLocationAnswer,
};
use heiiki_diameter::{AnswerResult, CommandCode, Message};
use heiiki_types::{
    CallId, ConnId, Guard, Machine, Record, Rng, SharedInput, SharedOutput, StorageInput,
    StorageOutput,
};

use super::bench::{Bench, MME1, MME2, config, imsi, open_vector, row, sim};
use super::fake::Fake;
use crate::auc::auts;
use crate::auc::sqn::{IndRange, Sqn};
use crate::{Event, Hss, HssConfig, Input, Output, StoreKeys};

pub(super) type Key = (u8, Vec<u8>);

/// What a shared store does with what it is asked, at one moment.
#[derive(Default)]
pub(super) struct Store {
    pub(super) rows: BTreeMap<Key, Vec<u8>>,
    versions: BTreeMap<Vec<u8>, u64>,
    conflicts: usize,
}

impl Store {
    fn write(&mut self, records: Vec<Record>) {
        for Record { table, key, value } in records {
            match value {
                Some(value) => self.rows.insert((table, key), value),
                None => self.rows.remove(&(table, key)),
            };
        }
    }

    fn version(&self, subject: &[u8]) -> u64 {
        self.versions.get(subject).copied().unwrap_or(0)
    }

    fn records(&self, of: impl Fn(&[u8]) -> bool) -> Vec<Record> {
        let rows = self.rows.iter().filter(|((_, key), _)| of(key));
        rows.map(|((table, key), value)| Record {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        })
        .collect()
    }

    /// The answer, and the subjects that others are told of.
    fn act(&mut self, ask: Output) -> (Vec<Input>, Vec<Vec<u8>>) {
        match ask {
            Output::Storage(StorageOutput::Load) => {
                let loaded = StorageInput::Loaded(self.records(|_| true));
                (vec![Input::Storage(loaded)], vec![])
            }
            Output::Storage(StorageOutput::Persist { seq, records }) => {
                self.write(records);
                (
                    vec![Input::Storage(StorageInput::Persisted { seq })],
                    vec![],
                )
            }
            Output::Shared(SharedOutput::Refresh { token, subject }) => {
                let below = [subject.as_slice(), b"/"].concat();
                let refreshed = SharedInput::Refreshed {
                    token,
                    version: self.version(&subject),
                    records: self.records(|key| key == subject || key.starts_with(&below)),
                };
                (vec![Input::Shared(refreshed)], vec![])
            }
            Output::Shared(SharedOutput::Guarded {
                seq,
                guards,
                records,
            }) => {
                let done = Input::Storage(StorageInput::Persisted { seq });
                let holds = |g: &Guard| {
                    g.version
                        .is_none_or(|version| version == self.version(&g.subject))
                };
                if !guards.iter().all(holds) {
                    self.conflicts += 1;
                    return (
                        vec![Input::Shared(SharedInput::Conflict { seq }), done],
                        vec![],
                    );
                }
                self.write(records);
                let subjects: Vec<_> = guards.into_iter().map(|g| g.subject).collect();
                for subject in &subjects {
                    *self.versions.entry(subject.clone()).or_default() += 1;
                }
                (vec![done], subjects)
            }
            _ => panic!("not for a store"),
        }
    }
}

/// A front end and its two sessions with the store: one reads, the other writes.
pub(super) struct End {
    pub(super) bench: Bench,
    asks: [VecDeque<Output>; 2],
    reports: [VecDeque<Input>; 2],
}

pub(super) struct Network {
    pub(super) store: Store,
    pub(super) ends: Vec<End>,
    rng: Rng,
    /// Gateways that all front ends call; without, each is answered at once.
    pub(super) gateways: BTreeMap<String, Fake>,
    /// Front ends that are down.
    down: BTreeSet<usize>,
}

fn front_end(number: u8, of: u8) -> HssConfig {
    let mut config = config();
    let count = 32 / of;
    config.inds = IndRange::new(number * count, count).unwrap();
    config.shared = true;
    config
}

impl Network {
    /// Two front ends at work, with SIMs 1 to 3.
    pub(super) fn new(seed: u64) -> Self {
        Self::with(seed, false)
    }

    /// The same, with gateways that keep their orders.
    pub(super) fn with_gateways(seed: u64) -> Self {
        Self::with(seed, true)
    }

    fn with(seed: u64, gateways: bool) -> Self {
        let mut network = Self {
            store: Store::default(),
            ends: Vec::new(),
            rng: Rng::from_seed(seed),
            gateways: BTreeMap::new(),
            down: BTreeSet::new(),
        };
        if gateways {
            for name in ["pgw1", "pgw2"] {
                network.gateways.insert(name.into(), Fake::default());
            }
        }
        for number in 0..2 {
            let mut bench = Bench::unstarted(front_end(number, 2));
            bench.outside = gateways;
            if number == 0 {
                let rows = vec![row(1), row(2), row(3)];
                bench.hss.import(bench.now, rows).unwrap();
            }
            bench.hss.start(bench.now);
            bench.drain();
            network.ends.push(End {
                bench,
                asks: Default::default(),
                reports: Default::default(),
            });
            network.run();
            assert!(network.ends.last().unwrap().bench.hss.is_serving());
        }
        network
    }

    pub(super) fn bench(&mut self, end: usize) -> &mut Bench {
        &mut self.ends[end].bench
    }

    /// Takes one step of somebody, at random; false when there is nothing left to do.
    pub(super) fn step(&mut self) -> bool {
        for end in &mut self.ends {
            while let Some(ask) = end.bench.asks.pop_front() {
                let reads = matches!(
                    ask,
                    Output::Shared(SharedOutput::Refresh { .. })
                        | Output::Storage(StorageOutput::Load)
                );
                end.asks[usize::from(!reads)].push_back(ask);
            }
        }
        let mut choices = Vec::new();
        for (n, end) in self.ends.iter().enumerate() {
            for session in 0..2 {
                if !end.asks[session].is_empty() {
                    choices.push((n, session, true));
                }
                if !end.reports[session].is_empty() {
                    choices.push((n, session, false));
                }
            }
        }
        for (n, end) in self.ends.iter().enumerate() {
            let calls = end.bench.calls.len() + end.bench.asked.len();
            if end.bench.outside && calls > 0 && !self.down.contains(&n) {
                choices.push((n, 2, true));
            }
        }
        if choices.is_empty() {
            return false;
        }
        let pick = usize::try_from(self.rng.below(choices.len() as u64)).unwrap();
        let (n, session, at_store) = choices[pick];
        if session == 2 {
            self.answer_gateway(n);
        } else if at_store {
            let ask = self.ends[n].asks[session].pop_front().unwrap();
            let (reports, told) = self.store.act(ask);
            self.ends[n].reports[session].extend(reports);
            self.notify(n, &told);
        } else {
            let report = self.ends[n].reports[session].pop_front().unwrap();
            self.ends[n].bench.input(report);
        }
        true
    }

    /// Runs until nobody has anything to do at this time.
    pub(super) fn run(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 100_000, "the front ends never come to rest");
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(1));
            left -= step;
            for (n, end) in self.ends.iter_mut().enumerate() {
                if !self.down.contains(&n) {
                    end.bench.advance(step);
                }
            }
            self.run();
        }
    }

    /// A process ends without a word; what it had asked for happens or not. A new one starts.
    pub(super) fn kill(&mut self, n: usize) {
        self.take_down(n);
        self.start(n);
    }

    /// A process starts where one has ended.
    pub(super) fn start(&mut self, n: usize) {
        self.start_as(n, |hss| hss);
    }

    /// The same, with other master keys, and until it has read the store.
    pub(super) fn start_with(&mut self, n: usize, keys: &StoreKeys) {
        self.start_as(n, |hss| hss.with_store_keys(keys));
        self.run();
    }

    fn start_as(&mut self, n: usize, change: impl FnOnce(Hss) -> Hss) {
        self.down.remove(&n);
        let at = self.ends.iter().map(|e| e.bench.now.at).max().unwrap();
        let bench = &mut self.ends[n].bench;
        let late = at.since(bench.now.at);
        bench.now.at += late;
        bench.now.wall = bench.now.wall + late;
        bench.restart_with(change);
    }

    /// A process ends without a word, and none starts.
    pub(super) fn take_down(&mut self, n: usize) {
        self.down.insert(n);
        let kept = usize::try_from(self.rng.below(4)).unwrap();
        let end = &mut self.ends[n];
        for ask in end.bench.asks.drain(..) {
            if !matches!(ask, Output::Shared(SharedOutput::Refresh { .. })) {
                end.asks[1].push_back(ask);
            }
        }
        end.bench.calls.clear();
        end.bench.asked.clear();
        let asked: Vec<_> = end.asks[1].drain(..).take(kept).collect();
        end.asks[0].clear();
        end.reports = Default::default();
        for ask in asked {
            let (_, told) = self.store.act(ask);
            self.notify(n, &told);
        }
    }

    /// Everybody but the one who did it hears of changes.
    fn notify(&mut self, by: usize, told: &[Vec<u8>]) {
        for (other, end) in self.ends.iter_mut().enumerate() {
            if other != by && !self.down.contains(&other) {
                let changed = told.iter().cloned();
                let changed = changed.map(|subject| SharedInput::Changed { subject });
                end.reports[0].extend(changed.map(Input::Shared));
            }
        }
    }

    /// A gateway answers one call, or question, of a front end.
    fn answer_gateway(&mut self, n: usize) {
        let bench = &mut self.ends[n].bench;
        let next = bench.calls.pop_front().or_else(|| bench.asked.pop_front());
        let (call, name, request) = next.unwrap();
        let at = bench.now.at.as_micros();
        let result = match self.gateways.get_mut(&name) {
            Some(gateway) => Ok(gateway.answer(at, &request)),
            None => Err(()),
        };
        bench.input(Input::GatewayReply { call, result });
    }

    /// Every report is lost with the sessions; asks are void.
    pub(super) fn lose_store(&mut self) {
        for end in &mut self.ends {
            end.asks = Default::default();
            end.reports = Default::default();
            end.bench.asks.clear();
            end.bench.input(Input::Shared(SharedInput::Unavailable));
        }
    }

    pub(super) fn return_store(&mut self) {
        let all: Vec<_> = self.store.versions.keys().cloned().collect();
        for end in &mut self.ends {
            for subject in &all {
                let subject = subject.clone();
                end.bench
                    .input(Input::Shared(SharedInput::Changed { subject }));
            }
            end.bench.input(Input::Shared(SharedInput::Available));
        }
    }

    pub(super) fn connect(&mut self, end: usize, host: &str) -> ConnId {
        self.bench(end).connect(host)
    }

    /// Vectors, once everybody has come to rest.
    pub(super) fn sqns(
        &mut self,
        end: usize,
        conn: ConnId,
        n: u32,
        auts: Option<[u8; 30]>,
    ) -> Result<Vec<Sqn>, AnswerResult> {
        let mut request = self.bench(end).air(conn, n);
        request.requested_eutran = Some(RequestedAuthenticationInfo {
            vectors: 1,
            immediate_response_preferred: true,
            resync: auts,
        });
        self.bench(end).send(conn, request.to_message());
        self.run();
        sqns(n, &self.bench(end).receive(conn))
    }

    pub(super) fn update(&mut self, end: usize, conn: ConnId, n: u32) -> AnswerResult {
        let request = self.bench(end).ulr(conn, n);
        self.bench(end).send(conn, request.to_message());
        self.run();
        let message = self.bench(end).receive(conn);
        UpdateLocationAnswer::from_message(&message).unwrap().result
    }

    pub(super) fn order(&mut self, end: usize, n: u32, verb: &str) -> (u16, serde_json::Value) {
        let call = self.bench(end).verb(n, verb);
        self.run();
        self.bench(end).reply(call).expect("the order is answered")
    }

    pub(super) fn state(&mut self, end: usize, n: u32) -> String {
        let target = format!("/v1/subscribers/{}", imsi(n));
        let call = self
            .bench(end)
            .http(heiiki_types::Method::Get, &target, Some("reader"), b"");
        self.run();
        let (status, shown) = self.bench(end).reply(call).unwrap();
        assert_eq!(status, 200);
        shown["state"].as_str().unwrap().into()
    }
}

fn sqns(n: u32, message: &Message) -> Result<Vec<Sqn>, AnswerResult> {
    let answer = AuthenticationInformationAnswer::from_message(message).unwrap();
    if answer.result != AnswerResult::SUCCESS {
        return Err(answer.result);
    }
    Ok(answer.vectors.iter().map(|v| open_vector(n, v)).collect())
}

/// RAND and AUTS of a USIM that has accepted `sqn`; forged, when the card has another key.
fn auts(n: u32, sqn: Sqn, forged: bool) -> [u8; 30] {
    let rand = [0x5a; 16];
    let token = auts::seal(&sim(if forged { n + 1 } else { n }), &rand, sqn);
    let mut info = [0; 30];
    info[..16].copy_from_slice(&rand);
    info[16..].copy_from_slice(&token);
    info
}

#[test]
fn two_front_ends_serve_one_sim_with_numbers_of_their_own() {
    let mut network = Network::new(1);
    let (a, b) = (network.connect(0, MME1), network.connect(1, MME2));
    for _ in 0..200 {
        let first = network.sqns(0, a, 1, None).unwrap()[0];
        let second = network.sqns(1, b, 1, None).unwrap()[0];
        assert!(
            first.ind() < 16 && second.ind() >= 16,
            "{first:?} {second:?}"
        );
    }
    // They stay close to each other, for cards that limit the age of a SEQ.
    for _ in 0..1_000 {
        network.sqns(0, a, 1, None).unwrap();
    }
    network.advance(Duration::from_secs(10));
    let first = network.sqns(0, a, 1, None).unwrap()[0];
    let second = network.sqns(1, b, 1, None).unwrap()[0];
    assert!(
        first.seq().abs_diff(second.seq()) <= 512,
        "{first:?} {second:?}"
    );
}

#[test]
fn a_suspension_cancels_at_the_mme_of_the_other_front_end() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        let (a, b) = (network.connect(0, MME1), network.connect(1, MME2));
        assert_eq!(network.update(1, b, 1), AnswerResult::SUCCESS);
        let (status, certificate) = network.order(0, 1, "suspend");
        assert_eq!(status, 200, "{certificate}");
        let (clr, message) = network.bench(1).expect_clr(b);
        assert_eq!(
            clr.cancellation_type,
            CancellationType::SUBSCRIPTION_WITHDRAWAL
        );
        network
            .bench(1)
            .answer_clr(b, &message, AnswerResult::SUCCESS);
        network.run();
        // Where the order was given it is known that the MME has let go.
        let id = certificate["cut"].as_str().unwrap().to_owned();
        for end in 0..2 {
            let call = network.bench(end).http(
                heiiki_types::Method::Get,
                &format!("/v1/cuts/{id}"),
                Some("reader"),
                b"",
            );
            network.run();
            let (_, shown) = network.bench(end).reply(call).unwrap();
            assert_eq!(shown["verdict"], "clean", "front end {end}: {shown}");
            assert_eq!(network.state(end, 1), "suspended");
        }
        assert_eq!(network.update(0, a, 1), USER_UNKNOWN);
        assert_eq!(network.update(1, b, 1), USER_UNKNOWN);
        assert!(
            network.bench(1).try_receive(b).is_none(),
            "one cancellation is enough"
        );
        // A resume at the other one counts everywhere.
        assert_eq!(network.order(1, 1, "resume").0, 200);
        assert_eq!(network.update(0, a, 1), AnswerResult::SUCCESS);
    }
}

#[test]
fn a_genuine_auts_moves_every_front_end_and_a_forged_one_none() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        let (a, b) = (network.connect(0, MME1), network.connect(1, MME2));
        let before = network.sqns(1, b, 1, None).unwrap()[0];
        let far = Sqn::new(before.seq() + 10_000, 3).unwrap();
        let refused = network.sqns(0, a, 1, Some(auts(1, far, true)));
        assert_eq!(refused, Err(AUTHENTICATION_DATA_UNAVAILABLE));
        for (end, conn) in [(0, a), (1, b)] {
            let sqn = network.sqns(end, conn, 1, None).unwrap()[0];
            assert!(sqn.seq() < far.seq(), "a forged AUTS moved front end {end}");
        }
        let after = network.sqns(0, a, 1, Some(auts(1, far, false))).unwrap()[0];
        assert!(after.seq() > far.seq());
        let other = network.sqns(1, b, 1, None).unwrap()[0];
        assert!(other.seq() > far.seq(), "{other:?}");
        // Also when that front end is new.
        network.kill(1);
        network.run();
        let b = network.connect(1, MME2);
        assert!(network.sqns(1, b, 1, None).unwrap()[0] > other);
    }
}

#[test]
fn without_the_store_nothing_is_decided_and_it_recovers_by_itself() {
    let mut network = Network::new(3);
    let a = network.connect(0, MME1);
    assert_eq!(network.update(0, a, 1), AnswerResult::SUCCESS);
    // One request waits for its rows, one for its write, when the store goes.
    let request = network.bench(0).air(a, 1);
    network.bench(0).send(a, request.to_message());
    network.lose_store();
    let message = network.bench(0).receive(a);
    assert_eq!(sqns(1, &message), Err(AUTHENTICATION_DATA_UNAVAILABLE));
    assert_eq!(
        network.sqns(0, a, 1, None),
        Err(AUTHENTICATION_DATA_UNAVAILABLE)
    );
    let update = network.update(0, a, 2);
    assert_eq!(update, heiiki_diameter::ResultCode::UNABLE_TO_COMPLY.into());
    let (status, refusal) = network.order(0, 1, "suspend");
    assert_eq!(
        (status, &refusal["error"]["code"]),
        (503, &"store_away".into())
    );
    network.return_store();
    network.run();
    assert!(network.sqns(0, a, 1, None).is_ok());
    assert_eq!(network.update(0, a, 2), AnswerResult::SUCCESS);
    let (status, _) = network.order(0, 1, "suspend");
    assert_eq!(status, 200);
    network.bench(0).expect_clr(a);
}

/// What one run of requests, orders, crashes and outages has to keep.
#[derive(Default)]
struct Ledger {
    /// Of each SIM.
    used: BTreeMap<u32, BTreeSet<Sqn>>,
    /// The last of each SIM and IND that was asked for after the one before was answered.
    last: BTreeMap<(u32, u8), Sqn>,
    /// SIMs with a suspension that was answered, and nothing since.
    suspended: BTreeSet<u32>,
    /// The SEQ that each SIM's AUTS has proved.
    floors: BTreeMap<u32, u64>,
    /// How often a resume was asked for.
    resumes: BTreeMap<u32, u64>,
}

/// An order on its way.
#[derive(Debug)]
struct Ordered {
    end: usize,
    call: CallId,
    n: u32,
    verb: &'static str,
    /// The resumes before it, if all of them were over.
    resumes: Option<u64>,
}

impl Ledger {
    fn vectors(&mut self, n: u32, floor: u64, answered: &[Sqn]) {
        for sqn in answered {
            assert!(
                self.used.entry(n).or_default().insert(*sqn),
                "{sqn:?} of SIM {n} came twice"
            );
            let last = self.last.insert((n, sqn.ind()), *sqn);
            assert!(
                last.is_none_or(|l| l < *sqn),
                "SIM {n}: {last:?} before {sqn:?}"
            );
            assert!(sqn.seq() > floor, "SIM {n}: {sqn:?} is not above {floor}");
        }
    }
}

/// A request on its way.
enum Pending {
    Vectors {
        n: u32,
        floor: u64,
        auts: Option<u64>,
    },
    Update {
        n: u32,
        /// How often a resume had been asked for, if the SIM was suspended for sure.
        suspended: Option<u64>,
    },
}

#[test]
fn under_delays_crashes_and_outages_the_properties_hold() {
    let mut conflicts = 0;
    let mut answered = 0;
    for seed in 0..60 {
        let (c, a) = Stir::new(seed).run();
        conflicts += c;
        answered += a;
    }
    assert!(conflicts > 100, "nothing collided: {conflicts}");
    assert!(answered > 2_000, "hardly anything was answered: {answered}");
}

/// Two front ends under what chance brings: requests, orders, crashes, outages.
struct Stir {
    seed: u64,
    network: Network,
    choose: Rng,
    ledger: Ledger,
    conns: [ConnId; 2],
    pending: BTreeMap<(usize, u32), Pending>,
    calls: Vec<Ordered>,
    answered: usize,
}

impl Stir {
    fn new(seed: u64) -> Self {
        let mut network = Network::new(seed);
        Self {
            seed,
            conns: [network.connect(0, MME1), network.connect(1, MME2)],
            network,
            choose: Rng::from_seed(seed ^ 0xabcd),
            ledger: Ledger::default(),
            pending: BTreeMap::new(),
            calls: Vec::new(),
            answered: 0,
        }
    }

    /// The conflicts at the store, and the requests that were answered.
    fn run(mut self) -> (usize, usize) {
        for _ in 0..300 {
            self.disturb();
            self.settle();
        }
        self.network.run();
        self.settle();
        self.expect_agreement();
        for _ in 0..30 {
            self.network.advance(Duration::from_secs(3));
            self.settle();
            self.network.run();
        }
        let seed = self.seed;
        let rows = self.network.store.rows.keys();
        let cancellations = rows.filter(|(table, _)| *table == 6);
        assert_eq!(
            cancellations.count(),
            0,
            "seed {seed}: a cancellation is left"
        );
        (self.network.store.conflicts, self.answered)
    }

    fn settle(&mut self) {
        self.answered += settle(
            &mut self.network,
            &self.conns,
            &mut self.pending,
            &mut self.calls,
            &mut self.ledger,
        );
    }

    fn disturb(&mut self) {
        let end = usize::try_from(self.choose.below(2)).unwrap();
        let n = 1 + u32::try_from(self.choose.below(2)).unwrap();
        match self.choose.below(40) {
            0..=11 => self.ask_vectors(end, n),
            12..=17 => self.update(end, n),
            18..=20 => self.order(end, n),
            21 if self.choose.below(3) == 0 => self.restart(end),
            22 if self.choose.below(4) == 0 => {
                self.network.lose_store();
                self.network.return_store();
            }
            23 => {
                for end in &mut self.network.ends {
                    end.bench.advance(Duration::from_millis(700));
                }
            }
            _ => {
                for _ in 0..self.choose.below(8) {
                    self.network.step();
                }
            }
        }
    }

    fn ask_vectors(&mut self, end: usize, n: u32) {
        let conn = self.conns[end];
        let floor = self.ledger.floors.get(&n).copied().unwrap_or(0);
        let mut request = self.network.bench(end).air(conn, n);
        let mut auts_to = None;
        if self.choose.below(6) == 0 {
            let used = self.ledger.used.get(&n).and_then(|u| u.last());
            let top = used.map_or(0, |s| s.seq());
            let forged = self.choose.below(3) == 0;
            let to = top.max(floor) + 1 + self.choose.below(2_000);
            let info = auts(n, Sqn::new(to, 1).unwrap(), forged);
            request.requested_eutran.as_mut().unwrap().resync = Some(info);
            auts_to = (!forged).then_some(to);
        }
        let id = self.network.bench(end).send(conn, request.to_message());
        let vectors = Pending::Vectors {
            n,
            floor,
            auts: auts_to,
        };
        self.pending.insert((end, id), vectors);
    }

    fn update(&mut self, end: usize, n: u32) {
        let conn = self.conns[end];
        let request = self.network.bench(end).ulr(conn, n);
        let id = self.network.bench(end).send(conn, request.to_message());
        let certain = self.ledger.suspended.contains(&n) && !orders(&self.calls, n, "resume");
        let asked = self.ledger.resumes.get(&n).copied().unwrap_or(0);
        let suspended = certain.then_some(asked);
        self.pending
            .insert((end, id), Pending::Update { n, suspended });
    }

    fn order(&mut self, end: usize, n: u32) {
        let verbs = ["suspend", "resume", "pause"];
        let verb = verbs[usize::try_from(self.choose.below(3)).unwrap()];
        if verb == "resume" {
            self.ledger.suspended.remove(&n);
            *self.ledger.resumes.entry(n).or_default() += 1;
        }
        let asked = self.ledger.resumes.get(&n).copied().unwrap_or(0);
        let resumes = (!orders(&self.calls, n, "resume")).then_some(asked);
        let call = self.network.bench(end).verb(n, verb);
        self.calls.push(Ordered {
            end,
            call,
            n,
            verb,
            resumes,
        });
    }

    fn restart(&mut self, end: usize) {
        self.network.kill(end);
        self.pending.retain(|(e, _), _| *e != end);
        self.calls.retain(|c| c.end != end);
        // Until it serves again nobody can connect.
        while !self.network.bench(end).hss.is_serving() && self.network.step() {}
        let host = [MME1, MME2][end];
        self.conns[end] = self.network.connect(end, host);
    }

    /// At rest both know the same of each SIM, and a suspended one has been cancelled everywhere.
    fn expect_agreement(&mut self) {
        let (seed, calls, network) = (self.seed, &self.calls, &mut self.network);
        let left = self.pending.len();
        assert_eq!(left, 0, "seed {seed}: {left} requests have no answer");
        assert!(calls.is_empty(), "seed {seed}: {calls:?} have no reply");
        for n in 1..=2 {
            let (first, second) = (network.state(0, n), network.state(1, n));
            assert_eq!(first, second, "seed {seed}, SIM {n}");
            if self.ledger.suspended.contains(&n) {
                assert_eq!(network.state(0, n), "suspended", "seed {seed}, SIM {n}");
            }
        }
    }
}

fn orders(calls: &[Ordered], n: u32, verb: &str) -> bool {
    calls.iter().any(|c| c.n == n && c.verb == verb)
}

/// Reads what has arrived, answers cancellations and holds everything against the ledger.
fn settle(
    network: &mut Network,
    conns: &[ConnId; 2],
    pending: &mut BTreeMap<(usize, u32), Pending>,
    calls: &mut Vec<Ordered>,
    ledger: &mut Ledger,
) -> usize {
    let mut answered = 0;
    for (end, conn) in conns.iter().copied().enumerate() {
        while let Some(message) = network.bench(end).try_receive(conn) {
            if message.flags.request {
                if message.command == CommandCode::CANCEL_LOCATION {
                    network
                        .bench(end)
                        .answer_clr(conn, &message, AnswerResult::SUCCESS);
                } else {
                    let mut answer = message.answer();
                    answer.avps.push(heiiki_diameter::Avp::u32(
                        &heiiki_diameter::dictionary::RESULT_CODE,
                        2001,
                    ));
                    network.bench(end).send(conn, answer);
                }
                continue;
            }
            answered += 1;
            match pending.remove(&(end, message.end_to_end)) {
                Some(Pending::Vectors { n, floor, auts }) => {
                    let Ok(vectors) = sqns(n, &message) else {
                        continue;
                    };
                    ledger.vectors(n, floor, &vectors);
                    if let Some(to) = auts {
                        let floor = ledger.floors.entry(n).or_default();
                        *floor = to.max(*floor);
                    }
                }
                Some(Pending::Update { n, suspended }) => {
                    let answer = UpdateLocationAnswer::from_message(&message).unwrap();
                    let asked = ledger.resumes.get(&n).copied().unwrap_or(0);
                    assert!(
                        !(suspended == Some(asked) && answer.result == AnswerResult::SUCCESS),
                        "SIM {n} was let in while suspended"
                    );
                }
                None => {}
            }
        }
    }
    calls.retain(|c| {
        let Some((status, _)) = network.ends[c.end].bench.reply(c.call) else {
            return true;
        };
        let asked = ledger.resumes.get(&c.n).copied().unwrap_or(0);
        if c.verb == "suspend" && status == 200 && c.resumes == Some(asked) {
            ledger.suspended.insert(c.n);
        }
        false
    });
    answered
}

#[test]
fn events_tell_of_the_store() {
    let mut network = Network::new(5);
    network.lose_store();
    network.return_store();
    network.run();
    let events = &network.bench(0).events;
    assert!(events.contains(&Event::StoreUnavailable) && events.contains(&Event::StoreAvailable));
    assert!(network.bench(0).hss.poll_output().is_none());
}
