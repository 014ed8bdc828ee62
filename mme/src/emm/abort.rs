//! How an attach ends without success, TS 24.301 §5.5.1.2.5 and §5.5.1.2.7.

use heiiki_nas::emm::{self, AttachReject, EmmCause};
use heiiki_nas::esm::{self, EsmCause, PdnConnectivityReject};
use heiiki_nas::ie::GprsTimer2;

use super::{Emm, UeId};
use crate::event::{DetachReason, Event};
use crate::node::Mme;
use crate::result_table::{BackOff, Refusal};
use crate::s1::ReleaseCause;

impl Mme {
    /// The message of a refusal, with T3346 as the UE will read it, in seconds.
    pub(crate) fn attach_reject(&mut self, refusal: Refusal) -> (AttachReject, Option<u64>) {
        let mut reject = AttachReject::new(refusal.cause);
        if refusal.cause == EmmCause::CONGESTION {
            reject.t3346 = refusal
                .back_off
                .draw(&mut self.rng)
                .map(GprsTimer2::from_duration);
        }
        let seconds = reject
            .t3346
            .and_then(GprsTimer2::duration)
            .map(|d| d.as_secs());
        (reject, seconds)
    }

    /// Refuses the attach with a cause alone.
    pub(crate) fn reject(&mut self, id: UeId, cause: EmmCause) {
        self.refuse(
            id,
            Refusal {
                cause,
                back_off: BackOff::None,
            },
        );
    }

    /// Refuses the attach: protected when security is on, as the UE believes for good only then
    /// (TS 24.301 §5.3.7b).
    pub(crate) fn refuse(&mut self, id: UeId, refusal: Refusal) {
        let (reject, seconds) = self.attach_reject(refusal);
        self.finish_reject(id, reject, None, seconds);
    }

    /// Refuses the attach because of its PDN connection: cause 19 around a PDN CONNECTIVITY REJECT.
    pub(crate) fn reject_esm(&mut self, id: UeId, cause: EsmCause) {
        let pti = self
            .ues
            .get(&id)
            .and_then(|ue| ue.attach())
            .map_or(0, |a| a.esm.pti);
        let body = esm::Body::PdnConnectivityReject(PdnConnectivityReject::new(cause));
        let mut reject = AttachReject::new(EmmCause::ESM_FAILURE);
        reject.esm_container = Some(esm::Message { ebi: 0, pti, body }.encode());
        self.finish_reject(id, reject, Some(cause), None);
    }

    fn finish_reject(
        &mut self,
        id: UeId,
        reject: AttachReject,
        esm_cause: Option<EsmCause>,
        back_off_s: Option<u64>,
    ) {
        let Some(ue) = self.ues.get(&id) else { return };
        let (imsi, protected, cause) = (ue.imsi, ue.secure, reject.cause.0);
        // The gateway first: nothing is forwarded for a UE that is being sent away.
        self.close_session(id, true);
        self.send(id, &emm::Message::AttachReject(reject));
        self.event(Event::AttachRejected {
            imsi,
            cause,
            esm_cause: esm_cause.map(|c| c.0),
            protected,
            back_off_s,
        });
        self.end_attempt(id, ReleaseCause::NormalRelease);
    }

    /// Ends an attempt: its connection, its session and the attempt itself.
    pub(crate) fn end_attempt(&mut self, id: UeId, cause: ReleaseCause) {
        self.close_session(id, true);
        if let Some(link) = self.unlink(id) {
            self.release_command(link, id, cause);
        }
        self.remove_ue(id);
    }

    /// Gives an attach up without telling the UE.
    pub(crate) fn abort_attach(&mut self, id: UeId, why: &'static str) {
        let imsi = self.ues.get(&id).and_then(|ue| ue.imsi);
        self.event(Event::AttachAborted { imsi, why });
        self.end_attempt(id, ReleaseCause::Unspecified);
    }

    /// Ends whatever a UE has, without a NAS message. The caller forgets or keeps the rest.
    pub(crate) fn end_locally(&mut self, id: UeId, reason: DetachReason, cause: ReleaseCause) {
        self.close_session(id, true);
        self.stop_timer(id);
        if let Some(link) = self.unlink(id) {
            self.release_command(link, id, cause);
        }
        let Some(ue) = self.ues.get(&id) else { return };
        let (imsi, attaching) = (ue.imsi, matches!(ue.emm, Emm::Attaching(_)));
        match imsi {
            _ if matches!(ue.emm, Emm::Deregistered) => {}
            imsi if attaching => self.event(Event::AttachAborted {
                imsi,
                why: "ended by another procedure",
            }),
            Some(imsi) => self.event(Event::Detached {
                imsi,
                reason,
                confirmed: false,
            }),
            None => {}
        }
    }
}
