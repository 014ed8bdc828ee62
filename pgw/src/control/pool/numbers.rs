use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use heiiki_types::{Duration, Imsi, Instant};

use super::NoAddress;

/// What of a pool is for whom. The numbers are IPv4 addresses, or the leading 64 bits of prefixes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The first and the last number that is handed out.
    pub(super) usable: (u64, u64),
    /// Numbers that are never handed out of themselves.
    pub(super) kept: Option<(u64, u64)>,
    /// The gateway's own.
    pub(super) own: u64,
}

const fn within(range: (u64, u64), number: u64) -> bool {
    range.0 <= number && number <= range.1
}

impl Span {
    fn is_kept(&self, number: u64) -> bool {
        self.kept.is_some_and(|kept| within(kept, number))
    }

    fn is_dynamic(&self, number: u64) -> bool {
        within(self.usable, number) && !self.is_kept(number)
    }

    fn is_static(&self, number: u64) -> bool {
        match self.kept {
            Some(_) => self.is_kept(number) && number != self.own,
            None => self.is_dynamic(number),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Free,
    Used,
    Resting,
}

/// A number that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) number: u64,
    /// It is the SIM's from now on.
    pub(super) is_new_reservation: bool,
    /// What the SIM had reserved before and gives up.
    pub(super) gives_up: Option<u64>,
}

/// The numbers of one pool.
///
/// A dynamic number that nobody had yet is handed out before one that rested, so that an address
/// stays telling in a log for as long as the pool allows. A reserved one is never handed out of
/// itself, and needs no rest: its next user is its last.
#[derive(Debug)]
pub(super) struct Numbers {
    span: Span,
    /// Dynamic numbers from the first of the pool, as far as any was used.
    places: Vec<Place>,
    next: u64,
    resting: VecDeque<(Instant, u64)>,
    owners: BTreeMap<u64, Imsi>,
    reserved: BTreeMap<Imsi, u64>,
    /// SIMs whose reservations are in the configuration.
    configured: BTreeSet<Imsi>,
    /// Numbers beside the pool that are used.
    beside: BTreeSet<u64>,
}

impl Numbers {
    pub(super) const fn new(span: Span) -> Self {
        Self {
            span,
            places: Vec::new(),
            next: span.usable.0,
            resting: VecDeque::new(),
            owners: BTreeMap::new(),
            reserved: BTreeMap::new(),
            configured: BTreeSet::new(),
            beside: BTreeSet::new(),
        }
    }

    /// Ties a number to a SIM for good, by the configuration.
    pub(super) fn configure(&mut self, imsi: Imsi, number: u64) {
        self.configured.insert(imsi);
        self.reserve(imsi, number);
    }

    /// Ties a number to a SIM for good.
    pub(super) fn reserve(&mut self, imsi: Imsi, number: u64) {
        if let Some(old) = self.reserved.insert(imsi, number) {
            self.owners.remove(&old);
        }
        self.owners.insert(number, imsi);
    }

    fn place(&self, number: u64) -> Place {
        if self.beside.contains(&number) {
            return Place::Used;
        }
        number
            .checked_sub(self.span.usable.0)
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| self.places.get(offset).copied())
            .unwrap_or_default()
    }

    fn set(&mut self, number: u64, place: Place) {
        if !within(self.span.usable, number) {
            if place == Place::Used {
                self.beside.insert(number);
            } else {
                self.beside.remove(&number);
            }
            return;
        }
        let Ok(offset) = usize::try_from(number - self.span.usable.0) else {
            return;
        };
        if self.places.len() <= offset {
            self.places.resize(offset + 1, Place::Free);
        }
        if let Some(p) = self.places.get_mut(offset) {
            *p = place;
        }
    }

    /// Finds a number for a SIM: the one that it asks for, the one that is reserved for it, or any.
    pub(super) fn take(
        &mut self,
        now: Instant,
        imsi: Imsi,
        wanted: Option<u64>,
    ) -> Result<Taken, NoAddress> {
        let own = self.reserved.get(&imsi).copied();
        let plain = |number| Taken {
            number,
            is_new_reservation: false,
            gives_up: None,
        };
        let taken = match (wanted, own) {
            (None, None) => plain(self.dynamic(now)?),
            (Some(wanted), own) if own != Some(wanted) => {
                self.new_reservation(now, imsi, wanted, own)?
            }
            (_, Some(own)) if self.place(own) == Place::Used => return Err(NoAddress::Taken),
            (_, Some(own)) => plain(own),
            (Some(_), None) => return Err(NoAddress::NotStatic),
        };
        self.set(taken.number, Place::Used);
        Ok(taken)
    }

    /// Undoes a `take` whose session did not come to be: the number needs no rest.
    pub(super) fn undo(&mut self, imsi: Imsi, taken: Taken) {
        if taken.is_new_reservation {
            self.owners.remove(&taken.number);
            self.reserved.remove(&imsi);
            if let Some(old) = taken.gives_up {
                self.reserve(imsi, old);
            }
        }
        self.set(taken.number, Place::Free);
        if self.is_takable(taken.number) {
            self.set(taken.number, Place::Resting);
            self.resting.push_front((Instant::ZERO, taken.number));
        }
    }

    fn new_reservation(
        &mut self,
        now: Instant,
        imsi: Imsi,
        wanted: u64,
        own: Option<u64>,
    ) -> Result<Taken, NoAddress> {
        if self.configured.contains(&imsi) || !self.span.is_static(wanted) {
            return Err(NoAddress::NotStatic);
        }
        self.end_rest(now, wanted);
        if self.owners.contains_key(&wanted) || self.place(wanted) != Place::Free {
            return Err(NoAddress::Taken);
        }
        self.reserve(imsi, wanted);
        Ok(Taken {
            number: wanted,
            is_new_reservation: true,
            gives_up: own,
        })
    }

    /// Frees a number that has rested for long enough, whoever else still waits in line.
    fn end_rest(&mut self, now: Instant, number: u64) {
        let over = |rest: &(Instant, u64)| rest.1 == number && rest.0 <= now;
        if let Some(at) = self.resting.iter().position(over) {
            self.resting.remove(at);
            if self.place(number) == Place::Resting {
                self.set(number, Place::Free);
            }
        }
    }

    fn dynamic(&mut self, now: Instant) -> Result<u64, NoAddress> {
        while self.next <= self.span.usable.1 {
            let number = self.next;
            self.next += 1;
            if self.is_takable(number) && self.place(number) == Place::Free {
                return Ok(number);
            }
        }
        while let Some((_, number)) = self
            .resting
            .front()
            .copied()
            .filter(|(until, _)| *until <= now)
        {
            self.resting.pop_front();
            if self.place(number) == Place::Resting {
                self.set(number, Place::Free);
                if self.is_takable(number) {
                    return Ok(number);
                }
            }
        }
        Err(NoAddress::Exhausted)
    }

    fn is_takable(&self, number: u64) -> bool {
        self.span.is_dynamic(number) && !self.owners.contains_key(&number)
    }

    /// Takes a number back; unless it is reserved it rests until `now` and `quarantine`.
    pub(super) fn release(&mut self, now: Instant, quarantine: Duration, number: u64) {
        if self.owners.contains_key(&number) {
            self.set(number, Place::Free);
        } else {
            self.set(number, Place::Resting);
            self.resting.push_back((now + quarantine, number));
        }
    }

    /// Whether a restored session can have a number: it is in the pool and nobody else's.
    pub(super) fn is_free_for(&self, imsi: Imsi, number: u64) -> bool {
        let known = self.span.is_dynamic(number) || self.span.is_static(number);
        let owner = self.owners.get(&number);
        known && owner.is_none_or(|o| *o == imsi) && self.place(number) == Place::Free
    }

    /// Gives a number to a restored session.
    pub(super) fn restore(&mut self, number: u64) {
        self.set(number, Place::Used);
    }

    /// Lets a number rest that was resting before a restart.
    pub(super) fn restore_resting(&mut self, until: Instant, number: u64) {
        if self.place(number) == Place::Free && self.is_takable(number) {
            self.set(number, Place::Resting);
            self.resting.push_back((until, number));
        }
    }
}
