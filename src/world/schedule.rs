//! What is on its way in the virtual world, in the order of its arrival.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use heiiki_types::Instant;

/// A queue of things to happen. Those of one instant come out in the order in which they were put
/// in, so a run repeats for its seed.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    order: u64,
    what: T,
}

impl<T> Entry<T> {
    const fn key(&self) -> (Instant, u64) {
        (self.at, self.order)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> Schedule<T> {
    pub(crate) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            next: 0,
        }
    }

    pub(crate) fn put(&mut self, at: Instant, what: T) {
        self.heap.push(Reverse(Entry {
            at,
            order: self.next,
            what,
        }));
        self.next += 1;
    }

    /// When the first thing is due.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.heap.peek().map(|e| e.0.at)
    }

    /// Everything that is on its way, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Instant, &T)> {
        self.heap.iter().map(|e| (e.0.at, &e.0.what))
    }

    /// The first thing, if it is due by `now`.
    pub(crate) fn take(&mut self, now: Instant) -> Option<T> {
        if self.first()? > now {
            return None;
        }
        self.heap.pop().map(|e| e.0.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_by_time_and_then_by_insertion() {
        let mut schedule = Schedule::new();
        let at = Instant::from_micros;
        for (t, name) in [(5, "c"), (1, "a"), (5, "d"), (2, "b")] {
            schedule.put(at(t), name);
        }
        assert_eq!(schedule.first(), Some(at(1)));
        assert_eq!(schedule.take(at(0)), None);
        let order: Vec<_> = core::iter::from_fn(|| schedule.take(at(9))).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
