//! Invariants 1, 2 and 3 on the user plane: whose packet goes where.
//!
//! Whose tunnel is whose is read off the signalling on S5-C and S1, not asked of the nodes. A
//! packet that leaves a node does so because of what was handed to it just before, so its tenant is
//! known even where two tenants use one range.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;

use heiiki_gtp::c::{self, FTeid, Message};
use heiiki_gtp::u;
use heiiki_mme::s1::{self, EnbId};
use heiiki_pgw::{AccessId, TenantId};
use heiiki_types::{Datagram, Imsi, Instant, Teid};

use super::dark::Dark;
use super::{Truth, Violation, addresses_of, broken};
use crate::world::Link;

/// Which kind of node sends a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Gateway,
    Core,
    Enb,
}

/// A tunnel end on the wire.
type End = (IpAddr, Teid);

/// Where the SGW receives what is for a session.
#[derive(Debug)]
struct Downlink {
    asked: Asked,
    /// The gateway's end, from its last answer on. A gateway that restarted may give another, and
    /// an SGW that restarted may ask for another session with a TEID that the gateway still sends
    /// to until it hears of that.
    up: Option<End>,
}

/// The last request that named a tunnel.
#[derive(Debug)]
struct Asked {
    imsi: Imsi,
    tenant: usize,
    /// The SGW's end for signalling, and the number of the request.
    request: (End, u32),
}

/// Where the gateway receives what comes from a session.
#[derive(Clone, Debug)]
struct Uplink {
    imsi: Imsi,
    tenant: usize,
    address: Ipv4Addr,
    control: Teid,
    request: (End, u32),
    ended: bool,
}

/// What made a node send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// A packet of this tenant's segment came to the gateway.
    Segment(usize),
    /// A packet came to the gateway by this tunnel.
    ToGateway(End),
    /// A packet came to the SGW from the gateway by this tunnel.
    ToSgw(End),
    /// A packet came to the SGW from an eNB by this tunnel.
    FromEnb(End),
    /// A message of the UE with this SIM came.
    Ue(Imsi),
}

/// Who is at both ends of every tunnel.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    down: BTreeMap<End, Downlink>,
    up: BTreeMap<End, Uplink>,
    by_address: BTreeMap<(usize, Ipv4Addr), End>,
    /// Until when a TEID of the gateway rests.
    resting: BTreeMap<Teid, Instant>,
    /// Create Session Requests by the SGW's end for signalling.
    requests: BTreeMap<End, End>,
    /// On S1-U, at the SGW and at eNBs.
    s1u: BTreeMap<End, Imsi>,
    enbs: BTreeMap<End, Imsi>,
    cause: Option<Cause>,
    /// A signalling message arrived changed: the nodes know of tunnels that nobody asked for.
    tainted: bool,
}

/// The eNB's number of the connection that a message is about.
pub(super) const fn enb_ue_id(message: &s1::Message) -> u32 {
    use s1::Message as M;
    match message {
        M::InitialUeMessage { enb_ue_id, .. }
        | M::DownlinkNasTransport { enb_ue_id, .. }
        | M::UplinkNasTransport { enb_ue_id, .. }
        | M::InitialContextSetupRequest { enb_ue_id, .. }
        | M::InitialContextSetupResponse { enb_ue_id, .. }
        | M::InitialContextSetupFailure { enb_ue_id, .. }
        | M::ErabReleaseCommand { enb_ue_id, .. }
        | M::ErabReleaseResponse { enb_ue_id, .. }
        | M::UeContextReleaseRequest { enb_ue_id, .. }
        | M::UeContextReleaseCommand { enb_ue_id, .. }
        | M::UeContextReleaseComplete { enb_ue_id, .. } => *enb_ue_id,
    }
}

fn end(f_teid: FTeid) -> End {
    (f_teid.address.ip(), f_teid.teid)
}

const fn at(address: SocketAddr, teid: Teid) -> End {
    (address.ip(), teid)
}

/// The tunnel of a G-PDU, and the packet inside.
fn g_pdu(payload: &[u8]) -> Option<(Teid, &[u8])> {
    if let Some((teid, range)) = u::decode_gpdu(payload) {
        return Some((teid, payload.get(range)?));
    }
    match u::decode(payload).ok()? {
        u::Message::GPdu { teid, payload, .. } => Some((teid, payload)),
        _ => None,
    }
}

/// Invariant 2: the packet leaves for a prefix that its tenant declared, or by an access point that
/// the lab opened.
pub(super) fn leaves(
    truth: &Truth,
    tenant: usize,
    outside: Option<AccessId>,
    source: IpAddr,
    destination: IpAddr,
) -> Option<Violation> {
    let allowed = match outside {
        Some(access) => truth
            .apns
            .get(usize::from(access.0))
            .is_some_and(|(_, owner, open)| *open && *owner == tenant),
        None => truth
            .tenants
            .get(tenant)
            .is_some_and(|t| t.declared.iter().any(|p| p.contains(destination))),
    };
    if allowed {
        return None;
    }
    let name = truth.name(tenant);
    broken(
        2,
        format!("{source} of {name} reaches {destination}, which {name} did not declare"),
    )
}

impl Tunnels {
    pub(super) const fn taint(&mut self) {
        self.tainted = true;
    }

    pub(super) const fn is_tainted(&self) -> bool {
        self.tainted
    }

    // What made a node send.

    pub(super) fn segment_speaks(&mut self, tenant: TenantId) {
        self.cause = Some(Cause::Segment(usize::from(tenant.0)));
    }

    pub(super) const fn speaks(&mut self, imsi: Imsi) {
        self.cause = Some(Cause::Ue(imsi));
    }

    /// A datagram of the user plane arrives.
    pub(super) fn arriving(&mut self, link: Link, datagram: &Datagram) {
        let Some((teid, _)) = g_pdu(&datagram.payload) else {
            return;
        };
        let tunnel = at(datagram.local, teid);
        self.cause = match link {
            Link::S5U if self.up.contains_key(&tunnel) => Some(Cause::ToGateway(tunnel)),
            Link::S5U => Some(Cause::ToSgw(tunnel)),
            Link::S1U => Some(Cause::FromEnb(tunnel)),
            _ => None,
        };
    }

    pub(super) const fn handled(&mut self) {
        self.cause = None;
    }

    // Whose tunnel is whose.

    /// Notes the ends of tunnels on S1-U.
    pub(super) fn s1(&mut self, truth: &Truth, enb: EnbId, message: &s1::Message) {
        let Some(imsi) = truth.speaker(enb, enb_ue_id(message)) else {
            return;
        };
        match message {
            s1::Message::InitialContextSetupRequest { sgw_f_teid, .. } => {
                let tunnel = at(sgw_f_teid.address, sgw_f_teid.teid);
                self.s1u.insert(tunnel, imsi);
            }
            s1::Message::InitialContextSetupResponse { enb_f_teid, .. } => {
                let tunnel = at(enb_f_teid.address, enb_f_teid.teid);
                self.enbs.insert(tunnel, imsi);
            }
            _ => {}
        }
    }

    /// Notes the ends of tunnels on S5, and looks for TEIDs that come back too early.
    pub(super) fn signalling(
        &mut self,
        truth: &Truth,
        now: Instant,
        datagram: &Datagram,
    ) -> Option<Violation> {
        let decoded = c::decode(&datagram.payload).ok()?;
        let sequence = decoded.header.sequence;
        match decoded.message.ok()? {
            Message::CreateSessionRequest(request) => {
                let tunnel = request.bearer_contexts.first()?.s5s8_u_sgw_f_teid?;
                let control = end(request.sender_f_teid);
                let (down, session) = (end(tunnel), (control, sequence));
                let known = self.down.get(&down).map(|d| d.asked.request);
                if known != Some(session) {
                    let asked = Asked {
                        imsi: request.imsi?,
                        tenant: truth.tenant_of(&request.apn)?,
                        request: session,
                    };
                    let up = self.down.get(&down).and_then(|d| d.up);
                    self.down.insert(down, Downlink { asked, up });
                    self.requests.insert(control, down);
                }
                None
            }
            Message::CreateSessionResponse(response) => {
                let sgw = (datagram.remote.ip(), Teid::new(decoded.header.teid?)?);
                self.answered(now, sgw, sequence, &response)
            }
            _ => None,
        }
    }

    fn answered(
        &mut self,
        now: Instant,
        sgw: End,
        sequence: u32,
        response: &c::CreateSessionResponse,
    ) -> Option<Violation> {
        let tunnel = end(response.bearer_contexts.first()?.s5s8_u_pgw_f_teid?);
        let control = response.pgw_s5s8_f_teid?.teid;
        let c::Paa::V4(address) = response.paa? else {
            return None;
        };
        let down = *self.requests.get(&sgw)?;
        let downlink = self.down.get_mut(&down)?;
        let request = (sgw, sequence);
        let again = |u: &Uplink| u.request == request && u.control == control;
        if self.up.get(&tunnel).is_some_and(again) {
            return None;
        }
        downlink.up = Some(tunnel);
        let (imsi, tenant) = (downlink.asked.imsi, downlink.asked.tenant);
        let uplink = Uplink {
            imsi,
            tenant,
            address,
            control,
            request,
            ended: false,
        };
        self.up.insert(tunnel, uplink);
        self.by_address.insert((tenant, address), tunnel);
        let early = [control, tunnel.1].into_iter().find_map(|teid| {
            let until = self.resting.remove(&teid).filter(|until| now < *until)?;
            Some((teid, until))
        });
        let (teid, until) = early?;
        broken(
            5,
            format!(
                "the gateway's TEID {teid} rests until {until} s and is given to {imsi} at {now} s"
            ),
        )
    }

    /// Nobody knows any more what rests.
    pub(super) fn forget_rests(&mut self) {
        self.resting.clear();
    }

    /// A session ended: its TEIDs rest.
    pub(super) fn ended(&mut self, imsi: Imsi, tenant: usize, address: Ipv4Addr, until: Instant) {
        let Some(tunnel) = self.by_address.get(&(tenant, address)) else {
            return;
        };
        let Some(uplink) = self.up.get_mut(tunnel).filter(|u| u.imsi == imsi) else {
            return;
        };
        uplink.ended = true;
        self.resting.insert(uplink.control, until);
        self.resting.insert(tunnel.1, until);
    }

    // Packets.

    /// A gateway hands a packet to a segment, or to the sentinel.
    pub(super) fn to_segment(
        &self,
        truth: &Truth,
        dark: &Dark,
        tenant: usize,
        source: IpAddr,
    ) -> Option<Violation> {
        let name = truth.name(tenant);
        let Some(uplink) = self.sending() else {
            return broken(
                1,
                format!("a packet from {source} reaches {name} by no tunnel"),
            )
            .filter(|_| !self.tainted);
        };
        let Uplink { imsi, address, .. } = uplink;
        if uplink.tenant != tenant {
            let own = truth.name(uplink.tenant);
            return broken(
                1,
                format!("a packet of {imsi}, a SIM of {own}, reaches {name}"),
            );
        }
        if source != IpAddr::V4(*address) {
            return broken(
                1,
                format!("{imsi} has {address}, and its packet from {source} reaches {name}"),
            );
        }
        dark.passes(*imsi, "to the segment")
            .or_else(|| outlived(uplink))
    }

    /// The session whose packet the gateway works on.
    fn sending(&self) -> Option<&Uplink> {
        match self.cause? {
            Cause::ToGateway(tunnel) => self.up.get(&tunnel),
            _ => None,
        }
    }

    /// A node sends a datagram of the user plane.
    pub(super) fn user_plane(
        &self,
        truth: &Truth,
        dark: &Dark,
        now: Instant,
        sender: Sender,
        datagram: &Datagram,
    ) -> Option<Violation> {
        let (teid, packet) = g_pdu(&datagram.payload)?;
        if self.tainted {
            return None;
        }
        let tunnel = at(datagram.remote, teid);
        match sender {
            Sender::Gateway => self.to_sgw(truth, dark, tunnel, packet),
            Sender::Core if self.up.contains_key(&tunnel) => self.to_gateway(tunnel),
            Sender::Core => self.to_enb(dark, now, tunnel),
            Sender::Enb => None,
        }
    }

    fn to_sgw(&self, truth: &Truth, dark: &Dark, tunnel: End, packet: &[u8]) -> Option<Violation> {
        let (address, teid) = tunnel;
        let Some(down) = self.down.get(&tunnel) else {
            return broken(
                1,
                format!(
                    "the gateway sends a packet to {teid} at {address}, which no session asked for"
                ),
            );
        };
        let from = match self.cause {
            Some(Cause::Segment(tenant)) => Some(tenant),
            Some(Cause::ToGateway(tunnel)) => self.up.get(&tunnel).map(|u| u.tenant),
            _ => None,
        };
        let up = down.up.and_then(|end| self.up.get(&end));
        let asked = &down.asked;
        // Packets may come before the session is answered.
        let unanswered = up.is_none_or(|up| up.request != asked.request);
        let (_, destination) = addresses_of(packet)?;
        if let Some(up) = up.filter(|up| from == Some(up.tenant)) {
            if IpAddr::V4(up.address) == destination {
                let passes = dark.passes(up.imsi, "to the SGW");
                return passes.or_else(|| outlived(up));
            }
            if !unanswered {
                let imsi = up.imsi;
                return broken(
                    5,
                    format!("a packet for {destination} goes to {imsi}, which has another address"),
                );
            }
        }
        if unanswered && from == Some(asked.tenant) {
            return dark.passes(asked.imsi, "to the SGW");
        }
        let (imsi, tenant) = up.map_or((asked.imsi, asked.tenant), |up| (up.imsi, up.tenant));
        let own = truth.name(tenant);
        let other = from.map_or("nobody", |tenant| truth.name(tenant));
        broken(
            1,
            format!("a packet of {other} goes to {imsi}, a SIM of {own}"),
        )
    }

    fn to_gateway(&self, tunnel: End) -> Option<Violation> {
        let to = self.up.get(&tunnel)?;
        let from = match self.cause? {
            Cause::FromEnb(tunnel) => self.s1u.get(&tunnel)?,
            _ => return None,
        };
        if *from == to.imsi {
            return None;
        }
        broken(
            1,
            format!("a packet of {from} goes by the tunnel of {}", to.imsi),
        )
    }

    fn to_enb(&self, dark: &Dark, now: Instant, tunnel: End) -> Option<Violation> {
        let (address, teid) = tunnel;
        let Some(to) = self.enbs.get(&tunnel) else {
            return broken(
                1,
                format!("the SGW sends a packet to {teid} at {address}, which no eNB asked for"),
            );
        };
        let meant = match self.cause {
            Some(Cause::ToSgw(tunnel)) => self.down.get(&tunnel).map(|d| d.asked.imsi),
            // What was held until the UE's eNB named its end.
            Some(Cause::Ue(imsi)) => Some(imsi),
            _ => None,
        };
        if let Some(meant) = meant.filter(|meant| meant != to) {
            return broken(1, format!("a packet for {meant} goes to the eNB for {to}"));
        }
        dark.delivered(*to, now)
    }
}

/// Invariant 5: no packet passes for a session that ended.
fn outlived(uplink: &Uplink) -> Option<Violation> {
    if !uplink.ended {
        return None;
    }
    broken(
        5,
        format!(
            "the session of {} with {} ended, and a packet of it passes",
            uplink.imsi, uplink.address
        ),
    )
}
