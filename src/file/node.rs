//! What the files of the three servers say: `hss.toml`, `pgw.toml`, `ue-sim.toml`.

use core::net::SocketAddr;
use std::path::PathBuf;

use heiiki_types::{Apn, Duration, Imsi, Msisdn, PlmnId, Prefix, Tac};

use super::{
    AccessPoint, Ciphering, EquipmentCheck, Integrity, RefuseAt, Secrets, SimState, SubscribedApn,
    Tenant,
};

/// `hss.toml`: the HSS as a process of its own.
#[derive(Clone, Debug)]
pub struct HssFile {
    /// Its Diameter identity.
    pub origin_host: String,
    /// Its Diameter realm.
    pub origin_realm: String,
    /// Where it listens for MMEs.
    pub s6a: SocketAddr,
    /// Where it listens for them over TLS.
    pub s6a_tls: Option<S6aTls>,
    /// A file of the audit log is put away when it has so many octets.
    pub audit_rotate_at: u64,
    /// How it has SCTP.
    pub sctp: SctpMode,
    /// Address and port of its SCTP, if they are not those of TCP.
    pub sctp_listen: Option<SocketAddr>,
    /// Where SCTP over UDP comes in.
    pub sctp_udp: SocketAddr,
    /// Its HTTP interface.
    pub admin: Admin,
    /// The tokens of the lesser roles.
    pub tokens: TokenFiles,
    /// The folder of its store.
    pub store: PathBuf,
    /// The master key of the store.
    pub store_key: StoreKeyFiles,
    /// A file to import at every start; rows that the store has already stay as they are.
    pub subscribers: Option<PathBuf>,
    /// Who may connect on S6a.
    pub mmes: Vec<MmeRule>,
    /// Every gateway that a cut goes to.
    pub gateways: Vec<GatewayEntry>,
    /// Tenants with rules of their own at the HSS.
    pub tenants: Vec<TenantRule>,
    /// How often a Diameter connection is checked, Tw.
    pub watchdog: Duration,
    /// How long the HSS waits for an answer.
    pub request_timeout: Duration,
    /// How many connections it takes.
    pub connections: ConnectionLimits,
    /// Equipment on no list.
    pub unknown_equipment: Equipment,
    /// Equipment that does not tell what it is.
    pub absent_equipment: Equipment,
    /// The store that it shares with other front ends, instead of one of its own.
    pub shared_store: Option<SharedStore>,
}

/// What becomes of equipment for which no rule is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Equipment {
    /// It is served.
    #[default]
    Allow,
    /// It is refused.
    Refuse,
}

/// A PostgreSQL database that front ends share.
#[derive(Clone, Debug)]
pub struct SharedStore {
    /// Where it is.
    pub address: heiiki_net::postgres::Address,
    /// The file of the password, when the database asks for one.
    pub password: Option<PathBuf>,
    /// The certificates that the server's is signed by: then TLS is required.
    pub ca: Option<PathBuf>,
    /// The name in the server's certificate, where it is not that of the address.
    pub server_name: Option<String>,
    /// How long the database may take to answer before it counts as away.
    pub patience: Duration,
    /// Which of its front ends this is.
    pub front_end: FrontEnd,
}

/// One of several front ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontEnd {
    /// Its number, from 0.
    pub number: u8,
    /// How many there may be.
    pub of: u8,
}

/// Where the master key of the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreKeyFiles {
    /// The key that seals; made at the first start, mode 0600.
    pub file: PathBuf,
    /// Keys of before, which some rows may still need.
    pub previous: Vec<PathBuf>,
}

/// How a node has SCTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpMode {
    /// By the kernel if it can, else over UDP, else not.
    Auto,
    /// By the kernel.
    Kernel,
    /// Over UDP.
    Udp,
    /// Not at all.
    Off,
}

/// What carries S6a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// SCTP of the kernel.
    Sctp,
    /// SCTP over UDP.
    SctpUdp,
}

/// The HTTP interface of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file of the administrator's token; made at the first start, mode 0600.
    pub token_file: PathBuf,
    /// As whom it speaks TLS; in clear text without.
    pub tls: Option<TlsFiles>,
}

/// The files of the tokens of the lesser roles; a role without one has no token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFiles {
    /// May read.
    pub read: Option<PathBuf>,
    /// May read, suspend and pause.
    pub cut_only: Option<PathBuf>,
    /// May read, and give every order.
    pub operate: Option<PathBuf>,
    /// May read, and make and change subscribers.
    pub provision: Option<PathBuf>,
}

/// The files of a TLS server, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// Its key, mode 0600.
    pub key: PathBuf,
    /// Whom certificates of the other side must come from; for an HTTP interface, whom its callers
    /// shall trust.
    pub ca: Option<PathBuf>,
}

/// S6a over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S6aTls {
    /// Where it listens.
    pub listen: SocketAddr,
    /// As whom, and whose peers.
    pub files: TlsFiles,
}

/// Where an HTTP interface is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminUrl {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// An MME that may connect, and what it may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MmeRule {
    /// Its Origin-Host; `*` stands for any.
    pub origin_host: String,
    /// Its Origin-Realm, if it must be a certain one.
    pub origin_realm: Option<String>,
    /// Where it may come from.
    pub addresses: Vec<Prefix>,
    /// The networks that it may name as visited; for any other the answer is 5003.
    pub visited_plmns: Vec<PlmnId>,
    /// The nodes whose requests it may carry, when it is a relay.
    pub carries: Vec<CarriedNode>,
    /// The agents that a request may have passed, beside its origin.
    pub route_records: Vec<String>,
    /// Whether it must come over TLS.
    pub tls: bool,
    /// SHA-256 of the certificates that it may show, when they need not name it.
    pub certificates: Vec<[u8; 32]>,
    /// How many requests a connection of it may make.
    pub rate: Option<RequestRate>,
}

/// A node behind a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedNode {
    /// Its Origin-Host; `*` stands for any.
    pub origin_host: String,
    /// Its Origin-Realm, if it must be a certain one.
    pub origin_realm: Option<String>,
    /// The networks that it may name as visited.
    pub visited_plmns: Vec<PlmnId>,
    /// How many requests it may make.
    pub rate: Option<RequestRate>,
}

/// Requests that are answered; those beyond are told that we are too busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// Requests a second.
    pub per_second: u32,
    /// Requests at once, after a pause.
    pub burst: u32,
}

/// How many connections a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// At once.
    pub total: usize,
    /// At once from one address.
    pub per_address: usize,
    /// How long a peer may take until it has said who it is.
    pub handshake: Duration,
}

/// A gateway that the HSS can tell to cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayEntry {
    /// Its name in certificates and logs.
    pub name: String,
    /// Its HTTP interface.
    pub admin: AdminUrl,
    /// Whom its certificate must come from.
    pub ca: Option<PathBuf>,
    /// The name that its certificate must have; its address without.
    pub server_name: Option<String>,
    /// The file with the token of the cut-only role.
    pub token_file: PathBuf,
    /// The access points that it serves.
    pub apns: Vec<Apn>,
}

/// A tenant's rule at the HSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRule {
    /// The tenant.
    pub name: String,
    /// Where its suspended SIMs are refused.
    pub refuse_at: RefuseAt,
    /// What the location update of a suspended SIM is answered.
    pub suspended_answer: SuspendedAnswer,
}

/// What the location update of a suspended SIM is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendedAnswer {
    /// Experimental-Result 5001, user unknown.
    UserUnknown,
    /// Experimental-Result 5004, roaming not allowed, with Error-Diagnostic ODB_ALL_APN.
    RoamingNotAllowed,
}

/// `pgw.toml`: the gateway as a process of its own.
#[derive(Clone, Debug)]
pub struct PgwFile {
    /// Its name in logs, certificates and records.
    pub name: String,
    /// Where it listens for GTPv2-C.
    pub s5c: SocketAddr,
    /// Where its user-plane workers listen for GTP-U, one address each.
    pub s5u: Vec<SocketAddr>,
    /// The SGWs that it answers.
    pub sgws: Vec<Prefix>,
    /// Its HTTP interface.
    pub admin: Admin,
    /// The file of the token of an HSS: it orders cuts and isolations, and lifts them.
    pub operate_token_file: PathBuf,
    /// The file of the token that cuts and isolates, and gives nothing back.
    pub cut_only_token_file: PathBuf,
    /// The folder of its store.
    pub store: PathBuf,
    /// The tenants.
    pub tenants: Vec<Tenant>,
    /// The access points, all of them closed.
    pub apns: Vec<AccessPoint>,
    /// The core's own addresses, which no UE reaches.
    pub infrastructure: Vec<Prefix>,
    /// How long a dynamic address or TEID rests before it is used again.
    pub quarantine: Duration,
    /// T3-RESPONSE: how long a request waits for its response.
    pub t3: Duration,
    /// N3-REQUESTS: how often a request is sent.
    pub n3: u32,
    /// How often a path is checked by Echo.
    pub echo: Duration,
}

/// `ue-sim.toml`: UEs, eNB, MME and SGW as one process.
#[derive(Clone, Debug)]
pub struct UeSimFile {
    /// The network that the MME serves.
    pub plmn: PlmnId,
    /// The tracking area of its cells.
    pub tac: Tac,
    /// The MME group of the GUTIs.
    pub mme_group_id: u16,
    /// The MME within its group.
    pub mme_code: u8,
    /// The MME's Diameter identity.
    pub origin_host: String,
    /// The MME's Diameter realm.
    pub origin_realm: String,
    /// The HSS.
    pub hss: HssEntry,
    /// The SGW's own GTPv2-C address.
    pub s5c: SocketAddr,
    /// The SGW's own GTP-U address.
    pub s5u: SocketAddr,
    /// The gateways and what they serve.
    pub pgws: Vec<PgwEntry>,
    /// Integrity algorithms, most wanted first.
    pub integrity: Vec<Integrity>,
    /// Ciphering algorithms, most wanted first.
    pub ciphering: Vec<Ciphering>,
    /// The periodic tracking area update timer, T3412.
    pub t3412: Duration,
    /// Whether the equipment identity register is asked at an attach.
    pub equipment_check: EquipmentCheck,
    /// The folder of the store: the restart counter and what the cards remember.
    pub store: PathBuf,
    /// The SIM cards.
    pub cards: Vec<SimCard>,
}

/// The HSS, as the MME knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HssEntry {
    /// Its S6a address.
    pub s6a: SocketAddr,
    /// What carries S6a.
    pub transport: Transport,
    /// The UDP port behind which the HSS has its SCTP.
    pub sctp_udp_port: u16,
    /// Its Diameter identity, if it must be a certain one.
    pub origin_host: Option<String>,
    /// Its realm.
    pub realm: String,
}

/// A gateway, as the MME knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgwEntry {
    /// The access points that it serves; empty for all that no other entry names.
    pub apns: Vec<Apn>,
    /// Its GTPv2-C address.
    pub s5c: SocketAddr,
    /// The port of its GTP-U addresses.
    pub gtpu_port: u16,
}

/// A SIM card of the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCard {
    /// Its identity.
    pub imsi: Imsi,
    /// K and OPc.
    pub secrets: Secrets,
    /// The access point that its UE asks for, unless the network shall choose.
    pub apn: Option<Apn>,
    /// The highest SQN that it has accepted.
    pub sqn: Option<u64>,
}

/// A row of a subscribers file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The identity.
    pub imsi: Imsi,
    /// K and OPc.
    pub secrets: Secrets,
    /// The authentication management field, with the separation bit.
    pub amf: [u8; 2],
    /// The highest SQN in use.
    pub sqn: Option<u64>,
    /// The number.
    pub msisdn: Option<Msisdn>,
    /// The owner.
    pub tenant: String,
    /// The access points, the default one first.
    pub apns: Vec<SubscribedApn>,
    /// The bandwidth of all non-GBR bearers.
    pub ambr: heiiki_types::Ambr,
    /// The state at import.
    pub state: SimState,
}
