//! Dedicated bearers: what the network sets up, changes and takes down for flows of their own
//! (TS 23.401 §5.4), and the commands by which an SGW asks for it.
//!
//! A request goes to the SGW; what it accepts is installed at the worker and written to disk, and
//! only then does whoever ordered it hear. A bearer that goes is taken from the worker first and
//! the SGW is told then: nothing forwards longer than it was ordered to.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_gtp::c::{self, Cause, Message, Reject, RequestHandle};
use heiiki_gtp::tft::{Operation, PacketFilter, Tft};
use heiiki_types::{Ambr, Arp, CallId, Ebi, Imsi, Now, Qci, Teid};

use super::Control;
use super::procedure::Procedure;
use super::session::{Live, State, TunnelEnd};
use crate::event::Event;
use crate::user_plane::{BearerEntry, SessionId, Slot, Update};

mod admin;
mod command;
mod create;
mod delete;
mod update;

/// Dedicated bearers of one session: a UE has eleven, and one of them is the default bearer.
const PER_SESSION: usize = 10;

/// Who wanted a bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// A rule of the access point.
    Rule,
    /// An operator.
    Order,
    /// The UE.
    Ue,
}

/// The quality of service of a bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Qos {
    pub(crate) qci: Qci,
    pub(crate) arp: Arp,
    pub(crate) mbr: Option<Ambr>,
    pub(crate) gbr: Option<Ambr>,
}

impl Qos {
    /// As the wire has it: in kbit/s, zero for none.
    fn wire(self) -> c::BearerQos {
        let kbps = |rate: Option<Ambr>| {
            rate.map_or((0, 0), |r| {
                (r.uplink_bps.div_ceil(1_000), r.downlink_bps.div_ceil(1_000))
            })
        };
        let (mbr, gbr) = (kbps(self.mbr), kbps(self.gbr));
        c::BearerQos {
            arp: self.arp,
            qci: self.qci,
            mbr_uplink_kbps: mbr.0,
            mbr_downlink_kbps: mbr.1,
            gbr_uplink_kbps: gbr.0,
            gbr_downlink_kbps: gbr.1,
        }
    }
}

/// A dedicated bearer, as it is written to disk with its session.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Bearer {
    /// Assigned by the MME; the first one's until then.
    pub(crate) ebi: Ebi,
    pub(crate) name: String,
    pub(crate) origin: Origin,
    /// The gateway's own end.
    pub(crate) teid: Teid,
    /// The SGW's end; the session's own until it is known.
    pub(crate) sgw_u: TunnelEnd,
    pub(crate) qos: Qos,
    /// Its filters, as the template that creates them (TS 24.008 §10.5.6.12).
    pub(crate) template: Vec<u8>,
    /// The number on its charging records.
    pub(crate) charging: SessionId,
}

impl Bearer {
    pub(crate) fn filters(&self) -> Vec<PacketFilter> {
        Tft::decode(&self.template).map_or_else(
            |_| Vec::new(),
            |tft| match tft.operation {
                Operation::CreateNew(filters) => filters,
                _ => Vec::new(),
            },
        )
    }
}

fn template(filters: &[PacketFilter]) -> Vec<u8> {
    Tft::new(Operation::CreateNew(filters.to_vec())).encode()
}

/// What one bearer becomes by an Update Bearer Request.
#[derive(Clone, Debug)]
struct Change {
    ebi: Ebi,
    qos: Option<Qos>,
    /// What the UE is told to do with its filters.
    operation: Option<Vec<u8>>,
    /// All filters of the bearer after that.
    template: Option<Vec<u8>>,
}

/// What the SGW is asked for.
#[derive(Clone, Debug)]
enum Ask {
    Create(Vec<Bearer>),
    Update {
        ambr: Option<Ambr>,
        changes: Vec<Change>,
    },
    Delete {
        bearers: Vec<Bearer>,
        failed: Vec<(Ebi, Cause)>,
        cause: Option<Cause>,
    },
}

impl Ask {
    const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create_bearer",
            Self::Update { .. } => "update_bearer",
            Self::Delete { .. } => "delete_bearer",
        }
    }
}

/// A request about bearers, on its way or waiting to be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    slot: Slot,
    session: SessionId,
    imsi: Imsi,
    ask: Ask,
    /// The administrative call that waits for the outcome.
    call: Option<CallId>,
    /// The command that it carries out, and the UE's number of it.
    command: Option<RequestHandle>,
    pti: Option<u8>,
    /// How often the SGW has put it off because the UE is being handed over.
    put_off: u32,
}

/// What waits for workers and disk after an SGW's answer.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    session: SessionId,
    imsi: Imsi,
    request: &'static str,
    /// The bearers that it was about, with the cause of each.
    bearers: Vec<(Option<Ebi>, u8)>,
    call: Option<CallId>,
    /// The cause of the response; none when there was none.
    cause: Option<u8>,
}

/// What a worker needs of a dedicated bearer.
fn entry(control: &Control, live: &Live, bearer: &Bearer) -> BearerEntry {
    BearerEntry {
        slot: live.session.slot,
        session: live.session.id,
        ebi: bearer.ebi,
        teid: bearer.teid,
        peer: control.gtpu_peer(bearer.sgw_u.address),
        peer_teid: bearer.sgw_u.teid,
        filters: bearer.filters(),
        mbr: bearer.qos.mbr,
        gbr: bearer.qos.gbr,
    }
}

impl Control {
    /// The updates that install a session's dedicated bearers.
    pub(super) fn bearer_updates(&self, live: &Live) -> Vec<Update> {
        let bearers = live.session.bearers.iter();
        bearers
            .map(|b| Update::SetBearer(Box::new(entry(self, live, b))))
            .collect()
    }

    /// Precedences of the filters of a session, but for those of one bearer.
    fn precedences(live: &Live, but: Option<Ebi>) -> Vec<u8> {
        let others = live.session.bearers.iter().filter(|b| Some(b.ebi) != but);
        others
            .flat_map(Bearer::filters)
            .map(|f| f.precedence)
            .collect()
    }

    /// A session that bearers can be set up for.
    fn active(&self, slot: Slot, id: SessionId) -> Option<&Live> {
        let live = self.sessions.same(slot, id);
        live.filter(|l| l.state == State::Active)
    }

    /// Sends a request about bearers to the session's SGW.
    fn ask_sgw(&mut self, now: Now, request: Request) {
        let Some(live) = self.sessions.same(request.slot, request.session) else {
            self.conclude(now, &request, None, Vec::new());
            return;
        };
        let session = &live.session;
        let message = match &request.ask {
            Ask::Create(bearers) => self.create_request(live, bearers, request.pti),
            Ask::Update { ambr, changes } => update::message(live, *ambr, changes, request.pti),
            Ask::Delete {
                bearers,
                failed,
                cause,
            } => delete::message(bearers, failed, *cause, request.pti),
        };
        let teid = Some(session.sgw_c.teid.get());
        let remote = self.gtpc_peer(session.sgw_c.address);
        let local = self.local();
        self.last_ticket += 1;
        let tag = self.last_ticket;
        let sent = match request.command.filter(|_| request.put_off == 0) {
            Some(command) => self
                .endpoint
                .carry_out(now.at, command, teid, &message, tag),
            None => self
                .endpoint
                .send_request(now.at, local, remote, teid, &message, tag),
        };
        if sent.is_ok() {
            self.bearer_requests.insert(tag, Box::new(request));
        } else {
            self.conclude(now, &request, None, Vec::new());
        }
    }

    /// A response to a request with this tag, or the end of its retransmissions. Says whether the
    /// request was one about bearers.
    pub(super) fn bearers_answered(
        &mut self,
        now: Now,
        tag: u64,
        from: core::net::IpAddr,
        message: Option<Result<Message, Reject>>,
    ) -> bool {
        let Some(request) = self.bearer_requests.remove(&tag) else {
            return false;
        };
        let cause = message.as_ref().map(answer_cause);
        if cause == Some(Cause::TEMPORARILY_REJECTED_DUE_TO_HANDOVER_IN_PROGRESS)
            && self.put_off(now, &request)
        {
            return true;
        }
        match (&request.ask, message) {
            (Ask::Create(_), Some(Ok(Message::CreateBearerResponse(response)))) => {
                self.bearers_created(now, &request, from, &response);
            }
            (Ask::Update { .. }, Some(Ok(Message::UpdateBearerResponse(response)))) => {
                self.bearers_updated(now, &request, &response);
            }
            (Ask::Delete { bearers, .. }, _) => {
                // They are gone whatever the SGW says.
                let gone = cause.map_or(0, |c| c.0);
                let gone = bearers.iter().map(|b| (Some(b.ebi), gone)).collect();
                self.conclude(now, &request, cause, gone);
            }
            _ => self.conclude(now, &request, cause, Vec::new()),
        }
        true
    }

    /// The SGW hands the UE over: the request comes again later (TS 23.401 §5.4.1), as often as a
    /// request is retransmitted.
    fn put_off(&mut self, now: Now, request: &Request) -> bool {
        if request.put_off >= self.config.gtpc.n3
            || self.active(request.slot, request.session).is_none()
        {
            return false;
        }
        let mut request = request.clone();
        request.put_off += 1;
        let ticket = self.begin(Procedure::LaterBearers(Box::new(request)));
        self.set_deadline(ticket, now.at + self.config.gtpc.t3);
        true
    }

    /// The time of a request that was put off has come.
    pub(super) fn ask_again(&mut self, now: Now, request: Request) {
        if self.active(request.slot, request.session).is_some() {
            self.ask_sgw(now, request);
        } else {
            self.conclude(now, &request, None, Vec::new());
        }
    }

    /// Nothing has to be installed: says at once how a request ended.
    fn conclude(
        &mut self,
        now: Now,
        request: &Request,
        cause: Option<Cause>,
        bearers: Vec<(Option<Ebi>, u8)>,
    ) {
        let outcome = request.outcome(cause, bearers);
        let ticket = self.begin(Procedure::Bearers(Box::new(outcome)));
        self.advance(now, ticket);
    }

    /// Workers and disk have what an SGW has accepted.
    pub(super) fn bearers_done(&mut self, outcome: &Outcome, durable: bool) {
        self.event(Event::BearersAnswered {
            session: outcome.session,
            imsi: outcome.imsi,
            request: outcome.request,
            cause: outcome.cause,
            bearers: outcome
                .bearers
                .iter()
                .map(|(e, c)| (e.map_or(0, Ebi::get), *c))
                .collect(),
        });
        if let Some(call) = outcome.call {
            let response = admin::outcome(outcome, durable);
            self.reply(call, response);
        }
    }

    /// The SGW's GTP-U address, at the port that it listens on.
    pub(super) fn gtpu_peer(&self, address: core::net::IpAddr) -> core::net::SocketAddr {
        let port = self.config.gtpu_ports.get(&address).copied();
        (address, port.unwrap_or(heiiki_gtp::u::PORT)).into()
    }
}

impl Request {
    fn new(live: &Live, ask: Ask) -> Self {
        Self {
            slot: live.session.slot,
            session: live.session.id,
            imsi: live.session.imsi,
            ask,
            call: None,
            command: None,
            pti: None,
            put_off: 0,
        }
    }

    fn outcome(&self, cause: Option<Cause>, bearers: Vec<(Option<Ebi>, u8)>) -> Outcome {
        Outcome {
            session: self.session,
            imsi: self.imsi,
            request: self.ask.name(),
            bearers,
            call: self.call,
            cause: cause.map(|c| c.0),
        }
    }
}

/// The cause of a response about bearers.
fn answer_cause(message: &Result<Message, Reject>) -> Cause {
    match message {
        Ok(Message::CreateBearerResponse(response)) => response.cause.cause,
        Ok(Message::UpdateBearerResponse(response)) => response.cause.cause,
        Ok(Message::DeleteBearerResponse(response)) => response.cause.cause,
        Ok(_) => Cause::INVALID_REPLY_FROM_REMOTE_PEER,
        Err(reject) => reject.cause,
    }
}
