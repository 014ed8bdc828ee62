//! What the node holds, for invariants and consoles. No secrets.

use heiiki_types::{Apn, Guti, Imsi, Teid};

use super::Mme;
use crate::emm::Ue;
use crate::emm::fsm::State;
use crate::s1::{EnbId, Endpoint};

/// One UE, or one attempt.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ContextSnapshot {
    /// The identity on S1.
    pub mme_ue_id: u32,
    /// The UE's identity: proven, or only claimed.
    pub imsi: Option<Imsi>,
    /// Whether the identity is proven.
    pub proven: bool,
    /// The temporary identity.
    pub guti: Option<Guti>,
    /// Where the procedures are.
    pub state: State,
    /// The eNB, in connected mode.
    pub enb: Option<EnbId>,
    /// Whether a security context is kept.
    pub has_security: bool,
    /// Whether a timer runs.
    pub has_timer: bool,
    /// The PDN connection.
    pub session: Option<SessionSnapshot>,
}

/// One session of the SGW.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SessionSnapshot {
    /// The UE.
    pub imsi: Imsi,
    /// The access point.
    pub apn: Apn,
    /// Where the SGW receives S5 signalling.
    pub s5c: Teid,
    /// Where the SGW receives downlink packets.
    pub s5u: Teid,
    /// Where the SGW receives uplink packets.
    pub s1u: Teid,
    /// The gateway's control TEID.
    pub pgw_c: Option<Teid>,
    /// The gateway's user plane end.
    pub pgw_u: Option<Endpoint>,
    /// The eNB's end.
    pub enb: Option<Endpoint>,
    /// Whether uplink packets pass.
    pub uplink: bool,
    /// Downlink packets held.
    pub buffered: usize,
}

impl From<&crate::sgw::Session> for SessionSnapshot {
    fn from(s: &crate::sgw::Session) -> Self {
        Self {
            imsi: s.imsi,
            apn: s.apn.clone(),
            s5c: s.s5c,
            s5u: s.s5u,
            s1u: s.s1u,
            pgw_c: s.pgw_c.map(|(_, teid)| teid),
            pgw_u: s.pgw_u,
            enb: s.enb,
            uplink: s.uplink,
            buffered: s.buffer.len(),
        }
    }
}

impl Mme {
    /// Every UE and every attempt, in the order of their identities on S1.
    pub fn contexts(&self) -> impl Iterator<Item = ContextSnapshot> {
        self.ues.values().map(|ue| self.snapshot(ue))
    }

    fn snapshot(&self, ue: &Ue) -> ContextSnapshot {
        let session = ue.session.and_then(|key| self.sgw.table.get(key));
        ContextSnapshot {
            mme_ue_id: ue.id.0,
            imsi: ue.imsi,
            proven: ue.proven,
            guti: ue.guti,
            state: ue.emm.state(),
            enb: ue.s1.map(|s| s.enb),
            has_security: ue.security.is_some(),
            has_timer: ue.timer.is_some(),
            session: session.map(SessionSnapshot::from),
        }
    }

    /// Every session of the SGW, whether or not a UE still knows it.
    pub fn sessions(&self) -> impl Iterator<Item = SessionSnapshot> {
        self.sgw.table.iter().map(SessionSnapshot::from)
    }

    /// The proven UE of an IMSI.
    pub fn context_of(&self, imsi: Imsi) -> Option<ContextSnapshot> {
        self.ues
            .get(self.by_imsi.get(&imsi)?)
            .map(|ue| self.snapshot(ue))
    }

    /// Requests that wait for the HSS and for gateways.
    pub fn pending(&self) -> (usize, usize) {
        (self.s6a_pending.len(), self.s5c_pending.len())
    }
}

#[cfg(test)]
impl Mme {
    /// Timers of UEs that run.
    pub(crate) fn poll_timeouts(&self) -> usize {
        self.timers.len()
    }
}
