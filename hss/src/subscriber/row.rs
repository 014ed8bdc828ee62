//! Rows on the disk: a version octet, then postcard.
//!
//! A SIM's row is spread over tables by how often its parts change: secrets, profile, the first
//! state and the first mark are written once, as one row; later marks, states and locations by
//! themselves.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_types::{Imsi, Msisdn, Prefix64, WallTime};
use serde::{Deserialize, Serialize};

use super::{Location, Standing, State};
use crate::auc::sqn::{Epoch, LEAD, Mark};
use crate::seal::KeyId;

/// The version that this build writes, and the only one that it reads.
const VERSION: u8 = 2;

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// The epoch, and which master key seals.
    Meta = 0,
    /// By IMSI: secrets, profile, first state and first mark.
    Subscriber = 1,
    /// By IMSI: a later mark of the SQN. Front ends that share the store have one each, behind
    /// a stroke.
    Mark = 2,
    /// By IMSI: the state and its order, once it has changed.
    State = 3,
    /// By IMSI: the serving MME.
    Location = 4,
    /// By order: cuts and their certificates.
    Cut = 5,
    /// By IMSI and host: cancellations that no MME has answered yet.
    Cancellation = 6,
    /// By IMSI and host: subscriptions that have changed and whose MMEs have not heard of it.
    Update = 7,
    /// By prefix and host: resets that no MME has answered yet.
    Reset = 8,
    /// By IMSI: the gateways that MMEs have chosen.
    Gateway = 9,
    /// By IMSI: the equipment that the SIM has to be in.
    Binding = 10,
    /// By name: the lists of the equipment identity register.
    Equipment = 11,
    /// By IMSI: the SEQ that a verified AUTS has proved, when front ends share the store.
    Floor = 32,
    /// By order: the front end that has taken it over, when front ends share the store.
    Holder = 33,
    /// By front end: what it says to show that it is at work.
    Beat = 34,
    /// By IMSI: whether the SIM is isolated, once there was an order.
    Isolation = 20,
    /// By IMSI: the last orders.
    History = 21,
    /// By bulk order: the order, and its outcomes by their place. When front ends share the store,
    /// its outcomes by IMSI and order.
    Bulk = 22,
}

impl Table {
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Meta,
            1 => Self::Subscriber,
            2 => Self::Mark,
            3 => Self::State,
            4 => Self::Location,
            5 => Self::Cut,
            6 => Self::Cancellation,
            7 => Self::Update,
            8 => Self::Reset,
            9 => Self::Gateway,
            10 => Self::Binding,
            11 => Self::Equipment,
            32 => Self::Floor,
            33 => Self::Holder,
            34 => Self::Beat,
            20 => Self::Isolation,
            21 => Self::History,
            22 => Self::Bulk,
            _ => return None,
        })
    }
}

/// The key of the first row of [`Table::Meta`].
pub(crate) const META_KEY: &[u8] = b"epoch";

/// The key of the row of [`Table::Meta`] that holds the check of the master key; it comes after the
/// epoch and before all SIMs.
pub(crate) const STORE_KEY: &[u8] = b"key";

/// The row is not one that this build can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

#[derive(Serialize, serde::Deserialize)]
pub(crate) struct MetaRow {
    pub(crate) epoch: Epoch,
    /// The lead that the marks of this store count on.
    lead: u64,
    /// When the epoch was raised; none in stores that were written before this was kept.
    pub(crate) at: Option<WallTime>,
}

/// The same without the time, as stores have it that were written before.
#[derive(serde::Deserialize)]
struct TimelessMetaRow {
    epoch: Epoch,
    lead: u64,
}

impl MetaRow {
    pub(crate) const fn new(epoch: Epoch, at: WallTime) -> Self {
        Self {
            epoch,
            lead: LEAD,
            at: Some(at),
        }
    }

    /// Reads either form.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, Unreadable> {
        decode(octets).or_else(|Unreadable| {
            let TimelessMetaRow { epoch, lead } = decode(octets)?;
            Ok(Self {
                epoch,
                lead,
                at: None,
            })
        })
    }

    /// Whether marks of this store mean what this build takes them to mean.
    pub(crate) const fn is_compatible(&self) -> bool {
        self.lead == LEAD
    }
}

/// A SIM as it was imported, or written anew since: all that a SIM without a history needs.
#[derive(Serialize, serde::Deserialize)]
pub(crate) struct SubscriberRow<'a> {
    /// The master key that the secrets are sealed with.
    pub(crate) key: KeyId,
    pub(crate) sealed: &'a [u8],
    pub(crate) amf: [u8; 2],
    pub(crate) msisdn: Option<Msisdn>,
    pub(crate) tenant: &'a str,
    /// Empty: in no group.
    pub(crate) group: &'a str,
    /// A [`Profile`](super::Profile) as a row of its own.
    #[serde(borrow)]
    pub(crate) profile: &'a [u8],
    /// By the position of the access point in the profile.
    pub(crate) static_ips: Vec<(u8, Ipv4Addr)>,
    /// Counts until a row of [`Table::State`] says otherwise.
    pub(crate) state: State,
    /// Counts unless the row of [`Table::Mark`] is higher.
    pub(crate) mark: Mark,
    /// IPv6 prefixes of 64 bits, as `static_ips`.
    pub(crate) static_prefixes: Vec<(u8, Prefix64)>,
}

/// The same as it was before there were prefixes.
#[derive(serde::Deserialize)]
struct OlderSubscriberRow<'a> {
    key: KeyId,
    sealed: &'a [u8],
    amf: [u8; 2],
    msisdn: Option<Msisdn>,
    tenant: &'a str,
    group: &'a str,
    #[serde(borrow)]
    profile: &'a [u8],
    static_ips: Vec<(u8, Ipv4Addr)>,
    state: State,
    mark: Mark,
}

impl<'a> SubscriberRow<'a> {
    /// Reads either form.
    pub(crate) fn read(octets: &'a [u8]) -> Result<Self, Unreadable> {
        decode(octets).or_else(|Unreadable| {
            let row: OlderSubscriberRow<'a> = decode(octets)?;
            Ok(Self {
                key: row.key,
                sealed: row.sealed,
                amf: row.amf,
                msisdn: row.msisdn,
                tenant: row.tenant,
                group: row.group,
                profile: row.profile,
                static_ips: row.static_ips,
                state: row.state,
                mark: row.mark,
                static_prefixes: Vec::new(),
            })
        })
    }

    /// The static addresses, of a prefix the first one.
    pub(crate) fn addresses(&self) -> Vec<(u8, IpAddr)> {
        let v4 = self.static_ips.iter().map(|(n, ip)| (*n, IpAddr::V4(*ip)));
        let v6 = self.static_prefixes.iter();
        v4.chain(v6.map(|(n, prefix)| (*n, IpAddr::V6(prefix.address(0)))))
            .collect()
    }
}

#[derive(Serialize, serde::Deserialize)]
pub(crate) struct StateRow {
    pub(crate) state: State,
    pub(crate) standing: Standing,
}

pub(crate) type LocationRow = Location;

/// The octets of a row.
pub(crate) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    // Rows are plain data into a growing buffer: nothing in them can fail to serialise. An empty
    // row would be refused at the next load rather than be read as something else.
    postcard::to_extend(row, alloc::vec![VERSION]).unwrap_or_default()
}

/// A row from its octets. All of them must belong to it.
pub(crate) fn decode<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> Result<T, Unreadable> {
    match octets.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((row, [])) => Ok(row),
            _ => Err(Unreadable),
        },
        _ => Err(Unreadable),
    }
}

/// The key of a SIM's rows: its digits, so that rows are ordered as people read them.
pub(crate) fn imsi_key(imsi: Imsi) -> Vec<u8> {
    imsi.digits().map(|d| b'0' + d).collect()
}

/// The IMSI at the front of a key, and what follows it after a separator.
pub(crate) fn imsi_of(key: &[u8]) -> Result<Imsi, Unreadable> {
    let digits = key
        .split(|c| *c == b'/')
        .next()
        .and_then(|d| core::str::from_utf8(d).ok())
        .ok_or(Unreadable)?;
    digits.parse().map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_begins_with_its_version() {
        let mark = Mark {
            seq: 300,
            epoch: Epoch(2),
        };
        let row = encode(&mark);
        assert_eq!(row, [2, 0xac, 0x02, 2]);
        assert_eq!(decode::<Mark>(&row), Ok(mark));
    }

    #[test]
    fn rows_of_another_version_or_with_other_octets_are_not_read() {
        let row = encode(&StateRow {
            state: State::Suspended,
            standing: Standing::default(),
        });
        for len in 0..row.len() {
            assert!(decode::<StateRow>(&row[..len]).is_err(), "{len}");
        }
        let mut longer = row.clone();
        longer.push(0);
        assert!(decode::<StateRow>(&longer).is_err());
        let mut newer = row;
        newer[0] = 3;
        assert!(decode::<StateRow>(&newer).is_err());
    }

    #[test]
    fn the_row_of_the_epoch_is_read_with_and_without_its_time() {
        let at = WallTime::from_unix_micros(1_790_000_000_000_000);
        let row = encode(&MetaRow::new(Epoch(7), at));
        let read = MetaRow::read(&row).ok().unwrap();
        assert_eq!((read.epoch, read.at), (Epoch(7), Some(at)));
        let read = MetaRow::read(&[2, 7, 0x80, 2]).ok().unwrap();
        assert_eq!((read.epoch, read.at), (Epoch(7), None));
        assert!(read.is_compatible());
        assert!(MetaRow::read(&row[..2]).is_err());
    }

    #[test]
    fn keys_hold_the_imsi() {
        let imsi = "001010000000001".parse().unwrap();
        assert_eq!(imsi_of(&imsi_key(imsi)), Ok(imsi));
        assert_eq!(imsi_of(b"001010000000001/mme.example"), Ok(imsi));
        assert_eq!(imsi_of(b"x"), Err(Unreadable));
    }
}
