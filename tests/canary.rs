//! A key of a SIM is searched for in everything that whole runs leave behind: a scenario in both
//! clocks, and three processes. It may be in the files that it came in, and nowhere else but sealed.
#![cfg(feature = "cli")]
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod command;
mod search;
mod served;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use command::{Folder, binary, run};
use search::{Search, base64};
use served::{PATIENCE, Served};

/// Keys that occur nowhere else.
const K: &str = "c0ffee15deadbeef0badcafe5ca1ab1e";
const OPC: &str = "0ddba11bedabb1edfaceb00cba5eba11";

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_search_finds_a_key_in_every_form() {
    assert_eq!(base64(b"light work."), "bGlnaHQgd29yay4");
    let octets: Vec<u8> = (0..16)
        .map(|n| u8::from_str_radix(&K[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    let mut things = vec![("none".to_owned(), b"nothing at all".to_vec())];
    for shift in 0..5 {
        let mut long = vec![b'x'; shift];
        long.extend(&octets);
        long.extend(b"tail");
        things.push((format!("octets{shift}"), long.clone()));
        things.push((format!("base64 {shift}"), base64(&long).into_bytes()));
    }
    things.push(("upper".to_owned(), K.to_uppercase().into_bytes()));
    things.push(("lower".to_owned(), K.as_bytes().to_vec()));
    let found = search::holders(things.iter().map(|(n, o)| (n.clone(), o.as_slice())), &[K]);
    assert_eq!(found.len(), things.len() - 1, "{found:?}");
    assert!(!found.contains("none"));
}

const SIM: &str = "001010000000001";

/// Plants the key in every form: a search that does not find these proves nothing.
fn plant(folder: &Path) {
    let raw = [b"before".to_vec(), octets(K), b"after".to_vec()].concat();
    for (name, text) in [
        ("planted-raw", raw.clone()),
        ("planted-lower", format!("k={K};").into_bytes()),
        ("planted-upper", K.to_uppercase().into_bytes()),
        ("planted-base64", base64(&raw).into_bytes()),
        ("planted-opc", octets(OPC)),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// What was found is what was planted, all of it and nothing else.
#[track_caller]
fn only_planted(found: BTreeSet<String>, more: usize) {
    let (planted, leaked): (BTreeSet<_>, BTreeSet<_>) =
        found.into_iter().partition(|n| n.starts_with("planted"));
    assert_eq!(leaked, BTreeSet::new(), "a key has leaked");
    assert_eq!(planted.len(), 5 + more, "{planted:?}");
}

/// The scenario of the lost SIM, whose card has the keys that are searched for.
fn scenario() -> String {
    let text = include_str!("../fixtures/scenarios/lost-sim.toml");
    let group = "name = \"red\"\ncount = 5\nimsi = \"001010000000001\"\napn = \"red.corp\"\n\
                 static_ip = \"10.20.0.11\"\n";
    assert!(text.contains(group));
    let own = format!(
        "name = \"lost\"\nimsi = \"001010000000001\"\nk = \"{K}\"\nopc = \"{OPC}\"\n\
         apn = \"red.corp\"\nstatic_ip = \"10.20.0.11\"\n\n[[sim]]\nname = \"red\"\ncount = 4\n\
         imsi = \"001010000000002\"\napn = \"red.corp\"\nstatic_ip = \"10.20.0.12\"\n"
    );
    text.replace(group, &own)
        .replace("\"red-1\"", "\"lost\"")
        .replace(
            "ue = [\"red\", \"blue\"]",
            "ue = [\"lost\", \"red\", \"blue\"]",
        )
}

/// Runs the scenario with a capture, and searches its evidence, its outputs and the folder of its
/// stores, the last one again and again while it runs.
fn run_and_search(clock: &str) {
    let folder = Folder::new(&format!("canary-{clock}"));
    let file = folder.write("planted-lost-sim.toml", &scenario());
    let search = Search::new(&[K, OPC]);
    let scratch = folder.path("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let output = |name: &str| std::fs::File::create(folder.path(name)).unwrap();
    let mut child = Command::new(binary("heiiki"))
        .args(["run", &file, "--clock", clock, "--out"])
        .arg(folder.path("evidence"))
        .arg("--pcap")
        .arg(folder.path("run.pcapng"))
        .env("RUST_LOG", "trace")
        .env("TMPDIR", &scratch)
        .stdout(output("stdout"))
        .stderr(output("stderr"))
        .spawn()
        .unwrap();
    let mut stores = BTreeSet::new();
    let status = loop {
        let status = child.try_wait().unwrap();
        let mut paths = Vec::new();
        search::files(&scratch, &mut paths);
        stores.extend(paths);
        assert_eq!(search.files(&scratch), BTreeSet::new(), "in a store");
        if let Some(status) = status {
            break status;
        }
        std::thread::sleep(Duration::from_millis(300));
    };
    let said = std::fs::read_to_string(folder.path("stdout")).unwrap();
    assert!(status.success(), "{said}");
    plant(&folder.path(""));
    only_planted(search.files(&folder.path("")), 1);
    for name in ["report.json", "report.html", "events.ndjson", "matrix.csv"] {
        assert!(folder.path("evidence").join(name).exists(), "{name}");
    }
    // The SIM whose key it is was there, and its store too.
    let events = std::fs::read_to_string(folder.path("evidence/events.ndjson")).unwrap();
    assert!(events.contains("001010000000001"), "the SIM was not used");
    let has_store = stores.iter().any(|p| p.to_str().unwrap().contains("hss"));
    assert_eq!(has_store, clock == "real", "{stores:?}");
}

#[test]
fn a_run_in_virtual_time_leaves_no_key() {
    run_and_search("virtual");
}

#[test]
#[ignore = "needs 40 s of real time"]
fn a_run_in_real_time_leaves_no_key() {
    run_and_search("real");
}

/// The first three octets of loopback addresses that no other test has: GTP has fixed ports.
fn free_addresses() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let n = std::process::id().wrapping_add(step.wrapping_mul(257));
        let block = format!("127.{}.{}", 50 + n % 50, n / 50 % 250);
        let gtp = UdpSocket::bind(format!("{block}.3:2123"));
        if gtp.is_ok() && TcpListener::bind(format!("{block}.1:0")).is_ok() {
            return block;
        }
    }
    panic!("no free loopback addresses");
}

fn pgw_file(block: &str) -> String {
    format!(
        "name = \"pgw-1\"\n[s5c]\nlisten = \"{block}.3:2123\"\nsgws = [\"{block}.2/32\"]\n\
         [s5u]\nlisten = [\"{block}.3:2152\"]\n[admin]\nlisten = \"{block}.1:0\"\n\
         [[tenant]]\nname = \"red\"\nprefix = \"10.20.0.0/16\"\n\
         [[tenant.host]]\nname = \"intranet\"\naddress = \"10.20.255.10\"\n\
         [[apn]]\nname = \"red.corp\"\ntenant = \"red\"\npool = \"10.20.0.0/24\"\n"
    )
}

fn hss_file(block: &str, pgw_admin: &str) -> String {
    format!(
        "origin_host = \"hss.epc.mnc001.mcc001.3gppnetwork.org\"\n\
         origin_realm = \"epc.mnc001.mcc001.3gppnetwork.org\"\n\
         subscribers = \"planted-subscribers.toml\"\n\
         [s6a]\nlisten = \"{block}.1:0\"\n[admin]\nlisten = \"{block}.1:0\"\n\
         [[mme]]\norigin_host = \"mme.epc.mnc001.mcc001.3gppnetwork.org\"\n\
         visited_plmns = [\"00101\"]\n\
         [[gateway]]\nname = \"pgw-1\"\nadmin = \"{pgw_admin}\"\n\
         token_file = \"pgw-operate-token\"\napns = [\"red.corp\"]\n"
    )
}

/// A server with its log at trace level.
fn serve(folder: &Folder, name: &str, config: &str) -> Served {
    let mut command = Command::new(binary(name));
    command.env("RUST_LOG", "trace");
    Served::start_by(command, folder, name, config)
}

/// Every answer to a GET goes into a file of the folder.
fn ask_everything(folder: &Folder, server: &Served, token: &str, paths: &[&str]) {
    let to = server.address("admin");
    let token = std::fs::read_to_string(folder.path(token)).unwrap();
    for (place, path) in paths.iter().enumerate() {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (token, host) = (token.trim(), to);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{path}: {}",
            String::from_utf8_lossy(&answer)
        );
        let name = format!("answer-{}-{place}", to.port());
        std::fs::write(folder.path(&name), answer).unwrap();
    }
}

/// The events of a server, into a file.
fn listen(folder: &Folder, server: &Served, token: &str) -> Child {
    let to = server.address("admin");
    let bearer = std::fs::read_to_string(folder.path(token)).unwrap();
    let file = format!("events-{}.ndjson", to.port());
    Command::new("curl")
        .args(["-sN", "--max-time", "120", "-H"])
        .arg(format!("Authorization: Bearer {}", bearer.trim()))
        .arg(format!("http://{to}/v1/events"))
        .stdout(std::fs::File::create(folder.path(&file)).unwrap())
        .spawn()
        .unwrap()
}

/// What a command said, in files to be searched.
fn keep(folder: &Folder, name: &str, done: &command::Done) {
    folder.write(&format!("{name}.out"), &done.out);
    folder.write(&format!("{name}.err"), &done.err);
}

/// A UE that fetches pages until it is ended.
fn probe(folder: &Folder, config: &str) -> Child {
    let mut probe = Command::new(binary("ue-sim"))
        .args(["probe", "--config", config, "--log", "trace", "--show-imsi"])
        .args(["--every", "20", "http://intranet/"])
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(folder.path("ue-sim.log")).unwrap())
        .spawn()
        .unwrap();
    let lines = BufReader::new(probe.stdout.take().unwrap()).lines();
    let mut said = String::new();
    for line in lines.map_while(Result::ok) {
        said.push_str(&line);
        said.push('\n');
        if line.contains("status=200") {
            break;
        }
    }
    folder.write("ue-sim.out", &said);
    assert!(said.contains("status=200"), "{said}");
    probe
}

/// A SIM's life with orders and every question that there is.
fn use_everything(folder: &Folder, hss: &Served, pgw: &Served, config: &str) {
    let url = format!("http://{}", hss.word("admin"));
    let token = folder.path("hss-token").to_str().unwrap().to_owned();
    let order = |args: &[&str]| {
        let server = ["--url", &url, "--token-file", &token];
        let done = run("hss", &[&["subscriber"], args, &server].concat());
        keep(folder, args[0], &done);
        done
    };
    let mut probe = probe(folder, config);
    order(&["suspend", SIM, "--reason", "lost"]).exits(0);
    let _ = probe.kill();
    let _ = probe.wait();
    let attach = ["attach", "--config", config, "--log", "trace"];
    keep(folder, "refused", &run("ue-sim", &attach).exits(1));
    order(&["resume", SIM, "--reason", "found"]).exits(0);
    keep(folder, "back", &run("ue-sim", &attach).exits(0));
    order(&["show", SIM]).exits(0);
    order(&["list", "--json"]).exits(0);
    for file in ["export.csv", "export.jsonl"] {
        let file = folder.path(file);
        order(&["export", file.to_str().unwrap()]).exits(0);
    }
    let paths = [
        "/v1/subscribers?detail=true",
        "/v1/subscribers/001010000000001",
        "/v1/subscribers/001010000000001/history",
        "/v1/subscribers/001010000000001/equipment",
        "/v1/cuts",
        "/v1/bulk",
        "/v1/equipment",
        "/v1/status",
        "/v1/audit/head",
        "/v1/openapi.json",
    ];
    ask_everything(folder, hss, "hss-token", &paths);
    let paths = ["/v1/sessions", "/v1/bars", "/v1/status"];
    ask_everything(folder, pgw, "pgw-token", &paths);
}

/// Goal: three processes with logs at trace level leave no key, whatever they are asked.
/// Method: a SIM with the key attaches, fetches pages, is suspended, refused and resumed; calls,
/// exports, events and the audit log are kept; then everything is searched.
#[test]
fn three_processes_leave_no_key() {
    let folder = Folder::new("canary-processes");
    let block = free_addresses();
    folder.write(
        "planted-subscribers.toml",
        &format!(
            "[[subscriber]]\nimsi = \"001010000000001\"\nk = \"{K}\"\nopc = \"{OPC}\"\n\
             tenant = \"red\"\napn = \"red.corp\"\n"
        ),
    );
    let pgw = serve(&folder, "pgw", &pgw_file(&block));
    let hss = serve(&folder, "hss", &hss_file(&block, pgw.word("admin")));
    let mut listening = [
        listen(&folder, &hss, "hss-token"),
        listen(&folder, &pgw, "pgw-token"),
    ];
    let config = folder.write(
        "ue-sim.toml",
        &format!(
            "subscribers = \"planted-subscribers.toml\"\n[hss]\ns6a = \"{}\"\n\
             [sgw]\ns5c = \"{block}.2:2123\"\ns5u = \"{block}.2:2152\"\n\
             [[pgw]]\ns5c = \"{block}.3:2123\"\n",
            hss.word("s6a")
        ),
    );
    use_everything(&folder, &hss, &pgw, &config);
    hss.end();
    pgw.end();
    for child in &mut listening {
        let _ = child.kill();
        let _ = child.wait();
    }
    let config = folder.path("hss.toml").to_str().unwrap().to_owned();
    keep(
        &folder,
        "audit",
        &run("hss", &["audit", "show", "--config", &config]).exits(0),
    );

    plant(&folder.path(""));
    only_planted(Search::new(&[K, OPC]).files(&folder.path("")), 1);
    // What was searched is what there is to search.
    for (name, part) in [
        ("hss.log", "state_changed"),
        ("ue-sim.out", "attached"),
        ("export.csv", SIM),
        ("audit.out", "state_changed"),
    ] {
        let text = std::fs::read_to_string(folder.path(name)).unwrap();
        assert!(text.contains(part), "{part} in {name}:\n{text:.2000}");
    }
}
