//! Groups of SIMs, and which of them reach each other.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::Imsi;

use super::{GroupConfig, GroupId, Mistake};

/// Groups that a tenant can have.
const GROUPS: usize = 64;

/// The groups of one tenant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    /// First and last IMSI of each range, in the order of the configuration.
    ranges: Vec<(Imsi, Imsi, GroupId)>,
    /// For each group, itself and the others, a bit each: who is reached.
    reaches: Vec<u64>,
}

impl Groups {
    /// The groups of a configuration, and what is wrong with them.
    pub(super) fn check(groups: &[GroupConfig]) -> (Self, Vec<(String, Mistake)>) {
        let mut mistakes = Vec::new();
        let mut own = Self {
            ranges: Vec::new(),
            reaches: alloc::vec![0; groups.len()],
        };
        if groups.len() > GROUPS {
            mistakes.push((String::from("groups"), Mistake::Group));
            return (Self::default(), mistakes);
        }
        let mut names = BTreeSet::new();
        for (id, (place, group)) in (1..).zip(groups.iter().enumerate()) {
            if group.name.is_empty() {
                mistakes.push((format!("groups[{place}].name"), Mistake::Name));
            }
            if !names.insert(&group.name) {
                mistakes.push((format!("groups[{place}].name"), Mistake::Duplicate));
            }
            for (j, (first, last)) in group.imsis.iter().enumerate() {
                if first > last {
                    mistakes.push((format!("groups[{place}].imsis[{j}]"), Mistake::Group));
                }
                own.ranges.push((*first, *last, GroupId(id)));
            }
            for (j, name) in group.reaches.iter().enumerate() {
                match groups.iter().position(|g| g.name == *name) {
                    Some(other) => own.join(place, other),
                    None => mistakes.push((
                        format!("groups[{place}].reaches[{j}]"),
                        Mistake::UnknownGroup,
                    )),
                }
            }
        }
        (own, mistakes)
    }

    fn join(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            if let Some(reaches) = self.reaches.get_mut(from) {
                *reaches |= 1 << to;
            }
        }
    }

    /// The group of a SIM.
    pub(crate) fn of(&self, imsi: Imsi) -> GroupId {
        let mut ranges = self.ranges.iter();
        let range = ranges.find(|(first, last, _)| (*first..=*last).contains(&imsi));
        range.map(|(.., id)| *id).unwrap_or_default()
    }

    /// Whether SIMs of two groups reach each other; none when neither is in a group, so that the
    /// tenant's policy counts.
    pub(crate) fn verdict(&self, from: GroupId, to: GroupId) -> Option<bool> {
        match (from.0.checked_sub(1), to.0.checked_sub(1)) {
            (None, None) => None,
            (Some(from), Some(to)) => {
                let reaches = self.reaches.get(usize::from(from));
                Some(reaches.is_some_and(|bits| bits >> to & 1 == 1))
            }
            _ => Some(false),
        }
    }

    /// Whether some SIMs reach each other by their groups.
    pub(crate) fn allow_any(&self) -> bool {
        self.reaches.iter().any(|bits| *bits != 0)
    }

    /// Whether there are no groups.
    pub(crate) const fn is_empty(&self) -> bool {
        self.reaches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, range: (&str, &str), reaches: &[&str]) -> GroupConfig {
        GroupConfig {
            name: name.into(),
            imsis: alloc::vec![(range.0.parse().unwrap(), range.1.parse().unwrap())],
            reaches: reaches.iter().map(|n| String::from(*n)).collect(),
        }
    }

    #[test]
    fn groups_reach_each_other_both_ways_or_not_at_all() {
        let (groups, mistakes) = Groups::check(&[
            group("cars", ("001010000000010", "001010000000019"), &["depot"]),
            group("depot", ("001010000000020", "001010000000020"), &["depot"]),
        ]);
        assert_eq!(mistakes, []);
        let of = |imsi: &str| groups.of(imsi.parse().unwrap());
        let (car, depot) = (of("001010000000019"), of("001010000000020"));
        let nobody = of("001010000000021");
        assert_eq!((car, depot, nobody), (GroupId(1), GroupId(2), GroupId(0)));
        assert_eq!(groups.verdict(car, depot), Some(true));
        assert_eq!(groups.verdict(depot, car), Some(true));
        assert_eq!(groups.verdict(depot, depot), Some(true));
        assert_eq!(groups.verdict(car, car), Some(false));
        assert_eq!(groups.verdict(car, nobody), Some(false));
        assert_eq!(groups.verdict(nobody, nobody), None);
    }

    #[test]
    fn mistakes_are_found() {
        let (_, mistakes) = Groups::check(&[group(
            "cars",
            ("001010000000019", "001010000000010"),
            &["dep"],
        )]);
        assert_eq!(mistakes[0], ("groups[0].imsis[0]".into(), Mistake::Group));
        assert_eq!(
            mistakes[1],
            ("groups[0].reaches[0]".into(), Mistake::UnknownGroup)
        );
    }
}
