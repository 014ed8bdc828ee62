//! What the HSS holds, and whether its store takes writes.

use heiiki_types::HttpResponse;
use schemars::JsonSchema;
use serde::Serialize;

use super::ok;
use super::refusal::Refusal;
use super::route::Call;
use crate::node::Hss;

/// Whether the store takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StoreState {
    /// It does.
    Ready,
    /// Not now: its disk is full, or the database cannot be reached. What needs no write is served.
    Away,
    /// Not before the next start: its disk has failed.
    Failed,
}

/// The state of the HSS.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StatusView {
    store: StoreState,
    /// Rises with every start.
    epoch: u64,
    subscribers: usize,
    /// Diameter connections.
    connections: usize,
    /// What waits for the store.
    waiting: usize,
    /// Requests that MMEs have not answered yet.
    errands: usize,
}

impl Hss {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the shape that the table of calls asks for"
    )]
    pub(super) fn show_status(
        &mut self,
        _call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let census = self.census();
        let view = StatusView {
            store: match (self.journal.has_failed(), self.journal.is_stuck()) {
                (true, _) => StoreState::Failed,
                (false, true) => StoreState::Away,
                (false, false) => StoreState::Ready,
            },
            epoch: self.epoch.0,
            subscribers: census.subscribers,
            connections: census.connections,
            waiting: census.waiting,
            errands: census.errands,
        };
        Ok(Some(ok(serde_json::to_vec(&view).unwrap_or_default())))
    }

    /// Why a call that has to write is not carried out, when nothing becomes durable now.
    pub(crate) fn check_store(&self) -> Result<(), Refusal> {
        if self.journal.has_failed() {
            Err(Refusal::DiskFailed)
        } else if !self.journal.is_stuck() {
            Ok(())
        } else if self.shared.is_some() {
            Err(Refusal::StoreAway)
        } else {
            Err(Refusal::StoreFull)
        }
    }
}
