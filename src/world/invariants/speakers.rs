//! Invariant 8: what a UE says changes no context but its own, unless it proves to be the other.
//!
//! The lab knows which card is in the UE that speaks, so a claimed identity deceives only the MME.

use heiiki_mme::{ContextSnapshot, Event, Mme};
use heiiki_nas::emm::{self, Message};
use heiiki_nas::security::{self, SecurityHeader};
use heiiki_nas::{Direction, EpsMobileIdentity, MobileIdentity};
use heiiki_types::{Guti, Imsi};
use std::collections::{BTreeMap, BTreeSet};

use super::{Violation, broken};

/// Who speaks to the MME.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    /// The SIM in the UE whose message is being handled.
    speaker: Option<Imsi>,
    /// The UE that the message claims to be of, and its context before.
    claimed: Option<(Imsi, ContextSnapshot)>,
    gutis: BTreeMap<Guti, Imsi>,
}

impl Speakers {
    /// A message of the UE with this SIM is about to be handled.
    pub(super) fn speaks(
        &mut self,
        speaker: Imsi,
        message: &heiiki_mme::s1::Message,
        context: impl Fn(Imsi) -> Option<ContextSnapshot>,
    ) {
        // The UE's own context is where a GUTI is read from: none of the MME's answers is.
        if let Some(guti) = context(speaker).and_then(|c| c.guti) {
            self.gutis.insert(guti, speaker);
        }
        self.speaker = Some(speaker);
        self.claimed = message
            .nas()
            .and_then(|nas| self.claim(nas))
            .filter(|victim| *victim != speaker)
            .and_then(|victim| Some((victim, context(victim)?)));
    }

    /// Whose message a NAS PDU claims to be.
    fn claim(&self, nas: &[u8]) -> Option<Imsi> {
        let header = security::peek_header(nas).ok()?.security_header;
        let plain = match header {
            SecurityHeader::Plain => nas,
            _ => security::plain_of_protected(nas)?,
        };
        let identity = match emm::decode(plain, Direction::Uplink).ok()? {
            Message::AttachRequest(m) => m.identity,
            Message::DetachRequestFromUe(m) => m.identity,
            Message::IdentityResponse(m) => match m.identity {
                MobileIdentity::Imsi(imsi) => return Some(imsi),
                _ => return None,
            },
            _ => return None,
        };
        match identity {
            EpsMobileIdentity::Imsi(imsi) => Some(imsi),
            EpsMobileIdentity::Guti(guti) => self.gutis.get(&guti).copied(),
            EpsMobileIdentity::Imei(_) => None,
        }
    }

    /// Something happened at the MME: while a UE speaks, nothing of another UE changes.
    pub(super) fn event(&self, event: &Event) -> Option<Violation> {
        let speaker = self.speaker?;
        let (imsi, what) = match event {
            Event::Authenticated { imsi } => (imsi, "is authenticated"),
            Event::SecurityActivated { imsi, .. } => (imsi, "gets a security context"),
            Event::Attached { imsi, .. } => (imsi, "is attached"),
            Event::DetachRequested { imsi, .. } => (imsi, "is told to detach"),
            Event::Detached { imsi, .. } => (imsi, "is detached"),
            Event::SessionClosed { imsi, .. } => (imsi, "loses its session"),
            Event::Idle { imsi } => (imsi, "becomes idle"),
            _ => return None,
        };
        if *imsi == speaker {
            return None;
        }
        broken(8, format!("{speaker} says something and {imsi} {what}"))
    }

    /// The message was handled.
    pub(super) fn heard(
        &mut self,
        context: impl Fn(Imsi) -> Option<ContextSnapshot>,
    ) -> Option<Violation> {
        let speaker = self.speaker.take()?;
        let (victim, before) = self.claimed.take()?;
        let now = context(victim);
        if now.as_ref() == Some(&before) {
            return None;
        }
        let state = now.map_or_else(|| "gone".to_owned(), |c| format!("{:?}", c.state));
        broken(
            8,
            format!(
                "{speaker} speaks as {victim}, whose context was {:?} and is {state}",
                before.state
            ),
        )
    }
}

/// No SIM has two contexts that are proven, and no GUTI names two UEs.
pub(super) fn scan(mme: &Mme) -> Option<Violation> {
    let (mut proven, mut gutis) = (BTreeSet::new(), BTreeSet::new());
    mme.contexts().find_map(|context| {
        if let Some(imsi) = context.imsi.filter(|_| context.proven)
            && !proven.insert(imsi)
        {
            return broken(8, format!("{imsi} has two contexts at the MME"));
        }
        let guti = context.guti?;
        if gutis.insert(guti) {
            return None;
        }
        broken(
            8,
            format!("two UEs have the GUTI with M-TMSI {:08x}", guti.m_tmsi),
        )
    })
}
