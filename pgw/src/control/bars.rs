use alloc::collections::BTreeMap;
use alloc::string::String;

use heiiki_types::{Imsi, WallTime};

/// What the last order for a SIM says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Standing {
    /// The SIM gets no session and has none.
    Barred,
    /// The bar was lifted. Kept, so that an older bar which arrives late bars nobody.
    Lifted,
}

/// The last order for a SIM: a bar, or the lift of one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) standing: Standing,
    pub(crate) version: u64,
    pub(crate) cut: String,
    pub(crate) reason: String,
    pub(crate) actor: String,
    /// The cause of the Delete Bearer Requests that follow.
    pub(crate) cause: u8,
    pub(crate) at: WallTime,
}

impl Order {
    /// What stands for an order whose row is damaged: a bar, since that is safe, that any lift
    /// lifts.
    pub(crate) fn unreadable() -> Self {
        Self {
            standing: Standing::Barred,
            version: 0,
            cut: String::from("unreadable"),
            reason: String::from("the row of the last order for this SIM is damaged"),
            actor: String::from("pgw"),
            cause: 9,
            at: WallTime::default(),
        }
    }
}

/// Why an order changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overruled {
    /// The order in force has this version, which is not lower.
    Stale(u64),
    /// There is no room for another SIM.
    Full,
}

/// The bars of the gateway.
///
/// Orders for a SIM are told apart by their versions: the highest counts. At the same version a
/// bar and a lift contradict each other, and the bar stays: the stricter wins.
#[derive(Debug)]
pub(crate) struct Bars {
    orders: BTreeMap<Imsi, Order>,
    capacity: u32,
}

impl Bars {
    pub(crate) const fn new(capacity: u32) -> Self {
        Self {
            orders: BTreeMap::new(),
            capacity,
        }
    }

    /// Puts an order in force, unless a later one is.
    pub(crate) fn take(&mut self, imsi: Imsi, order: Order) -> Result<(), Overruled> {
        match self.orders.get(&imsi) {
            Some(old) => {
                let wins = match order.standing {
                    Standing::Barred => order.version >= old.version,
                    Standing::Lifted if old.standing == Standing::Lifted => {
                        order.version >= old.version
                    }
                    Standing::Lifted => order.version > old.version,
                };
                if !wins {
                    return Err(Overruled::Stale(old.version));
                }
            }
            None if u32::try_from(self.orders.len()).is_ok_and(|n| n >= self.capacity) => {
                return Err(Overruled::Full);
            }
            None => {}
        }
        self.orders.insert(imsi, order);
        Ok(())
    }

    /// Puts an order from disk in force.
    pub(crate) fn restore(&mut self, imsi: Imsi, order: Order) {
        self.orders.insert(imsi, order);
    }

    /// The last order for a SIM.
    pub(crate) fn order(&self, imsi: Imsi) -> Option<&Order> {
        self.orders.get(&imsi)
    }

    /// The bar of a SIM.
    pub(crate) fn bar(&self, imsi: Imsi) -> Option<&Order> {
        self.order(imsi).filter(|o| o.standing == Standing::Barred)
    }

    /// All bars.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Imsi, &Order)> {
        let orders = self.orders.iter().map(|(imsi, order)| (*imsi, order));
        orders.filter(|(_, o)| o.standing == Standing::Barred)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(standing: Standing, version: u64) -> Order {
        Order {
            standing,
            version,
            cut: String::from("c"),
            reason: String::new(),
            actor: String::new(),
            cause: 9,
            at: WallTime::default(),
        }
    }

    #[test]
    fn the_later_order_counts_and_a_tie_is_strict() {
        use Standing::{Barred, Lifted};
        let imsi: Imsi = "001010000000001".parse().unwrap();
        let mut bars = Bars::new(10);
        assert_eq!(bars.take(imsi, order(Barred, 5)), Ok(()));
        assert_eq!(bars.take(imsi, order(Lifted, 5)), Err(Overruled::Stale(5)));
        assert_eq!(bars.take(imsi, order(Lifted, 4)), Err(Overruled::Stale(5)));
        assert!(bars.bar(imsi).is_some());
        // Said twice is said once.
        assert_eq!(bars.take(imsi, order(Barred, 5)), Ok(()));
        assert_eq!(bars.take(imsi, order(Lifted, 6)), Ok(()));
        assert!(bars.bar(imsi).is_none());
        // A bar from before the lift comes too late.
        assert_eq!(bars.take(imsi, order(Barred, 5)), Err(Overruled::Stale(6)));
        assert_eq!(bars.take(imsi, order(Barred, 6)), Ok(()));
        assert!(bars.bar(imsi).is_some());
    }

    #[test]
    fn there_is_a_limit() {
        let mut bars = Bars::new(1);
        let [a, b] = ["001010000000001", "001010000000002"].map(|t| t.parse().unwrap());
        bars.take(a, order(Standing::Barred, 1)).unwrap();
        let full = bars.take(b, order(Standing::Barred, 1));
        assert_eq!(full, Err(Overruled::Full));
        assert_eq!(bars.take(a, order(Standing::Barred, 2)), Ok(()));
    }
}
