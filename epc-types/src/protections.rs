/// The protections of a closed network, each of which a scenario may switch off to prove that the
/// check behind it can fail.
///
/// All are on by default. Only the lab builds a value with one of them off; no server has a
/// configuration key for it, and every report prints the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each protection is a switch of its own"
)]
pub struct Protections {
    /// The gateway drops uplink packets whose source is not the session's own address.
    pub source_check: bool,
    /// The gateway keys every lookup by tenant and address.
    pub tenant_isolation: bool,
    /// UE-to-UE packets follow the tenant's policy instead of passing.
    pub ue_isolation: bool,
    /// Packets to the core's own addresses, and GTP inside GTP, are dropped.
    pub infrastructure_deny: bool,
    /// IPv6 in tunnels that no rule looks into (protocol 41, 6to4, Teredo) is dropped.
    pub tunnel_deny: bool,
    /// A UE that speaks as a router or a DHCP server is not heard.
    pub router_guard: bool,
    /// Packets leave only for the tenant's declared prefixes.
    pub closed_egress: bool,
    /// A barred IMSI has no session and gets none.
    pub bar: bool,
    /// An isolated SIM exchanges packets with its tenant's quarantine prefixes only.
    pub isolation: bool,
    /// The HSS refuses SIMs by their state.
    pub sim_state: bool,
    /// AUTS is verified before the SQN moves.
    pub auts_check: bool,
    /// The MME drops NAS messages without a valid MAC once a context exists.
    pub nas_integrity: bool,
}

impl Protections {
    /// Every protection on.
    pub const ALL: Self = Self {
        source_check: true,
        tenant_isolation: true,
        ue_isolation: true,
        infrastructure_deny: true,
        tunnel_deny: true,
        router_guard: true,
        closed_egress: true,
        bar: true,
        isolation: true,
        sim_state: true,
        auts_check: true,
        nas_integrity: true,
    };
}

impl Default for Protections {
    fn default() -> Self {
        Self::ALL
    }
}
