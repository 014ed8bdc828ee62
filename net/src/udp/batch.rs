//! Datagrams by the batch: many of them for one system call, both ways.
//!
//! What costs is the path of each packet through the kernel, so the kernel is asked to join equal
//! datagrams of one sender as they arrive (UDP GRO) and to cut one large buffer into equal
//! datagrams as it leaves (UDP GSO); see udp(7).

use core::net::{IpAddr, SocketAddr};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg,
    sendmsg, setsockopt, sockopt,
};
use rustix::net::sockopt as options;

use super::{MAX_DATAGRAM, Udp, Waker, wait};

/// Buffers that one call fills. Each takes up to 64 datagrams of one size and sender.
const BUFFERS: usize = 32;
/// Octets of a buffer: what the kernel joins at most.
const BUFFER: usize = 65_536;
/// Datagrams that the kernel cuts one buffer into, at most.
const SEGMENTS: usize = 64;
/// Runs of equal datagrams that wait to be sent.
const RUNS: usize = 16;
/// Flows whose order is kept apart from each other's.
const FLOWS: usize = 256;

/// A bound UDP socket that never blocks, for batches.
#[derive(Debug)]
pub struct BatchSocket {
    socket: UdpSocket,
    local: SocketAddr,
    receive_buffer: usize,
    /// Whether the kernel cuts: it says so when it is first asked.
    cuts: bool,
    outgoing: Outgoing,
}

/// Where one batch of received datagrams lies. Used again for the next.
pub struct Incoming {
    octets: Vec<u8>,
    parts: [Part; BUFFERS],
    count: usize,
}

impl core::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Incoming")
            .field("buffers", &self.count)
            .finish_non_exhaustive()
    }
}

/// What is in one buffer: datagrams of `stride` octets, the last one perhaps shorter.
#[derive(Clone, Copy, Debug)]
struct Part {
    from: SocketAddr,
    length: usize,
    stride: usize,
}

impl Default for Incoming {
    fn default() -> Self {
        Self::new()
    }
}

impl Incoming {
    /// Room for a batch: two megabytes.
    pub fn new() -> Self {
        let from = SocketAddr::from(([0, 0, 0, 0], 0));
        let part = Part {
            from,
            length: 0,
            stride: 1,
        };
        Self {
            octets: vec![0; BUFFERS * BUFFER],
            parts: [part; BUFFERS],
            count: 0,
        }
    }

    /// The datagrams in the order of their arrival, each with its sender.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let parts = self.parts.iter().take(self.count);
        let buffers = self.octets.chunks_exact_mut(BUFFER);
        parts.zip(buffers).flat_map(|(part, buffer)| {
            let filled = buffer.get_mut(..part.length).unwrap_or_default();
            let whole = filled.is_empty();
            let datagrams = filled.chunks_mut(part.stride.max(1));
            // An empty datagram is one, too.
            let empty = whole.then_some(<&mut [u8]>::default());
            datagrams.chain(empty).map(|octets| (part.from, octets))
        })
    }

    /// Whether nothing was received.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Datagrams that leave together: same receiver, same traffic class, same size.
#[derive(Debug)]
struct Run {
    to: SocketAddr,
    class: u8,
    size: usize,
    count: usize,
    octets: Vec<u8>,
}

impl Run {
    fn takes(&self, to: SocketAddr, class: u8, size: usize) -> bool {
        self.size == size
            && self.class == class
            && self.to == to
            && self.count < SEGMENTS
            && self.octets.len() + size <= MAX_DATAGRAM
    }
}

/// Runs in the order in which they leave.
#[derive(Debug)]
struct Outgoing {
    runs: Vec<Run>,
    used: usize,
    /// The run that the last datagram of each flow is in: the next may not be in an earlier one.
    /// Flows that share a place only keep an order that nobody asked for.
    last: [u8; FLOWS],
}

impl BatchSocket {
    /// Binds `address` (port 0: any free port) with a receive buffer of `buffer` octets, or less
    /// where the system does not allow that much; [`receive_buffer`](Self::receive_buffer) says.
    ///
    /// # Errors
    /// When the address is in use or not of this machine.
    pub fn bind(address: SocketAddr, buffer: usize) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
        // Beyond the system's limit is for a privileged process; without, up to the limit.
        if options::set_socket_recv_buffer_size_force(&socket, buffer).is_err() {
            socket.set_recv_buffer_size(buffer)?;
        }
        if options::set_socket_send_buffer_size_force(&socket, buffer).is_err() {
            socket.set_send_buffer_size(buffer)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        // The kernel counts its own overhead in the size, and doubles what it is asked for.
        let receive_buffer = socket.recv_buffer_size()? / 2;
        let socket = UdpSocket::from(socket);
        // A kernel without it gives datagrams one by one.
        let _ = setsockopt(&socket, sockopt::UdpGroSegment, &true);
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            local,
            receive_buffer,
            cuts: true,
            outgoing: Outgoing::new(),
        })
    }

    /// A way to send by the batch from the address of a plain socket, whose owner goes on to
    /// receive.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn beside(udp: &Udp) -> io::Result<Self> {
        Ok(Self {
            socket: udp.socket.try_clone()?,
            local: udp.local,
            receive_buffer: 0,
            cuts: true,
            outgoing: Outgoing::new(),
        })
    }

    /// The bound address, with the port that the system chose.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Octets of received datagrams that the system keeps for this socket.
    pub const fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }

    /// Whether the kernel is asked to cut: by default, where it can. Without, each datagram takes a
    /// call.
    pub const fn set_cutting(&mut self, cuts: bool) {
        self.cuts = cuts;
    }

    /// Takes what has already arrived, up to a batch.
    ///
    /// # Errors
    /// Only what makes the socket unusable.
    pub fn receive(&self, incoming: &mut Incoming) -> io::Result<()> {
        // Twice what the last call took, or a few: headers are not free.
        let count = (incoming.count * 2 + 4).min(BUFFERS);
        incoming.count = 0;
        let space = cmsg_space!(i32);
        // Made anew for each call: the kernel writes lengths into them that the next call reads.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(count, Some(space));
        let mut slices = incoming.octets.chunks_exact_mut(BUFFER);
        let mut slices: [[IoSliceMut<'_>; 1]; BUFFERS] =
            core::array::from_fn(|_| [IoSliceMut::new(slices.next().unwrap_or_default())]);
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::empty();
        let received = match recvmmsg(fd, &mut headers, slices.iter_mut(), flags, None) {
            Ok(received) => received,
            // Nothing yet; or an ICMP error for something sent earlier, which is the peer's affair
            // and not this packet's. What had come before the error is for the next call.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for (message, part) in received.zip(&mut incoming.parts) {
            let length = message.bytes;
            let joined = message.cmsgs().ok().and_then(|mut all| {
                all.find_map(|one| match one {
                    ControlMessageOwned::UdpGroSegments(size) => usize::try_from(size).ok(),
                    _ => None,
                })
            });
            *part = Part {
                from: address(message.address.as_ref()).unwrap_or(part.from),
                length,
                stride: joined.filter(|size| *size > 0).unwrap_or(length),
            };
            incoming.count += 1;
        }
        Ok(())
    }

    /// Queues a datagram that consists of `header` and `payload`, to leave with the next
    /// [`flush`](Self::flush) at the latest. Datagrams of one `flow` keep their order; `class` is
    /// the octet of the IP header that tells traffic classes apart (RFC 2474).
    ///
    /// What cannot be sent is lost, as any datagram can be.
    pub fn push(&mut self, flow: u32, to: SocketAddr, class: u8, header: &[u8], payload: &[u8]) {
        let size = header.len() + payload.len();
        if size > MAX_DATAGRAM {
            return;
        }
        let place = usize::try_from(flow).unwrap_or(0) % FLOWS;
        let mut at = self.outgoing.find(place, to, class, size);
        if at.is_none() && self.outgoing.used == RUNS {
            self.flush();
        }
        let outgoing = &mut self.outgoing;
        if at.is_none() {
            at = outgoing.open(to, class, size);
        }
        let Some(run) = at.and_then(|at| outgoing.runs.get_mut(at)) else {
            return;
        };
        run.octets.extend_from_slice(header);
        run.octets.extend_from_slice(payload);
        run.count += 1;
        if let (Some(last), Some(Ok(at))) = (outgoing.last.get_mut(place), at.map(u8::try_from)) {
            *last = at;
        }
    }

    /// Sends everything that was queued.
    pub fn flush(&mut self) {
        if self.outgoing.used == 0 {
            return;
        }
        for run in self.outgoing.runs.iter().take(self.outgoing.used) {
            if self.cuts && run.count > 1 {
                match self.transmit(run, &run.octets, Some(run.size)) {
                    // A device, or a kernel, that does not cut.
                    Err(Errno::EIO | Errno::EINVAL | Errno::EOPNOTSUPP) => self.cuts = false,
                    Ok(()) | Err(_) => continue,
                }
            }
            for number in 0..run.count {
                let (from, to) = (number * run.size, (number + 1) * run.size);
                let datagram = run.octets.get(from..to).unwrap_or_default();
                let _ = self.transmit(run, datagram, None);
            }
        }
        self.outgoing.used = 0;
        self.outgoing.last.fill(0);
    }

    fn transmit(&self, run: &Run, octets: &[u8], cut: Option<usize>) -> Result<(), Errno> {
        let to = SockaddrStorage::from(run.to);
        let class = run.class;
        let size = cut.and_then(|size| u16::try_from(size).ok());
        let class = match run.to.ip() {
            IpAddr::V4(_) => ControlMessage::Ipv4Tos(&class),
            IpAddr::V6(_) => return self.transmit_v6(run, octets, size),
        };
        let fd = self.socket.as_raw_fd();
        let slices = [IoSlice::new(octets)];
        let flags = MsgFlags::empty();
        let sent = match &size {
            Some(size) => {
                let messages = [class, ControlMessage::UdpGsoSegments(size)];
                sendmsg(fd, &slices, &messages, flags, Some(&to))
            }
            None if run.class == 0 => sendmsg(fd, &slices, &[], flags, Some(&to)),
            None => sendmsg(fd, &slices, &[class], flags, Some(&to)),
        };
        sent.map(|_| ())
    }

    fn transmit_v6(&self, run: &Run, octets: &[u8], size: Option<u16>) -> Result<(), Errno> {
        let to = SockaddrStorage::from(run.to);
        let class = i32::from(run.class);
        let class = ControlMessage::Ipv6TClass(&class);
        let fd = self.socket.as_raw_fd();
        let slices = [IoSlice::new(octets)];
        let sent = match &size {
            Some(size) => {
                let messages = [class, ControlMessage::UdpGsoSegments(size)];
                sendmsg(fd, &slices, &messages, MsgFlags::empty(), Some(&to))
            }
            None => sendmsg(fd, &slices, &[class], MsgFlags::empty(), Some(&to)),
        };
        sent.map(|_| ())
    }

    /// Waits for a datagram, for `waker`, or for `timeout` (`None`: without end).
    ///
    /// # Errors
    /// When the system cannot wait on the socket.
    pub fn wait(&self, waker: &Waker, timeout: Option<core::time::Duration>) -> io::Result<()> {
        wait(&self.socket, waker, timeout)
    }
}

impl Outgoing {
    fn new() -> Self {
        Self {
            runs: Vec::with_capacity(RUNS),
            used: 0,
            last: [0; FLOWS],
        }
    }

    fn find(&self, place: usize, to: SocketAddr, class: u8, size: usize) -> Option<usize> {
        let from = usize::from(self.last.get(place).copied().unwrap_or(0));
        let runs = self.runs.get(from..self.used)?;
        let found = runs.iter().position(|run| run.takes(to, class, size))?;
        Some(from + found)
    }

    fn open(&mut self, to: SocketAddr, class: u8, size: usize) -> Option<usize> {
        let at = self.used;
        if at == self.runs.len() && at < RUNS {
            let octets = Vec::with_capacity(BUFFER);
            self.runs.push(Run {
                to,
                class,
                size,
                count: 0,
                octets,
            });
        }
        let run = self.runs.get_mut(at)?;
        (run.to, run.class, run.size, run.count) = (to, class, size, 0);
        run.octets.clear();
        self.used += 1;
        Some(at)
    }
}

fn address(storage: Option<&SockaddrStorage>) -> Option<SocketAddr> {
    let storage = storage?;
    let v4 = storage.as_sockaddr_in().map(|a| {
        let a = core::net::SocketAddrV4::from(*a);
        SocketAddr::V4(a)
    });
    v4.or_else(|| {
        storage
            .as_sockaddr_in6()
            .map(|a| SocketAddr::V6((*a).into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const ANY: &str = "127.0.0.1:0";

    fn pair() -> (BatchSocket, BatchSocket) {
        let bind = || BatchSocket::bind(ANY.parse().unwrap(), 4 << 20).unwrap();
        (bind(), bind())
    }

    fn receive_all(socket: &BatchSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let waker = Waker::new().unwrap();
        let mut incoming = Incoming::new();
        let mut all = Vec::new();
        while all.len() < count {
            socket.wait(&waker, Some(Duration::from_secs(10))).unwrap();
            socket.receive(&mut incoming).unwrap();
            assert!(!incoming.is_empty(), "{} of {count}", all.len());
            all.extend(incoming.datagrams().map(|(from, d)| (from, d.to_vec())));
        }
        all
    }

    /// Every flow numbers its datagrams; sizes and classes change at every turn.
    #[test]
    fn a_flow_keeps_its_order_whatever_is_joined() {
        let (mut a, b) = pair();
        let mut numbers = [0_u8; 20];
        let sizes = [1_400, 64, 576, 1_400, 64, 64, 300];
        for turn in 0..400_usize {
            let flow = (turn * 7) % 20;
            let size = sizes[turn % sizes.len()];
            let class = if turn % 11 == 0 { 0xb8 } else { 0 };
            let mut payload = vec![0; size - 2];
            payload[0] = numbers[flow];
            numbers[flow] += 1;
            let flow = u32::try_from(flow).unwrap();
            let header = [0xaa, u8::try_from(flow).unwrap()];
            a.push(flow, b.local(), class, &header, &payload);
        }
        a.flush();
        let mut seen = [0_u8; 20];
        for (from, datagram) in receive_all(&b, 400) {
            assert_eq!(from, a.local());
            assert_eq!(datagram[0], 0xaa);
            let flow = usize::from(datagram[1]);
            assert_eq!(datagram[2], seen[flow], "flow {flow}");
            seen[flow] += 1;
        }
        assert_eq!(seen, numbers);
    }

    #[test]
    fn many_of_one_size_arrive_whole() {
        let (mut a, b) = pair();
        for n in 0..500_u32 {
            let mut payload = [7_u8; 1_400];
            payload[..4].copy_from_slice(&n.to_be_bytes());
            a.push(n % 3, b.local(), 0, &[1; 8], &payload);
        }
        a.flush();
        let all = receive_all(&b, 500);
        let mut numbers: Vec<u32> = all
            .iter()
            .map(|(_, d)| {
                assert_eq!(d.len(), 1_408);
                assert!(d[..8] == [1; 8] && d[12..].iter().all(|o| *o == 7));
                u32::from_be_bytes(d[8..12].try_into().unwrap())
            })
            .collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..500));
    }

    #[test]
    fn an_empty_datagram_and_a_large_one_are_datagrams() {
        let (mut a, b) = pair();
        a.push(0, b.local(), 0, &[], &[]);
        a.push(0, b.local(), 0, &[1; 8], &vec![2; 60_000]);
        a.push(0, b.local(), 0, &[], &vec![0; MAX_DATAGRAM + 1]);
        a.flush();
        let all = receive_all(&b, 2);
        let lengths: Vec<usize> = all.iter().map(|(_, d)| d.len()).collect();
        assert_eq!(lengths, [0, 60_008]);
    }

    /// The class is in the IP header, which a plain socket with `IP_RECVTOS` sees; it must be each
    /// datagram's own.
    #[test]
    fn classes_are_not_mixed() {
        let (mut a, b) = pair();
        options::set_ip_recvtos(&b.socket, true).unwrap();
        for class in [0xb8, 0, 0xb8, 0x28] {
            a.push(1, b.local(), class, &[class], &[0; 99]);
        }
        a.flush();
        let mut seen = Vec::new();
        while seen.len() < 4 {
            let mut buffer = [0; 4_096];
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let mut space = cmsg_space!(i32, i32);
            let fd = b.socket.as_raw_fd();
            let message = nix::sys::socket::recvmsg::<SockaddrStorage>(
                fd,
                &mut slices,
                Some(&mut space),
                MsgFlags::empty(),
            );
            let Ok(message) = message else { continue };
            let class = message.cmsgs().unwrap().find_map(|one| match one {
                ControlMessageOwned::Ipv4Tos(class) => Some(class),
                _ => None,
            });
            let length = message.bytes;
            let class = class.unwrap();
            let firsts = buffer[..length].chunks(100).map(|d| d[0]);
            seen.extend(firsts.map(|first| (first, class)));
        }
        assert!(seen.iter().all(|(first, class)| first == class), "{seen:?}");
    }

    #[test]
    fn the_buffer_that_the_system_gives_is_said() {
        let small = BatchSocket::bind(ANY.parse().unwrap(), 100_000).unwrap();
        assert_eq!(small.receive_buffer(), 100_000);
    }
}
