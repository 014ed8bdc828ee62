//! One order for many SIMs.
//!
//! A bulk order is durable before it is answered, and goes on after a restart where it was. It is
//! paced: so many gateway calls are under way at a time, however many SIMs it names. A bulk cut
//! puts all bars first; MMEs hear of it when every gateway has been told of every SIM.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::{Imsi, Instant, Now, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::procedure::{Order, holder_key};
use super::{CutId, Verdict};
use crate::admin::Refusal;
use crate::event::Event;
use crate::node::Hss;
use crate::shared::bulk::{outcome_key, outcome_of};
use crate::storage::Deferred;
use crate::subscriber::Verb;
use crate::subscriber::row::Table;

/// SIMs of one bulk order.
pub(crate) const SIMS: usize = 100_000;
/// Bulk orders that are remembered.
const REMEMBERED: usize = 64;
/// SIMs that are ordered in one step of the machine.
const STEP: usize = 64;

/// What became of one SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It has an order of its own now.
    Ordered(u64),
    /// There is no such SIM.
    Unknown,
    /// The SIM's state does not take the verb.
    WrongState,
    /// The HSS could not do it.
    Failed,
}

/// The order, as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BulkRow {
    pub(crate) verb: Verb,
    pub(crate) actor: String,
    pub(crate) reason: String,
    pub(crate) expires: Option<WallTime>,
    pub(crate) at: WallTime,
    pub(crate) imsis: Vec<Imsi>,
}

/// A bulk order and how far it has come.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(crate) row: BulkRow,
    /// In the order of the SIMs.
    pub(crate) outcomes: Vec<Option<Outcome>>,
    /// How many of them are known.
    pub(crate) given: usize,
    /// The place of the SIM that comes next.
    pub(crate) next: usize,
}

impl Bulk {
    fn new(row: BulkRow) -> Self {
        Self {
            outcomes: alloc::vec![None; row.imsis.len()],
            row,
            given: 0,
            next: 0,
        }
    }

    pub(crate) fn is_given(&self) -> bool {
        self.given >= self.row.imsis.len()
    }

    /// The place of a SIM: they stand in their order.
    pub(crate) fn place(&self, imsi: Imsi) -> Option<usize> {
        self.row.imsis.binary_search(&imsi).ok()
    }

    /// Outcomes of the next SIMs.
    fn go_on(&mut self, outcomes: Vec<Outcome>) {
        let from = self.next;
        self.next += outcomes.len();
        self.given += outcomes.len();
        for (slot, outcome) in self.outcomes.iter_mut().skip(from).zip(outcomes) {
            *slot = Some(outcome);
        }
    }
}

/// All bulk orders.
#[derive(Debug, Default)]
pub(crate) struct Bulks {
    pub(crate) by_id: BTreeMap<u64, Bulk>,
    /// Those that are given here and not yet done, the oldest first.
    pub(crate) open: Vec<u64>,
    pub(crate) due: Option<Instant>,
    /// SIMs that wait for the shared store, and what was decided of them.
    pub(crate) asked: BTreeMap<(u64, Imsi), Option<Outcome>>,
}

/// What is counted of a bulk order.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
struct Counts {
    total: usize,
    /// Not given yet.
    pending: usize,
    /// No such SIM, or its state does not take the verb.
    refused: usize,
    /// Given, and somebody has not done it yet.
    open: usize,
    /// Cut at every gateway, and an MME has not answered yet.
    dark: usize,
    /// Done by everybody who can be seen.
    done: usize,
    /// A later order took the place of this one.
    superseded: usize,
    /// Given, and some gateway cannot be observed.
    not_observable: usize,
}

#[derive(Serialize, JsonSchema)]
struct SimView {
    imsi: Imsi,
    /// The SIM's own order.
    cut: Option<CutId>,
    /// `pending`, `unknown_sim`, `wrong_state`, `failed`, or the verdict on the order.
    result: &'static str,
}

/// What `GET /v1/bulk/{id}` shows.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BulkView<'a> {
    bulk: CutId,
    verb: Verb,
    who: &'a str,
    why: &'a str,
    at: String,
    expires: Option<String>,
    /// Whether every SIM has its order, or is refused.
    given: bool,
    /// Whether everything is done that can be seen.
    finished: bool,
    counts: Counts,
    sims: Vec<SimView>,
    /// What to give as `after` for the next page.
    next: Option<usize>,
}

const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Open => "open",
        Verdict::NotObservable => "not_observable",
        Verdict::Dark => "dark",
        Verdict::Clean => "clean",
        Verdict::Lifted => "lifted",
        Verdict::Isolated => "isolated",
        Verdict::Ended => "ended",
        Verdict::Superseded => "superseded",
    }
}

fn key(id: u64) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

/// The key of the outcomes from one place on.
fn part_key(id: u64, from: usize) -> Vec<u8> {
    let mut key = key(id);
    key.extend(u32::try_from(from).unwrap_or(u32::MAX).to_be_bytes());
    key
}

impl Bulks {
    /// Takes up a row: an order, or a part of its outcomes.
    pub(crate) fn restore(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        use crate::subscriber::row::decode;
        if let Some((imsi, id)) = outcome_of(key) {
            self.enter_outcome(id, imsi, decode(value).ok()?);
            return Some(());
        }
        let (id, part) = key.split_first_chunk::<8>()?;
        let id = u64::from_be_bytes(*id);
        if part.is_empty() {
            let row: BulkRow = decode(value).ok()?;
            self.by_id.entry(id).or_insert_with(|| Bulk::new(row));
            return Some(());
        }
        self.by_id.get_mut(&id)?.go_on(decode(value).ok()?);
        Some(())
    }

    /// After the rows: what is to go on.
    pub(crate) fn take_up(&mut self, now: Instant) {
        let open = self.by_id.iter().filter(|(_, b)| !b.is_given());
        self.open = open.map(|(id, _)| *id).collect();
        self.due = (!self.open.is_empty()).then_some(now);
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether bars are being put here, so that MMEs wait.
    pub(crate) fn is_giving(&self) -> bool {
        !self.open.is_empty()
    }

    /// The store did not take it.
    pub(crate) fn lose(&mut self, id: u64) {
        self.by_id.remove(&id);
    }

    /// The oldest finished one, when there are too many, with its rows' keys.
    pub(crate) fn forget_one(&mut self, shared: bool) -> Option<Vec<Vec<u8>>> {
        if self.by_id.len() <= REMEMBERED {
            return None;
        }
        let id = *self.by_id.iter().find(|(_, b)| b.is_given())?.0;
        let bulk = self.by_id.remove(&id)?;
        if shared {
            let of_sims = bulk.row.imsis.iter().map(|imsi| outcome_key(*imsi, id));
            let own = [key(id), holder_key(CutId(id))];
            return Some(of_sims.chain(own).collect());
        }
        let parts = (0..bulk.outcomes.len()).step_by(STEP);
        let keys = parts.map(|from| part_key(id, from)).chain([key(id)]);
        Some(keys.collect())
    }
}

impl Hss {
    /// Takes a bulk order. It is answered, and begins, when it is durable.
    pub(crate) fn bulk_order(
        &mut self,
        now: Now,
        call: heiiki_types::CallId,
        row: BulkRow,
    ) -> Result<(), Refusal> {
        self.check_store()?;
        let id = self.next_order(None)?.0;
        let seq = self.journal.put(Table::Bulk, key(id), &row);
        self.bulks.by_id.insert(id, Bulk::new(row));
        let shared = self.shared.is_some();
        while let Some(keys) = self.bulks.forget_one(shared) {
            for key in keys {
                let table = if key.ends_with(b"/holder") {
                    Table::Holder
                } else {
                    Table::Bulk
                };
                self.journal.delete(table, key);
            }
        }
        self.wait_for(now, seq, Deferred::Bulk(call, id));
        Ok(())
    }

    /// Takes back a bulk order that is not durable yet: whoever gave it is told that it is refused.
    pub(crate) fn withdraw_bulk(&mut self, id: u64) {
        self.bulks.lose(id);
        self.journal.delete(Table::Bulk, key(id));
    }

    /// A bulk order is durable.
    pub(crate) fn bulk_is_durable(&mut self, now: Now, call: heiiki_types::CallId, id: u64) {
        self.bulks.open.push(id);
        self.bulks.due = Some(now.at);
        if let Some(bulk) = self.bulks.by_id.get(&id) {
            self.tell(Event::BulkOrdered {
                bulk: CutId(id),
                verb: bulk.row.verb,
                actor: bulk.row.actor.clone(),
                reason: bulk.row.reason.clone(),
                sims: bulk.row.imsis.len(),
            });
        }
        let response = self.bulk_response(id, 0, 0).map(|mut response| {
            response.status = 202;
            response
        });
        self.reply(
            call,
            response.unwrap_or_else(|refusal| refusal.response::<()>(None)),
        );
    }

    /// Gives the next orders, as many as the gateways can be told at a time.
    pub(crate) fn pump_bulk(&mut self, now: Now) {
        if self.shared.is_some() {
            return self.pump_shared_bulk(now);
        }
        let Some(id) = self.bulks.open.first().copied() else {
            self.bulks.due = None;
            return;
        };
        if self.cuts.calls_under_way() >= self.config.limits.gateway_calls {
            // The next answer, or its lack, goes on with it.
            self.bulks.due = None;
            return;
        }
        let Some(bulk) = self.bulks.by_id.get(&id) else {
            self.bulks.open.remove(0);
            return;
        };
        let from = bulk.next;
        let (row_verb, actor, reason) = (
            bulk.row.verb,
            bulk.row.actor.clone(),
            bulk.row.reason.clone(),
        );
        let expires = bulk.row.expires;
        let imsis: Vec<Imsi> = bulk
            .row
            .imsis
            .iter()
            .skip(from)
            .take(STEP)
            .copied()
            .collect();
        let mut outcomes = Vec::with_capacity(imsis.len());
        for imsi in imsis {
            let order = Order {
                actor: actor.clone(),
                reason: reason.clone(),
                expires,
                bulk: Some(id),
                ..Order::new(imsi, row_verb)
            };
            outcomes.push(match self.order(now, None, order) {
                Ok(cut) => Outcome::Ordered(cut.0),
                Err(Refusal::NoSubscriber) => Outcome::Unknown,
                Err(Refusal::WrongState { .. }) => Outcome::WrongState,
                Err(_) => Outcome::Failed,
            });
        }
        self.journal.put(Table::Bulk, part_key(id, from), &outcomes);
        if let Some(bulk) = self.bulks.by_id.get_mut(&id) {
            bulk.go_on(outcomes);
            if bulk.is_given() {
                self.bulks.open.remove(0);
                self.tell(Event::BulkGiven { bulk: CutId(id) });
            }
        }
        self.bulks.due = Some(now.at);
    }

    /// Runs the next step when it is due.
    pub(crate) fn run_bulk(&mut self, now: Now) {
        if self.shared.is_some() {
            // Every answer of the store may make room for more.
            self.pump_shared_bulk(now);
        } else if self.bulks.due.is_some_and(|at| at <= now.at) {
            self.pump_bulk(now);
        } else if self.bulks.is_giving() && self.bulks.due.is_none() {
            self.bulks.due = Some(now.at);
        }
    }

    fn count(
        &self,
        counts: &mut Counts,
        outcome: Option<Outcome>,
    ) -> (&'static str, Option<CutId>) {
        let Some(outcome) = outcome else {
            counts.pending += 1;
            return ("pending", None);
        };
        let name = match outcome {
            Outcome::Unknown => "unknown_sim",
            Outcome::WrongState => "wrong_state",
            Outcome::Failed => "failed",
            Outcome::Ordered(id) => {
                let Some(cut) = self.cuts.get(CutId(id)) else {
                    // Only what is done is forgotten.
                    counts.done += 1;
                    return ("done", Some(CutId(id)));
                };
                let verdict = cut.verdict();
                let count = match verdict {
                    Verdict::Open => &mut counts.open,
                    Verdict::NotObservable => &mut counts.not_observable,
                    Verdict::Dark => &mut counts.dark,
                    Verdict::Superseded => &mut counts.superseded,
                    Verdict::Clean | Verdict::Lifted | Verdict::Isolated | Verdict::Ended => {
                        &mut counts.done
                    }
                };
                *count += 1;
                return (verdict_name(verdict), Some(CutId(id)));
            }
        };
        counts.refused += 1;
        (name, None)
    }

    /// What is to be said of a bulk order, with a page of its SIMs.
    pub(crate) fn bulk_response(
        &self,
        id: u64,
        after: usize,
        limit: usize,
    ) -> Result<heiiki_types::HttpResponse, Refusal> {
        let bulk = self.bulks.by_id.get(&id).ok_or(Refusal::NoCut)?;
        let total = bulk.row.imsis.len();
        let mut counts = Counts {
            total,
            ..Counts::default()
        };
        let mut sims = Vec::new();
        for (place, imsi) in bulk.row.imsis.iter().enumerate() {
            let (result, cut) =
                self.count(&mut counts, bulk.outcomes.get(place).copied().flatten());
            if place >= after && sims.len() < limit {
                sims.push(SimView {
                    imsi: *imsi,
                    cut,
                    result,
                });
            }
        }
        let end = after.saturating_add(sims.len());
        let view = BulkView {
            bulk: CutId(id),
            verb: bulk.row.verb,
            who: &bulk.row.actor,
            why: &bulk.row.reason,
            at: bulk.row.at.to_string(),
            expires: bulk.row.expires.map(|at| at.to_string()),
            given: bulk.is_given(),
            finished: counts.pending + counts.open + counts.dark == 0,
            counts,
            next: (end < total && !sims.is_empty()).then_some(end),
            sims,
        };
        let body = serde_json::to_vec(&view).unwrap_or_default();
        Ok(heiiki_types::HttpResponse::new(200, body))
    }

    /// The numbers of the bulk orders that are remembered, the newest first.
    pub(crate) fn bulk_numbers(&self) -> Vec<CutId> {
        self.bulks.by_id.keys().rev().map(|id| CutId(*id)).collect()
    }
}
