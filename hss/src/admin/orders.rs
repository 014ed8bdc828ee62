//! Calls that act on a SIM, and calls about what became of that.

use alloc::string::String;

use heiiki_types::{HttpResponse, Instant};
use schemars::JsonSchema;
use serde::Deserialize;

use super::refusal::Refusal;
use super::route::Call;
use super::{TEXT_MAX, ok, views};
use crate::cut::procedure::Order;
use crate::cut::{Certificate, CutId, Stamp};
use crate::node::Hss;
use crate::subscriber::Verb;

/// An order, and who gives it why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    /// Why: it stands in the certificate.
    #[schemars(length(min = 1, max = 256))]
    reason: String,
    /// Who: it stands in the certificate.
    #[schemars(length(min = 1, max = 256))]
    actor: String,
}

/// Stamps of a cut, in microseconds of the monotonic clock of its certificate's `boot`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StampsBody {
    /// The detach was accepted or given up.
    #[serde(default)]
    t6: Option<u64>,
    /// Accounting stopped.
    #[serde(default)]
    t7: Option<u64>,
    /// The first refusal.
    #[serde(default)]
    t8: Option<u64>,
}

impl Hss {
    pub(super) fn give_order(
        &mut self,
        call: &Call<'_>,
        verb: Verb,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let imsi = call.imsi()?;
        let OrderBody { reason, actor } = call.body()?;
        for (name, text) in [("reason", &reason), ("actor", &actor)] {
            if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
                return Err(Refusal::Body(alloc::format!(
                    "`{name}` must have 1 to {TEXT_MAX} characters"
                )));
            }
        }
        let order = Order {
            imsi,
            verb,
            actor,
            reason,
        };
        self.order(call.now, call.id, order)?;
        Ok(None)
    }

    pub(super) fn list_cuts(&mut self, call: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let before = match call.request.query("before") {
            Some(text) => Some(text.parse().map_err(|_| Refusal::NoCut)?),
            None => None,
        };
        let limit = call.limit()?;
        Ok(Some(views::cuts(self.cuts.newest(before).take(limit))))
    }

    pub(super) fn show_cut(&mut self, call: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let id: CutId = call.argument(0).parse().map_err(|_| Refusal::NoCut)?;
        let cut = self.cuts.get(id).ok_or(Refusal::NoCut)?;
        Ok(Some(ok(Certificate::new(cut).json())))
    }

    pub(super) fn add_stamps(&mut self, call: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let cut: CutId = call.argument(0).parse().map_err(|_| Refusal::NoCut)?;
        if self.cuts.get(cut).is_none() {
            return Err(Refusal::NoCut);
        }
        let StampsBody { t6, t7, t8 } = call.body()?;
        let mut taken = false;
        for (stamp, at) in [(Stamp::T6, t6), (Stamp::T7, t7), (Stamp::T8, t8)] {
            if let Some(at) = at {
                taken |= !self.report_stamp(cut, stamp, Instant::from_micros(at));
            }
        }
        if taken {
            return Err(Refusal::StampTaken);
        }
        self.show_cut(call)
    }

    /// The driver has the stream: this says only that the caller may listen.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "it has the shape of a handler"
    )]
    pub(super) fn may_listen(&mut self, _: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        Ok(Some(ok(b"{}".to_vec())))
    }
}
