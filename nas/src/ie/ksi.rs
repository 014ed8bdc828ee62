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
