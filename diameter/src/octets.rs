use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// Octets that fit without an allocation: names, numbers, IMSIs and keys do.
const INLINE: usize = 62;

/// The data of an AVP. Most are short, and a message has a dozen: short data lies in place.
///
/// It reads as a slice. `Debug` shows the length alone, since it may hold keys.
#[derive(Clone)]
pub struct Octets(Repr);

#[derive(Clone)]
enum Repr {
    Inline(u8, [u8; INLINE]),
    Heap(Vec<u8>),
}

impl Octets {
    /// No octets.
    pub const fn new() -> Self {
        Self(Repr::Inline(0, [0; INLINE]))
    }

    /// So many zeroes.
    pub fn zeroes(count: usize) -> Self {
        match u8::try_from(count) {
            Ok(short) if count <= INLINE => Self(Repr::Inline(short, [0; INLINE])),
            _ => Self(Repr::Heap(alloc::vec![0; count])),
        }
    }

    /// Removes all octets.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Keeps the first `count` octets.
    pub fn truncate(&mut self, count: usize) {
        match &mut self.0 {
            Repr::Inline(length, _) => {
                *length = u8::try_from(count).map_or(*length, |c| c.min(*length));
            }
            Repr::Heap(octets) => octets.truncate(count),
        }
    }

    /// Appends octets.
    pub fn extend_from_slice(&mut self, octets: &[u8]) {
        let length = self.len();
        let together = length + octets.len();
        if let (Repr::Inline(count, inline), Ok(new)) = (&mut self.0, u8::try_from(together))
            && let Some(room) = inline.get_mut(length..together)
        {
            room.copy_from_slice(octets);
            *count = new;
            return;
        }
        match &mut self.0 {
            Repr::Heap(heap) => heap.extend_from_slice(octets),
            Repr::Inline(..) => {
                let mut heap = Vec::with_capacity(together);
                heap.extend_from_slice(self);
                heap.extend_from_slice(octets);
                self.0 = Repr::Heap(heap);
            }
        }
    }
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(length, octets) => octets.get(..usize::from(*length)).unwrap_or(octets),
            Repr::Heap(octets) => octets,
        }
    }
}

impl DerefMut for Octets {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Repr::Inline(length, octets) => {
                let length = usize::from(*length).min(INLINE);
                octets.split_at_mut(length).0
            }
            Repr::Heap(octets) => octets,
        }
    }
}

impl Default for Octets {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&[u8]> for Octets {
    fn from(octets: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        match (u8::try_from(octets.len()), inline.get_mut(..octets.len())) {
            (Ok(length), Some(room)) => {
                room.copy_from_slice(octets);
                Self(Repr::Inline(length, inline))
            }
            _ => Self(Repr::Heap(octets.to_vec())),
        }
    }
}

impl From<Vec<u8>> for Octets {
    fn from(octets: Vec<u8>) -> Self {
        if octets.len() <= INLINE {
            Self::from(octets.as_slice())
        } else {
            Self(Repr::Heap(octets))
        }
    }
}

impl<const N: usize> From<[u8; N]> for Octets {
    fn from(octets: [u8; N]) -> Self {
        Self::from(octets.as_slice())
    }
}

impl fmt::Write for Octets {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Octets {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Eq for Octets {}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_behave_as_a_vector_of_every_length() {
        for first in 0..140 {
            for second in [0, 1, 61, 62, 63, 200] {
                let all: Vec<u8> = (0..first + second)
                    .map(|n| u8::try_from(n % 251).unwrap())
                    .collect();
                let mut octets = Octets::from(&all[..first]);
                assert_eq!(octets, all[..first]);
                octets.extend_from_slice(&all[first..]);
                assert_eq!(octets, all);
                assert_eq!(Octets::from(all.clone()), all);
                let copy = octets.clone();
                octets.truncate(first);
                assert_eq!(octets, all[..first]);
                octets.iter_mut().for_each(|o| *o = 0);
                assert_eq!(octets, Octets::zeroes(first));
                assert_eq!(copy, all);
                octets.clear();
                assert!(octets.is_empty());
            }
        }
    }

    #[test]
    fn short_data_is_no_larger_than_a_cache_line() {
        assert_eq!(size_of::<Octets>(), 64);
    }
}
