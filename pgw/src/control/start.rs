use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_gtp::c;
use heiiki_types::{Duration, Instant, Now, Prefix, Record, WallTime};

use super::journal::{self, Disk};
use super::procedure::Procedure;
use super::session::{Live, Rest, Row, Session, State};
use super::{Charging, Control, Phase};
use crate::config::GroupId;
use crate::event::{EndReason, Event};
use crate::user_plane::{SessionEntry, Update};

impl Control {
    /// Takes up where the last run of the gateway ended: bars first, then the sessions that they
    /// leave.
    ///
    /// Every session that was ever answered is on disk, so either all of them go on with their
    /// TEIDs and addresses and the restart counter stays, or one cannot go on; then none does and
    /// the counter rises, at which SGWs drop theirs (TS 23.007 §16A).
    pub(super) fn load(&mut self, now: Now, records: Vec<Record>) {
        let disk = Disk::read(records);
        for (imsi, order) in disk.orders {
            self.bars.restore(imsi, order);
        }
        for (imsi, order) in disk.isolations {
            self.isolations.restore(imsi, order);
        }
        self.bars.restore_highest(disk.highest);
        let journal = disk.journal.unwrap_or_else(|| self.rng.next_u64());
        for (apn, address, imsi) in disk.reservations {
            if let Some((id, access)) = self.network.access_of(&apn)
                && access.may_reserve(address)
                && let Some(pool) = self.pools.get_mut(usize::from(id.0))
            {
                pool.reserve(imsi, address);
            }
        }
        self.charging = Charging {
            next: disk.charging_mark,
            mark: disk.charging_mark,
        };
        let first_start = disk.restart_counter.is_none();
        let mut rows = disk.repairs;
        let mut counter = disk.restart_counter.unwrap_or(0);
        match self.restore(now, disk.rows, !rows.is_empty()) {
            Some(ends) => {
                rows.extend(ends);
                counter = counter.wrapping_add(1);
            }
            None if !first_start => self.last_counters = disk.peers.into_iter().collect(),
            None => {}
        }
        let starts = disk.starts.wrapping_add(1);
        self.instance = super::Instance {
            journal,
            starts,
            local_orders: 0,
        };
        // Each start has sequence numbers of its own, so that no peer takes a new request for one
        // that it remembers (TS 29.274 §7.6).
        self.endpoint =
            c::Endpoint::new(self.config.gtpc, starts.wrapping_mul(0x1_0001) & 0x7f_ffff);
        self.endpoint.set_restart_counter(counter);
        self.phase = Phase::Starting;
        let ticket = self.begin(Procedure::Start);
        rows.extend(journal::start(journal, starts, counter));
        self.persist(ticket, rows);
        self.advance(now, ticket);
    }

    /// Puts sessions back into the table; or, if there is one that cannot go on, none of them, and
    /// returns the rows that say so.
    fn restore(&mut self, now: Now, rows: Vec<Row>, is_damaged: bool) -> Option<Vec<Record>> {
        let mut sessions: Vec<Session> = Vec::new();
        let mut rests = Vec::new();
        for row in rows {
            match row {
                Row::Live(session) => sessions.push(*session),
                Row::Rest(rest) => rests.push(rest),
            }
        }
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        let lives: Option<Vec<Live>> = sessions.iter().map(|s| self.revive(s)).collect();
        let refusal = if is_damaged {
            Some("rows on disk cannot be read")
        } else if lives.is_none() {
            Some("a session does not fit the configuration any more")
        } else {
            None
        };
        let lives = match (refusal, lives) {
            (None, Some(lives)) => lives,
            (refusal, _) => {
                self.event(Event::NotRestored {
                    sessions: count,
                    why: refusal.unwrap_or_default(),
                });
                let until = now.wall + self.config.quarantine;
                let ends: Vec<Rest> = sessions.iter().map(|s| resting(s, until)).collect();
                let rows = ends.iter().map(|rest| rest_row(rest.clone())).collect();
                rests.extend(ends);
                self.settle(now, rests);
                return Some(rows);
            }
        };
        for live in lives {
            let pool = self.pools.get_mut(usize::from(live.access.0));
            let (imsi, addresses) = (live.session.imsi, live.session.addresses);
            let fits = pool.is_some_and(|p| p.restore(imsi, addresses));
            if !fits || !self.sessions.restore(live) {
                self.bug("two sessions on disk have one place");
            }
        }
        self.settle(now, rests);
        None
    }

    fn revive(&self, session: &Session) -> Option<Live> {
        let (access_id, access) = self.network.access_of(&session.apn)?;
        let known = access.has(session.addresses);
        let index_mask = (1 << self.network.index_bits) - 1;
        let fits = session.slot.0 < self.config.limits.sessions
            && session.teid_c.get() & index_mask == session.slot.0
            && session.teid_u.get() & index_mask == session.slot.0
            && self.network.sgws.contains(session.sgw_c.address)
            && self.network.sgws.contains(session.sgw_u.address)
            && session.bearers.iter().all(|b| {
                b.teid.get() & index_mask == session.slot.0
                    && self.network.sgws.contains(b.sgw_u.address)
            });
        (known && fits).then(|| Live {
            session: session.clone(),
            access: access_id,
            tenant: access.tenant,
            state: State::Active,
        })
    }

    /// Lets rest what was resting, by the clock on the wall.
    fn settle(&mut self, now: Now, mut rests: Vec<Rest>) {
        rests.sort_by_key(|rest| rest.until);
        for rest in rests {
            let left = rest
                .until
                .as_unix_micros()
                .saturating_sub(now.wall.as_unix_micros());
            // A wall clock that was set back must not keep an address for years.
            let left = Duration::from_micros(left).min(self.config.quarantine);
            let until: Instant = now.at + left;
            if left > Duration::ZERO
                && let Some((id, _)) = self.network.access_of(&rest.apn)
                && let Some(pool) = self.pools.get_mut(usize::from(id.0))
            {
                pool.restore_resting(until, rest.addresses);
            }
            self.sessions.restore_rest(until, rest);
        }
        self.sessions.settle();
    }

    /// The mark of this start is on disk: sessions forward and requests are answered.
    pub(super) fn started(&mut self, now: Now, durable: bool) {
        if !durable {
            return;
        }
        self.phase = Phase::Serving;
        let note = self.begin(Procedure::Note);
        let mut entries = Vec::new();
        let mut barred = Vec::new();
        for live in self.sessions.iter() {
            let session = &live.session;
            if self.config.protections.bar && self.bars.in_force(session.imsi).is_some() {
                barred.push((session.slot, session.id, session.imsi));
            } else {
                entries.push((self.entry(live), self.bearer_updates(live)));
            }
        }
        let restored = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        for (entry, bearers) in entries {
            self.broadcast(note, &Update::Install(Arc::new(entry)));
            for update in &bearers {
                self.broadcast(note, update);
            }
        }
        self.broadcast(note, &Update::Serve);
        self.advance(now, note);
        let sgws: Vec<_> = self
            .sessions
            .iter()
            .map(|l| l.session.sgw_c.address)
            .collect();
        for sgw in sgws {
            self.supervise(now, sgw);
        }
        let bars = u32::try_from(self.bars.len()).unwrap_or(u32::MAX);
        self.event(Event::Started {
            restart_counter: self.endpoint.restart_counter(),
            restored,
            bars,
        });
        // A session and a bar of one SIM are on disk together only if the disk mixed two writes;
        // the bar wins.
        for (slot, id, imsi) in barred {
            let cause = self.bars.in_force(imsi).map(|o| c::Cause(o.cause));
            self.remove_sessions(now, alloc::vec![(slot, id)], EndReason::Cut, cause);
        }
    }

    fn group(&self, live: &Live) -> GroupId {
        let tenant = self.network.tenant(live.tenant);
        tenant.map_or_else(GroupId::default, |t| t.groups.of(live.session.imsi))
    }

    /// The networks behind the UE of a session, of the families that the session has.
    fn framed(&self, live: &Live) -> Vec<Prefix> {
        let access = self.network.access(live.access);
        let routes = access.and_then(|a| a.routes.get(&live.session.imsi));
        let addresses = live.session.addresses;
        let is_carried = |prefix: &&Prefix| {
            if prefix.is_ipv4() {
                addresses.v4().is_some()
            } else {
                addresses.v6().is_some()
            }
        };
        let routes = routes.into_iter().flatten();
        routes.filter(is_carried).copied().collect()
    }

    /// What the workers need of a session.
    pub(super) fn entry(&self, live: &Live) -> SessionEntry {
        let session = &live.session;
        let port = self.config.gtpu_ports.get(&session.sgw_u.address);
        SessionEntry {
            slot: session.slot,
            session: session.id,
            imsi: session.imsi,
            tenant: live.tenant,
            access: live.access,
            addresses: session.addresses,
            teid: session.teid_u,
            peer: (
                session.sgw_u.address,
                port.copied().unwrap_or(heiiki_gtp::u::PORT),
            )
                .into(),
            peer_teid: session.sgw_u.teid,
            framed: self.framed(live),
            group: self.group(live),
            ambr: session.ambr,
            is_isolated: self.is_isolated(session.imsi),
            is_suspended: session.suspended,
        }
    }
}

/// What is left of a session that ends.
pub(super) fn resting(session: &Session, until: WallTime) -> Rest {
    Rest {
        slot: session.slot,
        imsi: session.imsi,
        apn: session.apn.clone(),
        addresses: session.addresses,
        teid_c: session.teid_c,
        teid_u: session.teid_u,
        sgw_c: session.sgw_c,
        until,
    }
}

/// The row of a live session.
pub(super) fn live_row(session: &Session) -> Record {
    journal::session(session.slot, &Row::Live(Box::new(session.clone())))
}

/// The row of a place that rests.
pub(super) fn rest_row(rest: Rest) -> Record {
    journal::session(rest.slot, &Row::Rest(rest))
}
