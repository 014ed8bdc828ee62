use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use heiiki_types::{Apn, Guti, Instant, to_hex};

/// A SHA-256 of what was received; prints as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ProbeOutcome {
    /// The far end answered.
    Answered {
        /// Round-trip time, µs.
        rtt_us: u64,
    },
    /// The far host refused: a TCP reset, or ICMP port unreachable.
    Refused,
    /// Something on the way said no with an ICMP destination unreachable.
    Prohibited {
        /// The ICMP code; 13 is "communication administratively prohibited" (RFC 1812 §5.2.7.1).
        code: u8,
        /// Who said so.
        from: Ipv4Addr,
    },
    /// Nothing came back in time.
    TimedOut,
    /// The UE has no bearer to send on.
    NoBearer,
    /// The UE has too many of these open already, or the command makes no sense.
    NotSent,
}

impl ProbeOutcome {
    /// Whether the far end was reached.
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Answered { .. })
    }
}

/// Why a UE does not start an attach by itself, or refuses to start one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// The UE is switched off.
    SwitchedOff,
    /// The USIM counts as invalid until the UE is switched off.
    UsimInvalid,
    /// The USIM, or the area, counts as forbidden until T3247 ends.
    T3247,
    /// The network asked for a pause: T3346 runs.
    T3346,
    /// The tracking area or the network is on a list of forbidden ones.
    Forbidden,
    /// A procedure is running already.
    Busy,
}

/// What a probe stream or a sink saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct StreamReport {
    /// Probes sent; of a sink, zero.
    pub sent: u64,
    /// Probes answered, or datagrams that a sink received.
    pub answered: u64,
    /// Probes without an answer at the time of the report.
    pub lost: u64,
    /// Probes that something refused with ICMP; part of `lost`.
    pub prohibited: u64,
    /// Answers that came twice.
    pub duplicates: u64,
    /// When the first probe left, or a sink's first datagram came.
    pub first_at: Option<Instant>,
    /// When the last probe left.
    pub last_sent_at: Option<Instant>,
    /// When the youngest probe that was answered left: the uplink worked at this time.
    pub last_answered_sent_at: Option<Instant>,
    /// When the last answer, or a sink's last datagram, came: the downlink worked at this time.
    pub last_received_at: Option<Instant>,
    /// When the oldest probe after the youngest answered one left: from here on nothing came back.
    pub silent_since: Option<Instant>,
    /// Shortest round trip, µs.
    pub rtt_min_us: Option<u64>,
    /// Longest round trip, µs.
    pub rtt_max_us: Option<u64>,
}

/// What happens to a terminal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// An ATTACH REQUEST left.
    AttachStarted {
        /// The GUTI that it shows; `None` means that it shows the IMSI.
        guti: Option<Guti>,
        /// The attempt counter before this attempt, 0 to 5.
        attempts: u8,
    },
    /// An attach was asked for and the UE may not start one.
    AttachNotStarted {
        /// Why.
        why: Restriction,
    },
    /// The USIM accepted a challenge.
    Authenticated,
    /// The USIM refused a challenge: #20 MAC failure, #21 synch failure, #26 non-EPS
    /// authentication.
    AuthenticationFailed {
        /// The EMM cause that the network was told.
        cause: u8,
    },
    /// The network refused the UE's answer.
    AuthenticationRejected {
        /// Whether the message had a valid MAC.
        protected: bool,
    },
    /// NAS security is on.
    SecurityModeCompleted {
        /// Ciphering algorithm number.
        eea: u8,
        /// Integrity algorithm number.
        eia: u8,
    },
    /// The UE refused a SECURITY MODE COMMAND.
    SecurityModeRejected {
        /// The EMM cause that the network was told: #23 or #24.
        cause: u8,
    },
    /// The UE is registered and has a default bearer.
    Attached {
        /// Its IPv4 address.
        ip: Option<Ipv4Addr>,
        /// The APN that the network chose.
        apn: Apn,
        /// The default bearer.
        ebi: u8,
        /// The GUTI that is valid from here on.
        guti: Option<Guti>,
        /// DNS servers that the network announced.
        dns: Vec<Ipv4Addr>,
        /// Time since the ATTACH REQUEST, µs.
        took_us: u64,
    },
    /// The network refused the attach.
    AttachRejected {
        /// The EMM cause.
        cause: u8,
        /// The ESM cause of a PDN CONNECTIVITY REJECT inside.
        esm_cause: Option<u8>,
        /// Whether the message had a valid MAC.
        protected: bool,
        /// The back-off T3346 that the message carried, seconds.
        back_off_s: Option<u64>,
    },
    /// An attach ended without an answer.
    AttachFailed {
        /// `t3410`, `released`, `authentication` or `esm`.
        why: &'static str,
    },
    /// What keeps the UE from attaching changed; `None` means nothing does.
    Restricted {
        /// The restriction.
        why: Restriction,
        /// When it ends by itself, if it does.
        until: Option<Instant>,
    },
    /// A restriction ended.
    RestrictionLifted,
    /// The UE will try again by itself.
    RetryScheduled {
        /// The timer that it waits for.
        timer: &'static str,
        /// When it ends.
        at: Instant,
    },
    /// The UE is no longer registered.
    Detached {
        /// Whether the network asked for it.
        by_network: bool,
        /// Whether the network asked for a new attach.
        reattach: bool,
        /// The EMM cause of the network's request.
        cause: Option<u8>,
    },
    /// The default bearer is gone.
    BearerReleased,
    /// The signalling connection is gone.
    ConnectionReleased,
    /// The UE came on or went off.
    Power {
        /// Whether it is on.
        on: bool,
    },
    /// A downlink NAS PDU was dropped.
    NasDropped {
        /// Why.
        why: &'static str,
    },
    /// A ping ended.
    PingDone {
        /// Of the command.
        token: u64,
        /// How.
        #[serde(flatten)]
        outcome: ProbeOutcome,
    },
    /// A DNS query ended.
    DnsDone {
        /// Of the command.
        token: u64,
        /// How.
        #[serde(flatten)]
        outcome: ProbeOutcome,
        /// The response code, RFC 1035 §4.1.1; 3 is "no such name".
        rcode: Option<u8>,
        /// The addresses.
        addresses: Vec<Ipv4Addr>,
    },
    /// An HTTP fetch ended.
    HttpDone {
        /// Of the command.
        token: u64,
        /// The status code.
        status: u16,
        /// Octets of the body.
        bytes: u64,
        /// SHA-256 of the body.
        sha256: Digest,
        /// Time since the command, µs.
        took_us: u64,
        /// The first 4 KiB of the body.
        #[serde(skip)]
        body: Vec<u8>,
    },
    /// An HTTP fetch failed before its end.
    HttpFailed {
        /// Of the command.
        token: u64,
        /// What the network did.
        #[serde(flatten)]
        outcome: ProbeOutcome,
        /// Octets of the body that had come.
        bytes: u64,
        /// What was wrong.
        why: &'static str,
    },
    /// A single UDP probe ended.
    UdpProbeDone {
        /// Of the command.
        token: u64,
        /// How.
        #[serde(flatten)]
        outcome: ProbeOutcome,
    },
    /// A TCP connection attempt ended.
    TcpProbeDone {
        /// Of the command.
        token: u64,
        /// How.
        #[serde(flatten)]
        outcome: ProbeOutcome,
    },
    /// A probe of a stream came back.
    ProbeAnswered {
        /// The stream.
        token: u64,
        /// The probe, counted from zero.
        seq: u32,
        /// When it left.
        sent_at: Instant,
        /// Round-trip time, µs.
        rtt_us: u64,
    },
    /// A probe of a stream did not come back in time.
    ProbeLost {
        /// The stream.
        token: u64,
        /// The probe, counted from zero.
        seq: u32,
        /// When it left.
        sent_at: Instant,
    },
    /// A stream or a sink ended.
    StreamDone {
        /// The stream.
        token: u64,
        /// What it saw.
        #[serde(flatten)]
        report: StreamReport,
    },
    /// A command named a stream that there is not, or could not be carried out.
    CommandRefused {
        /// Why.
        why: String,
    },
}
