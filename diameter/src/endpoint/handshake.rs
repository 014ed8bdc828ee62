use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use heiiki_types::{ConnId, Instant};

use super::config::is_in_realm;
use super::connection::{Connection, Peer};
use super::state::{Action, Event, State};
use super::watchdog::Watchdog;
use super::{Endpoint, EndpointOutput};
use crate::avp::Avp;
use crate::base::{Capabilities, CapabilitiesAnswer, VendorApplication};
use crate::dictionary as d;
use crate::message::{ApplicationId, Message};
use crate::result::{AnswerError, AnswerResult, ResultCode};

/// Why a peer is refused: what it is told, and what we report.
type Refusal = (ResultCode, &'static str);

impl Endpoint {
    /// What this node says of itself.
    fn capabilities(&self) -> Capabilities {
        let c = &self.config;
        let plain = c.applications.iter().filter(|a| a.vendor().is_none());
        let vendors = c.applications.iter().filter_map(|a| {
            let vendor = a.vendor()?;
            Some(VendorApplication {
                vendor: Some(vendor),
                auth: Some(*a),
                acct: None,
            })
        });
        let vendor_applications: Vec<_> = vendors.collect();
        let mut supported_vendors: Vec<u32> = vendor_applications
            .iter()
            .filter_map(|v| v.vendor)
            .collect();
        supported_vendors.dedup();
        Capabilities {
            origin_host: c.origin_host.clone(),
            origin_realm: c.origin_realm.clone(),
            host_ips: c.host_ips.clone(),
            vendor_id: 0,
            product_name: c.product_name.clone(),
            origin_state_id: Some(c.origin_state_id),
            supported_vendors,
            auth_applications: plain.copied().collect(),
            acct_applications: Vec::new(),
            vendor_applications,
            inband_security: Vec::new(),
            firmware_revision: None,
        }
    }

    pub(super) fn on_accepted(&mut self, now: Instant, conn: ConnId, from: SocketAddr) {
        let why = if self.stopping {
            Some("shutting down")
        } else if !self.config.accept.iter().any(|r| r.admits(from.ip())) {
            Some("no peer may come from this address")
        } else {
            self.is_full_for(from)
        };
        if let Some(why) = why {
            self.turn_away(conn, None, why);
            return;
        }
        let mut connection = Connection::new(from, None, self.rng.next_u32());
        connection.deadline = Some(now + self.config.limits.handshake);
        self.connections.insert(conn, connection);
        self.fire(conn, Event::Accepted);
    }

    /// Which limit keeps one more connection of this address out.
    fn is_full_for(&self, from: SocketAddr) -> Option<&'static str> {
        let limits = &self.config.limits;
        let (mut all, mut of_address, mut silent, mut silent_of_address) = (0, 0, 0, 0);
        for c in self.connections.values().filter(|c| c.connector.is_none()) {
            let same = usize::from(c.address.ip() == from.ip());
            let waits = usize::from(c.state == State::WaitCer);
            all += 1;
            of_address += same;
            silent += waits;
            silent_of_address += same * waits;
        }
        if all >= limits.total {
            Some("too many connections")
        } else if of_address >= limits.per_address {
            Some("too many connections from this address")
        } else if silent >= limits.unidentified {
            Some("too many connections without capabilities exchange")
        } else if silent_of_address >= limits.unidentified_per_address {
            Some("too many connections without capabilities exchange from this address")
        } else {
            None
        }
    }

    pub(super) fn on_connected(&mut self, conn: ConnId) {
        if self.fire(conn, Event::RcvConnAck) == Some(Action::SendCer) {
            let request = self.capabilities().to_request();
            self.send_base(conn, request);
        }
    }

    pub(super) fn on_cer(
        &mut self,
        now: Instant,
        conn: ConnId,
        request: &Message,
        fault: Option<AnswerError>,
    ) {
        match self.connections.get(&conn).map(|c| c.state) {
            Some(State::WaitCer) => {}
            // Capabilities do not change while a connection lives.
            Some(state) if state.is_open() => {
                self.refuse(conn, request, &ResultCode::UNABLE_TO_COMPLY.into());
                return;
            }
            _ => {
                self.fire(conn, Event::RcvCer);
                self.close(now, conn, "CER on a connection that we opened");
                return;
            }
        }
        let parsed = fault.map_or_else(|| Capabilities::from_request(request), Err);
        let caps = match parsed {
            Ok(caps) => caps,
            Err(error) => {
                self.reject(conn, request, &error, None, "its CER is wrong");
                return;
            }
        };
        if let Err((code, why)) = self.judge(now, conn, &caps) {
            let host = Some(caps.origin_host);
            self.reject(conn, request, &code.into(), host, why);
            return;
        }
        self.fire(conn, Event::RcvCer);
        let answer = CapabilitiesAnswer {
            result: AnswerResult::SUCCESS,
            capabilities: self.capabilities(),
        };
        self.reply(conn, request, answer.to_message());
        self.opened(now, conn, &caps);
    }

    /// Whether we talk to this peer on this connection. Closes the other connection to it when
    /// this one wins.
    fn judge(&mut self, now: Instant, conn: ConnId, caps: &Capabilities) -> Result<(), Refusal> {
        let (host, realm) = (&caps.origin_host, &caps.origin_realm);
        let connection = self.connections.get(&conn);
        let from = connection.map(|c| c.address.ip());
        let certificate = connection.and_then(|c| c.certificate.as_ref());
        if self.config.host_in_realm && !is_in_realm(host, realm) {
            let why = "its Origin-Host is not in its Origin-Realm";
            return Err((ResultCode::UNKNOWN_PEER, why));
        }
        let mut rules = (self.config.accept.iter())
            .filter(|r| r.names(host, realm) && from.is_some_and(|ip| r.admits(ip)))
            .peekable();
        if rules.peek().is_none() {
            return Err((ResultCode::UNKNOWN_PEER, "not a known peer"));
        }
        if !rules.any(|r| r.trusts(host, certificate)) {
            let why = match certificate {
                Some(_) => "its certificate is not that of its Origin-Host",
                None => "it must use TLS",
            };
            return Err((ResultCode::UNKNOWN_PEER, why));
        }
        if host.eq_ignore_ascii_case(&self.config.origin_host) {
            return Err((ResultCode::UNKNOWN_PEER, "it has our own name"));
        }
        self.agree(caps)?;
        self.elect(now, caps)?;
        self.replace(now, caps)
    }

    /// Whether the two ends have something to talk about.
    fn agree(&self, caps: &Capabilities) -> Result<(), Refusal> {
        let has = |a: &ApplicationId| caps.has(*a);
        if !self.config.applications.iter().any(has) {
            let code = ResultCode::NO_COMMON_APPLICATION;
            return Err((code, "no common application"));
        }
        if !caps.takes_no_security() {
            let code = ResultCode::NO_COMMON_SECURITY;
            return Err((code, "no common security"));
        }
        Ok(())
    }

    /// RFC 6733 §5.6.4: when both ends have sent a CER, the one with the greater name keeps the
    /// connection that the *other* opened. Before our CER is sent there is nothing to decide.
    fn elect(&mut self, now: Instant, caps: &Capabilities) -> Result<(), Refusal> {
        let host = caps.origin_host.as_str();
        let to_it = |i: usize| {
            let name = self.connectors.get(i)?.host()?;
            Some(name.eq_ignore_ascii_case(host))
        };
        let ours = self.connections.iter().find_map(|(id, c)| {
            let early = matches!(c.state, State::WaitConnAck | State::WaitICea);
            (early && c.connector.and_then(to_it) == Some(true)).then_some((*id, c.state))
        });
        match ours {
            None => Ok(()),
            Some((ours, state)) => {
                let wins = self.config.origin_host.as_bytes() > host.as_bytes();
                if wins || state == State::WaitConnAck {
                    self.fire(ours, Event::Stop);
                    self.close(now, ours, "the connection of the peer is kept");
                    Ok(())
                } else {
                    let code = ResultCode::ELECTION_LOST;
                    Err((code, "our connection to it is kept"))
                }
            }
        }
    }

    /// The rule for a second connection, see [`Endpoint`].
    fn replace(&mut self, now: Instant, caps: &Capabilities) -> Result<(), Refusal> {
        let key = caps.origin_host.to_ascii_lowercase();
        let Some(old) = self.hosts.get(&key).copied() else {
            return Ok(());
        };
        let Some(connection) = self.connections.get_mut(&old) else {
            return Ok(());
        };
        let before = connection.peer.as_ref().and_then(|p| p.origin_state_id);
        if caps.origin_state_id > before {
            self.fire(old, Event::Timeout);
            self.close(now, old, "the peer has restarted");
            return Ok(());
        }
        if let Some(watchdog) = &mut connection.watchdog {
            watchdog.hasten(now);
        }
        let code = ResultCode::ELECTION_LOST;
        Err((code, "there is a connection to it"))
    }

    /// Answers a CER with an error and closes.
    fn reject(
        &mut self,
        conn: ConnId,
        request: &Message,
        error: &AnswerError,
        peer: Option<String>,
        why: &'static str,
    ) {
        let answer = CapabilitiesAnswer {
            result: error.result.into(),
            capabilities: self.capabilities(),
        };
        let mut message = answer.to_message();
        message.flags.error = error.result.is_protocol_error();
        if let Some(avp) = &error.failed_avp {
            let failed = Avp::group(&d::FAILED_AVP, core::slice::from_ref(avp));
            message.avps.push(failed);
        }
        self.reply(conn, request, message);
        self.fire(conn, Event::RcvBadCer);
        self.connections.remove(&conn);
        self.turn_away(conn, peer, why);
    }

    pub(super) fn on_cea(&mut self, now: Instant, conn: ConnId, message: &Message) {
        match self.connections.get(&conn).map(|c| c.state) {
            Some(State::WaitICea) => {}
            Some(state) if state.is_open() || state == State::Closing => {
                self.counters.unexpected += 1;
                return;
            }
            _ => {
                self.fire(conn, Event::RcvCea);
                self.close(now, conn, "CEA without CER");
                return;
            }
        }
        let answer = CapabilitiesAnswer::from_message(message);
        let verdict = match &answer {
            Err(_) => Err("its CEA is wrong"),
            Ok(a) if !a.result.is_success() => Err("refused by the peer"),
            Ok(a) => self.judge_answer(conn, &a.capabilities),
        };
        match (verdict, answer) {
            (Ok(()), Ok(answer)) => {
                self.fire(conn, Event::RcvCea);
                self.opened(now, conn, &answer.capabilities);
            }
            (Err(why), _) => {
                self.fire(conn, Event::RcvBadCea);
                self.close(now, conn, why);
            }
            // The verdict on an answer that cannot be read is an error.
            (Ok(()), Err(_)) => {}
        }
    }

    fn judge_answer(&self, conn: ConnId, caps: &Capabilities) -> Result<(), &'static str> {
        let connector = self.connections.get(&conn).and_then(|c| c.connector);
        let connector = connector.and_then(|i| self.connectors.get(i));
        let expected = connector.and_then(|c| c.to.name.as_deref());
        if expected.is_some_and(|name| !name.eq_ignore_ascii_case(&caps.origin_host)) {
            return Err("another peer answers at its address");
        }
        if self
            .hosts
            .contains_key(&caps.origin_host.to_ascii_lowercase())
        {
            return Err("there is a connection to it");
        }
        self.agree(caps).map_err(|(_, why)| why)
    }

    fn opened(&mut self, now: Instant, conn: ConnId, caps: &Capabilities) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.deadline = None;
        connection.watchdog = Some(Watchdog::new(self.config.tw, now, &mut self.rng));
        connection.peer = Some(Peer {
            host: caps.origin_host.as_str().into(),
            realm: caps.origin_realm.clone(),
            origin_state_id: caps.origin_state_id,
        });
        let connector = connection.connector;
        if let Some(connector) = connector.and_then(|i| self.connectors.get_mut(i)) {
            connector.learned = Some(caps.origin_host.clone());
        }
        self.hosts
            .insert(caps.origin_host.to_ascii_lowercase(), conn);
        self.out.push_back(EndpointOutput::PeerOpen {
            conn,
            host: caps.origin_host.clone(),
            realm: caps.origin_realm.clone(),
        });
    }
}
