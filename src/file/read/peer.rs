//! Who may talk to the HSS: `[[mme]]`, or `[[peer]]` for what is none, such as a relay.

use heiiki_types::{PlmnId, Prefix};

use super::hss::this_machine;
use crate::file::mistake::Kind;
use crate::file::reader::Table;
use crate::file::value::Sha256;
use crate::file::{CarriedNode, MmeRule, RequestRate};

/// The sections of all peers.
pub(super) fn peers(root: &mut Table<'_>) -> Vec<MmeRule> {
    if !root.has("mme") && !root.has("peer") {
        root.missing(
            "mme",
            "name who may connect in a section `[[mme]]` with `origin_host = \"mme.epc...\"`",
        );
    }
    let mut tables = root.tables("mme");
    tables.extend(root.tables("peer"));
    tables.into_iter().filter_map(peer).collect()
}

fn peer(mut table: Table<'_>) -> Option<MmeRule> {
    let origin_host = origin_host(&mut table);
    let origin_realm = table.optional::<String>("origin_realm").map(|r| r.value);
    let addresses = table.list::<Prefix>("addresses");
    let carries: Vec<_> = table
        .tables("carries")
        .into_iter()
        .filter_map(carried)
        .collect();
    // A relay asks for nothing itself.
    if !table.has("visited_plmns") && !table.has("carries") {
        table.missing("visited_plmns", VISITED);
    }
    let visited = table.list::<PlmnId>("visited_plmns").unwrap_or_default();
    let route_records = table.list::<String>("route_records").unwrap_or_default();
    let tls = table.or("tls", false);
    let certificates = table.list::<Sha256>("certificates").unwrap_or_default();
    let rate = rate(&mut table);
    table.finish();
    Some(MmeRule {
        origin_host: origin_host?,
        origin_realm,
        addresses: addresses
            .map_or_else(this_machine, |a| a.into_iter().map(|p| p.value).collect()),
        visited_plmns: visited.into_iter().map(|p| p.value).collect(),
        carries,
        route_records: route_records.into_iter().map(|r| r.value).collect(),
        tls,
        certificates: certificates.into_iter().map(|c| c.value.0).collect(),
        rate,
    })
}

const VISITED: &str = "add the networks that it serves: `visited_plmns = [\"00101\"]`";

fn carried(mut table: Table<'_>) -> Option<CarriedNode> {
    let origin_host = origin_host(&mut table);
    let origin_realm = table.optional::<String>("origin_realm").map(|r| r.value);
    if !table.has("visited_plmns") {
        table.missing("visited_plmns", VISITED);
    }
    let visited = table.list::<PlmnId>("visited_plmns").unwrap_or_default();
    let rate = rate(&mut table);
    table.finish();
    Some(CarriedNode {
        origin_host: origin_host?,
        origin_realm,
        visited_plmns: visited.into_iter().map(|p| p.value).collect(),
        rate,
    })
}

/// An Origin-Host, with one `*` at the most.
fn origin_host(table: &mut Table<'_>) -> Option<String> {
    let host =
        table.required::<String>("origin_host", "\"mme.epc.mnc001.mcc001.3gppnetwork.org\"")?;
    if host.matches('*').count() > 1 {
        let problem = format!("`{}` has more than one `*`", host.value);
        let help = "write one `*`, which stands for any text: \"mme*.epc...\"";
        table
            .sink()
            .add(host.place.mistake(Kind::Value, problem, help));
    }
    Some(host.value)
}

/// `rate` and `burst`; the burst is a second's worth unless it is given.
fn rate(table: &mut Table<'_>) -> Option<RequestRate> {
    let rate = table.optional::<u32>("rate");
    let burst = table.optional::<u32>("burst");
    let Some(rate) = rate else {
        if let Some(burst) = burst {
            let help = "add `rate = 1000`, the requests a second, or remove this key";
            let mistake = burst
                .place
                .mistake(Kind::Clash, "it has no `rate` to go with", help);
            table.sink().add(mistake);
        }
        return None;
    };
    if rate.value == 0 || burst.as_ref().is_some_and(|b| b.value == 0) {
        let help = "write 1 or more; to keep a peer out, remove its section";
        let mistake = rate
            .place
            .mistake(Kind::Value, "no request at all would be answered", help);
        table.sink().add(mistake);
    }
    Some(RequestRate {
        per_second: rate.value,
        burst: burst.map_or(rate.value, |b| b.value),
    })
}
