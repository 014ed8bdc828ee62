use alloc::vec::Vec;

use crate::{DecodeError, Direction, What, emm, esm};

/// A plain NAS message of either protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// EPS mobility management.
    Emm(emm::Message),
    /// EPS session management.
    Esm(esm::Message),
}

impl Plain {
    /// The octets of the message, without protection.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Emm(message) => message.encode(),
            Self::Esm(message) => message.encode(),
        }
    }
}

/// Reads a message without protection, by its protocol discriminator (TS 24.301 §9.2).
pub fn decode_plain(octets: &[u8], direction: Direction) -> Result<Plain, DecodeError> {
    let first = octets.first().ok_or_else(|| What::TooShort.at(0))?;
    match first & 15 {
        emm::PROTOCOL_DISCRIMINATOR => emm::decode(octets, direction).map(Plain::Emm),
        esm::PROTOCOL_DISCRIMINATOR => esm::decode(octets, direction).map(Plain::Esm),
        other => Err(What::Protocol(other).at(0)),
    }
}
