//! The lab: tenants, access points, SIMs and links, as a lab file or the top of a scenario names
//! them.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heiiki_types::{Ambr, Apn, Duration, Imsi, Key128, Msisdn, PlmnId, Prefix, Qci, Tac, Token};

/// A whole network, checked: every name in it exists, every address belongs to its range.
#[derive(Clone, Debug)]
pub struct Lab {
    /// What the nodes of the core share.
    pub network: Network,
    /// The owners of access points, each with its own addresses.
    pub tenants: Vec<Tenant>,
    /// The access points.
    pub apns: Vec<AccessPoint>,
    /// One entry a SIM, counts expanded, in the order of the file.
    pub sims: Vec<Sim>,
    /// Links that are not perfect from the start.
    pub links: Vec<Link>,
}

/// What the nodes of the core share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The network's own identity.
    pub plmn: PlmnId,
    /// The tracking area of the lab's cells.
    pub tac: Tac,
    /// The MME group of the GUTIs.
    pub mme_group_id: u16,
    /// The MME within its group.
    pub mme_code: u8,
    /// How many eNBs there are; SIMs are spread over them.
    pub enbs: usize,
    /// How many user-plane workers the gateway has.
    pub workers: usize,
    /// Integrity algorithms, most wanted first.
    pub integrity: Vec<Integrity>,
    /// Ciphering algorithms, most wanted first.
    pub ciphering: Vec<Ciphering>,
    /// The periodic tracking area update timer, T3412.
    pub t3412: Duration,
    /// How long a dynamic address or TEID rests before it is used again.
    pub quarantine: Duration,
    /// How often a Diameter connection is checked, Tw.
    pub watchdog: Duration,
    /// Whether the MME asks the equipment identity register at an attach.
    pub equipment_check: EquipmentCheck,
    /// How often a GTP path is checked by Echo; not below 60 s (TS 29.274 §7.1.1).
    pub echo: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            // The test network; it always reads.
            plmn: PlmnId::from_octets([0x00, 0xf1, 0x10]).unwrap_or_else(|_| unreachable!()),
            tac: Tac(1),
            mme_group_id: 1,
            mme_code: 1,
            enbs: 1,
            workers: 1,
            integrity: vec![Integrity::Eia2],
            ciphering: vec![Ciphering::Eea2, Ciphering::Eea0],
            t3412: Duration::from_mins(54),
            quarantine: Duration::from_mins(1),
            watchdog: Duration::from_secs(30),
            equipment_check: EquipmentCheck::Off,
            echo: Duration::from_mins(1),
        }
    }
}

/// Whether an MME asks the equipment identity register (S13), and what it makes of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EquipmentCheck {
    /// It does not ask.
    #[default]
    Off,
    /// It asks. Equipment on the black list is refused; everything else is served, also when the
    /// register is silent.
    Ask,
    /// It asks. Equipment that the register does not know is refused as well, and so is everybody,
    /// for a while, when the register is silent.
    Require,
}

/// An integrity algorithm of NAS. EIA0 is not one: it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// 128-EIA2, on AES.
    Eia2,
}

/// A ciphering algorithm of NAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ciphering {
    /// No ciphering.
    Eea0,
    /// 128-EEA2, on AES.
    Eea2,
}

/// The owner of access points: its addresses, its corporate segment and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The name by which the rest of the file refers to it.
    pub name: String,
    /// The only destinations that its packets may leave for.
    pub prefixes: Vec<DeclaredPrefix>,
    /// Whether 100.64.0.0/10 counts as private here.
    pub shared_space: bool,
    /// What happens to packets between its own UEs.
    pub ue_to_ue: UeToUe,
    /// What its isolated SIMs still reach, within its prefixes.
    pub quarantine_prefixes: Vec<Prefix>,
    /// What the gateway does to its packets beyond that.
    pub traffic: TenantTraffic,
    /// Where the HSS refuses a suspended SIM. A gateway file has no key for it.
    pub refuse_at: RefuseAt,
    /// The hosts of its corporate segment.
    pub hosts: Vec<Host>,
}

/// Groups, rates and limits of a tenant's packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantTraffic {
    /// Groups of its SIMs, which reach each other or do not.
    pub groups: Vec<SimGroup>,
    /// What all its UEs together may send, bit/s; no limit without it.
    pub uplink_bps: Option<u64>,
    /// What all its UEs together may receive, bit/s; no limit without it.
    pub downlink_bps: Option<u64>,
    /// At how many packets with foreign sources of one session there is an alarm; never at 0.
    pub spoof_limit: u32,
    /// Whether the session ends at the alarm.
    pub spoof_ends_session: bool,
    /// What its segment carries, octets.
    pub segment_mtu: u16,
}

impl Default for TenantTraffic {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            uplink_bps: None,
            downlink_bps: None,
            spoof_limit: 10,
            spoof_ends_session: false,
            segment_mtu: 1_500,
        }
    }
}

/// A group of a tenant's SIMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimGroup {
    /// Its name.
    pub name: String,
    /// Its SIMs, as ranges with both ends.
    pub imsis: Vec<(Imsi, Imsi)>,
    /// The groups that its SIMs reach and are reached by.
    pub reaches: Vec<String>,
}

/// A range that a tenant declares as its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredPrefix {
    /// The range.
    pub prefix: Prefix,
    /// Whether it is a global range that the company owns and uses inside. Reports name these
    /// first.
    pub owned_global: bool,
}

/// A tenant's policy between its own UEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UeToUe {
    /// Refused: one infected device reaches no other.
    Deny,
    /// Passed through the gateway.
    Allow,
}

/// The procedure at which the HSS refuses a SIM that may not use the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseAt {
    /// At the location update, after AKA: the refusal reaches the UE integrity-protected.
    Ulr,
    /// At the request for vectors: the refusal reaches the UE unprotected.
    Air,
}

/// A host of a corporate segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, which the segment's DNS knows.
    pub name: String,
    /// Its address, in a prefix of the tenant and outside every pool.
    pub address: IpAddr,
    /// What it serves. Every host answers ICMP echo.
    pub services: Vec<Service>,
}

/// What a host of a corporate segment serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Pages, and files of any size with a known hash, on TCP port 80.
    Http,
    /// The segment's own names on UDP port 53; no recursion.
    Dns,
    /// What came in, on UDP and TCP port 7.
    Echo,
    /// A sink on TCP and UDP port 9, a source on TCP and UDP port 19.
    Throughput,
    /// RTP on UDP port 5004, back to its sender.
    Voice,
    /// A controller on UDP port 502 that polls the devices that it has heard.
    Plc,
}

/// An access point and what its sessions get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    /// Its name.
    pub apn: Apn,
    /// The name of its tenant.
    pub tenant: String,
    /// The addresses that sessions get, inside a prefix of the tenant.
    pub pool: Prefix,
    /// A range of its own for static addresses; without it they come from the pool.
    pub static_range: Option<Prefix>,
    /// The IPv6 prefixes that sessions get a /64 of, inside a prefix of the tenant.
    pub pool_v6: Option<Prefix>,
    /// The kinds of addresses that are handed out.
    pub ip_versions: Vec<IpVersion>,
    /// The DNS servers that UEs are told.
    pub dns: Vec<Ipv4Addr>,
    /// The DNS servers of IPv6 that UEs are told.
    pub dns_v6: Vec<Ipv6Addr>,
    /// The P-CSCFs that UEs are told.
    pub p_cscf: Vec<IpAddr>,
    /// APN Restriction, 0 to 4.
    pub restriction: u8,
    /// Who may have chosen the access point.
    pub selection: Vec<Selection>,
    /// How the name and the password of a UE are answered.
    pub auth: Auth,
    /// Networks behind UEs.
    pub routes: Vec<FramedRoute>,
    /// The MTU that UEs are told, octets.
    pub mtu: u16,
    /// Dedicated bearers that its sessions get, or that an operator can order.
    pub bearers: Vec<heiiki_pgw::BearerRule>,
    /// Classes of the bearers that its UEs may ask for.
    pub ue_bearers: Vec<Qci>,
    /// The bandwidth of all non-GBR bearers of one UE at this access point.
    pub ambr: Ambr,
    /// Where packets may go.
    pub egress: Egress,
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Who has chosen an access point, and whether the subscription has it (TS 29.274 §8.58).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The subscription has it.
    Verified,
    /// The UE chose it, and nobody asked the subscription.
    FromUe,
    /// The network chose it, and nobody asked the subscription.
    FromNetwork,
}

/// How the name and the password that a UE sends are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// With success, whatever they are.
    Accept,
    /// With success for these alone.
    Users(Vec<ApnUser>),
}

/// A name and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApnUser {
    /// The name.
    pub name: String,
    /// The password. It does not print.
    pub password: Token,
}

/// A network behind the UE of one SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramedRoute {
    /// The SIM.
    pub imsi: Imsi,
    /// The network.
    pub prefix: Prefix,
}

/// Where the packets of an access point may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// To the tenant's declared prefixes and nowhere else.
    Closed,
    /// Anywhere, which in a lab is the sentinel: the positive control of every probe. Only a lab
    /// can ask for it.
    OpenLab,
}

/// One SIM: what the HSS knows of it and what is on the card.
#[derive(Clone, Debug)]
pub struct Sim {
    /// The name by which steps refer to it, such as `red-3`.
    pub name: String,
    /// The name of the `[[sim]]` entry that it came from, such as `red`.
    pub group: String,
    /// Its identity.
    pub imsi: Imsi,
    /// Its number.
    pub msisdn: Option<Msisdn>,
    /// The tenant of its first access point.
    pub tenant: String,
    /// Its access points, the default one first.
    pub apns: Vec<SubscribedApn>,
    /// K and OPc; drawn from the run's seed when absent.
    pub secrets: Option<Secrets>,
    /// The authentication management field, with the separation bit.
    pub amf: [u8; 2],
    /// The highest SQN that the HSS has used.
    pub sqn: Option<u64>,
    /// What differs on the card.
    pub card: Card,
    /// The state in which it is provisioned.
    pub state: SimState,
    /// The bandwidth of all its non-GBR bearers.
    pub ambr: Ambr,
    /// Index of the eNB that it camps on.
    pub enb: usize,
}

/// An access point of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribedApn {
    /// Its name.
    pub apn: Apn,
    /// The address that the SIM always gets.
    pub static_ip: Option<Ipv4Addr>,
    /// The IPv6 prefix of 64 bits that the SIM always gets; it then gets both families.
    pub static_ipv6: Option<Prefix>,
    /// The class of its default bearer.
    pub qci: Qci,
}

/// The two secrets of a SIM. They do not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// The subscriber key.
    pub k: Key128,
    /// The operator's variant, already bound to K, or the operator's key that it follows from.
    pub operator: Operator,
}

/// The operator's part of a SIM's secrets.
#[derive(Clone, PartialEq, Eq)]
pub enum Operator {
    /// OPc.
    Opc(Key128),
    /// OP; OPc is computed from it and K (TS 35.206 §8.2).
    Op(Key128),
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operator(..)")
    }
}

/// What a card holds where it is not what the HSS holds: a forged or stale SIM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// Another subscriber key.
    pub k: Option<Key128>,
    /// Another OPc.
    pub opc: Option<Key128>,
    /// The highest SQN that the card has accepted.
    pub sqn: Option<u64>,
    /// Whether the HSS has never heard of the card: another network's, or a made-up one.
    pub stranger: bool,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card")
            .field("other_k", &self.k.is_some())
            .field("other_opc", &self.opc.is_some())
            .field("sqn", &self.sqn)
            .field("stranger", &self.stranger)
            .finish()
    }
}

/// The state in which a SIM is provisioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimState {
    /// May be used; its first location update makes it active.
    Ready,
    /// Paused: refused for now.
    Inactive,
    /// Lost or stolen: refused until resumed.
    Suspended,
}

/// A link of the virtual world that is not perfect.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Which one.
    pub link: LinkName,
    /// How it treats what crosses it.
    pub quality: Quality,
}

/// How a link treats what crosses it. Ratios are 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// One-way delay.
    pub delay: Duration,
    /// Spread of the delay, added at random from zero.
    pub jitter: Duration,
    /// Messages lost.
    pub loss: f64,
    /// Messages delivered twice.
    pub duplicate: f64,
    /// Messages that a later one overtakes.
    pub reorder: f64,
    /// Messages with a bit turned.
    pub corrupt: f64,
}

/// The links of the virtual world, named by reference point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkName {
    /// NAS between UE and MME, through the eNB.
    S1,
    /// GTP-U between eNB and SGW.
    S1u,
    /// Diameter between MME and HSS.
    S6a,
    /// GTPv2-C between SGW and PGW.
    S5c,
    /// GTP-U between SGW and PGW.
    S5u,
    /// IP between PGW and corporate segment.
    Sgi,
    /// HTTP between HSS, PGW and operator.
    Admin,
}
