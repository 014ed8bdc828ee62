use core::net::SocketAddr;

use super::*;

/// A reactor whose machine answers every octet by `answer`.
struct Bench {
    reactor: Reactor,
    address: SocketAddr,
    inputs: Vec<StreamInput>,
    /// What happened, without the octets.
    accepted: Vec<ConnId>,
    closed: Vec<ConnId>,
    received: BTreeMap<ConnId, usize>,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self {
            reactor: Reactor::new(Some(listener), limits).unwrap(),
            address,
            inputs: Vec::new(),
            accepted: Vec::new(),
            closed: Vec::new(),
            received: BTreeMap::new(),
        }
    }

    /// One turn in which every octet received is answered by `times` octets.
    fn turn(&mut self, times: usize) {
        let wait = Some(Duration::from_millis(20));
        self.reactor.wait(wait, &mut self.inputs).unwrap();
        for input in self.inputs.drain(..) {
            match input {
                StreamInput::Accepted { conn, .. } => self.accepted.push(conn),
                StreamInput::Closed { conn } => self.closed.push(conn),
                StreamInput::Connected { .. } => panic!("nothing was connected"),
                StreamInput::Data { conn, octets } => {
                    *self.received.entry(conn).or_default() += octets.len();
                    for _ in 0..times {
                        let octets = octets.clone();
                        self.reactor.act(StreamOutput::Send { conn, octets });
                    }
                }
            }
        }
        self.reactor.flush();
    }

    fn until(&mut self, times: usize, mut done: impl FnMut(&Self) -> bool) {
        let end = clock::monotonic() + Duration::from_secs(20);
        while !done(self) {
            assert!(clock::monotonic() < end, "it never happened");
            self.turn(times);
        }
    }
}

#[test]
fn octets_are_echoed_in_order_and_the_end_is_told() {
    let mut bench = Bench::new(Limits::default());
    let mut client = TcpStream::connect(bench.address).unwrap();
    let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    let expected = sent.clone();
    let reader = client.try_clone().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the peer is another program")]
    let writer = std::thread::spawn(move || client.write_all(&sent).map(|()| client));
    #[expect(clippy::disallowed_methods, reason = "the peer is another program")]
    let reading = std::thread::spawn(move || {
        let mut got = vec![0; 200_000];
        (&reader).read_exact(&mut got).map(|()| got)
    });
    bench.until(1, |_| reading.is_finished());
    assert!(reading.join().unwrap().unwrap() == expected);
    drop(writer.join().unwrap().unwrap());
    bench.until(1, |b| b.closed == b.accepted && !b.closed.is_empty());
    assert!(bench.reactor.is_idle());
}

#[test]
fn a_thousand_connections_are_all_served() {
    let mut bench = Bench::new(Limits::default());
    let mut clients = Vec::new();
    for n in 0..1_000 {
        clients.push(TcpStream::connect(bench.address).unwrap());
        bench.until(1, |b| b.accepted.len() == n + 1);
    }
    for client in &mut clients {
        client.write_all(b"request").unwrap();
    }
    bench.until(1, |b| b.received.len() == 1_000);
    bench.turn(1);
    for client in &mut clients {
        let mut answer = [0; 7];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"request");
    }
}

/// Whoever does not read is paused; the others are not held up, and memory stays bounded.
#[test]
fn a_peer_that_does_not_read_is_paused_and_then_served_on() {
    let limits = Limits {
        pause: 256 * 1024,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    let slow = TcpStream::connect(bench.address).unwrap();
    slow.set_nonblocking(true).unwrap();
    let mut good = TcpStream::connect(bench.address).unwrap();
    bench.until(1, |b| b.accepted.len() == 2);
    let request = vec![7; 64 * 1024];
    let (mut sent, mut idle) = (0, 0);
    while idle < 50 {
        match (&slow).write(&request) {
            Ok(n) => (sent, idle) = (sent + n, 0),
            Err(_) => idle += 1,
        }
        bench.turn(4);
        let most = bench.reactor.connections.values().map(Connection::pending);
        assert!(most.max().unwrap() <= 256 * 1024 + 4 * READ);
    }
    good.write_all(b"x").unwrap();
    let conn = bench.accepted[1];
    bench.until(4, |b| b.received.contains_key(&conn));
    let mut answer = [0; 4];
    good.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"xxxx");
    // It begins to read, and gets every answer.
    let (mut got, mut buffer) = (0, vec![0; READ]);
    bench.until(4, |_| {
        while let Ok(n) = (&slow).read(&mut buffer) {
            got += n;
        }
        got == 4 * sent
    });
}

#[test]
fn a_peer_that_never_reads_is_closed_at_the_hard_limit() {
    let limits = Limits {
        close: 8 * 1024 * 1024,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    let mut client = TcpStream::connect(bench.address).unwrap();
    bench.until(1, |b| b.accepted.len() == 1);
    client.write_all(&vec![1; 64 * 1024]).unwrap();
    // What the machine says without being asked.
    let conn = bench.accepted[0];
    for _ in 0..32 {
        let octets = vec![0; 1024 * 1024];
        bench.reactor.act(StreamOutput::Send { conn, octets });
        bench.reactor.flush();
    }
    bench.until(0, |b| b.closed == [conn]);
    assert!(bench.reactor.is_idle());
}

#[test]
fn what_was_sent_before_a_close_arrives() {
    let mut bench = Bench::new(Limits::default());
    let mut client = TcpStream::connect(bench.address).unwrap();
    bench.until(1, |b| b.accepted.len() == 1);
    // Unread octets of the peer must not break the farewell.
    client.write_all(b"too late").unwrap();
    let conn = bench.accepted[0];
    let octets = vec![9; 3 * 1024 * 1024];
    bench.reactor.act(StreamOutput::Send { conn, octets });
    bench.reactor.act(StreamOutput::Close { conn });
    bench.reactor.flush();
    #[expect(clippy::disallowed_methods, reason = "the peer is another program")]
    let reading = std::thread::spawn(move || {
        let mut got = Vec::new();
        client.read_to_end(&mut got).map(|_| got.len())
    });
    bench.until(0, |b| b.reactor.is_idle());
    assert_eq!(reading.join().unwrap().unwrap(), 3 * 1024 * 1024);
    assert!(bench.closed.is_empty(), "the machine closed it itself");
}

#[test]
fn a_half_open_peer_is_forgotten_after_the_farewell() {
    let mut bench = Bench::new(Limits::default());
    let _client = TcpStream::connect(bench.address).unwrap();
    bench.until(1, |b| b.accepted.len() == 1);
    let conn = bench.accepted[0];
    bench.reactor.act(StreamOutput::Close { conn });
    bench.reactor.flush();
    bench.until(0, |b| b.reactor.is_idle());
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let limits = Limits {
        connections: 3,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    let mut clients: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(bench.address).unwrap())
        .collect();
    bench.until(1, |b| b.accepted.len() == 3);
    bench.turn(1);
    let mut ended = 0;
    for client in &mut clients {
        client
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        ended += usize::from(matches!(client.read(&mut [0]), Ok(0)));
    }
    assert_eq!(ended, 2);
}

#[test]
fn a_wait_ends_when_another_thread_wakes_it() {
    let mut reactor = Reactor::new(None, Limits::default()).unwrap();
    let waker = reactor.waker();
    let (tx, rx) = std::sync::mpsc::channel();
    #[expect(clippy::disallowed_methods, reason = "it is another thread that wakes")]
    let other = std::thread::spawn(move || {
        for n in 0..1_000 {
            tx.send(n).unwrap();
            waker.wake();
        }
    });
    let mut got = 0;
    while got < 1_000 {
        // Without a call it would wait for ever.
        reactor.wait(None, &mut Vec::new()).unwrap();
        got += rx.try_iter().count();
    }
    other.join().unwrap();
}

#[test]
fn it_opens_no_connection() {
    let mut reactor = Reactor::new(None, Limits::default()).unwrap();
    let conn = ConnId::initiated(1);
    let peer = "127.0.0.1:1".parse().unwrap();
    reactor.act(StreamOutput::Connect { conn, peer });
    let mut inputs = Vec::new();
    reactor.wait(None, &mut inputs).unwrap();
    assert_eq!(inputs, [StreamInput::Closed { conn }]);
}
