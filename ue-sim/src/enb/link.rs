//! What an eNB knows of one UE's connection.

use alloc::boxed::Box;
use alloc::vec::Vec;

use heiiki_mme::s1::Endpoint;
use heiiki_types::{Ebi, Teid};

use crate::UeId;

/// Bits of the eNB UE S1AP ID (24 in all, TS 36.413 §9.2.3.4) that name the UE; the others count
/// its connections.
pub(super) const INDEX_BITS: u32 = 20;
const GENERATION_MASK: u8 = 15;

/// The identity of the `generation`th connection of a UE.
pub(super) fn enb_ue_id(ue: UeId, generation: u8) -> u32 {
    u32::from(generation & GENERATION_MASK) << INDEX_BITS | ue.0
}

/// The UE of a connection.
pub(super) const fn ue_of(enb_ue_id: u32) -> UeId {
    UeId(enb_ue_id & ((1 << INDEX_BITS) - 1))
}

/// NAS PDUs that wait for the MME's first answer, at most.
const HELD_MAX: usize = 4;

/// A UE's radio and S1 state.
#[derive(Debug)]
pub(super) enum Link {
    /// No connection.
    Idle,
    /// A connection; in a box, since most UEs of a large cell have none.
    Connected(Box<Connection>),
}

/// A connection of a UE.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) enb_ue_id: u32,
    /// Known from the MME's first message on.
    pub(super) mme_ue_id: Option<u32>,
    pub(super) tunnel: Option<Tunnel>,
    held: Vec<Vec<u8>>,
}

/// Both ends of a bearer on S1-U.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tunnel {
    pub(super) ebi: Ebi,
    /// Where the SGW sends to.
    pub(super) local: Teid,
    /// Where the eNB sends to.
    pub(super) remote: Endpoint,
}

impl Link {
    pub(super) fn opened(enb_ue_id: u32) -> Self {
        Self::Connected(Box::new(Connection {
            enb_ue_id,
            mme_ue_id: None,
            tunnel: None,
            held: Vec::new(),
        }))
    }

    pub(super) fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Idle => None,
            Self::Connected(connection) => Some(connection),
        }
    }

    pub(super) fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Idle => None,
            Self::Connected(connection) => Some(connection),
        }
    }

    pub(super) fn tunnel(&self) -> Option<&Tunnel> {
        self.connection()?.tunnel.as_ref()
    }
}

impl Connection {
    /// Keeps a PDU until the MME has named the connection; beyond a few the UE is talking to
    /// itself.
    pub(super) fn hold(&mut self, nas: Vec<u8>) {
        if self.held.len() < HELD_MAX {
            self.held.push(nas);
        }
    }

    /// The PDUs that waited.
    pub(super) fn held(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.held)
    }
}
