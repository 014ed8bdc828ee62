//! From `ue-sim.toml` to an access network: one eNB with all the cards.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use heiiki_mme::MmeConfig;
use heiiki_mme::s1::EnbId;
use heiiki_types::{Ecgi, Imsi, Tai};
use heiiki_ue_sim::usim::Usim;
use heiiki_ue_sim::usim::sqn::{ENTRIES, IND_BITS, SequenceNumbers};
use heiiki_ue_sim::{EnbConfig, UeProfile};

use super::access::Manners;
use crate::cli::failure::Failure;
use crate::cli::node::{self, Config};
use crate::driver::{AccessSetup, S6aTransport, StartError, Taps};
use crate::file::{Ciphering, Integrity, SimCard, Transport, UeSimFile};
use crate::lab::{self, wiring::equipment_check};

/// A test command does not wait half a minute (Tc of RFC 6733) for an HSS that starts late.
const RECONNECT: Duration = Duration::from_secs(1);

/// The cards that the command line chooses.
pub(super) fn choose(file: &UeSimFile, wanted: &[String]) -> Result<Vec<SimCard>, Failure> {
    if wanted.is_empty() {
        return Ok(file.cards.clone());
    }
    let mut chosen: Vec<SimCard> = Vec::new();
    for end in wanted {
        let matches = |c: &&SimCard| c.imsi.to_string().ends_with(end.as_str());
        let mut found = file.cards.iter().filter(matches);
        let card = match (found.next(), found.next()) {
            (Some(card), None) if !end.is_empty() => card,
            (None, _) => {
                let known: Vec<String> = file
                    .cards
                    .iter()
                    .take(8)
                    .map(|c| c.imsi.to_string())
                    .collect();
                let help = format!("the file has {}", known.join(", "));
                return Err(Failure::usage(
                    format!("--sim {end}: no SIM has or ends with that"),
                    help,
                ));
            }
            _ => {
                let problem = format!("--sim {end}: several SIMs end with that");
                return Err(Failure::usage(
                    problem,
                    "give more of its last digits, or the whole IMSI",
                ));
            }
        };
        if chosen.iter().all(|c| c.imsi != card.imsi) {
            chosen.push(card.clone());
        }
    }
    Ok(chosen)
}

/// What starts the access network.
pub(super) fn access(
    path: &Path,
    file: &UeSimFile,
    cards: &[SimCard],
    manners: Manners,
) -> Result<AccessSetup, Failure> {
    Config(path).store(&file.store)?;
    let mme = mme(file);
    let id = EnbId(1);
    let config = EnbConfig {
        id,
        tai: Tai {
            plmn: file.plmn,
            tac: file.tac,
        },
        ecgi: Ecgi {
            plmn: file.plmn,
            eci: id.0 << 8 | 1,
        },
        s1u_local: own(),
    };
    let profile = UeProfile {
        auto_retry: manners.auto_retry,
        probe_timeout: manners.timeout,
        http_timeout: manners.timeout,
        ..UeProfile::clone(&lab::ue_profile())
    };
    let cards = cards.iter().map(usim).collect();
    Ok(AccessSetup {
        taps: Taps::default(),
        mme,
        s6a: match file.hss.transport {
            Transport::Tcp => S6aTransport::Tcp,
            Transport::Sctp => S6aTransport::Sctp,
            Transport::SctpUdp => S6aTransport::SctpUdp(file.hss.sctp_udp_port),
        },
        journal: file.store.join("mme.journal"),
        enbs: vec![(config, Arc::new(profile), cards)],
    })
}

/// S1-U stays within the process: any free port will do.
const fn own() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn mme(file: &UeSimFile) -> MmeConfig {
    let mut config = MmeConfig::new(file.plmn, file.s5c.ip(), own().ip(), file.hss.s6a);
    config.mme_group_id = file.mme_group_id;
    config.mme_code = file.mme_code;
    config.tais = vec![Tai {
        plmn: file.plmn,
        tac: file.tac,
    }];
    config.origin_host.clone_from(&file.origin_host);
    config.origin_realm.clone_from(&file.origin_realm);
    config.hss_host.clone_from(&file.hss.origin_host);
    config.hss_realm.clone_from(&file.hss.realm);
    config.s5c_local = file.s5c;
    config.s5u_local = file.s5u;
    config.s1u_local = own();
    for pgw in &file.pgws {
        if pgw.apns.is_empty() {
            config.default_pgw = Some(pgw.s5c);
        }
        config
            .pgws
            .extend(pgw.apns.iter().map(|apn| (apn.clone(), pgw.s5c)));
        if pgw.gtpu_port != heiiki_gtp::u::PORT {
            config.gtpu_ports.insert(pgw.s5c.ip(), pgw.gtpu_port);
        }
    }
    config.eia_preference = file.integrity.iter().map(|Integrity::Eia2| 2).collect();
    config.eea_preference = file
        .ciphering
        .iter()
        .map(|algorithm| match algorithm {
            Ciphering::Eea0 => 0,
            Ciphering::Eea2 => 2,
        })
        .collect();
    config.t3412 = file.t3412;
    config.equipment_check = equipment_check(file.equipment_check);
    config.s6a_reconnect = RECONNECT;
    // The next start of this process has forgotten its UEs: the HSS shall know.
    config.purge_on_detach = true;
    config
}

fn usim(card: &SimCard) -> Usim {
    let usim = Usim::new(card.imsi, card.secrets.k.clone(), node::opc(&card.secrets));
    match card.sqn {
        Some(sqn) => {
            usim.with_sequence_numbers(SequenceNumbers::from_array([sqn >> IND_BITS; ENTRIES]))
        }
        None => usim,
    }
}

/// The key of `ue-sim.toml` behind one of the driver.
pub(super) fn key(error: &StartError) -> Option<String> {
    match error.key {
        "mme.s5c" => Some("sgw.s5c".to_owned()),
        "mme.s5u" => Some("sgw.s5u".to_owned()),
        "store" | "hss.transport" => Some(error.key.to_owned()),
        _ => None,
    }
}

/// The UE with this SIM: its place among the chosen cards.
pub(super) fn place(cards: &[SimCard], imsi: Imsi) -> Option<usize> {
    cards.iter().position(|c| c.imsi == imsi)
}
