use alloc::vec::Vec;

use heiiki_types::{ConnId, Instant, StreamOutput};

use super::inbox::Arrival;
use super::state::{Action, Event, State};
use super::{Endpoint, EndpointOutput, RequestHandle};
use crate::base::{
    DeviceWatchdogAnswer, DeviceWatchdogRequest, DisconnectCause, DisconnectPeerAnswer,
    DisconnectPeerRequest,
};
use crate::dictionary as d;
use crate::message::{ApplicationId, CommandCode, Message, Partial};
use crate::result::{AnswerError, AnswerResult, ResultCode, error_answer};
use crate::{s6a, s13};

impl Endpoint {
    pub(super) fn on_octets(&mut self, now: Instant, conn: ConnId, octets: &[u8]) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        // Taken out, so that messages can be read where they lie.
        let mut deframer = core::mem::take(&mut connection.deframer);
        deframer.push(octets);
        while let Some(message) = deframer.message() {
            match message {
                Ok(octets) => self.on_message(now, conn, octets),
                Err(_) => self.close(now, conn, "not Diameter"),
            }
            // The connection may end with any of its messages.
            if !self.connections.contains_key(&conn) {
                return;
            }
        }
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.deframer = deframer;
        }
    }

    fn on_message(&mut self, now: Instant, conn: ConnId, octets: &[u8]) {
        let Ok(partial) = Message::decode_partial(octets) else {
            self.close(now, conn, "not Diameter");
            return;
        };
        if let Some(connection) = self.connections.get_mut(&conn)
            && let Some(watchdog) = &mut connection.watchdog
        {
            watchdog.received(now, &mut self.rng);
        }
        let Partial { message, fault } = partial;
        let fault = fault.map(|(_, avp)| AnswerError::avp(ResultCode::INVALID_AVP_LENGTH, avp));
        let base = message.application == ApplicationId::BASE;
        match (message.command, message.flags.request) {
            (CommandCode::CAPABILITIES_EXCHANGE, true) if base => {
                self.on_cer(now, conn, &message, fault);
            }
            (CommandCode::CAPABILITIES_EXCHANGE, false) if base => {
                self.on_cea(now, conn, &message);
            }
            (CommandCode::DEVICE_WATCHDOG, true) if base => self.on_dwr(now, conn, &message, fault),
            (CommandCode::DEVICE_WATCHDOG, false) if base => {
                self.early(now, conn, Event::RcvDwa);
            }
            (CommandCode::DISCONNECT_PEER, true) if base => self.on_dpr(now, conn, &message, fault),
            (CommandCode::DISCONNECT_PEER, false) if base => {
                if self.early(now, conn, Event::RcvDpa) == Some(Action::Disconnect) {
                    self.close(now, conn, "disconnected");
                }
            }
            (_, request) => {
                if self.early(now, conn, Event::RcvMessage) != Some(Action::Process) {
                    return;
                }
                if request {
                    self.on_request(now, conn, message, fault);
                } else {
                    self.on_answer(conn, message, fault.is_some());
                }
            }
        }
    }

    /// Moves the state machine; a message before the capabilities exchange ends the connection.
    fn early(&mut self, now: Instant, conn: ConnId, event: Event) -> Option<Action> {
        let action = self.fire(conn, event);
        if action == Some(Action::Error) {
            self.close(now, conn, "a message before the capabilities exchange");
        }
        action
    }

    /// Sends an answer to a request of the base protocol, or a refusal.
    pub(super) fn reply(&mut self, conn: ConnId, request: &Message, mut answer: Message) {
        answer.hop_by_hop = request.hop_by_hop;
        answer.end_to_end = request.end_to_end;
        self.send(conn, &answer);
    }

    pub(super) fn refuse(&mut self, conn: ConnId, request: &Message, error: &AnswerError) {
        self.counters.refused_requests += 1;
        let c = &self.config;
        let answer = error_answer(request, &c.origin_host, &c.origin_realm, error);
        self.send(conn, &answer);
    }

    fn on_dwr(
        &mut self,
        now: Instant,
        conn: ConnId,
        request: &Message,
        fault: Option<AnswerError>,
    ) {
        if self.early(now, conn, Event::RcvDwr) != Some(Action::SendDwa) {
            return;
        }
        let wrong = fault.or_else(|| DeviceWatchdogRequest::from_message(request).err());
        if let Some(error) = wrong {
            self.refuse(conn, request, &error);
            return;
        }
        let answer = DeviceWatchdogAnswer {
            result: AnswerResult::SUCCESS,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
            origin_state_id: Some(self.config.origin_state_id),
        };
        self.reply(conn, request, answer.to_message());
    }

    fn on_dpr(
        &mut self,
        now: Instant,
        conn: ConnId,
        request: &Message,
        fault: Option<AnswerError>,
    ) {
        let state = self.connections.get(&conn).map(|c| c.state);
        let parsed = match fault {
            Some(error) => Err(error),
            None => DisconnectPeerRequest::from_message(request),
        };
        // A DPR that is wrong changes nothing, except before the capabilities exchange.
        if let (Err(error), Some(State::IOpen | State::ROpen | State::Closing)) = (&parsed, state) {
            self.refuse(conn, request, error);
            return;
        }
        if self.early(now, conn, Event::RcvDpr) != Some(Action::SendDpa) {
            return;
        }
        let answer = DisconnectPeerAnswer {
            result: AnswerResult::SUCCESS,
            origin_host: self.config.origin_host.clone(),
            origin_realm: self.config.origin_realm.clone(),
        };
        self.reply(conn, request, answer.to_message());
        self.begin_closing(now, conn, "disconnected by the peer");
        let cause = parsed.map_or(DisconnectCause::REBOOTING, |p| p.cause);
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.unwelcome = cause != DisconnectCause::REBOOTING;
        }
    }

    fn on_request(
        &mut self,
        now: Instant,
        conn: ConnId,
        message: Message,
        fault: Option<AnswerError>,
    ) {
        let checked = self
            .check_header(&message)
            .and_then(|()| fault.map_or(Ok(()), Err))
            .and_then(|()| self.check_route(&message))
            .and_then(|()| d::check(&message));
        if let Err(error) = checked {
            self.refuse(conn, &message, &error);
            return;
        }
        self.expire_inbox(now);
        let max = self.config.max_outstanding;
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        // A farewell is under way; the peer will ask another node.
        if connection.state == State::Closing {
            self.counters.unexpected += 1;
            return;
        }
        if connection.requests >= max {
            self.refuse(conn, &message, &ResultCode::TOO_BUSY.into());
            return;
        }
        match self.inbox.arrive(now, conn, &message) {
            Arrival::New(serial) => {
                connection.requests += 1;
                let handle = RequestHandle {
                    conn,
                    command: message.command,
                    serial,
                };
                let peer_host = self.peer_host(conn);
                self.out.push_back(EndpointOutput::Request {
                    conn,
                    peer_host,
                    handle,
                    message,
                });
            }
            Arrival::Joined(counted) => {
                connection.requests += usize::from(counted);
                self.counters.duplicates += 1;
            }
            Arrival::Again(octets) => {
                self.counters.duplicates += 1;
                self.output(StreamOutput::Send { conn, octets });
            }
        }
    }

    /// Flags, application and command.
    fn check_header(&self, request: &Message) -> Result<(), AnswerError> {
        if request.flags.error {
            return Err(ResultCode::INVALID_HDR_BITS.into());
        }
        let application = request.application;
        let ours = self.config.applications.contains(&application);
        if application != ApplicationId::BASE && !ours {
            return Err(ResultCode::APPLICATION_UNSUPPORTED.into());
        }
        let known = match application {
            ApplicationId::BASE => false,
            ApplicationId::S6A => s6a::COMMANDS.contains(&request.command),
            ApplicationId::S13 => s13::COMMANDS.contains(&request.command),
            // Commands of other applications are the node's own business.
            _ => true,
        };
        if known {
            Ok(())
        } else {
            Err(ResultCode::COMMAND_UNSUPPORTED.into())
        }
    }

    /// Whether the request is for this node and has not been here (RFC 6733 §6.1.3, §6.1.4): we
    /// are no agent.
    fn check_route(&self, request: &Message) -> Result<(), AnswerError> {
        let own = &self.config.origin_host;
        let is_own = |t: &str| t.eq_ignore_ascii_case(own);
        let mut records = request.avps.iter().filter(|a| a.is(&d::ROUTE_RECORD));
        if records.any(|a| a.as_str().is_some_and(is_own)) {
            return Err(ResultCode::LOOP_DETECTED.into());
        }
        let realm = &self.config.origin_realm;
        match request.text(&d::DESTINATION_HOST) {
            Some(host) if is_own(host) => Ok(()),
            Some(_) => Err(ResultCode::UNABLE_TO_DELIVER.into()),
            None => match request.text(&d::DESTINATION_REALM) {
                Some(to) if !to.eq_ignore_ascii_case(realm) => {
                    Err(ResultCode::REALM_NOT_SERVED.into())
                }
                // Whether it may be absent is for the command to say.
                _ => Ok(()),
            },
        }
    }

    /// An answer with a broken AVP counts as none.
    fn on_answer(&mut self, conn: ConnId, message: Message, broken: bool) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let Some(request) = connection.outstanding.take(&message) else {
            self.counters.stray_answers += 1;
            return;
        };
        if broken {
            self.give_back(conn, Vec::from([request]));
            return;
        }
        let tag = request.tag;
        self.out
            .push_back(EndpointOutput::Answer { conn, tag, message });
    }
}
