//! A tenant's bandwidth contract, changed while its sessions go on.

use alloc::string::String;

use heiiki_types::{Ambr, CallId, Now};
use serde::{Deserialize, Serialize};

use super::Control;
use super::admin::Handled;
use super::api;
use super::procedure::Procedure;
use crate::config::TenantId;
use crate::event::Event;
use crate::user_plane::Update;

/// `POST /v1/contracts`: a direction that is left out has no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ContractCall {
    tenant: String,
    #[serde(default)]
    uplink_bps: Option<u64>,
    #[serde(default)]
    downlink_bps: Option<u64>,
    #[serde(default)]
    actor: String,
}

impl Control {
    /// Changes a contract until the next start, which takes it from the configuration again.
    pub(super) fn post_contract(&mut self, now: Now, call: CallId, body: &ContractCall) -> Handled {
        let tenants = self.network.tenants.iter_mut();
        let mut found = (0..).map(TenantId).zip(tenants);
        let Some((id, tenant)) = found.find(|(_, t)| t.name == body.tenant) else {
            return Err(api::error(404, "no tenant has this name"));
        };
        let (uplink, downlink) = (body.uplink_bps, body.downlink_bps);
        let bandwidth = (uplink.is_some() || downlink.is_some()).then(|| Ambr {
            uplink_bps: uplink.unwrap_or(u64::MAX),
            downlink_bps: downlink.unwrap_or(u64::MAX),
        });
        tenant.bandwidth = bandwidth;
        let note = self.begin(Procedure::Note);
        let update = Update::SetContract {
            tenant: id,
            bandwidth,
        };
        self.broadcast(note, &update);
        self.advance(now, note);
        self.event(Event::ContractChanged {
            tenant: body.tenant.clone(),
            bandwidth,
            actor: super::shorten(&body.actor),
        });
        self.reply(call, api::reply(200, body));
        Ok(())
    }
}
