use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::{Apn, Imsi, PersistSeq, Record};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::orders::Order;
use super::session::Row;
use crate::user_plane::Slot;

/// The tables of a gateway on disk.
const META: u8 = 1;
const SESSIONS: u8 = 2;
const BARS: u8 = 3;
const RESERVATIONS: u8 = 4;
const PEERS: u8 = 5;
const ISOLATIONS: u8 = 6;

/// The layout of the rows; a disk with another is not read.
const FORMAT: u32 = 3;

const KEY_FORMAT: &[u8] = b"format";
const KEY_STARTS: &[u8] = b"starts";
const KEY_RESTART_COUNTER: &[u8] = b"restart_counter";
const KEY_CHARGING_MARK: &[u8] = b"charging_mark";
const KEY_JOURNAL: &[u8] = b"journal";
const KEY_HIGHEST: &[u8] = b"highest_version";

fn row<T: Serialize>(table: u8, key: Vec<u8>, value: &T) -> Record {
    Record {
        table,
        key,
        // Encoding into a growing vector fails for no type of this module.
        value: Some(postcard::to_allocvec(value).unwrap_or_default()),
    }
}

fn meta<T: Serialize>(key: &[u8], value: &T) -> Record {
    row(META, key.to_vec(), value)
}

fn read<T: DeserializeOwned>(octets: &[u8]) -> Option<T> {
    postcard::from_bytes(octets).ok()
}

/// A session, or the rest of one.
pub(crate) fn session(slot: Slot, value: &Row) -> Record {
    row(SESSIONS, slot.0.to_be_bytes().to_vec(), value)
}

/// A bar or the lift of one.
pub(crate) fn order(imsi: Imsi, value: &Order) -> Record {
    row(BARS, imsi.to_string().into_bytes(), value)
}

/// An isolation or the release of one.
pub(crate) fn isolation(imsi: Imsi, value: &Order) -> Record {
    row(ISOLATIONS, imsi.to_string().into_bytes(), value)
}

/// What is written when the lift of another SIM makes room: its row goes, its version still counts.
pub(crate) fn forgotten(orders: Record, highest: u64) -> [Record; 2] {
    [
        Record {
            value: None,
            ..orders
        },
        meta(KEY_HIGHEST, &highest),
    ]
}

/// The row of a SIM's bar, without what is in it.
pub(crate) fn no_order(imsi: Imsi) -> Record {
    Record {
        table: BARS,
        key: imsi.to_string().into_bytes(),
        value: None,
    }
}

/// The row of a SIM's isolation, without what is in it.
pub(crate) fn no_isolation(imsi: Imsi) -> Record {
    Record {
        table: ISOLATIONS,
        ..no_order(imsi)
    }
}

fn reservation_key(apn: &Apn, address: IpAddr) -> Vec<u8> {
    let mut key = apn.as_str().as_bytes().to_vec();
    key.push(0);
    match address {
        IpAddr::V4(a) => key.extend(a.octets()),
        IpAddr::V6(a) => key.extend(a.octets()),
    }
    key
}

/// Name and address of a reservation. A name has no zero in it.
fn read_reservation_key(key: &[u8]) -> Option<(Apn, IpAddr)> {
    let end = key.iter().position(|octet| *octet == 0)?;
    let (apn, rest) = key.split_at_checked(end)?;
    let address = rest.get(1..)?;
    let v4 = <[u8; 4]>::try_from(address).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from));
    let apn = core::str::from_utf8(apn).ok()?.parse().ok()?;
    Some((apn, address.ok()?))
}

/// An address, or the first of a prefix, that belongs to a SIM.
pub(crate) fn reservation(apn: &Apn, address: IpAddr, imsi: Imsi) -> Record {
    row(RESERVATIONS, reservation_key(apn, address), &imsi)
}

/// An address that belongs to nobody any more.
pub(crate) fn no_reservation(apn: &Apn, address: IpAddr) -> Record {
    Record {
        table: RESERVATIONS,
        key: reservation_key(apn, address),
        value: None,
    }
}

/// The restart counter that an SGW has shown.
pub(crate) fn peer(address: IpAddr, counter: u8) -> Record {
    row(PEERS, address.to_string().into_bytes(), &counter)
}

/// Charging IDs below the mark may have been used.
pub(crate) fn charging_mark(mark: u32) -> Record {
    meta(KEY_CHARGING_MARK, &mark)
}

/// What is written at every start, before anything is answered.
pub(crate) fn start(journal: u64, starts: u32, restart_counter: u8) -> [Record; 4] {
    [
        meta(KEY_FORMAT, &FORMAT),
        meta(KEY_JOURNAL, &journal),
        meta(KEY_STARTS, &starts),
        meta(KEY_RESTART_COUNTER, &restart_counter),
    ]
}

/// Everything that was on disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) starts: u32,
    /// The number of the journal; none when this is its first start.
    pub(crate) journal: Option<u64>,
    /// The highest version of an order that is not kept any more.
    pub(crate) highest: u64,
    pub(crate) restart_counter: Option<u8>,
    pub(crate) charging_mark: u32,
    pub(crate) rows: Vec<Row>,
    pub(crate) orders: Vec<(Imsi, Order)>,
    pub(crate) isolations: Vec<(Imsi, Order)>,
    pub(crate) reservations: Vec<(Apn, IpAddr, Imsi)>,
    pub(crate) peers: Vec<(IpAddr, u8)>,
    /// Something could not be read, so sessions may be missing: what is to be written so that the
    /// next start finds nothing wrong.
    pub(crate) repairs: Vec<Record>,
}

impl Disk {
    /// Sorts the rows into their tables.
    pub(crate) fn read(records: Vec<Record>) -> Self {
        let mut disk = Self::default();
        for record in records {
            let Some(value) = record.value else { continue };
            if disk.take(record.table, &record.key, &value).is_none() {
                disk.repairs.push(Record {
                    value: None,
                    ..record
                });
            }
        }
        disk
    }

    fn take(&mut self, table: u8, key: &[u8], value: &[u8]) -> Option<()> {
        match table {
            META => match key {
                KEY_FORMAT => return (read::<u32>(value)? == FORMAT).then_some(()),
                KEY_STARTS => self.starts = read(value)?,
                KEY_RESTART_COUNTER => self.restart_counter = Some(read(value)?),
                KEY_CHARGING_MARK => self.charging_mark = read(value)?,
                KEY_JOURNAL => self.journal = Some(read(value)?),
                KEY_HIGHEST => self.highest = read(value)?,
                _ => return None,
            },
            SESSIONS => {
                let row: Row = read(value)?;
                let slot = match &row {
                    Row::Live(session) => session.slot,
                    Row::Rest(rest) => rest.slot,
                };
                if key != slot.0.to_be_bytes() {
                    return None;
                }
                self.rows.push(row);
            }
            BARS | ISOLATIONS => {
                let imsi = core::str::from_utf8(key).ok()?.parse().ok()?;
                let read = read(value);
                let is_readable = read.is_some();
                let value = read.unwrap_or_else(Order::unreadable);
                if !is_readable {
                    let key = key.to_vec();
                    self.repairs.push(row(table, key, &value));
                }
                let orders = if table == BARS {
                    &mut self.orders
                } else {
                    &mut self.isolations
                };
                orders.push((imsi, value));
            }
            RESERVATIONS => {
                let (apn, address) = read_reservation_key(key)?;
                self.reservations.push((apn, address, read(value)?));
            }
            PEERS => {
                let address = core::str::from_utf8(key).ok()?.parse().ok()?;
                self.peers.push((address, read(value)?));
            }
            _ => return None,
        }
        Some(())
    }
}

/// Numbers what is sent to the disk.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    last: PersistSeq,
    has_failed: bool,
}

impl Journal {
    /// The number of the next request; none when the disk has failed.
    pub(crate) fn next(&mut self) -> Option<PersistSeq> {
        if self.has_failed {
            return None;
        }
        self.last.0 += 1;
        Some(self.last)
    }

    pub(crate) const fn fail(&mut self) {
        self.has_failed = true;
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.has_failed
    }
}
