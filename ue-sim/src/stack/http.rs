//! The receiving half of an HTTP/1.1 exchange: status line, headers, and a body that is hashed and
//! counted instead of kept (RFC 9112 §4, §6.3).

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::event::Digest;

/// Octets of a body that are kept.
pub const KEPT: usize = 4_096;

const HEAD_MAX: usize = 8_192;

/// Reads one response.
pub(super) struct Response {
    state: State,
    head: Vec<u8>,
    status: u16,
    hash: Sha256,
    bytes: u64,
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// The body has this many octets left.
    Counted(u64),
    /// The body ends with the connection.
    ToEnd,
    Done,
}

impl Response {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            head: Vec::new(),
            status: 0,
            hash: Sha256::new(),
            bytes: 0,
            kept: Vec::new(),
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes what the connection delivered. An error says what is wrong with the response.
    pub(super) fn push(&mut self, octets: &[u8]) -> Result<(), &'static str> {
        match self.state {
            State::Head => self.push_head(octets),
            State::Counted(left) => {
                let take = usize::try_from(left).unwrap_or(usize::MAX);
                let body = octets.get(..take).unwrap_or(octets);
                self.push_body(body);
                let left = left - u64::try_from(body.len()).unwrap_or(left);
                self.state = if left == 0 {
                    State::Done
                } else {
                    State::Counted(left)
                };
                Ok(())
            }
            State::ToEnd => {
                self.push_body(octets);
                Ok(())
            }
            State::Done => Ok(()),
        }
    }

    /// The connection ended: in order when the body was to end with it.
    pub(super) fn end(&mut self) -> Result<(), &'static str> {
        match self.state {
            State::Done => Ok(()),
            State::ToEnd => {
                self.state = State::Done;
                Ok(())
            }
            State::Head => Err("connection ended before the headers"),
            State::Counted(_) => Err("connection ended inside the body"),
        }
    }

    /// Status, octets, hash and first octets of the body.
    pub(super) fn finish(self) -> (u16, u64, Digest, Vec<u8>) {
        let digest = Digest(self.hash.finalize().into());
        (self.status, self.bytes, digest, self.kept)
    }

    fn push_head(&mut self, octets: &[u8]) -> Result<(), &'static str> {
        let seen = self.head.len();
        self.head.extend_from_slice(octets);
        // The end may straddle what came before.
        let from = seen.saturating_sub(3);
        let end = self
            .head
            .get(from..)
            .unwrap_or_default()
            .windows(4)
            .position(|w| w == b"\r\n\r\n");
        let Some(end) = end else {
            return if self.head.len() > HEAD_MAX {
                Err("headers too long")
            } else {
                Ok(())
            };
        };
        let body = self.head.split_off(from + end + 4);
        self.state = self.parse_head()?;
        self.head = Vec::new();
        if self.state == State::Counted(0) {
            self.state = State::Done;
        }
        self.push(&body)
    }

    fn parse_head(&mut self) -> Result<State, &'static str> {
        let text = core::str::from_utf8(&self.head).map_err(|_| "headers are not text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap_or_default();
        self.status = status
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5))
            .and_then(|code| code.parse().ok())
            .ok_or("not an HTTP/1 response")?;
        let mut state = State::ToEnd;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                let length = value.trim().parse().map_err(|_| "bad Content-Length")?;
                state = State::Counted(length);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err("Transfer-Encoding is not understood");
            }
        }
        Ok(state)
    }

    fn push_body(&mut self, octets: &[u8]) {
        self.hash.update(octets);
        self.bytes += u64::try_from(octets.len()).unwrap_or(0);
        let room = KEPT.saturating_sub(self.kept.len()).min(octets.len());
        self.kept
            .extend_from_slice(octets.get(..room).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn a_body_in_any_pieces_has_the_same_hash() {
        let octets = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\nX: y\r\n\r\nhello";
        for size in 1..octets.len() {
            let mut r = Response::new();
            for piece in octets.chunks(size) {
                r.push(piece).unwrap();
            }
            assert!(r.is_done());
            let (status, bytes, digest, kept) = r.finish();
            assert_eq!((status, bytes, kept.as_slice()), (200, 5, &b"hello"[..]));
            assert_eq!(digest.to_string(), HELLO);
        }
    }

    #[test]
    fn a_body_may_end_with_the_connection_only_without_a_length() {
        let mut r = Response::new();
        r.push(b"HTTP/1.0 404 Not Found\r\n\r\nhello").unwrap();
        assert!(!r.is_done());
        assert_eq!(r.end(), Ok(()));
        let mut r = Response::new();
        r.push(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello")
            .unwrap();
        assert!(r.end().is_err());
        assert_eq!(r.bytes(), 5);
    }

    #[test]
    fn nonsense_is_an_error() {
        for bad in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(Response::new().push(bad).is_err());
        }
        let mut r = Response::new();
        assert!(r.push(&[b'x'; HEAD_MAX + 1]).is_err());
    }

    #[test]
    fn only_the_beginning_is_kept() {
        let mut r = Response::new();
        r.push(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            .unwrap();
        r.push(&[7; 10_000]).unwrap();
        let (_, bytes, _, kept) = r.finish();
        assert_eq!((bytes, kept.len()), (10_000, KEPT));
    }
}
