//! Calls that act on a SIM, and calls about what became of that.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use heiiki_types::{HttpResponse, Imsi, Instant, Now, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::route::Call;
use super::{Role, TEXT_MAX, ok, views};
use crate::cut::bulk::{BulkRow, SIMS};
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
    /// For how long, in seconds: a suspension, a pause or an isolation then ends by itself. Without
    /// it nothing ends by itself.
    #[serde(default)]
    #[schemars(range(min = 1, max = 315_360_000))]
    for_seconds: Option<u64>,
}

/// One order for many SIMs: those of `imsis`, or all of a group or a tenant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkBody {
    verb: Verb,
    /// Why: it stands in the certificates.
    #[schemars(length(min = 1, max = 256))]
    reason: String,
    /// Who: it stands in the certificates.
    #[schemars(length(min = 1, max = 256))]
    actor: String,
    #[serde(default)]
    #[schemars(range(min = 1, max = 315_360_000))]
    for_seconds: Option<u64>,
    #[serde(default)]
    imsis: Option<Vec<Imsi>>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    tenant: Option<String>,
}

/// The numbers of bulk orders, the newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BulkList {
    bulk: Vec<CutId>,
}

/// Ten years: the longest that an order is given for.
const LONGEST: u64 = 315_360_000;

/// What an order says besides its verb, checked.
fn checked(
    now: Now,
    verb: Verb,
    (reason, actor): (&str, &str),
    for_seconds: Option<u64>,
) -> Result<Option<WallTime>, Refusal> {
    for (name, text) in [("reason", reason), ("actor", actor)] {
        if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
            return Err(Refusal::Body(alloc::format!(
                "`{name}` must have 1 to {TEXT_MAX} characters"
            )));
        }
    }
    match for_seconds {
        None => Ok(None),
        Some(_) if !verb.may_expire() => Err(Refusal::Body(alloc::format!(
            "`for_seconds` goes with suspend, pause and isolate, not with {verb}"
        ))),
        Some(seconds @ 1..=LONGEST) => Ok(Some(now.wall + Duration::from_secs(seconds))),
        Some(_) => Err(Refusal::Body(alloc::format!(
            "`for_seconds` is a number from 1 to {LONGEST}"
        ))),
    }
}

/// The least role that may give a verb.
const fn needed(verb: Verb) -> Role {
    match verb {
        Verb::Suspend | Verb::Pause | Verb::Isolate => Role::CutOnly,
        Verb::Resume | Verb::Terminate | Verb::Release | Verb::DeleteSession => Role::Operate,
    }
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
        let OrderBody {
            reason,
            actor,
            for_seconds,
        } = call.body()?;
        let expires = checked(call.now, verb, (&reason, &actor), for_seconds)?;
        let order = Order {
            actor,
            reason,
            expires,
            ..Order::new(imsi, verb)
        };
        self.order(call.now, Some(call.id), order)?;
        Ok(None)
    }

    pub(super) fn give_bulk(&mut self, call: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let body: BulkBody = call.body()?;
        if !call.role.may(needed(body.verb)) {
            return Err(Refusal::Forbidden(needed(body.verb)));
        }
        let texts = (body.reason.as_str(), body.actor.as_str());
        let expires = checked(call.now, body.verb, texts, body.for_seconds)?;
        let imsis = self.sims_of(&body)?;
        if imsis.is_empty() || imsis.len() > SIMS {
            return Err(Refusal::Body(alloc::format!(
                "the order is for {} SIMs; it can be for 1 to {SIMS}",
                imsis.len()
            )));
        }
        let row = BulkRow {
            verb: body.verb,
            actor: body.actor,
            reason: body.reason,
            expires,
            at: call.now.wall,
            imsis,
        };
        self.bulk_order(call.now, call.id, row)?;
        Ok(None)
    }

    fn sims_of(&self, body: &BulkBody) -> Result<Vec<Imsi>, Refusal> {
        let wanted = (&body.imsis, &body.group, &body.tenant);
        let has = |name: &str, want: &Option<String>| want.as_ref().is_none_or(|w| w == name);
        match wanted {
            (Some(imsis), None, None) => {
                let distinct: BTreeSet<Imsi> = imsis.iter().copied().collect();
                Ok(distinct.into_iter().collect())
            }
            (None, group, tenant) if group.is_some() || tenant.is_some() => {
                let store = &self.subscribers;
                let of = store.after(None).filter(|s| {
                    has(store.group_name(s), group) && has(store.tenant_name(s.tenant), tenant)
                });
                let mut imsis: Vec<Imsi> = of.map(|s| s.imsi).collect();
                imsis.sort_unstable();
                Ok(imsis)
            }
            _ => Err(Refusal::Body(String::from(
                "name the SIMs by `imsis`, or by `group` or `tenant` or both",
            ))),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what routes lead to")]
    pub(super) fn list_bulk(&mut self, _: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let bulk = self.bulk_numbers();
        let body = serde_json::to_vec(&BulkList { bulk }).unwrap_or_default();
        Ok(Some(ok(body)))
    }

    pub(super) fn show_bulk(&mut self, call: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let id: CutId = call.argument(0).parse().map_err(|_| Refusal::NoCut)?;
        let after = match call.request.query("after") {
            None => 0,
            Some(text) => text.parse().map_err(|_| {
                Refusal::Body(String::from("`after` is the `next` of the page before"))
            })?,
        };
        let response = self.bulk_response(id.number(), after, call.limit()?)?;
        Ok(Some(response))
    }

    pub(super) fn show_history(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let imsi = call.imsi()?;
        self.subscribers
            .by_imsi(imsi)
            .ok_or(Refusal::NoSubscriber)?;
        let body = serde_json::to_vec(&self.history.view(imsi)).unwrap_or_default();
        Ok(Some(ok(body)))
    }

    pub(super) fn list_cuts(&mut self, call: &Call<'_>) -> Result<Option<HttpResponse>, Refusal> {
        let before = match call.request.query("before") {
            Some(text) => Some(text.parse().map_err(|_| Refusal::NoCut)?),
            None => None,
        };
        let limit = call.limit()?;
        let only_open = call.request.query("open") == Some("true");
        let cuts = self.cuts.newest(before);
        let wanted = cuts.filter(|c| !only_open || !c.is_closed());
        Ok(Some(views::cuts(wanted.take(limit))))
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
