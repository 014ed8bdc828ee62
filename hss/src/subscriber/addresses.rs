//! Who has which static address.

use alloc::collections::BTreeMap;
use core::net::Ipv4Addr;

use heiiki_types::Apn;

use super::{RowIx, TenantIx};

/// An address of a tenant at an access point, in few octets.
type Key = (TenantIx, u32, Ipv4Addr);

/// The static addresses of all SIMs.
#[derive(Default)]
pub(super) struct Addresses {
    apns: BTreeMap<Apn, u32>,
    owners: BTreeMap<Key, RowIx>,
}

impl Addresses {
    /// Whose address it is.
    pub(super) fn owner(&self, tenant: TenantIx, apn: &Apn, address: Ipv4Addr) -> Option<RowIx> {
        let apn = *self.apns.get(apn)?;
        self.owners.get(&(tenant, apn, address)).copied()
    }

    /// Gives an address to a SIM. The first one keeps it.
    pub(super) fn give(&mut self, tenant: TenantIx, apn: &Apn, address: Ipv4Addr, to: RowIx) {
        let next = u32::try_from(self.apns.len()).unwrap_or(u32::MAX);
        let apn = match self.apns.get(apn) {
            Some(known) => *known,
            None => *self.apns.entry(apn.clone()).or_insert(next),
        };
        self.owners.entry((tenant, apn, address)).or_insert(to);
    }

    /// Takes an address back from a SIM.
    pub(super) fn take(&mut self, tenant: TenantIx, apn: &Apn, address: Ipv4Addr, from: RowIx) {
        if self.owner(tenant, apn, address) == Some(from)
            && let Some(apn) = self.apns.get(apn)
        {
            self.owners.remove(&(tenant, *apn, address));
        }
    }
}
