use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_gtp::c::{
    BearerContextCreated, BearerContextToBeCreated, Cause, CreateSessionRequest,
    CreateSessionResponse, FTeid, Header, IndicationFlag, Interface, Message, Paa, PdnType, Reject,
    RequestHandle, ie_type,
};
use heiiki_gtp::pco::{Form, Offer, Pco};
use heiiki_types::{Ambr, Imsi, Now, Record, UeAddresses};

use super::pool::{Lease, NoAddress};
use super::procedure::{Parked, Procedure, Removal, Ticket};
use super::session::{Live, Session, State, TunnelEnd};
use super::start::live_row;
use super::{Control, journal};
use crate::config::{Access, AccessId, SelectionMode};
use crate::event::{EndReason, Event};
use crate::user_plane::{SessionId, Slot, Update};

/// Requests that wait for one removal.
const PARKED: usize = 16;

/// A request that passed every check that needs no resource.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    imsi: Imsi,
    access: AccessId,
    sgw_c: TunnelEnd,
    sgw_u: TunnelEnd,
    address: Option<Ipv4Addr>,
    cause: Cause,
}

const fn wrong(cause: Cause, ie: (u8, u8), why: &'static str) -> Reject {
    Reject {
        cause,
        ie: Some(ie),
        why,
    }
}

const fn end(f_teid: &FTeid) -> TunnelEnd {
    TunnelEnd {
        address: f_teid.address.ip(),
        teid: f_teid.teid,
    }
}

/// Whether an access point with this APN Restriction may join sessions whose strictest one is
/// `maximum`, TS 29.274 Table 8.57-1.
const fn restriction_fits(maximum: u8, own: u8) -> bool {
    match maximum {
        0 => true,
        1 => own <= 3,
        2 => own <= 2,
        3 => own <= 1,
        _ => own == 0,
    }
}

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

    fn check_create(
        &self,
        handle: RequestHandle,
        request: &CreateSessionRequest,
    ) -> Result<Wanted, Reject> {
        let imsi = request.imsi.ok_or(wrong(
            Cause::CONDITIONAL_IE_MISSING,
            (ie_type::IMSI, 0),
            "IMSI",
        ))?;
        let unauthenticated =
            |i| heiiki_gtp::c::Indication::has(i, IndicationFlag::UNAUTHENTICATED_IMSI);
        if request.indication.as_ref().is_some_and(unauthenticated) {
            let cause = Cause::USER_AUTHENTICATION_FAILED;
            return Err(Reject::new(cause, "the IMSI is not authenticated"));
        }
        let source = handle.remote.ip();
        let sgw_c = self.sgw_end(source, &request.sender_f_teid, Interface::S5S8_SGW_GTPC)?;
        let (access_id, access) = self.network.access_of(&request.apn).ok_or(wrong(
            Cause::MISSING_OR_UNKNOWN_APN,
            (ie_type::APN, 0),
            "unknown APN",
        ))?;
        let mode = request.selection_mode.ok_or(wrong(
            Cause::CONDITIONAL_IE_MISSING,
            (ie_type::SELECTION_MODE, 0),
            "Selection Mode",
        ))?;
        if !access.config.selection_modes.contains(&SelectionMode(mode)) {
            let cause = Cause::APN_ACCESS_DENIED_NO_SUBSCRIPTION;
            return Err(Reject::new(cause, "the subscription does not have the APN"));
        }
        let maximum = request.maximum_apn_restriction.unwrap_or(0);
        if !restriction_fits(maximum, access.config.apn_restriction) {
            let cause = Cause::APN_RESTRICTION_TYPE_INCOMPATIBLE;
            return Err(Reject::new(
                cause,
                "the UE has sessions that this APN does not bear",
            ));
        }
        let cause = grant(request)?;
        let bearer = default_bearer(request)?;
        let bearer_ie = (ie_type::BEARER_CONTEXT, 0);
        let sgw_u = bearer.s5s8_u_sgw_f_teid.as_ref();
        let sgw_u = sgw_u.ok_or(Reject {
            cause: Cause::CONDITIONAL_IE_MISSING,
            ie: Some(bearer_ie),
            why: "S5/S8-U SGW F-TEID",
        })?;
        let sgw_u = self.sgw_end(source, sgw_u, Interface::S5S8_SGW_GTPU)?;
        let address = request.paa.and_then(Paa::v4);
        Ok(Wanted {
            imsi,
            access: access_id,
            sgw_c,
            sgw_u,
            address: address.filter(|a| !a.is_unspecified()),
            cause,
        })
    }

    /// The end that an F-TEID names, if it is of the right kind and the sending SGW's own: nobody
    /// may point a tunnel, and what is in it, at somebody else.
    ///
    /// The control plane is where the request comes from. The user plane may be at another address:
    /// one of the same entry on the list of SGWs, which is not another SGW that has sessions here.
    pub(super) fn sgw_end(
        &self,
        source: IpAddr,
        f_teid: &FTeid,
        interface: Interface,
    ) -> Result<TunnelEnd, Reject> {
        let end = end(f_teid);
        let is_control = interface == Interface::S5S8_SGW_GTPC;
        let ie = if is_control {
            (ie_type::F_TEID, 0)
        } else {
            (ie_type::BEARER_CONTEXT, 0)
        };
        if f_teid.interface != interface {
            return Err(wrong(
                Cause::MANDATORY_IE_INCORRECT,
                ie,
                "F-TEID of another interface",
            ));
        }
        let is_own = end.address == source
            || !is_control
                && self.is_same_entry(source, end.address)
                && self.sessions.of_sgw(end.address).next().is_none();
        if !is_own {
            return Err(wrong(
                Cause::MANDATORY_IE_INCORRECT,
                ie,
                "F-TEID that is not the sender's own",
            ));
        }
        Ok(end)
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
                && wanted
                    .address
                    .is_none_or(|a| Some(a) == session.addresses.v4())
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
        let pco = access.and_then(|access| answer_pco(request.pco.as_deref()?, access));
        let response = self.create_response(live, wanted.cause, pco);
        let teid = Some(live.session.sgw_c.teid.get());
        let message = Message::CreateSessionResponse(response);
        self.endpoint.respond(now.at, handle, teid, &message);
        self.supervise(now, live.session.sgw_c.address);
    }

    /// Begins to remove the sessions that a request takes the place of, and says what to wait for.
    ///
    /// The same IMSI with the same default bearer is a session that the SGW has lost
    /// (TS 29.274 §7.2.1). So is one at the same access point: a SIM has one session there.
    fn replace_stale(
        &mut self,
        now: Now,
        wanted: &Wanted,
        request: &CreateSessionRequest,
    ) -> Option<Ticket> {
        let ebi = request.bearer_contexts.first().map(|b| b.ebi);
        let stale = |l: &&Live| Some(l.session.ebi) == ebi || l.access == wanted.access;
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
            addresses: lease.address.into(),
            teid_c,
            teid_u,
            sgw_c: wanted.sgw_c,
            sgw_u: wanted.sgw_u,
            sgw_source: handle.remote.ip(),
            qci: bearer.bearer_qos.qci,
            arp: bearer.bearer_qos.arp,
            ambr: limit(request.apn_ambr, access.config.ambr),
            rat_type: request.rat_type,
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
        let procedure = Procedure::Create {
            handle,
            slot,
            id,
            cause: wanted.cause,
            pco: request
                .pco
                .as_deref()
                .and_then(|pco| answer_pco(pco, &access)),
        };
        let ticket = self.begin(procedure);
        self.broadcast(ticket, &update);
        self.persist(ticket, rows);
        self.advance(now, ticket);
        Ok(())
    }

    fn lease(&mut self, now: Now, wanted: &Wanted) -> Result<Lease, Reject> {
        let pool = self.pools.get_mut(usize::from(wanted.access.0));
        let pool = pool.ok_or(Reject::new(Cause::SYSTEM_FAILURE, "no pool"))?;
        let lease = pool.lease(now.at, wanted.imsi, wanted.address);
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
        (cause, pco): (Cause, Option<Vec<u8>>),
        durable: bool,
    ) {
        let live = self.sessions.same(slot, id);
        let installing = live.filter(|l| l.state == State::Installing);
        let Some(live) = installing.filter(|_| durable).cloned() else {
            self.not_created(now, handle, (slot, id), durable);
            return;
        };
        let session = &live.session;
        let response = self.create_response(&live, cause, pco);
        let teid = Some(session.sgw_c.teid.get());
        let message = Message::CreateSessionResponse(response);
        self.endpoint.respond(now.at, handle, teid, &message);
        self.supervise(now, session.sgw_c.address);
        if let Some(live) = self.sessions.get_mut(slot) {
            live.state = State::Active;
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

    fn create_response(
        &self,
        live: &Live,
        cause: Cause,
        pco: Option<Vec<u8>>,
    ) -> CreateSessionResponse {
        let session = &live.session;
        let own = |interface, teid, address: IpAddr| Some(FTeid::new(interface, teid, address));
        let worker = usize::try_from(session.slot.0 % self.network.workers).unwrap_or(0);
        let worker = self.config.workers.get(worker);
        let s5u = worker.map_or_else(|| self.local(), |w| w.s5u_local).ip();
        let mut response = CreateSessionResponse::new(cause.into());
        response.pgw_s5s8_f_teid = own(Interface::S5S8_PGW_GTPC, session.teid_c, self.local().ip());
        response.paa = Some(paa(session.addresses));
        response.apn_restriction = self
            .network
            .access(live.access)
            .map(|a| a.config.apn_restriction);
        response.apn_ambr = session.ambr;
        response.pco = pco;
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

/// What can be granted of the PDN type that was asked for: this gateway hands out IPv4.
fn grant(request: &CreateSessionRequest) -> Result<Cause, Reject> {
    let asked = request.pdn_type.or_else(|| request.paa.map(Paa::pdn_type));
    match asked {
        Some(PdnType::V4) => Ok(Cause::REQUEST_ACCEPTED),
        Some(PdnType::V4V6) => Ok(Cause::NEW_PDN_TYPE_DUE_TO_NETWORK_PREFERENCE),
        Some(_) => Err(Reject::new(
            Cause::PREFERRED_PDN_TYPE_NOT_SUPPORTED,
            "the APN hands out IPv4",
        )),
        None => Err(wrong(
            Cause::CONDITIONAL_IE_MISSING,
            (ie_type::PAA, 0),
            "PDN Address Allocation",
        )),
    }
}

fn default_bearer(request: &CreateSessionRequest) -> Result<&BearerContextToBeCreated, Reject> {
    match request.bearer_contexts.as_slice() {
        [bearer] => Ok(bearer),
        [] => Err(wrong(
            Cause::MANDATORY_IE_MISSING,
            (ie_type::BEARER_CONTEXT, 0),
            "Bearer Context",
        )),
        _ => Err(wrong(
            Cause::MANDATORY_IE_INCORRECT,
            (ie_type::BEARER_CONTEXT, 0),
            "a new session has one bearer",
        )),
    }
}

/// The smaller of what was asked for and what the access point grants.
fn limit(asked: Option<Ambr>, most: Option<Ambr>) -> Option<Ambr> {
    match (asked, most) {
        (Some(a), Some(m)) => Some(Ambr {
            uplink_bps: a.uplink_bps.min(m.uplink_bps),
            downlink_bps: a.downlink_bps.min(m.downlink_bps),
        }),
        (a, m) => a.or(m),
    }
}

fn reservation_rows(access: &Access, imsi: Imsi, lease: &Lease) -> Vec<Record> {
    let apn = &access.config.apn;
    let mut rows = Vec::new();
    if lease.is_new_reservation {
        rows.push(journal::reservation(apn, lease.address, imsi));
    }
    rows.extend(lease.gives_up.map(|a| journal::no_reservation(apn, a)));
    rows
}

/// Name servers and MTU, for a UE that asks (TS 24.008 §10.5.6.3).
fn answer_pco(asked: &[u8], access: &Access) -> Option<Vec<u8>> {
    let asked = Pco::decode(asked).ok()?;
    let offer = Offer {
        dns_v4: &access.config.dns,
        mtu: Some(access.config.mtu),
        ..Offer::default()
    };
    let answer = asked.answer(Form::Short, &offer)?;
    Some(answer.encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apn_restrictions_combine_as_in_the_table() {
        // Rows: the maximum in force; columns: the new one, 0 to 4.
        let table = [
            [true, true, true, true, true],
            [true, true, true, true, false],
            [true, true, true, false, false],
            [true, true, false, false, false],
            [true, false, false, false, false],
        ];
        for (maximum, row) in (0..).zip(table) {
            for (own, fits) in (0..).zip(row) {
                assert_eq!(restriction_fits(maximum, own), fits, "{maximum} {own}");
            }
        }
    }
}
