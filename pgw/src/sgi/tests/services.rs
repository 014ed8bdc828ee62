use super::*;
use crate::config::Service;

fn at_us(us: u64) -> Now {
    Now {
        at: Instant::from_micros(us),
        wall: WallTime::default(),
    }
}

fn serving(services: &[Service]) -> Segment {
    let mut config = config();
    for tenant in &mut config.tenants {
        for host in &mut tenant.hosts {
            host.services = services.to_vec();
        }
    }
    Segment::new(&config, 0, Rng::from_seed(1))
}

fn datagram(from: u16, to: u16, class: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let mut ip = etherparse::Ipv4Header::new(
        0,
        64,
        etherparse::IpNumber::UDP,
        UE.octets(),
        INTRANET.octets(),
    )
    .unwrap();
    ip.dscp = etherparse::IpDscp::try_new(class >> 2).unwrap();
    etherparse::PacketBuilder::ip(etherparse::IpHeaders::Ipv4(
        ip,
        etherparse::Ipv4Extensions::default(),
    ))
    .udp(from, to)
    .write(&mut packet, payload)
    .unwrap();
    packet
}

/// Ports, class and payload of everything that comes out.
fn outputs(segment: &mut Segment) -> Vec<((u16, u16), u8, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(output) = segment.poll_output() {
        let Output::Packet { packet, .. } = output else {
            continue;
        };
        let sliced = etherparse::SlicedPacket::from_ip(&packet).unwrap();
        let Some(etherparse::NetSlice::Ipv4(ip)) = &sliced.net else {
            panic!("not IPv4");
        };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(header.source, INTRANET.octets());
        let class = header.dscp.value() << 2;
        let Some(etherparse::TransportSlice::Udp(udp)) = &sliced.transport else {
            panic!("not UDP");
        };
        let ports = (udp.source_port(), udp.destination_port());
        all.push((ports, class, udp.payload().to_vec()));
        let used = packet.clone();
        segment.recycle(used);
    }
    all
}

#[test]
fn a_sink_counts_and_says_how_much_when_it_is_asked() {
    let mut segment = serving(&[Service::Throughput]);
    for n in 0..10_u8 {
        segment.receive(at(1), RED, &datagram(4_000, 9, 0, &[n; 100]));
    }
    assert!(outputs(&mut segment).is_empty());
    segment.receive(at(2), RED, &datagram(4_000, 9, 0, b"hksq"));
    let [(ports, _, payload)] = &outputs(&mut segment)[..] else {
        panic!("one answer");
    };
    assert_eq!(*ports, (9, 4_000));
    let mut expected = b"hksr".to_vec();
    expected.extend(10_u64.to_be_bytes());
    expected.extend(1_280_u64.to_be_bytes());
    assert_eq!(*payload, expected);
    // The other tenant's host has the same address and another count.
    segment.receive(at(3), BLUE, &datagram(4_000, 9, 0, b"hksq"));
    assert_eq!(outputs(&mut segment)[0].2[4..], [0; 16]);
}

fn order(count: u32, size: u16, rate: u32) -> Vec<u8> {
    let mut out = b"hkgo".to_vec();
    out.extend(count.to_be_bytes());
    out.extend(size.to_be_bytes());
    out.extend([0, 0]);
    out.extend(rate.to_be_bytes());
    out
}

/// Runs the segment from deadline to deadline; what came, with its time in microseconds.
fn run(segment: &mut Segment, until: u64) -> Vec<(u64, u8, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(next) = segment.poll_timeout().filter(|n| n.as_micros() < until) {
        let now = next.as_micros();
        segment.handle_timeout(at_us(now));
        let came = outputs(segment).into_iter();
        all.extend(came.map(|(_, class, payload)| (now, class, payload)));
    }
    all
}

#[test]
fn a_source_sends_as_many_as_it_is_asked_for_and_numbers_them() {
    let mut segment = serving(&[Service::Throughput]);
    for port in [4_000, 4_001, 4_002] {
        segment.receive(
            at_us(10),
            RED,
            &datagram(port, 19, 0xb8, &order(1_000, 1_400, 0)),
        );
    }
    let all = run(&mut segment, 1_000_000);
    assert_eq!(all.len(), 3_000);
    assert!(
        all.iter()
            .all(|(_, class, p)| *class == 0xb8 && p.len() == 1_372)
    );
    for n in 0..1_000_u32 {
        let same = all.iter().filter(|(.., p)| p[..4] == n.to_be_bytes());
        assert_eq!(same.count(), 3);
    }
    assert_eq!(segment.poll_timeout(), None);
}

#[test]
fn a_source_keeps_to_its_rate_and_mixes_sizes() {
    let mut segment = serving(&[Service::Throughput]);
    segment.receive(
        at_us(0),
        RED,
        &datagram(4_000, 19, 0, &order(120, 0, 1_000)),
    );
    let all = run(&mut segment, 1_000_000);
    assert_eq!(all.len(), 120);
    for (n, (at, ..)) in (0..).zip(&all) {
        assert!(at.abs_diff(n * 1_000) < 3, "{n} {at}");
    }
    let octets: usize = all.iter().map(|(.., p)| p.len() + 28).sum();
    assert_eq!(octets, 10 * (7 * 64 + 4 * 576 + 1_400));
    // Another order takes the place of the one that runs.
    segment.receive(
        at_us(1_000_000),
        RED,
        &datagram(4_000, 19, 0, &order(1_000, 64, 10)),
    );
    segment.receive(
        at_us(1_000_001),
        RED,
        &datagram(4_000, 19, 0, &order(5, 64, 10)),
    );
    assert_eq!(run(&mut segment, 100_000_000).len(), 5);
}

#[test]
fn voice_comes_back_in_its_class_and_other_ports_are_closed() {
    let mut segment = serving(&[Service::Voice]);
    segment.receive(at(1), RED, &datagram(5_006, 5_004, 0xb8, &[0x80; 172]));
    let came = outputs(&mut segment);
    assert_eq!(came, [((5_004, 5_006), 0xb8, alloc::vec![0x80; 172])]);
    segment.receive(at(2), RED, &datagram(4_000, 9, 0, b"hksq"));
    let Some(Output::Packet { packet, .. }) = segment.poll_output() else {
        panic!("no answer");
    };
    let sliced = etherparse::SlicedPacket::from_ip(&packet).unwrap();
    let Some(etherparse::TransportSlice::Icmpv4(icmp)) = sliced.transport else {
        panic!("not ICMP");
    };
    assert!(matches!(
        icmp.icmp_type(),
        etherparse::Icmpv4Type::DestinationUnreachable(
            etherparse::icmpv4::DestUnreachableHeader::Port
        )
    ));
}

#[test]
fn a_controller_polls_a_device_for_as_long_as_it_is_heard() {
    let mut segment = serving(&[Service::Plc]);
    segment.receive(at_us(0), RED, &datagram(502, 502, 0, b"here"));
    let polls = run(&mut segment, 5_000_000);
    assert_eq!(polls.len(), 50);
    assert!(polls.iter().all(|(.., p)| p.len() == 36));
    segment.receive(at_us(5_000_000), RED, &datagram(502, 502, 0, b"here"));
    assert_eq!(run(&mut segment, 60_000_000).len(), 100);
    assert_eq!(segment.poll_timeout(), None);
}

/// Octets of TCP from a source are those that its page promises, whatever the parts.
#[test]
fn a_tcp_source_and_a_sink_are_fast_and_end_with_the_client() {
    let mut segment = serving(&[Service::Throughput]);
    let mut client = Client::new(RED);
    let down = client.connect(INTRANET, 19, 50_000);
    let up = client.connect(INTRANET, 9, 50_001);
    let mut got = Vec::new();
    for round in 0..60 {
        client.run(&mut segment, round * 2, 2);
        let socket = client.sockets.get_mut::<tcp::Socket<'_>>(down);
        while socket.can_recv() {
            socket
                .recv(|o| (o.len(), got.extend_from_slice(o)))
                .unwrap();
        }
        let socket = client.sockets.get_mut::<tcp::Socket<'_>>(up);
        while socket.can_send() {
            socket.send_slice(&[1; 4_096]).unwrap();
        }
    }
    assert!(got.len() > 1_000_000, "{}", got.len());
    assert!(got.iter().zip((0..=250).cycle()).all(|(a, b)| *a == b));
    for handle in [down, up] {
        client.sockets.get_mut::<tcp::Socket<'_>>(handle).close();
    }
    client.run(&mut segment, 200, 400);
    for handle in [down, up] {
        let socket = client.sockets.get_mut::<tcp::Socket<'_>>(handle);
        while socket.can_recv() {
            socket.recv(|o| (o.len(), ())).unwrap();
        }
    }
    client.run(&mut segment, 700, 400);
    assert_ne!(
        client.sockets.get::<tcp::Socket<'_>>(up).state(),
        tcp::State::Established
    );
}

/// Clients of one host that differ in their addresses do not share the bound of a lane.
#[test]
fn thousands_of_clients_are_connected_at_once() {
    let mut segment = serving(&[Service::Echo]);
    let mut open = 0;
    for n in 0..5_000_u32 {
        let from = Ipv4Addr::from_bits(Ipv4Addr::new(10, 20, 0, 0).to_bits() + n);
        let mut packet = Vec::new();
        etherparse::PacketBuilder::ipv4(from.octets(), INTRANET.octets(), 64)
            .tcp(50_000, 7, 7, 10_000)
            .syn()
            .write(&mut packet, &[])
            .unwrap();
        segment.receive(at(1), RED, &packet);
        while let Some(output) = segment.poll_output() {
            let Output::Packet { packet, .. } = output else {
                continue;
            };
            let sliced = etherparse::SlicedPacket::from_ip(&packet).unwrap();
            let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else {
                panic!("not TCP");
            };
            open += u32::from(tcp.syn() && tcp.ack());
        }
    }
    assert_eq!(open, 5_000);
    assert_eq!(segment.counters().overflows, 0);
}
