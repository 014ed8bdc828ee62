//! Values that many SIMs share, kept once.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The number of a shared value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shared(u32);

impl Shared {
    /// No value's number.
    pub(super) const NONE: Self = Self(u32::MAX);
}

struct Slot<V> {
    key: Arc<[u8]>,
    value: V,
    holders: u32,
}

/// Shared values by number, found by the octets that stand for them. A value that nobody holds any
/// more goes, and its number is given to another.
pub(crate) struct Interner<V> {
    slots: Vec<Option<Slot<V>>>,
    free: Vec<Shared>,
    numbers: BTreeMap<Arc<[u8]>, Shared>,
    /// Rows come in runs of the same value.
    last: Shared,
}

impl<V> Default for Interner<V> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            numbers: BTreeMap::new(),
            last: Shared::NONE,
        }
    }
}

impl<V> Interner<V> {
    fn slot(&self, number: Shared) -> Option<&Slot<V>> {
        self.slots.get(usize::try_from(number.0).ok()?)?.as_ref()
    }

    fn place(&mut self, number: Shared) -> Option<&mut Option<Slot<V>>> {
        self.slots.get_mut(usize::try_from(number.0).ok()?)
    }

    /// The value of a number.
    pub(crate) fn get(&self, number: Shared) -> Option<&V> {
        self.slot(number).map(|s| &s.value)
    }

    /// All values.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().flatten().map(|s| &s.value)
    }

    /// The octets that stand for the value of a number.
    pub(crate) fn key(&self, number: Shared) -> Option<&[u8]> {
        self.slot(number).map(|s| &*s.key)
    }

    /// The number of the value that `key` stands for; it gets one holder more. `make` gives a value
    /// that is new.
    pub(crate) fn hold<E>(
        &mut self,
        key: &[u8],
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<Shared, E> {
        let again = self.slot(self.last).is_some_and(|s| *s.key == *key);
        let known = again
            .then_some(self.last)
            .or_else(|| self.numbers.get(key).copied());
        if let Some(number) = known {
            if let Some(Some(slot)) = self.place(number) {
                slot.holders += 1;
            }
            self.last = number;
            return Ok(number);
        }
        let value = make()?;
        let key: Arc<[u8]> = key.into();
        let number = self.free.pop().unwrap_or_else(|| {
            let next = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
            self.slots.push(None);
            Shared(next)
        });
        self.numbers.insert(Arc::clone(&key), number);
        if let Some(place) = self.place(number) {
            *place = Some(Slot {
                key,
                value,
                holders: 1,
            });
        }
        self.last = number;
        Ok(number)
    }

    /// One holder less.
    pub(crate) fn release(&mut self, number: Shared) {
        let Some(place) = self.place(number) else {
            return;
        };
        let unused = place.as_mut().is_some_and(|slot| {
            slot.holders = slot.holders.saturating_sub(1);
            slot.holders == 0
        });
        if unused && let Some(slot) = place.take() {
            self.numbers.remove(&slot.key);
            self.free.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_somebody_holds_it() {
        let mut interner = Interner::default();
        let hold = |i: &mut Interner<u8>, key: u8| i.hold(&[key], || Ok::<_, ()>(key)).unwrap();
        let (a, b) = (hold(&mut interner, 1), hold(&mut interner, 2));
        assert_eq!(hold(&mut interner, 1), a);
        assert_ne!(a, b);
        interner.release(a);
        assert_eq!(interner.get(a), Some(&1));
        interner.release(a);
        assert_eq!((interner.get(a), interner.key(b)), (None, Some(&[2][..])));
        // The number is given away again, and a value of before is found no more.
        assert_eq!(hold(&mut interner, 3), a);
        assert_eq!(interner.get(a), Some(&3));
        assert_ne!(hold(&mut interner, 1), a);
        assert_eq!(interner.hold(&[9], || Err(())), Err(()));
    }
}
