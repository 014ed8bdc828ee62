//! Two tenants with the same addresses on one gateway, and random packets of both: not one may
//! reach the other tenant.
//!
//! Every packet carries the tenant that it belongs to, so whatever comes out of the gateway, to a
//! segment or to a UE, says itself whether it is where it belongs. Sessions end and begin between
//! the packets, and addresses go to their next holders.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use heiiki_gtp::u;
use heiiki_types::{Protections, Rng, UeAddresses, UeIpv6};

use super::gateway::{Gateway, TENANTS, Tunnel, sim, tenant_id, udp};

/// Packets of a run when nobody says otherwise.
pub const PACKETS: u64 = 2_000;
/// UEs of each tenant.
const UES: u64 = 6;
/// What a payload begins with; the tenant's number follows.
const MARK: &[u8] = b"belongs to ";
const SGW: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crossing {
    /// Packets sent, of both families and both ways.
    pub sent: u64,
    /// Packets that came to a segment.
    pub to_segments: u64,
    /// Packets that came to a UE.
    pub to_ues: u64,
    /// Sessions that ended and began again in between.
    pub renewed: u64,
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} packets, {} came to a segment and {} to a UE, {} sessions renewed, none crossed",
            self.sent, self.to_segments, self.to_ues, self.renewed
        )
    }
}

impl Crossing {
    /// Adds another run.
    pub const fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.to_segments += other.to_segments;
        self.to_ues += other.to_ues;
        self.renewed += other.renewed;
    }
}

/// Sends `packets` packets drawn from `seed`.
///
/// # Errors
/// The packet that crossed, or what else did not hold.
pub fn cross(seed: u64, packets: u64) -> Result<Crossing, String> {
    cross_with(seed, packets, |_| {})
}

/// The same with protections switched off, to prove that a crossing would be seen.
///
/// # Errors
/// The packet that crossed, or what else did not hold.
pub fn cross_with(
    seed: u64,
    packets: u64,
    weaken: impl FnOnce(&mut Protections),
) -> Result<Crossing, String> {
    let mut run = Run {
        gateway: Gateway::new(seed, weaken)?,
        rng: Rng::from_seed(seed).fork("crossing"),
        tunnels: Vec::new(),
        sims: 0,
        came: Crossing::default(),
    };
    for _ in 0..UES {
        for tenant in 0..TENANTS.len() {
            run.attach(tenant)?;
        }
    }
    while run.came.sent < packets {
        match run.rng.below(100) {
            0 => run.renew()?,
            1..60 => run.up(),
            _ => run.down(),
        }
        run.gateway.pass(Duration::from_millis(1));
        run.look().map_err(|what| format!("seed {seed}: {what}"))?;
    }
    Ok(run.came)
}

struct Run {
    gateway: Gateway,
    rng: Rng,
    tunnels: Vec<Tunnel>,
    sims: u64,
    came: Crossing,
}

impl Run {
    fn attach(&mut self, tenant: usize) -> Result<(), String> {
        self.sims += 1;
        let tunnel = self.gateway.create(SGW, sim(self.sims)?, tenant)?;
        self.tunnels.push(tunnel);
        Ok(())
    }

    /// One session ends, and another of its tenant begins; now and then the rest of addresses is
    /// over in between, so that the new one has an old address.
    fn renew(&mut self) -> Result<(), String> {
        let at = self.below(self.tunnels.len());
        if at >= self.tunnels.len() {
            return Ok(());
        }
        let tunnel = self.tunnels.swap_remove(at);
        self.gateway.delete(&tunnel)?;
        if self.rng.chance(0.5) {
            self.gateway.pass(Duration::from_secs(40));
        }
        self.came.renewed += 1;
        self.attach(tunnel.tenant)
    }

    fn below(&mut self, bound: usize) -> usize {
        let drawn = self.rng.below(u64::try_from(bound).unwrap_or(1).max(1));
        usize::try_from(drawn).unwrap_or(0)
    }

    fn any(&mut self) -> Option<Tunnel> {
        let at = self.below(self.tunnels.len());
        self.tunnels.get(at).copied()
    }

    /// An address of either family: a UE's of any tenant, a neighbour's, a host's, or anything.
    fn address(&mut self, v6: bool) -> IpAddr {
        let near = u32::try_from(self.rng.below(256)).unwrap_or(0);
        let of_ue = self.rng.below(3) == 0;
        let other = self.any().filter(|_| of_ue).map(|t| t.addresses);
        let host: [u8; 8] = self.rng.octets();
        if v6 {
            let ue = other.and_then(UeAddresses::v6).map(UeIpv6::address);
            let near = Ipv6Addr::new(0xfd20, 0, 1, u16::try_from(near).unwrap_or(0), 0, 0, 0, 9);
            let host = Ipv6Addr::new(0xfd20, 0, 0xff, 0, 0, 0, 0, u16::from(host[0]));
            IpAddr::V6(ue.unwrap_or(if of_ue { near } else { host }))
        } else {
            let ue = other.and_then(UeAddresses::v4);
            let near = Ipv4Addr::from_bits(0x0a14_0000 + near);
            let host = Ipv4Addr::new(10, 20, 255, host[0]);
            IpAddr::V4(ue.unwrap_or(if of_ue { near } else { host }))
        }
    }

    fn mark(&mut self, tenant: usize) -> Vec<u8> {
        let mut payload = MARK.to_vec();
        payload.push(u8::try_from(tenant).unwrap_or(0xff));
        let more = self.below(1_600);
        payload.resize(payload.len() + more, 0);
        payload
    }

    fn up(&mut self) {
        let Some(tunnel) = self.any() else { return };
        let v6 = self.rng.chance(0.5);
        let own = if v6 {
            tunnel.addresses.v6().map(|v6| IpAddr::V6(v6.address()))
        } else {
            tunnel.addresses.v4().map(IpAddr::V4)
        };
        let forged = self.rng.below(10) == 0;
        let from = own.filter(|_| !forged);
        let from = from.unwrap_or_else(|| self.address(v6));
        let to = self.address(v6);
        let payload = self.mark(tunnel.tenant);
        let Some(packet) = udp(from, to, 9, &payload) else {
            return;
        };
        self.came.sent += 1;
        self.gateway.uplink(&tunnel, &packet);
    }

    fn down(&mut self) {
        let tenant = self.below(TENANTS.len());
        let v6 = self.rng.chance(0.5);
        let (from, to) = (self.address(v6), self.address(v6));
        let payload = self.mark(tenant);
        if let Some(packet) = udp(from, to, 9, &payload) {
            self.came.sent += 1;
            self.gateway.downlink(tenant, packet);
        }
    }

    /// Looks at everything that came out.
    fn look(&mut self) -> Result<(), String> {
        for (tenant, packet) in core::mem::take(&mut self.gateway.sgi) {
            self.came.to_segments += 1;
            let own = (0..TENANTS.len()).find(|t| tenant_id(*t) == tenant);
            check(own, &packet, "the segment")?;
        }
        for datagram in core::mem::take(&mut self.gateway.s5u) {
            let Some((teid, range)) = u::decode_gpdu(&datagram.payload) else {
                continue;
            };
            self.came.to_ues += 1;
            let tunnel = self.tunnels.iter().find(|t| t.sgw_u == teid);
            let packet = datagram.payload.get(range).unwrap_or_default();
            check(tunnel.map(|t| t.tenant), packet, "a UE")?;
        }
        Ok(())
    }
}

/// Whether a packet is its receiver's. One without a mark (a later fragment, an ICMP error) says
/// nothing.
fn check(receiver: Option<usize>, packet: &[u8], what: &str) -> Result<(), String> {
    let Some(at) = packet.windows(MARK.len()).position(|w| w == MARK) else {
        return Ok(());
    };
    let owner = packet.get(at + MARK.len()).copied().map(usize::from);
    if owner == receiver {
        return Ok(());
    }
    let name = |t: Option<usize>| t.and_then(|t| TENANTS.get(t)).copied().unwrap_or("nobody");
    Err(format!(
        "a packet of {} came to {what} of {}: {packet:02x?}",
        name(owner),
        name(receiver)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: not one crossing, whatever the seed; `heiiki-soak crossing` runs any number.
    #[test]
    fn twenty_seeds_and_not_one_crossing() {
        let mut sum = Crossing::default();
        for seed in 0..20 {
            sum.add(&cross(seed, PACKETS).unwrap());
        }
        // Enough of them came through for the absence to mean something.
        assert!(sum.to_segments > sum.sent / 10, "{sum}");
        assert!(sum.to_ues > sum.sent / 50, "{sum}");
        assert!(sum.renewed > 100, "{sum}");
    }

    #[test]
    fn a_crossing_would_be_seen() {
        let weak = cross_with(1, PACKETS, |p| p.tenant_isolation = false);
        assert!(weak.unwrap_err().contains("came to"));
    }
}
