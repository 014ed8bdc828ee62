//! Who has which static address.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use heiiki_types::Apn;

use super::{RowIx, TenantIx};

/// An address, or the first one of a prefix, of a tenant at an access point.
type Key = (TenantIx, u32, IpAddr);

/// The static addresses of all SIMs.
#[derive(Default)]
pub(super) struct Addresses {
    apns: BTreeMap<Apn, u32>,
    owners: BTreeMap<Key, RowIx>,
}

impl Addresses {
    /// Whose address it is.
    pub(super) fn owner(&self, tenant: TenantIx, apn: &Apn, address: IpAddr) -> Option<RowIx> {
        let apn = *self.apns.get(apn)?;
        self.owners.get(&(tenant, apn, address)).copied()
    }

    /// Gives an address to a SIM. The first one keeps it.
    pub(super) fn give(&mut self, tenant: TenantIx, apn: &Apn, address: IpAddr, to: RowIx) {
        let next = u32::try_from(self.apns.len()).unwrap_or(u32::MAX);
        let apn = match self.apns.get(apn) {
            Some(known) => *known,
            None => *self.apns.entry(apn.clone()).or_insert(next),
        };
        self.owners.entry((tenant, apn, address)).or_insert(to);
    }

    /// Takes an address back from a SIM.
    pub(super) fn take(&mut self, tenant: TenantIx, apn: &Apn, address: IpAddr, from: RowIx) {
        if self.owner(tenant, apn, address) == Some(from)
            && let Some(apn) = self.apns.get(apn)
        {
            self.owners.remove(&(tenant, *apn, address));
        }
    }
}
