use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heiiki_types::Prefix;

/// A set of IP addresses, kept as sorted ranges that neither touch nor overlap.
///
/// It is what the forwarding tables of a worker are made of, and also what the closedness proof
/// computes with, so that the proof reads the very ranges that packets are looked up in. IPv4 and
/// IPv6 addresses are different addresses, IPv4-mapped ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

trait Number: Copy + Ord {
    fn next(self) -> Option<Self>;
    fn previous(self) -> Option<Self>;
}

impl Number for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl Number for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

fn normalise<N: Number>(ranges: &mut Vec<(N, N)>) {
    ranges.sort_unstable();
    let mut out: Vec<(N, N)> = Vec::with_capacity(ranges.len());
    for &(first, last) in ranges.iter() {
        match out.last_mut() {
            Some(open) if open.1.next().is_none_or(|n| first <= n) => {
                open.1 = open.1.max(last);
            }
            _ => out.push((first, last)),
        }
    }
    *ranges = out;
}

fn subtract<N: Number>(from: &[(N, N)], what: &[(N, N)]) -> Vec<(N, N)> {
    let mut out = Vec::new();
    for &(first, last) in from {
        let mut rest = Some(first);
        for &(w_first, w_last) in what.iter().filter(|w| w.1 >= first && w.0 <= last) {
            let Some(start) = rest else { break };
            if w_first > start
                && let Some(end) = w_first.previous()
            {
                out.push((start, end));
            }
            rest = w_last.next().map(|n| n.max(start)).filter(|n| *n <= last);
        }
        if let Some(start) = rest {
            out.push((start, last));
        }
    }
    out
}

fn holds<N: Number>(ranges: &[(N, N)], value: N) -> bool {
    let after = ranges.partition_point(|r| r.0 <= value);
    after
        .checked_sub(1)
        .and_then(|i| ranges.get(i))
        .is_some_and(|r| value <= r.1)
}

impl AddressSet {
    /// The set without members.
    pub const fn new() -> Self {
        Self {
            v4: Vec::new(),
            v6: Vec::new(),
        }
    }

    /// All of IPv4 and all of IPv6.
    pub fn everything() -> Self {
        Self {
            v4: alloc::vec![(0, u32::MAX)],
            v6: alloc::vec![(0, u128::MAX)],
        }
    }

    /// Adds the addresses of a prefix.
    pub fn insert(&mut self, prefix: Prefix) {
        self.insert_range(prefix.first(), prefix.last());
    }

    /// Adds every address from `first` to `last`; nothing when they are of different versions or
    /// out of order.
    pub fn insert_range(&mut self, first: IpAddr, last: IpAddr) {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
                self.v4.push((first.to_bits(), last.to_bits()));
                normalise(&mut self.v4);
            }
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
                self.v6.push((first.to_bits(), last.to_bits()));
                normalise(&mut self.v6);
            }
            _ => {}
        }
    }

    /// Whether `address` is a member.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => holds(&self.v4, a.to_bits()),
            IpAddr::V6(a) => holds(&self.v6, a.to_bits()),
        }
    }

    /// Whether nothing is a member.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Everything that is in `self` and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            v4: subtract(&self.v4, &other.v4),
            v6: subtract(&self.v6, &other.v6),
        }
    }

    /// Everything that is in `self`, in `other` or in both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.v4.extend_from_slice(&other.v4);
        out.v6.extend_from_slice(&other.v6);
        normalise(&mut out.v4);
        normalise(&mut out.v6);
        out
    }

    /// The ranges, IPv4 first, each as its first and last address.
    pub fn ranges(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        let v4 = self.v4.iter().map(|&(a, b)| {
            let v4 = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
            (v4(a), v4(b))
        });
        let v6 = self.v6.iter().map(|&(a, b)| {
            let v6 = |bits| IpAddr::V6(Ipv6Addr::from_bits(bits));
            (v6(a), v6(b))
        });
        v4.chain(v6)
    }
}

impl FromIterator<Prefix> for AddressSet {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let mut set = Self::new();
        prefixes.into_iter().for_each(|p| set.insert(p));
        set
    }
}

/// A range prints as `10.20.0.0-10.20.255.255`, the form that an auditor compares.
impl serde::Serialize for AddressSet {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.ranges().map(|(a, b)| alloc::format!("{a}-{b}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(prefixes: &[&str]) -> AddressSet {
        prefixes
            .iter()
            .map(|p| p.parse::<Prefix>().unwrap())
            .collect()
    }

    fn has(set: &AddressSet, address: &str) -> bool {
        set.contains(address.parse().unwrap())
    }

    #[test]
    fn neighbours_merge() {
        assert_eq!(set(&["10.0.0.0/9", "10.128.0.0/9"]), set(&["10.0.0.0/8"]));
        assert_eq!(set(&["0.0.0.0/0", "10.0.0.0/8"]), set(&["0.0.0.0/0"]));
        let all = set(&["0.0.0.0/0", "::/0"]);
        assert_eq!(all, AddressSet::everything());
    }

    #[test]
    fn membership_at_the_edges() {
        let s = set(&["10.20.0.0/16", "fd00::/8", "192.168.1.0/24"]);
        assert!(has(&s, "10.20.0.0") && has(&s, "10.20.255.255"));
        assert!(!has(&s, "10.19.255.255") && !has(&s, "10.21.0.0"));
        assert!(has(&s, "fdff::1") && !has(&s, "fe00::"));
        // An IPv4-mapped address is an IPv6 address.
        assert!(!has(&s, "::ffff:10.20.0.1"));
    }

    #[test]
    fn subtraction_cuts_holes_and_ends() {
        let s = set(&["10.0.0.0/8"]);
        let rest = s.minus(&set(&["10.0.0.0/16", "10.20.0.0/16", "10.255.0.0/16"]));
        assert!(!has(&rest, "10.0.255.255") && has(&rest, "10.1.0.0"));
        assert!(!has(&rest, "10.20.5.5") && has(&rest, "10.21.0.0"));
        assert!(!has(&rest, "10.255.255.255") && has(&rest, "10.254.255.255"));
        assert!(s.minus(&set(&["0.0.0.0/0"])).is_empty());
        assert!(s.minus(&s).is_empty());
        assert_eq!(s.minus(&AddressSet::new()), s);
        let everything = AddressSet::everything();
        assert!(everything.minus(&everything).is_empty());
    }

    #[test]
    fn subtraction_agrees_with_membership() {
        let mut rng = heiiki_types::Rng::from_seed(7);
        let mut random = |n: usize| {
            let mut s = AddressSet::new();
            for _ in 0..n {
                let first = u32::try_from(rng.below(200)).unwrap();
                let last = first + u32::try_from(rng.below(20)).unwrap();
                let v4 = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
                s.insert_range(v4(first), v4(last));
            }
            s
        };
        for _ in 0..300 {
            let (a, b) = (random(6), random(6));
            let (minus, plus) = (a.minus(&b), a.plus(&b));
            for bits in 0..230 {
                let x = IpAddr::V4(Ipv4Addr::from_bits(bits));
                assert_eq!(minus.contains(x), a.contains(x) && !b.contains(x));
                assert_eq!(plus.contains(x), a.contains(x) || b.contains(x));
            }
        }
    }
}
