//! Orders that end by themselves, at a time on the wall clock.
//!
//! Without one, nothing ends by itself: a SIM stays as it is until somebody orders otherwise.

use alloc::collections::BTreeSet;
use alloc::format;
use core::time::Duration;

use heiiki_types::{Imsi, Instant, Now, WallTime};

use super::Kind;
use super::procedure::Order;
use crate::node::Hss;
use crate::shared::deed::Deed;
use crate::subscriber::Verb;

/// The wall clock may be set: it is looked at this often while something is to end.
const LOOK: Duration = Duration::from_mins(1);

/// What ends when.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    ends: BTreeSet<(WallTime, Imsi, Kind)>,
    due: Option<Instant>,
    /// Nothing can end before.
    paused: Option<Instant>,
}

/// How long to wait when nothing can end now.
const PAUSE: Duration = Duration::from_secs(1);
/// Ends that wait for the shared store at a time.
const AT_A_TIME: usize = 256;

impl Expiries {
    /// Changes when the order of a kind for a SIM ends.
    pub(crate) fn set(
        &mut self,
        imsi: Imsi,
        kind: Kind,
        before: Option<WallTime>,
        after: Option<WallTime>,
    ) {
        if let Some(before) = before {
            self.ends.remove(&(before, imsi, kind));
        }
        if let Some(after) = after {
            self.ends.insert((after, imsi, kind));
        }
    }

    /// Sets the next look at the clock.
    pub(crate) fn arm(&mut self, now: Now, grace: Duration) {
        self.paused = self.paused.filter(|until| *until > now.at);
        self.due = self.ends.first().map(|(at, ..)| {
            let at = *at + grace;
            let left = at
                .as_unix_micros()
                .saturating_sub(now.wall.as_unix_micros());
            let look = now.at + Duration::from_micros(left).min(LOOK);
            self.paused.map_or(look, |until| look.max(until))
        });
    }

    /// What was due ends later.
    pub(crate) fn again(&mut self, now: Instant, end: (WallTime, Imsi, Kind)) {
        self.ends.insert(end);
        self.pause(now);
    }

    fn pause(&mut self, now: Instant) {
        self.paused = Some(now + PAUSE);
    }

    fn take_due(&mut self, now: Now, grace: Duration) -> Option<(WallTime, Imsi, Kind)> {
        let first = self.ends.first().copied()?;
        if first.0 + grace > now.wall || self.paused.is_some_and(|until| until > now.at) {
            return None;
        }
        self.ends.remove(&first);
        Some(first)
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

impl Hss {
    /// Ends what is over.
    pub(crate) fn run_expiries(&mut self, now: Now) {
        let grace = self.grace(now.at);
        if self.journal.is_stuck() || !self.has_room(AT_A_TIME) {
            // What cannot be made durable does not give anything back.
            self.expiries.pause(now.at);
            return;
        }
        for _ in 0..AT_A_TIME {
            let Some((at, imsi, kind)) = self.expiries.take_due(now, grace) else {
                return;
            };
            self.do_at(now, imsi, Deed::Expire { imsi, kind, at });
        }
    }

    /// Ends one order, if it is still the one that was to end then.
    pub(crate) fn end_order(&mut self, now: Now, imsi: Imsi, kind: Kind, at: WallTime) {
        let Some(subscriber) = self.subscribers.by_imsi(imsi) else {
            return;
        };
        let (standing, verb) = match kind {
            Kind::Isolation => match subscriber.isolation() {
                Some(isolation) => (&isolation.standing, Verb::Release),
                None => return,
            },
            Kind::Bar | Kind::Session => (subscriber.standing(), Verb::Resume),
        };
        if standing.expires != Some(at) {
            return;
        }
        let reason = format!("the order of {} was to end at {at}", standing.actor);
        let order = Order {
            actor: "expiry".into(),
            reason: super::book::short(&reason),
            ..Order::new(imsi, verb)
        };
        let _ = self.order(now, None, order);
    }
}
