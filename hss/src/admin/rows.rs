//! Subscribers as a call brings them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use heiiki_types::{Ambr, Apn, Arp, Imsi, Key128, Msisdn, Prefix, Qci, from_hex};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

use crate::auc::milenage;
use crate::subscriber::import::SubscriberImport;
use crate::subscriber::{Change, PdnKind, ProfileOptions, State, SubscribedApn};

/// AMF of a SIM whose row does not say: the separation bit alone.
const AMF: [u8; 2] = [0x80, 0];
/// The bandwidth of a SIM whose row does not say.
const AMBR: Ambr = Ambr {
    uplink_bps: 100_000_000,
    downlink_bps: 100_000_000,
};
/// The priority of a bearer whose row does not say: TS 23.401 leaves it to the operator, and this is
/// the middle.
const ARP: Arp = Arp {
    priority_level: 8,
    may_preempt: false,
    may_be_preempted: true,
};
/// The class of a bearer whose row does not say: best effort.
const QCI: Qci = Qci(9);

/// Rows of an import.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscribers {
    pub(super) subscribers: Vec<NewSubscriber>,
    /// Rows win over what the store has. Without, the store wins, and rows that say something else
    /// are reported.
    #[serde(default)]
    pub(super) update: bool,
    /// Only say what would happen.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// An access point that a SIM may use.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApn {
    apn: Apn,
    /// The kind of addresses.
    #[serde(default)]
    pdn: PdnKind,
    /// The address that this SIM always gets.
    #[schemars(with = "Option<heiiki_types::schema::Ipv4>")]
    static_ip: Option<Ipv4Addr>,
    /// The IPv6 prefix of 64 bits that this SIM always gets.
    #[schemars(with = "Option<heiiki_types::schema::Ipv6Prefix64>")]
    static_ipv6: Option<Prefix>,
    /// The bandwidth of all of the SIM's non-GBR bearers there; that of the UE.
    ambr: Option<Ambr>,
    /// The class of the default bearer; 9.
    qci: Option<Qci>,
    /// The priority of the default bearer; 8, not preempting, preemptable.
    arp: Option<Arp>,
    /// 3GPP-Charging-Characteristics there.
    charging_characteristics: Option<u16>,
}

/// A subscription. Keys go in and are never shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscriber {
    /// Whose it is; where the path says it, it may be left out.
    imsi: Option<Imsi>,
    /// The subscriber key. May be left out for a SIM that the store has.
    k: Option<Hex>,
    /// OPc: it or `op` goes with `k`.
    opc: Option<Hex>,
    /// OP, from which and `k` OPc follows.
    op: Option<Hex>,
    /// Authentication management field; 8000.
    #[schemars(extend("pattern" = "^[0-9A-Fa-f]{4}$"))]
    amf: Option<String>,
    /// The highest SQN in use; of a new SIM only.
    sqn: Option<u64>,
    msisdn: Option<Msisdn>,
    /// The owner.
    tenant: String,
    /// Its group, for orders about all of it; none without it.
    #[serde(default)]
    group: String,
    /// The access points, the default one first.
    apns: Vec<NewApn>,
    /// The bandwidth of all non-GBR bearers; 100 Mbit/s both ways.
    ue_ambr: Option<Ambr>,
    /// Operator-Determined-Barring (TS 29.272 §7.3.30).
    #[serde(default)]
    barring: u32,
    /// Access-Restriction-Data (TS 29.272 §7.3.31).
    #[serde(default)]
    access_restriction: u32,
    /// Subscribed periodic update timer, in seconds.
    periodic_update_s: Option<u32>,
    /// 3GPP-Charging-Characteristics.
    charging_characteristics: Option<u16>,
    /// The state to begin with; `ready`. Of a SIM that the store has only the verbs change it.
    state: Option<State>,
}

/// Members to change; what is not there stays, and null takes away what may be absent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absent and null are not the same")]
pub(crate) struct SubscriptionPatch {
    /// Another subscriber key, with `opc` or `op`: a new card.
    k: Option<Hex>,
    opc: Option<Hex>,
    op: Option<Hex>,
    #[schemars(extend("pattern" = "^[0-9A-Fa-f]{4}$"))]
    amf: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Msisdn>")]
    msisdn: Option<Option<Msisdn>>,
    tenant: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    group: Option<Option<String>>,
    /// All access points, the default one first.
    apns: Option<Vec<NewApn>>,
    ue_ambr: Option<Ambr>,
    barring: Option<u32>,
    access_restriction: Option<u32>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u32>")]
    periodic_update_s: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<u16>")]
    charging_characteristics: Option<Option<u16>>,
}

/// A member that is there, if only as null.
#[expect(clippy::option_option, reason = "absent and null are not the same")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Hexadecimal digits of a secret, wiped when dropped.
#[derive(Deserialize, JsonSchema)]
#[schemars(transparent)]
struct Hex(#[schemars(extend("pattern" = "^[0-9A-Fa-f]{32}$", "writeOnly" = true))] String);

impl Drop for Hex {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The keys of a row, none if it has none. No message repeats a digit of them.
fn secrets(
    k: Option<&Hex>,
    opc: Option<&Hex>,
    op: Option<&Hex>,
) -> Result<Option<(Key128, Key128)>, String> {
    let key =
        |name: &str, hex: &Hex| Key128::from_hex(&hex.0).map_err(|e| format!("`{name}`: {e}"));
    let Some(k) = k else {
        return match (opc, op) {
            (None, None) => Ok(None),
            _ => Err(String::from("`opc` and `op` go with `k`")),
        };
    };
    let k = key("k", k)?;
    let opc = match (opc, op) {
        (Some(opc), None) => key("opc", opc)?,
        (None, Some(op)) => milenage::opc(&k, &key("op", op)?),
        _ => return Err(String::from("give exactly one of `opc` and `op`")),
    };
    Ok(Some((k, opc)))
}

fn amf(text: &str) -> Result<[u8; 2], String> {
    let octets = from_hex(text).ok().and_then(|o| o.try_into().ok());
    octets.ok_or_else(|| String::from("`amf` is four hexadecimal digits"))
}

impl NewApn {
    fn into_domain(self, ue: Ambr) -> SubscribedApn {
        SubscribedApn {
            apn: self.apn,
            pdn: self.pdn,
            static_ip: self.static_ip,
            static_ipv6: self.static_ipv6,
            ambr: self.ambr.unwrap_or(ue),
            qci: self.qci.unwrap_or(QCI),
            arp: self.arp.unwrap_or(ARP),
            charging_characteristics: self.charging_characteristics,
        }
    }
}

impl NewSubscribers {
    /// The rows, or what is wrong with the first one that is none.
    pub(super) fn into_changes(self) -> Result<Vec<Change>, String> {
        let rows = self.subscribers.into_iter().zip(1_usize..);
        rows.map(|(row, number)| {
            let name = row
                .imsi
                .map_or_else(|| format!("row {number}"), |i| format!("{i}"));
            row.into_change(None)
                .map_err(|why| format!("{name}: {why}"))
        })
        .collect()
    }
}

impl NewSubscriber {
    /// The row of a call whose path may name the SIM.
    pub(super) fn into_change(self, path: Option<Imsi>) -> Result<Change, String> {
        let imsi = match (path, self.imsi) {
            (Some(path), Some(body)) if path != body => {
                return Err(String::from("`imsi` is not that of the path"));
            }
            (Some(imsi), _) | (None, Some(imsi)) => imsi,
            (None, None) => return Err(String::from("`imsi` is missing")),
        };
        let secrets = secrets(self.k.as_ref(), self.opc.as_ref(), self.op.as_ref())?;
        let amf = self.amf.as_deref().map_or(Ok(AMF), amf)?;
        let ue_ambr = self.ue_ambr.unwrap_or(AMBR);
        let apns = self.apns.into_iter().map(|a| a.into_domain(ue_ambr));
        let with_secrets = secrets.is_some();
        let (k, opc) = secrets.unwrap_or_else(blank);
        Ok(Change {
            row: SubscriberImport {
                imsi,
                k,
                opc,
                amf,
                sqn: self.sqn,
                msisdn: self.msisdn,
                tenant: self.tenant,
                group: self.group,
                apns: apns.collect(),
                ue_ambr,
                options: ProfileOptions {
                    barring: self.barring,
                    access_restriction: self.access_restriction,
                    periodic_update_s: self.periodic_update_s,
                    charging_characteristics: self.charging_characteristics,
                },
                state: self.state.unwrap_or(State::Ready),
            },
            with_secrets,
        })
    }
}

impl SubscriptionPatch {
    /// The subscription `row` with the members of the call in their places.
    pub(super) fn apply(self, mut row: SubscriberImport) -> Result<Change, String> {
        let secrets = secrets(self.k.as_ref(), self.opc.as_ref(), self.op.as_ref())?;
        let with_secrets = secrets.is_some();
        (row.k, row.opc) = secrets.unwrap_or_else(blank);
        if let Some(text) = &self.amf {
            row.amf = amf(text)?;
        }
        row.msisdn = self.msisdn.unwrap_or(row.msisdn);
        row.tenant = self.tenant.unwrap_or(row.tenant);
        row.group = self.group.map_or(row.group, Option::unwrap_or_default);
        row.ue_ambr = self.ue_ambr.unwrap_or(row.ue_ambr);
        if let Some(apns) = self.apns {
            let apns = apns.into_iter().map(|a| a.into_domain(row.ue_ambr));
            row.apns = apns.collect();
        }
        let options = &mut row.options;
        options.barring = self.barring.unwrap_or(options.barring);
        options.access_restriction = self
            .access_restriction
            .unwrap_or(options.access_restriction);
        options.periodic_update_s = self.periodic_update_s.unwrap_or(options.periodic_update_s);
        options.charging_characteristics = self
            .charging_characteristics
            .unwrap_or(options.charging_characteristics);
        Ok(Change { row, with_secrets })
    }
}

/// The keys of a row without keys: nothing is ever computed with them.
fn blank() -> (Key128, Key128) {
    (Key128::new([0; 16]), Key128::new([0; 16]))
}
