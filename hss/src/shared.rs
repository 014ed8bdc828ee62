//! One store, several front ends.
//!
//! The store's rows in memory are a cache here. Whatever is to be done to a subject (a SIM, an
//! order, the epoch) is parked until the subject's rows have been read anew; then the code of the
//! embedded mode runs. One thing at a time is done to a subject. What it writes is guarded by the
//! version that was read: after a conflict nothing of it counts, and it is done again from the
//! reading on. So answers and replies are held until the write is durable; what takes service away
//! is never held.
//!
//! A front end hears of every guarded write of the others and reads the subject anew. So
//! cancellations that wait for a connection are sent by whoever has it, and an order knows when
//! another front end's MME has answered.

mod away;
mod blind;
pub(crate) mod bulk;
pub(crate) mod deed;
mod held;
pub(crate) mod roll;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_diameter::{Message, RequestHandle, dictionary};
use heiiki_types::{
    CallId, ConnId, Guard, HttpRequest, Imsi, Now, PersistSeq, Record, SharedInput, SharedOutput,
    StorageOutput,
};

use crate::admin::Refusal;
use crate::cut::procedure::cut_key;
use crate::event::Event;
use crate::node::{Hss, Output, Phase};
use crate::s6a::errands::Kind;
use crate::storage::Deferred;
use crate::subscriber::row::{self, META_KEY, Table};
use blind::Blind;
use deed::Deed;
use held::Held;
pub(crate) use held::held_answers;
use roll::Roll;

/// Something that is to be done to a subject.
pub(crate) enum Work {
    /// Raise the epoch: the first of all.
    Epoch,
    /// A request of a peer.
    Request {
        from: (ConnId, Arc<str>),
        handle: RequestHandle,
        message: Box<Message>,
    },
    /// An administrative call.
    Admin { call: CallId, request: HttpRequest },
    /// An answer of a peer.
    Answer { tag: u64, message: Box<Message> },
    /// No answer of a peer.
    Unanswered { tag: u64 },
    /// Another front end has changed it: reading it is all.
    Look,
    /// What this front end does of itself.
    Deed(Box<Deed>),
}

/// What is known of a subject with which something is being done.
#[derive(Default)]
struct Gate {
    /// What is still to be done, and since when it waits.
    queue: VecDeque<(Now, Work)>,
    /// What waits for its write.
    under_way: Option<(Now, Work)>,
    held: Held,
    /// Its rows are being read.
    reading: bool,
    /// What is being read may be older than what this front end has written since.
    stale: bool,
}

/// The subject that is being worked at.
struct Current {
    subject: Vec<u8>,
    version: u64,
    /// The SEQ that a verified AUTS has proved, as far as the store knows.
    floor: u64,
    /// Replies and answers are held: they depend on what has not been written yet.
    holds: bool,
    /// Events are held too: what they tell may yet happen another way.
    holds_events: bool,
    held: Held,
}

/// The state of a front end that shares its store.
#[derive(Default)]
pub(crate) struct Shared {
    away: bool,
    gates: BTreeMap<Vec<u8>, Gate>,
    /// How many things wait.
    parked: usize,
    reads: BTreeMap<u64, Vec<u8>>,
    last_token: u64,
    /// What a write is about, and the version that it leaves.
    writes: BTreeMap<PersistSeq, (Vec<u8>, u64)>,
    current: Option<Current>,
    blind: Blind,
    roll: Roll,
    /// Subjects to look at when there is time.
    changed: BTreeSet<Vec<u8>>,
    /// The row of the epoch, as it was read.
    pub(crate) meta: Option<Vec<u8>>,
}

impl Shared {
    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }
}

/// The subject whose version a row's write raises; `None` for one that only this front end writes.
fn subject(record: &Record) -> Option<Vec<u8>> {
    match Table::from_number(record.table) {
        Some(Table::Mark | Table::Reset | Table::Beat) => None,
        // Nobody has to hear that an old bulk order is forgotten.
        Some(Table::Bulk) if record.value.is_none() => None,
        Some(Table::Cut | Table::Meta | Table::Equipment) => Some(record.key.clone()),
        Some(Table::Holder) => Some(record.key.split_at_checked(8)?.0.to_vec()),
        Some(Table::Bulk) if record.key.len() == 8 => Some(record.key.clone()),
        _ => Some(
            record
                .key
                .split(|c| *c == b'/')
                .next()
                .unwrap_or_default()
                .to_vec(),
        ),
    }
}

/// The SIM that a request names.
fn sim_of(message: &Message) -> Option<Vec<u8>> {
    let name = message.find(&dictionary::USER_NAME)?;
    let imsi: Imsi = core::str::from_utf8(&name.data).ok()?.parse().ok()?;
    Some(row::imsi_key(imsi))
}

/// What a call is about.
fn subject_of_path(path: &str) -> Option<Vec<u8>> {
    let mut segments = path.split('/').skip(1);
    match (segments.next(), segments.next(), segments.next()) {
        (Some("v1"), Some("subscribers"), Some(imsi)) => imsi.parse().ok().map(row::imsi_key),
        (Some("v1"), Some("cuts" | "bulk"), Some(cut)) => cut.parse().ok().map(cut_key),
        _ => None,
    }
}

impl Hss {
    /// A request of a peer: at once with a store of its own.
    pub(crate) fn request(
        &mut self,
        now: Now,
        from: (ConnId, Arc<str>),
        handle: RequestHandle,
        message: Message,
    ) {
        let subject = self.shared.as_ref().and_then(|_| sim_of(&message));
        match subject {
            None => self.handle_request(now, from, handle, &message),
            Some(subject) => {
                let message = Box::new(message);
                let work = Work::Request {
                    from,
                    handle,
                    message,
                };
                self.enter(now, subject, work);
            }
        }
    }

    /// An administrative call.
    pub(crate) fn admin(&mut self, now: Now, call: CallId, request: HttpRequest) {
        let Some(shared) = &self.shared else {
            return self.handle_admin(now, call, &request);
        };
        let too_large = request.body.len() > self.config.limits.body;
        if !self.is_serving() || too_large || self.role(&request).is_none() {
            return self.handle_admin(now, call, &request);
        }
        if shared.away {
            return self.reply(call, Refusal::StoreAway.response::<()>(None));
        }
        match subject_of_path(request.path()) {
            None => self.handle_admin(now, call, &request),
            Some(subject) => self.enter(now, subject, Work::Admin { call, request }),
        }
    }

    /// An answer of a peer, or that there is none.
    pub(crate) fn answered(&mut self, now: Now, tag: u64, answer: Option<Message>) {
        let sim = match Kind::of(tag).filter(|_| self.shared.is_some()) {
            Some(Kind::Cancellation) => self.cancellations.get(tag).map(|c| c.imsi),
            Some(Kind::Update) => self.updates.get(tag).map(|u| u.imsi),
            Some(Kind::Reset) | None => None,
        };
        match (sim.map(row::imsi_key), answer) {
            (None, Some(message)) => self.errand_answered(now, tag, &message),
            (None, None) => self.errand_unanswered(now, tag),
            (Some(sim), Some(message)) => {
                let message = Box::new(message);
                self.enter(now, sim, Work::Answer { tag, message });
            }
            (Some(sim), None) => self.enter(now, sim, Work::Unanswered { tag }),
        }
    }

    /// Begins with the epoch, which all front ends share.
    pub(crate) fn start_shared(&mut self, now: Now) {
        self.phase = Phase::RaisingEpoch;
        self.enter(now, META_KEY.to_vec(), Work::Epoch);
    }

    /// Serving: what changed while the store was being read is looked at.
    pub(crate) fn look_at_changes(&mut self, now: Now) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        for subject in core::mem::take(&mut shared.changed) {
            self.enter(now, subject, Work::Look);
        }
    }

    /// Lets something wait for its turn at a subject.
    pub(crate) fn enter(&mut self, now: Now, subject: Vec<u8>, work: Work) {
        let full = self.config.limits.waiting;
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        if shared.away || shared.parked >= full {
            return self.turn_away(now, subject, work);
        }
        shared.parked += 1;
        if let Some(gate) = shared.gates.get_mut(&subject) {
            gate.queue.push_back((now, work));
            return;
        }
        let gate = Gate {
            queue: [(now, work)].into(),
            ..Gate::default()
        };
        shared.gates.insert(subject.clone(), gate);
        self.read(subject);
    }

    fn read(&mut self, subject: Vec<u8>) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        let Some(gate) = shared.gates.get_mut(&subject) else {
            return;
        };
        // What this front end writes without having read is read when it is there.
        if gate.reading || shared.blind.has(&subject) {
            return;
        }
        gate.reading = true;
        shared.last_token += 1;
        let token = shared.last_token;
        shared.reads.insert(token, subject.clone());
        let refresh = SharedOutput::Refresh { token, subject };
        self.outputs.push_back(Output::Shared(refresh));
    }

    pub(crate) fn handle_shared(&mut self, now: Now, input: SharedInput) {
        match input {
            SharedInput::Refreshed {
                token,
                version,
                records,
            } => self.refreshed(now, token, version, &records),
            SharedInput::Conflict { seq } => self.conflict(seq),
            SharedInput::Changed { subject } => {
                if self.phase == Phase::Serving {
                    self.look(now, subject);
                } else if let Some(shared) = self.shared.as_mut() {
                    shared.changed.insert(subject);
                }
            }
            SharedInput::Unavailable => self.store_is_gone(now),
            SharedInput::Available => {
                if let Some(shared) = self.shared.as_mut() {
                    shared.away = false;
                    shared.roll.restart(now.at);
                    self.tell(Event::StoreAvailable);
                    self.look_at_changes(now);
                }
            }
        }
    }

    fn look(&mut self, now: Now, subject: Vec<u8>) {
        if let Some(shared) = self.shared.as_mut() {
            // Reading it once more is enough, however often it changed.
            let waits = shared.gates.get(&subject).is_some_and(|gate| {
                // What is in front may be being read already.
                let behind = gate.under_way.is_some() || gate.queue.len() > 1;
                behind && matches!(gate.queue.back(), Some((_, Work::Look)))
            });
            if shared.away {
                shared.changed.insert(subject);
            } else if !waits {
                self.enter(now, subject, Work::Look);
            }
        }
    }

    /// A subject has been read: what waits for it is done.
    fn refreshed(&mut self, now: Now, token: u64, version: u64, records: &[Record]) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        let Some(subject) = shared.reads.remove(&token) else {
            return;
        };
        let Some(gate) = shared.gates.get_mut(&subject) else {
            return;
        };
        gate.reading = false;
        if core::mem::take(&mut gate.stale) {
            return self.read(subject);
        }
        let Some((since, work)) = gate.queue.pop_front() else {
            return;
        };
        shared.parked = shared.parked.saturating_sub(1);
        let taken = self.take_rows(now, &subject, records);
        match taken {
            Err(row::Unreadable) => {
                self.tell(Event::StoreUnreadable {
                    table: records.first().map_or(0, |r| r.table),
                    why: "a row of another front end cannot be read: run the same version with the same \
                          master keys on all",
                });
                self.turn_away(now, subject.clone(), work);
                self.next(subject);
            }
            Ok(floor) => {
                self.begin(now, subject, (version, floor), Some(&work));
                self.carry_out(now, since, &work);
                self.end(now, Some((since, work)));
            }
        }
    }

    fn carry_out(&mut self, now: Now, since: Now, work: &Work) {
        match work {
            Work::Epoch => self.raise_shared_epoch(now),
            Work::Request {
                from,
                handle,
                message,
            } => self.handle_request(now, from.clone(), *handle, message),
            // Stamps count from when the call came.
            Work::Admin { call, request } => self.handle_admin(since, *call, request),
            Work::Answer { tag, message } => self.errand_answered(since, *tag, message),
            Work::Unanswered { tag } => self.errand_unanswered(now, *tag),
            Work::Deed(deed) => self.carry_out_deed(now, deed),
            Work::Look => {}
        }
    }

    /// Begins with something new at a subject, or goes on with what has been written.
    fn begin(
        &mut self,
        now: Now,
        subject: Vec<u8>,
        (version, floor): (u64, u64),
        work: Option<&Work>,
    ) {
        // What others have left to be written does not depend on this subject.
        self.drain_endpoint(now);
        self.flush();
        if let Some(shared) = self.shared.as_mut() {
            shared.current = Some(Current {
                subject,
                version,
                floor,
                holds: work.is_some(),
                holds_events: matches!(work, Some(Work::Request { .. } | Work::Deed(_))),
                held: Held::default(),
            });
        }
    }

    /// What was done is written, or shown at once when there is nothing to write.
    fn end(&mut self, now: Now, work: Option<(Now, Work)>) {
        let Some(current) = self.shared.as_mut().and_then(|s| s.current.take()) else {
            return;
        };
        let Current {
            subject,
            version,
            held,
            ..
        } = current;
        let guard = (subject.as_slice(), version);
        if let Some((seq, guarded)) = self.flush_shared(Some(guard)) {
            let Some(shared) = self.shared.as_mut() else {
                return;
            };
            let after = version + u64::from(guarded);
            shared.writes.insert(seq, (subject.clone(), after));
            let gate = shared.gates.entry(subject).or_default();
            gate.under_way = Some(work.unwrap_or((now, Work::Look)));
            gate.held = held;
        } else {
            self.show(now, held);
            if let Some((_, Work::Deed(deed))) = work {
                self.deed_is_done(now, &deed);
            }
            self.next(subject);
        }
    }

    /// Whether so many more things can wait.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        let full = self.config.limits.waiting;
        let shared = self.shared.as_ref();
        shared.is_none_or(|s| !s.away && s.parked.saturating_add(more) <= full / 2)
    }

    /// The next that waits for the subject.
    fn next(&mut self, subject: Vec<u8>) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        let idle = shared
            .gates
            .get(&subject)
            .is_none_or(|g| g.queue.is_empty());
        if idle {
            shared.gates.remove(&subject);
        } else {
            self.read(subject);
        }
    }

    /// Writes what has gathered; rows of the current subject under its guard. Tells the number of
    /// the write, and whether the version was raised.
    pub(crate) fn flush_shared(
        &mut self,
        guard: Option<(&[u8], u64)>,
    ) -> Option<(PersistSeq, bool)> {
        if self.shared.as_ref().is_none_or(|s| s.away) {
            return None;
        }
        let StorageOutput::Persist { seq, records } = self.journal.flush()? else {
            return None;
        };
        let mut guards: BTreeMap<Vec<u8>, Option<u64>> = records
            .iter()
            .filter_map(subject)
            .map(|s| (s, None))
            .collect();
        if guards.is_empty() {
            let persist = StorageOutput::Persist { seq, records };
            self.outputs.push_back(Output::Storage(persist));
            return Some((seq, false));
        }
        if let Some((subject, version)) = guard {
            guards.insert(subject.to_vec(), Some(version));
        } else {
            self.writes_blindly(seq, guards.keys());
        }
        let guards = guards
            .into_iter()
            .map(|(subject, version)| Guard { subject, version })
            .collect();
        self.outputs
            .push_back(Output::Shared(SharedOutput::Guarded {
                seq,
                guards,
                records,
            }));
        Some((seq, true))
    }

    /// The next write that is durable by `durable`, if something at a subject waits for it.
    pub(crate) fn next_written(&self, durable: PersistSeq) -> Option<PersistSeq> {
        let shared = self.shared.as_ref()?;
        let (seq, _) = shared.writes.first_key_value()?;
        (*seq <= durable).then_some(*seq)
    }

    /// A write is durable: what was held is shown, and what waited for it goes on.
    pub(crate) fn written(&mut self, now: Now, seq: PersistSeq, deferred: Vec<Deferred>) {
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        let Some((subject, version)) = shared.writes.remove(&seq) else {
            return;
        };
        if let Some(gate) = shared.gates.get_mut(&subject) {
            let done = gate.under_way.take();
            let held = core::mem::take(&mut gate.held);
            self.show(now, held);
            if let Some((_, Work::Deed(deed))) = done {
                self.deed_is_done(now, &deed);
            }
        }
        // The floor is in the store now, if there was one.
        self.begin(now, subject, (version, u64::MAX), None);
        for deferred in deferred {
            self.durable(now, deferred);
        }
        self.end(now, None);
    }

    /// Another front end was first: nothing of this happened, and it is done again.
    fn conflict(&mut self, seq: PersistSeq) {
        for deferred in self.waiting.remove(&seq).unwrap_or_default() {
            self.uncount(&deferred);
            match deferred {
                Deferred::Mark(ix, _) => self.mark_is_due(ix),
                Deferred::Order(id) => self.forget_order(id),
                _ => {}
            }
        }
        let Some(shared) = self.shared.as_mut() else {
            return;
        };
        let Some((subject, _)) = shared.writes.remove(&seq) else {
            return;
        };
        if let Some(gate) = shared.gates.get_mut(&subject) {
            gate.held = Held::default();
            if let Some(work) = gate.under_way.take() {
                shared.parked += 1;
                gate.queue.push_front(work);
            }
        }
        self.read(subject);
    }

    /// Whether this front end has the SIM's floor to write; it is then taken as written.
    pub(crate) fn raise_floor(&mut self, imsi: Imsi, seq: u64) {
        let current = self.shared.as_mut().and_then(|s| s.current.as_mut());
        if let Some(current) = current.filter(|c| c.floor < seq) {
            current.floor = seq;
            self.journal.put(Table::Floor, row::imsi_key(imsi), &seq);
        }
    }
}
