use core::net::Ipv4Addr;

use heiiki_types::{Duration, WallTime};
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use super::device::Wire;
use super::*;
use crate::tests::bed::{BLUE, INTRANET, RED, config};

mod services;

const UE: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);

fn at(ms: u64) -> Now {
    Now {
        at: Instant::from_micros(ms * 1_000),
        wall: WallTime::default(),
    }
}

/// A UE with a stack of its own, joined to a segment.
struct Client {
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
    tenant: TenantId,
}

impl Client {
    fn new(tenant: TenantId) -> Self {
        let mut wire = Wire::new(1_400);
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut wire, smoltcp::time::Instant::ZERO);
        interface.update_ip_addrs(|a| {
            a.push(IpCidr::new(IpAddress::from(IpAddr::V4(UE)), 32))
                .unwrap();
        });
        Self {
            interface,
            wire,
            sockets: SocketSet::new(Vec::new()),
            tenant,
        }
    }

    fn connect(&mut self, to: Ipv4Addr, port: u16, from: u16) -> smoltcp::iface::SocketHandle {
        let buffer = |n| tcp::SocketBuffer::new(alloc::vec![0; n]);
        let socket = tcp::Socket::new(buffer(65_536), buffer(4_096));
        let handle = self.sockets.add(socket);
        let to = (IpAddress::from(IpAddr::V4(to)), port);
        self.sockets
            .get_mut::<tcp::Socket<'_>>(handle)
            .connect(self.interface.context(), to, from)
            .unwrap();
        handle
    }

    /// Lets both sides talk for a while.
    fn run(&mut self, segment: &mut Segment, from: u64, ms: u64) {
        for ms in from..from + ms {
            let now = at(ms);
            let time = smoltcp::time::Instant::from_millis(i64::try_from(ms).unwrap());
            self.interface.poll(time, &mut self.wire, &mut self.sockets);
            while let Some(packet) = self.wire.sent.pop_front() {
                let tenant = self.tenant;
                segment.handle_input(now, Input::Packet { tenant, packet });
            }
            segment.handle_timeout(now);
            while let Some(output) = segment.poll_output() {
                if let Output::Packet { tenant, packet } = output {
                    assert_eq!(tenant, self.tenant);
                    self.wire.received.push_back(packet);
                }
            }
        }
    }
}

fn segment() -> Segment {
    Segment::new(&config(), 0, Rng::from_seed(1))
}

fn fetch(tenant: TenantId, path: &str) -> Vec<u8> {
    let mut segment = segment();
    let mut client = Client::new(tenant);
    let handle = client.connect(INTRANET, 80, 50_000);
    let mut out = Vec::new();
    let mut asked = false;
    for round in 0..400 {
        client.run(&mut segment, round * 5, 5);
        let socket = client.sockets.get_mut::<tcp::Socket<'_>>(handle);
        if socket.can_send() && !asked {
            let request = alloc::format!("GET {path} HTTP/1.1\r\nHost: intranet\r\n\r\n");
            socket.send_slice(request.as_bytes()).unwrap();
            asked = true;
        }
        while socket.can_recv() {
            socket
                .recv(|o| (o.len(), out.extend_from_slice(o)))
                .unwrap();
        }
        if asked && !socket.may_recv() {
            socket.close();
        }
    }
    out
}

#[test]
fn pages_differ_between_tenants() {
    let red = String::from_utf8(fetch(RED, "/")).unwrap();
    let blue = String::from_utf8(fetch(BLUE, "/")).unwrap();
    assert!(
        red.starts_with("HTTP/1.1 200 OK\r\n") && red.ends_with(&index_page("red", "intranet"))
    );
    assert!(blue.ends_with(&index_page("blue", "intranet")));
}

#[test]
fn a_file_of_a_megabyte_is_what_it_should_be() {
    let answer = fetch(RED, "/file?size=1000000");
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let mut expected = alloc::vec![0; 1_000_000];
    FileContent::of("red").fill(0, &mut expected);
    assert_eq!(answer.len() - at, expected.len());
    assert!(answer[at..] == expected);
}

/// The stack has no backlog of its own: without care three of these would be reset.
#[test]
fn many_connections_at_once_are_all_taken() {
    let mut segment = segment();
    let mut client = Client::new(RED);
    let handles: Vec<_> = (0..60)
        .map(|n| client.connect(INTRANET, 80, 50_000 + n))
        .collect();
    client.run(&mut segment, 0, 20);
    for handle in &handles {
        let state = client.sockets.get::<tcp::Socket<'_>>(*handle).state();
        assert_eq!(state, tcp::State::Established);
    }
}

#[test]
fn a_full_host_is_silent_and_recovers() {
    let mut segment = segment();
    let mut client = Client::new(RED);
    let handles: Vec<_> = (0..120)
        .map(|n| client.connect(INTRANET, 80, 50_000 + n))
        .collect();
    client.run(&mut segment, 0, 20);
    let open = |client: &Client| {
        let state = |h| client.sockets.get::<tcp::Socket<'_>>(h).state();
        handles
            .iter()
            .filter(|h| state(**h) == tcp::State::Established)
            .count()
    };
    assert_eq!(open(&client), 96);
    assert_eq!(segment.counters().overflows, 24);
    for handle in &handles[..96] {
        client.sockets.get_mut::<tcp::Socket<'_>>(*handle).abort();
    }
    client.run(&mut segment, 20, 9_000);
    assert_eq!(open(&client), 24);
}

#[test]
fn a_closed_port_is_refused_and_an_absent_host_is_not_there() {
    let mut segment = segment();
    let mut client = Client::new(RED);
    let closed = client.connect(INTRANET, 22, 50_000);
    let absent = client.connect(Ipv4Addr::new(10, 20, 9, 9), 80, 50_001);
    client.run(&mut segment, 0, 20);
    let state = |h| client.sockets.get::<tcp::Socket<'_>>(h).state();
    assert_eq!(state(closed), tcp::State::Closed);
    assert_eq!(state(absent), tcp::State::SynSent);
    assert_eq!(segment.counters().no_host, 1);
}

#[test]
fn echo_on_udp_and_tcp() {
    let mut segment = segment();
    let mut client = Client::new(RED);
    let buffer = || {
        udp::PacketBuffer::new(
            alloc::vec![udp::PacketMetadata::EMPTY; 4],
            alloc::vec![0; 4_096],
        )
    };
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(6_000).unwrap();
    let address = IpAddress::from(IpAddr::V4(INTRANET));
    socket
        .send_slice(b"marco", smoltcp::wire::IpEndpoint::new(address, 7))
        .unwrap();
    let u = client.sockets.add(socket);
    let t = client.connect(INTRANET, 7, 50_000);
    client.run(&mut segment, 0, 5);
    client
        .sockets
        .get_mut::<tcp::Socket<'_>>(t)
        .send_slice(b"polo")
        .unwrap();
    client.run(&mut segment, 5, 20);
    let (octets, _) = client.sockets.get_mut::<udp::Socket<'_>>(u).recv().unwrap();
    assert_eq!(octets, b"marco");
    let mut out = [0; 8];
    let n = client
        .sockets
        .get_mut::<tcp::Socket<'_>>(t)
        .recv_slice(&mut out)
        .unwrap();
    assert_eq!(&out[..n], b"polo");
}

#[test]
fn names_are_served_over_udp() {
    let mut segment = segment();
    let mut query = hex_literal::hex!("0001 0100 0001 0000 0000 0000").to_vec();
    query.extend(b"\x08intranet\x03red\x07example\x00\x00\x01\x00\x01");
    let mut packet = Vec::new();
    etherparse::PacketBuilder::ipv4(UE.octets(), INTRANET.octets(), 64)
        .udp(5_353, 53)
        .write(&mut packet, &query)
        .unwrap();
    segment.handle_input(
        at(1),
        Input::Packet {
            tenant: RED,
            packet,
        },
    );
    let Some(Output::Packet { packet, .. }) = segment.poll_output() else {
        panic!("no answer");
    };
    assert!(packet.ends_with(&INTRANET.octets()));
}

#[test]
fn every_host_answers_a_ping() {
    let mut segment = segment();
    let mut packet = Vec::new();
    let echo = etherparse::IcmpEchoHeader { id: 3, seq: 4 };
    etherparse::PacketBuilder::ipv4(UE.octets(), INTRANET.octets(), 64)
        .icmpv4(etherparse::Icmpv4Type::EchoRequest(echo))
        .write(&mut packet, b"abcdefgh")
        .unwrap();
    segment.handle_input(
        at(1),
        Input::Packet {
            tenant: RED,
            packet,
        },
    );
    let Some(Output::Packet { packet, .. }) = segment.poll_output() else {
        panic!("no answer");
    };
    let parsed = etherparse::SlicedPacket::from_ip(&packet).unwrap();
    let Some(etherparse::TransportSlice::Icmpv4(icmp)) = parsed.transport else {
        panic!("not ICMP");
    };
    assert_eq!(icmp.icmp_type(), etherparse::Icmpv4Type::EchoReply(echo));
}

#[test]
fn a_probe_stream_keeps_its_interval_until_it_is_stopped() {
    let mut segment = segment();
    let stream = ProbeStream {
        tenant: RED,
        from: (INTRANET, 9_000),
        to: (UE, 9_001),
        interval: Duration::from_millis(10),
        size: 24,
    };
    let id = segment.start_stream(at(5), stream);
    let mut packets = Vec::new();
    let mut now = 5;
    while now < 100 {
        while let Some(output) = segment.poll_output() {
            if let Output::Packet { packet, .. } = output {
                packets.push(packet);
            }
        }
        let next = segment.poll_timeout().unwrap();
        now = next.as_micros() / 1_000;
        segment.handle_timeout(at(now));
    }
    assert_eq!(packets.len(), 10);
    for (n, packet) in (0_u32..).zip(&packets) {
        let parsed = etherparse::SlicedPacket::from_ip(packet).unwrap();
        let Some(etherparse::TransportSlice::Udp(udp)) = parsed.transport else {
            panic!("not UDP");
        };
        assert_eq!((udp.source_port(), udp.destination_port()), (9_000, 9_001));
        assert_eq!(&udp.payload()[..4], b"hkpr");
        assert_eq!(udp.payload()[12..16], n.to_be_bytes());
    }
    assert_eq!(segment.stop_stream(id), Some(11));
    assert_eq!(segment.stop_stream(id), None);
    segment.handle_timeout(at(1_000));
    while let Some(output) = segment.poll_output() {
        assert!(!matches!(output, Output::Packet { .. }) || now >= 100);
    }
    assert_eq!(segment.poll_timeout(), None);
}

#[test]
fn the_sentinel_answers_at_every_address_and_port() {
    let mut segment = segment();
    let outside = Ipv4Addr::new(203, 0, 113, 7);
    let mut client = Client::new(RED);
    let handles = [80, 443, 22].map(|port| client.connect(outside, port, 50_000 + port));
    client.run(&mut segment, 0, 20);
    for handle in handles {
        let state = client.sockets.get::<tcp::Socket<'_>>(handle).state();
        assert_eq!(state, tcp::State::Established);
    }
    assert!(segment.sentinel().escaped() > 3);
    assert_eq!(segment.sentinel().counts().count(), 3);
}

#[test]
fn hostile_packets_never_panic() {
    let mut segment = segment();
    let mut rng = Rng::from_seed(2);
    let mut good = Vec::new();
    etherparse::PacketBuilder::ipv4(UE.octets(), INTRANET.octets(), 64)
        .tcp(1, 80, 7, 1_000)
        .syn()
        .write(&mut good, b"GET / HTTP/1.1\r\n\r\n")
        .unwrap();
    for round in 0..20_000 {
        let mut packet = good.clone();
        for _ in 0..=rng.below(5) {
            let place = usize::try_from(rng.below(packet.len() as u64)).unwrap();
            packet[place] = rng.octets::<1>()[0];
        }
        segment.handle_input(
            at(round),
            Input::Packet {
                tenant: RED,
                packet,
            },
        );
        while segment.poll_output().is_some() {}
    }
}

/// A host of IPv6 answers like one of IPv4: echo by UDP, and by ICMPv6.
#[test]
fn a_host_of_ipv6_answers() {
    use crate::tests::plane::{HOST6, dual, icmp6, udp, ue6};
    let mut config = dual();
    config.tenants[0].hosts.push(crate::config::HostConfig {
        name: "six".into(),
        address: HOST6.into(),
        services: alloc::vec![crate::config::Service::Echo],
    });
    let mut segment = Segment::new(&config, 0, Rng::from_seed(1));
    let ue = ue6(0).address();
    for packet in [
        udp(ue, HOST6, 7),
        icmp6(ue, HOST6, 64, (128, 0), &[0, 7, 0, 1, 1, 2, 3, 4]),
    ] {
        let tenant = RED;
        segment.handle_input(at(1), Input::Packet { tenant, packet });
        segment.handle_timeout(at(1));
        let Some(Output::Packet { tenant, packet }) = segment.poll_output() else {
            panic!("no answer");
        };
        assert_eq!(tenant, RED);
        let answer = etherparse::SlicedPacket::from_ip(&packet).unwrap();
        let Some(etherparse::NetSlice::Ipv6(ip)) = answer.net else {
            panic!("not IPv6");
        };
        assert_eq!(ip.header().source_addr(), HOST6);
        assert_eq!(ip.header().destination_addr(), ue);
    }
}
