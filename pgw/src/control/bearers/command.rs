//! Commands: initial messages that a request of the gateway carries out, with the same sequence
//! number, or that a failure indication refuses (TS 29.274 §4.2.5).

use alloc::string::String;
use alloc::vec::Vec;

use heiiki_gtp::c::{
    BearerContextDeleted, BearerResourceCommand, BearerResourceFailureIndication, Cause,
    DeleteBearerCommand, DeleteBearerFailureIndication, FlowQos, Header, Message,
    ModifyBearerCommand, Reject, RequestHandle, ie_type,
};
use heiiki_gtp::tft::{BearerKind, Operation, PacketFilter, Parameter, Tft, TftFault};
use heiiki_types::{Ambr, Ebi, Now};

use super::{Ask, Bearer, Change, Origin, Qos, Request, template};
use crate::config::{BearerRule, BearerWhen, has_guaranteed_rate, numbered};
use crate::control::Control;
use crate::control::gtpc::request_name;
use crate::control::session::Live;
use crate::event::Event;

const fn reject(cause: Cause, ie: (u8, u8), why: &'static str) -> Reject {
    Reject {
        cause,
        ie: Some(ie),
        why,
    }
}

/// The faults of a UE's description of its filters.
fn aggregate(fault: TftFault) -> Reject {
    reject(
        fault.cause_of_aggregate(),
        (ie_type::TRAFFIC_AGGREGATE, 0),
        fault.why,
    )
}

const NOT_THE_UES: Reject = Reject::new(
    Cause::SERVICE_DENIED,
    "the UE may change only bearers that it has asked for",
);

impl Control {
    /// The session that a command is about.
    fn commanded(&self, header: Header, handle: RequestHandle) -> Result<Live, Reject> {
        let found = self.session_of(header, handle);
        let live = found.and_then(|(slot, id)| self.active(slot, id));
        let live = live.cloned().ok_or(Reject::new(
            Cause::CONTEXT_NOT_FOUND,
            "no session has this TEID",
        ))?;
        if self.config.protections.bar && self.bars.in_force(live.session.imsi).is_some() {
            return Err(Reject::new(Cause::SERVICE_DENIED, "the SIM is barred"));
        }
        if self.is_overloaded() || self.journal.has_failed() {
            let why = "too much waits for the disk";
            return Err(Reject::new(Cause::NO_RESOURCES_AVAILABLE, why));
        }
        Ok(live)
    }

    /// The SGW's TEID for the answer to a command, zero when the session is not known
    /// (TS 29.274 §5.5.2).
    fn answer_to(&self, header: Header, handle: RequestHandle) -> u32 {
        let found = self.session_of(header, handle);
        let live = found.and_then(|(slot, id)| self.sessions.same(slot, id));
        live.map_or(0, |l| l.session.sgw_c.teid.get())
    }

    /// Modify Bearer Command, TS 29.274 §7.2.14.1: the subscription has changed. What the access
    /// point grants is the most that it can become.
    pub(in crate::control) fn modify_bearer_command(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        command: &ModifyBearerCommand,
    ) {
        let checked = self.commanded(header, handle).and_then(|live| {
            let ie = (ie_type::BEARER_CONTEXT, 0);
            let why = "the command is about the default bearer";
            match command.bearer_contexts.as_slice() {
                [bearer] if bearer.ebi == live.session.ebi => Ok((live, bearer.bearer_qos)),
                [_] => Err(reject(Cause::CONTEXT_NOT_FOUND, ie, why)),
                _ => Err(reject(Cause::MANDATORY_IE_INCORRECT, ie, why)),
            }
        });
        let (live, qos) = match checked {
            Ok(checked) => checked,
            Err(reject) => {
                let teid = self.answer_to(header, handle);
                self.refuse(now, handle, teid, &reject);
                return;
            }
        };
        let change = Change {
            ebi: live.session.ebi,
            qos: qos.map(|q| Qos {
                qci: q.qci,
                arp: q.arp,
                mbr: None,
                gbr: None,
            }),
            operation: None,
            template: None,
        };
        let ask = Ask::Update {
            ambr: Some(self.granted(&live, command.apn_ambr)),
            changes: alloc::vec![change],
        };
        let mut request = Request::new(&live, ask);
        request.command = Some(handle);
        self.ask_sgw(now, request);
    }

    /// Delete Bearer Command, TS 29.274 §7.2.17.1: the access has lost dedicated bearers.
    pub(in crate::control) fn delete_bearer_command(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        command: &DeleteBearerCommand,
    ) {
        let live = match self.commanded(header, handle) {
            Ok(live) => live,
            Err(reject) => {
                let teid = self.answer_to(header, handle);
                self.refuse(now, handle, teid, &reject);
                return;
            }
        };
        let session = &live.session;
        let named = command.bearer_contexts.iter().map(|c| c.ebi);
        let (known, unknown): (Vec<Ebi>, Vec<Ebi>) =
            named.partition(|ebi| session.bearers.iter().any(|b| b.ebi == *ebi));
        let cause = |ebi| {
            if ebi == session.ebi {
                // Only the whole connection ends with its default bearer.
                Cause::REQUEST_REJECTED
            } else {
                Cause::CONTEXT_NOT_FOUND
            }
        };
        let failed: Vec<(Ebi, Cause)> = unknown.iter().map(|e| (*e, cause(*e))).collect();
        if known.is_empty() {
            let overall = failed.first().map_or(Cause::CONTEXT_NOT_FOUND, |f| f.1);
            let mut indication = DeleteBearerFailureIndication::new(overall.into());
            let contexts = failed.iter().map(|(ebi, cause)| BearerContextDeleted {
                ebi: *ebi,
                cause: (*cause).into(),
            });
            indication.bearer_contexts = contexts.collect();
            let message = Message::DeleteBearerFailureIndication(indication);
            let why = "the session has no such dedicated bearer";
            self.fail(now, handle, &live, &message, &Reject::new(overall, why));
            return;
        }
        let (slot, id) = (session.slot, session.id);
        self.delete_bearers(now, slot, id, &known, |request| {
            request.command = Some(handle);
            if let Ask::Delete { failed: list, .. } = &mut request.ask {
                *list = failed;
            }
        });
    }

    /// Bearer Resource Command, TS 29.274 §7.2.5: a UE asks for a bearer, for other filters or
    /// rates of one, or for its release (TS 23.401 §5.4.5).
    pub(in crate::control) fn bearer_resource_command(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        command: &BearerResourceCommand,
    ) {
        let checked = self
            .commanded(header, handle)
            .and_then(|live| self.resource_wanted(&live, command).map(|w| (live, w)));
        let (live, wanted) = match checked {
            Ok(checked) => checked,
            Err(reject) => {
                self.refuse_resource(now, handle, header, command, &reject);
                return;
            }
        };
        let shape = |request: &mut Request| {
            request.command = Some(handle);
            request.pti = Some(command.pti);
        };
        match wanted {
            Wanted::New(rule) => {
                let Some(bearer) = self.new_bearer(now, &live, &rule, Origin::Ue, &[]) else {
                    let why = "the session has as many bearers as it can";
                    let reject = Reject::new(Cause::NO_RESOURCES_AVAILABLE, why);
                    self.refuse_resource(now, handle, header, command, &reject);
                    return;
                };
                let mut request = Request::new(&live, Ask::Create(alloc::vec![bearer]));
                shape(&mut request);
                self.ask_sgw(now, request);
            }
            Wanted::Changed(change) => {
                let ask = Ask::Update {
                    ambr: None,
                    changes: alloc::vec![change],
                };
                let mut request = Request::new(&live, ask);
                shape(&mut request);
                self.ask_sgw(now, request);
            }
            Wanted::Gone(ebi) => {
                let (slot, id) = (live.session.slot, live.session.id);
                self.delete_bearers(now, slot, id, &[ebi], shape);
            }
        }
    }

    fn refuse_resource(
        &mut self,
        now: Now,
        handle: RequestHandle,
        header: Header,
        command: &BearerResourceCommand,
        reject: &Reject,
    ) {
        let mut indication = BearerResourceFailureIndication::new(reject.cause_ie());
        indication.linked_ebi = Some(command.linked_ebi);
        indication.pti = Some(command.pti);
        let message = Message::BearerResourceFailureIndication(indication);
        let teid = self.answer_to(header, handle);
        self.endpoint.respond(now.at, handle, Some(teid), &message);
        self.refused(handle, None, reject);
    }

    /// Answers a command of a known session by its failure indication.
    fn fail(
        &mut self,
        now: Now,
        handle: RequestHandle,
        live: &Live,
        message: &Message,
        reject: &Reject,
    ) {
        let teid = Some(live.session.sgw_c.teid.get());
        self.endpoint.respond(now.at, handle, teid, message);
        self.refused(handle, Some(live.session.imsi), reject);
    }

    fn refused(&mut self, handle: RequestHandle, imsi: Option<heiiki_types::Imsi>, why: &Reject) {
        self.event(Event::RequestRefused {
            request: request_name(handle),
            imsi,
            peer: handle.remote.ip(),
            cause: why.cause.0,
            why: why.why,
        });
    }

    /// What a UE asks for, if it may.
    fn resource_wanted(
        &self,
        live: &Live,
        command: &BearerResourceCommand,
    ) -> Result<Wanted, Reject> {
        if command.linked_ebi != live.session.ebi {
            let why = "the session has another default bearer";
            return Err(reject(Cause::CONTEXT_NOT_FOUND, (ie_type::EBI, 0), why));
        }
        let access = self.network.access(live.access);
        let allowed = access.map_or(&[][..], |a| a.config.ue_bearers.as_slice());
        if allowed.is_empty() {
            let why = "UEs of this APN do not ask for bearers";
            return Err(Reject::new(Cause::SERVICE_DENIED, why));
        }
        if let Some(qos) = &command.flow_qos {
            if !allowed.contains(&qos.qci) {
                let why = "UEs of this APN do not get this class";
                return Err(reject(Cause::SERVICE_DENIED, (ie_type::FLOW_QOS, 0), why));
            }
            check_flow(qos, live.session.ambr)?;
        }
        let octets = command.traffic_aggregate.as_deref().unwrap_or_default();
        let tad = Tft::decode(octets).map_err(aggregate)?;
        match command.ebi {
            None => new_bearer(live, command.flow_qos.as_ref(), &tad),
            Some(ebi) => changed_bearer(live, ebi, command.flow_qos.as_ref(), &tad),
        }
    }
}

/// What a UE asks for.
enum Wanted {
    New(BearerRule),
    Changed(Change),
    Gone(Ebi),
}

/// The UE may not ask for more than its session may carry.
fn check_flow(qos: &FlowQos, ambr: Option<Ambr>) -> Result<(), Reject> {
    let ie = (ie_type::FLOW_QOS, 0);
    let guaranteed = qos.gbr_uplink_kbps > 0 || qos.gbr_downlink_kbps > 0;
    let is_above =
        qos.gbr_uplink_kbps > qos.mbr_uplink_kbps || qos.gbr_downlink_kbps > qos.mbr_downlink_kbps;
    if guaranteed != has_guaranteed_rate(qos.qci) || guaranteed && is_above {
        let why = "rates that do not fit the class";
        return Err(reject(Cause::MANDATORY_IE_INCORRECT, ie, why));
    }
    let exceeds = |ambr: Ambr| {
        qos.mbr_uplink_kbps.saturating_mul(1_000) > ambr.uplink_bps
            || qos.mbr_downlink_kbps.saturating_mul(1_000) > ambr.downlink_bps
    };
    if ambr.is_some_and(exceeds) {
        let why = "more than the session may carry";
        return Err(reject(Cause::NO_RESOURCES_AVAILABLE, ie, why));
    }
    Ok(())
}

fn rates(uplink_kbps: u64, downlink_kbps: u64) -> Option<Ambr> {
    (uplink_kbps > 0 || downlink_kbps > 0).then(|| Ambr {
        uplink_bps: uplink_kbps.saturating_mul(1_000),
        downlink_bps: downlink_kbps.saturating_mul(1_000),
    })
}

fn new_bearer(live: &Live, qos: Option<&FlowQos>, tad: &Tft) -> Result<Wanted, Reject> {
    let qos = qos.ok_or(reject(
        Cause::CONDITIONAL_IE_MISSING,
        (ie_type::FLOW_QOS, 0),
        "Flow Quality of Service (Flow QoS)",
    ))?;
    // Identifiers of a description are the UE's own business, and the gateway gives others.
    let others = Control::precedences(live, None);
    let filters = tad.operation.filters();
    let operation = match &tad.operation {
        Operation::CreateNew(_) => Operation::CreateNew(numbered(filters, &others)),
        other => other.clone(),
    };
    let applied = Tft::new(operation).apply(BearerKind::Dedicated, None, &others);
    Ok(Wanted::New(BearerRule {
        name: String::from("ue"),
        qci: qos.qci,
        arp: live.session.arp,
        mbr: rates(qos.mbr_uplink_kbps, qos.mbr_downlink_kbps),
        gbr: rates(qos.gbr_uplink_kbps, qos.gbr_downlink_kbps),
        filters: applied.map_err(aggregate)?,
        when: BearerWhen::Order,
    }))
}

fn changed_bearer(
    live: &Live,
    ebi: Ebi,
    qos: Option<&FlowQos>,
    tad: &Tft,
) -> Result<Wanted, Reject> {
    let bearer = live.session.bearers.iter().find(|b| b.ebi == ebi);
    let bearer = bearer.ok_or(reject(
        Cause::CONTEXT_NOT_FOUND,
        (ie_type::EBI, 1),
        "the session has no such dedicated bearer",
    ))?;
    if bearer.origin != Origin::Ue {
        return Err(NOT_THE_UES);
    }
    if matches!(
        tad.operation,
        Operation::CreateNew(_) | Operation::DeleteExisting | Operation::Ignore
    ) {
        let why = "not an operation on an existing bearer";
        let ie = (ie_type::TRAFFIC_AGGREGATE, 0);
        return Err(reject(Cause::SEMANTIC_ERROR_IN_THE_TAD_OPERATION, ie, why));
    }
    let has = bearer.filters();
    let named = named_filters(tad);
    if named
        .iter()
        .any(|i| !has.iter().any(|f| f.identifier == *i))
    {
        let why = "a filter that the bearer does not have";
        let ie = (ie_type::TRAFFIC_AGGREGATE, 0);
        return Err(reject(Cause::SYNTACTIC_ERROR_IN_THE_TAD_OPERATION, ie, why));
    }
    let others = Control::precedences(live, Some(ebi));
    let tad = with_free_identifiers(tad, &has);
    let filters = tad
        .apply(BearerKind::Dedicated, Some(&has), &others)
        .map_err(aggregate)?;
    if filters.is_empty() {
        return Ok(Wanted::Gone(ebi));
    }
    let is_changed = filters != has;
    Ok(Wanted::Changed(Change {
        ebi,
        qos: qos.map(|q| changed_qos(bearer, q)),
        operation: is_changed.then(|| Tft::new(tad.operation.clone()).encode()),
        template: is_changed.then(|| template(&filters)),
    }))
}

fn changed_qos(bearer: &Bearer, qos: &FlowQos) -> Qos {
    Qos {
        qci: qos.qci,
        arp: bearer.qos.arp,
        mbr: rates(qos.mbr_uplink_kbps, qos.mbr_downlink_kbps),
        gbr: rates(qos.gbr_uplink_kbps, qos.gbr_downlink_kbps),
    }
}

fn named_filters(tad: &Tft) -> Vec<u8> {
    let lists = tad.parameters.iter().filter_map(|p| match p {
        Parameter::PacketFilterIdentifiers(list) => Some(list.as_slice()),
        _ => None,
    });
    lists.flatten().copied().collect()
}

/// Filters that a UE adds get identifiers that the bearer does not have.
fn with_free_identifiers(tad: &Tft, has: &[PacketFilter]) -> Tft {
    let Operation::Add(new) = &tad.operation else {
        return tad.clone();
    };
    let free = (0..16).filter(|i| !has.iter().any(|f| f.identifier == *i));
    let new = new
        .iter()
        .zip(free)
        .map(|(filter, identifier)| PacketFilter {
            identifier,
            ..filter.clone()
        });
    Tft::new(Operation::Add(new.collect()))
}
