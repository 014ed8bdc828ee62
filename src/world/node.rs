//! The nodes of a virtual world, and what each is made from.

use core::net::SocketAddr;
use std::sync::Arc;

use heiiki_hss::{Hss, HssConfig, StoreKeys, SubscriberImport, Tokens};
use heiiki_mme::s1::{self, EnbId};
use heiiki_mme::{Mme, MmeConfig};
use heiiki_pgw::sgi::Segment;
use heiiki_pgw::{AccessId, Pgw, PgwConfig, TenantId};
use heiiki_types::{
    CallId, Datagram, HttpRequest, HttpResponse, Imsi, Instant, Machine as _, Now, Rng,
    StorageInput, StorageOutput, StreamOutput,
};
use heiiki_ue_sim::UeProfile;
use heiiki_ue_sim::enb::{Enb, EnbConfig};
use heiiki_ue_sim::usim::Usim;

use super::invariants::Sender;
use super::{Delivery, NodeId, Port, SimulatedDisk};
use crate::log::NodeEvent;

/// A place for a node: what it is made from, its disk, and the node while it is up.
pub(crate) struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) node: Option<Node>,
    pub(crate) blueprint: Blueprint,
    pub(crate) disk: SimulatedDisk,
    /// How often the node has been started.
    pub(crate) starts: u32,
}

/// What a node is made from, every time it starts.
#[expect(clippy::large_enum_variant, reason = "a world has a handful of them")]
pub(crate) enum Blueprint {
    Hss {
        config: HssConfig,
        tokens: Tokens,
        store_keys: StoreKeys,
        subscribers: Vec<SubscriberImport>,
        s6a: SocketAddr,
    },
    Mme {
        config: MmeConfig,
    },
    Pgw {
        config: PgwConfig,
    },
    Segment {
        config: PgwConfig,
        worker: usize,
        pgw: NodeId,
    },
    Enb {
        config: EnbConfig,
        profile: Arc<UeProfile>,
        cards: Vec<Usim>,
    },
}

/// A node that is up.
pub(crate) enum Node {
    Hss(Box<Hss>),
    Mme(Box<Mme>),
    Pgw(Box<Pgw>),
    Segment {
        segment: Box<Segment>,
        worker: usize,
        pgw: NodeId,
    },
    Enb {
        enb: Box<Enb>,
        imsis: Vec<Imsi>,
    },
}

/// What a node has to say, whatever its kind.
pub(crate) enum Emitted {
    Event(NodeEvent),
    Storage(StorageOutput),
    /// For a store that is shared, which no node here has.
    Shared,
    Datagram(Port, Datagram),
    Stream(StreamOutput),
    S1ToEnb {
        enb: EnbId,
        message: s1::Message,
    },
    S1ToMme {
        enb: EnbId,
        message: s1::Message,
    },
    SgiToSegment {
        worker: usize,
        tenant: TenantId,
        outside: Option<AccessId>,
        packet: Vec<u8>,
    },
    SgiToGateway {
        pgw: NodeId,
        worker: usize,
        tenant: TenantId,
        packet: Vec<u8>,
    },
    AdminReply {
        call: CallId,
        response: HttpResponse,
    },
    GatewayCall {
        call: CallId,
        gateway: String,
        request: HttpRequest,
    },
}

impl Blueprint {
    /// The UDP sockets of the node.
    pub(crate) fn sockets(&self) -> Vec<(SocketAddr, Port)> {
        match self {
            Self::Hss { .. } | Self::Segment { .. } => Vec::new(),
            Self::Mme { config } => vec![
                (config.s5c_local, Port::S5c),
                (config.s5u_local, Port::S5u(0)),
                (config.s1u_local, Port::S1u),
            ],
            Self::Pgw { config } => {
                let workers = config.workers.iter().enumerate();
                let workers = workers.map(|(n, w)| (w.s5u_local, Port::S5u(n)));
                workers.chain([(config.s5c_local, Port::S5c)]).collect()
            }
            Self::Enb { config, .. } => vec![(config.s1u_local, Port::S1u)],
        }
    }

    /// Where the node accepts byte streams.
    pub(crate) const fn listener(&self) -> Option<SocketAddr> {
        match self {
            Self::Hss { s6a, .. } => Some(*s6a),
            _ => None,
        }
    }

    /// The node's address on its byte streams.
    pub(crate) const fn stream_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Hss { s6a, .. } => Some(*s6a),
            Self::Mme { config } => Some(config.s5c_local),
            _ => None,
        }
    }

    pub(crate) const fn is_mme(&self) -> bool {
        matches!(self, Self::Mme { .. })
    }

    /// What it is to the checker of the user plane.
    pub(crate) const fn sender(&self) -> Sender {
        match self {
            Self::Pgw { .. } => Sender::Gateway,
            Self::Enb { .. } => Sender::Enb,
            _ => Sender::Core,
        }
    }

    pub(crate) const fn enb_id(&self) -> Option<EnbId> {
        match self {
            Self::Enb { config, .. } => Some(config.id),
            _ => None,
        }
    }

    pub(crate) const fn is_segment_of(&self, node: NodeId, number: usize) -> bool {
        match self {
            Self::Segment { worker, pgw, .. } => pgw.0 == node.0 && *worker == number,
            _ => false,
        }
    }
}

impl Node {
    /// Makes a node and starts it; `restored` says that its disk is a backup.
    pub(crate) fn start(
        blueprint: &mut Blueprint,
        now: Now,
        rng: Rng,
        restored: bool,
    ) -> Result<Self, Vec<String>> {
        Ok(match blueprint {
            Blueprint::Hss {
                config,
                tokens,
                store_keys,
                subscribers,
                ..
            } => {
                let hss = Hss::new(config.clone(), rng, tokens.clone());
                let mut hss = hss.with_store_keys(store_keys);
                if restored {
                    // What an operator says with `hss serve --restored`.
                    hss = hss.after_restore();
                }
                let mut hss = Box::new(hss);
                hss.import(now, subscribers.clone())
                    .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
                hss.start(now);
                Self::Hss(hss)
            }
            Blueprint::Mme { config } => {
                let mut mme = Box::new(Mme::new(config.clone(), rng));
                mme.start(now);
                Self::Mme(mme)
            }
            Blueprint::Pgw { config } => {
                let mut pgw = Box::new(Pgw::new(config.clone(), rng).map_err(|e| mistakes(&e))?);
                pgw.start(now);
                Self::Pgw(pgw)
            }
            Blueprint::Segment {
                config,
                worker,
                pgw,
            } => {
                let segment = Segment::new(config, *worker, rng);
                Self::Segment {
                    segment: Box::new(segment),
                    worker: *worker,
                    pgw: *pgw,
                }
            }
            Blueprint::Enb {
                config,
                profile,
                cards,
            } => {
                let mut enb = Box::new(Enb::new(config.clone(), rng));
                // An eNB is never killed, so its cards are inserted once.
                let mut imsis = Vec::with_capacity(cards.len());
                for card in cards.drain(..) {
                    imsis.push(card.imsi());
                    enb.add_ue(Arc::clone(profile), card);
                }
                Self::Enb { enb, imsis }
            }
        })
    }

    pub(crate) fn storage(&mut self, now: Now, input: StorageInput) {
        match self {
            Self::Hss(hss) => hss.handle_input(now, heiiki_hss::Input::Storage(input)),
            Self::Mme(mme) => mme.handle_input(now, heiiki_mme::Input::Storage(input)),
            Self::Pgw(pgw) => pgw.handle_input(now, heiiki_pgw::Input::Storage(input)),
            Self::Segment { .. } | Self::Enb { .. } => {}
        }
    }

    /// Hands over what arrived. What is not for this kind of node goes nowhere.
    pub(crate) fn handle(&mut self, now: Now, delivery: Delivery) {
        match (self, delivery) {
            (Self::Hss(hss), Delivery::Stream(input)) => {
                hss.handle_input(now, heiiki_hss::Input::Stream(input));
            }
            (Self::Hss(hss), Delivery::Admin { call, request }) => {
                hss.handle_input(now, heiiki_hss::Input::Admin { call, request });
            }
            (Self::Hss(hss), Delivery::Gateway { call, result }) => {
                hss.handle_input(now, heiiki_hss::Input::GatewayReply { call, result });
            }
            (Self::Mme(mme), delivery) => {
                if let Some(input) = for_mme(delivery) {
                    mme.handle_input(now, input);
                }
            }
            (Self::Pgw(pgw), delivery) => {
                if let Some(input) = for_pgw(delivery) {
                    pgw.handle_input(now, input);
                }
            }
            (
                Self::Segment { segment, .. },
                Delivery::Sgi {
                    tenant,
                    outside,
                    packet,
                    ..
                },
            ) => {
                use heiiki_pgw::sgi::Input;
                let input = match outside {
                    Some(access) => Input::Outside { access, packet },
                    None => Input::Packet { tenant, packet },
                };
                segment.handle_input(now, input);
            }
            (Self::Enb { enb, .. }, Delivery::S1FromMme { message }) => {
                enb.handle_input(now, heiiki_ue_sim::enb::Input::S1(message));
            }
            (Self::Enb { enb, .. }, Delivery::Datagram { datagram, .. }) => {
                enb.handle_input(now, heiiki_ue_sim::enb::Input::S1u(datagram));
            }
            _ => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Hss(hss) => hss.handle_timeout(now),
            Self::Mme(mme) => mme.handle_timeout(now),
            Self::Pgw(pgw) => pgw.handle_timeout(now),
            Self::Segment { segment, .. } => segment.handle_timeout(now),
            Self::Enb { enb, .. } => enb.handle_timeout(now),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Hss(hss) => hss.poll_timeout(),
            Self::Mme(mme) => mme.poll_timeout(),
            Self::Pgw(pgw) => pgw.poll_timeout(),
            Self::Segment { segment, .. } => segment.poll_timeout(),
            Self::Enb { enb, .. } => enb.poll_timeout(),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Emitted> {
        Some(match self {
            Self::Hss(hss) => from_hss(hss.poll_output()?),
            Self::Mme(mme) => from_mme(mme.poll_output()?),
            Self::Pgw(pgw) => from_pgw(pgw.poll_output()?),
            Self::Segment {
                segment,
                worker,
                pgw,
            } => match segment.poll_output()? {
                heiiki_pgw::sgi::Output::Packet { tenant, packet } => Emitted::SgiToGateway {
                    pgw: *pgw,
                    worker: *worker,
                    tenant,
                    packet,
                },
                heiiki_pgw::sgi::Output::Event(event) => Emitted::Event(NodeEvent::Segment(event)),
            },
            Self::Enb { enb, imsis } => match enb.poll_output()? {
                heiiki_ue_sim::enb::Output::S1(message) => Emitted::S1ToMme {
                    enb: enb.config().id,
                    message,
                },
                heiiki_ue_sim::enb::Output::S1u(datagram) => Emitted::Datagram(Port::S1u, datagram),
                heiiki_ue_sim::enb::Output::Event { ue, event } => {
                    let place = usize::try_from(ue.0).unwrap_or(usize::MAX);
                    let imsi = imsis.get(place).copied()?;
                    Emitted::Event(NodeEvent::Ue { imsi, event })
                }
            },
        })
    }
}

fn mistakes(errors: &[heiiki_pgw::ConfigError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn for_mme(delivery: Delivery) -> Option<heiiki_mme::Input> {
    use heiiki_mme::Input;
    Some(match delivery {
        Delivery::S1FromEnb { enb, message } => Input::S1 { enb, message },
        Delivery::Datagram {
            port: Port::S1u,
            datagram,
        } => Input::S1u(datagram),
        Delivery::Datagram {
            port: Port::S5c,
            datagram,
        } => Input::S5c(datagram),
        Delivery::Datagram {
            port: Port::S5u(_),
            datagram,
        } => Input::S5u(datagram),
        Delivery::Stream(input) => Input::S6a(input),
        _ => return None,
    })
}

fn for_pgw(delivery: Delivery) -> Option<heiiki_pgw::Input> {
    use heiiki_pgw::Input;
    Some(match delivery {
        Delivery::Datagram {
            port: Port::S5c,
            datagram,
        } => Input::S5c(datagram),
        Delivery::Datagram {
            port: Port::S5u(worker),
            datagram,
        } => Input::S5u { worker, datagram },
        Delivery::Sgi {
            worker,
            tenant,
            packet,
            ..
        } => Input::Sgi {
            worker,
            tenant,
            packet,
        },
        Delivery::Admin { call, request } => Input::Admin { call, request },
        _ => return None,
    })
}

fn from_hss(output: heiiki_hss::Output) -> Emitted {
    use heiiki_hss::Output;
    match output {
        Output::Stream(output) => Emitted::Stream(output),
        Output::AdminReply { call, response } => Emitted::AdminReply { call, response },
        Output::GatewayCall {
            call,
            gateway,
            request,
        } => Emitted::GatewayCall {
            call,
            gateway,
            request,
        },
        Output::Storage(output) => Emitted::Storage(output),
        Output::Shared(_) => Emitted::Shared,
        Output::Event(event) => Emitted::Event(NodeEvent::Hss(event)),
    }
}

fn from_mme(output: heiiki_mme::Output) -> Emitted {
    use heiiki_mme::Output;
    match output {
        Output::S1 { enb, message } => Emitted::S1ToEnb { enb, message },
        Output::S1u(datagram) => Emitted::Datagram(Port::S1u, datagram),
        Output::S5c(datagram) => Emitted::Datagram(Port::S5c, datagram),
        Output::S5u(datagram) => Emitted::Datagram(Port::S5u(0), datagram),
        Output::S6a(output) => Emitted::Stream(output),
        Output::Storage(output) => Emitted::Storage(output),
        Output::Event(event) => Emitted::Event(NodeEvent::Mme(event)),
    }
}

fn from_pgw(output: heiiki_pgw::Output) -> Emitted {
    use heiiki_pgw::Output;
    match output {
        Output::S5c(datagram) => Emitted::Datagram(Port::S5c, datagram),
        Output::S5u { worker, datagram } => Emitted::Datagram(Port::S5u(worker), datagram),
        Output::Sgi {
            worker,
            tenant,
            packet,
        } => Emitted::SgiToSegment {
            worker,
            tenant,
            outside: None,
            packet,
        },
        Output::Sentinel {
            worker,
            tenant,
            access,
            packet,
        } => Emitted::SgiToSegment {
            worker,
            tenant,
            outside: Some(access),
            packet,
        },
        Output::AdminReply { call, response } => Emitted::AdminReply { call, response },
        Output::Storage(output) => Emitted::Storage(output),
        Output::Event(event) => Emitted::Event(NodeEvent::Pgw(event)),
    }
}
