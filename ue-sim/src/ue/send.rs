//! How a message leaves: plain, protected or ciphered (TS 24.301 §4.4.4.1, §4.4.5).

use alloc::vec::Vec;

use heiiki_nas::security::SecurityHeader;
use heiiki_nas::{Direction, emm};

use super::{Context, Ue, UeOutput};
use crate::NasProtection;

impl Ue {
    /// Sends a message as the connection's protection wants it.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, message: &emm::Message) {
        self.send_octets(cx, &message.encode());
    }

    pub(super) fn send_octets(&mut self, cx: &mut Context<'_>, plain: &[u8]) {
        let header = if self.secure {
            SecurityHeader::IntegrityCiphered
        } else {
            SecurityHeader::Plain
        };
        self.send_with(cx, header, plain);
    }

    /// The first message of a connection: protected when there is a context, never ciphered
    /// (TS 24.301 §4.4.4.1, §4.4.5).
    pub(super) fn send_initial(&mut self, cx: &mut Context<'_>, plain: &[u8]) {
        let header = if self.context.is_some() {
            SecurityHeader::Integrity
        } else {
            SecurityHeader::Plain
        };
        self.send_with(cx, header, plain);
    }

    pub(super) fn send_with(&mut self, cx: &mut Context<'_>, header: SecurityHeader, plain: &[u8]) {
        let pdu = match (header, &mut self.context) {
            (SecurityHeader::Plain, _) => plain.to_vec(),
            (_, None) => return cx.dropped("no security context"),
            (header, Some(context)) => {
                let Ok(pdu) = context.protect(Direction::Uplink, header, plain) else {
                    // All COUNTs are used: the context is worth nothing any more.
                    self.context = None;
                    return cx.dropped("NAS COUNT is used up");
                };
                pdu
            }
        };
        self.connected = true;
        cx.out.push(UeOutput::Nas(pdu));
    }

    pub(super) fn send_hostile(
        &mut self,
        cx: &mut Context<'_>,
        pdu: Vec<u8>,
        protection: NasProtection,
    ) {
        match protection {
            NasProtection::AsIs => {
                self.connected = true;
                cx.out.push(UeOutput::Nas(pdu));
            }
            NasProtection::Current | NasProtection::WrongMac => {
                let header = if self.secure {
                    SecurityHeader::IntegrityCiphered
                } else {
                    SecurityHeader::Integrity
                };
                self.send_with(cx, header, &pdu);
                if protection == NasProtection::WrongMac
                    && let Some(UeOutput::Nas(pdu)) = cx.out.last_mut()
                    && let Some(mac) = pdu.get_mut(1)
                {
                    *mac ^= 1;
                }
            }
        }
    }
}
