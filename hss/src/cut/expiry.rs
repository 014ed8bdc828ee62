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
use crate::subscriber::Verb;

/// The wall clock may be set: it is looked at this often while something is to end.
const LOOK: Duration = Duration::from_mins(1);

/// What ends when.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    ends: BTreeSet<(WallTime, Imsi, Kind)>,
    due: Option<Instant>,
}

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
    pub(crate) fn arm(&mut self, now: Now) {
        self.due = self.ends.first().map(|(at, ..)| {
            let left = at
                .as_unix_micros()
                .saturating_sub(now.wall.as_unix_micros());
            now.at + Duration::from_micros(left).min(LOOK)
        });
    }

    fn take_due(&mut self, now: Now) -> Option<(WallTime, Imsi, Kind)> {
        let first = self.ends.first().copied()?;
        if first.0 > now.wall {
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
        if self.journal.is_stuck() {
            // What cannot be made durable does not give anything back.
            return;
        }
        while let Some((at, imsi, kind)) = self.expiries.take_due(now) {
            let Some(subscriber) = self.subscribers.by_imsi(imsi) else {
                continue;
            };
            let (standing, verb) = match kind {
                Kind::Isolation => match subscriber.isolation() {
                    Some(isolation) => (&isolation.standing, Verb::Release),
                    None => continue,
                },
                Kind::Bar | Kind::Session => (subscriber.standing(), Verb::Resume),
            };
            if standing.expires != Some(at) {
                continue;
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
}
