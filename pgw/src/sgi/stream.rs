use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_types::{Duration, Instant};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr};

use crate::config::TenantId;

/// Names a probe stream of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct StreamId(pub u64);

/// A stream of numbered UDP packets from a host of the segment to a UE, by which the downlink
/// part of a cut is measured.
///
/// The payload is that of every probe of a lab: `hkpr`, the stream's number in eight octets, the
/// packet's number from zero in four, the time that it left in eight, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeStream {
    /// The host's routing domain.
    pub tenant: TenantId,
    /// The host's address and the source port.
    pub from: (Ipv4Addr, u16),
    /// The UE's address and port.
    pub to: (Ipv4Addr, u16),
    /// Time between two packets, at least 100 us.
    pub interval: Duration,
    /// Octets of payload; the least is 24.
    pub size: u16,
}

const MAGIC: [u8; 4] = *b"hkpr";
const SMALLEST: u16 = 24;
const LARGEST: u16 = 1_400;

#[derive(Debug)]
pub(super) struct Running {
    pub(super) stream: ProbeStream,
    pub(super) sent: u32,
    pub(super) due: Instant,
}

impl Running {
    pub(super) fn new(now: Instant, mut stream: ProbeStream) -> Self {
        stream.interval = stream.interval.max(Duration::from_micros(100));
        stream.size = stream.size.clamp(SMALLEST, LARGEST);
        Self {
            stream,
            sent: 0,
            due: now,
        }
    }

    /// The next packet, if it is due. A stream that was not called in time does not catch up: what
    /// was missed is not sent later in a burst.
    pub(super) fn next(&mut self, now: Instant, id: StreamId) -> Option<Vec<u8>> {
        if now < self.due {
            return None;
        }
        self.due += self.stream.interval;
        if self.due <= now {
            self.due = now + self.stream.interval;
        }
        let mut payload = MAGIC.to_vec();
        payload.extend(id.0.to_be_bytes());
        payload.extend(self.sent.to_be_bytes());
        payload.extend(now.as_micros().to_be_bytes());
        payload.resize(usize::from(self.stream.size), 0);
        self.sent = self.sent.wrapping_add(1);
        let ProbeStream { from, to, .. } = self.stream;
        Some(udp(from, to, &payload))
    }
}

/// An IPv4 packet with a UDP datagram.
fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let repr = UdpRepr {
        src_port: from.1,
        dst_port: to.1,
    };
    let ip = Ipv4Repr {
        src_addr: from.0,
        dst_addr: to.0,
        next_header: IpProtocol::Udp,
        payload_len: repr.header_len() + payload.len(),
        hop_limit: 64,
    };
    let mut out = alloc::vec![0; ip.buffer_len() + ip.payload_len];
    let checksums = ChecksumCapabilities::default();
    let mut packet = Ipv4Packet::new_unchecked(&mut out);
    ip.emit(&mut packet, &checksums);
    let mut datagram = UdpPacket::new_unchecked(packet.payload_mut());
    repr.emit(
        &mut datagram,
        &IpAddress::from(IpAddr::V4(from.0)),
        &IpAddress::from(IpAddr::V4(to.0)),
        payload.len(),
        |to| to.copy_from_slice(payload),
        &checksums,
    );
    out
}
