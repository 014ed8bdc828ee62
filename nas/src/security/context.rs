use alloc::vec::Vec;
use core::fmt;

use heiiki_types::{Key128, Key256, constant_time_eq};

use super::count::{CountExhausted, Counter, NasCount};
use super::header::{PROTECTED_HEADER_LEN, SecurityHeader, peek_header};
use super::{Direction, Eea, Eia};
use crate::{Ksi, emm, kdf};

/// Why a message was not accepted. It is discarded and leaves the context as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityError {
    /// It has no protection.
    NotProtected,
    /// Its MAC is wrong.
    Mac,
    /// Its MAC is right for a COUNT that is used up: someone sends an old message again.
    Replay,
    /// It is no protected message.
    Malformed,
}

impl fmt::Display for SecurityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotProtected => "not protected",
            Self::Mac => "the MAC is wrong",
            Self::Replay => "replayed",
            Self::Malformed => "not a protected message",
        })
    }
}

impl core::error::Error for SecurityError {}

/// A message whose MAC was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprotected {
    /// How it was protected.
    pub header: SecurityHeader,
    /// Its COUNT. That of the uplink message that leads to an initial context setup makes KeNB.
    pub count: NasCount,
    /// The plain message.
    pub plain: Vec<u8>,
}

/// An EPS NAS security context, TS 24.301 §4.4.2: keys, algorithms and both COUNTs. UE and MME
/// have one each, and both are the same until a message is lost.
#[derive(Clone)]
pub struct NasSecurityContext {
    enc: Key128,
    int: Key128,
    eea: Eea,
    eia: Eia,
    ksi: Ksi,
    uplink: Counter,
    downlink: Counter,
}

impl fmt::Debug for NasSecurityContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NasSecurityContext")
            .field("ksi", &self.ksi)
            .field("eea", &self.eea)
            .field("eia", &self.eia)
            .field("uplink", &self.uplink)
            .field("downlink", &self.downlink)
            .finish_non_exhaustive()
    }
}

impl NasSecurityContext {
    /// The context that a new KASME makes: both COUNTs at zero (TS 24.301 §4.4.3.1).
    pub fn new(kasme: &Key256, eea: Eea, eia: Eia, ksi: Ksi) -> Self {
        Self::with_counts(kasme, eea, eia, ksi, NasCount::ZERO, NasCount::ZERO)
    }

    /// A context that was kept: `uplink` and `downlink` are the next COUNT to send or the lowest
    /// to accept, which is one more than the highest used.
    pub fn with_counts(
        kasme: &Key256,
        eea: Eea,
        eia: Eia,
        ksi: Ksi,
        uplink: NasCount,
        downlink: NasCount,
    ) -> Self {
        Self {
            enc: kdf::nas_enc(kasme, eea),
            int: kdf::nas_int(kasme, eia),
            eea,
            eia,
            ksi,
            uplink: Counter::starting_at(uplink),
            downlink: Counter::starting_at(downlink),
        }
    }

    /// The key set identifier.
    pub const fn ksi(&self) -> Ksi {
        self.ksi
    }

    /// The ciphering algorithm.
    pub const fn eea(&self) -> Eea {
        self.eea
    }

    /// The integrity algorithm.
    pub const fn eia(&self) -> Eia {
        self.eia
    }

    /// The COUNT of the next message of a direction: the next to send, or the lowest that is
    /// accepted.
    pub fn next_count(&self, direction: Direction) -> Result<NasCount, CountExhausted> {
        match direction {
            Direction::Uplink => self.uplink.peek(),
            Direction::Downlink => self.downlink.peek(),
        }
    }

    /// Whether a COUNT comes near its end, so that the MME should authenticate again (TS 24.301
    /// §4.4.3.5).
    pub const fn is_running_out(&self) -> bool {
        self.uplink.is_running_out() || self.downlink.is_running_out()
    }

    const fn counter(&mut self, direction: Direction) -> &mut Counter {
        match direction {
            Direction::Uplink => &mut self.uplink,
            Direction::Downlink => &mut self.downlink,
        }
    }

    /// Protects a plain message with the next COUNT of the direction: ciphers if the header says
    /// so, then adds the MAC (TS 24.301 §4.4.4.1). A plain message and a SERVICE REQUEST have no
    /// such protection: with their header the integrity of the message alone is protected.
    pub fn protect(
        &mut self,
        direction: Direction,
        header: SecurityHeader,
        plain: &[u8],
    ) -> Result<Vec<u8>, CountExhausted> {
        let header = match header {
            SecurityHeader::Plain | SecurityHeader::ServiceRequest => SecurityHeader::Integrity,
            protected => protected,
        };
        let count = self.counter(direction).take()?;
        let mut body = Vec::with_capacity(1 + plain.len());
        body.push(count.sequence_number());
        body.extend(plain);
        if let Some((_, message)) = body.split_first_mut()
            && header.is_ciphered()
        {
            self.eea.apply(&self.enc, count.get(), direction, message);
        }
        let mac = self.eia.mac(&self.int, count.get(), direction, &body);
        let mut pdu = Vec::with_capacity(PROTECTED_HEADER_LEN + plain.len());
        pdu.push(header.id() << 4 | emm::PROTOCOL_DISCRIMINATOR);
        pdu.extend(mac);
        pdu.extend(body);
        Ok(pdu)
    }

    /// Checks the MAC of a protected message that came in a direction, and deciphers it.
    ///
    /// The COUNT is the lowest unused one with the sequence number of the message; it is marked as
    /// used only when the MAC is right (TS 24.301 §4.4.3.2, §4.4.3.3). Whether a message that
    /// should be ciphered is, and whether the header type suits the message, is for the caller to
    /// say (§4.4.5, §9.3.1).
    pub fn unprotect(
        &mut self,
        direction: Direction,
        pdu: &[u8],
    ) -> Result<Unprotected, SecurityError> {
        let header = peek_header(pdu).map_err(|_| SecurityError::Malformed)?;
        let (Some(mac), Some(sequence_number)) = (header.mac, header.sequence_number) else {
            return Err(match header.security_header {
                SecurityHeader::Plain => SecurityError::NotProtected,
                _ => SecurityError::Malformed,
            });
        };
        // The MAC covers the sequence number and the message.
        let body = pdu
            .get(PROTECTED_HEADER_LEN - 1..)
            .ok_or(SecurityError::Malformed)?;
        let (eia, int) = (self.eia, self.int.clone());
        let is_right =
            |count: NasCount| constant_time_eq(&eia.mac(&int, count.get(), direction, body), &mac);
        let counter = self.counter(direction);
        let Some(count) = counter.estimate(sequence_number).filter(|c| is_right(*c)) else {
            return Err(match counter.previous(sequence_number) {
                Some(used) if is_right(used) => SecurityError::Replay,
                _ => SecurityError::Mac,
            });
        };
        counter.accept(count);
        let mut plain = body.get(1..).unwrap_or_default().to_vec();
        if header.security_header.is_ciphered() {
            self.eea
                .apply(&self.enc, count.get(), direction, &mut plain);
        }
        Ok(Unprotected {
            header: header.security_header,
            count,
            plain,
        })
    }
}
