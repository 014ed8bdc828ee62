//! `ue-sim.toml`.

use core::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heiiki_types::{Apn, Duration, Imsi, PlmnId, Tac};

use super::hss::{SCTP_UDP_PORT, loopback};
use super::names::Names;
use super::sim::{secrets, sqn};
use crate::file::mistake::{Kind, Source};
use crate::file::reader::{Sink, Table, parse};
use crate::file::value::choices;
use crate::file::{
    Ciphering, EquipmentCheck, HssEntry, Integrity, Network, PgwEntry, SimCard, Transport,
    UeSimFile,
};

choices!(Transport { "tcp" => Self::Tcp, "sctp" => Self::Sctp, "sctp-udp" => Self::SctpUdp });

/// Reads `ue-sim.toml`.
pub(in crate::file) fn ue_sim(source: &Arc<Source>, path: &Path, sink: &Sink) -> Option<UeSimFile> {
    parse(source, sink, |mut root| {
        let default = Network::default();
        let mme = mme(&mut root, &default);
        let hss = hss(&mut root, mme.plmn);
        let (s5c, s5u) = sgw(&mut root);
        let pgws = pgws(&mut root);
        let store = root.or("store", PathBuf::from("ue-sim-data"));
        let cards = cards(&mut root, path, sink);
        root.finish();
        Some(UeSimFile {
            plmn: mme.plmn,
            tac: mme.tac,
            mme_group_id: mme.group_id,
            mme_code: mme.code,
            origin_host: mme.origin_host,
            origin_realm: mme.origin_realm,
            hss,
            s5c,
            s5u,
            pgws,
            integrity: mme.integrity,
            ciphering: mme.ciphering,
            t3412: mme.t3412,
            equipment_check: mme.equipment_check,
            store: super::beside(path, &store),
            cards,
        })
    })
}

struct Mme {
    plmn: PlmnId,
    tac: Tac,
    group_id: u16,
    code: u8,
    origin_host: String,
    origin_realm: String,
    integrity: Vec<Integrity>,
    ciphering: Vec<Ciphering>,
    t3412: Duration,
    equipment_check: EquipmentCheck,
}

fn mme(root: &mut Table<'_>, default: &Network) -> Mme {
    let identity = |plmn: PlmnId| {
        let realm = plmn.epc_realm();
        (format!("mme.{realm}"), realm)
    };
    let (origin_host, origin_realm) = identity(default.plmn);
    let mut mme = Mme {
        plmn: default.plmn,
        tac: default.tac,
        group_id: default.mme_group_id,
        code: default.mme_code,
        origin_host,
        origin_realm,
        integrity: default.integrity.clone(),
        ciphering: default.ciphering.clone(),
        t3412: default.t3412,
        equipment_check: default.equipment_check,
    };
    let Some(mut table) = root.table("mme") else {
        return mme;
    };
    mme.plmn = table.or("plmn", mme.plmn);
    (mme.origin_host, mme.origin_realm) = identity(mme.plmn);
    mme.origin_host = table.or("origin_host", mme.origin_host);
    mme.origin_realm = table.or("origin_realm", mme.origin_realm);
    mme.tac = Tac(table.or("tac", mme.tac.0));
    mme.group_id = table.or("mme_group_id", mme.group_id);
    mme.code = table.or("mme_code", mme.code);
    if let Some(integrity) = table.list::<Integrity>("integrity") {
        mme.integrity = integrity.into_iter().map(|i| i.value).collect();
    }
    if let Some(ciphering) = table.list::<Ciphering>("ciphering") {
        mme.ciphering = ciphering.into_iter().map(|c| c.value).collect();
    }
    mme.t3412 = table.or("t3412", mme.t3412);
    mme.equipment_check = table.or("equipment_check", mme.equipment_check);
    table.finish();
    mme
}

fn hss(root: &mut Table<'_>, plmn: PlmnId) -> HssEntry {
    let mut entry = HssEntry {
        s6a: loopback(3868),
        transport: Transport::Tcp,
        sctp_udp_port: SCTP_UDP_PORT,
        origin_host: None,
        realm: plmn.epc_realm(),
    };
    if let Some(mut table) = root.table("hss") {
        let s6a = table.optional::<SocketAddr>("s6a");
        super::clear_text(&mut table, s6a.as_ref());
        entry.s6a = s6a.map_or(entry.s6a, |s| s.value);
        entry.transport = table.or("transport", entry.transport);
        entry.sctp_udp_port = table.or("sctp_udp_port", entry.sctp_udp_port);
        entry.origin_host = table.optional::<String>("origin_host").map(|h| h.value);
        entry.realm = table.or("realm", entry.realm);
        table.finish();
    }
    entry
}

fn sgw(root: &mut Table<'_>) -> (SocketAddr, SocketAddr) {
    let own = |port| SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port));
    let (mut s5c, mut s5u) = (own(2123), own(2152));
    if let Some(mut table) = root.table("sgw") {
        s5c = table.or("s5c", s5c);
        s5u = table.or("s5u", s5u);
        table.finish();
    }
    (s5c, s5u)
}

fn pgws(root: &mut Table<'_>) -> Vec<PgwEntry> {
    let mut served = Names::<String>::new("access point");
    let mut pgws = Vec::new();
    if !root.has("pgw") {
        root.missing(
            "pgw",
            "name the gateway in a section `[[pgw]]` with `s5c = \"127.0.0.3:2123\"`",
        );
    }
    for mut table in root.tables("pgw") {
        let s5c = table.required::<SocketAddr>("s5c", "\"127.0.0.3:2123\"");
        let gtpu_port = table.or("gtpu_port", 2152);
        let apns = table.list::<Apn>("apns");
        let place = table.place();
        let sink = table.sink();
        match &apns {
            Some(apns) => apns.iter().for_each(|a| {
                served.add(a.to_string(), &a.place, sink);
            }),
            // An APN has no space, so this name is free for the entry that takes the rest.
            None => {
                served.add(String::from("any other"), &place, sink);
            }
        }
        table.finish();
        pgws.extend(s5c.map(|s5c| PgwEntry {
            apns: apns.into_iter().flatten().map(|a| a.value).collect(),
            s5c: s5c.value,
            gtpu_port,
        }));
    }
    pgws
}

/// The cards of `[[card]]` sections, and those of a subscribers file.
fn cards(root: &mut Table<'_>, path: &Path, sink: &Sink) -> Vec<SimCard> {
    let mut imsis = Names::<Imsi>::new("IMSI");
    let mut cards = Vec::new();
    let file = root.optional::<PathBuf>("subscribers");
    if let Some(file) = &file {
        let of = super::beside(path, &file.value);
        let source = super::open(&of, sink, Some(&file.place));
        let rows = source.and_then(|source| super::subscribers(&source, &of, sink));
        cards.extend(rows.into_iter().flatten().map(|row| SimCard {
            imsi: row.imsi,
            secrets: row.secrets,
            apn: None,
            sqn: None,
        }));
    }
    if file.is_none() && !root.has("card") {
        root.missing(
            "card",
            "add the SIM cards: sections `[[card]]`, or `subscribers = \"subscribers.toml\"`",
        );
    }
    for mut table in root.tables("card") {
        let imsi = table.required::<Imsi>("imsi", "\"001010000000001\"");
        if let Some(imsi) = &imsi {
            imsis.add(imsi.value, &imsi.place, sink);
            if cards.iter().any(|c| c.imsi == imsi.value) {
                let problem = format!("IMSI `{}` is in the subscribers file too", imsi.value);
                let help = "change or remove one of them";
                sink.add(imsi.place.mistake(Kind::Clash, problem, help));
            }
        }
        for key in ["k", "opc"] {
            if !table.has("k") && !table.has("opc") && !table.has("op") {
                table.missing(
                    key,
                    format!("add `{key} = \"...\"` with 32 hexadecimal digits"),
                );
            }
        }
        let secrets = secrets(&mut table);
        let apn = table.optional::<Apn>("apn").map(|a| a.value);
        let sqn = sqn(&mut table);
        table.finish();
        if let (Some(imsi), Some(secrets)) = (imsi, secrets) {
            cards.push(SimCard {
                imsi: imsi.value,
                secrets,
                apn,
                sqn,
            });
        }
    }
    cards
}
