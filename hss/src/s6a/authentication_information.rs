//! Authentication information, TS 29.272 §5.2.3.1: vectors for an MME.

use alloc::boxed::Box;
use alloc::vec::Vec;

use heiiki_diameter::s6a::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, EutranVector,
    UNKNOWN_EPS_SUBSCRIPTION, USER_UNKNOWN, Xres,
};
use heiiki_diameter::{AnswerResult, RequestHandle, ResultCode, s6a};
use heiiki_types::{Now, PlmnId};

use super::{Ask, Waiting};
use crate::auc::auts;
use crate::auc::sqn::{NoSqn, Resync};
use crate::auc::vector::EpsVector;
use crate::event::{Answered, Event, Resynchronisation};
use crate::node::Hss;
use crate::shared::held_answers;
use crate::storage::Deferred;
use crate::subscriber::RowIx;

/// Why there are no vectors.
enum NoVectors {
    /// The answer says so.
    Refused(AnswerResult),
    /// A mark has to become durable first.
    MarkBehind,
}

impl From<AnswerResult> for NoVectors {
    fn from(result: AnswerResult) -> Self {
        Self::Refused(result)
    }
}

/// A request, where it lies.
type Request<'a> = AuthenticationInformationRequest<&'a str>;

impl Hss {
    /// Answers a request, or lets it wait for the disk. `done` is what the request's AUTS did
    /// before it had to wait.
    pub(super) fn authentication_information(
        &mut self,
        now: Now,
        ask: Ask,
        request: &Request<'_>,
        done: Option<Resynchronisation>,
    ) {
        let mut resynchronisation = done;
        let ix = self.subscribers.find(request.imsi);
        match (self.vectors(&ask, ix, request, &mut resynchronisation), ix) {
            (Ok(vectors), _) => {
                let result = AnswerResult::SUCCESS;
                self.tell_answer(request, ix, result, vectors.len(), resynchronisation);
                self.send_vectors(now, ask.handle, request, result, vectors);
            }
            (Err(NoVectors::Refused(result)), _) => {
                self.answer_without_vectors(now, &ask, request, result, resynchronisation);
            }
            (Err(NoVectors::MarkBehind), None) => {}
            (Err(NoVectors::MarkBehind), Some(ix)) => {
                if self.journal.is_stuck() {
                    let result = s6a::AUTHENTICATION_DATA_UNAVAILABLE;
                    self.answer_without_vectors(now, &ask, request, result, resynchronisation);
                    return;
                }
                if self.is_full() {
                    let busy = ResultCode::TOO_BUSY.into();
                    self.answer_without_vectors(now, &ask, request, busy, resynchronisation);
                    return;
                }
                let seq = self.write_mark(now, ix);
                let waiting = Waiting::AuthenticationInformation {
                    ask,
                    request: Box::new(request.owned()),
                    resynchronisation,
                };
                self.wait_for(now, seq, Deferred::Answer(waiting));
            }
        }
    }

    /// Answers with a result and nothing else.
    pub(super) fn answer_without_vectors(
        &mut self,
        now: Now,
        ask: &Ask,
        request: &Request<'_>,
        result: AnswerResult,
        resynchronisation: Option<Resynchronisation>,
    ) {
        let ix = self.subscribers.find(request.imsi);
        self.tell_answer(request, ix, result, 0, resynchronisation);
        self.send_vectors(now, ask.handle, request, result, Vec::new());
    }

    fn vectors(
        &mut self,
        ask: &Ask,
        ix: Option<RowIx>,
        request: &Request<'_>,
        resynchronisation: &mut Option<Resynchronisation>,
    ) -> Result<Vec<EutranVector>, NoVectors> {
        let ix = ix.ok_or(USER_UNKNOWN)?;
        let subscriber = self.subscribers.get(ix).ok_or(USER_UNKNOWN)?;
        if let Some(result) = self.refusal_at_air(subscriber) {
            self.saw_refusal(request.imsi);
            return Err(result.into());
        }
        if !self.subscribers.has_apns(subscriber) {
            return Err(UNKNOWN_EPS_SUBSCRIPTION.into());
        }
        if !ask.visited_allowed {
            return Err(AnswerResult::from(ResultCode::AUTHORIZATION_REJECTED).into());
        }
        let utran_auts = request.requested_utran.as_ref().and_then(|r| r.resync);
        let Some(eutran) = &request.requested_eutran else {
            // This AuC makes vectors for E-UTRAN only.
            let result = match &request.requested_utran {
                Some(_) => s6a::AUTHENTICATION_DATA_UNAVAILABLE,
                None => ResultCode::UNABLE_TO_COMPLY.into(),
            };
            return Err(result.into());
        };
        if eutran.resync.is_some() && utran_auts.is_some() {
            // Two resynchronisations contradict each other (TS 29.272 §7.2.5).
            return Err(AnswerResult::from(ResultCode::UNABLE_TO_COMPLY).into());
        }
        if let (Some(info), None) = (&eutran.resync, &resynchronisation) {
            let done = self.resynchronise(ix, info);
            *resynchronisation = Some(done);
            if matches!(
                done,
                Resynchronisation::Forged | Resynchronisation::BeyondDelta { .. }
            ) {
                return Err(s6a::AUTHENTICATION_DATA_UNAVAILABLE.into());
            }
        }
        let count = eutran.vectors.clamp(1, self.config.vectors.max(1));
        let at_once = eutran.immediate_response_preferred;
        self.make_vectors(ix, (count, at_once), request.visited_plmn)
    }

    /// Opens Re-Synchronization-Info, RAND || AUTS (TS 29.272 §7.3.15).
    fn resynchronise(&mut self, ix: RowIx, info: &[u8; 30]) -> Resynchronisation {
        let check = self.config.protections.auts_check;
        let (Some((rand, rest)), Some(subscriber)) =
            (info.split_first_chunk::<16>(), self.subscribers.get_mut(ix))
        else {
            return Resynchronisation::Forged;
        };
        let Some(token) = rest.first_chunk::<14>() else {
            return Resynchronisation::Forged;
        };
        let Ok(sim) = subscriber.milenage(&self.vault) else {
            return Resynchronisation::Forged;
        };
        let usim = match auts::open(&sim, rand, token) {
            Ok(sqn) => sqn,
            Err(auts::Forged) if check => return Resynchronisation::Forged,
            Err(auts::Forged) => auts::open_unchecked(&sim, rand, token),
        };
        let imsi = subscriber.imsi;
        let resync = subscriber.counter.resynchronise(usim);
        if !matches!(resync, Resync::BeyondDelta { .. }) {
            // Every front end has to be above it before its next vector.
            self.raise_floor(imsi, usim.seq());
        }
        match resync {
            Resync::Raised { from, to } => Resynchronisation::Raised { from, to },
            Resync::Unchanged => Resynchronisation::Unchanged,
            Resync::BeyondDelta { home, usim } => Resynchronisation::BeyondDelta { home, usim },
        }
    }

    fn make_vectors(
        &mut self,
        ix: RowIx,
        (count, at_once): (u32, bool),
        visited: PlmnId,
    ) -> Result<Vec<EutranVector>, NoVectors> {
        let inds = self.config.inds;
        let subscriber = self.subscribers.get_mut(ix).ok_or(USER_UNKNOWN)?;
        let no_vectors = |why| match why {
            NoSqn::MarkBehind => NoVectors::MarkBehind,
            NoSqn::Exhausted => NoVectors::Refused(s6a::AUTHENTICATION_DATA_UNAVAILABLE),
        };
        // A request that has to wait takes no number. One that needs its first vector at once gets
        // as many as there are without waiting (TS 29.272 §7.3.16).
        let enough = |n: u32| subscriber.counter.check(u64::from(n));
        let fewer = || (1..count).rev().find(|n| at_once && enough(*n).is_ok());
        let count = match enough(count) {
            Ok(()) => count,
            Err(why) => fewer().ok_or_else(|| no_vectors(why))?,
        };
        let Ok(sim) = subscriber.milenage(&self.vault) else {
            let imsi = subscriber.imsi;
            self.tell(Event::SecretsUnreadable { imsi });
            return Err(s6a::AUTHENTICATION_DATA_UNAVAILABLE.into());
        };
        let mut vectors = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        for item in 1..=count {
            let sqn = subscriber.counter.issue(inds).map_err(no_vectors)?;
            let rand = self.rng.octets();
            let vector = EpsVector::new(&sim, rand, sqn, subscriber.amf, visited);
            let item = (count > 1).then_some(item);
            vectors.push(eutran_vector(item, vector).ok_or(s6a::AUTHENTICATION_DATA_UNAVAILABLE)?);
        }
        if subscriber.counter.wants_mark() {
            self.mark_is_due(ix);
        }
        Ok(vectors)
    }

    /// Sends an answer on its way, or keeps it until what it depends on is durable.
    pub(super) fn send_vectors(
        &mut self,
        now: Now,
        handle: RequestHandle,
        request: &Request<'_>,
        result: AnswerResult,
        vectors: Vec<EutranVector>,
    ) {
        let answer = AuthenticationInformationAnswer {
            session_id: request.session_id,
            result,
            origin_host: &*self.config.origin_host,
            origin_realm: &*self.config.origin_realm,
            error_diagnostic: (result == UNKNOWN_EPS_SUBSCRIPTION)
                .then_some(s6a::error_diagnostic::NO_GPRS_DATA_SUBSCRIBED),
            vectors,
            supported_features: super::features_for(&request.supported_features),
            failed_avp: Vec::new(),
        };
        if let Some(held) = held_answers(self.shared.as_deref_mut()) {
            held.push((handle, answer.to_message()));
            return;
        }
        // Straight to octets: nothing is put together only to be taken apart.
        let error = answer.is_error();
        self.endpoint
            .send_avps(now.at, handle, error, |out| answer.write(out));
    }

    fn tell_answer(
        &mut self,
        request: &Request<'_>,
        ix: Option<RowIx>,
        result: AnswerResult,
        vectors: usize,
        resynchronisation: Option<Resynchronisation>,
    ) {
        let subscriber = ix.and_then(|ix| self.subscribers.get(ix));
        self.tell(Event::AuthenticationInformation {
            imsi: request.imsi,
            host: request.origin_host.into(),
            visited: request.visited_plmn,
            state: subscriber.map(|s| s.state),
            result: Answered(result),
            vectors: u32::try_from(vectors).unwrap_or(u32::MAX),
            resynchronisation,
        });
    }
}

fn eutran_vector(item: Option<u32>, vector: EpsVector) -> Option<EutranVector> {
    Some(EutranVector {
        item,
        rand: vector.rand,
        xres: Xres::new(vector.xres.expose()).ok()?,
        autn: vector.autn,
        kasme: vector.kasme,
    })
}
