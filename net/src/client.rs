//! One TCP connection of a load tool: what is sent gathers in one buffer, what comes is cut into
//! messages by their own length, and a wait ends at a given time. And the plainest possible
//! server, for comparison.

use core::net::SocketAddr;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Octets that one read takes.
const READ: usize = 256 * 1024;

/// A connection of a client that never blocks but in [`wait`](Self::wait).
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    unsent: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    start: usize,
    end: usize,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            unsent: Vec::new(),
            sent: 0,
            received: vec![0; 2 * READ],
            start: 0,
            end: 0,
        })
    }

    /// Where to put what is to be sent.
    pub const fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Sends as much as goes now.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|r| !r.is_empty()) {
            match self.stream.write(rest) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(())
    }

    /// Waits until there is something to read, unsent octets can go on, or `nanos` are over.
    ///
    /// # Errors
    /// When the system cannot wait.
    pub fn wait(&mut self, nanos: u64) -> io::Result<()> {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, !self.unsent.is_empty());
        let mut fds = [PollFd::new(&self.stream, flags)];
        let timeout = Timespec {
            tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Reads what is there, if anything is.
    ///
    /// # Errors
    /// When the connection broke or ended.
    pub fn read(&mut self) -> io::Result<()> {
        if self.start > READ {
            self.received.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let Some(room) = self.received.get_mut(self.end..) else {
            return Ok(());
        };
        match self.stream.read(room) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                self.end += n;
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// The next whole message: `length` tells from its first octets how long it is.
    pub fn message(&mut self, length: impl FnOnce(&[u8]) -> Option<usize>) -> Option<&[u8]> {
        let rest = self.received.get(self.start..self.end)?;
        let length = length(rest)?;
        let message = rest.get(..length)?;
        self.start += length;
        Some(message)
    }
}

/// Echoes what one connection after the other sends, with one read and one write a message.
///
/// # Errors
/// When nothing can be accepted.
pub fn echo(listener: &TcpListener) -> io::Result<()> {
    let mut buffer = vec![0; READ];
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        while let Ok(n) = stream.read(&mut buffer) {
            let Some(octets) = buffer.get(..n).filter(|o| !o.is_empty()) else {
                break;
            };
            if stream.write_all(octets).is_err() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_by_their_length() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the server is another program")]
        std::thread::spawn(move || echo(&listener));
        let mut line = Line::connect(address).unwrap();
        for length in (1..200_u8).cycle().take(5_000) {
            line.outgoing().extend((0..length).map(|_| length));
        }
        let mut lengths = (1..200_u8).cycle().take(5_000);
        let mut expected = lengths.next();
        while let Some(length) = expected {
            line.flush().unwrap();
            line.read().unwrap();
            match line.message(|o| o.first().map(|n| usize::from(*n))) {
                Some(message) => {
                    assert!(message.iter().all(|o| *o == length));
                    assert_eq!(message.len(), usize::from(length));
                    expected = lengths.next();
                }
                None => line.wait(1_000_000).unwrap(),
            }
        }
    }
}
