use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::ppp::{self, Ipcp};
use super::{
    BEARER_CONTROL_MODE, CHAP, DNS_SERVER_IPV4, DNS_SERVER_IPV6, Form, IPCP, IPV4_LINK_MTU,
    P_CSCF_IPV4, P_CSCF_IPV6, PAP, Pco, PcoItem, SHORT_MAX,
};

/// Addresses of one kind that an answer has at most.
const ADDRESSES_MAX: usize = 4;
/// A UE need not read more than three P-CSCFs.
const P_CSCFS_MAX: usize = 3;
/// Selected Bearer Control Mode: the UE alone asks for bearers, or the network too.
const MS_ONLY: u8 = 1;
const MS_AND_NETWORK: u8 = 2;

/// What became of the name and the password that a UE has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody looked at them, and nothing is said.
    #[default]
    Ignored,
    /// They were taken.
    Accepted,
    /// They were refused.
    Refused,
}

/// What a PGW can tell a UE.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'a> {
    /// The UE's own IPv4 address.
    pub address: Option<Ipv4Addr>,
    /// IPv4 name servers.
    pub dns_v4: &'a [Ipv4Addr],
    /// IPv6 name servers.
    pub dns_v6: &'a [Ipv6Addr],
    /// IPv4 addresses of P-CSCFs.
    pub p_cscf_v4: &'a [Ipv4Addr],
    /// IPv6 addresses of P-CSCFs.
    pub p_cscf_v6: &'a [Ipv6Addr],
    /// The MTU of the UE's IPv4 link, octets.
    pub mtu: Option<u16>,
    /// Whether the network may ask for dedicated bearers.
    pub network_bearers: bool,
    /// What became of the UE's credentials.
    pub verdict: Verdict,
}

impl Pco {
    /// What a PGW answers to this request: to everything that it asks for and the PGW has. What
    /// the PGW does not know stays unanswered, and what cannot be read too. `None` when nothing is
    /// left to say. In the short form the answer ends with the last item that has room.
    pub fn answer(&self, form: Form, offer: &Offer<'_>) -> Option<Self> {
        let mut protocols: Vec<PcoItem> = Vec::new();
        for item in &self.protocols {
            // Asked twice is answered once; PPP packets of one exchange may come apart.
            let is_new = !protocols.iter().any(|p| p.id == item.id);
            if is_new {
                answer_item(item, offer, &mut protocols);
            }
        }
        if form == Form::Short {
            cut(&mut protocols);
        }
        (!protocols.is_empty()).then_some(Self { protocols })
    }
}

fn answer_item(item: &PcoItem, offer: &Offer<'_>, out: &mut Vec<PcoItem>) {
    let id = item.id;
    let mut add = |contents: &[u8]| out.push(PcoItem::new(id, contents));
    match id {
        IPCP => {
            let request = Ipcp::decode(&item.contents);
            if let Some(answer) = request.and_then(|p| p.answer(offer)) {
                add(&answer.encode());
            }
        }
        PAP | CHAP => {
            if let Some(answer) = ppp::verdict(id, &item.contents, offer.verdict) {
                add(&answer);
            }
        }
        DNS_SERVER_IPV4 => {
            let servers = offer.dns_v4.iter().take(ADDRESSES_MAX);
            servers.for_each(|a| add(&a.octets()));
        }
        DNS_SERVER_IPV6 => {
            let servers = offer.dns_v6.iter().take(ADDRESSES_MAX);
            servers.for_each(|a| add(&a.octets()));
        }
        P_CSCF_IPV4 => {
            let servers = offer.p_cscf_v4.iter().take(P_CSCFS_MAX);
            servers.for_each(|a| add(&a.octets()));
        }
        P_CSCF_IPV6 => {
            let servers = offer.p_cscf_v6.iter().take(P_CSCFS_MAX);
            servers.for_each(|a| add(&a.octets()));
        }
        IPV4_LINK_MTU => {
            if let Some(mtu) = offer.mtu {
                add(&mtu.to_be_bytes());
            }
        }
        BEARER_CONTROL_MODE => add(&[if offer.network_bearers {
            MS_AND_NETWORK
        } else {
            MS_ONLY
        }]),
        _ => {}
    }
}

/// Drops what goes beyond the short form.
fn cut(items: &mut Vec<PcoItem>) {
    let mut length = 1;
    items.retain(|item| {
        let own = 3 + item.contents.len();
        let fits = length + own <= SHORT_MAX;
        if fits {
            length += own;
        }
        fits
    });
}
