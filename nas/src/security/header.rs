use crate::emm;
use crate::esm;
use crate::{DecodeError, What};

/// Octets before the message inside a protected one: header, MAC and sequence number.
pub(super) const PROTECTED_HEADER_LEN: usize = 6;

/// Security header type, TS 24.301 §9.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityHeader {
    /// No protection.
    Plain,
    /// Integrity.
    Integrity,
    /// Integrity and ciphering.
    IntegrityCiphered,
    /// Integrity, with a context that is new: a SECURITY MODE COMMAND.
    IntegrityNewContext,
    /// Integrity and ciphering, with a context that is new: a SECURITY MODE COMPLETE.
    IntegrityCipheredNewContext,
    /// A SERVICE REQUEST, which has a form of its own.
    ServiceRequest,
}

impl SecurityHeader {
    /// The header type of a number of four bits. 13 to 15 mean a SERVICE REQUEST; what is reserved
    /// or belongs to control plane CIoT has no meaning here.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Plain),
            1 => Some(Self::Integrity),
            2 => Some(Self::IntegrityCiphered),
            3 => Some(Self::IntegrityNewContext),
            4 => Some(Self::IntegrityCipheredNewContext),
            12..=15 => Some(Self::ServiceRequest),
            _ => None,
        }
    }

    /// The number in the first octet.
    pub const fn id(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Integrity => 1,
            Self::IntegrityCiphered => 2,
            Self::IntegrityNewContext => 3,
            Self::IntegrityCipheredNewContext => 4,
            Self::ServiceRequest => 12,
        }
    }

    /// Whether the message inside is ciphered (also when the algorithm is EEA0).
    pub const fn is_ciphered(self) -> bool {
        matches!(
            self,
            Self::IntegrityCiphered | Self::IntegrityCipheredNewContext
        )
    }

    /// Whether there are a MAC, a sequence number and a whole message behind the header.
    pub const fn is_protected(self) -> bool {
        !matches!(self, Self::Plain | Self::ServiceRequest)
    }
}

/// What a message shows before any key is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the message is protected. A plain ESM message has no header type; it counts as plain.
    pub security_header: SecurityHeader,
    /// The MAC of a protected message.
    pub mac: Option<[u8; 4]>,
    /// The sequence number of a protected message.
    pub sequence_number: Option<u8>,
}

/// Reads the header of any NAS message.
pub fn peek_header(pdu: &[u8]) -> Result<Header, DecodeError> {
    let first = *pdu.first().ok_or_else(|| What::TooShort.at(0))?;
    let plain = Header {
        security_header: SecurityHeader::Plain,
        mac: None,
        sequence_number: None,
    };
    match first & 15 {
        esm::PROTOCOL_DISCRIMINATOR => return Ok(plain),
        emm::PROTOCOL_DISCRIMINATOR => {}
        other => return Err(What::Protocol(other).at(0)),
    }
    let security_header =
        SecurityHeader::from_id(first >> 4).ok_or_else(|| What::Protected(first >> 4).at(0))?;
    if !security_header.is_protected() {
        return Ok(Header {
            security_header,
            ..plain
        });
    }
    match *pdu {
        // At least one octet of message must follow.
        [_, a, b, c, d, sequence_number, _, ..] => Ok(Header {
            security_header,
            mac: Some([a, b, c, d]),
            sequence_number: Some(sequence_number),
        }),
        _ => Err(What::TooShort.at(pdu.len())),
    }
}

/// The plain message inside a PDU that is plain, or protected but not ciphered, without checking
/// anything: for an ATTACH REQUEST under a context that the network does not have, and for a
/// SECURITY MODE COMMAND, which names the algorithms of its own protection. `None` for a message
/// that needs a key, and for a SERVICE REQUEST.
pub fn plain_of_protected(pdu: &[u8]) -> Option<&[u8]> {
    match peek_header(pdu).ok()?.security_header {
        SecurityHeader::Plain => Some(pdu),
        SecurityHeader::Integrity | SecurityHeader::IntegrityNewContext => {
            pdu.get(PROTECTED_HEADER_LEN..)
        }
        _ => None,
    }
}
