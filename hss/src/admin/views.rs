//! What the administrative interface shows. Nothing here holds a secret.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_types::{Ambr, HttpResponse, Imsi, Msisdn, PlmnId, to_hex};
use schemars::JsonSchema;
use serde::Serialize;

use super::ok;
use crate::cut::book::Book;
use crate::cut::{Cut, CutId, Kind, Verdict};
use crate::subscriber::{
    Location, Profile, ProfileOptions, State, SubscribedApn, Subscriber, Subscribers, Verb,
};

#[derive(Serialize, JsonSchema)]
struct Summary<'a> {
    imsi: Imsi,
    msisdn: Option<Msisdn>,
    tenant: &'a str,
    state: State,
    mme: Option<&'a str>,
}

/// One of a list: whole when the call asks for `detail`.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Listed<'a> {
    Summary(Summary<'a>),
    Detail(Box<Detail<'a>>),
}

/// A page of a list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SubscriberList<'a> {
    subscribers: Vec<Listed<'a>>,
    /// Subscribers in the store, whatever the call asks for.
    total: usize,
    /// What to give as `after` for the next page; null on the last one. A page may be short, or
    /// even empty, and not be the last one.
    next: Option<Imsi>,
}

#[derive(Serialize, JsonSchema)]
struct LocationView {
    host: String,
    realm: String,
    via: String,
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
    group: &'a str,
    /// Authentication management field.
    amf: String,
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
    barring: u32,
    access_restriction: u32,
    periodic_update_s: Option<u32>,
    charging_characteristics: Option<u16>,
    location: Option<LocationView>,
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

fn location(location: Location) -> LocationView {
    LocationView {
        host: location.node.host,
        realm: location.node.realm,
        via: location.node.via,
        plmn: location.plmn,
        since: location.since.to_string(),
        purged: location.purged,
    }
}

/// Which subscribers a list is of.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) state: Option<State>,
    pub(super) tenant: Option<String>,
    pub(super) group: Option<String>,
    /// The first digits of the IMSI.
    pub(super) prefix: Option<String>,
}

impl Filter {
    fn takes(&self, store: &Subscribers, subscriber: &Subscriber) -> bool {
        let is = |want: &Option<String>, have: &str| want.as_ref().is_none_or(|w| w == have);
        let begins = |prefix: &String| {
            let mut digits = subscriber.imsi.digits();
            prefix.bytes().all(|c| digits.next() == c.checked_sub(b'0'))
        };
        self.state.is_none_or(|s| s == subscriber.state)
            && is(&self.tenant, store.tenant_name(subscriber.tenant))
            && is(&self.group, store.group_name(subscriber))
            && self.prefix.as_ref().is_none_or(begins)
    }
}

/// Subscribers that one call looks at: nobody else is served meanwhile.
const LOOKED_AT: usize = 20_000;

/// The subscribers of a page, and where the next one begins.
fn page<'a>(
    store: &'a Subscribers,
    filter: &Filter,
    (after, limit): (Option<Imsi>, usize),
) -> (Vec<&'a Subscriber>, Option<Imsi>) {
    let mut rows = store.after(after).peekable();
    let (mut found, mut last, mut looked_at) = (Vec::new(), None, 0);
    while found.len() < limit && looked_at < LOOKED_AT {
        let Some(subscriber) = rows.next() else {
            break;
        };
        looked_at += 1;
        last = Some(subscriber.imsi);
        if filter.takes(store, subscriber) {
            found.push(subscriber);
        }
    }
    let next = last.filter(|_| rows.peek().is_some());
    (found, next)
}

/// A page of subscribers.
pub(super) fn subscribers(
    store: &Subscribers,
    filter: &Filter,
    at: (Option<Imsi>, usize),
) -> HttpResponse {
    let (found, next) = page(store, filter, at);
    let rows = found
        .into_iter()
        .map(|s| Listed::Summary(summary(store, s)));
    json(&SubscriberList {
        subscribers: rows.collect(),
        total: store.len(),
        next,
    })
}

/// A page of subscribers with all that is shown of each.
pub(super) fn details(
    store: &Subscribers,
    cuts: &Book,
    filter: &Filter,
    at: (Option<Imsi>, usize),
) -> HttpResponse {
    let (found, next) = page(store, filter, at);
    let rows = found.into_iter().map(|s| {
        Listed::Detail(Box::new(detail(
            store,
            s,
            cuts.latest_of(s.imsi, Kind::Bar),
        )))
    });
    json(&SubscriberList {
        subscribers: rows.collect(),
        total: store.len(),
        next,
    })
}

/// One subscriber.
pub(super) fn subscriber(
    store: &Subscribers,
    subscriber: &Subscriber,
    cut: Option<CutId>,
) -> HttpResponse {
    json(&detail(store, subscriber, cut))
}

fn detail<'a>(
    store: &'a Subscribers,
    subscriber: &'a Subscriber,
    cut: Option<CutId>,
) -> Detail<'a> {
    let standing = subscriber.standing();
    let profile = store.profile(subscriber);
    let options = profile.map_or_else(ProfileOptions::default, Profile::options);
    Detail {
        imsi: subscriber.imsi,
        msisdn: subscriber.msisdn,
        tenant: store.tenant_name(subscriber.tenant),
        state: subscriber.state,
        mme: store.serving_node(subscriber).map(|n| n.host.as_str()),
        group: store.group_name(subscriber),
        amf: to_hex(&subscriber.amf),
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
        ue_ambr: profile.map(|p| p.ue_ambr),
        barring: options.barring,
        access_restriction: options.access_restriction,
        periodic_update_s: options.periodic_update_s,
        charging_characteristics: options.charging_characteristics,
        location: store.location(subscriber).map(location),
    }
}

/// The entity tag of a subscriber: another one whenever something of the subscription or the state
/// changes that is shown. Where the SIM is and how many vectors it has had do not count, nor do its
/// keys, which nobody sees.
pub(super) fn etag(store: &Subscribers, subscriber: &Subscriber) -> String {
    let mut shown = detail(store, subscriber, None);
    shown.mme = None;
    shown.seq = 0;
    shown.location = None;
    let text = serde_json::to_vec(&shown).unwrap_or_default();
    alloc::format!("\"{:016x}\"", fingerprint(&text))
}

/// FNV-1a: short, and good enough to tell versions of one thing apart.
pub(super) fn fingerprint(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
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
