use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use heiiki_types::{Imsi, WallTime};

/// The greatest version that an order may have: every JSON reader holds it exactly.
pub(crate) const MAX_VERSION: u64 = (1 << 53) - 1;
/// How far an order may be above every one before it. A caller that names a great number by
/// mistake, or by malice, must not use up the numbers with which its order could be lifted.
const MAX_JUMP: u64 = 1 << 48;

/// What the last order for a SIM says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Standing {
    /// It is in force: the SIM is barred, or isolated.
    InForce,
    /// It was lifted. Kept, so that an older order which arrives late changes nothing.
    Lifted,
}

/// The last order for a SIM: a bar or an isolation, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) standing: Standing,
    pub(crate) version: u64,
    pub(crate) cut: String,
    pub(crate) reason: String,
    pub(crate) actor: String,
    /// The cause of the Delete Bearer Requests that follow a bar.
    pub(crate) cause: u8,
    pub(crate) at: WallTime,
    /// Given here, by an emergency cut, and not by an HSS: the HSS takes it up when it is back.
    pub(crate) is_local: bool,
}

impl Order {
    /// What stands for an order whose row is damaged: one in force, since that is safe, that any
    /// lift lifts.
    pub(crate) fn unreadable() -> Self {
        Self {
            standing: Standing::InForce,
            version: 0,
            cut: String::from("unreadable"),
            reason: String::from("the row of the last order for this SIM is damaged"),
            actor: String::from("pgw"),
            cause: 9,
            at: WallTime::default(),
            is_local: true,
        }
    }
}

/// Why an order changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overruled {
    /// The order in force has this version, which is not lower.
    Stale(u64),
    /// The version is above this one, the greatest that is taken now.
    TooHigh(u64),
    /// There is no room for another SIM: so many orders are in force.
    Full,
}

/// The orders of one kind that the gateway keeps: its bars, or its isolations.
///
/// Orders for a SIM are told apart by their versions: the highest counts. At the same version an
/// order and its lift contradict each other, and the order stays: the stricter wins. When the table
/// is full, the lift that is oldest makes room; orders in force never do.
#[derive(Debug)]
pub(crate) struct Orders {
    by_sim: BTreeMap<Imsi, Order>,
    /// Those that are lifted, the oldest first.
    lifted: BTreeSet<(WallTime, Imsi)>,
    capacity: u32,
    /// The highest version ever taken.
    highest: u64,
}

impl Orders {
    pub(crate) const fn new(capacity: u32) -> Self {
        Self {
            by_sim: BTreeMap::new(),
            lifted: BTreeSet::new(),
            capacity,
            highest: 0,
        }
    }

    /// Puts an order in force, unless a later one is. Tells the SIM whose lift made room for it.
    pub(crate) fn take(&mut self, imsi: Imsi, order: Order) -> Result<Option<Imsi>, Overruled> {
        let bound = self.highest.saturating_add(MAX_JUMP).min(MAX_VERSION);
        if order.version > bound {
            return Err(Overruled::TooHigh(bound));
        }
        let mut evicted = None;
        match self.by_sim.get(&imsi) {
            Some(old) => {
                let wins = match order.standing {
                    Standing::InForce => order.version >= old.version,
                    Standing::Lifted if old.standing == Standing::Lifted => {
                        order.version >= old.version
                    }
                    Standing::Lifted => order.version > old.version,
                };
                if !wins {
                    return Err(Overruled::Stale(old.version));
                }
            }
            None if u32::try_from(self.by_sim.len()).is_ok_and(|n| n >= self.capacity) => {
                let (_, oldest) = self.lifted.first().copied().ok_or(Overruled::Full)?;
                self.remove(oldest);
                evicted = Some(oldest);
            }
            None => {}
        }
        self.restore(imsi, order);
        Ok(evicted)
    }

    fn remove(&mut self, imsi: Imsi) {
        if let Some(old) = self.by_sim.remove(&imsi) {
            self.lifted.remove(&(old.at, imsi));
        }
    }

    /// Puts an order from disk in force.
    pub(crate) fn restore(&mut self, imsi: Imsi, order: Order) {
        self.remove(imsi);
        self.highest = self.highest.max(order.version);
        if order.standing == Standing::Lifted {
            self.lifted.insert((order.at, imsi));
        }
        self.by_sim.insert(imsi, order);
    }

    /// The highest version that was ever taken, also of orders that are not kept any more.
    pub(crate) const fn highest(&self) -> u64 {
        self.highest
    }

    /// Takes up the highest version from disk.
    pub(crate) fn restore_highest(&mut self, version: u64) {
        self.highest = self.highest.max(version.min(MAX_VERSION));
    }

    /// The last order for a SIM.
    pub(crate) fn order(&self, imsi: Imsi) -> Option<&Order> {
        self.by_sim.get(&imsi)
    }

    /// The order for a SIM that is in force.
    pub(crate) fn in_force(&self, imsi: Imsi) -> Option<&Order> {
        self.order(imsi).filter(|o| o.standing == Standing::InForce)
    }

    /// All that are in force, by IMSI, from after `after` on.
    pub(crate) fn iter_after(&self, after: Option<Imsi>) -> impl Iterator<Item = (Imsi, &Order)> {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let orders = self.by_sim.range((from, Unbounded));
        orders
            .map(|(imsi, order)| (*imsi, order))
            .filter(|(_, o)| o.standing == Standing::InForce)
    }

    /// All that are in force.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Imsi, &Order)> {
        self.iter_after(None)
    }

    /// How many are in force.
    pub(crate) fn len(&self) -> usize {
        self.by_sim.len() - self.lifted.len()
    }
}

/// The largest text of an order that is kept.
const TEXT: usize = 256;

/// Cuts a text of a caller to the length that is kept.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::Standing::{InForce, Lifted};
    use super::*;

    fn order(standing: Standing, version: u64) -> Order {
        Order {
            standing,
            version,
            cut: String::from("c"),
            reason: String::new(),
            actor: String::new(),
            cause: 9,
            at: WallTime::from_unix_micros(version),
            is_local: false,
        }
    }

    fn imsis<const N: usize>(texts: [&str; N]) -> [Imsi; N] {
        texts.map(|t| t.parse().unwrap())
    }

    #[test]
    fn the_later_order_counts_and_a_tie_is_strict() {
        let [imsi] = imsis(["001010000000001"]);
        let mut bars = Orders::new(10);
        assert_eq!(bars.take(imsi, order(InForce, 5)), Ok(None));
        assert_eq!(bars.take(imsi, order(Lifted, 5)), Err(Overruled::Stale(5)));
        assert_eq!(bars.take(imsi, order(Lifted, 4)), Err(Overruled::Stale(5)));
        assert!(bars.in_force(imsi).is_some());
        // Said twice is said once.
        assert_eq!(bars.take(imsi, order(InForce, 5)), Ok(None));
        assert_eq!(bars.take(imsi, order(Lifted, 6)), Ok(None));
        assert!(bars.in_force(imsi).is_none());
        assert_eq!(bars.len(), 0);
        // A bar from before the lift comes too late.
        assert_eq!(bars.take(imsi, order(InForce, 5)), Err(Overruled::Stale(6)));
        assert_eq!(bars.take(imsi, order(InForce, 6)), Ok(None));
        assert!(bars.in_force(imsi).is_some());
        assert_eq!(bars.len(), 1);
    }

    #[test]
    fn a_full_table_forgets_lifts_and_never_a_bar() {
        let [a, b, c] = imsis(["001010000000001", "001010000000002", "001010000000003"]);
        let mut bars = Orders::new(2);
        bars.take(a, order(InForce, 1)).unwrap();
        bars.take(b, order(InForce, 2)).unwrap();
        assert_eq!(bars.take(c, order(InForce, 3)), Err(Overruled::Full));
        assert_eq!(bars.take(a, order(InForce, 4)), Ok(None));
        assert_eq!(bars.take(b, order(Lifted, 5)), Ok(None));
        assert_eq!(bars.take(c, order(InForce, 3)), Ok(Some(b)));
        assert!(bars.order(b).is_none());
        assert!(bars.in_force(a).is_some() && bars.in_force(c).is_some());
        // What was forgotten still counts for the next number.
        assert_eq!(bars.highest(), 5);
    }

    #[test]
    fn nobody_uses_up_the_versions() {
        let [imsi] = imsis(["001010000000001"]);
        let mut bars = Orders::new(2);
        let most = bars.take(imsi, order(InForce, u64::MAX));
        assert_eq!(most, Err(Overruled::TooHigh(MAX_JUMP)));
        assert_eq!(bars.take(imsi, order(InForce, MAX_JUMP)), Ok(None));
        assert_eq!(bars.take(imsi, order(Lifted, MAX_JUMP + 1)), Ok(None));
        bars.restore_highest(u64::MAX);
        let over = bars.take(imsi, order(InForce, MAX_VERSION + 1));
        assert_eq!(over, Err(Overruled::TooHigh(MAX_VERSION)));
    }
}
