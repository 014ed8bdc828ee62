//! Subscribers as a call brings them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Ambr, Imsi, Key128, Msisdn, from_hex};
use serde::Deserialize;
use zeroize::Zeroize;

use crate::auc::milenage;
use crate::subscriber::import::SubscriberImport;
use crate::subscriber::{State, SubscribedApn};

/// The body of `POST /v1/subscribers`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSubscribers {
    subscribers: Vec<NewSubscriber>,
}

#[derive(Deserialize)]
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
    #[serde(default)]
    group: String,
    apns: Vec<SubscribedApn>,
    ue_ambr: Ambr,
    #[serde(default)]
    state: Option<State>,
}

/// Hexadecimal digits of a secret, wiped when dropped.
#[derive(Deserialize)]
struct Hex(String);

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
            apns: self.apns,
            ue_ambr: self.ue_ambr,
            state: self.state.unwrap_or(State::Ready),
        })
    }
}
