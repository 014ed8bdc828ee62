use core::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng};

/// The only source of randomness of a machine, given to it when it is made.
///
/// A `ChaCha20` stream: good enough for RAND and TEIDs when seeded from the operating system, and
/// the same for the same seed in the virtual world.
#[derive(Clone)]
pub struct Rng(ChaCha20Rng);

impl Rng {
    /// The stream of a scenario seed; for runs that must repeat, never for real secrets.
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// The stream of 256 bits of operating-system entropy.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(entropy))
    }

    /// A stream of its own for the part called `label`, so that one part's draws do not shift
    /// another's.
    #[must_use]
    pub fn fork(&mut self, label: &str) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        // Labels are shorter than a seed; what is longer does not count.
        for (s, l) in seed.iter_mut().zip(label.as_bytes()) {
            *s ^= l;
        }
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Fills `out` with random octets.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// `N` random octets.
    pub fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A number below `bound`; zero when `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift: the bias is below bound / 2^64, of no account for link rules and spreads.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// True with probability `p` (0 to 1).
    pub fn chance(&mut self, p: f64) -> bool {
        // 53 bits are all that an f64 holds.
        #[expect(clippy::cast_precision_loss, reason = "the value has 53 bits")]
        let unit = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < p
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(..)")
    }
}
