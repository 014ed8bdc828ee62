//! TEIDs of downlink tunnels: an index that finds the UE, and random bits that an outsider has to
//! guess.

use alloc::vec::Vec;

use heiiki_types::{Rng, Teid};

use crate::UeId;

const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

/// A dense table from TEID to UE.
#[derive(Debug, Default)]
pub(super) struct Teids {
    rows: Vec<Option<(Teid, UeId)>>,
    free: Vec<u32>,
}

impl Teids {
    /// A TEID for the tunnel of a UE; `None` when all are in use.
    pub(super) fn allocate(&mut self, rng: &mut Rng, ue: UeId) -> Option<Teid> {
        let index = self.free.pop().or_else(|| {
            let index = u32::try_from(self.rows.len()).ok()?;
            // One is added to it, and the sum must fit into the mask.
            let fits = index < INDEX_MASK;
            fits.then(|| self.rows.push(None)).map(|()| index)
        })?;
        // One more than the index, so that the TEID is never zero.
        let teid = Teid::new(rng.next_u32() << INDEX_BITS | (index + 1))?;
        *self.rows.get_mut(usize::try_from(index).ok()?)? = Some((teid, ue));
        Some(teid)
    }

    /// The UE that a TEID belongs to.
    pub(super) fn find(&self, teid: Teid) -> Option<UeId> {
        let index = (teid.get() & INDEX_MASK).checked_sub(1)?;
        let (own, ue) = (*self.rows.get(usize::try_from(index).ok()?)?)?;
        (own == teid).then_some(ue)
    }

    /// Frees a TEID.
    pub(super) fn release(&mut self, teid: Teid) {
        if self.find(teid).is_none() {
            return;
        }
        let index = (teid.get() & INDEX_MASK) - 1;
        if let Some(row) = usize::try_from(index)
            .ok()
            .and_then(|i| self.rows.get_mut(i))
        {
            *row = None;
            self.free.push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_teid_finds_nobody_and_its_row_is_used_again() {
        let mut teids = Teids::default();
        let mut rng = Rng::from_seed(1);
        let a = teids.allocate(&mut rng, UeId(7)).unwrap();
        let b = teids.allocate(&mut rng, UeId(8)).unwrap();
        assert_eq!(
            (teids.find(a), teids.find(b)),
            (Some(UeId(7)), Some(UeId(8)))
        );
        teids.release(a);
        teids.release(a);
        assert_eq!(teids.find(a), None);
        let c = teids.allocate(&mut rng, UeId(9)).unwrap();
        assert_eq!(c.get() & INDEX_MASK, a.get() & INDEX_MASK);
        assert_ne!(a, c);
        assert_eq!(teids.find(a), None);
        assert_eq!(teids.rows.len(), 2);
    }
}
