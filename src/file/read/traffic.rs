//! Groups, rates and limits of a tenant's packets.

use heiiki_types::Imsi;
use toml::de::DeValue;

use super::names::Names;
use crate::file::mistake::Kind;
use crate::file::reader::{Fault, FromToml, Table};
use crate::file::value::Rate;
use crate::plan::{SimGroup, TenantTraffic};

/// Groups that a tenant can have.
const GROUPS: usize = 64;

/// One IMSI, or a range of which both ends belong to it.
struct Sims(Imsi, Imsi);

impl FromToml for Sims {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let help = "write an IMSI, or a range as \"001010000000001-001010000000100\"";
        let text = String::from_toml(value)?;
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let wrong = |_| Fault::new(format!("`{text}` is not a range of IMSIs"), help);
        let (first, last): (Imsi, Imsi) = (
            first.trim().parse().map_err(wrong)?,
            last.trim().parse().map_err(wrong)?,
        );
        if first > last {
            return Err(Fault::new(format!("`{text}` begins after its end"), help));
        }
        Ok(Self(first, last))
    }
}

/// Reads them from a `[[tenant]]`.
pub(super) fn read(tenant: &mut Table<'_>) -> TenantTraffic {
    let default = TenantTraffic::default();
    let rate = |table: &mut Table<'_>, key| table.optional::<Rate>(key).map(|r| r.value.0);
    let uplink_bps = rate(tenant, "uplink");
    let downlink_bps = rate(tenant, "downlink");
    let spoof_limit = tenant.or("spoof_limit", default.spoof_limit);
    let spoof_ends_session = tenant.or("spoof_ends_session", default.spoof_ends_session);
    let segment_mtu = tenant.or("segment_mtu", default.segment_mtu);
    if !(1_280..=9_000).contains(&segment_mtu) {
        let problem = format!("a segment cannot carry packets of {segment_mtu} octets");
        let place = tenant.place_of("segment_mtu");
        let help = "write 1280 to 9000";
        tenant.sink().add(place.mistake(Kind::Value, problem, help));
    }
    TenantTraffic {
        groups: read_groups(tenant),
        uplink_bps,
        downlink_bps,
        spoof_limit,
        spoof_ends_session,
        segment_mtu,
    }
}

fn read_groups(tenant: &mut Table<'_>) -> Vec<SimGroup> {
    let mut names = Names::<String>::new("group");
    let mut wanted = Vec::new();
    let mut groups = Vec::new();
    for mut table in tenant.tables("group") {
        let name = table.required::<String>("name", "\"cars\"");
        let imsis = table.list::<Sims>("imsi").unwrap_or_default();
        let reaches = table.list::<String>("reaches").unwrap_or_default();
        if let Some(name) = &name {
            names.add(name.value.clone(), &name.place, table.sink());
            if groups.len() >= GROUPS {
                let problem = format!("a tenant has at most {GROUPS} groups");
                let help = "join groups that reach the same ones";
                table
                    .sink()
                    .add(name.place.mistake(Kind::Value, problem, help));
            }
        }
        table.finish();
        groups.extend(name.map(|name| SimGroup {
            name: name.value,
            imsis: imsis.into_iter().map(|s| (s.value.0, s.value.1)).collect(),
            reaches: reaches.iter().map(|r| r.value.clone()).collect(),
        }));
        wanted.extend(reaches);
    }
    for name in &wanted {
        names.check(name, tenant.sink());
    }
    groups
}
