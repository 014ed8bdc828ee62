//! S6a at the HSS: requests of MMEs, and cancellations to them. TS 29.272 §5.2.
//!
//! Results are those of the design's table: the HSS chooses the result, the MME the cause that the
//! UE is told.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    AuthenticationInformationRequest, NotifyRequest, PurgeUeRequest, SupportedFeatures,
    UpdateLocationRequest, feature_list_1,
};
use heiiki_diameter::s13::IdentityCheckRequest;
use heiiki_diameter::{
    AnswerError, AnswerResult, CommandCode, Message, RequestHandle, ResultCode, error_answer, s6a,
};
use heiiki_types::{ConnId, Imsi, Instant, Now, PlmnId};

use crate::config::{RefuseAt, SuspendedAnswer};
use crate::event::{Event, Resynchronisation};
use crate::node::Hss;
use crate::subscriber::{Location, RowIx, State, Subscriber};

mod authentication_information;
pub(crate) mod cancel_location;
pub(crate) mod errands;
mod notify;
pub(crate) mod peers;
mod purge_ue;
mod rate;
mod reset;
mod subscription;
mod update_location;

use peers::{Objection, Origin};

/// A request that has not been answered yet, and what its answer needs.
#[derive(Debug)]
pub(crate) struct Ask {
    handle: RequestHandle,
    /// The peer of the connection: the way back to the origin.
    via: Arc<str>,
    /// Whether the origin may name the visited network.
    visited_allowed: bool,
}

/// A request that waits for the disk.
pub(crate) enum Waiting {
    /// The SIM's mark is too far behind.
    AuthenticationInformation {
        ask: Ask,
        request: Box<AuthenticationInformationRequest>,
        resynchronisation: Option<Resynchronisation>,
    },
    /// The location, or the state, is not durable yet.
    UpdateLocation {
        ask: Ask,
        request: Box<UpdateLocationRequest>,
        ix: RowIx,
        /// The state before.
        state: State,
        /// Who served the SIM before.
        previous: Option<Location>,
        /// The cancellation at the MME that it moves away from.
        moved: Option<u64>,
    },
}

impl Waiting {
    /// The SIM of a location update.
    pub(crate) fn updating(&self) -> Option<Imsi> {
        match self {
            Self::UpdateLocation { request, .. } => Some(request.imsi),
            Self::AuthenticationInformation { .. } => None,
        }
    }
}

/// Who sent a request and where it is to go, as every request of S6a has it.
struct Addresses<'a> {
    origin: Origin<'a>,
    destination_host: Option<&'a str>,
    destination_realm: &'a str,
    /// The network that it names, if it names one.
    visited: Option<PlmnId>,
}

/// The features of TS 29.272 §7.3.10 that this HSS has: what a SIM is barred from it also refuses
/// itself, so that no MME has to know of it.
pub(crate) const FEATURES: u32 =
    feature_list_1::ODB_ALL_APN | feature_list_1::ODB_HPLMN_APN | feature_list_1::ODB_VPLMN_APN;

/// What an answer says about features: nothing, unless the request did.
pub(crate) fn features_for(asked: &[SupportedFeatures]) -> Vec<SupportedFeatures> {
    match asked {
        [] => Vec::new(),
        _ => Vec::from([SupportedFeatures::list_1(FEATURES)]),
    }
}

macro_rules! addresses {
    ($request:expr, $visited:expr) => {
        Addresses {
            origin: Origin {
                host: &$request.origin_host,
                realm: &$request.origin_realm,
                route_record: &$request.route_record,
            },
            destination_host: $request.destination_host.as_deref(),
            destination_realm: &$request.destination_realm,
            visited: $visited,
        }
    };
}

impl Hss {
    /// A request of a peer.
    pub(crate) fn handle_request(
        &mut self,
        now: Now,
        (conn, peer): (ConnId, Arc<str>),
        handle: RequestHandle,
        message: &Message,
    ) {
        if !self.peers.takes_request(&self.config.peers, conn, now.at) {
            let (host, realm) = (&self.config.origin_host, &self.config.origin_realm);
            let answer = error_answer(message, host, realm, &ResultCode::TOO_BUSY.into());
            self.send_answer(now, handle, answer);
            self.tell_throttled(now.at);
            return;
        }
        let done = match message.command {
            CommandCode::AUTHENTICATION_INFORMATION => {
                AuthenticationInformationRequest::from_checked(message).and_then(|request| {
                    let addresses = addresses!(request, Some(request.visited_plmn));
                    let ask = self.admit(now, (conn, peer), handle, &addresses)?;
                    self.authentication_information(now, ask, &request, None);
                    Ok(())
                })
            }
            CommandCode::UPDATE_LOCATION => {
                UpdateLocationRequest::from_message(message).and_then(|request| {
                    let addresses = addresses!(request, Some(request.visited_plmn));
                    let ask = self.admit(now, (conn, peer), handle, &addresses)?;
                    self.update_location(now, ask, Box::new(request));
                    Ok(())
                })
            }
            CommandCode::PURGE_UE => PurgeUeRequest::from_message(message).and_then(|request| {
                let addresses = addresses!(request, None);
                let ask = self.admit(now, (conn, peer), handle, &addresses)?;
                self.purge_ue(now, &ask, &request);
                Ok(())
            }),
            CommandCode::NOTIFY => NotifyRequest::from_message(message).and_then(|request| {
                let addresses = addresses!(request, None);
                let ask = self.admit(now, (conn, peer), handle, &addresses)?;
                self.notify(now, &ask, &request);
                Ok(())
            }),
            CommandCode::ME_IDENTITY_CHECK => {
                IdentityCheckRequest::from_message(message).and_then(|request| {
                    let addresses = addresses!(request, None);
                    let ask = self.admit(now, (conn, peer), handle, &addresses)?;
                    self.check_equipment(now, &ask, &request);
                    Ok(())
                })
            }
            _ => Err(ResultCode::COMMAND_UNSUPPORTED.into()),
        };
        if let Err(error) = done {
            let answer = error_answer(
                message,
                &self.config.origin_host,
                &self.config.origin_realm,
                &error,
            );
            self.send_answer(now, handle, answer);
        }
    }

    /// Answers a request that cannot be decided for want of the store, or of room.
    pub(crate) fn refuse_without_store(
        &mut self,
        now: Now,
        handle: RequestHandle,
        message: &Message,
        away: bool,
    ) {
        let (host, realm) = (&self.config.origin_host, &self.config.origin_realm);
        let result = if away {
            ResultCode::UNABLE_TO_COMPLY
        } else {
            ResultCode::TOO_BUSY
        };
        match AuthenticationInformationRequest::from_checked(message) {
            // An MME tries again: nothing is wrong with the SIM.
            Ok(request) if away => {
                let result = s6a::AUTHENTICATION_DATA_UNAVAILABLE;
                self.send_vectors(now, handle, &request, result, Vec::new());
            }
            _ => {
                let answer = error_answer(message, host, realm, &result.into());
                self.send_answer(now, handle, answer);
            }
        }
    }

    /// Checks both identities of a request, and that it is for this HSS.
    fn admit(
        &mut self,
        now: Now,
        (conn, peer): (ConnId, Arc<str>),
        handle: RequestHandle,
        addresses: &Addresses<'_>,
    ) -> Result<Ask, AnswerError> {
        let for_us = |name: &str, own: &str| name.eq_ignore_ascii_case(own);
        let verdict = if !for_us(addresses.destination_realm, &self.config.origin_realm) {
            Err((ResultCode::REALM_NOT_SERVED, "it is for another realm"))
        } else if !addresses
            .destination_host
            .is_none_or(|host| for_us(host, &self.config.origin_host))
        {
            Err((ResultCode::UNABLE_TO_DELIVER, "it is for another host"))
        } else {
            let rules = &self.config.peers;
            match self.peers.authorise(rules, conn, addresses.origin, now.at) {
                Ok(plmns) => Ok(plmns),
                Err(Objection::NotAuthorised(why)) => {
                    Err((ResultCode::AUTHORIZATION_REJECTED, why))
                }
                Err(Objection::TooMany) => {
                    self.tell_throttled(now.at);
                    return Err(ResultCode::TOO_BUSY.into());
                }
            }
        };
        match verdict {
            Ok(plmns) => Ok(Ask {
                handle,
                via: peer,
                visited_allowed: addresses.visited.is_none_or(|plmn| plmns.contains(&plmn)),
            }),
            Err((result, why)) => {
                self.tell(Event::RequestRefused {
                    peer: String::from(&*peer),
                    origin: String::from(addresses.origin.host),
                    why,
                });
                Err(result.into())
            }
        }
    }

    /// Tells which peers have sent more than they may, if it is time to.
    pub(crate) fn tell_throttled(&mut self, now: Instant) {
        if self.peers.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        for throttled in self.peers.throttled(now) {
            self.tell(Event::RequestsThrottled {
                peer: throttled.peer,
                origin: throttled.origin,
                requests: throttled.requests,
            });
        }
    }

    /// Sends an answer on its way.
    pub(crate) fn answer(&mut self, now: Now, ask: &Ask, message: Message) {
        self.send_answer(now, ask.handle, message);
    }

    /// The state by which a SIM is answered: with the check off, every SIM is served.
    fn standing_of(&self, subscriber: &Subscriber) -> State {
        if self.config.protections.sim_state {
            subscriber.state
        } else {
            State::Active
        }
    }

    /// Why a SIM gets no vectors, if its state says so.
    fn refusal_at_air(&self, subscriber: &Subscriber) -> Option<AnswerResult> {
        let rule = self.subscribers.tenant_rule(subscriber.tenant);
        match self.standing_of(subscriber) {
            State::Terminated => Some(s6a::USER_UNKNOWN),
            State::Suspended if rule.refuse_at == RefuseAt::Air => Some(s6a::USER_UNKNOWN),
            State::Inactive if rule.refuse_at == RefuseAt::Air => {
                Some(ResultCode::UNABLE_TO_COMPLY.into())
            }
            _ => None,
        }
    }

    /// Why a SIM's location update is refused, if its state says so, with Error-Diagnostic.
    fn refusal_at_ulr(&self, subscriber: &Subscriber) -> Option<(AnswerResult, Option<u32>)> {
        let rule = self.subscribers.tenant_rule(subscriber.tenant);
        match self.standing_of(subscriber) {
            State::Ready | State::Standby | State::Active => None,
            State::Inactive => Some((ResultCode::UNABLE_TO_COMPLY.into(), None)),
            State::Suspended if rule.suspended_answer == SuspendedAnswer::RoamingNotAllowed => {
                let diagnostic = s6a::error_diagnostic::ODB_ALL_APN;
                Some((s6a::ROAMING_NOT_ALLOWED, Some(diagnostic)))
            }
            State::Suspended | State::Terminated => Some((s6a::USER_UNKNOWN, None)),
        }
    }

    /// Something that waited for the disk can go on.
    pub(crate) fn go_on(&mut self, now: Now, waiting: Waiting) {
        match waiting {
            Waiting::AuthenticationInformation {
                ask,
                request,
                resynchronisation,
            } => self.authentication_information(now, ask, &request.borrowed(), resynchronisation),
            Waiting::UpdateLocation {
                ask,
                request,
                ix,
                state,
                previous,
                moved,
            } => self.location_is_durable(now, &ask, &request, (ix, state), (previous, moved)),
        }
    }

    /// The disk failed under something that waited for it.
    pub(crate) fn give_up(&mut self, now: Now, waiting: Waiting) {
        match waiting {
            Waiting::AuthenticationInformation {
                ask,
                request,
                resynchronisation,
            } => self.answer_without_vectors(
                now,
                &ask,
                &request.borrowed(),
                s6a::AUTHENTICATION_DATA_UNAVAILABLE,
                resynchronisation,
            ),
            Waiting::UpdateLocation {
                ask,
                request,
                ix,
                state: _,
                previous,
                moved,
            } => self.location_is_lost(now, &ask, &request, ix, (previous, moved)),
        }
    }
}
