//! Giving a SIM that the store has another subscription.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::{Apn, Imsi, Key128};

use super::import::SubscriberImport;
use super::interner::Shared;
use super::row::{self, Unreadable};
use super::{Profile, ProfileOptions, RowIx, Subscriber, Subscribers};
use crate::seal::{Sealed, Vault};

/// Whether the SIM's keys are those of the row. Keys that do not open are others.
fn has_secrets(vault: &Vault, subscriber: &Subscriber, row: &SubscriberImport) -> bool {
    vault
        .open(subscriber.imsi, subscriber.sealed())
        .is_ok_and(|(k, opc)| k == row.k && opc == row.opc)
}

/// A row that may be of a SIM that the store has.
pub(crate) struct Change {
    pub(crate) row: SubscriberImport,
    /// The keys of the row are the SIM's. Without, those of the store stay.
    pub(crate) with_secrets: bool,
}

impl Subscribers {
    /// Whose the static address is.
    pub(crate) fn owner_of(&self, tenant: &str, apn: &Apn, address: IpAddr) -> Option<Imsi> {
        let tenant = *self.tenant_numbers.get(tenant)?;
        let ix = self.addresses.owner(tenant, apn, address)?;
        Some(self.get(ix)?.imsi)
    }

    /// Enters the static addresses of a SIM, or takes them out.
    pub(super) fn index_addresses(&mut self, ix: RowIx, enter: bool) {
        let Some(subscriber) = self.get(ix).filter(|s| s.has_static_ip()) else {
            return;
        };
        let tenant = subscriber.tenant;
        let own: Vec<_> = self
            .apns(subscriber)
            .into_iter()
            .flat_map(|a| a.static_addresses().map(move |ip| (a.apn.clone(), ip)))
            .collect();
        for (apn, address) in own {
            if enter {
                self.addresses.give(tenant, &apn, address, ix);
            } else {
                self.addresses.take(tenant, &apn, address, ix);
            }
        }
    }

    /// The parts of a change that are not as the store has them. The state and the sequence number
    /// of a row are those to begin with: they say nothing about a SIM that is there.
    pub(crate) fn differences(
        &self,
        vault: &Vault,
        subscriber: &Subscriber,
        change: &Change,
    ) -> Vec<&'static str> {
        let row = &change.row;
        let own = self.own_of(subscriber);
        let mut parts = Vec::new();
        let mut compare = |same: bool, part| {
            if !same {
                parts.push(part);
            }
        };
        compare(own.msisdn == row.msisdn, "msisdn");
        compare(own.tenant == row.tenant, "tenant");
        compare(own.group == row.group, "group");
        compare(own.apns == row.apns, "apns");
        compare(own.ue_ambr == row.ue_ambr, "ue_ambr");
        compare(own.options == row.options, "options");
        compare(own.amf == row.amf, "amf");
        let same = !change.with_secrets || has_secrets(vault, subscriber, row);
        compare(same, "secrets");
        parts
    }

    /// A subscription as a row, with blank keys.
    pub(crate) fn own_of(&self, subscriber: &Subscriber) -> SubscriberImport {
        let profile = self.profile(subscriber);
        let options = profile.map_or_else(ProfileOptions::default, Profile::options);
        SubscriberImport {
            imsi: subscriber.imsi,
            k: Key128::new([0; 16]),
            opc: Key128::new([0; 16]),
            amf: subscriber.amf,
            sqn: None,
            msisdn: subscriber.msisdn,
            tenant: String::from(self.tenant_name(subscriber.tenant)),
            group: String::from(self.group_name(subscriber)),
            apns: self.apns(subscriber),
            ue_ambr: profile.map_or(super::import::NO_AMBR, |p| p.ue_ambr),
            options,
            state: subscriber.state,
        }
    }

    /// Gives a SIM what a row says, and its keys when there are any. Its sequence numbers, state and
    /// location stay.
    pub(crate) fn replace(
        &mut self,
        ix: RowIx,
        row: &SubscriberImport,
        sealed: Option<Sealed>,
    ) -> Result<(), Unreadable> {
        let profile_row = row::encode(&row.profile());
        let profile = self
            .profiles
            .hold(&profile_row, || row::decode::<Profile>(&profile_row))?;
        let group = match row.group.as_str() {
            "" => Shared::NONE,
            name => self
                .groups
                .hold(name.as_bytes(), || Ok(String::from(name)))?,
        };
        let tenant = self.tenant(&row.tenant);
        self.index_addresses(ix, false);
        let Some(subscriber) = self.get_mut(ix) else {
            return Err(Unreadable);
        };
        let static_ips = row.static_ips();
        if !static_ips.is_empty() || subscriber.rare.is_some() {
            subscriber.rare.get_or_insert_default().static_ips = static_ips;
        }
        subscriber.msisdn = row.msisdn;
        subscriber.tenant = tenant;
        subscriber.amf = row.amf;
        if let Some(sealed) = sealed {
            subscriber.sealed = sealed;
        }
        let old_profile = core::mem::replace(&mut subscriber.profile, profile);
        let old_group = core::mem::replace(&mut subscriber.group, group);
        self.profiles.release(old_profile);
        self.groups.release(old_group);
        self.index_addresses(ix, true);
        Ok(())
    }
}
