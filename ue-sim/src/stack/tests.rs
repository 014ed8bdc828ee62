use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec;
use core::net::Ipv4Addr;

use heiiki_types::Rng;
use smoltcp::socket::{tcp, udp};
use smoltcp::storage::PacketMetadata;

use super::*;

const UE: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 1);

fn profile() -> UeProfile {
    UeProfile::new("35693803564380".parse().unwrap())
}

fn stack() -> Stack {
    let settings = Settings {
        address: UE,
        dns: vec![HOST],
        mtu: 1_400,
    };
    Stack::new(Instant::ZERO, settings, &profile(), 1)
}

/// A corporate host on smoltcp: UDP echo on 7, a DNS that knows one name, HTTP on 80.
struct Host {
    interface: Interface,
    sockets: SocketSet<'static>,
    queue: Queue,
    udp: smoltcp::iface::SocketHandle,
    dns: smoltcp::iface::SocketHandle,
    http: smoltcp::iface::SocketHandle,
    to_send: VecDeque<u8>,
}

impl Host {
    fn new() -> Self {
        let mut queue = Queue {
            downlink: None,
            uplink: VecDeque::new(),
            mtu: 1_400,
        };
        let mut interface = Interface::new(
            Config::new(HardwareAddress::Ip),
            &mut queue,
            instant(Instant::ZERO),
        );
        interface.update_ip_addrs(|a| {
            a.push(IpCidr::Ipv4(Ipv4Cidr::new(HOST, 32))).unwrap();
        });
        interface.routes_mut().add_default_ipv4_route(HOST).unwrap();
        let mut sockets = SocketSet::new(Vec::new());
        let mut bound = |port| {
            let buffer = || udp::PacketBuffer::new(vec![PacketMetadata::EMPTY; 8], vec![0; 8_192]);
            let mut socket = udp::Socket::new(buffer(), buffer());
            socket.bind(port).unwrap();
            sockets.add(socket)
        };
        let (udp, dns) = (bound(7), bound(53));
        let buffer = || tcp::SocketBuffer::new(vec![0; 65_536]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.listen(80).unwrap();
        let http = sockets.add(socket);
        Self {
            interface,
            sockets,
            queue,
            udp,
            dns,
            http,
            to_send: VecDeque::new(),
        }
    }

    fn packet(&mut self, now: Instant, packet: Vec<u8>) {
        self.queue.downlink = Some(packet);
        self.run(now);
    }

    fn run(&mut self, now: Instant) {
        for _ in 0..3 {
            self.interface
                .poll(instant(now), &mut self.queue, &mut self.sockets);
            let echo = self.sockets.get_mut::<udp::Socket<'_>>(self.udp);
            while let Ok((data, meta)) = echo.recv() {
                let data = data.to_vec();
                echo.send_slice(&data, meta.endpoint).unwrap();
            }
            let dns = self.sockets.get_mut::<udp::Socket<'_>>(self.dns);
            while let Ok((data, meta)) = dns.recv() {
                let mut data = data.to_vec();
                data[2] |= 0x80;
                data[7] = 1;
                data.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 20, 1, 9]);
                dns.send_slice(&data, meta.endpoint).unwrap();
            }
            let http = self.sockets.get_mut::<tcp::Socket<'_>>(self.http);
            if http.can_recv() {
                let request = http.recv(|d| (d.len(), d.to_vec())).unwrap();
                assert!(
                    request.starts_with(b"GET /file?size=1000000 HTTP/1.1\r\nHost: intranet\r\n")
                );
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
                self.to_send.extend(head);
                self.to_send
                    .extend((0..1_000_000_u32).map(|i| i.to_le_bytes()[0]));
            }
            while http.can_send() && !self.to_send.is_empty() {
                let (front, _) = self.to_send.as_slices();
                let sent = http.send_slice(front).unwrap();
                self.to_send.drain(..sent);
            }
            if http.state() == tcp::State::CloseWait {
                http.close();
            }
        }
    }
}

/// Runs stack and host over a link of 1 ms each way until both rest; returns the events.
fn converse(stack: &mut Stack, host: &mut Host, until: Instant) -> Vec<Event> {
    let mut now = Instant::ZERO;
    let mut events = Vec::new();
    loop {
        let mut moved = false;
        while let Some(packet) = stack.poll_packet() {
            moved = true;
            now += Duration::from_millis(1);
            host.packet(now, packet[HEADROOM..].to_vec());
        }
        while let Some(packet) = host.queue.uplink.pop_front() {
            moved = true;
            now += Duration::from_millis(1);
            stack.handle_packet(now, &packet[HEADROOM..]);
        }
        events.extend(core::iter::from_fn(|| stack.poll_event()));
        if !moved {
            let at = host.interface.poll_at(instant(now), &host.sockets);
            let host_at = at.map(|t| Instant::from_micros(t.total_micros().try_into().unwrap()));
            let next = [stack.poll_timeout(now), host_at]
                .into_iter()
                .flatten()
                .min();
            match next.filter(|n| *n <= until) {
                Some(next) => now = next.max(now),
                None => return events,
            }
            stack.handle_timeout(now);
            host.run(now);
        }
    }
}

fn at(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

#[test]
fn one_of_each_probe_reaches_the_host() {
    let (mut stack, mut host) = (stack(), Host::new());
    let dst = HOST;
    let name = "intranet".to_string();
    for command in [
        UeCommand::Ping { token: 1, dst },
        UeCommand::UdpProbe {
            token: 2,
            dst,
            port: 7,
        },
        UeCommand::UdpProbe {
            token: 3,
            dst,
            port: 9,
        },
        UeCommand::TcpProbe {
            token: 5,
            dst,
            port: 81,
        },
        UeCommand::TcpProbe {
            token: 4,
            dst,
            port: 80,
        },
        UeCommand::DnsQuery {
            token: 6,
            name,
            server: None,
        },
    ] {
        stack.handle_command(Instant::ZERO, command);
    }
    let events = converse(&mut stack, &mut host, at(20_000));
    assert_eq!(events.len(), 6, "{events:?}");
    for event in events {
        match event {
            Event::PingDone { token: 1, outcome }
            | Event::UdpProbeDone { token: 2, outcome }
            | Event::TcpProbeDone { token: 4, outcome } => assert!(outcome.is_answered()),
            Event::UdpProbeDone { token: 3, outcome }
            | Event::TcpProbeDone { token: 5, outcome } => {
                assert_eq!(outcome, ProbeOutcome::Refused);
            }
            Event::DnsDone {
                token: 6,
                rcode,
                addresses,
                ..
            } => {
                assert_eq!(
                    (rcode, addresses),
                    (Some(0), vec![Ipv4Addr::new(10, 20, 1, 9)])
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(stack.flows.is_empty() && stack.connections.is_empty());
    assert_eq!(stack.poll_timeout(at(20_000)), None);
}

#[test]
fn a_megabyte_is_hashed_on_its_way() {
    let (mut stack, mut host) = (stack(), Host::new());
    stack.handle_command(
        Instant::ZERO,
        UeCommand::HttpGet {
            token: 9,
            dst: HOST,
            port: 80,
            host: "intranet".into(),
            path: "/file?size=1000000".into(),
        },
    );
    let events = converse(&mut stack, &mut host, at(60_000));
    let [
        Event::HttpDone {
            token: 9,
            status: 200,
            bytes: 1_000_000,
            sha256,
            body,
            ..
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    // python3 -c 'import hashlib; print(hashlib.sha256(bytes(i%256 for i in range(10**6))).hexdigest())'
    assert_eq!(
        sha256.to_string(),
        "67870dfc9c64e7aa270a3f7e8051ae65d207f93fc3df04d7572e6365af69cd0d"
    );
    assert_eq!(body.len(), KEPT);
    assert!(stack.connections.is_empty());
}

#[test]
fn silence_is_a_time_out_and_nothing_stays_open() {
    let mut stack = stack();
    let dst = Ipv4Addr::new(192, 0, 2, 1);
    stack.handle_command(at(0), UeCommand::Ping { token: 1, dst });
    stack.handle_command(
        at(0),
        UeCommand::TcpProbe {
            token: 2,
            dst,
            port: 80,
        },
    );
    let mut events = Vec::new();
    let mut now = Instant::ZERO;
    while let Some(next) = stack.poll_timeout(now) {
        now = next;
        stack.handle_timeout(now);
        while stack.poll_packet().is_some() {}
        events.extend(core::iter::from_fn(|| stack.poll_event()));
        assert!(now < at(10_000));
    }
    let outcome = ProbeOutcome::TimedOut;
    assert_eq!(
        events,
        [
            Event::PingDone { token: 1, outcome },
            Event::TcpProbeDone { token: 2, outcome }
        ]
    );
}

/// An ICMP destination unreachable from the gateway that quotes `packet`.
fn prohibited(packet: &[u8]) -> Vec<u8> {
    use smoltcp::wire::{Icmpv4Packet, Ipv4Packet};
    let mut out = vec![0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 20, 0, 1];
    out.extend(UE.octets());
    out.extend([3, 13, 0, 0, 0, 0, 0, 0]);
    out.extend(&packet[..28]);
    Icmpv4Packet::new_unchecked(&mut out[20..]).fill_checksum();
    Ipv4Packet::new_unchecked(&mut out[..]).fill_checksum();
    out
}

#[test]
fn an_icmp_refusal_names_its_probe() {
    let mut stack = stack();
    let dst = Ipv4Addr::new(10, 20, 200, 1);
    stack.handle_command(at(0), UeCommand::Ping { token: 1, dst });
    stack.handle_command(
        at(0),
        UeCommand::UdpProbe {
            token: 2,
            dst,
            port: 7,
        },
    );
    stack.handle_command(
        at(0),
        UeCommand::TcpProbe {
            token: 3,
            dst,
            port: 80,
        },
    );
    let packets: Vec<_> = core::iter::from_fn(|| stack.poll_packet()).collect();
    assert_eq!(packets.len(), 3);
    for packet in &packets {
        stack.handle_packet(at(1), &prohibited(&packet[HEADROOM..]));
        // The second refusal finds nothing left to refuse.
        stack.handle_packet(at(1), &prohibited(&packet[HEADROOM..]));
    }
    let outcome = ProbeOutcome::Prohibited {
        code: 13,
        from: Ipv4Addr::new(10, 20, 0, 1),
    };
    let events: Vec<_> = core::iter::from_fn(|| stack.poll_event()).collect();
    assert_eq!(
        events,
        [
            Event::PingDone { token: 1, outcome },
            Event::UdpProbeDone { token: 2, outcome },
            Event::TcpProbeDone { token: 3, outcome },
        ]
    );
}

#[test]
fn a_stream_tells_when_the_silence_began() {
    let mut stack = stack();
    stack.handle_command(
        at(0),
        UeCommand::StartStream {
            token: 1,
            dst: HOST,
            port: 7,
            interval: Duration::from_millis(10),
            size: 64,
            each: true,
        },
    );
    let mut host = Host::new();
    let (mut answered, mut lost) = (0, 0);
    for ms in (0..4_000).step_by(5) {
        stack.handle_timeout(at(ms));
        while let Some(packet) = stack.poll_packet() {
            assert_eq!(packet.len(), HEADROOM + 28 + 64);
            if ms < 1_000 {
                host.packet(at(ms), packet[HEADROOM..].to_vec());
            }
        }
        while let Some(packet) = host.queue.uplink.pop_front() {
            stack.handle_packet(at(ms + 2), &packet[HEADROOM..]);
        }
        while let Some(event) = stack.poll_event() {
            match event {
                Event::ProbeAnswered { rtt_us: 2_000, .. } => answered += 1,
                Event::ProbeLost { seq, sent_at, .. } => {
                    assert_eq!(sent_at, at(u64::from(seq) * 10));
                    lost += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // Probes wait two seconds; the last of them that is over by now left at 1,990 ms.
    assert_eq!((answered, lost), (100, 100));
    stack.handle_command(at(4_000), UeCommand::StopStream { token: 1 });
    let Some(Event::StreamDone { report, .. }) = stack.poll_event() else {
        panic!();
    };
    assert_eq!((report.sent, report.answered, report.lost), (400, 100, 300));
    assert_eq!(report.last_answered_sent_at, Some(at(990)));
    assert_eq!(report.last_received_at, Some(at(992)));
    assert_eq!(report.silent_since, Some(at(1_000)));
}

#[test]
fn a_sink_counts_what_comes_down() {
    let mut stack = stack();
    stack.handle_command(
        at(0),
        UeCommand::Listen {
            token: 1,
            port: 5_000,
        },
    );
    for ms in [10, 20, 30] {
        let down = packet::udp((HOST, 1), (UE, 5_000), b"x");
        stack.handle_packet(at(ms), &down[HEADROOM..]);
    }
    let report = stack.report(1).unwrap();
    assert_eq!(report.answered, 3);
    assert_eq!(report.first_at, Some(at(10)));
    assert_eq!(report.last_received_at, Some(at(30)));
    // A port nobody listens on is refused by the host itself.
    let down = packet::udp((HOST, 1), (UE, 5_001), b"x");
    stack.handle_packet(at(31), &down[HEADROOM..]);
    assert!(stack.poll_packet().is_some());
}

#[test]
fn an_injected_packet_leaves_as_it_is() {
    let mut stack = stack();
    let packet = vec![1, 2, 3];
    stack.handle_command(at(0), UeCommand::Inject { packet });
    assert_eq!(stack.poll_packet().unwrap()[HEADROOM..], [1, 2, 3]);
}

#[test]
fn the_end_of_the_bearer_ends_everything() {
    let mut stack = stack();
    let dst = HOST;
    stack.handle_command(at(0), UeCommand::Ping { token: 1, dst });
    stack.handle_command(at(0), UeCommand::Listen { token: 2, port: 1 });
    stack.handle_command(
        at(0),
        UeCommand::TcpProbe {
            token: 3,
            dst,
            port: 80,
        },
    );
    stack.shut_down();
    assert_eq!(core::iter::from_fn(|| stack.poll_event()).count(), 3);
    assert_eq!(stack.poll_timeout(at(0)), None);
}

#[test]
fn a_host_at_rest_is_small() {
    assert!(size_of::<Stack>() <= 1_024, "{}", size_of::<Stack>());
}

#[test]
fn no_downlink_octets_panic() {
    let (mut stack, mut host) = (stack(), Host::new());
    let dst = HOST;
    let mut corpus = vec![
        packet::udp(
            (HOST, 7),
            (UE, 49_153),
            &Payload {
                token: 1,
                seq: 0,
                sent_at: at(0),
            }
            .encode(0),
        ),
        packet::echo_request(HOST, UE, 1, 1, b"abc"),
    ];
    stack.handle_command(
        at(0),
        UeCommand::TcpProbe {
            token: 1,
            dst,
            port: 80,
        },
    );
    while let Some(packet) = stack.poll_packet() {
        corpus.push([&[0; HEADROOM], &prohibited(&packet[HEADROOM..])[..]].concat());
        host.packet(at(0), packet[HEADROOM..].to_vec());
    }
    corpus.extend(host.queue.uplink.drain(..));
    let mut rng = Rng::from_seed(1);
    for round in 0..50_000_u64 {
        let pick = usize::try_from(rng.below(corpus.len() as u64)).unwrap();
        let mut octets = corpus[pick][HEADROOM..].to_vec();
        for _ in 0..=rng.below(3) {
            let i = usize::try_from(rng.below(octets.len() as u64)).unwrap();
            octets[i] = rng.octets::<1>()[0];
        }
        if rng.chance(0.1) {
            octets.truncate(usize::try_from(rng.below(octets.len() as u64)).unwrap());
        }
        if rng.chance(0.8) && octets.len() >= 20 && usize::from(octets[0] & 15) * 4 <= octets.len()
        {
            smoltcp::wire::Ipv4Packet::new_unchecked(&mut octets[..]).fill_checksum();
        }
        if round % 100 == 0 {
            stack.handle_command(
                at(round),
                UeCommand::TcpProbe {
                    token: 1,
                    dst,
                    port: 80,
                },
            );
            stack.handle_command(
                at(round),
                UeCommand::UdpProbe {
                    token: 1,
                    dst,
                    port: 7,
                },
            );
        }
        stack.handle_packet(at(round), &octets);
        stack.handle_timeout(at(round));
        while stack.poll_packet().is_some() {}
        while stack.poll_event().is_some() {}
    }
}
