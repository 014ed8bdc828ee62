//! NAS messages of a UE that lies: garbage, other UEs' names, and what others said before.

use heiiki_nas::emm::{
    AttachRequest, AuthenticationFailure, DetachRequestFromUe, EmmCause, IdentityResponse, Message,
    UeDetachType,
};
use heiiki_nas::{EpsMobileIdentity, Ksi, MobileIdentity, UeNetworkCapability};
use heiiki_types::{Guti, Imsi};
use heiiki_ue_sim::{Event as UeEvent, NasProtection, UeCommand};

use super::Run;
use crate::log::NodeEvent;

/// A PDN CONNECTIVITY REQUEST for IPv4, TS 24.301 §8.3.20: initial request, PTI 1.
const PDN_CONNECTIVITY_REQUEST: [u8; 4] = [0x02, 0x01, 0xd0, 0x11];

impl Run {
    pub(super) fn lie(&mut self, sim: usize) -> String {
        let victim = self.any_sim();
        let (pdu, what) = match self.rng.below(6) {
            0 => (self.garbage(), "garbage"),
            1 => match self.overheard() {
                Some(pdu) => (pdu, "what it overheard"),
                None => (self.garbage(), "garbage"),
            },
            _ => (self.forged(victim).encode(), "in the name of another"),
        };
        let protection = match self.rng.below(4) {
            0 => NasProtection::WrongMac,
            1 => NasProtection::Current,
            _ => NasProtection::AsIs,
        };
        let (liar, victim) = (self.name(sim), self.name(victim));
        let title = format!("{liar} sends {what} ({victim}), {protection:?}");
        self.command(sim, UeCommand::SendNas { pdu, protection });
        title
    }

    fn garbage(&mut self) -> Vec<u8> {
        let mut pdu = vec![0; 1 + self.below(40)];
        self.rng.fill(&mut pdu);
        if let Some(first) = pdu.first_mut() {
            *first = self
                .one(&[0x07, 0x17, 0x27, 0x37, 0xc7, 0x02, *first])
                .unwrap_or(7);
        }
        pdu
    }

    /// A PDU that some UE sent, sometimes with a bit changed.
    fn overheard(&mut self) -> Option<Vec<u8>> {
        let back = self.below(30);
        let mut said = self.lab.log().iter().rev().filter_map(|e| match &e.event {
            NodeEvent::Mme(heiiki_mme::Event::Nas {
                direction: heiiki_mme::Direction::Uplink,
                wire,
                ..
            }) => Some(wire),
            _ => None,
        });
        let mut pdu = said.nth(back)?.clone();
        if self.rng.chance(0.3) {
            let at = self.below(pdu.len());
            if let Some(octet) = pdu.get_mut(at) {
                *octet ^= 1 << self.rng.below(8);
            }
        }
        Some(pdu)
    }

    /// The GUTI that a UE was given last.
    fn guti_of(&self, victim: Imsi) -> Option<Guti> {
        self.lab.log().iter().rev().find_map(|e| match &e.event {
            NodeEvent::Ue {
                imsi,
                event: UeEvent::Attached { guti, .. },
            } if *imsi == victim => *guti,
            _ => None,
        })
    }

    fn forged(&mut self, victim: usize) -> Message {
        let Some(imsi) = self.lab.plan().sims.get(victim).map(|s| s.imsi) else {
            return Message::DetachAccept;
        };
        let guti = self.guti_of(imsi).filter(|_| self.rng.chance(0.6));
        let identity = guti.map_or(EpsMobileIdentity::Imsi(imsi), EpsMobileIdentity::Guti);
        let ksi = Ksi::new(u8::try_from(self.rng.below(8)).unwrap_or(7)).unwrap_or(Ksi::NO_KEY);
        match self.rng.below(8) {
            0..3 => Message::DetachRequestFromUe(DetachRequestFromUe {
                switch_off: self.rng.chance(0.5),
                detach_type: UeDetachType::Eps,
                ksi,
                identity,
            }),
            3..5 => Message::AttachRequest(AttachRequest {
                attach_type: 1,
                ksi,
                identity,
                ue_network_capability: UeNetworkCapability {
                    eea: 0xe0,
                    eia: 0x60,
                    rest: Vec::new(),
                },
                esm_container: PDN_CONNECTIVITY_REQUEST.to_vec(),
                additional_guti: None,
                last_tai: None,
                ms_network_capability: None,
                old_guti_is_mapped: None,
            }),
            5 => Message::IdentityResponse(IdentityResponse {
                identity: MobileIdentity::Imsi(imsi),
            }),
            6 => Message::AuthenticationFailure(AuthenticationFailure {
                cause: EmmCause::SYNCH_FAILURE,
                auts: Some(self.rng.octets()),
            }),
            _ => Message::DetachAccept,
        }
    }
}
