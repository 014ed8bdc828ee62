//! S6a over SCTP: what happens on associations comes as [`StreamInput`]s, as from TCP connections.
//!
//! Two ways, of which a process uses one: [`kernel`], sockets of a kernel that has SCTP, and
//! [`udp`], an SCTP of our own over UDP (RFC 6951) for a kernel that has none.
//!
//! **One message, one `Data`.** An SCTP message carries one whole Diameter message (RFC 6733
//! §2.1.1): every `Data` is one, and an association on which something else arrives is aborted.
//!
//! **One stream.** Any stream is read, but everything is sent on stream 0, in order: the
//! cancellation that follows an answer must not overtake it, and SCTP orders only within a stream.

pub mod kernel;
mod message;
pub mod udp;

use core::fmt;
use core::net::SocketAddr;
use std::sync::Arc;

use heiiki_types::StreamInput;

pub use message::{MAX_MESSAGE, PPID};

/// The SCTP and UDP ports that IANA gave to Diameter and to SCTP over UDP.
pub const PORT: u16 = 3868;
/// UDP port of SCTP in UDP (RFC 6951 §5.1).
pub const UDP_PORT: u16 = 9899;

/// How many associations one listener holds. One more is refused.
pub const MAX_ASSOCIATIONS: usize = 256;

/// Where the inputs of the machine go.
pub type Deliver = Arc<dyn Fn(StreamInput) + Send + Sync>;
/// Where goes what an operator may want to know.
pub type Tell = Arc<dyn Fn(&Note) + Send + Sync>;

/// Something about the transport itself that the machine above has no use for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An association ended otherwise than by a shutdown.
    Lost {
        /// The other end.
        peer: SocketAddr,
        /// The reason in a few words.
        why: String,
    },
    /// An association was not taken.
    Refused {
        /// The other end.
        peer: SocketAddr,
        /// The reason in a few words.
        why: &'static str,
        /// How many since the last such note; there is at most one a second.
        count: u64,
    },
    /// The peer started anew on the same ports.
    Restarted {
        /// The other end.
        peer: SocketAddr,
    },
    /// The socket itself failed: nothing more will come.
    Failed {
        /// What the system said.
        why: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { peer, why } => write!(f, "association with {peer} lost: {why}"),
            Self::Refused { peer, why, count } => {
                write!(f, "association with {peer} refused: {why} ({count} so far)")
            }
            Self::Restarted { peer } => write!(f, "{peer} has restarted its association"),
            Self::Failed { why } => write!(f, "SCTP has ended: {why}"),
        }
    }
}
