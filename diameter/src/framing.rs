use alloc::vec::Vec;

use crate::error::{DecodeError, What};
use crate::message::HEADER_LEN;

/// The longest message that is taken unless the limit is set: 64 KiB.
pub const DEFAULT_MAX_MESSAGE: usize = 64 * 1024;

/// Cuts a byte stream into messages by the length in their header.
///
/// A wrong version or length ends the stream: there is no way to find the next message. The
/// buffer never holds more than one message and what was pushed at once.
#[derive(Debug)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// Where the next message starts in `buffer`.
    start: usize,
    max: usize,
    broken: bool,
}

impl Default for Deframer {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_MESSAGE)
    }
}

impl Deframer {
    /// A deframer that takes messages of at most `max` octets.
    pub const fn new(max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            max,
            broken: false,
        }
    }

    /// Takes octets of the stream; their boundaries mean nothing.
    pub fn push(&mut self, octets: &[u8]) {
        if self.broken {
            return;
        }
        if self.start == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..self.start);
        }
        self.start = 0;
        self.buffer.extend_from_slice(octets);
    }

    fn length(&self, rest: &[u8]) -> Result<Option<usize>, DecodeError> {
        let Some([version, l0, l1, l2]) = rest.first_chunk::<4>() else {
            // A wrong version shows in the first octet; do not wait for the rest.
            return match rest.first() {
                Some(v) if *v != 1 => Err(DecodeError {
                    at: 0,
                    what: What::Version(*v),
                }),
                _ => Ok(None),
            };
        };
        if *version != 1 {
            let what = What::Version(*version);
            return Err(DecodeError { at: 0, what });
        }
        let length = u32::from_be_bytes([0, *l0, *l1, *l2]);
        let octets = usize::try_from(length).unwrap_or(usize::MAX);
        if octets < HEADER_LEN || octets % 4 != 0 {
            let what = What::MessageLength(length);
            return Err(DecodeError { at: 1, what });
        }
        if octets > self.max {
            let what = What::MessageTooLong(length);
            return Err(DecodeError { at: 1, what });
        }
        Ok(Some(octets))
    }
}

impl Iterator for Deframer {
    type Item = Result<Vec<u8>, DecodeError>;

    /// The next whole message; after an error nothing more comes.
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.message()?.map(<[u8]>::to_vec))
    }
}

impl Deframer {
    /// The next whole message where it lies; after an error nothing more comes.
    pub fn message(&mut self) -> Option<Result<&[u8], DecodeError>> {
        if self.broken {
            return None;
        }
        let rest = self.buffer.get(self.start..)?;
        match self.length(rest) {
            Ok(None) => None,
            Ok(Some(length)) => {
                let end = self.start + length;
                let message = self.buffer.get(self.start..end)?;
                self.start = end;
                Some(Ok(message))
            }
            Err(error) => {
                self.broken = true;
                self.buffer = Vec::new();
                self.start = 0;
                Some(Err(error))
            }
        }
    }
}
