//! Finds the entry of a request among thousands: chains of places, scattered by what tells requests
//! apart.

use alloc::vec;
use alloc::vec::Vec;

use crate::dictionary as d;
use crate::message::{CommandCode, Message};

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// Chains that there are at first.
const FEW: usize = 64;

/// What tells requests apart, whatever way they took (RFC 6733 §3, End-to-End Identifier). The
/// Session-Id is there for peers that start counting at the same number every time.
#[derive(Debug)]
pub(super) struct Key<'a> {
    end_to_end: u32,
    command: CommandCode,
    host: &'a [u8],
    session: &'a [u8],
    hash: u64,
}

/// A [`Key`] that is kept.
#[derive(Debug)]
pub(super) struct Name {
    end_to_end: u32,
    command: CommandCode,
    /// Octets of the host in `texts`.
    host: usize,
    /// Origin-Host and Session-Id.
    texts: Vec<u8>,
    hash: u64,
}

impl Default for Name {
    fn default() -> Self {
        Self {
            end_to_end: 0,
            command: CommandCode(0),
            host: 0,
            texts: Vec::new(),
            hash: 0,
        }
    }
}

impl Name {
    /// Takes another's place.
    pub(super) fn take(&mut self, key: &Key<'_>) {
        self.end_to_end = key.end_to_end;
        self.command = key.command;
        self.host = key.host.len();
        self.texts.clear();
        self.texts.extend_from_slice(key.host);
        self.texts.extend_from_slice(key.session);
        self.hash = key.hash;
    }

    pub(super) const fn command(&self) -> CommandCode {
        self.command
    }

    pub(super) const fn end_to_end(&self) -> u32 {
        self.end_to_end
    }

    fn is(&self, key: &Key<'_>) -> bool {
        self.hash == key.hash
            && self.end_to_end == key.end_to_end
            && self.command == key.command
            && self.texts.split_at_checked(self.host) == Some((key.host, key.session))
    }
}

/// The place of an entry in its chain.
#[derive(Debug)]
pub(super) struct Linked {
    next: u32,
    /// Whether it is in one.
    is: bool,
}

impl Default for Linked {
    fn default() -> Self {
        Self {
            next: NONE,
            is: false,
        }
    }
}

/// The heads of the chains.
#[derive(Debug)]
pub(super) struct Table {
    heads: Vec<u32>,
    linked: usize,
    seed: u64,
}

impl Table {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            heads: Vec::new(),
            linked: 0,
            seed,
        }
    }

    /// What tells a request apart.
    pub(super) fn key<'a>(&self, request: &'a Message) -> Key<'a> {
        let text = |def| request.find(def).map_or(&[][..], |avp| &avp.data);
        let (host, session) = (text(&d::ORIGIN_HOST), text(&d::SESSION_ID));
        let numbers = u64::from(request.end_to_end) << 32 | u64::from(request.command.0);
        let hash = scatter(mix(self.seed, numbers), session);
        Key {
            end_to_end: request.end_to_end,
            command: request.command,
            host,
            session,
            hash: scatter(hash, host),
        }
    }

    fn chain(&self, hash: u64) -> usize {
        // The number of chains is a power of two.
        usize::try_from(hash).unwrap_or(usize::MAX) & self.heads.len().saturating_sub(1)
    }

    /// The entry that was linked last among those with this key.
    pub(super) fn find<E>(&self, entries: &[E], key: &Key<'_>) -> Option<usize>
    where
        E: AsRef<Name> + AsRef<Linked>,
    {
        let mut at = *self.heads.get(self.chain(key.hash))?;
        while let Some(entry) = place(at).and_then(|at| entries.get(at)) {
            let (name, linked): (&Name, &Linked) = (entry.as_ref(), entry.as_ref());
            if name.is(key) {
                return place(at);
            }
            at = linked.next;
        }
        None
    }

    /// Puts an entry that has its name into its chain.
    pub(super) fn link<E>(&mut self, entries: &mut [E], at: usize)
    where
        E: AsRef<Name> + AsMut<Linked>,
    {
        if self.linked >= self.heads.len() {
            self.widen(entries);
        }
        self.put(entries, at);
        self.linked += 1;
    }

    fn put<E>(&mut self, entries: &mut [E], at: usize)
    where
        E: AsRef<Name> + AsMut<Linked>,
    {
        let (Some(entry), Ok(number)) = (entries.get_mut(at), u32::try_from(at)) else {
            return;
        };
        let name: &Name = entry.as_ref();
        let chain = self.chain(name.hash);
        if let Some(head) = self.heads.get_mut(chain) {
            *entry.as_mut() = Linked {
                next: core::mem::replace(head, number),
                is: true,
            };
        }
    }

    /// Twice as many chains.
    fn widen<E>(&mut self, entries: &mut [E])
    where
        E: AsRef<Name> + AsMut<Linked>,
    {
        self.heads = vec![NONE; (2 * self.heads.len()).max(FEW)];
        for at in 0..entries.len() {
            if entries.get_mut(at).is_some_and(|e| e.as_mut().is) {
                self.put(entries, at);
            }
        }
    }

    /// Takes an entry out of its chain, if it is in one.
    pub(super) fn unlink<E>(&mut self, entries: &mut [E], at: usize)
    where
        E: AsRef<Name> + AsRef<Linked> + AsMut<Linked>,
    {
        let Some(entry) = entries.get_mut(at) else {
            return;
        };
        let gone = core::mem::take(entry.as_mut());
        if !gone.is {
            return;
        }
        self.linked -= 1;
        let name: &Name = (*entry).as_ref();
        let chain = self.chain(name.hash);
        let Some(mut before) = self.heads.get(chain).copied() else {
            return;
        };
        if place(before) == Some(at) {
            if let Some(head) = self.heads.get_mut(chain) {
                *head = gone.next;
            }
            return;
        }
        while let Some(entry) = place(before).and_then(|at| entries.get_mut(at)) {
            let linked: &mut Linked = entry.as_mut();
            if place(linked.next) == Some(at) {
                linked.next = gone.next;
                return;
            }
            before = linked.next;
        }
    }
}

fn place(number: u32) -> Option<usize> {
    usize::try_from(number).ok().filter(|_| number != NONE)
}

/// Multiplies and folds: an odd constant whose bits look random.
const fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

fn scatter(hash: u64, text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = words
        .iter()
        .fold(hash, |hash, word| mix(hash, u64::from_ne_bytes(*word)));
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(l, r)| *l = *r);
    hash = mix(hash, u64::from_ne_bytes(last));
    mix(hash, u64::try_from(text.len()).unwrap_or(0))
}
