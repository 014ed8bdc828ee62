//! Where packets may leave for, as types: what is closed cannot be opened by mistake.

use core::net::IpAddr;

use crate::address_set::AddressSet;
use crate::config::{CheckedPrefix, DeclaredPrefixes};

/// Where packets of a closed tenant may leave for: its declared prefixes and nothing else.
///
/// There is one way to make one, from [`DeclaredPrefixes`], and each of those passed
/// [`CheckedPrefix::check`](crate::config::CheckedPrefix::check). So there is no default route
/// and no way to write one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedEgress {
    destinations: AddressSet,
}

impl ClosedEgress {
    /// The egress of a tenant with these prefixes.
    pub fn new(declared: &DeclaredPrefixes) -> Self {
        Self {
            destinations: declared.iter().map(CheckedPrefix::prefix).collect(),
        }
    }

    /// Whether packets leave for `destination`.
    pub fn permits(&self, destination: IpAddr) -> bool {
        self.destinations.contains(destination)
    }

    /// Every destination that packets leave for.
    pub const fn destinations(&self) -> &AddressSet {
        &self.destinations
    }

    /// Adds a destination that no tenant declared, for tests of the proof.
    #[cfg(test)]
    pub(crate) fn plant_leak(&mut self, prefix: heiiki_types::Prefix) {
        self.destinations.insert(prefix);
    }
}

/// Says that the caller is a lab: a scenario or a test, whose "outside" is a sentinel.
///
/// A gateway that serves real equipment never makes one. Whoever reviews this project searches
/// for `LabOnly::witness` and finds every place that can open an APN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabOnly(());

impl LabOnly {
    /// Testifies that the caller builds a lab.
    pub const fn witness() -> Self {
        Self(())
    }
}

/// The egress of a deliberately open lab APN, the positive control of the closedness proof: it
/// shows that the probes which find nothing outside a closed APN would find it if it were there.
///
/// What a tenant with this egress sends outside its declared prefixes is handed on as
/// [`UplinkVerdict::Sentinel`](crate::user_plane::UplinkVerdict::Sentinel), a verdict of its own
/// whose only far end is the [`Sentinel`](crate::sgi::Sentinel) of a simulated segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLabEgress(());

impl OpenLabEgress {
    /// Opens a lab APN.
    pub const fn new(_: LabOnly) -> Self {
        Self(())
    }
}
