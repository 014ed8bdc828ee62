use core::ops::Range;

use heiiki_types::Teid;

use crate::error::{DecodeError, What};
use crate::octets::Reader;

/// Octets of the header of a G-PDU without optional fields.
pub const G_PDU_HEADER_LEN: usize = 8;

pub(super) const ECHO_REQUEST: u8 = 1;
pub(super) const ECHO_RESPONSE: u8 = 2;
pub(super) const ERROR_INDICATION: u8 = 26;
pub(super) const SUPPORTED_EXTENSION_HEADERS: u8 = 31;
pub(super) const END_MARKER: u8 = 254;
pub(super) const G_PDU: u8 = 255;

/// Version 1, GTP and not GTP'.
pub(super) const VERSION_AND_PROTOCOL: u8 = 0x30;
/// E: the type of an extension header is meant.
pub(super) const E: u8 = 0x04;
/// S: the sequence number is meant.
pub(super) const S: u8 = 0x02;
/// PN: the N-PDU number is meant.
const PN: u8 = 0x01;

/// The mandatory header and the fields that any of the flags brings along, TS 29.281 §5.1.
///
/// ```text
///  octet 1         2     3-4     5-8    9-10      11      12 (9 to 12 if E, S or PN)
///  001 1 - E S PN  type  length  TEID   sequence  N-PDU   next extension header
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) message_type: u8,
    pub(super) teid: u32,
    /// The sequence number, if S says that it is one.
    pub(super) sequence: Option<u16>,
    /// The type of the first extension header, if E says that there is one.
    pub(super) extension: Option<u8>,
}

impl Header {
    /// Reads the header and leaves `reader` behind it. The length field must agree with the octets
    /// that are there.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let short = |at| move |_| DecodeError::new(at, What::Truncated);
        let flags = reader.u8().map_err(short(0))?;
        if flags >> 5 != 1 {
            return Err(DecodeError::new(0, What::Version(flags >> 5)));
        }
        if flags & 0x10 == 0 {
            return Err(DecodeError::new(0, What::ProtocolType));
        }
        let message_type = reader.u8().map_err(short(1))?;
        let length = reader.u16().map_err(short(2))?;
        let teid = reader.u32().map_err(short(4))?;
        if usize::from(length) != reader.rest().len() {
            return Err(DecodeError::new(2, What::Length));
        }
        let mut header = Self {
            message_type,
            teid,
            sequence: None,
            extension: None,
        };
        // All four octets are there if one of them is meant.
        if flags & (E | S | PN) != 0 {
            let [high, low, _, next] = reader.array().map_err(short(8))?;
            header.sequence = (flags & S != 0).then(|| u16::from_be_bytes([high, low]));
            header.extension = (flags & E != 0 && next != 0).then_some(next);
        }
        Ok(header)
    }
}

/// The fast path of the user plane: a G-PDU without optional fields. Returns its TEID and where in
/// `octets` the user packet is. `None` means that [`decode`](super::decode) has to look.
#[inline]
pub fn decode_gpdu(octets: &[u8]) -> Option<(Teid, Range<usize>)> {
    let (&[flags, message_type, l1, l0, t3, t2, t1, t0], payload) =
        octets.split_first_chunk::<G_PDU_HEADER_LEN>()?;
    // The spare bit is not looked at.
    if flags & 0xf7 != VERSION_AND_PROTOCOL || message_type != G_PDU {
        return None;
    }
    if usize::from(u16::from_be_bytes([l1, l0])) != payload.len() {
        return None;
    }
    let teid = Teid::new(u32::from_be_bytes([t3, t2, t1, t0]))?;
    Some((teid, G_PDU_HEADER_LEN..octets.len()))
}

/// The header of a G-PDU without optional fields, for a user packet of `payload_len` octets.
#[inline]
pub const fn encode_gpdu_header(teid: Teid, payload_len: u16) -> [u8; G_PDU_HEADER_LEN] {
    let [l1, l0] = payload_len.to_be_bytes();
    let [t3, t2, t1, t0] = teid.get().to_be_bytes();
    [VERSION_AND_PROTOCOL, G_PDU, l1, l0, t3, t2, t1, t0]
}
