//! S1 messages from the MME, TS 36.413 §8.

use heiiki_mme::s1::{Endpoint, Message, ReleaseCause};
use heiiki_types::{Ebi, Instant};

use super::link::{Tunnel, ue_of};
use super::{Enb, Output};
use crate::UeId;
use crate::ue::Ue;

impl Enb {
    pub(super) fn handle_s1(&mut self, now: Instant, message: Message) {
        match message {
            Message::DownlinkNasTransport {
                enb_ue_id,
                mme_ue_id,
                nas,
            } => {
                if let Some(ue) = self.connection(enb_ue_id, mme_ue_id) {
                    self.downlink_nas(now, ue, &nas);
                }
            }
            Message::InitialContextSetupRequest {
                enb_ue_id,
                mme_ue_id,
                ebi,
                sgw_f_teid,
                nas,
                ..
            } => {
                if let Some(ue) = self.connection(enb_ue_id, mme_ue_id) {
                    self.set_up(ue, (enb_ue_id, mme_ue_id), ebi, sgw_f_teid);
                    self.downlink_nas(now, ue, &nas);
                }
            }
            Message::ErabReleaseCommand {
                enb_ue_id,
                mme_ue_id,
                ebi,
                nas,
            } => {
                if let Some(ue) = self.connection(enb_ue_id, mme_ue_id) {
                    self.take_down(ue, (enb_ue_id, mme_ue_id), ebi);
                    self.downlink_nas(now, ue, &nas);
                }
            }
            Message::UeContextReleaseCommand {
                enb_ue_id,
                mme_ue_id,
                ..
            } => self.release_commanded(now, enb_ue_id, mme_ue_id),
            // The others go the other way.
            _ => self.counters.unknown_connection += 1,
        }
    }

    /// The UE of a connection, whose MME UE S1AP ID is learned from the first message. A message
    /// for a connection that is not there makes the eNB ask for the release of the other side.
    fn connection(&mut self, enb_ue_id: u32, mme_ue_id: u32) -> Option<UeId> {
        let ue = ue_of(enb_ue_id);
        let (tai, ecgi) = (self.config.tai, self.config.ecgi);
        let connection = self
            .slot_mut(ue)
            .and_then(|s| s.link.connection_mut())
            .filter(|c| c.enb_ue_id == enb_ue_id)
            .filter(|c| c.mme_ue_id.is_none_or(|known| known == mme_ue_id));
        let Some(connection) = connection else {
            self.counters.unknown_connection += 1;
            let cause = ReleaseCause::UnknownUeIds;
            let request = Message::UeContextReleaseRequest {
                enb_ue_id,
                mme_ue_id,
                cause,
            };
            self.outputs.push_back(Output::S1(request));
            return None;
        };
        connection.mme_ue_id = Some(mme_ue_id);
        for nas in connection.held() {
            let message = Message::UplinkNasTransport {
                enb_ue_id,
                mme_ue_id,
                nas,
                tai,
                ecgi,
            };
            self.outputs.push_back(Output::S1(message));
        }
        Some(ue)
    }

    fn downlink_nas(&mut self, now: Instant, ue: UeId, nas: &[u8]) {
        if !nas.is_empty() {
            self.with_ue(now, ue, |u, cx| u.handle_nas(cx, nas));
        }
    }

    /// §8.3.1: a tunnel for the default bearer. A repeated request keeps the eNB's TEID.
    fn set_up(&mut self, ue: UeId, ids: (u32, u32), ebi: Ebi, remote: Endpoint) {
        let (enb_ue_id, mme_ue_id) = ids;
        let old = self.slot(ue).and_then(|s| s.link.tunnel()).copied();
        let local = match old {
            Some(tunnel) => {
                self.peers
                    .remove(&(tunnel.remote.address.ip(), tunnel.remote.teid));
                Some(tunnel.local)
            }
            None => self.teids.allocate(&mut self.rng, ue),
        };
        let connection = self.slot_mut(ue).and_then(|s| s.link.connection_mut());
        let answer = match local.zip(connection) {
            Some((local, connection)) => {
                connection.tunnel = Some(Tunnel { ebi, local, remote });
                self.peers.insert((remote.address.ip(), remote.teid), ue);
                Message::InitialContextSetupResponse {
                    enb_ue_id,
                    mme_ue_id,
                    ebi,
                    enb_f_teid: Endpoint {
                        teid: local,
                        address: self.config.s1u_local,
                    },
                }
            }
            None => Message::InitialContextSetupFailure {
                enb_ue_id,
                mme_ue_id,
                cause: ReleaseCause::TransportResourceUnavailable,
            },
        };
        self.outputs.push_back(Output::S1(answer));
    }

    fn take_down(&mut self, ue: UeId, ids: (u32, u32), ebi: Ebi) {
        let (enb_ue_id, mme_ue_id) = ids;
        let connection = self.slot_mut(ue).and_then(|s| s.link.connection_mut());
        let tunnel = connection.and_then(|c| c.tunnel.take_if(|t| t.ebi == ebi));
        if let Some(tunnel) = tunnel {
            self.forget_tunnel(tunnel);
        }
        let answer = Message::ErabReleaseResponse {
            enb_ue_id,
            mme_ue_id,
            ebi,
        };
        self.outputs.push_back(Output::S1(answer));
    }

    /// §8.3.3. A connection that is gone already is confirmed all the same.
    fn release_commanded(&mut self, now: Instant, enb_ue_id: u32, mme_ue_id: u32) {
        let complete = Message::UeContextReleaseComplete {
            enb_ue_id,
            mme_ue_id,
        };
        self.outputs.push_back(Output::S1(complete));
        let ue = ue_of(enb_ue_id);
        let current = self
            .slot(ue)
            .and_then(|s| s.link.connection())
            .is_some_and(|c| {
                c.enb_ue_id == enb_ue_id && c.mme_ue_id.is_none_or(|known| known == mme_ue_id)
            });
        if current {
            self.close(ue);
            self.with_ue(now, ue, Ue::connection_released);
        }
    }

    /// The tunnel of a UE is broken: the eNB asks for its release (TS 23.007 §22).
    pub(super) fn tunnel_broken(&mut self, ue: UeId) {
        let connection = self.slot_mut(ue).and_then(|s| s.link.connection_mut());
        if let Some(connection) = connection
            && let Some(mme_ue_id) = connection.mme_ue_id
        {
            let request = Message::UeContextReleaseRequest {
                enb_ue_id: connection.enb_ue_id,
                mme_ue_id,
                cause: ReleaseCause::TransportResourceUnavailable,
            };
            self.outputs.push_back(Output::S1(request));
        }
    }
}
