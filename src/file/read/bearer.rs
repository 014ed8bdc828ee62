//! `[[apn.bearer]]`: dedicated bearers of an access point.

use heiiki_gtp::tft::PacketFilter;
use heiiki_pgw::{BearerRule, BearerWhen};
use heiiki_types::{Ambr, Arp, Qci};
use toml::de::DeValue;

use super::names::Names;
use crate::file::mistake::Kind;
use crate::file::reader::{Fault, FromToml, Table};
use crate::file::value::{Rate, choices};

choices!(BearerWhen { "attach" => Self::Attach, "order" => Self::Order });

/// A filter in the words of an operator.
struct Filter(PacketFilter);

impl FromToml for Filter {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let help = "write it as \"both udp remote 10.20.255.10 remote-port 5004-5100\"";
        let text = String::from_toml(value)?;
        text.parse()
            .map(Self)
            .map_err(|error| Fault::new(format!("`{text}` is not a packet filter: {error}"), help))
    }
}

/// Reads every `[[apn.bearer]]` of an access point.
pub(super) fn read_bearers(apn: &mut Table<'_>) -> Vec<BearerRule> {
    let mut names = Names::<String>::new("bearer");
    let mut rules = Vec::new();
    for mut table in apn.tables("bearer") {
        let name = table.required::<String>("name", "\"voice\"");
        if let Some(name) = &name {
            names.add(name.value.clone(), &name.place, table.sink());
        }
        let qci = table.required::<Qci>("qci", "1");
        let default = BearerRule::ARP;
        let arp = Arp {
            priority_level: table.or("priority", default.priority_level),
            may_preempt: table.or("may_preempt", default.may_preempt),
            may_be_preempted: table.or("may_be_preempted", default.may_be_preempted),
        };
        let mbr = rates(&mut table, ["mbr_uplink", "mbr_downlink"]);
        let gbr = rates(&mut table, ["gbr_uplink", "gbr_downlink"]);
        let when = table.or("when", BearerWhen::Attach);
        if !table.has("filters") {
            table.missing("filters", "add `filters = [\"both udp remote-port 5060\"]`");
        }
        let filters = table.list::<Filter>("filters").unwrap_or_default();
        if let (Some(name), Some(qci), false) = (name, qci, filters.is_empty()) {
            let rule = BearerRule {
                name: name.value,
                qci: qci.value,
                arp,
                mbr,
                gbr,
                filters: filters.into_iter().map(|f| f.value.0).collect(),
                when,
            };
            if let Some(why) = rule.mistake() {
                let problem = format!("bearer `{}` cannot be set up: {why}", rule.name);
                let help = "a class with a guaranteed rate (1 to 4) has all of mbr_uplink, \
                            mbr_downlink, gbr_uplink and gbr_downlink, and filters need an uplink";
                let mistake = name.place.mistake(Kind::Clash, problem, help);
                table.sink().add(mistake);
            }
            rules.push(rule);
        }
        table.finish();
    }
    rules
}

/// Two rates; neither is there when both are absent, and one that is absent alone is nothing.
fn rates(table: &mut Table<'_>, [uplink, downlink]: [&'static str; 2]) -> Option<Ambr> {
    let rates = (
        table.optional::<Rate>(uplink),
        table.optional::<Rate>(downlink),
    );
    if let (None, None) = rates {
        return None;
    }
    Some(Ambr {
        uplink_bps: rates.0.map_or(0, |r| r.value.0),
        downlink_bps: rates.1.map_or(0, |r| r.value.0),
    })
}
