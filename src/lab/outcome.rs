//! What a lab's operations come to.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use heiiki_types::{Apn, Instant};
use heiiki_ue_sim::{Digest, ProbeOutcome, Restriction};
use serde::{Deserialize, Serialize};

/// A UE's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The UE's address.
    pub ip: Ipv4Addr,
    /// The access point that the network chose.
    pub apn: Apn,
    /// DNS servers that the UE was told.
    pub dns: Vec<Ipv4Addr>,
    /// From ATTACH REQUEST to ATTACH COMPLETE.
    pub took: Duration,
}

/// Why a UE is not attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachError {
    /// The network refused.
    Rejected {
        /// The EMM cause, TS 24.301 §9.9.3.9.
        cause: u8,
        /// The ESM cause inside, when the session was what could not be had.
        esm_cause: Option<u8>,
        /// Whether the message was integrity-protected: only then does a UE believe it for good.
        protected: bool,
        /// T3346: do not come back before.
        back_off: Option<Duration>,
    },
    /// The UE refused the network: it does not know K (#20), the vector is not one of E-UTRAN
    /// (#26), or it stayed out of step (#21).
    NotGenuine {
        /// The EMM cause that the UE gave.
        cause: u8,
    },
    /// The network refused the UE's answer to the challenge.
    AuthenticationRejected,
    /// The UE may not try: an earlier refusal still binds it.
    NotStarted(Restriction),
    /// The attempt ended without an answer.
    Failed(&'static str),
    /// Nothing came of it in time.
    TimedOut,
}

impl AttachError {
    /// The cause as people write it, such as `#8` or `#19/#27`.
    pub fn cause(&self) -> String {
        match self {
            Self::Rejected {
                cause,
                esm_cause: Some(esm),
                ..
            } => format!("#{cause}/#{esm}"),
            Self::Rejected { cause, .. } | Self::NotGenuine { cause } => format!("#{cause}"),
            _ => "none".to_owned(),
        }
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected {
                protected,
                back_off,
                ..
            } => {
                write!(f, "rejected with {}", self.cause())?;
                f.write_str(if *protected {
                    ", protected"
                } else {
                    ", not protected"
                })?;
                match back_off {
                    Some(t) => write!(f, ", back off {} s", t.as_secs()),
                    None => Ok(()),
                }
            }
            Self::NotGenuine { cause } => write!(f, "the UE refused the network with #{cause}"),
            Self::AuthenticationRejected => f.write_str("the network refused the UE's response"),
            Self::NotStarted(why) => write!(f, "the UE may not try: {why:?}"),
            Self::Failed(why) => write!(f, "the attempt failed: {why}"),
            Self::TimedOut => f.write_str("nothing came of it in time"),
        }
    }
}

impl core::error::Error for AttachError {}

/// A page or file that a UE fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// Octets of the body.
    pub bytes: u64,
    /// SHA-256 of the body.
    pub sha256: Digest,
    /// The first 4 KiB of the body.
    pub body: Vec<u8>,
    /// From the command to the last octet.
    pub took: Duration,
}

/// Why a UE did not get what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// What became of the packets.
    Outcome(ProbeOutcome),
    /// The name has no address.
    NoSuchName {
        /// The DNS response code.
        rcode: Option<u8>,
    },
    /// Nothing came of it in time.
    TimedOut,
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(outcome) => write!(f, "{outcome:?}"),
            Self::NoSuchName { rcode } => write!(f, "no such name (response code {rcode:?})"),
            Self::TimedOut => f.write_str("nothing came of it in time"),
        }
    }
}

impl core::error::Error for Unreached {}

/// The order of an operator at the HSS and what has come of it: who, why, when.
///
/// Stamps are microseconds of the monotonic clock; see [`Cut::since_t0`] for durations. A stamp
/// that is absent has not happened, or could not be observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The order.
    pub cut: String,
    /// The SIM.
    pub imsi: heiiki_types::Imsi,
    /// `suspend`, `pause`, ...
    pub verb: String,
    /// Who gave it.
    pub who: String,
    /// Why.
    pub why: String,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// How far it is: `open`, `dark`, `clean`, ...
    pub verdict: String,
    /// Committed, and past the boundary at every listed gateway: nothing of the SIM passes.
    pub dark: bool,
    /// Also everything else is in order: CLR answered, UE detached, records closed.
    pub clean: bool,
    /// The call was accepted.
    pub t0: u64,
    /// The new state is durable at the HSS.
    pub t1: Option<u64>,
    /// The CLR was handed to the transport.
    pub t2: Option<u64>,
    /// The CLA came.
    pub t3: Option<u64>,
    /// The bar is in force at the last gateway.
    pub t4: Option<u64>,
    /// The last worker passed its boundary, uplink.
    pub t5_uplink: Option<u64>,
    /// The last worker passed its boundary, downlink.
    pub t5_downlink: Option<u64>,
    /// The UE's detach was accepted or given up.
    pub t6: Option<u64>,
    /// Accounting stopped and records closed.
    pub t7: Option<u64>,
    /// The UE was refused for the first time.
    pub t8: Option<u64>,
    /// Packets of the SIM that were forwarded after t0.
    pub packets_after_t0: Option<u64>,
    /// What the certificate cannot vouch for.
    pub not_observable: Vec<String>,
}

impl Cut {
    /// The time from t0 to a stamp.
    pub fn since_t0(&self, stamp: Option<u64>) -> Option<Duration> {
        stamp.map(|t| Duration::from_micros(t.saturating_sub(self.t0)))
    }

    /// t5 - t0, the figure that counts, uplink and downlink.
    pub fn time_to_cut(&self) -> Option<(Duration, Duration)> {
        Some((
            self.since_t0(self.t5_uplink)?,
            self.since_t0(self.t5_downlink)?,
        ))
    }

    /// Whether everybody who can be seen has done what was ordered.
    pub fn is_done(&self) -> bool {
        self.dark || matches!(self.verdict.as_str(), "lifted" | "isolated" | "ended")
    }

    /// When the call was accepted.
    pub const fn t0(&self) -> Instant {
        Instant::from_micros(self.t0)
    }
}
