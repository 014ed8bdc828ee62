//! Import: subscribers from a file or a call. Rows that the store has already stay as they are.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use heiiki_types::{Ambr, Apn, Imsi, Key128, Msisdn, Prefix};

use super::{ApnSubscription, PdnKind, Profile, ProfileOptions, State, SubscribedApn, Subscribers};
use crate::auc::sqn::Sqn;

/// The most access points that one SIM may have.
const APNS_MAX: usize = 50;

/// What a SIM without a profile may send and receive.
pub(crate) const NO_AMBR: Ambr = Ambr {
    uplink_bps: 0,
    downlink_bps: 0,
};

/// A subscriber as a file describes it.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "keys must not print")]
pub struct SubscriberImport {
    /// The identity.
    pub imsi: Imsi,
    /// The subscriber key.
    pub k: Key128,
    /// OPc; from OP by [`opc`](crate::auc::milenage::opc).
    pub opc: Key128,
    /// Authentication management field. The separation bit is set in every vector for E-UTRAN
    /// whatever is given here.
    pub amf: [u8; 2],
    /// The highest SQN in use, 48 bits; `None` for a card that was never used.
    pub sqn: Option<u64>,
    /// The number.
    pub msisdn: Option<Msisdn>,
    /// The owner.
    pub tenant: String,
    /// A group within the tenant, for orders that go to many SIMs; empty for none.
    pub group: String,
    /// The access points, the default one first.
    pub apns: Vec<SubscribedApn>,
    /// The bandwidth of all non-GBR bearers of the UE.
    pub ue_ambr: Ambr,
    /// What else the subscription says.
    pub options: ProfileOptions,
    /// The state to begin with.
    pub state: State,
}

impl SubscriberImport {
    /// What the row has in common with others.
    pub(crate) fn profile(&self) -> Profile {
        let apns = self.apns.iter().map(|entry| ApnSubscription {
            apn: entry.apn.clone(),
            pdn: entry.pdn,
            ambr: entry.ambr,
            qci: entry.qci,
            arp: entry.arp,
            charging_characteristics: entry.charging_characteristics,
        });
        Profile {
            ue_ambr: self.ue_ambr,
            apns: apns.collect(),
            barring: self.options.barring,
            access_restriction: self.options.access_restriction,
            periodic_update_s: self.options.periodic_update_s,
            charging_characteristics: self.options.charging_characteristics,
        }
    }

    /// Its own addresses, by the position of the access point.
    pub(crate) fn static_ips(&self) -> Vec<(u8, IpAddr)> {
        let entries = (0..).zip(&self.apns);
        entries
            .flat_map(|(n, e)| e.static_addresses().map(move |ip| (n, ip)))
            .collect()
    }
}

/// Why a row cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportFault {
    /// The same IMSI is in the import twice.
    DuplicateImsi {
        /// The position of the first one.
        first: usize,
    },
    /// The row has no access point.
    NoApn,
    /// The row has more access points than a profile may hold.
    TooManyApns,
    /// The access point is in the row twice.
    DuplicateApn(Apn),
    /// The SQN has more than 48 bits.
    SqnTooLarge,
    /// The static address belongs to another SIM of the tenant at this access point.
    StaticAddressTaken {
        /// The access point.
        apn: Apn,
        /// The address.
        address: IpAddr,
        /// Whose it is.
        by: Imsi,
    },
    /// The static IPv6 prefix is not one of 64 bits.
    NotAPrefix64(Prefix),
    /// The SIM has a static IPv6 prefix where it gets IPv4 alone.
    NoIpv6(Apn),
    /// The store is full.
    StoreFull,
    /// The SIM is new, and the row has no keys.
    NoSecrets,
    /// The store has this SIM with other contents.
    Differs(Vec<&'static str>),
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateImsi { first } => {
                write!(f, "the IMSI is there already, in row {}", first + 1)
            }
            Self::NoApn => f.write_str("the SIM has no access point: give it at least one"),
            Self::TooManyApns => write!(f, "the SIM has more than {APNS_MAX} access points"),
            Self::DuplicateApn(apn) => write!(f, "the access point {apn} is there twice"),
            Self::SqnTooLarge => f.write_str("an SQN has 48 bits: at most 281474976710655"),
            Self::StaticAddressTaken { apn, address, by } => write!(
                f,
                "the static address {address} at {apn} belongs to {by}: choose another"
            ),
            Self::NotAPrefix64(prefix) => write!(
                f,
                "the static IPv6 prefix {prefix} is not one of 64 bits, such as 2001:db8:0:1::/64"
            ),
            Self::NoIpv6(apn) => write!(
                f,
                "the SIM has a static IPv6 prefix at {apn} and gets IPv4 alone there: let `pdn` be \
                 `v6`, `v4_v6` or `v4_or_v6`"
            ),
            Self::NoSecrets => f.write_str(
                "the store has no such SIM, and the row has no keys: add `k`, and `opc` or `op`",
            ),
            Self::Differs(parts) => write!(
                f,
                "the store has this SIM with another {}: it stays as it is, unless the call says to update",
                parts.join(", ")
            ),
            Self::StoreFull => f.write_str("the store holds as many subscribers as it may"),
        }
    }
}

/// A row that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// The row's position in the import, from 0.
    pub index: usize,
    /// Whose row it is.
    pub imsi: Imsi,
    /// What is wrong with it.
    pub what: ImportFault,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.imsi, self.what)
    }
}

impl core::error::Error for ImportError {}

/// Everything that is wrong with an import by itself: all of it, not only the first.
pub(crate) fn check<'a>(
    import: impl Iterator<Item = &'a SubscriberImport>,
    room: usize,
) -> Vec<ImportError> {
    let mut errors = Vec::new();
    let mut first = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for (index, row) in import.enumerate() {
        let mut fault = |what| {
            errors.push(ImportError {
                index,
                imsi: row.imsi,
                what,
            });
        };
        if let Some(first) = first.insert(row.imsi, index) {
            fault(ImportFault::DuplicateImsi { first });
            continue;
        }
        if index >= room {
            fault(ImportFault::StoreFull);
        }
        if row.apns.is_empty() {
            fault(ImportFault::NoApn);
        }
        if row.apns.len() > APNS_MAX {
            fault(ImportFault::TooManyApns);
        }
        if row.sqn.is_some_and(|sqn| Sqn::from_value(sqn).is_none()) {
            fault(ImportFault::SqnTooLarge);
        }
        let mut apns = BTreeSet::new();
        for entry in &row.apns {
            if !apns.insert(&entry.apn) {
                fault(ImportFault::DuplicateApn(entry.apn.clone()));
            }
            if let Some(prefix) = entry.static_ipv6 {
                if prefix.length() != 64 || prefix.is_ipv4() {
                    fault(ImportFault::NotAPrefix64(prefix));
                } else if entry.pdn == PdnKind::V4 {
                    fault(ImportFault::NoIpv6(entry.apn.clone()));
                }
            }
            for address in entry.static_addresses() {
                let key = (row.tenant.as_str(), &entry.apn, address);
                if let Some(by) = addresses.insert(key, row.imsi) {
                    let apn = entry.apn.clone();
                    fault(ImportFault::StaticAddressTaken { apn, address, by });
                }
            }
        }
    }
    errors
}

/// Static addresses of the import that other subscribers of the store hold already.
pub(crate) fn clashes<'a>(
    store: &Subscribers,
    import: impl Iterator<Item = (usize, &'a SubscriberImport)>,
) -> Vec<ImportError> {
    let mut errors = Vec::new();
    for (index, row) in import {
        let own = row.apns.iter();
        for (entry, address) in own.flat_map(|e| e.static_addresses().map(move |a| (e, a))) {
            let owner = store.owner_of(&row.tenant, &entry.apn, address);
            if let Some(by) = owner.filter(|by| *by != row.imsi) {
                errors.push(ImportError {
                    index,
                    imsi: row.imsi,
                    what: ImportFault::StaticAddressTaken {
                        apn: entry.apn.clone(),
                        address,
                        by,
                    },
                });
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use heiiki_types::{Arp, Qci};

    pub(crate) fn row(imsi: &str) -> SubscriberImport {
        let ambr = Ambr {
            uplink_bps: 50_000_000,
            downlink_bps: 100_000_000,
        };
        SubscriberImport {
            imsi: imsi.parse().unwrap(),
            k: Key128::new([1; 16]),
            opc: Key128::new([2; 16]),
            amf: [0x80, 0],
            sqn: None,
            msisdn: None,
            tenant: String::from("acme"),
            group: String::new(),
            apns: alloc::vec![SubscribedApn {
                apn: "corp.acme".parse().unwrap(),
                pdn: PdnKind::V4,
                static_ip: None,
                static_ipv6: None,
                ambr,
                qci: Qci(9),
                arp: Arp {
                    priority_level: 8,
                    may_preempt: false,
                    may_be_preempted: true,
                },
                charging_characteristics: None,
            }],
            ue_ambr: ambr,
            options: ProfileOptions::default(),
            state: State::Ready,
        }
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        let mut rows: Vec<_> = (1..=6)
            .map(|i| row(&alloc::format!("00101000000000{i}")))
            .collect();
        rows[1].imsi = rows[0].imsi;
        rows[2].apns.clear();
        rows[3].sqn = Some(1 << 48);
        let again = rows[4].apns[0].clone();
        rows[4].apns.push(again);
        rows[0].apns[0].static_ip = Some(Ipv4Addr::new(10, 0, 0, 9));
        rows[5].apns[0].static_ip = Some(Ipv4Addr::new(10, 0, 0, 9));
        let errors = check(rows.iter(), 100);
        let found: Vec<_> = errors.iter().map(|e| (e.index, &e.what)).collect();
        let apn = rows[0].apns[0].apn.clone();
        let taken = ImportFault::StaticAddressTaken {
            apn: apn.clone(),
            address: Ipv4Addr::new(10, 0, 0, 9).into(),
            by: rows[0].imsi,
        };
        assert_eq!(
            found,
            [
                (1, &ImportFault::DuplicateImsi { first: 0 }),
                (2, &ImportFault::NoApn),
                (3, &ImportFault::SqnTooLarge),
                (4, &ImportFault::DuplicateApn(apn)),
                (5, &taken),
            ]
        );
        assert_eq!(check(rows[..1].iter(), 0)[0].what, ImportFault::StoreFull);
    }

    #[test]
    fn the_same_address_in_two_tenants_is_no_clash() {
        let mut rows = [row("001010000000001"), row("001010000000002")];
        for r in &mut rows {
            r.apns[0].static_ip = Some(Ipv4Addr::new(10, 0, 0, 9));
        }
        rows[1].tenant = String::from("globex");
        assert_eq!(check(rows.iter(), 100), []);
    }
}
