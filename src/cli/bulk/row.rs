//! A row, checked, and written as the interface takes it.

use core::net::Ipv4Addr;

use heiiki_hss::State;
use heiiki_types::{Ambr, Apn, Imsi, Msisdn, Prefix};
use serde::Serialize;
use serde_json::Value;

/// Wrong parts of a row: the column, and why.
pub(super) type Faults = Vec<(String, String)>;

/// What rows have that do not say otherwise.
#[derive(Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) tenant: Option<String>,
    pub(crate) group: Option<String>,
    /// The default one first.
    pub(crate) apns: Vec<Apn>,
}

/// An access point of a row.
#[derive(Debug, Default, Serialize)]
pub(super) struct RowApn<'a> {
    pub(super) apn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pdn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) static_ip: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) static_ipv6: Option<Prefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ambr: Option<Ambr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) qci: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arp: Option<heiiki_types::Arp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) charging_characteristics: Option<u16>,
}

/// The access points of a row.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Apns<'a> {
    /// Of a table.
    Listed(Vec<RowApn<'a>>),
    /// As the file has them: the interface judges them.
    Given(Value),
}

/// A row. Texts are those of the file.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    pub(super) imsi: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) k: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) op: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amf: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sqn: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) msisdn: Option<&'a str>,
    pub(super) tenant: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) group: &'a str,
    pub(super) apns: Apns<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ue_ambr: Option<Ambr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) barring: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_restriction: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) periodic_update_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) charging_characteristics: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<&'a str>,
}

impl Row<'_> {
    /// Writes the row, and gives its IMSI as a number with a 1 in front, so that leading zeros
    /// count.
    pub(super) fn write(&self, json: &mut Vec<u8>) -> Result<u64, Faults> {
        let faults = self.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        serde_json::to_writer(json, self).map_err(|_| {
            vec![(
                String::new(),
                "the row cannot be written as JSON".to_owned(),
            )]
        })?;
        let digits = self.imsi.bytes().map(|c| u64::from(c.saturating_sub(b'0')));
        Ok(digits.fold(1, |number, digit| number * 10 + digit))
    }

    fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let mut fault = |column: &str, why: &str| faults.push((column.to_owned(), why.to_owned()));
        if let Err(error) = self.imsi.parse::<Imsi>() {
            fault("imsi", &error.to_string());
        }
        for (column, key) in [("k", self.k), ("opc", self.opc), ("op", self.op)] {
            if key.is_some_and(|key| !is_hex(key, 32)) {
                fault(column, "a key of 16 octets is 32 hexadecimal digits");
            }
        }
        match (self.k, self.opc, self.op) {
            (_, Some(_), Some(_)) => fault("op", "`opc` is given too: remove one"),
            (None, Some(_), None) | (None, None, Some(_)) => {
                fault("k", "the key itself is missing");
            }
            (Some(_), None, None) => fault("opc", "`opc` or `op` is missing"),
            _ => {}
        }
        if self.amf.is_some_and(|amf| !is_hex(amf, 4)) {
            fault("amf", "write 4 hexadecimal digits");
        }
        if self.sqn.is_some_and(|sqn| sqn >> 48 != 0) {
            fault("sqn", "an SQN has 48 bits");
        }
        if let Some(Err(error)) = self.msisdn.map(str::parse::<Msisdn>) {
            fault("msisdn", &error.to_string());
        }
        if self.tenant.is_empty() {
            fault("tenant", "it is missing: add the column, or give --tenant");
        }
        match &self.apns {
            Apns::Listed(apns) if apns.is_empty() => {
                fault("apn", "it is missing: add the column, or give --apn");
            }
            Apns::Listed(apns) => {
                for apn in apns {
                    if let Err(error) = apn.apn.parse::<Apn>() {
                        fault("apn", &error.to_string());
                    }
                }
            }
            Apns::Given(_) => {}
        }
        let states = State::ALL.map(State::name);
        if self.state.is_some_and(|s| !states.contains(&s)) {
            fault("state", &format!("the states are {}", states.join(", ")));
        }
        faults
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|c| c.is_ascii_hexdigit())
}
