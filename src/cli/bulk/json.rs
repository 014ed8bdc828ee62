//! One JSON object a line, with the members of the interface. What an export has beside them is
//! passed over: it shows how a SIM was, and cannot be given to one.

use heiiki_types::Ambr;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::row::{Apns, Defaults, Faults, Row, RowApn};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    imsi: &'a str,
    #[serde(borrow, alias = "ki", alias = "Ki")]
    k: Option<&'a str>,
    #[serde(borrow, alias = "OPC", alias = "OPc")]
    opc: Option<&'a str>,
    #[serde(borrow, alias = "OP")]
    op: Option<&'a str>,
    #[serde(borrow)]
    amf: Option<&'a str>,
    sqn: Option<u64>,
    #[serde(borrow)]
    msisdn: Option<&'a str>,
    #[serde(borrow)]
    tenant: Option<&'a str>,
    #[serde(borrow)]
    group: Option<&'a str>,
    apns: Option<Value>,
    ue_ambr: Option<Ambr>,
    barring: Option<u32>,
    access_restriction: Option<u32>,
    periodic_update_s: Option<u32>,
    charging_characteristics: Option<u16>,
    #[serde(borrow)]
    state: Option<&'a str>,
    // Of an export, and of cards: not for an HSS to take.
    #[serde(rename = "iccid")]
    _iccid: Option<IgnoredAny>,
    #[serde(rename = "mme")]
    _mme: Option<IgnoredAny>,
    #[serde(rename = "version")]
    _version: Option<IgnoredAny>,
    #[serde(rename = "actor")]
    _actor: Option<IgnoredAny>,
    #[serde(rename = "reason")]
    _reason: Option<IgnoredAny>,
    #[serde(rename = "since")]
    _since: Option<IgnoredAny>,
    #[serde(rename = "cut")]
    _cut: Option<IgnoredAny>,
    #[serde(rename = "seq")]
    _seq: Option<IgnoredAny>,
    #[serde(rename = "expires")]
    _expires: Option<IgnoredAny>,
    #[serde(rename = "isolation")]
    _isolation: Option<IgnoredAny>,
    #[serde(rename = "location")]
    _location: Option<IgnoredAny>,
}

pub(super) fn row<'a>(line: &'a str, defaults: &'a Defaults) -> Result<Row<'a>, Faults> {
    let line: Line<'a> = serde_json::from_str(line).map_err(|error| {
        let what = if error.is_data() {
            "a member is missing, unknown, has a wrong type or an escaped character"
        } else {
            "it is not a JSON object"
        };
        vec![(format!("character {}", error.column()), what.to_owned())]
    })?;
    let apns = line.apns.map_or_else(
        || {
            let listed = defaults.apns.iter().map(|apn| RowApn {
                apn: apn.as_str(),
                ..RowApn::default()
            });
            Apns::Listed(listed.collect())
        },
        Apns::Given,
    );
    Ok(Row {
        imsi: line.imsi,
        k: line.k,
        opc: line.opc,
        op: line.op,
        amf: line.amf,
        sqn: line.sqn,
        msisdn: line.msisdn,
        tenant: line.tenant.or(defaults.tenant.as_deref()).unwrap_or(""),
        group: line.group.or(defaults.group.as_deref()).unwrap_or(""),
        apns,
        ue_ambr: line.ue_ambr,
        barring: line.barring,
        access_restriction: line.access_restriction,
        periodic_update_s: line.periodic_update_s,
        charging_characteristics: line.charging_characteristics,
        state: line.state,
    })
}
