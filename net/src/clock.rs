//! The machine's clocks.

use std::fs;

use heiiki_types::{Instant, Now, WallTime};
use rustix::time::{ClockId, Timespec, clock_gettime};

fn micros(t: Timespec) -> u64 {
    let seconds = u64::try_from(t.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(t.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000)
        .saturating_add(nanos / 1_000)
}

/// `CLOCK_MONOTONIC`: the same for every process until the machine restarts.
pub fn monotonic() -> Instant {
    Instant::from_micros(micros(clock_gettime(ClockId::Monotonic)))
}

/// `CLOCK_MONOTONIC` in nanoseconds, for measuring.
pub fn nanos() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(t.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(t.tv_nsec).unwrap_or(0))
}

/// Both clocks.
pub fn now() -> Now {
    let wall = WallTime::from_unix_micros(micros(clock_gettime(ClockId::Realtime)));
    Now {
        at: monotonic(),
        wall,
    }
}

/// Tells this start of the machine from any other, so that monotonic stamps of two processes are
/// compared only when they mean the same clock. Empty when the system does not say.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// 256 bits of operating-system entropy for [`heiiki_types::Rng::from_entropy`].
///
/// # Errors
/// When the system has no random source.
pub fn entropy() -> std::io::Result<[u8; 32]> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(std::io::Error::other)?;
    Ok(octets)
}
