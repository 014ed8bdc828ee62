//! Configuration: a checked value; nothing here reads a file.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use heiiki_types::{Apn, PlmnId, Protections, Tac, Tai};

use crate::limits::Limits;
use crate::result_table::ResultTable;
use crate::timers::Timers;

/// What becomes of an attach when the equipment identity register has no clear answer. Equipment on
/// the black list is always refused, equipment on the grey list never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Equipment {
    /// Refuse equipment that the register does not know (5422).
    pub refuse_unknown: bool,
    /// Refuse, for a while, when the register does not answer.
    pub refuse_unanswered: bool,
}

/// Everything that the node is told before it starts.
#[derive(Clone, Debug)]
pub struct MmeConfig {
    /// The network: the PLMN of the GUTI and the Visited-PLMN-Id of S6a.
    pub plmn: PlmnId,
    /// The MME group, part of every GUTI.
    pub mme_group_id: u16,
    /// The MME within its group, part of every GUTI.
    pub mme_code: u8,
    /// The tracking areas served, 1 to 16; they are also the TAI list of every UE.
    pub tais: Vec<Tai>,
    /// The node's Diameter identity.
    pub origin_host: String,
    /// The node's Diameter realm.
    pub origin_realm: String,
    /// Host-IP-Address of the capabilities exchange.
    pub host_ips: Vec<IpAddr>,
    /// Where the HSS, or a relay on the way to it, listens.
    pub hss: SocketAddr,
    /// The Origin-Host that the other end must have; any when absent.
    pub hss_host: Option<String>,
    /// Destination-Realm of every request.
    pub hss_realm: String,
    /// How long a request to the HSS waits for its answer.
    pub s6a_timeout: Duration,
    /// How long the node waits before it connects again, RFC 6733 §2.1 (Tc).
    pub s6a_reconnect: Duration,
    /// Watchdog interval, RFC 3539 §3.4.1 (Tw).
    pub s6a_watchdog: Duration,
    /// S5 control plane, GTPv2-C.
    pub s5c_local: SocketAddr,
    /// S5 user plane, GTP-U.
    pub s5u_local: SocketAddr,
    /// S1 user plane, GTP-U.
    pub s1u_local: SocketAddr,
    /// T3-RESPONSE, TS 29.274 §7.6.
    pub t3_response: Duration,
    /// N3-REQUESTS, TS 29.274 §7.6.
    pub n3_requests: u32,
    /// The gateway of each access point.
    pub pgws: BTreeMap<Apn, SocketAddr>,
    /// The gateway of every other access point; without it, those are unknown.
    pub default_pgw: Option<SocketAddr>,
    /// GTP-U ports other than 2152, by the address of an F-TEID.
    pub gtpu_ports: BTreeMap<IpAddr, u16>,
    /// 128-EIA numbers, best first. EIA0 is never chosen.
    pub eia_preference: Vec<u8>,
    /// 128-EEA numbers, best first.
    pub eea_preference: Vec<u8>,
    /// The periodic update timer given to UEs.
    pub t3412: Duration,
    /// What a UE waits after five failed attaches; its own default (12 minutes) when absent.
    pub t3402: Option<Duration>,
    /// The timers of the procedures.
    pub timers: Timers,
    /// What a UE is told when the HSS refuses.
    pub results: ResultTable,
    /// Tell the HSS when a UE has detached, and forget it (TS 29.272 §5.2.1.3). Otherwise the
    /// context stays, and the UE may come back without a new authentication.
    pub purge_on_detach: bool,
    /// Ask every UE for its equipment identity.
    pub ask_imeisv: bool,
    /// Whether and how the equipment identity register is asked at an attach; it is reached by the
    /// connection to the HSS.
    pub equipment_check: Option<Equipment>,
    /// What the node holds at most.
    pub limits: Limits,
    /// Report deciphered copies of NAS messages.
    pub nas_copies: bool,
    /// All on, except in a scenario that weakens one to prove its check.
    pub protections: Protections,
}

impl MmeConfig {
    /// The configuration of a network's only MME: one tracking area, identities by TS 23.003 §19,
    /// and the default of everything else. `s5` and `s1u` are two addresses, with the standard
    /// ports, since GTP-U listens on the same port on both sides.
    pub fn new(plmn: PlmnId, s5: IpAddr, s1u: IpAddr, hss: SocketAddr) -> Self {
        let realm = plmn.epc_realm();
        Self {
            plmn,
            mme_group_id: 1,
            mme_code: 1,
            tais: Vec::from([Tai { plmn, tac: Tac(1) }]),
            origin_host: alloc::format!("mmec01.mmegi0001.mme.{realm}"),
            origin_realm: realm.clone(),
            host_ips: Vec::from([s5]),
            hss,
            hss_host: None,
            hss_realm: realm,
            s6a_timeout: Duration::from_secs(5),
            s6a_reconnect: Duration::from_secs(30),
            s6a_watchdog: Duration::from_secs(30),
            s5c_local: SocketAddr::new(s5, heiiki_gtp::c::PORT),
            s5u_local: SocketAddr::new(s5, heiiki_gtp::u::PORT),
            s1u_local: SocketAddr::new(s1u, heiiki_gtp::u::PORT),
            t3_response: Duration::from_secs(3),
            n3_requests: 3,
            pgws: BTreeMap::new(),
            default_pgw: None,
            gtpu_ports: BTreeMap::new(),
            eia_preference: Vec::from([2]),
            eea_preference: Vec::from([2, 0]),
            t3412: Duration::from_mins(54),
            t3402: None,
            timers: Timers::default(),
            results: ResultTable::default(),
            purge_on_detach: false,
            ask_imeisv: true,
            equipment_check: None,
            limits: Limits::default(),
            nas_copies: false,
            protections: Protections::ALL,
        }
    }
}
