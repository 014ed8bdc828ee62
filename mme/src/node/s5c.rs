//! GTPv2-C on S5: what gateways answer and ask.

use core::net::{IpAddr, SocketAddr};

use heiiki_gtp::c::{
    Cause, CreateSessionResponse, DeleteBearerRequest, DeleteBearerResponse, FTeid, Header,
    Message, Output as S5c, Reject, RequestHandle,
};
use heiiki_types::{Datagram, Ebi, Imsi};

use super::{Mme, Output, S5cPending};
use crate::cause_map;
use crate::event::Event;
use crate::s1::Endpoint;
use crate::sgw::SessionKey;

/// Control addresses of gateways beyond those of the configuration that are remembered.
const MAX_GATEWAYS: usize = 1_024;

impl Mme {
    /// Only gateways speak here: those of the configuration, and the addresses that they gave.
    pub(super) fn receive_s5c(&mut self, datagram: Datagram) {
        let peer = datagram.remote;
        if self.is_gateway(peer.ip()) {
            self.s5c.handle_datagram(self.now.at, datagram);
        } else {
            self.event(Event::GtpDropped {
                peer,
                why: "not a gateway",
            });
        }
    }

    fn is_gateway(&self, ip: IpAddr) -> bool {
        let configured = self.config.pgws.values().chain(&self.config.default_pgw);
        configured.into_iter().any(|g| g.ip() == ip) || self.gateways.contains(&ip)
    }

    pub(super) fn handle_s5c(&mut self, output: S5c) {
        match output {
            S5c::Transmit(datagram) => self.output(Output::S5c(datagram)),
            S5c::Request {
                handle,
                header,
                message: Message::DeleteBearerRequest(request),
            } => {
                self.delete_bearer(handle, header, &request);
            }
            S5c::Request { handle, header, .. } => {
                let reject = Reject::new(Cause::SERVICE_NOT_SUPPORTED, "not for an SGW");
                let teid = self.peer_teid(header, handle.remote);
                self.s5c
                    .respond_reject(self.now.at, handle, Some(teid), &reject);
            }
            S5c::Rejected {
                handle,
                reject,
                header,
            } => {
                let teid = self.peer_teid(header, handle.remote);
                self.event(Event::GtpDropped {
                    peer: handle.remote,
                    why: reject.why,
                });
                self.s5c
                    .respond_reject(self.now.at, handle, Some(teid), &reject);
            }
            S5c::Response {
                tag,
                remote,
                message,
                ..
            } => self.s5c_response(tag, remote, message),
            S5c::TimedOut { tag, .. } => self.s5c_timed_out(tag),
            S5c::PeerRestarted { remote, .. } => {
                let sessions = self.gateway_lost(remote.ip());
                self.event(Event::PeerRestarted {
                    peer: remote,
                    sessions,
                });
            }
            S5c::PathDown { remote } => {
                let sessions = self.gateway_lost(remote.ip());
                self.event(Event::PathDown {
                    peer: remote,
                    sessions,
                });
            }
            S5c::Dropped { remote, why } => self.event(Event::GtpDropped { peer: remote, why }),
            S5c::Echo { .. } | S5c::PathUp { .. } => {}
        }
    }

    /// The session that a request of a gateway is about: its own one.
    fn session_of(&self, header: Header, from: SocketAddr) -> Option<SessionKey> {
        let key = SessionKey(heiiki_types::Teid::new(header.teid?)?);
        let session = self.sgw.table.get(key)?;
        session
            .pgw_c
            .filter(|(pgw, _)| pgw.ip() == from.ip())
            .map(|_| key)
    }

    fn peer_teid(&self, header: Header, from: SocketAddr) -> u32 {
        let session = self
            .session_of(header, from)
            .and_then(|key| self.sgw.table.get(key));
        session
            .and_then(|s| s.pgw_c)
            .map_or(0, |(_, teid)| teid.get())
    }

    fn delete_bearer(
        &mut self,
        handle: RequestHandle,
        header: Header,
        request: &DeleteBearerRequest,
    ) {
        let teid = self.peer_teid(header, handle.remote);
        let session = self
            .session_of(header, handle.remote)
            .and_then(|k| self.sgw.table.get(k));
        let session = session
            .map(|s| (s.ue, s.ebi))
            .filter(|(_, ebi)| request.linked_ebi == Some(*ebi) || request.ebis.contains(ebi));
        let cause = match session {
            Some(_) => Cause::REQUEST_ACCEPTED,
            None => Cause::CONTEXT_NOT_FOUND,
        };
        let mut response = DeleteBearerResponse::new(cause.into());
        response.linked_ebi = session
            .map(|(_, ebi)| ebi)
            .filter(|_| request.linked_ebi.is_some());
        let message = Message::DeleteBearerResponse(response);
        // The session ends before the gateway hears that it did.
        if let Some((ue, _)) = session {
            self.bearer_deleted(ue, request.cause);
        }
        self.s5c.respond(self.now.at, handle, Some(teid), &message);
    }

    fn s5c_response(&mut self, tag: u64, remote: SocketAddr, message: Result<Message, Reject>) {
        let Some(pending) = self.s5c_pending.remove(&tag) else {
            return;
        };
        match (pending, message) {
            (S5cPending::Create(key, imsi), Ok(Message::CreateSessionResponse(response))) => {
                self.create_answered(key, imsi, remote, &response);
            }
            (S5cPending::Create(key, imsi), message) => {
                let cause = message
                    .err()
                    .map_or(Cause::VERSION_NOT_SUPPORTED_BY_NEXT_PEER, |r| r.cause);
                self.create_failed(key, imsi, Some(cause));
            }
            (S5cPending::Delete(imsi), message) => {
                let cause = match message {
                    Ok(Message::DeleteSessionResponse(response)) => Some(response.cause.cause.0),
                    Ok(_) => None,
                    Err(reject) => Some(reject.cause.0),
                };
                self.event(Event::SessionDeleted { imsi, cause });
            }
        }
    }

    fn create_answered(
        &mut self,
        key: SessionKey,
        imsi: Imsi,
        remote: SocketAddr,
        response: &CreateSessionResponse,
    ) {
        let control = response
            .pgw_s5s8_f_teid
            .map(|f| (at_port(f, remote.port()), f.teid));
        let bearer = response.bearer_contexts.first();
        let user = bearer
            .filter(|b| b.cause.is_accepted())
            .and_then(|b| b.s5s8_u_pgw_f_teid);
        let accepted = response.cause.is_accepted();
        let Some(session) = self.sgw.table.get_mut(key) else {
            // The UE did not wait, or was cut off meanwhile.
            if let Some((pgw, teid)) = control.filter(|_| accepted) {
                self.delete_session(key, Ebi::FIRST, imsi, pgw, teid);
            }
            return;
        };
        if accepted {
            session.pgw_c = control;
            let other = control.map(|(g, _)| g.ip()).filter(|ip| *ip != remote.ip());
            if let Some(ip) = other.filter(|_| self.gateways.len() < MAX_GATEWAYS) {
                self.gateways.insert(ip);
            }
        }
        let complete = control.zip(user).zip(response.paa).filter(|_| accepted);
        let Some(((_, user), paa)) = complete else {
            let refusal = bearer
                .map(|b| b.cause.cause)
                .filter(|c| accepted && !c.is_accepted());
            let cause = if accepted {
                refusal
            } else {
                Some(response.cause.cause)
            };
            return self.create_failed(
                key,
                imsi,
                cause.or(Some(Cause::INVALID_REPLY_FROM_REMOTE_PEER)),
            );
        };
        session.uplink = true;
        let (ue, apn, s5c_teid) = (session.ue, session.apn.clone(), session.s5c);
        let (s5u_teid, s1u_teid) = (session.s5u, session.s1u);
        let address = self.sgw.gtpu_address(user.address.ip());
        self.sgw.table.set_pgw_u(
            key,
            Endpoint {
                teid: user.teid,
                address,
            },
        );
        self.event(Event::SessionCreated {
            imsi,
            apn,
            s5c_teid,
            s5u_teid,
            s1u_teid,
        });
        self.session_created(ue, response, paa);
    }

    fn create_failed(&mut self, key: SessionKey, imsi: Imsi, cause: Option<Cause>) {
        let Some(session) = self.sgw.table.get(key) else {
            return;
        };
        let (ue, apn) = (session.ue, session.apn.clone());
        self.event(Event::SessionRefused {
            imsi,
            apn,
            cause: cause.map(|c| c.0),
        });
        self.reject_esm(ue, cause_map::rejection(cause));
    }

    fn s5c_timed_out(&mut self, tag: u64) {
        match self.s5c_pending.remove(&tag) {
            Some(S5cPending::Create(key, imsi)) => self.create_failed(key, imsi, None),
            Some(S5cPending::Delete(imsi)) => {
                self.event(Event::SessionDeleted { imsi, cause: None });
            }
            None => {}
        }
    }
}

fn at_port(f_teid: FTeid, port: u16) -> SocketAddr {
    SocketAddr::new(f_teid.address.ip(), port)
}
