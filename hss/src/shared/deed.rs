//! What a front end does of itself to a SIM: nobody's call waits for it.
//!
//! With a store of its own it is done at once. With a shared one it waits for the SIM's rows like
//! everything else, looks whether it is still to be done, and is written only if no other front end
//! was faster. So what all of them find due is done once.

use alloc::boxed::Box;
use alloc::string::String;

use heiiki_types::{Imsi, Now, WallTime};

use super::Work;
use crate::cut::book::LegId;
use crate::cut::gateway::Overruled;
use crate::cut::watch::Found;
use crate::cut::{CutId, Kind};
use crate::node::Hss;
use crate::subscriber::row;

/// Something that a front end does of itself.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Ends what was ordered until now.
    Expire {
        imsi: Imsi,
        kind: Kind,
        at: WallTime,
    },
    /// Gives a bulk order's order for one SIM.
    Bulk { bulk: u64, imsi: Imsi },
    /// Merges an order of a gateway.
    Merge { found: Found, local: bool },
    /// Gives an order again that a gateway has lost.
    GiveAgain {
        imsi: Imsi,
        kind: Kind,
        gateway: String,
        /// The version of the order that was in force when that was seen.
        version: u64,
    },
    /// A gateway has a later order than the one that it was told.
    Overruled { leg: LegId, by: Overruled },
    /// Takes over an order, or a bulk order, of a front end that is gone.
    Adopt { id: CutId, from: u8 },
    /// Notes which front ends are at work.
    CallRoll,
    /// Seals the secrets with the current master key.
    Seal { imsi: Imsi },
}

impl Hss {
    /// Does something to a SIM: at once with a store of its own.
    pub(crate) fn do_at(&mut self, now: Now, imsi: Imsi, deed: Deed) {
        if self.shared.is_some() {
            self.enter(now, row::imsi_key(imsi), Work::Deed(Box::new(deed)));
        } else {
            self.carry_out_deed(now, &deed);
        }
    }

    pub(super) fn carry_out_deed(&mut self, now: Now, deed: &Deed) {
        match deed {
            Deed::Expire { imsi, kind, at } => self.end_order(now, *imsi, *kind, *at),
            Deed::Bulk { bulk, imsi } => self.order_of_bulk(now, *bulk, *imsi),
            Deed::Merge { found, local } => self.merge_row(now, found, *local),
            Deed::GiveAgain {
                imsi,
                kind,
                gateway,
                version,
            } => self.give_again(now, *imsi, *kind, (gateway, *version)),
            Deed::Overruled { leg, by } => self.gateway_overruled(now, *leg, by),
            Deed::Adopt { id, from } => self.adopt(*id, *from),
            Deed::CallRoll => self.adopt_orphans(now),
            Deed::Seal { imsi } => self.seal_again(*imsi),
        }
    }

    /// What a deed wrote is durable, or it had nothing to write.
    pub(super) fn deed_is_done(&mut self, now: Now, deed: &Deed) {
        match deed {
            Deed::Bulk { bulk, imsi } => self.bulk_order_is_given(now, *bulk, *imsi),
            Deed::Adopt { id, .. } => self.adopted(now, *id),
            Deed::Seal { .. } => self.sealed_one(now),
            Deed::Expire { .. }
            | Deed::Merge { .. }
            | Deed::GiveAgain { .. }
            | Deed::Overruled { .. }
            | Deed::CallRoll => {}
        }
    }

    /// A deed cannot be done now: it is found due again later.
    pub(super) fn deed_turned_away(&mut self, now: Now, deed: &Deed) {
        match deed {
            Deed::Expire { imsi, kind, at } => {
                self.expiries.again(now.at, (*at, *imsi, *kind));
            }
            Deed::Bulk { bulk, imsi } => self.bulks.give_back(now.at, *bulk, *imsi),
            Deed::Merge { found, .. } => self.compare_again(&found.gateway),
            Deed::GiveAgain { gateway, .. } => self.compare_again(gateway),
            Deed::Overruled { leg, .. } => {
                let at = now.at + self.config.timers.retry_first;
                self.cuts.again(*leg, at);
            }
            Deed::Adopt { id, .. } => self.not_adopted(*id),
            Deed::CallRoll => {}
            Deed::Seal { .. } => self.rotation_waits(),
        }
    }
}
