//! What the three servers share, and how each file becomes what a driver starts.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use heiiki_hss::auc::milenage;
use heiiki_hss::auc::sqn::IndRange;
use heiiki_hss::{
    CarryRule, EquipmentPolicy, Gateway, HssConfig, Otherwise, PeerRule, RequestRate, State,
    SubscribedApn, SubscriberImport, Tenant, TenantRule, Tokens,
};
use heiiki_net::clock;
use heiiki_net::http::Target;
use heiiki_net::postgres::PostgresConfig;
use heiiki_pgw::{PgwConfig, Tokens as PgwTokens};
use heiiki_types::{Ambr, Arp, Key128, Prefix, Rng, Token};

use super::failure::Failure;
use super::{store_key, tls, token};
use crate::driver::{
    AuditLog, HssSetup, PgwSetup, PgwStartError, Runtime, SctpChoice, SctpSetup, StartError, Taps,
};
use crate::file::{
    self, Equipment, HssFile, Operator, PgwFile, RefuseAt, SctpMode, Secrets, SimState, Subscriber,
    SuspendedAnswer,
};
use crate::lab::wiring;

/// A configuration file: where to lay the blame when the system refuses what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config<'a>(pub(super) &'a Path);

impl Config<'_> {
    pub(super) fn blame(self, key: &str, problem: &str, help: &str) -> Failure {
        file::blame(self.0, key, problem, help).into()
    }

    /// What a driver could not have. `key` finds the key of the file behind the driver's own.
    pub(super) fn start(
        self,
        error: &StartError,
        key: impl FnOnce(&StartError) -> Option<String>,
    ) -> Failure {
        let problem = format!("{} cannot be had: {}", error.value, error.source);
        match key(error) {
            Some(key) => self.blame(&key, &problem, error.help()),
            None => Failure::failed(format!("{}: {problem}", error.key), error.help()),
        }
    }

    fn token(self, key: &str, path: &Path, rng: &mut Rng) -> Result<Token, Failure> {
        token::make_or_read(path, rng).map_err(|u| self.blame(key, &u.problem, &u.help))
    }

    /// Makes the folder of a store, for its owner alone: keys of SIMs are in it.
    pub(super) fn store(self, path: &Path) -> Result<(), Failure> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|e| {
                let problem = format!("{} cannot be made: {e}", path.display());
                self.blame(
                    "store",
                    &problem,
                    "name a folder that this user may make and write",
                )
            })
    }
}

/// The variable with the password of the shared store, when no file has it.
const PASSWORD: &str = "HEIIKI_POSTGRES_PASSWORD";

/// The randomness of a process.
pub(super) fn rng() -> Result<Rng, Failure> {
    clock::entropy().map(Rng::from_entropy).map_err(|e| {
        let help = "see what the system says";
        Failure::failed(format!("the system has no random numbers: {e}"), help)
    })
}

pub(super) fn runtime() -> Result<Runtime, Failure> {
    Runtime::start().map_err(|e| {
        Failure::failed(
            format!("cannot start a thread: {e}"),
            "see what the system says",
        )
    })
}

/// OPc of a SIM, computed when the file has OP.
pub(super) fn opc(secrets: &Secrets) -> Key128 {
    match &secrets.operator {
        Operator::Opc(opc) => opc.clone(),
        Operator::Op(op) => milenage::opc(&secrets.k, op),
    }
}

/// Addresses as one word.
pub(super) fn words(addresses: &[SocketAddr]) -> String {
    addresses
        .iter()
        .map(SocketAddr::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// A path as one word of a `ready` line.
pub(super) fn path_word(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.display().to_string().replace(char::is_whitespace, "?")
}

/// What starts an HSS.
pub(super) fn hss(path: &Path, file: &HssFile, rng: &mut Rng) -> Result<HssSetup, Failure> {
    let config = Config(path);
    let subscribers = match &file.subscribers {
        Some(path) => file::load_subscribers(path)?,
        None => Vec::new(),
    };
    let admin = config.token("admin.token_file", &file.admin.token_file, rng)?;
    let files = &file.tokens;
    let mut lesser = |key: &str, file: &Option<PathBuf>| {
        let read = |f: &PathBuf| config.token(&format!("tokens.{key}"), f, rng);
        file.as_ref().map(read).transpose()
    };
    let reader = lesser("read", &files.read)?;
    let cut_only = lesser("cut_only", &files.cut_only)?;
    let operate = lesser("operate", &files.operate)?;
    let provision = lesser("provision", &files.provision)?;
    let (gateways, addresses) = gateways(config, file, rng)?;
    config.store(&file.store)?;
    let audit = AuditLog::open(&file.store, file.audit_rotate_at).map_err(|e| {
        let problem = format!(
            "the audit log in {} cannot be had: {e}",
            file.store.display()
        );
        config.blame("store", &problem, "see `hss audit verify`")
    })?;
    let store = file.store.join("hss.redb");
    let keys = &file.store_key;
    let store_keys = store_key::load(&keys.file, &keys.previous, store.exists(), rng)
        .map_err(|u| config.blame("store_key_file", &u.problem, &u.help))?;
    Ok(HssSetup {
        taps: Taps::default(),
        config: hss_config(file, gateways),
        shared: shared(config, file)?,
        tokens: Tokens {
            admin,
            cut_only,
            operate,
            provision,
            reader,
        },
        subscribers: subscribers.into_iter().map(import).collect(),
        s6a: file.s6a,
        sctp: sctp(file),
        admin: file.admin.listen,
        store,
        store_keys,
        restored: false,
        gateways: addresses,
        s6a_tls: tls::s6a(config, file)?,
        admin_tls: tls::admin(config, &file.admin)?,
        audit: Some(audit),
    })
}

/// The gateways of an HSS, and where each of them is called.
fn gateways(
    config: Config<'_>,
    file: &HssFile,
    rng: &mut Rng,
) -> Result<(Vec<Gateway>, BTreeMap<String, Target>), Failure> {
    let mut gateways = Vec::new();
    let mut addresses = BTreeMap::new();
    for (place, entry) in file.gateways.iter().enumerate() {
        let key = format!("gateway[{place}].token_file");
        // On one machine the gateway may start later: both take the token that is there first.
        let token = if entry.admin.address.ip().is_loopback() {
            config.token(&key, &entry.token_file, rng)?
        } else {
            token::read(&entry.token_file).map_err(|u| {
                let help = "copy the cut-only token file of that gateway to this place, mode 0600";
                config.blame(&key, &u.problem, help)
            })?
        };
        let target = tls::gateway(config, place, entry)?;
        addresses.insert(entry.name.clone(), target);
        let apns = entry.apns.clone();
        gateways.push(Gateway {
            name: entry.name.clone(),
            apns,
            token: Some(token),
        });
    }
    Ok((gateways, addresses))
}

/// The store that the HSS shares, if the file names one.
fn shared(config: Config<'_>, file: &HssFile) -> Result<Option<PostgresConfig>, Failure> {
    let Some(shared) = &file.shared_store else {
        return Ok(None);
    };
    let password = match &shared.password {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| {
                let problem = format!("{} cannot be read: {e}", path.display());
                let help = "make the file, mode 0600, with the password as its only line";
                config.blame("postgres.password_file", &problem, help)
            })?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the secret may come in the environment, as documented"
        )]
        None => std::env::var(PASSWORD).ok(),
    };
    Ok(Some(PostgresConfig {
        tls: tls::postgres(config, shared)?,
        address: shared.address.clone(),
        password,
        numbers: inds(shared).values(),
        patience: shared.patience,
    }))
}

/// The IND values of a front end: all of them shared out evenly.
fn inds(shared: &file::SharedStore) -> IndRange {
    let file::FrontEnd { number, of } = shared.front_end;
    let count = 32 / of.max(1);
    IndRange::new(number.saturating_mul(count), count).unwrap_or(IndRange::ALL)
}

fn peer_rule(peer: &file::MmeRule) -> PeerRule {
    let rate = |rate: Option<file::RequestRate>| {
        rate.map(|r| RequestRate {
            per_second: r.per_second,
            burst: r.burst,
        })
    };
    PeerRule {
        origin_host: peer.origin_host.clone(),
        realm: peer.origin_realm.clone(),
        addresses: peer.addresses.clone(),
        visited_plmns: peer.visited_plmns.clone(),
        carries: peer
            .carries
            .iter()
            .map(|c| CarryRule {
                origin_host: c.origin_host.clone(),
                realm: c.origin_realm.clone(),
                visited_plmns: c.visited_plmns.clone(),
                rate: rate(c.rate),
            })
            .collect(),
        route_records: peer.route_records.clone(),
        tls: peer.tls,
        certificates: peer.certificates.clone(),
        rate: rate(peer.rate),
    }
}

fn sctp(file: &HssFile) -> SctpSetup {
    SctpSetup {
        choice: match file.sctp {
            SctpMode::Auto => SctpChoice::Auto,
            SctpMode::Kernel => SctpChoice::Kernel,
            SctpMode::Udp => SctpChoice::Udp,
            SctpMode::Off => SctpChoice::Off,
        },
        listen: file.sctp_listen,
        udp: file.sctp_udp,
    }
}

fn hss_config(file: &HssFile, gateways: Vec<Gateway>) -> HssConfig {
    let mut config = HssConfig::new(file.origin_host.clone(), file.origin_realm.clone());
    config.host_ips = vec![file.s6a.ip()];
    config.peers = file.mmes.iter().map(peer_rule).collect();
    let connections = &mut config.limits.connections;
    connections.total = file.connections.total;
    connections.per_address = file.connections.per_address;
    connections.handshake = file.connections.handshake;
    config.gateways = gateways;
    config.tenants = file
        .tenants
        .iter()
        .map(|t| {
            let refuse_at = match t.refuse_at {
                RefuseAt::Ulr => heiiki_hss::RefuseAt::Ulr,
                RefuseAt::Air => heiiki_hss::RefuseAt::Air,
            };
            Tenant {
                name: t.name.clone(),
                rule: TenantRule {
                    refuse_at,
                    suspended_answer: match t.suspended_answer {
                        SuspendedAnswer::UserUnknown => heiiki_hss::SuspendedAnswer::UserUnknown,
                        SuspendedAnswer::RoamingNotAllowed => {
                            heiiki_hss::SuspendedAnswer::RoamingNotAllowed
                        }
                    },
                },
            }
        })
        .collect();
    if let Some(shared) = &file.shared_store {
        config.shared = true;
        config.inds = inds(shared);
    }
    config.timers.watchdog = file.watchdog;
    config.timers.request = file.request_timeout;
    config.equipment = EquipmentPolicy {
        unknown: otherwise(file.unknown_equipment),
        absent: otherwise(file.absent_equipment),
    };
    config.boot = clock::boot_id();
    config
}

const fn otherwise(equipment: Equipment) -> Otherwise {
    match equipment {
        Equipment::Allow => Otherwise::Allow,
        Equipment::Refuse => Otherwise::Refuse,
    }
}

fn import(row: Subscriber) -> SubscriberImport {
    let opc = opc(&row.secrets);
    SubscriberImport {
        imsi: row.imsi,
        k: row.secrets.k,
        opc,
        amf: row.amf,
        sqn: row.sqn,
        msisdn: row.msisdn,
        tenant: row.tenant,
        group: String::new(),
        apns: row
            .apns
            .into_iter()
            .map(|a| subscribed(a, row.ambr))
            .collect(),
        ue_ambr: row.ambr,
        options: heiiki_hss::ProfileOptions::default(),
        state: match row.state {
            SimState::Ready => State::Ready,
            SimState::Inactive => State::Inactive,
            SimState::Suspended => State::Suspended,
        },
    }
}

/// An access point of a subscription, as the HSS knows it.
pub(super) fn subscribed(apn: file::SubscribedApn, ambr: Ambr) -> SubscribedApn {
    // TS 23.401 leaves the priority to the operator; this is the middle.
    let arp = Arp {
        priority_level: 8,
        may_preempt: false,
        may_be_preempted: true,
    };
    SubscribedApn {
        apn: apn.apn,
        pdn: apn
            .static_ipv6
            .map_or(heiiki_hss::PdnKind::V4, |_| heiiki_hss::PdnKind::V4V6),
        static_ip: apn.static_ip,
        static_ipv6: apn.static_ipv6,
        ambr,
        qci: apn.qci,
        arp,
        charging_characteristics: None,
    }
}

/// The key of `hss.toml` behind one of its driver.
pub(super) fn hss_key(error: &StartError) -> Option<String> {
    match error.key {
        "s6a" => Some("s6a.listen".to_owned()),
        "sctp" | "sctp_listen" | "sctp_udp" => Some(format!("s6a.{}", error.key)),
        "admin.listen" | "s6a.tls.listen" | "store" | "postgres.address" | "front_end.number" => {
            Some(error.key.to_owned())
        }
        _ => None,
    }
}

/// What starts a gateway.
pub(super) fn pgw(path: &Path, file: &PgwFile, rng: &mut Rng) -> Result<PgwSetup, Failure> {
    let config = Config(path);
    let tokens = PgwTokens {
        admin: config.token("admin.token_file", &file.admin.token_file, rng)?,
        operate: config.token("operate_token_file", &file.operate_token_file, rng)?,
        cut_only: config.token("cut_only_token_file", &file.cut_only_token_file, rng)?,
    };
    if tokens.admin == tokens.operate {
        let problem = "the HSS's token is the administrator's, and may do more than order";
        return Err(config.blame("operate_token_file", problem, "name a file of its own"));
    }
    if tokens.cut_only == tokens.admin || tokens.cut_only == tokens.operate {
        let problem = "the token that may only cut is one that may do more";
        return Err(config.blame("cut_only_token_file", problem, "name a file of its own"));
    }
    config.store(&file.store)?;
    Ok(PgwSetup {
        taps: Taps::default(),
        config: pgw_config(file, tokens),
        admin: file.admin.listen,
        admin_tls: tls::admin(config, &file.admin)?,
        journal: file.store.join("pgw.journal"),
    })
}

fn pgw_config(file: &PgwFile, tokens: PgwTokens) -> PgwConfig {
    let mut config = PgwConfig::new(&file.name, file.s5c, &file.s5u, tokens);
    config.boot_id = clock::boot_id();
    config.sgws.clone_from(&file.sgws);
    config.gtpc.t3 = file.t3;
    config.gtpc.n3 = file.n3;
    config.gtpc.echo_interval = file.echo;
    config.tenants = file.tenants.iter().map(wiring::tenant).collect();
    // What reads a server's file has no way to open an access point.
    config.apns = file.apns.iter().map(wiring::closed_access_point).collect();
    config.infrastructure.clone_from(&file.infrastructure);
    let own = file.s5u.iter().chain([&file.s5c, &file.admin.listen]);
    config
        .infrastructure
        .extend(own.map(|a| Prefix::host(a.ip())));
    config.quarantine = file.quarantine;
    config
}

/// The failure of a gateway's start.
pub(super) fn pgw_failure(path: &Path, file: &PgwFile, error: &PgwStartError) -> Failure {
    let config = Config(path);
    match error {
        PgwStartError::Config(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            // The parts of the gateway's own value are called as the sections of the file.
            let key = errors.first().map_or_else(String::new, |e| {
                [
                    ("tenants", "tenant"),
                    ("apns", "apn"),
                    ("prefixes", "prefix"),
                    ("hosts", "host"),
                ]
                .iter()
                .fold(e.path.clone(), |key, (from, to)| key.replace(from, to))
            });
            config.blame(&key, &lines.join("; "), "correct the file")
        }
        PgwStartError::System(error) => config.start(error, |error| match error.key {
            "s5c" => Some("s5c.listen".to_owned()),
            "s5u" => {
                let place = file.s5u.iter().position(|a| a.to_string() == error.value);
                Some(format!("s5u.listen[{}]", place.unwrap_or(0)))
            }
            "admin.listen" | "store" => Some(error.key.to_owned()),
            _ => None,
        }),
    }
}
