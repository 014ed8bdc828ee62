use core::fmt;

/// Why the user plane did not pass a packet on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The outer source is not on the list of SGWs.
    UnlistedPeer,
    /// The outer datagram is not GTPv1-U that can be read.
    MalformedGtp,
    /// No session has the TEID.
    UnknownTeid,
    /// The gateway has not read its disk yet.
    NotServing,
    /// The session belongs to another SGW.
    WrongPeer,
    /// The session is being cut or deleted, or was by this gateway.
    Cut,
    /// The packet's version, lengths or header checksum lie.
    MalformedPacket,
    /// The packet has IP options, a hop-by-hop or routing header, or too many extension headers.
    IpOptions,
    /// A fragment that hides or overlaps the header above IP (RFC 1858).
    HeaderFragment,
    /// The source is not the session's own address.
    SpoofedSource,
    /// IPv6 carried past the rules: protocol 41, 6to4 or Teredo.
    TransitionTunnel,
    /// The UE speaks as a router or a server of the link: Router Advertisement, redirect, or the
    /// answer of a DHCP server.
    RouterImpersonation,
    /// A link-local packet that would leave its link.
    LinkScope,
    /// The packet came on a dedicated bearer whose filters do not take it.
    WrongBearer,
    /// The time to live ran out here.
    TtlExpired,
    /// The destination is a multicast or broadcast address.
    Multicast,
    /// The destination is one of the core's own.
    Infrastructure,
    /// GTP inside GTP.
    TunnelInTunnel,
    /// The destination is another tenant's.
    CrossTenant,
    /// The destination is another UE and the tenant's policy says no.
    UeToUe,
    /// The destination is in none of the tenant's declared prefixes.
    NotDeclared,
    /// No session has the destination address.
    NoSession,
    /// A packet from the segment whose source is in none of the tenant's declared prefixes.
    UndeclaredSource,
    /// The session is isolated, and the other end is in none of the tenant's quarantine prefixes.
    Isolated,
    /// The UE takes no packets for now (TS 29.274 §7.4.1).
    Suspended,
    /// Too many packets wait for the worker of the destination.
    QueueFull,
    /// The packet is longer than the next link carries, and must not be fragmented.
    TooBig,
    /// More than the maximum rate of the bearer, from the UE.
    BearerRateUplink,
    /// More than the maximum rate of the bearer, to the UE.
    BearerRateDownlink,
    /// More than the session's APN-AMBR, from the UE.
    AmbrUplink,
    /// More than the session's APN-AMBR, to the UE.
    AmbrDownlink,
    /// More than the tenant's bandwidth contract, from its UEs.
    ContractUplink,
    /// More than the tenant's bandwidth contract, to its UEs.
    ContractDownlink,
}

impl Refusal {
    /// How many reasons there are.
    pub const COUNT: usize = 33;

    /// Every reason, in the order of the checks.
    pub const ALL: [Self; Self::COUNT] = [
        Self::UnlistedPeer,
        Self::MalformedGtp,
        Self::UnknownTeid,
        Self::NotServing,
        Self::WrongPeer,
        Self::Cut,
        Self::MalformedPacket,
        Self::IpOptions,
        Self::HeaderFragment,
        Self::SpoofedSource,
        Self::TransitionTunnel,
        Self::RouterImpersonation,
        Self::LinkScope,
        Self::WrongBearer,
        Self::TtlExpired,
        Self::Multicast,
        Self::Infrastructure,
        Self::TunnelInTunnel,
        Self::CrossTenant,
        Self::UeToUe,
        Self::NotDeclared,
        Self::NoSession,
        Self::UndeclaredSource,
        Self::Isolated,
        Self::Suspended,
        Self::QueueFull,
        Self::TooBig,
        Self::BearerRateUplink,
        Self::BearerRateDownlink,
        Self::AmbrUplink,
        Self::AmbrDownlink,
        Self::ContractUplink,
        Self::ContractDownlink,
    ];

    /// The reason's name in events and counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnlistedPeer => "unlisted_peer",
            Self::MalformedGtp => "malformed_gtp",
            Self::UnknownTeid => "unknown_teid",
            Self::NotServing => "not_serving",
            Self::WrongPeer => "wrong_peer",
            Self::Cut => "cut",
            Self::MalformedPacket => "malformed_packet",
            Self::IpOptions => "ip_options",
            Self::HeaderFragment => "header_fragment",
            Self::SpoofedSource => "spoofed_source",
            Self::TransitionTunnel => "transition_tunnel",
            Self::RouterImpersonation => "router_impersonation",
            Self::LinkScope => "link_scope",
            Self::WrongBearer => "wrong_bearer",
            Self::TtlExpired => "ttl_expired",
            Self::Multicast => "multicast",
            Self::Infrastructure => "infrastructure",
            Self::TunnelInTunnel => "tunnel_in_tunnel",
            Self::CrossTenant => "cross_tenant",
            Self::UeToUe => "ue_to_ue",
            Self::NotDeclared => "not_declared",
            Self::NoSession => "no_session",
            Self::UndeclaredSource => "undeclared_source",
            Self::Isolated => "isolated",
            Self::Suspended => "suspended",
            Self::QueueFull => "queue_full",
            Self::TooBig => "too_big",
            Self::BearerRateUplink => "bearer_rate_uplink",
            Self::BearerRateDownlink => "bearer_rate_downlink",
            Self::AmbrUplink => "ambr_uplink",
            Self::AmbrDownlink => "ambr_downlink",
            Self::ContractUplink => "contract_uplink",
            Self::ContractDownlink => "contract_downlink",
        }
    }

    /// What the sender is told: a tenant's own rules answer, everything that would help someone
    /// to map the core or another tenant stays silent.
    pub(crate) const fn answer(self) -> Answer {
        match self {
            Self::UeToUe | Self::NotDeclared | Self::Isolated => Answer::AdminProhibited,
            Self::TtlExpired => Answer::TimeExceeded,
            Self::TooBig => Answer::TooBig,
            _ => Answer::Silence,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the sender of a refused packet hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Silence,
    /// ICMP destination unreachable, communication administratively prohibited (RFC 1812
    /// §5.2.7.1).
    AdminProhibited,
    /// ICMP time exceeded.
    TimeExceeded,
    /// ICMP fragmentation needed, or packet too big, with what the next link carries.
    TooBig,
}

/// A count for each reason, saturating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalCounts([u32; Refusal::COUNT]);

impl Default for RefusalCounts {
    fn default() -> Self {
        Self([0; Refusal::COUNT])
    }
}

impl RefusalCounts {
    /// Counts one and returns how often the reason was counted before.
    pub(crate) fn count(&mut self, refusal: Refusal) -> u32 {
        self.0.get_mut(refusal as usize).map_or(0, |n| {
            let before = *n;
            *n = n.saturating_add(1);
            before
        })
    }

    /// How often `refusal` happened.
    pub fn get(&self, refusal: Refusal) -> u32 {
        self.0.get(refusal as usize).copied().unwrap_or(0)
    }

    /// The reasons that happened, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u32)> {
        Refusal::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
    }

    /// All refusals together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|n| u64::from(*n)).sum()
    }

    /// Adds another set of counts.
    pub fn add(&mut self, other: &Self) {
        for (n, m) in self.0.iter_mut().zip(other.0) {
            *n = n.saturating_add(m);
        }
    }
}

impl serde::Serialize for RefusalCounts {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter().map(|(reason, count)| (reason.name(), count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_and_name() {
        for (i, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i);
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, alloc::format!("\"{reason}\""));
        }
    }

    #[test]
    fn counts_saturate_and_add() {
        let mut counts = RefusalCounts::default();
        assert_eq!(counts.count(Refusal::UeToUe), 0);
        assert_eq!(counts.count(Refusal::UeToUe), 1);
        let mut sum = counts;
        sum.add(&counts);
        assert_eq!((sum.get(Refusal::UeToUe), sum.total()), (4, 4));
        assert_eq!(serde_json::to_string(&sum).unwrap(), r#"{"ue_to_ue":4}"#);
    }
}
