use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_types::{Apn, Duration};

/// A terminal of one eNB: its place in the eNB's table, counted from zero.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct UeId(pub u32);

/// How a PDU of [`UeCommand::SendNas`] is protected before it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NasProtection {
    /// The octets go out as they are.
    AsIs,
    /// As the UE itself would: integrity and ciphering with its current context. Nothing is sent
    /// when there is none.
    Current,
    /// As `Current`, with a MAC that is off by one bit.
    WrongMac,
}

/// What the lab tells a terminal to do. The `token` of a command comes back in its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UeCommand {
    /// Start the attach procedure now. A running back-off refuses it, as in a real UE; see
    /// [`Event::AttachNotStarted`](crate::Event::AttachNotStarted).
    Attach,
    /// Start the detach procedure; `switch_off` also turns the UE off.
    Detach {
        /// Whether the UE goes off without waiting for an answer.
        switch_off: bool,
    },
    /// The battery is pulled: no signalling, everything volatile is lost.
    PowerOff,
    /// The UE comes on; it attaches by itself when its profile says so.
    PowerOn,
    /// Moves GUTI and NAS security context out of the UE's memory: the next attach shows the IMSI.
    ForgetGuti,
    /// The APN that the next attach asks for; `None` leaves the choice to the network.
    SetApn {
        /// The name.
        apn: Option<Apn>,
    },
    /// Turns automatic attach attempts on or off.
    SetAutoRetry {
        /// Whether timers start attempts by themselves.
        on: bool,
    },
    /// One ICMP echo request.
    Ping {
        /// Comes back in the event.
        token: u64,
        /// Where to.
        dst: Ipv4Addr,
    },
    /// Asks a DNS server for the IPv4 addresses of a name.
    DnsQuery {
        /// Comes back in the event.
        token: u64,
        /// The name.
        name: String,
        /// The server; `None` is the first one that the network announced.
        server: Option<Ipv4Addr>,
    },
    /// Fetches a page with HTTP/1.1 `GET`.
    HttpGet {
        /// Comes back in the event.
        token: u64,
        /// The server's address.
        dst: Ipv4Addr,
        /// Its port.
        port: u16,
        /// The `Host` header.
        host: String,
        /// Path and query, such as `/file?size=1000000`.
        path: String,
    },
    /// One UDP datagram that asks for an echo.
    UdpProbe {
        /// Comes back in the event.
        token: u64,
        /// Where to.
        dst: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// One TCP connection attempt, reset as soon as it stands.
    TcpProbe {
        /// Comes back in the event.
        token: u64,
        /// Where to.
        dst: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// Starts a stream of numbered UDP probes.
    StartStream {
        /// Names the stream.
        token: u64,
        /// Where to: a host that echoes.
        dst: Ipv4Addr,
        /// The port.
        port: u16,
        /// Time between two probes, at least 100 µs.
        interval: Duration,
        /// UDP payload, octets; at least [`PAYLOAD_MIN`](crate::stack::PAYLOAD_MIN).
        size: u16,
        /// Whether each probe has an event of its own.
        each: bool,
    },
    /// Ends a probe stream, or a sink, and reports it. What is not answered by then counts as lost.
    StopStream {
        /// The stream.
        token: u64,
    },
    /// Opens a UDP port that counts what comes in: the far end of downlink probes.
    Listen {
        /// Names the sink.
        token: u64,
        /// The port.
        port: u16,
    },
    /// Sends this IP packet as it is, whatever source it claims.
    Inject {
        /// The packet, from its IP header on.
        packet: Vec<u8>,
    },
    /// Sends this NAS PDU in the UE's name.
    SendNas {
        /// The PDU: plain, unless `protection` is [`NasProtection::AsIs`].
        pdu: Vec<u8>,
        /// What to do with it.
        protection: NasProtection,
    },
    /// The radio link is lost: the eNB asks for the release of the UE's context.
    LoseRadio,
}

impl UeCommand {
    /// The remote address that the command is about.
    pub fn destination(&self) -> Option<IpAddr> {
        match self {
            Self::Ping { dst, .. }
            | Self::HttpGet { dst, .. }
            | Self::UdpProbe { dst, .. }
            | Self::TcpProbe { dst, .. }
            | Self::StartStream { dst, .. } => Some(IpAddr::V4(*dst)),
            _ => None,
        }
    }
}
