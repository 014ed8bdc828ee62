use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_gtp::c::{
    BearerContextCreated, Cause, CreateSessionRequest, CreateSessionResponse, FTeid, Header,
    Interface, Message, Paa, Reject, RequestHandle,
};
use heiiki_types::{Imsi, Now, Record, UeAddresses};

use super::admission::{Options, Wanted, limit};
use super::pool::{Lease, NoAddress};
use super::procedure::{Parked, Procedure, Removal, Ticket};
use super::session::{Csid, Live, Location, Session, State};
use super::start::live_row;
use super::{Control, journal};
use crate::config::Access;
use crate::event::{EndReason, Event};
use crate::user_plane::{SessionId, Slot, Update};

/// Requests that wait for one removal.
const PARKED: usize = 16;

impl Control {
    /// Create Session Request, TS 29.274 §7.2.1.
    pub(super) fn create_session(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        request: Box<CreateSessionRequest>,
    ) {
        let teid = request.sender_f_teid.teid.get();
        if let Some(imsi) = request.imsi
            && self.config.protections.bar
            && self.bars.in_force(imsi).is_some()
        {
            self.refuse_barred(now, handle, teid, imsi);
            return;
        }
        let wanted = match self.check_create(handle, &request) {
            Ok(wanted) => wanted,
            Err(reject) => {
                self.refuse_create(now, handle, &request, &reject);
                return;
            }
        };
        if self.is_overloaded() || self.journal.has_failed() {
            let reject = Reject::new(Cause::NO_RESOURCES_AVAILABLE, "too much waits for the disk");
            self.refuse_create(now, handle, &request, &reject);
            return;
        }
        if let Some(live) = self.made_by(&wanted, &request) {
            self.answer_again(now, handle, &wanted, &request, &live);
            return;
        }
        if let Some(ticket) = self.replace_stale(now, &wanted, &request)
            && let Some(removal) = self.removal_mut(ticket)
        {
            if removal.parked.len() >= PARKED {
                let why = "too many requests wait for the end of a session";
                let reject = Reject::new(Cause::NO_RESOURCES_AVAILABLE, why);
                self.refuse_create(now, handle, &request, &reject);
                return;
            }
            removal.parked.push(Parked {
                handle,
                header,
                request,
            });
            return;
        }
        if let Err(reject) = self.set_up(now, handle, &wanted, &request) {
            self.refuse_create(now, handle, &request, &reject);
        }
    }

    fn refuse_create(
        &mut self,
        now: Now,
        handle: RequestHandle,
        request: &CreateSessionRequest,
        reject: &Reject,
    ) {
        let teid = Some(request.sender_f_teid.teid.get());
        self.endpoint.respond_reject(now.at, handle, teid, reject);
        self.event(Event::RequestRefused {
            request: "create_session",
            imsi: request.imsi,
            peer: handle.remote.ip(),
            cause: reject.cause.0,
            why: reject.why,
        });
    }

    /// The session that this very request made already: the SGW names the same ends of the same
    /// tunnels. Its answer was lost, and the gateway has restarted since and remembers no
    /// transaction; or the request was held up on its way until then.
    /// The ends are the sender's own, which was checked: another SGW cannot fetch the answer.
    fn made_by(&self, wanted: &Wanted, request: &CreateSessionRequest) -> Option<Live> {
        let ebi = request.bearer_contexts.first().map(|b| b.ebi);
        let made = |l: &&Live| {
            let session = &l.session;
            l.state == State::Active
                && l.access == wanted.access
                && Some(session.ebi) == ebi
                && (session.sgw_c, session.sgw_u) == (wanted.sgw_c, wanted.sgw_u)
                && wanted.is_met_by(session.addresses)
        };
        self.sessions.of_imsi(wanted.imsi).find(made).cloned()
    }

    fn answer_again(
        &mut self,
        now: Now,
        handle: RequestHandle,
        wanted: &Wanted,
        request: &CreateSessionRequest,
        live: &Live,
    ) {
        let access = self.network.access(live.access);
        let addresses = live.session.addresses;
        let options = access.map(|a| Options::answer(a, request, addresses, wanted.verdict));
        let response = self.create_response(live, wanted.cause, options.unwrap_or_default());
        let teid = Some(live.session.sgw_c.teid.get());
        let message = Message::CreateSessionResponse(response);
        self.endpoint.respond(now.at, handle, teid, &message);
        self.supervise(now, live.session.sgw_c.address);
    }

    /// Begins to remove the sessions that a request takes the place of, and says what to wait for.
    ///
    /// The same IMSI with the same default bearer is a session that the SGW has lost
    /// (TS 29.274 §7.2.1). So is one at the same access point with an address of the same family:
    /// [`check_create`](Self::check_create) has refused a second one of the same SGW.
    fn replace_stale(
        &mut self,
        now: Now,
        wanted: &Wanted,
        request: &CreateSessionRequest,
    ) -> Option<Ticket> {
        let ebi = request.bearer_contexts.first().map(|b| b.ebi);
        let stale = |l: &&Live| {
            Some(l.session.ebi) == ebi
                || l.access == wanted.access && wanted.overlaps(l.session.addresses)
        };
        let mut stay = Vec::new();
        for live in self.sessions.of_imsi(wanted.imsi).filter(stale) {
            match live.state {
                State::Leaving(ticket) => return Some(ticket),
                State::Active | State::Installing => {
                    stay.push((live.session.slot, live.session.id));
                }
            }
        }
        self.remove_sessions(now, stay, EndReason::Replaced, None)
    }

    fn removal_mut(&mut self, ticket: Ticket) -> Option<&mut Removal> {
        match &mut self.procedures.get_mut(&ticket)?.procedure {
            Some(Procedure::Removal(removal)) => Some(removal),
            _ => None,
        }
    }

    fn set_up(
        &mut self,
        now: Now,
        handle: RequestHandle,
        wanted: &Wanted,
        request: &CreateSessionRequest,
    ) -> Result<(), Reject> {
        let access = self.network.access(wanted.access).cloned();
        let bearer = request.bearer_contexts.first();
        let (Some(access), Some(bearer)) = (access, bearer) else {
            return Err(Reject::new(Cause::SYSTEM_FAILURE, "the check is broken"));
        };
        let allocated = self.sessions.allocate(now.at, &mut self.rng);
        let (slot, teid_c, teid_u) = allocated.ok_or(Reject::new(
            Cause::NO_RESOURCES_AVAILABLE,
            "the session table is full",
        ))?;
        let lease = self.lease(now, wanted).inspect_err(|_| {
            self.sessions.give_back(slot);
        })?;
        let (id, mark) = self.charging.take();
        let session = Session {
            id,
            slot,
            imsi: wanted.imsi,
            msisdn: request.msisdn,
            imei: request.mei.map(|mei| mei.imei),
            apn: access.config.apn.clone(),
            ebi: bearer.ebi,
            addresses: lease.addresses,
            bearers: Vec::new(),
            teid_c,
            teid_u,
            sgw_c: wanted.sgw_c,
            sgw_u: wanted.sgw_u,
            sgw_source: handle.remote.ip(),
            qci: bearer.bearer_qos.qci,
            arp: bearer.bearer_qos.arp,
            ambr: limit(request.apn_ambr, access.config.ambr),
            rat_type: request.rat_type,
            location: Location::of(request.uli.as_ref()),
            mme_csid: request.mme_csid.as_ref().and_then(Csid::of),
            sgw_csid: request.sgw_csid.as_ref().and_then(Csid::of),
            suspended: false,
            created: now.wall,
        };
        let mut rows: Vec<Record> = mark.into_iter().collect();
        rows.extend(reservation_rows(&access, wanted.imsi, &lease));
        rows.push(live_row(&session));
        let live = Live {
            access: wanted.access,
            tenant: access.tenant,
            state: State::Installing,
            session,
        };
        let update = Update::Install(Arc::new(self.entry(&live)));
        self.sessions.insert(live);
        let options = Options::answer(&access, request, lease.addresses, wanted.verdict);
        let procedure = Procedure::Create {
            handle,
            slot,
            id,
            cause: wanted.cause,
            options: Box::new(options),
        };
        let ticket = self.begin(procedure);
        self.broadcast(ticket, &update);
        self.persist(ticket, rows);
        self.advance(now, ticket);
        Ok(())
    }

    fn lease(&mut self, now: Now, wanted: &Wanted) -> Result<Lease, Reject> {
        // Never zero, which a UE could not tell from none.
        let interface = self.rng.next_u64() | 1;
        let pool = self.pools.get_mut(usize::from(wanted.access.0));
        let pool = pool.ok_or(Reject::new(Cause::SYSTEM_FAILURE, "no pool"))?;
        let lease = pool.lease(now.at, wanted.imsi, &wanted.asked, interface);
        lease.map_err(|refusal| match refusal {
            NoAddress::Exhausted => Reject::new(
                Cause::ALL_DYNAMIC_ADDRESSES_ARE_OCCUPIED,
                "the pool is exhausted",
            ),
            NoAddress::NotStatic => Reject::new(
                Cause::REQUEST_REJECTED,
                "not an address that a SIM may ask for",
            ),
            NoAddress::Taken => {
                Reject::new(Cause::REQUEST_REJECTED, "the address is another SIM's")
            }
        })
    }

    /// Every worker knows the session and the disk has it: downlink may flow as soon as this
    /// answer is out.
    pub(super) fn created(
        &mut self,
        now: Now,
        handle: RequestHandle,
        (slot, id): (Slot, SessionId),
        (cause, options): (Cause, Options),
        durable: bool,
    ) {
        let live = self.sessions.same(slot, id);
        let installing = live.filter(|l| l.state == State::Installing);
        let Some(live) = installing.filter(|_| durable).cloned() else {
            self.not_created(now, handle, (slot, id), durable);
            return;
        };
        let session = &live.session;
        let response = self.create_response(&live, cause, options);
        let teid = Some(session.sgw_c.teid.get());
        let message = Message::CreateSessionResponse(response);
        self.endpoint.respond(now.at, handle, teid, &message);
        self.supervise(now, session.sgw_c.address);
        if let Some(live) = self.sessions.get_mut(slot) {
            live.state = State::Active;
        }
        if session.addresses.v6().is_some() {
            let note = self.begin(Procedure::Note);
            let session = id;
            self.broadcast(note, &Update::Advertise { slot, session });
            self.advance(now, note);
        }
        let tenant = self.tenant_name(live.tenant);
        self.event(Event::SessionCreated {
            session: id,
            imsi: session.imsi,
            apn: session.apn.clone(),
            tenant,
            address: session.addresses,
            sgw: session.sgw_c.address,
            worker: slot.0 % self.network.workers,
        });
        self.begin_rule_bearers(now, slot, id);
    }

    /// The session was cut or replaced while it was being set up, or the disk failed.
    fn not_created(
        &mut self,
        now: Now,
        handle: RequestHandle,
        (slot, id): (Slot, SessionId),
        durable: bool,
    ) {
        let live = self.sessions.same(slot, id);
        let known = live.map(|l| (l.session.sgw_c.teid, l.session.imsi, l.is_leaving()));
        let Some((teid, imsi, leaving)) = known else {
            let reject = Reject::new(Cause::REQUEST_REJECTED, "the session ended while it began");
            self.refuse(now, handle, 0, &reject);
            return;
        };
        if self.config.protections.bar && self.bars.in_force(imsi).is_some() {
            self.refuse_barred(now, handle, teid.get(), imsi);
        } else {
            let reject = if durable {
                Reject::new(Cause::REQUEST_REJECTED, "the session ended while it began")
            } else {
                Reject::new(Cause::SYSTEM_FAILURE, "the disk failed")
            };
            self.refuse(now, handle, teid.get(), &reject);
        }
        if !leaving {
            self.remove_sessions(now, alloc::vec![(slot, id)], EndReason::NotDurable, None);
        }
    }

    /// The GTP-U address of the worker that owns a place.
    pub(super) fn s5u_of(&self, slot: Slot) -> IpAddr {
        let worker = usize::try_from(slot.0 % self.network.workers).unwrap_or(0);
        let worker = self.config.workers.get(worker);
        worker.map_or_else(|| self.local(), |w| w.s5u_local).ip()
    }

    fn create_response(
        &self,
        live: &Live,
        cause: Cause,
        options: Options,
    ) -> CreateSessionResponse {
        let session = &live.session;
        let own = |interface, teid, address: IpAddr| Some(FTeid::new(interface, teid, address));
        let s5u = self.s5u_of(session.slot);
        let mut response = CreateSessionResponse::new(cause.into());
        response.pgw_s5s8_f_teid = own(Interface::S5S8_PGW_GTPC, session.teid_c, self.local().ip());
        response.paa = Some(paa(session.addresses));
        response.apn_restriction = self
            .network
            .access(live.access)
            .map(|a| a.config.apn_restriction);
        response.apn_ambr = session.ambr;
        response.pco = options.pco;
        response.apco = options.apco;
        response.epco = options.epco;
        response.recovery = Some(self.endpoint.restart_counter());
        response.bearer_contexts.push(BearerContextCreated {
            ebi: session.ebi,
            cause: Cause::REQUEST_ACCEPTED.into(),
            s1_u_sgw_f_teid: None,
            s5s8_u_pgw_f_teid: own(Interface::S5S8_PGW_GTPU, session.teid_u, s5u),
            bearer_qos: None,
            charging_id: Some(session.id.0),
        });
        response
    }
}

/// The addresses of a session as its SGW is told them.
fn paa(addresses: UeAddresses) -> Paa {
    match addresses {
        UeAddresses::V4(v4) => Paa::V4(v4),
        UeAddresses::V6(v6) => Paa::V6 {
            prefix: v6.address(),
            length: 64,
        },
        UeAddresses::V4V6(v4, v6) => Paa::V4V6 {
            v4,
            prefix: v6.address(),
            length: 64,
        },
    }
}

fn reservation_rows(access: &Access, imsi: Imsi, lease: &Lease) -> Vec<Record> {
    let apn = &access.config.apn;
    let reserved = lease.reserved.iter();
    let rows = reserved.map(|a| journal::reservation(apn, *a, imsi));
    let given_up = lease.given_up.iter();
    rows.chain(given_up.map(|a| journal::no_reservation(apn, *a)))
        .collect()
}
