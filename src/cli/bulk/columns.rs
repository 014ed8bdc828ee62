//! The columns of a table of subscribers, under all names that SIM vendors and card tools give them.

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Imsi,
    K,
    Opc,
    Op,
    Amf,
    Sqn,
    Msisdn,
    Tenant,
    Group,
    Apn,
    Pdn,
    StaticIp,
    StaticIpv6,
    Qci,
    Arp,
    ApnUplink,
    ApnDownlink,
    ApnCharging,
    Uplink,
    Downlink,
    Barring,
    AccessRestriction,
    PeriodicUpdate,
    Charging,
    State,
}

/// The name of each column in our own files, and the names that others use, as [`plain`] makes them.
pub(super) const NAMES: &[(Column, &str, &[&str])] = &[
    (Column::Imsi, "imsi", &["imsi1", "subscriberid"]),
    (
        Column::K,
        "k",
        &["ki", "key", "kihex", "authkey", "subscriberkey"],
    ),
    (Column::Opc, "opc", &["opchex", "eopc"]),
    (Column::Op, "op", &["opvalue"]),
    (Column::Amf, "amf", &[]),
    (Column::Sqn, "sqn", &["sequencenumber"]),
    (Column::Msisdn, "msisdn", &["number", "phonenumber", "isdn"]),
    (Column::Tenant, "tenant", &["owner", "customer"]),
    (Column::Group, "group", &[]),
    (Column::Apn, "apn", &["apns", "accesspoint"]),
    (Column::Pdn, "pdn", &["pdntype"]),
    (
        Column::StaticIp,
        "static_ip",
        &["ip", "ipv4", "staticipv4", "ipaddress"],
    ),
    (
        Column::StaticIpv6,
        "static_ipv6",
        &["ipv6", "ipv6prefix", "staticipv6prefix"],
    ),
    (Column::Qci, "qci", &[]),
    (Column::Arp, "arp", &[]),
    (Column::ApnUplink, "apn_uplink", &["apnambrul"]),
    (Column::ApnDownlink, "apn_downlink", &["apnambrdl"]),
    (Column::ApnCharging, "apn_charging_characteristics", &[]),
    (Column::Uplink, "uplink", &["ueambrul", "ambrul"]),
    (Column::Downlink, "downlink", &["ueambrdl", "ambrdl"]),
    (Column::Barring, "barring", &[]),
    (Column::AccessRestriction, "access_restriction", &[]),
    (Column::PeriodicUpdate, "periodic_update_s", &[]),
    (Column::Charging, "charging_characteristics", &[]),
    (Column::State, "state", &["status"]),
];

/// What cards have and an HSS has no use for.
const IGNORED: &[&str] = &[
    "iccid",
    "acc",
    "adm",
    "smsp",
    "name",
    "mcc",
    "mnc",
    "spn",
    "serial",
    "batch",
    "pin",
    "puk",
    "chv",
    "unblockchv",
    "kic",
    "kid",
    "kik",
    "ota",
    "eid",
    "cardtype",
    "hplmn",
    "ust",
    "fplmn",
    "lai",
    "pnn",
    "opl",
    "type",
    "profile",
    "atr",
];

/// A name without case, spaces and punctuation.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// What a head line's name stands for: `None` for what is not used.
pub(super) fn named(name: &str) -> Result<Option<Column>, String> {
    let wanted = plain(name);
    for (column, own, others) in NAMES {
        if plain(own) == wanted || others.contains(&wanted.as_str()) {
            return Ok(Some(*column));
        }
    }
    let stem = wanted.trim_end_matches(|c: char| c.is_ascii_digit());
    if IGNORED.contains(&stem) {
        return Ok(None);
    }
    let names: Vec<&str> = NAMES.iter().map(|(_, own, _)| *own).collect();
    Err(match crate::file::nearest(stem, names.iter().copied()) {
        Some(near) => format!("there is no such column: did you mean `{near}`?"),
        None => format!(
            "there is no such column: the columns are {}",
            names.join(", ")
        ),
    })
}

impl Column {
    /// Its name in our own files.
    pub(super) fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(column, ..)| *column == self);
        found.map_or("", |(_, own, _)| own)
    }
}
