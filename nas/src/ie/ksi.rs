use core::fmt;

/// NAS key set identifier, TS 24.301 §9.9.3.21: which security context a message is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ksi(u8);

impl Ksi {
    /// The UE has no key.
    pub const NO_KEY: Self = Self(7);

    /// A native key set, 0 to 6.
    pub const fn new(value: u8) -> Option<Self> {
        if value <= 6 { Some(Self(value)) } else { None }
    }

    /// The key set identifier, 7 when there is none.
    pub const fn value(self) -> u8 {
        self.0 & 7
    }

    /// Whether the context was mapped from another access (the TSC flag).
    pub const fn is_mapped(self) -> bool {
        self.0 & 8 != 0
    }

    /// The native key set after this one, for the next authentication; 0 follows 6 and none.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.value() {
            n @ 0..=5 => Self(n + 1),
            _ => Self(0),
        }
    }

    pub(crate) const fn from_half(half: u8) -> Self {
        // The TSC flag means nothing beside "no key".
        match half & 15 {
            n if n & 7 == 7 => Self::NO_KEY,
            n => Self(n),
        }
    }

    pub(crate) const fn half(self) -> u8 {
        self.0
    }
}

impl fmt::Debug for Ksi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NO_KEY => f.write_str("Ksi(no key)"),
            k if k.is_mapped() => write!(f, "Ksi({}, mapped)", k.value()),
            k => write!(f, "Ksi({})", k.value()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_one_value_with_and_without_the_flag() {
        // TS 24.301 Table 9.9.3.21.1: the TSC flag does not apply to 111.
        assert_eq!(Ksi::from_half(0x7), Ksi::NO_KEY);
        assert_eq!(Ksi::from_half(0xf), Ksi::NO_KEY);
        assert_eq!(Ksi::new(7), None);
        let mapped = Ksi::from_half(0xb);
        assert!(mapped.is_mapped() && mapped.value() == 3 && mapped != Ksi::from_half(3));
    }

    #[test]
    fn key_sets_follow_each_other_in_a_ring() {
        let all: [u8; 9] =
            core::array::from_fn(|n| (0..n).fold(Ksi::NO_KEY.next(), |k, _| k.next()).value());
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 0, 1]);
    }
}
