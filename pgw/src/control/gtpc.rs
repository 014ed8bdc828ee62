use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use heiiki_gtp::c::{self, Cause, Header, Message, Output as Gtp, Reject, RequestHandle};
use heiiki_types::{Datagram, Duration, Instant, Now};

use super::procedure::Procedure;
use super::session::TunnelEnd;
use super::{Control, Output, journal};
use crate::event::{EndReason, Event};
use crate::user_plane::{Notice, SessionId, Slot};

/// Keeps events about strangers and broken datagrams to one a second and peer, for a bounded
/// number of peers.
#[derive(Debug, Default)]
pub(super) struct Reports {
    peers: BTreeMap<IpAddr, (Instant, u32)>,
}

impl Reports {
    const INTERVAL: Duration = Duration::from_secs(1);
    const PEERS: usize = 256;

    /// How many were kept back since the last report, if one is due.
    fn admit(&mut self, now: Instant, peer: IpAddr) -> Option<u32> {
        if let Some((last, suppressed)) = self.peers.get_mut(&peer) {
            if now.since(*last) < Self::INTERVAL {
                *suppressed = suppressed.saturating_add(1);
                return None;
            }
            *last = now;
            return Some(core::mem::take(suppressed));
        }
        if self.peers.len() >= Self::PEERS {
            self.peers
                .retain(|_, (last, _)| now.since(*last) < Self::INTERVAL);
        }
        if self.peers.len() >= Self::PEERS {
            return None;
        }
        self.peers.insert(peer, (now, 0));
        Some(0)
    }
}

impl Control {
    /// The GTP-C address of an SGW, at the port that it listens on.
    pub(super) fn gtpc_peer(&self, address: IpAddr) -> SocketAddr {
        let port = self.config.gtpc_ports.get(&address).copied();
        (address, port.unwrap_or(c::PORT)).into()
    }

    pub(super) fn supervise(&mut self, now: Now, sgw: IpAddr) {
        let (local, remote) = (self.local(), self.gtpc_peer(sgw));
        self.endpoint.supervise(now.at, local, remote);
    }

    /// Only listed SGWs are heard; for all others the gateway is not there.
    pub(super) fn handle_gtpc(&mut self, now: Now, datagram: Datagram) {
        if !self.is_serving() {
            return;
        }
        let peer = datagram.remote.ip();
        if self.network.sgws.contains(peer) {
            self.endpoint.handle_datagram(now.at, datagram);
        } else if let Some(suppressed) = self.reports.admit(now.at, peer) {
            self.event(Event::UnlistedPeer { peer, suppressed });
        }
    }

    /// Acts on everything that the endpoint has to say.
    pub(super) fn drain_endpoint(&mut self, now: Now) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Gtp::Transmit(datagram) => self.outputs.push_back(Output::S5c(datagram)),
                Gtp::Request {
                    handle,
                    header,
                    message,
                } => {
                    if let Some(counter) = message.recovery() {
                        self.note_counter(now, handle.remote.ip(), counter);
                    }
                    self.handle_request(now, handle, header, message);
                }
                Gtp::Rejected {
                    handle,
                    reject,
                    header,
                } => {
                    let teid = self.peer_teid(header, handle);
                    self.refuse(now, handle, teid, &reject);
                }
                Gtp::Response {
                    tag,
                    message,
                    remote,
                    ..
                } => {
                    if let Some(counter) = message.as_ref().ok().and_then(Message::recovery) {
                        self.note_counter(now, remote.ip(), counter);
                    }
                    let answer = Some(message.clone());
                    if !self.bearers_answered(now, tag, remote.ip(), answer) {
                        self.delete_bearer_done(tag, &message);
                    }
                }
                Gtp::TimedOut { tag, remote } => {
                    if !self.bearers_answered(now, tag, remote.ip(), None) {
                        self.delete_bearer_gone(tag, None);
                    }
                }
                Gtp::Echo {
                    remote, recovery, ..
                } => self.note_counter(now, remote.ip(), recovery),
                Gtp::PeerRestarted { remote, old, new } => {
                    self.peer_restarted(now, remote.ip(), old, new);
                }
                Gtp::PathDown { remote } => self.event(Event::PathDown { peer: remote.ip() }),
                Gtp::PathUp { remote } => self.event(Event::PathUp { peer: remote.ip() }),
                Gtp::Dropped { remote, why } => {
                    let peer = remote.ip();
                    if let Some(suppressed) = self.reports.admit(now.at, peer) {
                        self.event(Event::Dropped {
                            peer,
                            why,
                            suppressed,
                        });
                    }
                }
            }
        }
    }

    fn handle_request(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        message: Message,
    ) {
        match message {
            Message::CreateSessionRequest(request) => {
                self.create_session(now, handle, header, request);
            }
            Message::ModifyBearerRequest(request) => {
                self.modify_bearer(now, handle, header, &request);
            }
            Message::DeleteSessionRequest(request) => {
                self.delete_session(now, handle, header, &request);
            }
            Message::ChangeNotificationRequest(request) => {
                self.change_notification(now, handle, header, &request);
            }
            Message::SuspendNotification(request) => {
                self.suspend(now, handle, header, &request);
            }
            Message::ResumeNotification(request) => {
                self.resume(now, handle, header, &request);
            }
            Message::DeletePdnConnectionSetRequest(request) => {
                self.delete_connection_set(now, handle, &request);
            }
            Message::ModifyBearerCommand(command) => {
                self.modify_bearer_command(now, handle, header, &command);
            }
            Message::DeleteBearerCommand(command) => {
                self.delete_bearer_command(now, handle, header, &command);
            }
            Message::BearerResourceCommand(command) => {
                self.bearer_resource_command(now, handle, header, &command);
            }
            _ => {
                let reject = Reject::new(Cause::SERVICE_NOT_SUPPORTED, "not a request to a PGW");
                let teid = self.peer_teid(header, handle);
                self.refuse(now, handle, teid, &reject);
            }
        }
    }

    /// The SGW's TEID for the answer to a request: that of the session which the request names, or
    /// zero (TS 29.274 §5.5.2).
    fn peer_teid(&self, header: Header, handle: RequestHandle) -> u32 {
        let teid = header.teid.unwrap_or(0);
        let live = self.sessions.by_teid(teid).map(|l| &l.session);
        live.filter(|s| s.is_of(handle.remote.ip()))
            .map_or(0, |s| s.sgw_c.teid.get())
    }

    /// Refuses a request.
    pub(super) fn refuse(&mut self, now: Now, handle: RequestHandle, teid: u32, reject: &Reject) {
        self.endpoint
            .respond_reject(now.at, handle, Some(teid), reject);
        self.event(Event::RequestRefused {
            request: request_name(handle),
            imsi: None,
            peer: handle.remote.ip(),
            cause: reject.cause.0,
            why: reject.why,
        });
    }

    /// Refuses a request of a SIM that has a bar.
    pub(super) fn refuse_barred(
        &mut self,
        now: Now,
        handle: RequestHandle,
        teid: u32,
        imsi: heiiki_types::Imsi,
    ) {
        let cut = self.bars.in_force(imsi).map(|o| o.cut.clone());
        let reject = Reject::new(Cause::SERVICE_DENIED, "the SIM is barred");
        self.refuse(now, handle, teid, &reject);
        self.event(Event::BarredRequest {
            imsi,
            request: request_name(handle),
            cut: cut.unwrap_or_default(),
        });
    }

    /// The session that a request with a TEID is about, if it is the requester's.
    pub(super) fn session_of(
        &self,
        header: Header,
        handle: RequestHandle,
    ) -> Option<(Slot, SessionId)> {
        let live = self.sessions.by_teid(header.teid?)?;
        let session = &live.session;
        session
            .is_of(handle.remote.ip())
            .then_some((session.slot, session.id))
    }

    /// Whether two addresses are of one entry on the list of SGWs: those of one SGW.
    pub(super) fn is_same_entry(&self, source: IpAddr, address: IpAddr) -> bool {
        let mut entries = self.config.sgws.iter();
        entries.any(|e| e.contains(source) && e.contains(address))
    }

    /// Compares a restart counter with what was known before this gateway went down, and writes
    /// new ones down. While it runs the endpoint compares.
    fn note_counter(&mut self, now: Now, peer: IpAddr, counter: u8) {
        let is_full = self.last_counters.len() >= self.config.gtpc.max_paths;
        if is_full && !self.last_counters.contains_key(&peer) {
            return;
        }
        let known = self.last_counters.insert(peer, counter);
        if known == Some(counter) {
            return;
        }
        let ticket = self.begin(Procedure::Note);
        self.persist(ticket, alloc::vec![journal::peer(peer, counter)]);
        self.advance(now, ticket);
        if let Some(old) = known {
            self.peer_restarted(now, peer, old, counter);
        }
    }

    /// An SGW that has restarted has forgotten its sessions (TS 23.007 §14.1.1).
    fn peer_restarted(&mut self, now: Now, peer: IpAddr, old: u8, new: u8) {
        let known = self.last_counters.insert(peer, new);
        let sessions: Vec<(Slot, SessionId)> = self
            .sessions
            .of_sgw(peer)
            .filter(|l| !l.is_leaving())
            .map(|l| (l.session.slot, l.session.id))
            .collect();
        // The endpoint and the journal may both have noticed; once is enough.
        if known == Some(new) && sessions.is_empty() {
            return;
        }
        self.event(Event::PeerRestarted {
            peer,
            old,
            new,
            sessions: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
        });
        if known != Some(new) {
            let ticket = self.begin(Procedure::Note);
            self.persist(ticket, alloc::vec![journal::peer(peer, new)]);
            self.advance(now, ticket);
        }
        self.remove_sessions(now, sessions, EndReason::PeerRestarted, None);
    }

    pub(super) fn handle_notice(&mut self, now: Now, notice: &Notice) {
        match *notice {
            Notice::Refused(packet) => self.event(Event::PacketRefused(packet)),
            Notice::Spoofing {
                session,
                slot,
                count,
            } => self.spoofing(now, (slot, session), count),
            Notice::ErrorIndication { from, teid, peer } => {
                self.error_indication(
                    now,
                    from,
                    TunnelEnd {
                        address: peer,
                        teid,
                    },
                );
            }
        }
    }

    /// A session has sent more packets with sources that are not its own than its tenant bears.
    fn spoofing(&mut self, now: Now, (slot, id): (Slot, SessionId), count: u32) {
        let Some(live) = self.sessions.same(slot, id).filter(|l| !l.is_leaving()) else {
            return;
        };
        let imsi = live.session.imsi;
        let policy = self.network.tenant(live.tenant).map(|t| t.spoofing);
        let ends = policy.is_some_and(|p| p.ends_session);
        self.event(Event::Spoofing {
            session: id,
            imsi,
            count,
            ends,
        });
        if ends {
            let why = EndReason::Spoofing;
            let cause = Some(Cause::REQUEST_REJECTED);
            self.remove_sessions(now, alloc::vec![(slot, id)], why, cause);
        }
    }

    /// An SGW does not know the TEID of a downlink tunnel: its bearer is gone. Believed only from
    /// the bearer's own peer about its own TEID, since anyone else could end sessions with it
    /// (TS 29.281 §7.3.1, TS 23.007 §22).
    fn error_indication(&mut self, now: Now, from: IpAddr, about: TunnelEnd) {
        let live = self.sessions.by_peer_tunnel(from, about.teid);
        let live = live.filter(|l| about.address == from && !l.is_leaving());
        let bearer = live.and_then(|l| {
            let bearers = &l.session.bearers;
            bearers.iter().find(|b| b.sgw_u.teid == about.teid)
        });
        if let (Some(live), Some(bearer)) = (live, bearer) {
            let (slot, id, ebi) = (live.session.slot, live.session.id, bearer.ebi);
            self.bearer_lost(now, slot, id, ebi);
            return;
        }
        let found = live.map(|l| (l.session.slot, l.session.id));
        match found {
            Some(found) => {
                self.remove_sessions(now, alloc::vec![found], EndReason::ErrorIndication, None);
            }
            None => {
                if self.reports.admit(now.at, from).is_some() {
                    self.event(Event::ErrorIndicationIgnored { peer: from });
                }
            }
        }
    }
}

/// The name of a request in events.
pub(super) fn request_name(handle: RequestHandle) -> &'static str {
    match handle.message_type {
        c::MessageType::CREATE_SESSION_REQUEST => "create_session",
        c::MessageType::MODIFY_BEARER_REQUEST => "modify_bearer",
        c::MessageType::DELETE_SESSION_REQUEST => "delete_session",
        c::MessageType::CHANGE_NOTIFICATION_REQUEST => "change_notification",
        c::MessageType::SUSPEND_NOTIFICATION => "suspend",
        c::MessageType::RESUME_NOTIFICATION => "resume",
        c::MessageType::DELETE_PDN_CONNECTION_SET_REQUEST => "delete_connection_set",
        c::MessageType::MODIFY_BEARER_COMMAND => "modify_bearer_command",
        c::MessageType::DELETE_BEARER_COMMAND => "delete_bearer_command",
        c::MessageType::BEARER_RESOURCE_COMMAND => "bearer_resource_command",
        _ => "other",
    }
}
