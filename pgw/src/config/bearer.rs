use alloc::string::String;
use alloc::vec::Vec;

use heiiki_gtp::tft::{BearerKind, Operation, PacketFilter, Tft};
use heiiki_types::{Ambr, Arp, Qci};

/// When a bearer of a rule is set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BearerWhen {
    /// With every session of the access point.
    #[default]
    Attach,
    /// When an operator orders it for a session.
    Order,
}

/// A dedicated bearer that sessions of an access point get (TS 23.401 §5.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerRule {
    /// Its name in the administrative interface and in events.
    pub name: String,
    /// Its class; 1 to 4, 65 to 67 and 75 have a guaranteed rate.
    pub qci: Qci,
    /// Its priority.
    pub arp: Arp,
    /// The most that it carries; due with a guaranteed rate.
    pub mbr: Option<Ambr>,
    /// The rate that is guaranteed, not above `mbr`.
    pub gbr: Option<Ambr>,
    /// What it carries. Identifiers are given when the bearer is set up, and precedences to those
    /// filters that have zero.
    pub filters: Vec<PacketFilter>,
    /// When it is set up.
    pub when: BearerWhen,
}

impl BearerRule {
    /// The priority of a bearer whose rule says none: in the middle, and nobody's prey.
    pub const ARP: Arp = Arp {
        priority_level: 8,
        may_preempt: false,
        may_be_preempted: false,
    };

    /// What is wrong with it, for people; `None` when it can be set up.
    pub fn mistake(&self) -> Option<&'static str> {
        let above =
            |a: Ambr, b: Ambr| a.uplink_bps > b.uplink_bps || a.downlink_bps > b.downlink_bps;
        if self.name.is_empty() {
            return Some("a bearer needs a name");
        }
        if !(1..=15).contains(&self.arp.priority_level) {
            return Some("a priority level is 1 to 15");
        }
        match (has_guaranteed_rate(self.qci), self.gbr, self.mbr) {
            (true, Some(gbr), Some(mbr)) if above(gbr, mbr) => {
                return Some("the guaranteed rate is above the greatest one");
            }
            (true, Some(_), Some(_)) | (false, None, _) => {}
            (true, ..) => return Some("this class needs a guaranteed rate and a greatest one"),
            (false, Some(_), _) => return Some("this class has no guaranteed rate"),
        }
        let tft = Tft::new(Operation::CreateNew(numbered(&self.filters, &[])));
        tft.apply(BearerKind::Dedicated, None, &[])
            .err()
            .map(|f| f.why)
    }
}

/// Whether bearers of this class have a guaranteed rate (TS 23.203 Table 6.1.7-A).
pub(crate) const fn has_guaranteed_rate(qci: Qci) -> bool {
    matches!(qci.0, 1..=4 | 65..=67 | 71..=76 | 82..=85)
}

/// Filters with identifiers of their own, and with precedences for those that have zero: the first
/// that neither they nor `taken` use.
pub(crate) fn numbered(filters: &[PacketFilter], taken: &[u8]) -> Vec<PacketFilter> {
    let mut used: Vec<u8> = taken.to_vec();
    used.extend(filters.iter().map(|f| f.precedence));
    let mut out = Vec::new();
    for (identifier, filter) in (0..).zip(filters) {
        let mut filter = filter.clone();
        filter.identifier = identifier;
        if filter.precedence == 0
            && let Some(free) = (1..=u8::MAX).find(|p| !used.contains(p))
        {
            used.push(free);
            filter.precedence = free;
        }
        out.push(filter);
    }
    out
}
