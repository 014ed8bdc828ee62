//! Hostile peers over real sockets: whatever one of them does, the next good request on another
//! connection is answered, and nothing grows.
#![cfg(feature = "cli")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

#[allow(dead_code, reason = "other tests take more of it")]
mod command;
mod served;

use core::net::SocketAddr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use command::{Folder, run};
use heiiki_diameter::{AnswerResult, Message, ResultCode};
use served::{PATIENCE, REALM, Served, air, cer, host, read_message};

const IMSI: &str = "001010000000001";

const FILES: [&str; 2] = [
    r#"[[subscriber]]
imsi = "001010000000001"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
tenant = "red"
apn = "red.corp"
"#,
    r#"origin_host = "hss.epc.mnc001.mcc001.3gppnetwork.org"
origin_realm = "epc.mnc001.mcc001.3gppnetwork.org"
subscribers = "subscribers.toml"
[s6a]
listen = "127.0.0.1:0"
handshake_timeout = "1s"
[admin]
listen = "127.0.0.1:0"
[[mme]]
origin_host = "mme*.epc.mnc001.mcc001.3gppnetwork.org"
visited_plmns = ["00101"]
[[mme]]
origin_host = "eager.epc.mnc001.mcc001.3gppnetwork.org"
visited_plmns = ["00101"]
rate = 1
burst = 5
"#,
];

struct Bed {
    folder: Folder,
    hss: Served,
    to: SocketAddr,
    /// The good peer, on a connection of its own all the time.
    good: Peer,
}

/// A connection that has said hello.
struct Peer {
    stream: TcpStream,
    name: String,
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl Peer {
    fn join(to: SocketAddr, name: &str) -> Self {
        let (mut stream, name) = (connect(to), host(name));
        stream.write_all(&cer(&name, REALM).encode()).unwrap();
        let answer = read_message(&mut stream).expect("an answer to the CER");
        assert_eq!(answer.result(), Some(AnswerResult::SUCCESS));
        Self { stream, name }
    }

    fn send(&mut self, octets: &[u8]) {
        // The HSS may have had enough of it.
        let _ = self.stream.write_all(octets);
    }

    fn result_of(&mut self, message: &Message) -> Option<AnswerResult> {
        self.send(&message.encode());
        read_message(&mut self.stream)?.result()
    }

    /// Whether the other end has closed, after what it still says.
    fn is_closed(&mut self) -> bool {
        while read_message(&mut self.stream).is_some() {}
        self.stream.read(&mut [0; 1]).is_ok_and(|n| n == 0)
            || self.stream.write_all(&[0; 4]).is_err()
    }
}

impl Bed {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        folder.write("subscribers.toml", FILES[0]);
        let hss = Served::start(&folder, "hss", FILES[1]);
        let to = hss.address("s6a");
        let good = Peer::join(to, "mme");
        Self {
            folder,
            hss,
            to,
            good,
        }
    }

    #[track_caller]
    fn is_well(&mut self) {
        let request = air(&self.good.name, IMSI);
        let result = self.good.result_of(&request);
        assert_eq!(result, Some(AnswerResult::SUCCESS), "{}", self.hss.log());
    }

    /// Ends the HSS: its audit log must hold, and have these events.
    #[track_caller]
    fn end(self, events: &[&str]) {
        self.hss.end();
        let config = self.folder.path("hss.toml").to_str().unwrap().to_owned();
        run("hss", &["audit", "verify", "--config", &config]).exits(0);
        let shown = run("hss", &["audit", "show", "--config", &config])
            .exits(0)
            .out;
        for event in events {
            assert!(shown.contains(event), "{event} in\n{shown}");
        }
    }
}

/// An AVP by hand: code, flags, the length that it claims, its octets.
fn avp(code: u32, flags: u8, length: u32, data: &[u8]) -> Vec<u8> {
    let mut octets = code.to_be_bytes().to_vec();
    octets.push(flags);
    octets.extend_from_slice(&length.to_be_bytes()[1..]);
    octets.extend_from_slice(data);
    octets
}

/// The request with more octets behind its AVPs.
fn with(request: &Message, more: &[u8]) -> Vec<u8> {
    let mut octets = request.encode();
    octets.extend_from_slice(more);
    let length = u32::try_from(octets.len()).unwrap().to_be_bytes();
    octets[1..4].copy_from_slice(&length[1..]);
    octets
}

/// Goal: a request that is wrong in itself gets the result of RFC 6733 §7, on a connection that
/// goes on.
#[test]
fn wrong_requests_are_answered_and_forgotten() {
    let mut bed = Bed::new("hostile-requests");
    let mut bad = Peer::join(bed.to, "mme-bad");
    let request = air(&bad.name, IMSI);
    let code = |c: ResultCode| Some(AnswerResult::from(c));
    let mut without_user = request.clone();
    without_user.avps.retain(|a| a.code != 1);
    let mut elsewhere = request.clone();
    elsewhere.application = heiiki_diameter::ApplicationId(16_777_251 + 1_000);
    for (what, octets, wanted) in [
        (
            "an unknown mandatory AVP",
            with(&request, &avp(99_999, 0x40, 12, &[1, 2, 3, 4])),
            code(ResultCode::AVP_UNSUPPORTED),
        ),
        (
            "a missing AVP",
            without_user.encode(),
            code(ResultCode::MISSING_AVP),
        ),
        (
            "an AVP that is longer than the message",
            with(&request, &avp(99_998, 0, 4_000, &[0; 8])),
            code(ResultCode::INVALID_AVP_LENGTH),
        ),
        (
            "an AVP that is shorter than its header",
            with(&request, &avp(99_998, 0, 3, &[])),
            code(ResultCode::INVALID_AVP_LENGTH),
        ),
        (
            "an application that nobody has",
            elsewhere.encode(),
            code(ResultCode::APPLICATION_UNSUPPORTED),
        ),
        (
            "the request itself",
            request.encode(),
            code(ResultCode::SUCCESS),
        ),
    ] {
        bad.send(&octets);
        let answer = read_message(&mut bad.stream).expect(what);
        assert_eq!(answer.result(), wanted, "{what}");
        bed.is_well();
    }
    let mut forged = request.clone();
    forged.avps.retain(|a| a.code != 264);
    let foreign = air(&host("hss-2"), IMSI);
    assert_eq!(
        bad.result_of(&foreign),
        code(ResultCode::AUTHORIZATION_REJECTED),
        "another one's name"
    );
    bed.is_well();
    bed.end(&[
        "request_refused",
        "the origin is not on the connection's carry list",
    ]);
}

/// Goal: octets that are no Diameter end their connection and no other.
#[test]
fn garbage_ends_its_own_connection() {
    let mut bed = Bed::new("hostile-garbage");
    let mut seed = 0x9e37_79b9_u32;
    let mut noise = |n: usize| -> Vec<u8> {
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed.to_le_bytes()[0]
        };
        (0..n).map(|_| next()).collect()
    };
    let request = air(&host("mme-bad"), IMSI).encode();
    let mut oversized = request.clone();
    oversized[1..4].copy_from_slice(&[0xff, 0xff, 0xfc]);
    let mut short = request.clone();
    short[1..4].copy_from_slice(&[0, 0, 8]);
    let mut samples = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        oversized,
        short,
        vec![0; 100],
        vec![0xff; 10_000],
    ];
    samples.extend((1..20).map(|n| noise(n * 37)));
    let before = (bed.hss.status("VmRSS"), bed.hss.open_files());
    for octets in samples {
        // Before the capabilities exchange, and after it.
        let mut stream = connect(bed.to);
        let _ = stream.write_all(&octets);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        bed.is_well();
        let mut bad = Peer::join(bed.to, "mme-bad");
        bad.send(&octets);
        let _ = bad.stream.shutdown(std::net::Shutdown::Write);
        assert!(bad.is_closed());
        bed.is_well();
    }
    let after = (bed.hss.status("VmRSS"), bed.hss.open_files());
    assert!(after.0 < before.0 + 16 * 1024, "{before:?} {after:?} KiB");
    assert!(after.1 <= before.1 + 4, "{before:?} {after:?} files");
    bed.end(&["peer_refused", "not Diameter"]);
}

/// Goal: who connects and says nothing, or says it slowly, is sent away, and holds up nobody.
#[test]
fn half_open_and_slow_connections_are_closed() {
    let mut bed = Bed::new("hostile-slow");
    let mut silent: Vec<TcpStream> = (0..10).map(|_| connect(bed.to)).collect();
    let mut slow = connect(bed.to);
    let hello = cer(&host("mme-slow"), REALM).encode();
    slow.write_all(&hello[..10]).unwrap();
    bed.is_well();
    // One octet now and then does not keep it.
    let mut sent = 10;
    while sent < hello.len() && slow.write_all(&hello[sent..=sent]).is_ok() {
        bed.is_well();
        sent += 1;
        let mut octet = [0];
        slow.set_read_timeout(Some(core::time::Duration::from_millis(100)))
            .unwrap();
        if matches!(slow.read(&mut octet), Ok(0)) {
            break;
        }
    }
    assert!(sent < hello.len(), "the handshake took as long as it liked");
    for stream in &mut silent {
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "closed");
    }
    // There is room again.
    drop(Peer::join(bed.to, "mme-2"));
    bed.is_well();
    bed.end(&["no capabilities exchange in time"]);
}

/// Goal: a thousand connections at once take their share and no more.
#[test]
fn a_thousand_connections_leave_room_for_others() {
    let mut bed = Bed::new("hostile-thousand");
    let before = bed.hss.status("VmRSS");
    let crowd: Vec<TcpStream> = (0..1_000)
        .map_while(|_| TcpStream::connect(bed.to).ok())
        .collect();
    assert!(crowd.len() > 500, "{} connections", crowd.len());
    bed.is_well();
    // Another address is not kept out: loopback has many.
    drop(crowd);
    loop {
        let mut stream = connect(bed.to);
        let _ = stream.write_all(&cer(&host("mme-late"), REALM).encode());
        if read_message(&mut stream).is_some() {
            break;
        }
        bed.is_well();
    }
    let after = bed.hss.status("VmRSS");
    assert!(after < before + 32 * 1024, "{before} {after} KiB");
    assert!(bed.hss.open_files() < 100);
    bed.end(&["from this address", "not_recorded"]);
}

/// Goal: a peer beyond its rate is told so, and no other one waits for it.
#[test]
fn an_eager_peer_is_told_that_we_are_too_busy() {
    let mut bed = Bed::new("hostile-eager");
    let mut eager = Peer::join(bed.to, "eager");
    let request = air(&eager.name, IMSI);
    let mut busy = 0;
    for _ in 0..100 {
        match eager.result_of(&request) {
            Some(AnswerResult::SUCCESS) => {}
            Some(other) => {
                assert_eq!(other, ResultCode::TOO_BUSY.into());
                busy += 1;
            }
            None => panic!("the connection goes on"),
        }
    }
    assert!((50..=95).contains(&busy), "{busy}");
    bed.is_well();
    bed.end(&["requests_throttled"]);
}

/// One HTTP call by hand.
fn http(to: SocketAddr, host: &str, path: &str, token: &str) -> String {
    let mut stream = connect(to);
    let call = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(call.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Goal: calls without the right token are recorded with where they came from, and whatever is done
/// to the log afterwards is found.
/// Method: change, remove, move, cut; each time the command says the line, and the whole log holds
/// before and after.
#[test]
fn a_changed_audit_log_is_found() {
    let bed = Bed::new("hostile-audit");
    let admin = bed.hss.address("admin");
    let name = admin.to_string();
    let token = std::fs::read_to_string(bed.folder.path("hss-token")).unwrap();
    for token in ["wrong", "", "not this one either"] {
        let answer = http(admin, &name, "/v1/subscribers", token);
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    let answer = http(admin, "attacker.example", "/v1/subscribers", token.trim());
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    let answer = http(admin, &name, "/v1/audit/head", token.trim());
    assert!(answer.contains("\"head\":\""), "{answer}");
    let early = bed.hss.word("audit_head").to_owned();
    let path = bed.folder.path("hss-data/audit.ndjson");
    let config = bed.folder.path("hss.toml").to_str().unwrap().to_owned();
    bed.hss.end();

    let whole = std::fs::read_to_string(&path).unwrap();
    assert_eq!(whole.matches("\"call_refused\"").count(), 3, "{whole}");
    assert!(whole.contains("\"from\":\"127.0.0.1:"), "{whole}");
    assert!(
        !whole.contains(token.trim()) && !whole.contains("not this one"),
        "{whole}"
    );
    let verify = |lines: &[&str], head: &str| {
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let args = ["audit", "verify", "--config", &config, "--head", head];
        run("hss", &args)
    };
    let lines: Vec<&str> = whole.lines().collect();
    let last = lines.len();
    verify(&lines, &early).exits(0);
    let call = |l: &&str| l.contains("\"call_refused\"");
    let at = lines.iter().position(call).unwrap();
    let edited = lines[at].replace("\"status\":401", "\"status\":200");
    let mut changed = lines.clone();
    changed[at] = &edited;
    let place = format!("audit.ndjson:{}:", at + 1);
    verify(&changed, &early)
        .exits(1)
        .says(&[&place, "the line was changed"]);
    let mut removed = lines.clone();
    removed.remove(3);
    verify(&removed, &early)
        .exits(1)
        .says(&["audit.ndjson:4:", "a record was removed"]);
    let mut moved = lines.clone();
    moved.swap(3, 4);
    verify(&moved, &early).exits(1).says(&["audit.ndjson:4:"]);
    verify(&lines[..last - 1], &early)
        .exits(1)
        .says(&["the last 1 are cut off"]);
    // The one head that this machine keeps is gone too: the copy elsewhere still tells.
    std::fs::remove_file(bed.folder.path("hss-data/audit.head")).unwrap();
    verify(&lines[..last - 1], &early).exits(0);
    verify(&lines[..1], &early).exits(1).says(&["cut off"]);
    let half = &lines[last - 1][..50];
    let mut torn = lines.clone();
    torn[last - 1] = half;
    verify(&torn, &early)
        .exits(1)
        .says(&["the line breaks off"]);
    verify(&lines, &early).exits(0);
}
