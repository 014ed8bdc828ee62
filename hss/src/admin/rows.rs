//! Subscribers as a call brings them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use core::net::Ipv4Addr;

use heiiki_types::{Ambr, Apn, Arp, Imsi, Key128, Msisdn, Qci, from_hex};
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroize;

use crate::auc::milenage;
use crate::subscriber::import::SubscriberImport;
use crate::subscriber::{State, SubscribedApn};

/// The body of `POST /v1/subscribers`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscribers {
    subscribers: Vec<NewSubscriber>,
}

/// An access point that a SIM may use.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewApn {
    apn: Apn,
    /// The address that this SIM always gets.
    #[schemars(with = "Option<heiiki_types::schema::Ipv4>")]
    static_ip: Option<Ipv4Addr>,
    ambr: Ambr,
    qci: Qci,
    arp: Arp,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSubscriber {
    imsi: Imsi,
    k: Hex,
    opc: Option<Hex>,
    op: Option<Hex>,
    #[serde(default)]
    amf: Option<String>,
    sqn: Option<u64>,
    msisdn: Option<Msisdn>,
    tenant: String,
    /// Its group, for orders about all of it; none without it.
    #[serde(default)]
    group: String,
    apns: Vec<NewApn>,
    ue_ambr: Ambr,
    #[serde(default)]
    state: Option<State>,
}

/// Hexadecimal digits of a secret, wiped when dropped.
#[derive(Deserialize, JsonSchema)]
#[schemars(transparent)]
struct Hex(#[schemars(extend("pattern" = "^[0-9A-Fa-f]{32}$"))] String);

impl Drop for Hex {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl NewSubscribers {
    /// The rows, or what is wrong with the first one that is none.
    pub(super) fn into_import(self) -> Result<Vec<SubscriberImport>, String> {
        self.subscribers
            .into_iter()
            .map(NewSubscriber::into_import)
            .collect()
    }
}

impl NewApn {
    fn into_domain(self) -> SubscribedApn {
        SubscribedApn {
            apn: self.apn,
            static_ip: self.static_ip,
            ambr: self.ambr,
            qci: self.qci,
            arp: self.arp,
        }
    }
}

impl NewSubscriber {
    fn into_import(self) -> Result<SubscriberImport, String> {
        let imsi = self.imsi;
        let key = |name: &str, hex: &Hex| {
            Key128::from_hex(&hex.0).map_err(|e| format!("{imsi}: `{name}`: {e}"))
        };
        let k = key("k", &self.k)?;
        let opc = match (&self.opc, &self.op) {
            (Some(opc), None) => key("opc", opc)?,
            (None, Some(op)) => milenage::opc(&k, &key("op", op)?),
            _ => return Err(format!("{imsi}: give exactly one of `opc` and `op`")),
        };
        let amf = match &self.amf {
            None => [0x80, 0],
            Some(text) => from_hex(text)
                .ok()
                .and_then(|octets| octets.try_into().ok())
                .ok_or_else(|| format!("{imsi}: `amf` is four hexadecimal digits"))?,
        };
        Ok(SubscriberImport {
            imsi,
            k,
            opc,
            amf,
            sqn: self.sqn,
            msisdn: self.msisdn,
            tenant: self.tenant,
            group: self.group,
            apns: self.apns.into_iter().map(NewApn::into_domain).collect(),
            ue_ambr: self.ue_ambr,
            state: self.state.unwrap_or(State::Ready),
        })
    }
}
