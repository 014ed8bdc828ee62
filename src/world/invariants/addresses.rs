//! Invariant 5: one address, one session; static addresses stay with their SIMs; what was used
//! rests before it is used again.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use heiiki_mme::Mme;
use heiiki_pgw::Pgw;
use heiiki_pgw::user_plane::SessionId;
use heiiki_types::{Imsi, Instant, UeAddresses};

use super::{Truth, Violation, broken};

/// An address of a tenant.
type Place = (usize, IpAddr);

/// Who has which address.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Sessions that were answered and have not ended.
    sessions: BTreeMap<SessionId, (Imsi, usize, UeAddresses)>,
    owners: BTreeMap<Place, SessionId>,
    /// How many sessions each SIM has.
    counts: BTreeMap<Imsi, usize>,
    /// Until when a dynamic address rests.
    resting: BTreeMap<Place, Instant>,
    /// Static addresses that their SIMs have taken.
    taken: BTreeMap<Place, Imsi>,
    crashed: Instant,
}

/// The longest that a write was under way when a node crashed: what was begun before is on disk.
const WRITE: Duration = Duration::from_millis(50);

impl Addresses {
    /// A session got its addresses.
    pub(super) fn given(
        &mut self,
        truth: &Truth,
        now: Instant,
        session: SessionId,
        (imsi, tenant, addresses): (Imsi, usize, UeAddresses),
    ) -> Option<Violation> {
        self.sessions.insert(session, (imsi, tenant, addresses));
        *self.counts.entry(imsi).or_default() += 1;
        addresses
            .keys()
            .filter_map(|address| self.given_one(truth, now, session, imsi, (tenant, address)))
            .last()
    }

    fn given_one(
        &mut self,
        truth: &Truth,
        now: Instant,
        session: SessionId,
        imsi: Imsi,
        place: Place,
    ) -> Option<Violation> {
        let (tenant, address) = place;
        let name = truth.name(tenant);
        let before = self.owners.insert(place, session);
        let holder = before.and_then(|s| Some((s.0, self.sessions.get(&s)?.0)));
        if let Some((other, owner)) = holder.filter(|(other, _)| *other != session.0) {
            return broken(
                5,
                format!(
                    "{address} of {name} is given to {imsi} while session {other} of {owner} has it"
                ),
            );
        }
        let fixed = truth.sims.get(&imsi);
        let fixed = fixed.is_some_and(|sim| sim.fixed.contains(&place));
        if let Some(owner) = self.taken.get(&place).filter(|owner| **owner != imsi) {
            return broken(
                5,
                format!("{address} of {name} is reserved to {owner} and given to {imsi}"),
            );
        }
        if fixed {
            self.taken.insert(place, imsi);
            return None;
        }
        let until = self.resting.remove(&place).filter(|until| now < *until)?;
        broken(
            5,
            format!("{address} of {name} rests until {until} s and is given to {imsi} at {now} s"),
        )
    }

    /// Nobody knows any more what rests.
    pub(super) fn forget_rests(&mut self) {
        self.resting.clear();
    }

    /// A session ended; returns whose it was.
    pub(super) fn ended(
        &mut self,
        truth: &Truth,
        now: Instant,
        session: SessionId,
    ) -> Option<(Imsi, usize, UeAddresses)> {
        let (imsi, tenant, addresses) = self.sessions.remove(&session)?;
        for address in addresses.keys() {
            let place = (tenant, address);
            if self.owners.get(&place) == Some(&session) {
                self.owners.remove(&place);
            }
            self.resting.insert(place, now + truth.quarantine);
        }
        if let Some(count) = self.counts.get_mut(&imsi) {
            *count = count.saturating_sub(1);
        }
        Some((imsi, tenant, addresses))
    }

    pub(super) fn sessions_of(&self, imsi: Imsi) -> usize {
        self.counts.get(&imsi).copied().unwrap_or(0)
    }

    pub(super) const fn crashed(&mut self, at: Instant) {
        self.crashed = at;
    }

    /// The gateway has read its disk. Sessions whose ends were on their way there may be gone, and
    /// sessions that were not answered yet may be there. Returns what is gone, with the end of its
    /// rest.
    pub(super) fn restarted(
        &mut self,
        truth: &Truth,
        now: Instant,
        pgw: &Pgw,
    ) -> Vec<(Imsi, usize, UeAddresses, Instant)> {
        let live: BTreeMap<SessionId, (Imsi, usize, UeAddresses)> = pgw
            .control()
            .sessions()
            .map(|(id, imsi, tenant, addresses)| (id, (imsi, usize::from(tenant.0), addresses)))
            .collect();
        let gone: Vec<SessionId> = self
            .sessions
            .keys()
            .filter(|id| !live.contains_key(id))
            .copied()
            .collect();
        let until = self.crashed + truth.quarantine;
        let until = Instant::from_micros(until.as_micros().saturating_sub(micros(WRITE)));
        let mut ended = Vec::with_capacity(gone.len());
        for id in gone {
            if let Some((imsi, tenant, addresses)) = self.ended(truth, now, id) {
                for address in addresses.keys() {
                    self.resting.insert((tenant, address), until);
                }
                ended.push((imsi, tenant, addresses, until));
            }
        }
        for (id, (imsi, tenant, addresses)) in live {
            if self
                .sessions
                .insert(id, (imsi, tenant, addresses))
                .is_none()
            {
                *self.counts.entry(imsi).or_default() += 1;
                for address in addresses.keys() {
                    self.owners.insert((tenant, address), id);
                }
            }
        }
        ended
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// No two sessions of the gateway have one address.
pub(super) fn scan(pgw: &Pgw) -> Option<Violation> {
    let mut seen = BTreeMap::new();
    pgw.control()
        .sessions()
        .flat_map(|(session, _, tenant, addresses)| {
            addresses
                .keys()
                .map(move |address| (session, tenant, address))
        })
        .find_map(|(session, tenant, address)| {
            let other = seen.insert((tenant, address), session)?;
            broken(
                5,
                format!(
                    "{address} of tenant {} belongs to sessions {} and {}",
                    tenant.0, other.0, session.0
                ),
            )
        })
}

/// No two tunnels of the SGW have one TEID.
pub(super) fn scan_sgw(mme: &Mme) -> Option<Violation> {
    let (mut s5u, mut s1u) = (BTreeSet::new(), BTreeSet::new());
    mme.sessions().find_map(|session| {
        if s5u.insert(session.s5u) && s1u.insert(session.s1u) {
            return None;
        }
        broken(
            5,
            format!("the SGW has two tunnels of one TEID for {}", session.imsi),
        )
    })
}
