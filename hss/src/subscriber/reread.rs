//! Taking a SIM's row as another front end has written it since.

use alloc::string::String;

use super::interner::Shared;
use super::row::{self, SubscriberRow, Unreadable};
use super::{Profile, RowIx, Subscriber, Subscribers};
use crate::seal::Sealed;

impl Subscribers {
    /// Takes what a row says of a SIM that is there: secrets, profile, tenant, group, addresses. Its
    /// state and its sequence numbers stand in other rows too. Tells whether it says anything new.
    pub(crate) fn take_row(
        &mut self,
        ix: RowIx,
        row: &SubscriberRow<'_>,
        sealed: Sealed,
    ) -> Result<bool, Unreadable> {
        if self.get(ix).is_none_or(|s| self.says_the_same(s, row)) {
            return Ok(false);
        }
        let profile = self
            .profiles
            .hold(row.profile, || row::decode::<Profile>(row.profile))?;
        let group = match row.group {
            "" => Shared::NONE,
            name => self
                .groups
                .hold(name.as_bytes(), || Ok(String::from(name)))?,
        };
        let tenant = self.tenant(row.tenant);
        self.index_addresses(ix, false);
        let Some(subscriber) = self.get_mut(ix) else {
            return Err(Unreadable);
        };
        let own = row.addresses();
        if !own.is_empty() || subscriber.rare.is_some() {
            subscriber.rare.get_or_insert_default().static_ips = own;
        }
        subscriber.msisdn = row.msisdn;
        subscriber.tenant = tenant;
        subscriber.amf = row.amf;
        subscriber.sealed = sealed;
        let old_profile = core::mem::replace(&mut subscriber.profile, profile);
        let old_group = core::mem::replace(&mut subscriber.group, group);
        self.profiles.release(old_profile);
        self.groups.release(old_group);
        self.index_addresses(ix, true);
        Ok(true)
    }

    fn says_the_same(&self, subscriber: &Subscriber, row: &SubscriberRow<'_>) -> bool {
        let rare = subscriber.rare.as_ref();
        subscriber.sealed.octets() == row.sealed
            && self.profiles.key(subscriber.profile) == Some(row.profile)
            && subscriber.msisdn == row.msisdn
            && subscriber.amf == row.amf
            && self.tenant_name(subscriber.tenant) == row.tenant
            && self.group_name(subscriber) == row.group
            && rare.map_or(&[][..], |r| &r.static_ips) == row.addresses().as_slice()
    }
}
