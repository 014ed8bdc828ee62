//! What the administrative interface shows. Nothing here holds a secret.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::{Ambr, HttpResponse, Imsi, Msisdn, PlmnId};
use schemars::JsonSchema;
use serde::Serialize;

use super::ok;
use crate::cut::{Cut, CutId, Verdict};
use crate::subscriber::{Location, State, SubscribedApn, Subscriber, Subscribers, Verb};

#[derive(Serialize, JsonSchema)]
struct Summary<'a> {
    imsi: Imsi,
    msisdn: Option<Msisdn>,
    tenant: &'a str,
    state: State,
    mme: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SubscriberList<'a> {
    subscribers: Vec<Summary<'a>>,
    total: usize,
    /// What to give as `after` for the next page.
    next: Option<Imsi>,
}

#[derive(Serialize, JsonSchema)]
struct LocationView<'a> {
    host: &'a str,
    realm: &'a str,
    via: &'a str,
    plmn: PlmnId,
    since: String,
    purged: bool,
}

#[derive(Serialize, JsonSchema)]
struct IsolationView<'a> {
    version: u64,
    actor: &'a str,
    reason: &'a str,
    since: String,
    expires: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Detail<'a> {
    imsi: Imsi,
    msisdn: Option<Msisdn>,
    tenant: &'a str,
    state: State,
    mme: Option<&'a str>,
    version: u64,
    actor: &'a str,
    reason: &'a str,
    since: Option<String>,
    /// When the state ends by itself; never without it.
    expires: Option<String>,
    isolation: Option<IsolationView<'a>>,
    cut: Option<CutId>,
    seq: u64,
    apns: Vec<SubscribedApn>,
    ue_ambr: Option<Ambr>,
    location: Option<LocationView<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct CutSummary<'a> {
    cut: CutId,
    imsi: Imsi,
    verb: Verb,
    who: &'a str,
    why: &'a str,
    at: String,
    verdict: Verdict,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CutList<'a> {
    cuts: Vec<CutSummary<'a>>,
    /// What to give as `before` for the next page.
    next: Option<CutId>,
}

fn json<T: Serialize>(value: &T) -> HttpResponse {
    ok(serde_json::to_vec(value).unwrap_or_default())
}

fn summary<'a>(store: &'a Subscribers, subscriber: &'a Subscriber) -> Summary<'a> {
    Summary {
        imsi: subscriber.imsi,
        msisdn: subscriber.msisdn,
        tenant: store.tenant_name(subscriber.tenant),
        state: subscriber.state,
        mme: store.serving_node(subscriber).map(|n| n.host.as_str()),
    }
}

fn location(location: &Location) -> LocationView<'_> {
    LocationView {
        host: &location.node.host,
        realm: &location.node.realm,
        via: &location.node.via,
        plmn: location.plmn,
        since: location.since.to_string(),
        purged: location.purged,
    }
}

/// A page of subscribers.
pub(super) fn subscribers(store: &Subscribers, after: Option<Imsi>, limit: usize) -> HttpResponse {
    let mut rows = store.after(after);
    let page: Vec<_> = rows.by_ref().take(limit).collect();
    let more = rows.next().is_some();
    json(&SubscriberList {
        next: page.last().filter(|_| more).map(|s| s.imsi),
        subscribers: page.into_iter().map(|s| summary(store, s)).collect(),
        total: store.len(),
    })
}

/// One subscriber.
pub(super) fn subscriber(
    store: &Subscribers,
    subscriber: &Subscriber,
    cut: Option<CutId>,
) -> HttpResponse {
    let standing = subscriber.standing();
    let place = store.location(subscriber);
    json(&Detail {
        imsi: subscriber.imsi,
        msisdn: subscriber.msisdn,
        tenant: store.tenant_name(subscriber.tenant),
        state: subscriber.state,
        mme: store.serving_node(subscriber).map(|n| n.host.as_str()),
        version: standing.version,
        actor: &standing.actor,
        reason: &standing.reason,
        since: (standing.version != 0).then(|| standing.at.to_string()),
        expires: standing.expires.map(|at| at.to_string()),
        isolation: subscriber
            .isolation()
            .filter(|i| i.isolated)
            .map(|i| IsolationView {
                version: i.standing.version,
                actor: &i.standing.actor,
                reason: &i.standing.reason,
                since: i.standing.at.to_string(),
                expires: i.standing.expires.map(|at| at.to_string()),
            }),
        cut,
        seq: subscriber.counter.seq(),
        apns: store.apns(subscriber),
        ue_ambr: store.profile(subscriber).map(|p| p.ue_ambr),
        location: place.as_ref().map(location),
    })
}

/// Orders, the newest first.
pub(super) fn cuts<'a>(cuts: impl Iterator<Item = &'a Cut>) -> HttpResponse {
    let cuts: Vec<_> = cuts
        .map(|cut| CutSummary {
            cut: cut.id(),
            imsi: cut.imsi,
            verb: cut.verb,
            who: &cut.actor,
            why: &cut.reason,
            at: cut.wall.to_string(),
            verdict: cut.verdict(),
        })
        .collect();
    json(&CutList {
        next: cuts.last().map(|c| c.cut),
        cuts,
    })
}
