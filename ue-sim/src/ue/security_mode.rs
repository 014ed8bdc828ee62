//! The security mode control procedure, TS 24.301 §5.4.3.

use alloc::boxed::Box;

use heiiki_nas::security::{Eea, Eia, NasSecurityContext, SecurityHeader, plain_of_protected};
use heiiki_nas::{Direction, Plain, UeSecurityCapability, decode_plain, emm, kdf};

use super::{Context, EmmState, Ue};
use crate::event::Event;
use crate::timers::Timer;

impl Ue {
    /// A PDU that announces a new context. It is not ciphered, and names the keys and algorithms of
    /// its own protection.
    pub(super) fn security_mode(&mut self, cx: &mut Context<'_>, pdu: &[u8]) {
        let plain = plain_of_protected(pdu).unwrap_or_default();
        let decoded = decode_plain(plain, Direction::Downlink);
        let Ok(Plain::Emm(emm::Message::SecurityModeCommand(command))) = decoded else {
            return cx.dropped("not a SECURITY MODE COMMAND");
        };
        if self.state == EmmState::Deregistered {
            return cx.dropped("unexpected message");
        }
        match self.check(pdu, &command) {
            Ok(context) => self.take_into_use(cx, context, &command),
            Err(cause) => {
                cx.event(Event::SecurityModeRejected { cause: cause.0 });
                let reject = emm::SecurityModeReject { cause };
                self.send(cx, &emm::Message::SecurityModeReject(reject));
            }
        }
    }

    /// §5.4.3.3: the algorithms, the MAC and the replayed capabilities. Returns the context that
    /// the command takes into use.
    fn check(
        &self,
        pdu: &[u8],
        command: &emm::SecurityModeCommand,
    ) -> Result<NasSecurityContext, emm::EmmCause> {
        let mismatch = emm::EmmCause::SECURITY_CAPABILITIES_MISMATCH;
        let unspecified = emm::EmmCause::SECURITY_MODE_REJECTED;
        let own = self.capability();
        // EIA0 has no value here: it is refused with the algorithms that do not exist.
        let eia = Eia::from_id(command.eia).filter(|a| own.supports_eia(*a));
        let eea = Eea::from_id(command.eea).filter(|a| own.supports_eea(*a));
        let (eia, eea) = eia.zip(eea).ok_or(mismatch)?;
        let partial = self.partial.as_ref().filter(|p| p.ksi == command.ksi);
        let current = self.context.as_ref().filter(|c| {
            // New algorithms for an old KASME are not among the things our networks do.
            c.ksi() == command.ksi && (c.eea(), c.eia()) == (eea, eia)
        });
        let mut context = match (partial, current) {
            (Some(p), _) => NasSecurityContext::new(&p.kasme, eea, eia, p.ksi),
            (None, Some(current)) => (**current).clone(),
            (None, None) => return Err(unspecified),
        };
        context
            .unprotect(Direction::Downlink, pdu)
            .map_err(|_| unspecified)?;
        if command.replayed_capability != UeSecurityCapability::of(&own, None) {
            return Err(mismatch);
        }
        Ok(context)
    }

    fn take_into_use(
        &mut self,
        cx: &mut Context<'_>,
        context: NasSecurityContext,
        command: &emm::SecurityModeCommand,
    ) {
        let (eea, eia) = (context.eea().id(), context.eia().id());
        self.context = Some(Box::new(context));
        self.partial = None;
        self.challenge = None;
        self.refused_challenges = 0;
        self.timers.stop(Timer::T3416);
        self.secure = true;
        let altered = command
            .hash_mme
            .is_some_and(|hash| hash != kdf::hash_mme(&self.request));
        let complete = emm::SecurityModeComplete {
            imeisv: command.imeisv_request.then(|| self.imeisv()).flatten(),
            replayed_nas: altered.then(|| self.request.clone()),
        };
        let plain = emm::Message::SecurityModeComplete(complete).encode();
        self.send_with(cx, SecurityHeader::IntegrityCipheredNewContext, &plain);
        cx.event(Event::SecurityModeCompleted { eea, eia });
    }
}
