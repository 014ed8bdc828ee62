//! Keeping gateways and the HSS of one mind about who is barred and who is isolated.
//!
//! Each gateway is asked for its status every few seconds. When it has started again, has another
//! journal, or was given orders by somebody else, its orders are read page by page and merged with
//! those of the HSS, and the stricter wins:
//!
//! * an order that the HSS has and the gateway has not is given again;
//! * an order of the gateway that the HSS did not give, or that is later than all that the HSS
//!   knows, is taken up: the HSS gives it in its own name, with a higher version, to every gateway;
//! * an order of the gateway that the HSS has lifted since is lifted again.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{HttpRequest, HttpResponse, Imsi, Instant, Method, Now};
use serde::Deserialize;

use super::book::{Asked, LegId, short};
use super::procedure::Order;
use super::{CutId, Kind, MAX_VERSION};
use crate::event::Event;
use crate::node::{Hss, Output};
use crate::shared::deed::Deed;
use crate::subscriber::{State, Verb};

/// What is known of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// What it last said of itself, once all that it kept then was merged.
    seen: Option<Status>,
    /// What it says now, while its orders are read.
    merging: Option<(Status, Page)>,
    /// When it is asked next; none while a call is under way.
    due: Option<Instant>,
    /// It does not answer.
    silent: bool,
    /// Something that was read could not be merged yet.
    again: bool,
}

/// A page that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    kind: Kind,
    after: Option<Imsi>,
}

/// `GET /v1/status`; what else is in it does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    instance: String,
    local_orders: u32,
}

#[derive(Deserialize)]
struct Row {
    imsi: Imsi,
    version: u64,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    local: bool,
}

#[derive(Deserialize)]
struct Rows {
    #[serde(alias = "isolations")]
    bars: Vec<Row>,
    next: Option<Imsi>,
}

/// What a gateway has that the HSS did not give it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) gateway: String,
    pub(crate) imsi: Imsi,
    pub(crate) kind: Kind,
    pub(crate) version: u64,
    pub(crate) actor: String,
    pub(crate) reason: String,
}

impl Hss {
    /// After a start: everybody is asked.
    pub(crate) fn watch_gateways(&mut self, now: Now) {
        let watch = |_: &_| Watch {
            due: Some(now.at),
            ..Watch::default()
        };
        self.watches = self.config.gateways.iter().map(watch).collect();
        self.run_watches(now);
    }

    pub(crate) fn watch_timeout(&self) -> Option<Instant> {
        self.watches.iter().filter_map(|w| w.due).min()
    }

    /// Asks the gateways whose time has come.
    pub(crate) fn run_watches(&mut self, now: Now) {
        for gateway in 0..self.watches.len() {
            let watch = self.watches.get(gateway);
            if watch.is_some_and(|w| w.due.is_some_and(|due| due <= now.at)) {
                self.ask_gateway(now, gateway);
            }
        }
    }

    fn ask_gateway(&mut self, now: Now, gateway: usize) {
        let (Some(listed), Some(watch)) = (
            self.config.gateways.get(gateway),
            self.watches.get_mut(gateway),
        ) else {
            return;
        };
        watch.due = None;
        let Some(token) = listed.token.clone() else {
            return;
        };
        let target = match &watch.merging {
            None => String::from("/v1/status"),
            Some((_, Page { kind, after })) => {
                let list = match kind {
                    Kind::Isolation => "isolations",
                    Kind::Bar | Kind::Session => "bars",
                };
                let after = after.map_or_else(String::new, |a| format!("&after={a}"));
                format!("/v1/{list}?limit=1000{after}")
            }
        };
        let name = listed.name.clone();
        let request = HttpRequest {
            method: Method::Get,
            target,
            bearer: Some(token),
            body: Vec::new(),
            headers: heiiki_types::Headers::default(),
        };
        let deadline = now.at + self.config.timers.gateway;
        let call = self.cuts.call(Asked::Watch(gateway), deadline);
        self.outputs.push_back(Output::GatewayCall {
            call,
            gateway: name,
            request,
        });
    }

    /// Somebody says which instance of its journal a gateway is: another one is looked at at once.
    pub(crate) fn saw_instance(&mut self, now: Now, name: &str, instance: &str) {
        let place = self.config.gateways.iter().position(|g| g.name == name);
        let watch = place.and_then(|place| self.watches.get_mut(place));
        let Some(watch) = watch else { return };
        let known = watch.seen.as_ref().map(|s| s.instance.as_str());
        if watch.merging.is_none()
            && watch.due.is_some()
            && known.is_some_and(|known| known != instance)
        {
            watch.due = Some(now.at);
        }
    }

    /// A gateway answered a question, or did not.
    pub(crate) fn watch_replied(
        &mut self,
        now: Now,
        gateway: usize,
        result: Option<&HttpResponse>,
    ) {
        let merging = self.watches.get_mut(gateway).and_then(|w| w.merging.take());
        let answered = result.filter(|r| r.status == 200);
        let next = match (answered, merging) {
            (None, _) => {
                self.gateway_is_silent(gateway, result);
                None
            }
            (Some(response), None) => self.status_read(gateway, &response.body),
            (Some(response), Some((status, page))) => {
                self.page_read(now, gateway, (status, page), &response.body)
            }
        };
        let Some(watch) = self.watches.get_mut(gateway) else {
            return;
        };
        watch.silent = answered.is_none();
        watch.due = Some(match &next {
            Some(_) => now.at,
            None => now.at + self.config.timers.gateway_check,
        });
        watch.merging = next;
        self.run_watches(now);
    }

    fn gateway_is_silent(&mut self, gateway: usize, result: Option<&HttpResponse>) {
        let name = self.config.gateways.get(gateway).map(|g| g.name.clone());
        let was_silent = self.watches.get(gateway).is_some_and(|w| w.silent);
        if let Some(gateway) = name.filter(|_| !was_silent) {
            let why = match result {
                Some(response) => format!("status {}", response.status),
                None => String::from("it cannot be reached"),
            };
            self.tell(Event::GatewaySilent { gateway, why });
        }
    }

    /// What a gateway says of itself. Tells what is to be read, if that is not what is known.
    fn status_read(&mut self, gateway: usize, body: &[u8]) -> Option<(Status, Page)> {
        let status: Status = serde_json::from_slice(body).ok()?;
        let watch = self.watches.get(gateway)?;
        if watch.seen.as_ref() == Some(&status) {
            return None;
        }
        let first = Page {
            kind: Kind::Bar,
            after: None,
        };
        Some((status, first))
    }

    fn page_read(
        &mut self,
        now: Now,
        gateway: usize,
        (status, page): (Status, Page),
        body: &[u8],
    ) -> Option<(Status, Page)> {
        let rows: Rows = serde_json::from_slice(body).ok()?;
        let Page { kind, after } = page;
        self.merge(now, gateway, page, &rows);
        if let Some(next) = rows.next.filter(|next| Some(*next) > after) {
            let after = Some(next);
            return Some((status, Page { kind, after }));
        }
        if kind == Kind::Bar {
            let kind = Kind::Isolation;
            return Some((status, Page { kind, after: None }));
        }
        let name = self.config.gateways.get(gateway).map(|g| g.name.clone());
        if let Some(watch) = self.watches.get_mut(gateway) {
            let again = core::mem::take(&mut watch.again);
            watch.seen = (!again).then(|| status.clone());
        }
        self.tell(Event::GatewayMerged {
            gateway: name.unwrap_or_default(),
            instance: short(&status.instance),
        });
        None
    }

    /// Merges one page of a gateway's orders with those of the HSS in the same range.
    fn merge(&mut self, now: Now, gateway: usize, page: Page, rows: &Rows) {
        use core::ops::Bound::{Excluded, Included, Unbounded};
        let Some(listed) = self.config.gateways.get(gateway).cloned() else {
            return;
        };
        let there: BTreeMap<Imsi, &Row> = rows.bars.iter().map(|r| (r.imsi, r)).collect();
        for row in there.values() {
            let found = Found {
                gateway: listed.name.clone(),
                imsi: row.imsi,
                kind: page.kind,
                version: row.version,
                actor: row.actor.clone(),
                reason: row.reason.clone(),
            };
            self.found(now, found, row.local);
        }
        let from = page.after.map_or(Unbounded, Excluded);
        let to = rows.next.map_or(Unbounded, Included);
        if matches!((page.after, rows.next), (Some(a), Some(n)) if n <= a) {
            return;
        }
        let here: &BTreeSet<Imsi> = self.standing(page.kind);
        let missing: Vec<Imsi> = here
            .range((from, to))
            .filter(|imsi| !there.contains_key(imsi))
            .copied()
            .collect();
        for imsi in missing {
            if self.is_served_by(imsi, &listed) {
                let deed = Deed::GiveAgain {
                    imsi,
                    kind: page.kind,
                    gateway: listed.name.clone(),
                    version: self.order_version(imsi, page.kind).unwrap_or(0),
                };
                self.do_at(now, imsi, deed);
            }
        }
    }

    /// The SIMs whose bar, or isolation, is in force here by an order.
    pub(crate) const fn standing(&self, kind: Kind) -> &BTreeSet<Imsi> {
        match kind {
            Kind::Isolation => &self.isolated,
            Kind::Bar | Kind::Session => &self.barred,
        }
    }

    fn is_served_by(&self, imsi: Imsi, gateway: &crate::config::Gateway) -> bool {
        let subscriber = self.subscribers.by_imsi(imsi);
        let profile = subscriber.and_then(|s| self.subscribers.profile(s));
        profile.is_some_and(|p| p.apns.iter().any(|a| gateway.apns.contains(&a.apn)))
    }

    /// An order of a gateway: what can be seen at once to be known needs no look at the store.
    fn found(&mut self, now: Now, found: Found, local: bool) {
        let (imsi, kind) = (found.imsi, found.kind);
        let Some(own) = self.order_version(imsi, kind) else {
            return;
        };
        if found.version >= MAX_VERSION {
            return;
        }
        let known = self.known_versions.entry((imsi, kind)).or_default();
        let is_new = *known < found.version;
        *known = (*known).max(found.version);
        if self.standing(kind).contains(&imsi) {
            return;
        }
        if self.shared.is_some() && is_new && !local && found.version > own {
            // Another front end may be about to write it: bars are put first. If it is still there
            // and not known the next time, it is taken up.
            return self.compare_again(&found.gateway);
        }
        self.do_at(now, imsi, Deed::Merge { found, local });
    }

    /// A gateway's orders are to be read again at the next occasion.
    pub(crate) fn compare_again(&mut self, name: &str) {
        let place = self.config.gateways.iter().position(|g| g.name == name);
        if let Some(watch) = place.and_then(|place| self.watches.get_mut(place)) {
            watch.again = true;
            watch.seen = None;
        }
    }

    /// One order of a gateway.
    pub(crate) fn merge_row(&mut self, now: Now, found: &Found, local: bool) {
        let (imsi, kind) = (found.imsi, found.kind);
        let Some(own) = self.order_version(imsi, kind) else {
            return;
        };
        if found.version >= MAX_VERSION {
            return;
        }
        let known = self.known_versions.entry((imsi, kind)).or_default();
        *known = (*known).max(found.version);
        if self.standing(kind).contains(&imsi) || self.is_barred_otherwise(imsi, kind) {
            return;
        }
        let latest = self.cuts.latest_of(imsi, kind);
        let lift = latest.and_then(|id| {
            let cut = self.cuts.get(id).filter(|c| !c.verb.takes_away())?;
            let leg = cut.gateways.iter().position(|g| g.name == found.gateway)?;
            let open = !cut.committed || cut.gateways.get(leg)?.is_open();
            Some((
                LegId {
                    cut: id,
                    gateway: leg,
                },
                open,
            ))
        });
        match lift {
            // The lift is on its way, or is told again until it is there.
            Some((_, true)) => {}
            Some((leg, false)) if !local && found.version <= own => self.tell_again(now, leg),
            _ if !local && found.version <= own => {
                let verb = if kind == Kind::Isolation {
                    Verb::Release
                } else {
                    Verb::Resume
                };
                self.own_order(now, imsi, verb, "the gateway has an order that was lifted");
            }
            _ => self.take_up(now, found),
        }
    }

    /// Whether a SIM has no service by its first state, without any order.
    fn is_barred_otherwise(&self, imsi: Imsi, kind: Kind) -> bool {
        let subscriber = self.subscribers.by_imsi(imsi);
        kind == Kind::Bar && subscriber.is_some_and(|s| !s.state.is_served())
    }

    /// Takes up what only a gateway knows, in its own words.
    pub(crate) fn take_up(&mut self, now: Now, found: &Found) {
        let known = self
            .known_versions
            .entry((found.imsi, found.kind))
            .or_default();
        *known = (*known).max(found.version);
        let verb = match found.kind {
            Kind::Isolation => Verb::Isolate,
            Kind::Bar | Kind::Session => Verb::Suspend,
        };
        let who = match found.actor.as_str() {
            "" => "somebody",
            who => who,
        };
        self.tell(Event::OrderTakenUp {
            imsi: found.imsi,
            gateway: found.gateway.clone(),
            verb,
            version: found.version,
        });
        let order = Order {
            actor: short(&format!("{who} (at gateway {})", found.gateway)),
            reason: short(&found.reason),
            ..Order::new(found.imsi, verb)
        };
        // Refused by the state only when the SIM is stricter off already.
        let _ = self.order(now, None, order);
    }

    /// Gives an order again that a gateway has lost.
    pub(crate) fn give_again(
        &mut self,
        now: Now,
        imsi: Imsi,
        kind: Kind,
        (gateway, version): (&str, u64),
    ) {
        // A later order, perhaps of another front end, goes to the gateway by itself.
        if self.order_version(imsi, kind) != Some(version) || !self.standing(kind).contains(&imsi) {
            return;
        }
        let latest = self.cuts.latest_of(imsi, kind);
        let leg = latest.and_then(|id| {
            let cut = self.cuts.get(id).filter(|c| c.verb.takes_away())?;
            let place = cut.gateways.iter().position(|g| g.name == gateway)?;
            Some(LegId {
                cut: id,
                gateway: place,
            })
        });
        if let Some(leg) = leg {
            self.tell_again(now, leg);
            return;
        }
        // The order is not remembered any more: another one like it.
        let state = self.subscribers.by_imsi(imsi).map(|s| s.state);
        let verb = match (kind, state) {
            (Kind::Isolation, _) => Verb::Isolate,
            (_, Some(State::Inactive)) => Verb::Pause,
            (_, Some(State::Terminated)) => Verb::Terminate,
            _ => Verb::Suspend,
        };
        self.own_order(now, imsi, verb, "a gateway has lost the order");
    }

    /// An order of the HSS itself.
    pub(crate) fn own_order(&mut self, now: Now, imsi: Imsi, verb: Verb, reason: &str) {
        let order = Order {
            actor: String::from("hss"),
            reason: String::from(reason),
            ..Order::new(imsi, verb)
        };
        let _ = self.order(now, None, order);
    }

    /// Tells a gateway its part of an order once more, whether or not it has answered.
    fn tell_again(&mut self, now: Now, leg_id: LegId) {
        // Its holder sees the same and does it; the next time it is seen whether it has.
        if !self.may_tell(now.at, leg_id.cut) {
            let leg = self.cuts.get(leg_id.cut);
            let leg = leg.and_then(|cut| cut.gateways.get(leg_id.gateway));
            if let Some(name) = leg.map(|leg| leg.name.clone()) {
                self.compare_again(&name);
            }
            return;
        }
        let cut = self.cuts.get_mut(leg_id.cut);
        let Some(leg) = cut.and_then(|c| c.gateways.get_mut(leg_id.gateway)) else {
            return;
        };
        if leg.answer.is_some() {
            leg.redo = true;
            self.cuts.queue(leg_id);
            self.cut_progress(leg_id.cut);
            self.pump_calls(now);
        }
    }

    /// Tells gateways what waits to be told, so many at a time.
    pub(crate) fn pump_calls(&mut self, now: Now) {
        while let Some(leg) = self.cuts.next_queued(self.config.limits.gateway_calls) {
            self.tell_gateway(now, leg);
        }
    }

    /// The version of the last order of a kind for a SIM; none for a SIM that is unknown.
    pub(super) fn order_version(&self, imsi: Imsi, kind: Kind) -> Option<u64> {
        let subscriber = self.subscribers.by_imsi(imsi)?;
        Some(match kind {
            Kind::Isolation => subscriber.isolation().map_or(0, |i| i.standing.version),
            Kind::Bar | Kind::Session => subscriber.standing().version,
        })
    }

    /// The version of a new order: above its number, and above every order for the SIM that the
    /// HSS or a gateway has.
    pub(crate) fn version_above(&self, id: CutId, imsi: Imsi) -> u64 {
        let orders = [Kind::Bar, Kind::Isolation].map(|kind| {
            let known = self.known_versions.get(&(imsi, kind)).copied();
            let own = self.order_version(imsi, kind).unwrap_or(0);
            let latest = self.cuts.latest_of(imsi, kind);
            let latest = latest.and_then(|id| self.cuts.get(id)).map(|c| c.version);
            own.max(known.unwrap_or(0)).max(latest.unwrap_or(0))
        });
        let above = orders.into_iter().max().unwrap_or(0).saturating_add(1);
        id.0.max(above)
    }
}
