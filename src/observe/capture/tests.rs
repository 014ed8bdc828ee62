use core::net::SocketAddr;
use std::fs;

use std::path::Path;
use std::process::Command;

use heiiki_types::{WallTime, from_hex};

use super::*;
use crate::observe::mask::tests::answer;

fn at(micros: u64) -> WallTime {
    WallTime::from_unix_micros(1_780_000_000_000_000 + micros)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The messages of a file of samples.
fn samples(file: &str, protocol: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/vectors")
        .join(file);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let own = |s: &&serde_json::Value| protocol.is_empty() || s["protocol"] == protocol;
    let samples = json["samples"].as_array().unwrap().iter().filter(own);
    samples
        .map(|s| from_hex(s["hex"].as_str().unwrap()).unwrap())
        .collect()
}

/// NAS messages of both directions, by TS 24.301 §8.2, with the direction of each.
const NAS: [&str; 9] = [
    "075501",                   // identity request: IMSI
    "0756080910100000000010",   // identity response
    "074408",                   // attach reject #8
    "0743000352 00c2",          // attach complete with an accept inside
    "074571080910100000000010", // detach request of a UE
    "07450253 08",              // detach request to a UE, not required, #8
    "0746",                     // detach accept
    "27aabbccdd05 0746",        // the same, protected, readable without ciphering
    "0760 61",                  // status
];

fn capture(keys: Keys) -> Vec<u8> {
    let mut out = Vec::new();
    let mut capture = Capture::new(&mut out, keys).unwrap();
    let (mme, hss) = (address("127.0.0.2:40000"), address("127.0.0.1:3868"));
    let mut clock = 0;
    for message in samples("diameter_crafted.json", "")
        .iter()
        .chain([&answer()])
    {
        clock += 10;
        // Two pieces, so that the reader has to put the message together.
        let (a, b) = message.split_at(message.len() / 3);
        capture.diameter(at(clock), hss, mme, a).unwrap();
        capture.diameter(at(clock + 1), hss, mme, b).unwrap();
        capture.diameter(at(clock + 2), mme, hss, message).unwrap();
    }
    for message in samples("gtp_messages.json", "gtpv2") {
        clock += 10;
        let (sgw, pgw) = (address("127.0.0.2:2123"), address("127.0.0.3:2123"));
        capture
            .udp(IpLink::S5c, at(clock), sgw, pgw, &message)
            .unwrap();
    }
    let (sgw, pgw) = (address("127.0.0.2:2152"), address("127.0.0.3:2152"));
    for message in samples("gtp_messages.json", "gtpu")
        .into_iter()
        .chain([page_in_gtp(40_001)])
    {
        clock += 10;
        capture
            .udp(IpLink::S5u, at(clock), sgw, pgw, &message)
            .unwrap();
    }
    let enb = address("[fd00::1]:2152");
    capture
        .udp(IpLink::S1u, at(clock), enb, sgw, &page_in_gtp(40_001))
        .unwrap();
    for hex in NAS {
        clock += 10;
        let octets = from_hex(&hex.replace(' ', "")).unwrap();
        capture.nas(at(clock), "red-1", &octets, false).unwrap();
        if octets.first() == Some(&7) {
            capture.nas_plain(at(clock), "red-1", &octets).unwrap();
        }
    }
    for (tenant, port) in [("red", 40_001), ("blue", 40_004), ("red", 40_005)] {
        clock += 10;
        capture.sgi(tenant, at(clock), &request(port)).unwrap();
    }
    capture.flush().unwrap();
    out
}

/// A request in a packet.
fn request(port: u16) -> Vec<u8> {
    let page = b"GET / HTTP/1.1\r\nHost: intranet\r\n\r\n";
    let ue = SocketAddr::from(([10, 20, 0, 11], port));
    ip::tcp(ue, address("10.20.255.10:80"), 1, 1, page).unwrap()
}

fn page_in_gtp(port: u16) -> Vec<u8> {
    let request = request(port);
    let length = u16::try_from(request.len()).unwrap().to_be_bytes();
    [&[0x30, 0xff], &length[..], &[0, 0, 0, 1], &request].concat()
}

/// Reads a section back: the names of interfaces, and packets with their interface.
fn read(mut file: &[u8]) -> (Vec<String>, Vec<(u32, Vec<u8>)>) {
    let word =
        |octets: &[u8], at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    let (mut names, mut packets) = (Vec::new(), Vec::new());
    while !file.is_empty() {
        let length = usize::try_from(word(file, 4)).unwrap();
        let (block, rest) = file.split_at(length);
        assert_eq!(word(block, length - 4), word(block, 4));
        match word(block, 0) {
            1 => {
                let name = usize::from(u16::from_le_bytes([block[18], block[19]]));
                names.push(String::from_utf8(block[20..20 + name].to_vec()).unwrap());
            }
            6 => {
                let captured = usize::try_from(word(block, 20)).unwrap();
                packets.push((word(block, 8), block[28..28 + captured].to_vec()));
            }
            _ => {}
        }
        file = rest;
    }
    (names, packets)
}

#[test]
fn every_link_is_an_interface() {
    let (names, packets) = read(&capture(Keys::Masked));
    let want = [
        "S1 NAS",
        "S1 NAS plain",
        "S1-U",
        "S6a",
        "S5-C",
        "S5-U",
        "SGi red",
        "SGi blue",
    ];
    assert_eq!(names, want);
    for (id, name) in want.iter().enumerate() {
        let count = packets
            .iter()
            .filter(|(i, _)| usize::try_from(*i) == Ok(id))
            .count();
        assert!(count > 0, "{name}");
    }
}

#[test]
fn keys_are_in_the_file_only_when_asked_for() {
    let secret = |octets: &[u8]| octets.windows(9).any(|w| w == [0xd2; 9] || w == [0xd4; 9]);
    assert!(!secret(&capture(Keys::Masked)));
    assert!(secret(&capture(Keys::Shown)));
}

#[test]
fn sequence_numbers_fit() {
    let (mut out, a, b) = (
        Vec::new(),
        address("127.0.0.2:40000"),
        address("127.0.0.1:3868"),
    );
    let mut capture = Capture::new(&mut out, Keys::Shown).unwrap();
    capture.diameter(at(0), a, b, &[1; 100]).unwrap();
    capture.diameter(at(1), b, a, &[2; 50]).unwrap();
    capture.diameter(at(2), a, b, &vec![3; 40_000]).unwrap();
    capture.diameter_closed(a, b);
    capture.diameter(at(3), a, b, &[4; 10]).unwrap();
    let (_, packets) = read(&out);
    let numbers = |p: &[u8]| {
        let word = |at: usize| u32::from_be_bytes(p[at..at + 4].try_into().unwrap());
        (word(24), word(28))
    };
    let got: Vec<(u32, u32)> = packets.iter().map(|(_, p)| numbers(p)).collect();
    assert_eq!(got, [(1, 1), (1, 101), (101, 51), (32_869, 51), (1, 1)]);
}

#[test]
fn the_same_run_gives_the_same_file() {
    assert_eq!(capture(Keys::Masked), capture(Keys::Masked));
}

/// What tshark prints for a capture.
fn tshark(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(arguments)
        .output();
    let output = output.expect("tshark runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs tshark"]
fn an_independent_reader_finds_nothing_malformed() {
    let file = std::env::temp_dir().join(format!("heiiki-capture-{}.pcapng", std::process::id()));
    fs::write(&file, capture(Keys::Masked)).unwrap();
    assert_eq!(
        tshark(
            &file,
            &["-Y", "_ws.malformed || _ws.expert.severity >= 8388608"]
        ),
        ""
    );
    let protocols = tshark(&file, &["-T", "fields", "-e", "frame.protocols"]);
    for stack in [
        "raw:ip:tcp:diameter",
        "raw:ip:udp:gtp:gtpv2",
        "raw:ip:udp:gtp:ip:tcp:http",
        "exported_pdu:nas-eps",
        // Cut after the ports, so that the stream is put together from S5-U alone.
        "raw:ipv6:udp:gtp:ip:tcp",
        "raw:ip:tcp",
    ] {
        assert!(
            protocols.lines().any(|l| l == stack),
            "{stack} in\n{protocols}"
        );
    }
    let nas = tshark(
        &file,
        &[
            "-Y",
            "nas-eps && frame.comment == \"red-1\"",
            "-T",
            "fields",
            "-e",
            "nas_eps.nas_msg_emm_type",
        ],
    );
    let mut kinds: Vec<&str> = nas.lines().collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        ["0x55", "0x56", "0x44", "0x43", "0x45", "0x46", "0x60"]
    );
    // Each message of the connection once for each direction, put together again.
    let messages = samples("diameter_crafted.json", "").len() + 1;
    let commands = tshark(
        &file,
        &["-Y", "diameter", "-T", "fields", "-e", "diameter.cmd.code"],
    );
    assert_eq!(
        commands
            .split_whitespace()
            .flat_map(|l| l.split(','))
            .count(),
        2 * messages
    );
    let kasme = tshark(
        &file,
        &[
            "-Y",
            "diameter.KASME",
            "-T",
            "fields",
            "-e",
            "diameter.KASME",
        ],
    );
    assert_eq!(kasme.lines().collect::<Vec<_>>(), [&*"0".repeat(64); 2]);
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_ciphered_message_that_looks_plain_stands_as_data() {
    // What TShark 4.0 takes for plain behind a ciphered header, and what it does not.
    for (first, name) in [
        (0x07, "data"),
        (0xe2, "data"),
        (0x52, "data"),
        (0x32, "nas-eps"),
        (0x90, "nas-eps"),
    ] {
        let mut out = Vec::new();
        let mut capture = Capture::new(&mut out, Keys::Masked).unwrap();
        let pdu = [0x27, 1, 2, 3, 4, 5, first, 0];
        capture.nas(at(0), "", &pdu, true).unwrap();
        drop(capture);
        let packet = &out[out.len() - 64..];
        let is_data = packet.windows(4).any(|w| w == b"data");
        assert_eq!(is_data, name == "data", "{first:02x}");
    }
}
