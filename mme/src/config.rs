//! Configuration: a checked value; nothing here reads a file.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use heiiki_types::{Apn, PlmnId, Protections, Tai};

/// Everything that the node is told before it starts.
#[derive(Clone, Debug)]
pub struct MmeConfig {
    /// The network: the PLMN of the GUTI and the Visited-PLMN-Id of S6a.
    pub plmn: PlmnId,
    /// The MME group, part of every GUTI.
    pub mme_group_id: u16,
    /// The MME within its group, part of every GUTI.
    pub mme_code: u8,
    /// The tracking areas served; they are also the TAI list of every UE.
    pub tais: Vec<Tai>,
    /// The node's Diameter identity.
    pub origin_host: String,
    /// The node's Diameter realm.
    pub origin_realm: String,
    /// Host-IP-Address of the capabilities exchange.
    pub host_ips: Vec<IpAddr>,
    /// Where the HSS listens.
    pub hss: SocketAddr,
    /// The Origin-Host that the HSS must have; any when absent.
    pub hss_host: Option<String>,
    /// Destination-Realm of every request.
    pub hss_realm: String,
    /// S5 control plane, GTPv2-C.
    pub s5c_local: SocketAddr,
    /// S5 user plane, GTP-U.
    pub s5u_local: SocketAddr,
    /// S1 user plane, GTP-U.
    pub s1u_local: SocketAddr,
    /// The gateway of each access point.
    pub pgws: BTreeMap<Apn, SocketAddr>,
    /// The gateway of every other access point.
    pub default_pgw: Option<SocketAddr>,
    /// GTP-U ports other than 2152, by the address of an F-TEID.
    pub gtpu_ports: BTreeMap<IpAddr, u16>,
    /// 128-EIA numbers, best first. EIA0 is never chosen.
    pub eia_preference: Vec<u8>,
    /// 128-EEA numbers, best first.
    pub eea_preference: Vec<u8>,
    /// The periodic update timer given to UEs.
    pub t3412: Duration,
    /// Report deciphered copies of NAS messages.
    pub nas_copies: bool,
    /// All on, except in a scenario that weakens one to prove its check.
    pub protections: Protections,
}
