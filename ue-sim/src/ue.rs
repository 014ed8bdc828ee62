//! The terminal: EMM and ESM of one UE, around its USIM and its IP host.
//!
//! ```text
//!            attach()                 ATTACH ACCEPT
//! Deregistered ----> RegisteredInitiated ----> Registered
//!   ^  ^  reject, T3410, release |               |   |
//!   |  +------------------------+   network     |   | detach()
//!   |                                detach      |   v
//!   +--------------------------------------------+ DeregisteredInitiated
//!   +----------------------- DETACH ACCEPT, T3421, release --+
//! ```
//!
//! Null, not drawn, is a UE that is switched off. What keeps a deregistered UE from attaching is a
//! [`Restriction`], not a state. Read before changing: TS 24.301 §5.1.3, §5.4, §5.5.1.2, §5.5.2 and
//! §5.3.7b.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_mme::s1::ReleaseCause;
use heiiki_nas::security::{NasSecurityContext, SecurityHeader, peek_header};
use heiiki_nas::{Direction, Ksi, Plain, Res, decode_plain, emm};
use heiiki_types::{Apn, Duration, Guti, Instant, Key256, PlmnId, Rng, Tai};

use crate::event::{Event, ProbeOutcome, Restriction};
use crate::stack::Stack;
use crate::timers::{Running, Timer};
use crate::usim::Usim;
use crate::{UeCommand, UeProfile};

use detach::Leaving;
use esm::Bearer;

mod attach;
mod authentication;
mod detach;
mod esm;
mod identity;
mod power;
mod reject;
mod security_mode;
mod send;

/// What a call of a [`Ue`] works with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Instant,
    /// The tracking area of the cell that the UE camps on.
    pub tai: Tai,
    /// Randomness for timers, ports and sequence numbers.
    pub rng: &'a mut Rng,
    /// Where the UE's outputs go, in order.
    pub out: &'a mut Vec<UeOutput>,
}

impl Context<'_> {
    fn event(&mut self, event: Event) {
        self.out.push(UeOutput::Event(event));
    }

    fn dropped(&mut self, why: &'static str) {
        self.event(Event::NasDropped { why });
    }
}

/// What a [`Ue`] wants of its eNB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UeOutput {
    /// Send this NAS PDU; open a connection first when there is none.
    Nas(Vec<u8>),
    /// Send this IP packet, behind [`HEADROOM`](crate::stack::HEADROOM) octets.
    Packet(Vec<u8>),
    /// The UE gave its signalling connection up, if there is one.
    Release(ReleaseCause),
    /// Tell the lab.
    Event(Event),
}

/// The EMM state of a UE, TS 24.301 §5.1.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmmState {
    /// Switched off.
    Null,
    /// Not known to the network.
    Deregistered,
    /// An attach is under way.
    RegisteredInitiated,
    /// Known to the network, with a default bearer.
    Registered,
    /// A detach is under way.
    DeregisteredInitiated,
}

/// A partial context: KASME of the last challenge, until a security mode takes it into use.
struct Partial {
    kasme: Key256,
    ksi: Ksi,
}

/// The last challenge and its answer, for a repetition of it (TS 24.301 §5.4.2.3).
struct Challenge {
    rand: [u8; 16],
    res: Res,
}

/// A place where the UE must not try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Forbidden {
    area: Area,
    /// Whether a message without a MAC put it on the list: T3247 takes it off.
    unprotected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Area {
    Tracking(Tai),
    Plmn(PlmnId),
}

/// One terminal.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Ue {
    profile: Arc<UeProfile>,
    usim: Usim,
    state: EmmState,
    timers: Running,
    auto_retry: bool,
    apn: Option<Apn>,
    /// The attach attempt counter, 0 to 5.
    attempts: u8,
    /// The counter of "USIM considered invalid" events, TS 24.301 §5.3.7b.
    forgiven: u8,
    usim_invalid: bool,
    forbidden: Vec<Forbidden>,
    guti: Option<Guti>,
    last_tai: Option<Tai>,
    t3402: Option<Duration>,
    context: Option<Box<NasSecurityContext>>,
    partial: Option<Box<Partial>>,
    challenge: Option<Box<Challenge>>,
    /// Consecutive challenges that the USIM refused.
    refused_challenges: u8,
    connected: bool,
    /// Secure exchange of NAS messages is established on the connection, TS 24.301 §4.4.2.3.
    secure: bool,
    /// The plain ATTACH REQUEST under way, for HASH_MME.
    request: Vec<u8>,
    started: Instant,
    pti: u8,
    bearer: Option<Box<Bearer>>,
    leaving: Leaving,
    /// The network asked for a new attach once the connection is gone.
    reattach: bool,
}

impl core::fmt::Debug for Ue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ue")
            .field("imsi", &self.usim.imsi())
            .field("state", &self.state)
            .field("guti", &self.guti)
            .field("connected", &self.connected)
            .field("secure", &self.secure)
            .field("bearer", &self.bearer)
            .finish_non_exhaustive()
    }
}

impl Ue {
    /// A UE that is switched on and has never been registered.
    pub fn new(profile: Arc<UeProfile>, usim: Usim) -> Self {
        Self {
            auto_retry: profile.auto_retry,
            apn: profile.apn.clone(),
            profile,
            usim,
            state: EmmState::Deregistered,
            timers: Running::default(),
            attempts: 0,
            forgiven: 0,
            usim_invalid: false,
            forbidden: Vec::new(),
            guti: None,
            last_tai: None,
            t3402: None,
            context: None,
            partial: None,
            challenge: None,
            refused_challenges: 0,
            connected: false,
            secure: false,
            request: Vec::new(),
            started: Instant::ZERO,
            pti: 0,
            bearer: None,
            leaving: Leaving::default(),
            reattach: false,
        }
    }

    /// The card.
    pub const fn usim(&self) -> &Usim {
        &self.usim
    }

    /// The EMM state.
    pub const fn state(&self) -> EmmState {
        self.state
    }

    /// The GUTI that the UE holds.
    pub const fn guti(&self) -> Option<Guti> {
        self.guti
    }

    /// The IP host behind the default bearer.
    pub fn stack(&self) -> Option<&Stack> {
        self.bearer.as_ref()?.stack.as_ref()
    }

    /// The NAS security context in use.
    pub fn security_context(&self) -> Option<&NasSecurityContext> {
        self.context.as_deref()
    }

    /// Until when a timer runs.
    pub fn timer(&self, timer: Timer) -> Option<Instant> {
        self.timers.deadline(timer)
    }

    /// What keeps the UE from starting an attach in this tracking area, and until when.
    pub fn restriction(&self, tai: Tai) -> Option<(Restriction, Option<Instant>)> {
        if self.state == EmmState::Null {
            return Some((Restriction::SwitchedOff, None));
        }
        if self.usim_invalid {
            return Some((Restriction::UsimInvalid, None));
        }
        let here = |f: &&Forbidden| match f.area {
            Area::Tracking(area) => area == tai,
            Area::Plmn(plmn) => plmn == tai.plmn,
        };
        let forbidden: Vec<_> = self.forbidden.iter().filter(here).collect();
        if forbidden.iter().any(|f| !f.unprotected) {
            return Some((Restriction::Forbidden, None));
        }
        if !forbidden.is_empty() {
            return Some((Restriction::T3247, self.timer(Timer::T3247)));
        }
        let back_off = self.timer(Timer::T3346);
        back_off.map(|until| (Restriction::T3346, Some(until)))
    }

    /// When [`handle_timeout`](Self::handle_timeout) has work.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let stack = self.bearer.as_mut().and_then(|b| b.stack.as_mut());
        let stack = stack.and_then(|s| s.poll_timeout(now));
        [self.timers.next(), stack].into_iter().flatten().min()
    }

    /// Carries out a command.
    pub fn handle_command(&mut self, cx: &mut Context<'_>, command: UeCommand) {
        match command {
            UeCommand::Attach => self.attach_commanded(cx),
            UeCommand::Detach { switch_off } => self.detach(cx, switch_off),
            UeCommand::PowerOff => self.power_off(cx),
            UeCommand::PowerOn => self.power_on(cx),
            UeCommand::ForgetGuti => self.forget_identity(),
            UeCommand::SetApn { apn } => self.apn = apn,
            UeCommand::SetAutoRetry { on } => self.auto_retry = on,
            UeCommand::SendNas { pdu, protection } => self.send_hostile(cx, pdu, protection),
            UeCommand::LoseRadio if self.connected => {
                cx.out
                    .push(UeOutput::Release(ReleaseCause::RadioConnectionLost));
                self.connection_released(cx);
            }
            UeCommand::LoseRadio => {}
            traffic => self.traffic(cx, traffic),
        }
    }

    /// Takes an IP packet of the default bearer.
    pub fn handle_packet(&mut self, cx: &mut Context<'_>, packet: &[u8]) {
        if let Some(stack) = self.bearer.as_mut().and_then(|b| b.stack.as_mut()) {
            stack.handle_packet(cx.now, packet);
            drain(stack, cx);
        }
    }

    /// Takes a NAS PDU.
    pub fn handle_nas(&mut self, cx: &mut Context<'_>, pdu: &[u8]) {
        if self.state == EmmState::Null {
            return;
        }
        let header = peek_header(pdu).map(|h| h.security_header);
        match header {
            Ok(SecurityHeader::Plain) => self.handle_plain(cx, pdu),
            Ok(SecurityHeader::IntegrityNewContext) => self.security_mode(cx, pdu),
            Ok(SecurityHeader::Integrity | SecurityHeader::IntegrityCiphered) => {
                self.handle_protected(cx, pdu);
            }
            Ok(_) => cx.dropped("security header type"),
            Err(_) => cx.dropped("not a NAS message"),
        }
    }

    /// The connection ended: the eNB or the network released it.
    pub fn connection_released(&mut self, cx: &mut Context<'_>) {
        if !self.connected {
            return;
        }
        self.connection_gone();
        cx.event(Event::ConnectionReleased);
        match self.state {
            EmmState::RegisteredInitiated => self.attach_failed(cx, "released"),
            EmmState::DeregisteredInitiated => self.detach_ended(cx),
            EmmState::Deregistered if self.reattach => self.reattach(cx),
            _ => {}
        }
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        while let Some(timer) = self.timers.expire(cx.now) {
            self.timer_expired(cx, timer);
        }
        if let Some(stack) = self.bearer.as_mut().and_then(|b| b.stack.as_mut()) {
            stack.handle_timeout(cx.now);
            drain(stack, cx);
        }
    }

    fn timer_expired(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::T3247 => self.t3247_expired(cx),
            Timer::T3346 => self.restriction_lifted(cx),
            Timer::T3402 => {
                self.attempts = 0;
                self.attach_if_automatic(cx);
            }
            Timer::T3410 => {
                self.release(cx, ReleaseCause::Unspecified);
                self.attach_failed(cx, "t3410");
            }
            Timer::T3411 => self.attach_if_automatic(cx),
            Timer::T3416 => self.challenge = None,
            Timer::T3418 | Timer::T3420 => self.network_not_genuine(cx),
            Timer::T3421 => self.detach_again(cx),
            Timer::T3440 => {
                self.release(cx, ReleaseCause::NormalRelease);
                if self.reattach {
                    self.reattach(cx);
                }
            }
        }
    }

    /// A message without protection: only what TS 24.301 §4.4.4.2 lists, and only before secure
    /// exchange is established.
    fn handle_plain(&mut self, cx: &mut Context<'_>, pdu: &[u8]) {
        if self.secure {
            return cx.dropped("not protected");
        }
        match decode_plain(pdu, Direction::Downlink) {
            Ok(Plain::Emm(message)) if message.may_be_unprotected(Direction::Downlink) => {
                self.handle_message(cx, message, false);
            }
            Ok(_) => cx.dropped("needs protection"),
            Err(_) => cx.dropped("not understood"),
        }
    }

    fn handle_protected(&mut self, cx: &mut Context<'_>, pdu: &[u8]) {
        let Some(context) = &mut self.context else {
            return cx.dropped("no security context");
        };
        let Ok(unprotected) = context.unprotect(Direction::Downlink, pdu) else {
            return cx.dropped("integrity check failed");
        };
        // Once ciphering has started an unciphered message counts for nothing (§4.4.5). The first
        // protected message of the network starts it.
        if self.secure && unprotected.header == SecurityHeader::Integrity {
            return cx.dropped("not ciphered");
        }
        self.secure = true;
        match decode_plain(&unprotected.plain, Direction::Downlink) {
            Ok(Plain::Emm(message)) => self.handle_message(cx, message, true),
            Ok(Plain::Esm(message)) => self.handle_esm(cx, &message),
            Err(error) => {
                cx.dropped("not understood");
                let is_esm = unprotected.plain.first().is_some_and(|o| o & 15 == 2);
                if let Some(cause) = error.emm_cause().filter(|_| !is_esm) {
                    self.send(cx, &emm::Message::EmmStatus(emm::EmmStatus { cause }));
                }
            }
        }
    }

    fn handle_message(&mut self, cx: &mut Context<'_>, message: emm::Message, protected: bool) {
        match message {
            emm::Message::AttachAccept(accept) => self.attach_accepted(cx, &accept),
            emm::Message::AttachReject(reject) => self.attach_rejected(cx, &reject, protected),
            emm::Message::AuthenticationRequest(request) => self.challenged(cx, &request),
            emm::Message::AuthenticationReject => self.authentication_rejected(cx, protected),
            emm::Message::IdentityRequest(request) => self.identify(cx, request.identity_type),
            emm::Message::DetachRequestToUe(request) => self.detached_by_network(cx, &request),
            emm::Message::DetachAccept => self.detach_accepted(cx),
            emm::Message::EmmStatus(_) => cx.dropped("EMM STATUS"),
            _ => cx.dropped("unexpected message"),
        }
    }

    fn start(&mut self, cx: &Context<'_>, timer: Timer) {
        self.timers
            .start(timer, cx.now + self.profile.timers.get(timer));
    }

    /// Gives the signalling connection up, if there is one.
    fn release(&mut self, cx: &mut Context<'_>, cause: ReleaseCause) {
        if self.connected {
            cx.out.push(UeOutput::Release(cause));
            self.connection_gone();
        }
    }

    /// EMM-IDLE mode: what belongs to the connection goes with it.
    fn connection_gone(&mut self) {
        self.connected = false;
        self.secure = false;
        self.challenge = None;
        self.refused_challenges = 0;
        for timer in [Timer::T3416, Timer::T3418, Timer::T3420, Timer::T3440] {
            self.timers.stop(timer);
        }
    }

    /// Deletes GUTI, last TAI, contexts and keys, as every hard reject asks (TS 24.301
    /// §5.5.1.2.5).
    fn forget_identity(&mut self) {
        self.guti = None;
        self.last_tai = None;
        self.context = None;
        self.partial = None;
        self.challenge = None;
    }

    /// Traffic commands go to the IP host; without one each has its answer at once.
    fn traffic(&mut self, cx: &mut Context<'_>, command: UeCommand) {
        match self.bearer.as_mut().and_then(|b| b.stack.as_mut()) {
            Some(stack) => {
                stack.handle_command(cx.now, command);
                drain(stack, cx);
            }
            None => cx.event(no_bearer(&command)),
        }
    }
}

/// Takes what an IP host has for the network and the lab.
fn drain(stack: &mut Stack, cx: &mut Context<'_>) {
    while let Some(packet) = stack.poll_packet() {
        cx.out.push(UeOutput::Packet(packet));
    }
    while let Some(event) = stack.poll_event() {
        cx.out.push(UeOutput::Event(event));
    }
}

fn no_bearer(command: &UeCommand) -> Event {
    let outcome = ProbeOutcome::NoBearer;
    match *command {
        UeCommand::Ping { token, .. } => Event::PingDone { token, outcome },
        UeCommand::UdpProbe { token, .. } => Event::UdpProbeDone { token, outcome },
        UeCommand::TcpProbe { token, .. } => Event::TcpProbeDone { token, outcome },
        UeCommand::DnsQuery { token, .. } => Event::DnsDone {
            token,
            outcome,
            rcode: None,
            addresses: Vec::new(),
        },
        UeCommand::HttpGet { token, .. } => Event::HttpFailed {
            token,
            outcome,
            bytes: 0,
            why: "no bearer",
        },
        _ => Event::CommandRefused {
            why: "no bearer".into(),
        },
    }
}

#[cfg(test)]
mod tests;
