//! From a plan to what each node is told: addresses, names, tokens and keys.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::sync::Arc;

use heiiki_hss::auc::milenage;
use heiiki_hss::{
    Gateway, HssConfig, PeerRule, State, StoreKeys, SubscriberImport, TenantRule,
    Tokens as HssTokens,
};
use heiiki_mme::MmeConfig;
use heiiki_mme::s1::EnbId;
use heiiki_pgw::egress::{LabOnly, OpenLabEgress};
use heiiki_pgw::{
    ApnConfig, Authentication, DeclaredPrefix, Families, FramedRoute, GroupConfig, HostConfig,
    PgwConfig, SelectionMode, SpoofPolicy, TenantConfig, Tokens as PgwTokens, User,
};
use heiiki_types::{Ambr, Arp, Ecgi, Key128, Prefix, Protections, Rng, Tai, Token, to_hex};
use heiiki_ue_sim::UeProfile;
use heiiki_ue_sim::usim::Usim;
use heiiki_ue_sim::usim::sqn::SequenceNumbers;

use crate::plan::{
    self, AccessPoint, Auth, Ciphering, Egress, EquipmentCheck, Integrity, IpVersion, Lab,
    Operator, RefuseAt, Selection, Service, Sim, SimGroup, SimState, Tenant, TenantTraffic, UeToUe,
};

/// The addresses of a lab's nodes, all in 127.0.0.0/8, where Linux lets anybody bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// First two octets of every address.
    block: [u8; 2],
}

impl Addresses {
    /// Diameter.
    const S6A: u16 = 3868;

    /// The addresses that begin with these two octets.
    pub const fn new(block: [u8; 2]) -> Self {
        Self { block }
    }

    const fn at(&self, c: u8, d: u8, port: u16) -> SocketAddr {
        let [a, b] = self.block;
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
    }

    /// The HSS on S6a.
    pub const fn hss(&self) -> SocketAddr {
        self.at(0, 10, Self::S6A)
    }

    /// The HSS's HTTP interface.
    pub const fn hss_admin(&self) -> SocketAddr {
        self.at(0, 10, 8081)
    }

    /// MME and SGW, control plane.
    pub const fn mme_s5c(&self) -> SocketAddr {
        self.at(0, 20, heiiki_gtp::c::PORT)
    }

    /// The SGW towards gateways.
    pub const fn sgw_s5u(&self) -> SocketAddr {
        self.at(0, 20, heiiki_gtp::u::PORT)
    }

    /// The SGW towards eNBs.
    pub const fn sgw_s1u(&self) -> SocketAddr {
        self.at(0, 21, heiiki_gtp::u::PORT)
    }

    /// The gateway, control plane.
    pub const fn pgw_s5c(&self) -> SocketAddr {
        self.at(0, 30, heiiki_gtp::c::PORT)
    }

    /// The gateway's HTTP interface.
    pub const fn pgw_admin(&self) -> SocketAddr {
        self.at(0, 30, 8082)
    }

    /// A user-plane worker of the gateway.
    pub fn pgw_s5u(&self, worker: usize) -> SocketAddr {
        let worker = u8::try_from(worker).unwrap_or(u8::MAX - 31);
        self.at(0, 31_u8.saturating_add(worker), heiiki_gtp::u::PORT)
    }

    /// An eNB.
    pub fn enb(&self, enb: usize) -> SocketAddr {
        let number = u16::try_from(enb + 1).unwrap_or(u16::MAX);
        let [c, d] = number.to_be_bytes();
        self.at(1_u8.saturating_add(c), d, heiiki_gtp::u::PORT)
    }

    /// All of them.
    pub fn prefix(&self) -> Option<Prefix> {
        let [a, b] = self.block;
        Prefix::new(IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), 16).ok()
    }

    /// The addresses of the core that a probe tries: every node, on the port that it serves.
    pub fn core(&self) -> Vec<SocketAddr> {
        vec![
            self.hss(),
            self.hss_admin(),
            self.mme_s5c(),
            self.sgw_s1u(),
            self.pgw_s5c(),
            self.pgw_s5u(0),
            self.pgw_admin(),
            self.enb(0),
        ]
    }
}

/// The tokens of a lab's administrative interfaces, drawn anew for each run.
#[derive(Clone, Debug)]
pub struct LabTokens {
    /// The operator at the HSS.
    pub hss: Token,
    /// The operator at the gateway.
    pub pgw: Token,
    /// The HSS at the gateway.
    pub operate: Token,
    /// That of the gateway, for somebody who may only cut.
    pub cut_only: Token,
}

impl LabTokens {
    fn draw(rng: &mut Rng) -> Self {
        let mut token = || Token::new(to_hex(&rng.octets::<16>()));
        Self {
            hss: token(),
            pgw: token(),
            operate: token(),
            cut_only: token(),
        }
    }
}

/// The secrets of one SIM, as the HSS and as the card have them.
#[derive(Clone)]
struct Secrets {
    k: Key128,
    opc: Key128,
}

impl Secrets {
    fn of(sim: &Sim, rng: &mut Rng) -> Self {
        // Drawn whether or not they are used, so that one SIM's secrets do not shift another's.
        let drawn = (Key128::new(rng.octets()), Key128::new(rng.octets()));
        match &sim.secrets {
            Some(plan::Secrets {
                k,
                operator: Operator::Opc(opc),
            }) => Self {
                k: k.clone(),
                opc: opc.clone(),
            },
            Some(plan::Secrets {
                k,
                operator: Operator::Op(op),
            }) => Self {
                k: k.clone(),
                opc: milenage::opc(k, op),
            },
            None => Self {
                k: drawn.0,
                opc: drawn.1,
            },
        }
    }

    fn card(&self, sim: &Sim) -> Usim {
        let k = sim.card.k.clone().unwrap_or_else(|| self.k.clone());
        let opc = sim.card.opc.clone().unwrap_or_else(|| self.opc.clone());
        let usim = Usim::new(sim.imsi, k, opc);
        match sim.card.sqn {
            Some(sqn) => {
                usim.with_sequence_numbers(SequenceNumbers::from_array([sqn >> IND_BITS; 32]))
            }
            None => usim,
        }
    }
}

/// Everything that the nodes of a lab are told.
pub(crate) struct Wiring {
    pub(crate) addresses: Addresses,
    pub(crate) tokens: LabTokens,
    pub(crate) hss: HssConfig,
    pub(crate) hss_tokens: HssTokens,
    pub(crate) store_keys: StoreKeys,
    pub(crate) subscribers: Vec<SubscriberImport>,
    pub(crate) mme: MmeConfig,
    pub(crate) pgw: PgwConfig,
    pub(crate) enbs: Vec<EnbWiring>,
}

/// What one eNB is told.
pub(crate) struct EnbWiring {
    pub(crate) id: EnbId,
    pub(crate) s1u: SocketAddr,
    pub(crate) tai: Tai,
    pub(crate) ecgi: Ecgi,
    /// The SIMs on it, each with its place in [`Lab::sims`].
    pub(crate) cards: Vec<(usize, Usim)>,
}

/// The manners of a lab's UEs: each attempt is commanded, so that a step knows what came of it.
pub(crate) fn ue_profile() -> Arc<UeProfile> {
    // The example of TS 23.003 §6.2.1 in all but name: any fourteen digits will do.
    let imei = "35123400000001"
        .parse()
        .unwrap_or_else(|_| unreachable!("fourteen digits"));
    let mut profile = UeProfile::new(imei);
    profile.auto_retry = false;
    Arc::new(profile)
}

/// The name of the gateway in certificates and calls.
pub(crate) const PGW: &str = "pgw";
/// The name of the HSS in events.
pub(crate) const HSS: &str = "hss";
/// The name of the MME in events.
pub(crate) const MME: &str = "mme";

/// Bits of IND, the lower part of an SQN (TS 33.102 §C.3).
const IND_BITS: u32 = 5;

/// Tells every node of `lab` who it is and whom it may talk to. `sims` draws the secrets of SIMs
/// that the plan gives none, `rng` the tokens.
pub(crate) fn wire(
    lab: &Lab,
    addresses: Addresses,
    protections: Protections,
    boot: &str,
    sims: &mut Rng,
    rng: &mut Rng,
) -> Wiring {
    let tokens = LabTokens::draw(&mut rng.fork("tokens"));
    let secrets: Vec<Secrets> = lab.sims.iter().map(|s| Secrets::of(s, sims)).collect();
    let core = addresses.prefix().into_iter().collect::<Vec<_>>();
    Wiring {
        hss: hss(lab, &tokens, &core, protections, boot),
        hss_tokens: HssTokens {
            admin: tokens.hss.clone(),
            cut_only: None,
            operate: None,
            provision: None,
            reader: None,
        },
        store_keys: StoreKeys::random(&mut rng.fork("store key")),
        subscribers: lab
            .sims
            .iter()
            .zip(&secrets)
            .filter(|(sim, _)| !sim.card.stranger)
            .map(|(sim, s)| import(sim, s))
            .collect(),
        mme: mme(lab, &addresses, protections),
        pgw: pgw(lab, &addresses, &tokens, core, protections, boot),
        enbs: enbs(lab, &addresses, &secrets),
        addresses,
        tokens,
    }
}

fn mme_host(lab: &Lab) -> String {
    format!("mme.{}", lab.network.plmn.epc_realm())
}

fn hss_host(lab: &Lab) -> String {
    format!("hss.{}", lab.network.plmn.epc_realm())
}

fn hss(
    lab: &Lab,
    tokens: &LabTokens,
    core: &[Prefix],
    protections: Protections,
    boot: &str,
) -> HssConfig {
    let realm = lab.network.plmn.epc_realm();
    let mut config = HssConfig::new(hss_host(lab), realm.clone());
    config.host_ips = core.iter().map(|p| p.first()).collect();
    config.peers = vec![PeerRule {
        origin_host: mme_host(lab),
        realm: Some(realm),
        addresses: core.to_vec(),
        visited_plmns: vec![lab.network.plmn],
        ..PeerRule::default()
    }];
    config.gateways = vec![Gateway {
        name: PGW.to_owned(),
        apns: lab.apns.iter().map(|a| a.apn.clone()).collect(),
        token: Some(tokens.operate.clone()),
    }];
    config.tenants = lab
        .tenants
        .iter()
        .map(|t| heiiki_hss::Tenant {
            name: t.name.clone(),
            rule: TenantRule {
                refuse_at: match t.refuse_at {
                    RefuseAt::Ulr => heiiki_hss::RefuseAt::Ulr,
                    RefuseAt::Air => heiiki_hss::RefuseAt::Air,
                },
                ..TenantRule::default()
            },
        })
        .collect();
    config.timers.watchdog = lab.network.watchdog;
    boot.clone_into(&mut config.boot);
    config.protections = protections;
    config
}

fn import(sim: &Sim, secrets: &Secrets) -> SubscriberImport {
    SubscriberImport {
        imsi: sim.imsi,
        k: secrets.k.clone(),
        opc: secrets.opc.clone(),
        amf: sim.amf,
        sqn: sim.sqn,
        msisdn: sim.msisdn,
        tenant: sim.tenant.clone(),
        group: String::new(),
        apns: sim
            .apns
            .iter()
            .map(|a| heiiki_hss::SubscribedApn {
                apn: a.apn.clone(),
                pdn: a
                    .static_ipv6
                    .map_or(heiiki_hss::PdnKind::V4, |_| heiiki_hss::PdnKind::V4V6),
                static_ip: a.static_ip,
                static_ipv6: a.static_ipv6,
                ambr: sim.ambr,
                qci: a.qci,
                arp: Arp {
                    priority_level: 8,
                    may_preempt: false,
                    may_be_preempted: true,
                },
                charging_characteristics: None,
            })
            .collect(),
        ue_ambr: sim.ambr,
        options: heiiki_hss::ProfileOptions::default(),
        state: match sim.state {
            SimState::Ready => State::Ready,
            SimState::Inactive => State::Inactive,
            SimState::Suspended => State::Suspended,
        },
    }
}

fn mme(lab: &Lab, addresses: &Addresses, protections: Protections) -> MmeConfig {
    let network = &lab.network;
    let (s5, s1u) = (addresses.mme_s5c().ip(), addresses.sgw_s1u().ip());
    let mut config = MmeConfig::new(network.plmn, s5, s1u, addresses.hss());
    config.mme_group_id = network.mme_group_id;
    config.mme_code = network.mme_code;
    config.tais = vec![Tai {
        plmn: network.plmn,
        tac: network.tac,
    }];
    config.origin_host = mme_host(lab);
    config.hss_host = Some(hss_host(lab));
    config.default_pgw = Some(addresses.pgw_s5c());
    config.eia_preference = network.integrity.iter().map(|Integrity::Eia2| 2).collect();
    config.eea_preference = network.ciphering.iter().copied().map(ciphering).collect();
    config.t3412 = network.t3412;
    config.s6a_watchdog = network.watchdog;
    // A lab has seconds, not half minutes, to come back after a crash.
    config.s6a_reconnect = Duration::from_secs(2);
    // A UE that comes back after a detach is looked at again by the HSS.
    config.purge_on_detach = true;
    config.equipment_check = equipment_check(network.equipment_check);
    config.nas_copies = true;
    config.protections = protections;
    config
}

/// The MME's rule for equipment.
pub(crate) const fn equipment_check(check: EquipmentCheck) -> Option<heiiki_mme::Equipment> {
    let strict = match check {
        EquipmentCheck::Off => return None,
        EquipmentCheck::Ask => false,
        EquipmentCheck::Require => true,
    };
    Some(heiiki_mme::Equipment {
        refuse_unknown: strict,
        refuse_unanswered: strict,
    })
}

const fn ciphering(algorithm: Ciphering) -> u8 {
    match algorithm {
        Ciphering::Eea0 => 0,
        Ciphering::Eea2 => 2,
    }
}

fn pgw(
    lab: &Lab,
    addresses: &Addresses,
    tokens: &LabTokens,
    core: Vec<Prefix>,
    protections: Protections,
    boot: &str,
) -> PgwConfig {
    let s5u: Vec<SocketAddr> = (0..lab.network.workers.max(1))
        .map(|w| addresses.pgw_s5u(w))
        .collect();
    let admin = PgwTokens {
        admin: tokens.pgw.clone(),
        operate: tokens.operate.clone(),
        cut_only: tokens.cut_only.clone(),
    };
    let mut config = PgwConfig::new(PGW, addresses.pgw_s5c(), &s5u, admin);
    boot.clone_into(&mut config.boot_id);
    config.sgws = vec![Prefix::host(addresses.mme_s5c().ip())];
    config.tenants = lab.tenants.iter().map(tenant).collect();
    config.apns = lab.apns.iter().map(access_point).collect();
    config.infrastructure = core;
    config.quarantine = lab.network.quarantine;
    config.protections = protections;
    config
}

/// A tenant as the gateway knows it.
pub(crate) fn tenant(tenant: &Tenant) -> TenantConfig {
    let empty = TenantConfig::named(&tenant.name);
    let traffic = &tenant.traffic;
    TenantConfig {
        prefixes: tenant
            .prefixes
            .iter()
            .map(|p| DeclaredPrefix {
                prefix: p.prefix,
                owned_global: p.owned_global,
            })
            .collect(),
        shared_address_space: tenant.shared_space,
        ue_to_ue: match tenant.ue_to_ue {
            UeToUe::Deny => heiiki_pgw::UeToUe::Deny,
            UeToUe::Allow => heiiki_pgw::UeToUe::Allow,
        },
        quarantine_prefixes: tenant.quarantine_prefixes.clone(),
        groups: traffic.groups.iter().map(group).collect(),
        bandwidth: contract(traffic),
        spoofing: SpoofPolicy {
            limit: traffic.spoof_limit,
            ends_session: traffic.spoof_ends_session,
        },
        segment_mtu: traffic.segment_mtu,
        hosts: tenant
            .hosts
            .iter()
            .map(|h| HostConfig {
                name: h.name.clone(),
                address: h.address,
                services: h
                    .services
                    .iter()
                    .map(|s| match s {
                        Service::Http => heiiki_pgw::Service::Http,
                        Service::Dns => heiiki_pgw::Service::Dns,
                        Service::Echo => heiiki_pgw::Service::Echo,
                        Service::Throughput => heiiki_pgw::Service::Throughput,
                        Service::Voice => heiiki_pgw::Service::Voice,
                        Service::Plc => heiiki_pgw::Service::Plc,
                    })
                    .collect(),
            })
            .collect(),
        ..empty
    }
}

fn group(group: &SimGroup) -> GroupConfig {
    GroupConfig {
        name: group.name.clone(),
        imsis: group.imsis.clone(),
        reaches: group.reaches.clone(),
    }
}

/// A contract of which one direction alone is written leaves the other one free.
fn contract(traffic: &TenantTraffic) -> Option<Ambr> {
    let (uplink, downlink) = (traffic.uplink_bps, traffic.downlink_bps);
    (uplink.is_some() || downlink.is_some()).then(|| Ambr {
        uplink_bps: uplink.unwrap_or(u64::MAX),
        downlink_bps: downlink.unwrap_or(u64::MAX),
    })
}

fn access_point(access: &AccessPoint) -> ApnConfig {
    let mut config = closed_access_point(access);
    if access.egress == Egress::OpenLab {
        config.open_lab = Some(OpenLabEgress::new(LabOnly::witness()));
    }
    config
}

/// An access point as a gateway that serves real equipment knows it: closed.
pub(crate) fn closed_access_point(access: &AccessPoint) -> ApnConfig {
    let mut config = ApnConfig::new(access.apn.clone(), &access.tenant, access.pool);
    config.static_range = access.static_range;
    config.pool_v6 = access.pool_v6;
    let has = |version| access.ip_versions.contains(&version);
    config.families = Some(match (has(IpVersion::V4), has(IpVersion::V6)) {
        (_, false) => Families::V4,
        (false, true) => Families::V6,
        (true, true) => Families::Both,
    });
    config.dns.clone_from(&access.dns);
    config.dns_v6.clone_from(&access.dns_v6);
    for address in &access.p_cscf {
        match address {
            IpAddr::V4(a) => config.p_cscf_v4.push(*a),
            IpAddr::V6(a) => config.p_cscf_v6.push(*a),
        }
    }
    config.mtu = access.mtu;
    config.apn_restriction = access.restriction;
    let modes = access.selection.iter().map(|selection| match selection {
        Selection::Verified => SelectionMode::VERIFIED,
        Selection::FromUe => SelectionMode::UE_NOT_VERIFIED,
        Selection::FromNetwork => SelectionMode::NETWORK_NOT_VERIFIED,
    });
    config.selection_modes = modes.collect();
    config.authentication = match &access.auth {
        Auth::None => Authentication::None,
        Auth::Accept => Authentication::Accept,
        Auth::Users(users) => Authentication::Users(
            users
                .iter()
                .map(|user| User {
                    name: user.name.clone(),
                    password: user.password.clone(),
                })
                .collect(),
        ),
    };
    let routes = access.routes.iter().map(|route| FramedRoute {
        imsi: route.imsi,
        prefix: route.prefix,
    });
    config.routes = routes.collect();
    config.bearers.clone_from(&access.bearers);
    config.ue_bearers.clone_from(&access.ue_bearers);
    config.ambr = Some(access.ambr);
    config
}

fn enbs(lab: &Lab, addresses: &Addresses, secrets: &[Secrets]) -> Vec<EnbWiring> {
    let plmn = lab.network.plmn;
    (0..lab.network.enbs.max(1))
        .map(|index| {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let on_it = lab
                .sims
                .iter()
                .zip(secrets)
                .enumerate()
                .filter(|(_, (s, _))| s.enb == index);
            EnbWiring {
                id: EnbId(number),
                s1u: addresses.enb(index),
                tai: Tai {
                    plmn,
                    tac: lab.network.tac,
                },
                ecgi: Ecgi {
                    plmn,
                    eci: number << 8 | 1,
                },
                cards: on_it
                    .map(|(place, (sim, secrets))| (place, secrets.card(sim)))
                    .collect(),
            }
        })
        .collect()
}
