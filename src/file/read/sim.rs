//! `[[sim]]`: one entry for one SIM, or for a row of them.

use core::net::{IpAddr, Ipv4Addr};

use heiiki_types::{Ambr, Apn, Imsi, Key128, Msisdn, Qci};

use super::names::{Names, unknown};
use super::tenant::Tenants;
use crate::file::mistake::{Kind, Place};
use crate::file::reader::{At, Sink, Table};
use crate::file::value::{Amf, Rate, choices};
use crate::file::{Card, Operator, Secrets, Sim, SimState, SubscribedApn};

choices!(SimState {
    "ready" => Self::Ready,
    "inactive" => Self::Inactive,
    "suspended" => Self::Suspended,
});

/// SIMs as they are read.
#[derive(Debug)]
pub(super) struct Sims {
    pub(super) all: Vec<Sim>,
    names: Names<String>,
    imsis: Names<Imsi>,
    statics: Names<TenantAddress>,
}

/// An address as its tenant sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TenantAddress(pub(super) String, pub(super) Ipv4Addr);

impl core::fmt::Display for TenantAddress {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} of {}", self.1, self.0)
    }
}

/// What the keys of a subscription's secrets say.
pub(super) fn secrets(table: &mut Table<'_>) -> Option<Secrets> {
    let k = table.optional::<Key128>("k");
    let opc = table.optional::<Key128>("opc");
    let op = table.optional::<Key128>("op");
    let sink = table.sink();
    if table.has("opc") && table.has("op") {
        let help = "remove one of them: OPc is the key of one SIM, OP the operator's, from which OPc follows";
        let mistake =
            table
                .place_of("op")
                .mistake(Kind::Clash, "`op` and `opc` are both given", help);
        sink.add(mistake.with_first(&table.place_of("opc")));
    } else if table.has("k") && !table.has("opc") && !table.has("op") {
        table.missing(
            "opc",
            "a SIM with a key needs `opc = \"...\"`, or the operator's `op = \"...\"`",
        );
    } else if !table.has("k") && (table.has("opc") || table.has("op")) {
        table.missing(
            "k",
            "add the key of the SIM: `k = \"...\"` with 32 hexadecimal digits",
        );
    }
    let operator = opc
        .map(|o| Operator::Opc(o.value))
        .or_else(|| op.map(|o| Operator::Op(o.value)));
    Some(Secrets {
        k: k?.value,
        operator: operator?,
    })
}

/// The AMF and SQN of a subscription, with their defaults.
pub(super) fn amf_and_sqn(table: &mut Table<'_>) -> ([u8; 2], Option<u64>) {
    let amf = table.or("amf", Amf([0x80, 0])).0;
    (amf, sqn(table))
}

pub(super) fn sqn(table: &mut Table<'_>) -> Option<u64> {
    let sqn = table.optional::<u64>("sqn")?;
    if sqn.value >> 48 != 0 {
        let problem = format!("`{}` has more than 48 bits", sqn.value);
        let help = "an SQN is a number below 281474976710656";
        table
            .sink()
            .add(sqn.place.mistake(Kind::Value, problem, help));
    }
    Some(sqn.value)
}

/// The bandwidth of a subscription, with its default.
pub(super) fn ambr(table: &mut Table<'_>) -> Ambr {
    Ambr {
        uplink_bps: table.or("uplink", Rate(100_000_000)).0,
        downlink_bps: table.or("downlink", Rate(100_000_000)).0,
    }
}

impl Sims {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            names: Names::new("SIM"),
            imsis: Names::new("IMSI"),
            statics: Names::new("static address"),
        }
    }

    /// Reads every `[[sim]]`; tenants and access points come first. `sized` may answer with the
    /// number that the chosen size has for a group.
    pub(super) fn read(
        &mut self,
        root: &mut Table<'_>,
        tenants: &Tenants,
        enbs: usize,
        sized: &dyn Fn(&str) -> Option<usize>,
    ) {
        for table in root.tables("sim") {
            let sink = table.sink();
            if let Some(row) = Row::read(table, tenants, enbs, sized) {
                self.expand(&row, tenants, enbs, sink);
            }
        }
    }

    /// Adds the SIMs of an entry.
    fn expand(&mut self, row: &Row, tenants: &Tenants, enbs: usize, sink: &Sink) {
        // One clash of an entry is told, not one for each of its SIMs.
        let mut clash = false;
        let mut statics = row.static_ip.as_ref();
        for i in 0..row.count {
            let name = row.sim_name(i);
            let Some(imsi) = nth_imsi(&row.imsi, i, sink) else {
                return;
            };
            clash = clash
                || !self.names.add(name.clone(), &row.name.place, sink)
                || row.has_imsi && !self.imsis.add(imsi, &row.imsi.place, sink);
            let static_ip = statics.map(|first| nth_address(first.value, i));
            if let (Some(address), Some(first)) = (static_ip, statics)
                && !self.check_static(address, first, &row.apns, tenants, sink)
            {
                statics = None;
            }
            self.all.push(row.sim(i, name, imsi, static_ip, enbs));
        }
    }

    /// Whether a static address is one that its SIM may have.
    fn check_static(
        &mut self,
        address: Ipv4Addr,
        first: &At<Ipv4Addr>,
        apns: &[At<Apn>],
        tenants: &Tenants,
        sink: &Sink,
    ) -> bool {
        let Some(apn) = apns.first().and_then(|a| tenants.apn(a)) else {
            return false;
        };
        let range = apn.static_range.unwrap_or(apn.pool);
        let edge = |end: IpAddr| range.length() < 31 && end == IpAddr::V4(address);
        if !range.contains(IpAddr::V4(address)) || edge(range.first()) || edge(range.last()) {
            let problem = format!(
                "`{address}` is not an address for a SIM of access point `{}`",
                apn.apn
            );
            let from = if apn.static_range.is_some() {
                "`static_range`"
            } else {
                "pool"
            };
            let help =
                format!("take an address of its {from}, {range}, but not the first or the last");
            sink.add(first.place.mistake(Kind::Clash, problem, help));
            return false;
        }
        let own = TenantAddress(apn.tenant.clone(), address);
        self.statics.add(own, &first.place, sink)
    }
}

/// One `[[sim]]` entry: what its SIMs have in common.
#[derive(Debug)]
struct Row {
    name: At<String>,
    /// Whether the SIMs are counted: `red-1`, `red-2`, ...
    counted: bool,
    count: usize,
    imsi: At<Imsi>,
    /// Whether `imsi` is the one in the file: without one the names are still known, so that no
    /// step is told of them.
    has_imsi: bool,
    msisdn: Option<Msisdn>,
    tenant: String,
    apns: Vec<At<Apn>>,
    static_ip: Option<At<Ipv4Addr>>,
    qci: Qci,
    secrets: Option<Secrets>,
    amf: [u8; 2],
    sqn: Option<u64>,
    card: Card,
    state: SimState,
    ambr: Ambr,
    /// From 0.
    enb: Option<usize>,
}

impl Row {
    fn read(
        mut table: Table<'_>,
        tenants: &Tenants,
        enbs: usize,
        sized: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Self> {
        let name = table.required::<String>("name", "\"red\"");
        let imsi = table.required::<Imsi>("imsi", "\"001010000000001\"");
        let written = read_count(&mut table);
        let sized = name.as_ref().and_then(|n| sized(n));
        if sized.is_some() && written.is_none() {
            table.missing(
                "count",
                "a size changes it, so write it here too: `count = 1`",
            );
        }
        let msisdn = table.optional::<Msisdn>("msisdn").map(|m| m.value);
        if !table.has("apn") {
            let help = "add the access point: `apn = \"red.corp\"`, the default one first";
            table.missing("apn", help);
        }
        let apns = table.list::<Apn>("apn").unwrap_or_default();
        let static_ip = table.optional::<Ipv4Addr>("static_ip");
        let qci = table.or("qci", Qci(9));
        let secrets = secrets(&mut table);
        let (amf, sqn) = amf_and_sqn(&mut table);
        let state = table.or("state", SimState::Ready);
        let ambr = ambr(&mut table);
        let enb = read_enb(&mut table, enbs);
        let card = read_card(&mut table);
        let (sink, place) = (table.sink(), table.place());
        table.finish();
        let tenant = tenant_of(&apns, tenants, sink).unwrap_or_default();
        let has_imsi = imsi.is_some();
        let value = "000000".parse().ok()?;
        Some(Self {
            name: name?,
            counted: written.is_some(),
            count: sized.or(written).unwrap_or(1),
            imsi: imsi.unwrap_or(At { value, place }),
            has_imsi,
            msisdn,
            tenant,
            apns,
            static_ip,
            qci,
            secrets,
            amf,
            sqn,
            card,
            state,
            ambr,
            enb,
        })
    }

    fn sim_name(&self, i: usize) -> String {
        if self.counted {
            format!("{}-{}", self.name.value, i + 1)
        } else {
            self.name.value.clone()
        }
    }

    fn sim(
        &self,
        i: usize,
        name: String,
        imsi: Imsi,
        static_ip: Option<Ipv4Addr>,
        enbs: usize,
    ) -> Sim {
        let apns = self.apns.iter().enumerate().map(|(n, apn)| SubscribedApn {
            apn: apn.value.clone(),
            static_ip: static_ip.filter(|_| n == 0),
            static_ipv6: None,
            qci: self.qci,
        });
        Sim {
            name,
            group: self.name.value.clone(),
            imsi,
            msisdn: self.msisdn,
            tenant: self.tenant.clone(),
            apns: apns.collect(),
            secrets: self.secrets.clone(),
            amf: self.amf,
            sqn: self.sqn,
            card: self.card.clone(),
            state: self.state,
            ambr: self.ambr,
            enb: self.enb.unwrap_or_else(|| i % enbs.max(1)),
        }
    }
}

fn read_count(table: &mut Table<'_>) -> Option<usize> {
    /// More than an operator's gateway has; a slip of the finger is not to fill the memory.
    const MOST: usize = 1_000_000;
    let count = table.optional::<usize>("count")?;
    let sink = table.sink();
    if !(1..=MOST).contains(&count.value) {
        let problem = format!("{} SIMs", count.value);
        let help = format!("write how many SIMs there are, 1 to {MOST}");
        sink.add(count.place.mistake(Kind::Value, problem, help));
        return Some(1);
    }
    if table.has("k") {
        let problem = format!("one key for {} SIMs", count.value);
        let help = "remove `k` and `opc`: without them every SIM gets keys of its own, drawn from \
                    the seed";
        let mistake = table.place_of("k").mistake(Kind::Clash, problem, help);
        sink.add(mistake.of_a_secret());
    }
    Some(count.value)
}

fn read_enb(table: &mut Table<'_>, enbs: usize) -> Option<usize> {
    let enb = table.optional::<usize>("enb")?;
    if !(1..=enbs).contains(&enb.value) {
        let problem = format!("there is no eNB {}", enb.value);
        let help = format!("the lab's eNBs are 1 to {enbs}; `enbs` in [lab] sets how many");
        let mistake = enb.place.mistake(Kind::Reference, problem, help);
        table.sink().add(mistake);
    }
    enb.value.checked_sub(1)
}

fn read_card(sim: &mut Table<'_>) -> Card {
    let Some(mut table) = sim.table("card") else {
        return Card::default();
    };
    let card = Card {
        k: table.optional("k").map(|k| k.value),
        opc: table.optional("opc").map(|o| o.value),
        sqn: sqn(&mut table),
        stranger: false,
    };
    table.finish();
    card
}

/// The one tenant of all access points of a SIM.
fn tenant_of(apns: &[At<Apn>], tenants: &Tenants, sink: &Sink) -> Option<String> {
    let mut owner: Option<(String, Place)> = None;
    for apn in apns {
        let Some(known) = tenants.apn(apn) else {
            if !tenants.apn_names.contains(&apn.to_string()) {
                let name = At {
                    value: apn.to_string(),
                    place: apn.place.clone(),
                };
                let known = tenants.apns.iter().map(|a| a.apn.as_str());
                sink.add(unknown("access point", &name, known));
            }
            continue;
        };
        match &owner {
            None => owner = Some((known.tenant.clone(), apn.place.clone())),
            Some((tenant, first)) if *tenant != known.tenant => {
                let problem = format!(
                    "`{}` is of tenant `{}`, but the SIM is of tenant `{tenant}`",
                    known.apn, known.tenant
                );
                let help = "give a SIM access points of one tenant only";
                sink.add(
                    apn.place
                        .mistake(Kind::Clash, problem, help)
                        .with_first(first),
                );
            }
            Some(_) => {}
        }
    }
    owner.map(|(tenant, _)| tenant)
}

fn nth_imsi(first: &At<Imsi>, n: usize, sink: &Sink) -> Option<Imsi> {
    let text = first.to_string();
    let next = text
        .parse::<u64>()
        .ok()
        .and_then(|v| v.checked_add(u64::try_from(n).ok()?));
    let imsi = next.and_then(|v| format!("{v:0width$}", width = text.len()).parse().ok());
    if imsi.is_none() {
        let problem = format!("there are not {} IMSIs from {text} on", n + 1);
        let help = "start with a lower IMSI, or lower `count`";
        sink.add(first.place.mistake(Kind::Value, problem, help));
    }
    imsi
}

fn nth_address(first: Ipv4Addr, n: usize) -> Ipv4Addr {
    let n = u32::try_from(n).unwrap_or(u32::MAX);
    Ipv4Addr::from_bits(first.to_bits().saturating_add(n))
}
