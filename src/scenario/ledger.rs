//! What the log says of UEs up to now, kept up to date by reading what is new.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use heiiki_types::Imsi;
use heiiki_ue_sim::Event as UeEvent;

use crate::log::{Entry, NodeEvent};

/// The state of one UE.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UeState {
    /// Whether it is attached.
    pub(super) attached: bool,
    /// Its address while it is.
    pub(super) address: Option<Ipv4Addr>,
    /// Attach attempts that were refused, by either side.
    pub(super) rejects: u64,
    /// The last of them.
    pub(super) last_reject: Option<Rejection>,
}

/// A refused attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    /// The EMM cause, whoever said it; none for AUTHENTICATION REJECT, which has no cause.
    pub(super) emm: Option<u8>,
    /// The ESM cause inside.
    pub(super) esm: Option<u8>,
    /// Whether the network's message was integrity-protected.
    pub(super) protected: bool,
}

/// All UEs.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    cursor: usize,
    ues: BTreeMap<Imsi, UeState>,
    /// The cause with which a UE has refused the network in the attach that runs.
    refused: BTreeMap<Imsi, u8>,
}

impl Ledger {
    /// Reads what is new in the log.
    pub(super) fn read(&mut self, log: &[Entry]) {
        for entry in log.get(self.cursor..).unwrap_or_default() {
            if let NodeEvent::Ue { imsi, event } = &entry.event {
                self.event(*imsi, event);
            }
        }
        self.cursor = log.len();
    }

    fn event(&mut self, imsi: Imsi, event: &UeEvent) {
        let ue = self.ues.entry(imsi).or_default();
        match event {
            UeEvent::AttachStarted { .. } => {
                self.refused.remove(&imsi);
            }
            UeEvent::AuthenticationFailed { cause } => {
                self.refused.insert(imsi, *cause);
            }
            UeEvent::Attached { ip, .. } => {
                (ue.attached, ue.address) = (true, *ip);
            }
            UeEvent::Detached { .. } | UeEvent::BearerReleased | UeEvent::Power { on: false } => {
                (ue.attached, ue.address) = (false, None);
            }
            UeEvent::AttachRejected {
                cause,
                esm_cause,
                protected,
                ..
            } => {
                let own = self.refused.remove(&imsi);
                ue.rejected(own.unwrap_or(*cause), *esm_cause, *protected);
            }
            UeEvent::AuthenticationRejected { protected } => {
                let emm = self.refused.remove(&imsi);
                ue.rejects += 1;
                ue.last_reject = Some(Rejection {
                    emm,
                    esm: None,
                    protected: *protected,
                });
            }
            UeEvent::AttachFailed { .. } => {
                if let Some(own) = self.refused.remove(&imsi) {
                    ue.rejected(own, None, false);
                }
            }
            _ => {}
        }
    }

    /// The state of one UE.
    pub(super) fn ue(&self, imsi: Imsi) -> UeState {
        self.ues.get(&imsi).copied().unwrap_or_default()
    }
}

impl UeState {
    const fn rejected(&mut self, cause: u8, esm: Option<u8>, protected: bool) {
        self.rejects += 1;
        self.last_reject = Some(Rejection {
            emm: Some(cause),
            esm,
            protected,
        });
    }
}
