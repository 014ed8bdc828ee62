//! Where the row of an IMSI is: an ordered index of twelve octets an entry.
//!
//! Two levels. Leaves of up to [`LEAF`] entries, sorted, keys apart from what they point at; above
//! them the first key of each leaf. A search is two binary searches, the second of which is mostly
//! spared; an import in the order of the
//! IMSI fills every leaf, and walking in order is free.

use alloc::vec::Vec;

use heiiki_types::Imsi;

use super::RowIx;

/// Entries of a full leaf.
const LEAF: usize = 512;

#[derive(Default)]
struct Leaf {
    keys: Vec<Imsi>,
    rows: Vec<RowIx>,
}

/// The index.
#[derive(Default)]
pub(super) struct Index {
    /// The first key of each leaf; the first leaf also takes what lies before its own.
    first: Vec<Imsi>,
    leaves: Vec<Leaf>,
}

impl Index {
    /// Which leaf `imsi` belongs to.
    fn leaf_of(&self, imsi: Imsi) -> usize {
        self.first.partition_point(|f| *f <= imsi).saturating_sub(1)
    }

    pub(super) fn find(&self, imsi: Imsi) -> Option<RowIx> {
        let number = self.leaf_of(imsi);
        let (first, leaf) = (self.first.get(number)?, self.leaves.get(number)?);
        // SIMs are made in runs: as far behind the first as its number is, most likely. A search
        // would fetch half a dozen lines of memory.
        let ahead = usize::try_from(imsi.number().wrapping_sub(first.number()));
        let at = match ahead {
            Ok(at) if leaf.keys.get(at) == Some(&imsi) => at,
            _ => leaf.keys.binary_search(&imsi).ok()?,
        };
        leaf.rows.get(at).copied()
    }

    /// Enters a row; false when its IMSI is there already.
    pub(super) fn insert(&mut self, imsi: Imsi, row: RowIx) -> bool {
        let number = self.leaf_of(imsi);
        let Some(leaf) = self.leaves.get_mut(number) else {
            self.first.push(imsi);
            self.leaves.push(Leaf {
                keys: [imsi].into(),
                rows: [row].into(),
            });
            return true;
        };
        let Err(at) = leaf.keys.binary_search(&imsi) else {
            return false;
        };
        if leaf.keys.len() < LEAF {
            leaf.keys.insert(at, imsi);
            leaf.rows.insert(at, row);
        } else {
            // What comes in order leaves full leaves behind.
            let half = if at == LEAF { LEAF } else { LEAF / 2 };
            let mut keys = leaf.keys.split_off(half);
            let mut rows = leaf.rows.split_off(half);
            let (to_keys, to_rows, at) = match at.checked_sub(half) {
                Some(at) => (&mut keys, &mut rows, at),
                None => (&mut leaf.keys, &mut leaf.rows, at),
            };
            to_keys.insert(at, imsi);
            to_rows.insert(at, row);
            if let Some(first) = keys.first() {
                self.first.insert(number + 1, *first);
            }
            self.leaves.insert(number + 1, Leaf { keys, rows });
        }
        if let (Some(first), Some(leaf)) = (self.first.get_mut(number), self.leaves.get(number)) {
            *first = leaf.keys.first().copied().unwrap_or(*first);
        }
        true
    }

    /// Rows in the order of their IMSI, from after `after` on.
    pub(super) fn after(&self, after: Option<Imsi>) -> impl Iterator<Item = RowIx> {
        let number = after.map_or(0, |imsi| self.leaf_of(imsi));
        let skip = match (after, self.leaves.get(number)) {
            (Some(imsi), Some(leaf)) => leaf.keys.partition_point(|k| *k <= imsi),
            _ => 0,
        };
        let leaves = self.leaves.iter().skip(number);
        leaves.flat_map(|l| l.rows.iter().copied()).skip(skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use heiiki_types::Rng;

    fn imsi(n: u64) -> Imsi {
        alloc::format!("00101{n:010}").parse().unwrap()
    }

    /// Against the ordered map of the standard library.
    #[test]
    fn it_finds_and_orders_what_an_ordered_map_does() {
        for seed in 0..4 {
            let mut rng = Rng::from_seed(seed);
            let (mut index, mut model) = (Index::default(), BTreeMap::new());
            for n in 0..6_000_u32 {
                let key = match seed {
                    0 => imsi(u64::from(n)),
                    1 => imsi(10_000 - u64::from(n)),
                    _ => imsi(rng.below(20_000)),
                };
                let new = !model.contains_key(&key);
                assert_eq!(index.insert(key, RowIx(n)), new);
                model.entry(key).or_insert(RowIx(n));
            }
            for n in 0..20_001 {
                assert_eq!(index.find(imsi(n)), model.get(&imsi(n)).copied(), "{n}");
            }
            assert!(index.after(None).eq(model.values().copied()));
            for n in [0, 1, 511, 512, 5_000, 9_999, 20_001] {
                let range = (
                    core::ops::Bound::Excluded(imsi(n)),
                    core::ops::Bound::Unbounded,
                );
                let want = model.range(range).map(|(_, ix)| *ix);
                assert!(
                    index.after(Some(imsi(n))).eq(want),
                    "seed {seed}, after {n}"
                );
            }
        }
    }

    #[test]
    fn what_comes_in_order_fills_the_leaves() {
        let mut index = Index::default();
        for n in 0..10_000 {
            index.insert(imsi(u64::from(n)), RowIx(n));
        }
        assert_eq!(index.leaves.len(), 10_000_usize.div_ceil(LEAF));
    }
}
