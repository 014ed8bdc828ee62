//! UDP sockets for threads that wait for packets and for other threads at once.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

mod batch;

pub use batch::{BatchSocket, Incoming};

/// Octets of the largest UDP payload over IPv4.
pub const MAX_DATAGRAM: usize = 65_507;

/// Wakes a thread that waits in [`Udp::wait`]. Clones wake the same thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Event>);

#[derive(Debug)]
struct Event {
    fd: OwnedFd,
    /// Whether the waiter was woken and has not looked yet: then waking again takes no call.
    is_set: AtomicBool,
}

impl Waker {
    /// A waker that nobody has used yet.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Event {
            fd: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            is_set: AtomicBool::new(false),
        })))
    }

    /// Ends the current or the next wait.
    pub fn wake(&self) {
        if !self.0.is_set.swap(true, Ordering::AcqRel) {
            let _ = rustix::io::write(&self.0.fd, &1_u64.to_ne_bytes());
        }
    }

    /// To be called before the waiter looks for what it was woken for. Whoever wakes it between
    /// the two steps has put down before what is then found; who comes later writes again.
    fn clear(&self) {
        let _ = rustix::io::read(&self.0.fd, &mut [0_u8; 8]);
        self.0.is_set.swap(false, Ordering::AcqRel);
    }
}

/// A bound UDP socket that never blocks.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Udp {
    /// Binds `address` (port 0: any free port) with socket buffers of about `buffer` octets each
    /// way, or what the system allows.
    ///
    /// # Errors
    /// When the address is in use or not of this machine.
    pub fn bind(address: SocketAddr, buffer: usize) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
        // Larger than the system allows is cut to what it allows, without an error.
        socket.set_recv_buffer_size(buffer)?;
        socket.set_send_buffer_size(buffer)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// The bound address, with the port that the system chose.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends one datagram; a full socket buffer drops it, as a network would.
    ///
    /// # Errors
    /// Whatever else the system says, such as an address that cannot be reached.
    pub fn send(&self, remote: SocketAddr, payload: &[u8]) -> io::Result<()> {
        match self.socket.send_to(payload, remote) {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Takes one datagram that has already arrived: its length in `buffer` and its source.
    ///
    /// # Errors
    /// Only what makes the socket unusable.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        loop {
            match self.socket.recv_from(buffer) {
                Ok(received) => return Ok(Some(received)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                // An ICMP error for something sent earlier: the peer's affair, not this packet's.
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits for a datagram, for `waker`, or for `timeout` (`None`: without end).
    ///
    /// # Errors
    /// When the system cannot wait on the socket.
    pub fn wait(&self, waker: &Waker, timeout: Option<Duration>) -> io::Result<()> {
        wait(&self.socket, waker, timeout)
    }
}

fn wait(socket: &UdpSocket, waker: &Waker, timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.map(|t| Timespec {
        tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(t.subsec_nanos()),
    });
    let mut fds = [
        PollFd::new(socket, PollFlags::IN),
        PollFd::new(&waker.0.fd, PollFlags::IN),
    ];
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    let [_, woken] = fds;
    if woken.revents().contains(PollFlags::IN) {
        waker.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_and_a_waker_both_end_the_wait() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (a, b) = (
            Udp::bind(any, 1 << 20).unwrap(),
            Udp::bind(any, 1 << 20).unwrap(),
        );
        let waker = Waker::new().unwrap();
        a.send(b.local(), b"hello").unwrap();
        b.wait(&waker, Some(Duration::from_secs(10))).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(b.receive(&mut buffer).unwrap(), Some((5, a.local())));
        assert_eq!(b.receive(&mut buffer).unwrap(), None);
        waker.wake();
        b.wait(&waker, None).unwrap();
    }

    #[test]
    fn an_address_in_use_is_said() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let held = Udp::bind(any, 0).unwrap();
        assert_eq!(
            Udp::bind(held.local(), 0).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
    }
}
