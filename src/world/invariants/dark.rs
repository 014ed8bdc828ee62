//! Invariant 3: a SIM that is dark has no session, no packet and no buffer.

use std::collections::{BTreeMap, BTreeSet};

use heiiki_pgw::Pgw;
use heiiki_types::{Imsi, Instant};

use super::{Violation, broken};

/// The SIMs that the gateway has barred.
#[derive(Debug, Default)]
pub(super) struct Dark {
    /// From t4 on.
    barred: BTreeSet<Imsi>,
    /// From t5 on, and until when packets that passed before it may still reach the SGW.
    dark: BTreeMap<Imsi, Instant>,
}

impl Dark {
    pub(super) fn bar_set(&mut self, imsi: Imsi) {
        self.barred.insert(imsi);
    }

    pub(super) fn cut_done(&mut self, imsi: Imsi, in_flight: Instant) {
        // A lift may have overtaken the end of the cut.
        if self.barred.contains(&imsi) {
            self.dark.entry(imsi).or_insert(in_flight);
        }
    }

    pub(super) fn lifted(&mut self, imsi: Imsi) {
        self.barred.remove(&imsi);
        self.dark.remove(&imsi);
    }

    /// A session was answered.
    pub(super) fn session_created(&self, imsi: Imsi) -> Option<Violation> {
        if !self.barred.contains(&imsi) {
            return None;
        }
        broken(3, format!("{imsi} is barred and gets a session"))
    }

    /// A packet of the SIM passes the gateway, `way` says how.
    pub(super) fn passes(&self, imsi: Imsi, way: &str) -> Option<Violation> {
        if !self.dark.contains_key(&imsi) {
            return None;
        }
        broken(3, format!("{imsi} is dark and a packet of it passes {way}"))
    }

    /// A packet for the SIM leaves the SGW: it may have passed the gateway before the cut.
    pub(super) fn delivered(&self, imsi: Imsi, now: Instant) -> Option<Violation> {
        let until = self.dark.get(&imsi).filter(|until| now > **until)?;
        broken(
            3,
            format!(
                "{imsi} is dark, the last packet for it was due at {until} s, and the SGW sends one at {now} s"
            ),
        )
    }

    /// No SIM that is dark has a session.
    pub(super) fn scan_gateway(&self, pgw: &Pgw) -> Option<Violation> {
        let mut sessions = pgw.control().sessions();
        let (session, imsi, ..) = sessions.find(|(_, imsi, ..)| self.dark.contains_key(imsi))?;
        broken(3, format!("{imsi} is dark and has session {}", session.0))
    }
}
