use alloc::vec::Vec;

use heiiki_types::{Duration, Instant};

use super::datagram::{self, Datagram, End};
use crate::config::TenantId;

/// Asks a source for datagrams; see [`Order`].
const GO: &[u8] = b"hkgo";
/// Asks a sink what it has counted.
const ASK: &[u8] = b"hksq";
/// The answer to that.
const TOLD: &[u8] = b"hksr";

/// Streams of one shard; the next one is not begun.
const STREAMS: usize = 1_024;
/// Datagrams of one turn.
const TURN: usize = 128;
/// Datagrams of one stream before it is the next one's turn.
const SHARE: usize = 8;
/// Time between two turns of streams that are as fast as they can be.
const PAUSE: Duration = Duration::from_micros(20);
/// Octets of IPv4 and UDP headers.
const HEADERS: usize = 28;
/// Octets of the largest payload.
const LARGEST: usize = 1_472;
/// Octets of the smallest payload: its number.
const SMALLEST: usize = 4;
/// Octets of packets, simple IMIX (7:4:1).
const IMIX: [usize; 12] = [64, 64, 576, 64, 64, 576, 64, 1_400, 576, 64, 64, 576];
/// A controller asks its device so often,
const CYCLE: Duration = Duration::from_millis(100);
/// with so many octets,
const POLL: usize = 64;
/// until it has heard nothing for so long.
const DEVICE_LOST: Duration = Duration::from_secs(10);

/// What a sink has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sunk {
    pub(super) packets: u64,
    /// Octets of whole packets.
    pub(super) octets: u64,
}

impl Sunk {
    /// Counts a packet, or answers what was counted.
    pub(super) fn take(&mut self, payload: &[u8], length: usize) -> Option<[u8; 20]> {
        if !payload.starts_with(ASK) {
            self.packets += 1;
            self.octets += u64::try_from(length).unwrap_or(0);
            return None;
        }
        let mut answer = [0; 20];
        let parts = TOLD.iter().copied();
        let parts = parts.chain(self.packets.to_be_bytes());
        let parts = parts.chain(self.octets.to_be_bytes());
        for (place, octet) in answer.iter_mut().zip(parts) {
            *place = octet;
        }
        Some(answer)
    }
}

/// What a UE asks a source for: `hkgo`, how many datagrams (four octets), of how many octets with
/// all headers (two, zero for simple IMIX), two octets that are not used, how many a second (four,
/// zero for as many as there can be).
///
/// The payload begins with the number of the datagram, from zero, in four octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    count: u32,
    size: u16,
    rate: u32,
}

impl Order {
    fn read(payload: &[u8]) -> Option<Self> {
        let rest = payload.strip_prefix(GO)?;
        let (count, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let rate = rest.get(2..)?.first_chunk()?;
        Some(Self {
            count: u32::from_be_bytes(*count),
            size: u16::from_be_bytes(*size),
            rate: u32::from_be_bytes(*rate),
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    tenant: TenantId,
    ends: (End, End),
    class: u8,
    next: u32,
    left: u32,
    size: u16,
    /// None is as fast as it can be.
    interval: Option<Duration>,
    due: Instant,
    /// When nothing more is sent, unless the UE is heard before.
    until: Option<Instant>,
}

/// The streams of datagrams that UEs have asked for.
#[derive(Debug, Default)]
pub(super) struct Sources {
    streams: Vec<Stream>,
    /// Where the next turn begins.
    turn: usize,
    next: Option<Instant>,
}

impl Sources {
    /// Takes an order. A UE has one stream from a host: the next order takes its place.
    pub(super) fn order(&mut self, now: Instant, tenant: TenantId, asked: &Datagram<'_>) {
        let Some(order) = Order::read(asked.payload) else {
            return;
        };
        let interval = 1_000_000_u32.checked_div(order.rate);
        let interval = interval.map(|micros| Duration::from_micros(u64::from(micros.max(1))));
        self.begin(Stream {
            tenant,
            ends: (asked.to, asked.from),
            class: asked.class,
            next: 0,
            left: order.count,
            size: order.size,
            interval,
            due: now,
            until: None,
        });
    }

    /// Hears a device, which is asked in turn from now on.
    pub(super) fn device(&mut self, now: Instant, tenant: TenantId, heard: &Datagram<'_>) {
        let until = Some(now + DEVICE_LOST);
        let ends = (heard.to, heard.from);
        let known = |s: &&mut Stream| s.tenant == tenant && s.ends == ends;
        if let Some(stream) = self.streams.iter_mut().find(known) {
            stream.until = until;
            return;
        }
        self.begin(Stream {
            tenant,
            ends,
            class: heard.class,
            next: 0,
            left: u32::MAX,
            size: u16::try_from(POLL).unwrap_or(0),
            interval: Some(CYCLE),
            due: now,
            until,
        });
    }

    fn begin(&mut self, stream: Stream) {
        let is_same = |s: &Stream| s.tenant == stream.tenant && s.ends == stream.ends;
        if let Some(place) = self.streams.iter().position(is_same) {
            self.streams.swap_remove(place);
        }
        if self.streams.len() < STREAMS {
            self.next = Some(self.next.map_or(stream.due, |at| at.min(stream.due)));
            self.streams.push(stream);
        }
    }

    /// When the next turn is due.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// One turn: what is due leaves by `send`, up to a bound. `buffer` gives a vector to write to.
    pub(super) fn run(
        &mut self,
        now: Instant,
        mut buffer: impl FnMut() -> Vec<u8>,
        mut send: impl FnMut(TenantId, Vec<u8>),
    ) {
        if self.next.is_none_or(|at| at > now) {
            return;
        }
        let mut room = TURN;
        let count = self.streams.len();
        for step in 0..count {
            let place = (self.turn + step) % count;
            let Some(stream) = self.streams.get_mut(place) else {
                continue;
            };
            if stream.until.is_some_and(|until| until <= now) {
                continue;
            }
            let mut share = SHARE.min(room);
            while share > 0 && stream.left > 0 && stream.due <= now {
                let mut packet = buffer();
                stream.write(&mut packet);
                send(stream.tenant, packet);
                share -= 1;
                room -= 1;
                if let Some(interval) = stream.interval {
                    stream.due += interval;
                }
            }
            if room == 0 {
                self.turn = place + 1;
                break;
            }
        }
        self.streams
            .retain(|s| s.left > 0 && s.until.is_none_or(|until| now < until));
        let due = self.streams.iter().map(|s| match s.interval {
            Some(_) => s.due,
            None => now + PAUSE,
        });
        // What was due and had no room is due at once, but not at this very instant again.
        self.next = due.min().map(|at| at.max(now + Duration::from_micros(1)));
        if self.turn >= self.streams.len() {
            self.turn = 0;
        }
    }
}

/// What fills payloads.
const FILLING: [u8; LARGEST] = [0x5a; LARGEST];

impl Stream {
    fn write(&mut self, out: &mut Vec<u8>) {
        let number = usize::try_from(self.next).unwrap_or(0);
        let whole = match self.size {
            0 => IMIX.get(number % IMIX.len()).copied().unwrap_or(64),
            size => usize::from(size),
        };
        let length = whole.saturating_sub(HEADERS).clamp(SMALLEST, LARGEST);
        let filling = FILLING.get(SMALLEST..length).unwrap_or_default();
        let payload = (&self.next.to_be_bytes()[..], filling);
        datagram::write(self.ends, self.class, payload, true, out);
        self.next += 1;
        self.left -= 1;
    }
}
