//! The chain of extension headers, TS 29.281 §5.2.
//!
//! ```text
//!  octet 1             2 to 4n - 1   4n
//!  length in 4 octets  content       type of the next header, 0 for none
//! ```

use crate::error::{DecodeError, What};
use crate::octets::Reader;

/// UDP Port: the source port of the packet that an Error Indication is about.
pub(super) const UDP_PORT: u8 = 0x40;

/// The extension headers that are understood here, for a Supported Extension Headers Notification.
pub const SUPPORTED_EXTENSION_HEADERS: &[u8] = &[UDP_PORT];

/// Whether an endpoint may skip the header when it does not know it: the top bit of the type.
const fn may_be_skipped(next: u8) -> bool {
    next & 0x80 == 0
}

/// What the chain says that is of use here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) udp_port: Option<u16>,
}

impl Extensions {
    /// Walks the chain from the header of type `first` and leaves `reader` behind it.
    pub(super) fn decode(reader: &mut Reader<'_>, first: u8) -> Result<Self, DecodeError> {
        let mut extensions = Self::default();
        let mut next = first;
        // Every header takes four octets at least, so the chain ends with the octets.
        while next != 0 {
            let at = reader.at();
            let truncated = |_| DecodeError::new(at, What::Truncated);
            let length = usize::from(reader.u8().map_err(truncated)?) * 4;
            let content = length
                .checked_sub(2)
                .ok_or_else(|| DecodeError::new(at, What::Length))?;
            let content = reader.take(content).map_err(truncated)?;
            match next {
                UDP_PORT => {
                    let port = content.first_chunk::<2>().copied();
                    extensions.udp_port = port.map(u16::from_be_bytes);
                }
                known if may_be_skipped(known) => {}
                unknown => return Err(DecodeError::new(at, What::ExtensionHeader(unknown))),
            }
            next = reader.u8().map_err(truncated)?;
        }
        Ok(extensions)
    }
}

/// The UDP Port extension header, the last of its chain.
pub(super) const fn udp_port(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [1, high, low, 0]
}
