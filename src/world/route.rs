//! From a node's output to what arrives elsewhere, and when.

use core::net::SocketAddr;

use heiiki_mme::s1;
use heiiki_pgw::{AccessId, TenantId};
use heiiki_types::{CallId, Datagram, HttpResponse, StorageOutput, StreamInput, StreamOutput};

use super::link::{Verdict, fate};
use super::message_name::MessageName;
use super::node::Emitted;
use super::streams::End;
use super::{Delivery, Link, NodeId, Packet, Waiting, World};
use crate::log::{Frame, LabEvent, NodeEvent};

/// Whose packet crosses SGi.
#[derive(Clone, Copy)]
struct OnSgi {
    worker: usize,
    tenant: TenantId,
    /// The open access point that it leaves, when it does.
    outside: Option<AccessId>,
    uplink: bool,
}

impl World {
    /// Takes everything that a node has to say and puts it on its way.
    pub(super) fn drain(&mut self, id: NodeId) {
        while let Some(emitted) = self.emitted(id) {
            match emitted {
                Emitted::Event(event) => self.note(id, event),
                Emitted::Storage(output) => self.store(id, output),
                Emitted::Shared => {}
                Emitted::Datagram(port, datagram) => self.send_datagram(id, port.link(), datagram),
                Emitted::Stream(output) => self.send_stream(id, output),
                Emitted::S1ToEnb { enb, message } => self.send_s1(id, enb, &message, false),
                Emitted::S1ToMme { enb, message } => self.send_s1(id, enb, &message, true),
                Emitted::SgiToSegment {
                    worker,
                    tenant,
                    outside,
                    packet,
                } => {
                    let segment = |s: &super::node::Slot| s.blueprint.is_segment_of(id, worker);
                    if let Some(to) = self.position(segment) {
                        let what = OnSgi {
                            worker,
                            tenant,
                            outside,
                            uplink: true,
                        };
                        self.send_packet(id, to, what, &packet);
                    }
                }
                Emitted::SgiToGateway {
                    pgw,
                    worker,
                    tenant,
                    packet,
                } => {
                    let what = OnSgi {
                        worker,
                        tenant,
                        outside: None,
                        uplink: false,
                    };
                    self.send_packet(id, pgw, what, &packet);
                }
                Emitted::AdminReply { call, response } => self.reply(call, response),
                Emitted::GatewayCall {
                    call,
                    gateway,
                    request,
                } => {
                    self.call_gateway(id, call, &gateway, request);
                }
            }
        }
    }

    fn emitted(&mut self, id: NodeId) -> Option<Emitted> {
        self.nodes
            .get_mut(usize::from(id.0))?
            .node
            .as_mut()?
            .poll_output()
    }

    fn store(&mut self, id: NodeId, output: StorageOutput) {
        let now = self.now;
        let Some(slot) = self.nodes.get_mut(usize::from(id.0)) else {
            return;
        };
        match output {
            StorageOutput::Load => self.put(now + super::DISK_FLUSH, id, Delivery::DiskLoaded),
            StorageOutput::Persist { seq, records } => {
                let durable = slot.disk.persist(now, seq, &records);
                self.put(durable, id, Delivery::DiskSynced);
            }
        }
    }

    fn send_datagram(&mut self, from: NodeId, link: Link, datagram: Datagram) {
        let Datagram {
            local,
            remote,
            payload,
        } = datagram;
        self.tap_frame(
            link,
            &Frame::Datagram {
                from: local,
                to: remote,
                payload: &payload,
            },
        );
        let datagram = Datagram {
            local,
            remote,
            payload,
        };
        let sender = self.nodes.get(usize::from(from.0));
        if let Some(sender) = sender.map(|s| s.blueprint.sender()) {
            let found = self.checker.datagram(self.now, sender, link, &datagram);
            self.violated(found);
        }
        let payload = datagram.payload;
        // Nobody there: the datagram is gone, as on a real network.
        let Some((to, port)) = self.sockets.get(&remote).copied() else {
            return;
        };
        let name = MessageName::of_datagram(link, &payload);
        for (at, payload) in self.copies(from, to, link, &name, &payload) {
            let datagram = Datagram {
                local: remote,
                remote: local,
                payload,
            };
            self.put(at, to, Delivery::Datagram { port, datagram });
        }
    }

    fn send_packet(&mut self, from: NodeId, to: NodeId, what: OnSgi, packet: &[u8]) {
        let OnSgi {
            worker,
            tenant,
            outside,
            uplink,
        } = what;
        self.tap_frame(
            Link::Sgi,
            &Frame::Packet {
                tenant: tenant.0,
                uplink,
                packet,
            },
        );
        if uplink {
            let found = self.checker.to_segment(tenant, outside, packet);
            self.violated(found);
        }
        let name = MessageName::of_packet(packet);
        for (at, packet) in self.copies(from, to, Link::Sgi, &name, packet) {
            self.put(
                at,
                to,
                Delivery::Sgi {
                    worker,
                    tenant,
                    outside,
                    packet,
                },
            );
        }
    }

    fn send_s1(&mut self, from: NodeId, enb: s1::EnbId, message: &s1::Message, uplink: bool) {
        let peer = |s: &super::node::Slot| {
            if uplink {
                s.blueprint.is_mme()
            } else {
                s.blueprint.enb_id() == Some(enb)
            }
        };
        let Some(to) = self.position(peer) else {
            return;
        };
        let name = MessageName::of_s1(message);
        // The octets of the NAS PDU are what a faulty link can change; the envelope is a value.
        let nas = message.nas().map(<[u8]>::to_vec).unwrap_or_default();
        let found = self.checker.s1(enb, message);
        self.violated(found);
        for (at, octets) in self.copies(from, to, Link::S1Nas, &name, &nas) {
            let mut message = message.clone();
            if let Some(nas) = message.nas_mut() {
                *nas = octets;
            }
            let delivery = if uplink {
                Delivery::S1FromEnb { enb, message }
            } else {
                Delivery::S1FromMme { message }
            };
            // An association is ordered; only copies that the link doubled come out of turn.
            self.put(at, to, delivery);
        }
    }

    fn send_stream(&mut self, id: NodeId, output: StreamOutput) {
        match output {
            StreamOutput::Connect { conn, peer } => self.connect(End { node: id, conn }, peer),
            StreamOutput::Send { conn, octets } => {
                let from = End { node: id, conn };
                let Some(to) = self.streams.peer(from) else {
                    return;
                };
                let (here, there) = self.stream_addresses(from, to);
                let frame = Frame::Stream {
                    from: here,
                    to: there,
                    octets: &octets,
                };
                self.tap_frame(Link::S6a, &frame);
                let found = self.checker.diameter(&octets);
                self.violated(found);
                let name = MessageName::of_diameter(&octets);
                for (at, octets) in self.copies(id, to.node, Link::S6a, &name, &octets) {
                    let at = self.streams.in_order(from, at);
                    let data = StreamInput::Data {
                        conn: to.conn,
                        octets,
                    };
                    self.put(at, to.node, Delivery::Stream(data));
                }
            }
            StreamOutput::Close { conn } => {
                let from = End { node: id, conn };
                let at = self
                    .streams
                    .in_order(from, self.now + self.profile(Link::S6a).delay);
                if let Some(to) = self.streams.close(from) {
                    let closed = StreamInput::Closed { conn: to.conn };
                    self.put(at, to.node, Delivery::Stream(closed));
                }
            }
        }
    }

    fn connect(&mut self, from: End, peer: SocketAddr) {
        let delay = self.profile(Link::S6a).delay;
        let name = MessageName::new("Connect");
        let listener = self.listeners.get(&peer).copied().filter(|n| {
            self.node(*n).is_some()
                && self.verdict(from.node, *n, Link::S6a, &name, 0) != Verdict::Drop
        });
        let Some(listener) = listener else {
            let closed = StreamInput::Closed { conn: from.conn };
            self.put(
                self.now + delay + delay,
                from.node,
                Delivery::Stream(closed),
            );
            return;
        };
        let accepted = self.streams.open(from, listener);
        let (here, _) = self.stream_addresses(from, accepted);
        let hello = StreamInput::Accepted {
            conn: accepted.conn,
            peer: here,
        };
        self.put(self.now + delay, listener, Delivery::Stream(hello));
        let at = self.streams.in_order(accepted, self.now + delay + delay);
        let connected = StreamInput::Connected { conn: from.conn };
        self.put(at, from.node, Delivery::Stream(connected));
    }

    /// The addresses of both ends: the listener's own, and an ephemeral port at the other.
    fn stream_addresses(&self, from: End, to: End) -> (SocketAddr, SocketAddr) {
        let side = |end: End, other: End| {
            let slot = self.nodes.get(usize::from(end.node.0));
            let own = slot.and_then(|s| s.blueprint.stream_address());
            let own = own.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
            if end.conn.is_accepted() {
                own
            } else {
                let number = other.conn.number() % 16_384;
                SocketAddr::new(own.ip(), 49_152 + u16::try_from(number).unwrap_or(0))
            }
        };
        (side(from, to), side(to, from))
    }

    fn reply(&mut self, call: CallId, response: HttpResponse) {
        let delay = self.profile(Link::Admin).delay;
        let found = self.checker.admin(&response.body);
        self.violated(found);
        if let Some(waiting) = self.calls.from_node.remove(&call) {
            let delivery = Delivery::Gateway {
                call: waiting.own,
                result: Ok(response),
            };
            self.put(self.now + delay, waiting.from, delivery);
        } else {
            self.calls.answers.insert(call, response);
        }
    }

    fn call_gateway(
        &mut self,
        from: NodeId,
        own: CallId,
        gateway: &str,
        request: heiiki_types::HttpRequest,
    ) {
        let found = self.checker.admin(&request.body);
        self.violated(found);
        let delay = self.profile(Link::Admin).delay;
        let name = MessageName::new(request.path());
        let to = self.find(gateway).filter(|to| {
            self.verdict(from, *to, Link::Admin, &name, request.body.len()) != Verdict::Drop
        });
        let Some(to) = to else {
            let failed = Delivery::Gateway {
                call: own,
                result: Err(()),
            };
            self.put(self.now + GATEWAY_TIMEOUT, from, failed);
            return;
        };
        let call = self.next_call();
        let waiting = Waiting { from, own, to };
        self.calls.from_node.insert(call, waiting);
        self.put(self.now + delay, to, Delivery::Admin { call, request });
    }

    /// The node called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<NodeId> {
        self.position(|s| &*s.name == name)
    }

    fn position(&self, wanted: impl Fn(&super::node::Slot) -> bool) -> Option<NodeId> {
        let index = self.nodes.iter().position(wanted)?;
        u16::try_from(index).ok().map(NodeId)
    }

    /// What the rules of a link say about a message; the first that does not pass decides.
    fn verdict(
        &mut self,
        from: NodeId,
        to: NodeId,
        link: Link,
        name: &MessageName,
        octets: usize,
    ) -> Verdict {
        let label = |id: NodeId| self.nodes.get(usize::from(id.0)).map_or("", |s| &*s.name);
        let packet = Packet {
            link,
            from: label(from),
            to: label(to),
            name,
            octets,
        };
        for (on, rule) in self.rules.values_mut() {
            if *on == link {
                let verdict = rule(&packet);
                if verdict != Verdict::Pass {
                    return verdict;
                }
            }
        }
        Verdict::Pass
    }

    /// The copies of a message that arrive, and when.
    fn copies(
        &mut self,
        from: NodeId,
        to: NodeId,
        link: Link,
        name: &MessageName,
        octets: &[u8],
    ) -> Vec<(heiiki_types::Instant, Vec<u8>)> {
        let verdict = self.verdict(from, to, link, name, octets.len());
        let profile = self.profile(link);
        let copies = fate(link, &profile, verdict, &mut self.rng);
        if copies.len() != 1 || verdict != Verdict::Pass || copies.iter().any(|c| c.1) {
            let fate = match (copies.len(), verdict) {
                (0, _) => "lost",
                (1, Verdict::Delay(_)) => "delayed",
                (1, _) => "changed",
                _ => "doubled",
            };
            let event = LabEvent::LinkFault {
                link: link.name(),
                message: name.to_string(),
                fate,
            };
            self.note(from, NodeEvent::Lab(event));
        }
        let now = self.now;
        let mut copied = Vec::with_capacity(copies.len());
        for (delay, corrupt) in copies {
            let mut octets = octets.to_vec();
            if corrupt && !octets.is_empty() {
                self.checker.changed(link);
                let bit = self.rng.below(octets.len() as u64 * 8);
                let at = usize::try_from(bit / 8).unwrap_or(0);
                if let Some(octet) = octets.get_mut(at) {
                    *octet ^= 1 << (bit % 8);
                }
            }
            copied.push((now + delay, octets));
        }
        copied
    }

    fn tap_frame(&mut self, link: Link, frame: &Frame<'_>) {
        let now = self.now();
        for tap in &mut self.taps {
            tap.frame(now.at, now.wall, link, frame);
        }
    }
}

/// How long the HSS waits for a gateway that does not answer.
const GATEWAY_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(2);
