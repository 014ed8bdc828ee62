//! A store that cannot be used as it is: another master key, a file that something changed, a disk
//! without room. What the HSS says, and what it leaves alone.
#![cfg(feature = "cli")]
#![expect(
    clippy::disallowed_types,
    reason = "a process is given time, and nothing is measured"
)]
#![allow(
    clippy::disallowed_methods,
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

use core::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use command::{Done, Folder, binary, run};
use heiiki_diameter::s6a::AUTHENTICATION_DATA_UNAVAILABLE;
use heiiki_diameter::{AnswerResult, Message};
use served::{PATIENCE, REALM, Served, air, cer, host, read_message};

const IMSI: &str = "001010000000001";

const SUBSCRIBERS: &str = r#"[[subscriber]]
imsi = "001010000000001"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
tenant = "red"
apn = "red.corp"

[[subscriber]]
imsi = "001010000000002"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
tenant = "red"
apn = "red.corp"
"#;

const CONFIG: &str = r#"origin_host = "hss.epc.mnc001.mcc001.3gppnetwork.org"
origin_realm = "epc.mnc001.mcc001.3gppnetwork.org"
subscribers = "subscribers.toml"
[s6a]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[[mme]]
origin_host = "mme*.epc.mnc001.mcc001.3gppnetwork.org"
visited_plmns = ["00101"]
"#;

/// A folder with a store that was in use.
fn used(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("subscribers.toml", SUBSCRIBERS);
    let hss = Served::start(&folder, "hss", CONFIG);
    let mut mme = Mme::connect(&hss);
    assert_eq!(mme.air(), Some(AnswerResult::SUCCESS));
    hss.end();
    folder
}

fn store(folder: &Folder) -> PathBuf {
    folder.path("hss-data/hss.redb")
}

/// A start that must come to its end by itself.
fn start(folder: &Folder) -> Done {
    let config = folder.path("hss.toml");
    run("hss", &["serve", "--config", config.to_str().unwrap()])
}

/// The store is good: nothing that was tried with it changed it.
#[track_caller]
fn serves(folder: &Folder) {
    let hss = Served::start(folder, "hss", CONFIG);
    assert_eq!(Mme::connect(&hss).air(), Some(AnswerResult::SUCCESS));
    hss.end();
}

struct Mme(TcpStream);

impl Mme {
    fn connect(hss: &Served) -> Self {
        let mut stream = TcpStream::connect(hss.address("s6a")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .write_all(&cer(&host("mme"), REALM).encode())
            .unwrap();
        let answer = read_message(&mut stream).expect("an answer to the CER");
        assert_eq!(answer.result(), Some(AnswerResult::SUCCESS));
        Self(stream)
    }

    fn ask(&mut self, request: &Message) -> Option<AnswerResult> {
        self.0.write_all(&request.encode()).unwrap();
        read_message(&mut self.0)?.result()
    }

    fn air(&mut self) -> Option<AnswerResult> {
        self.ask(&air(&host("mme"), IMSI))
    }
}

/// Goal: a start with another master key says which one is needed and where it goes, with exit code
/// 1, and writes nothing into the store: not even an epoch is used up.
#[test]
fn a_start_with_another_master_key_is_refused() {
    let folder = used("wrong-key");
    let key = folder.path("hss-store-key");
    let right = std::fs::read_to_string(&key).unwrap();
    let epoch = || {
        let text = std::fs::read_to_string(folder.path("hss-data/hss.epoch")).unwrap();
        text.trim().parse::<u64>().unwrap()
    };
    let last = epoch();
    std::fs::write(&key, format!("{}\n", "5a".repeat(32))).unwrap();
    let done = start(&folder).exits(1).says(&[
        "the HSS cannot use its store",
        "its secrets are sealed with the master key",
        "`store_key_file`",
        "`previous_store_key_files`",
    ]);
    assert!(!done.err.contains("5a5a5a") && !done.out.contains("ready"));
    let before = std::fs::read(store(&folder)).unwrap();
    // No key at all, and half of one: told by the place where it belongs.
    std::fs::remove_file(&key).unwrap();
    start(&folder)
        .exits(64)
        .says(&["store_key_file", "does not exist, but the store does"]);
    assert!(!key.exists(), "a new key would open nothing");
    std::fs::write(&key, &right[..20]).unwrap();
    Command::new("chmod").arg("600").arg(&key).status().unwrap();
    start(&folder)
        .exits(64)
        .says(&["does not hold a master key"]);
    assert_eq!(std::fs::read(store(&folder)).unwrap(), before, "touched");
    std::fs::write(&key, &right).unwrap();
    serves(&folder);
    assert_eq!(epoch(), last + 1, "the refused starts raised nothing");
}

/// Goal: a store that something else changed is refused with what to do, and neither made anew nor
/// written to.
#[test]
fn a_damaged_store_is_refused_and_left_as_it_is() {
    let folder = used("damaged");
    let path = store(&folder);
    let good = std::fs::read(&path).unwrap();
    let mut zeros = good.clone();
    zeros[4_096..].fill(0);
    let mut torn = good.clone();
    torn.truncate(good.len() / 2);
    let journal = b"heiikij1".to_vec();
    let restore = "start with --restored";
    for (what, octets, says) in [
        ("empty", Vec::new(), restore),
        ("cut short", torn, restore),
        ("zeros", zeros, restore),
        (
            "something else",
            b"SQLite format 3\0".repeat(1_000),
            "is `store` the right folder",
        ),
        (
            "the journal of an older version",
            journal.repeat(1_000),
            "import the SIMs anew from the files that their keys came in",
        ),
    ] {
        std::fs::write(&path, &octets).unwrap();
        let done = start(&folder);
        assert!(
            done.code.is_some_and(|c| c != 0) && !done.out.contains("ready"),
            "{what}: {:?} {}",
            done.code,
            done.err
        );
        assert!(done.err.contains(says), "{what}: {}", done.err);
        assert_eq!(std::fs::read(&path).unwrap(), octets, "{what}: changed");
    }
    // The positive control.
    std::fs::write(&path, &good).unwrap();
    serves(&folder);
}

/// One HTTP call by hand: the status and the body.
fn call(hss: &Served, folder: &Folder, method: &str, path: &str, body: &str) -> (u16, String) {
    let to = hss.address("admin");
    let token = std::fs::read_to_string(folder.path("hss-token")).unwrap();
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        token.trim(),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// Waits until the status of the HSS says this of its store.
#[track_caller]
fn store_is(hss: &Served, folder: &Folder, state: &str) {
    let begun = Instant::now();
    let wanted = format!("\"store\":\"{state}\"");
    loop {
        let (status, body) = call(hss, folder, "GET", "/v1/status", "");
        assert_eq!(status, 200, "{body}");
        if body.contains(&wanted) {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{wanted} in {body}\n{}",
            hss.log()
        );
        std::thread::sleep(core::time::Duration::from_millis(50));
    }
}

/// An HSS in a mount namespace of its own, where its store lies on a file system of 16 MiB.
fn start_on_a_small_disk(folder: &Folder) -> Served {
    let data = folder.path("hss-data");
    std::fs::create_dir_all(&data).unwrap();
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=16m,mode=700 tmpfs \"$0\" && exec \"$@\"";
    command
        .args(["-m", "--propagation", "private", "sh", "-c", script])
        .arg(&data)
        .arg(binary("hss"))
        .env("RUST_LOG", "info");
    Served::start_by(command, folder, "hss", CONFIG)
}

/// Takes all the room that is left.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    for size in [64 << 10, 4_096] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

/// An import of many, to its end.
fn import(hss: &Served, folder: &Folder) -> Done {
    let mut text = "imsi,k,opc,tenant,apn\n".to_owned();
    for n in 0..20_000 {
        let k = format!("{n:032x}");
        writeln!(text, "00101{:010},{k},{k},red,red.corp", n + 100).unwrap();
    }
    let file = folder.write("many.csv", &text);
    let url = format!("http://{}", hss.address("admin"));
    let token = folder.path("hss-token").to_str().unwrap().to_owned();
    let import = ["subscriber", "import", &file];
    let server = ["--url", &url, "--token-file", &token];
    run("hss", &[&import[..], &server].concat())
}

/// Goal: on a full disk the HSS answers what it has in reserve and no more, takes what has to be
/// written back with 503, cuts all the same, says so, and goes on by itself when there is room.
/// Method: a file system of 16 MiB in a mount namespace, filled by another file, then made room on.
#[test]
#[ignore = "needs root, to mount a small file system"]
fn a_full_disk_ends_leases_and_not_the_service() {
    let folder = Folder::new("full-disk");
    folder.write("subscribers.toml", SUBSCRIBERS);
    let hss = start_on_a_small_disk(&folder);
    let ballast = hss.seen(&folder.path("hss-data/ballast"));
    assert!(!folder.path("hss-data/hss.redb").exists(), "not mounted");
    let mut mme = Mme::connect(&hss);
    assert_eq!(mme.air(), Some(AnswerResult::SUCCESS));
    store_is(&hss, &folder, "ready");

    fill(&ballast);
    import(&hss, &folder).exits(1).says(&["disk", "full"]);
    store_is(&hss, &folder, "away");
    // Vectors from the reserve of the SIM, and then none; the connection goes on.
    let mut served = 0;
    let last = loop {
        match mme.air() {
            Some(AnswerResult::SUCCESS) => served += 1,
            other => break other,
        }
        assert!(served < 512, "leased without a disk");
    };
    assert_eq!(last, Some(AUTHENTICATION_DATA_UNAVAILABLE));
    assert!(served >= 100, "{served} of the reserve");
    let subscriber = format!("/v1/subscribers/{IMSI}");
    let order = |verb: &str| {
        let path = format!("/v1/subscribers/001010000000002/{verb}");
        call(
            &hss,
            &folder,
            "POST",
            &path,
            "{\"reason\":\"lost\",\"actor\":\"test\"}",
        )
    };
    assert_eq!(call(&hss, &folder, "GET", &subscriber, "").0, 200);
    let change = "{\"group\":\"x\"}";
    let (status, body) = call(&hss, &folder, "PATCH", &subscriber, change);
    assert_eq!(status, 503, "{body}");
    assert!(
        body.contains("store_full") && body.contains("make room"),
        "{body}"
    );
    let (status, body) = order("suspend");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("not_durable"), "{body}");
    let second = air(&host("mme"), "001010000000002");
    assert_eq!(order("resume").0, 503);
    let log = hss.log();
    for part in ["the disk is full: make room", "store_unavailable"] {
        assert!(log.contains(part), "{part} in\n{log}");
    }

    std::fs::remove_file(&ballast).unwrap();
    store_is(&hss, &folder, "ready");
    import(&hss, &folder).exits(0);
    let begun = Instant::now();
    while mme.air() != Some(AnswerResult::SUCCESS) {
        assert!(begun.elapsed() < PATIENCE, "{}", hss.log());
    }
    let (_, shown) = call(&hss, &folder, "GET", "/v1/subscribers/001010000000002", "");
    assert!(shown.contains("\"state\":\"suspended\""), "{shown}");
    assert_eq!(mme.ask(&second), Some(AnswerResult::SUCCESS));
    assert_eq!(order("resume").0, 200);
    assert_eq!(call(&hss, &folder, "PATCH", &subscriber, change).0, 200);
    let log = hss.log();
    for part in ["the disk has room again", "store_available"] {
        assert!(log.contains(part), "{part} in\n{log}");
    }
    hss.end();
}
