//! HSS, gateway and UEs as three processes over loopback sockets.
#![cfg(feature = "cli")]
#![allow(
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod command;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use command::{Folder, binary, run};

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server, and the lines that it writes.
struct Process {
    name: &'static str,
    log: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    fn start(name: &'static str, args: &[&str], log: &str) -> Self {
        let mut child = Command::new(binary(name))
            .args(args)
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log).unwrap())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tx, lines) = channel();
        #[expect(clippy::disallowed_methods, reason = "a test that reads a pipe")]
        std::thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .try_for_each(|l| tx.send(l))
        });
        Self {
            name,
            log: log.to_owned(),
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line that holds all of `parts`.
    #[track_caller]
    fn line(&mut self, parts: &[&str]) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!(
                    "{}: no line with {parts:?} in {:#?}\n{log}",
                    self.name, self.seen
                );
            };
            self.seen.push(line.clone());
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    /// Ends the process with a signal; it must exit with 0.
    #[track_caller]
    fn end(&mut self, signal: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(kill.success());
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0), "{} after {signal}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of `key=value` in a line.
fn word<'l>(line: &'l str, key: &str) -> &'l str {
    let find = |w: &'l str| w.strip_prefix(key)?.strip_prefix('=');
    line.split(' ')
        .find_map(find)
        .unwrap_or_else(|| panic!("no {key} in {line}"))
}

/// The first three octets of loopback addresses that no other test has: GTP has fixed ports.
fn free_addresses() -> String {
    /// Two tests of this process never look at the same addresses, so none takes them between
    /// another one's look and its start.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let n = std::process::id().wrapping_add(step.wrapping_mul(257));
        let block = format!("127.{}.{}", 100 + n % 100, n / 100 % 250);
        let gtp = UdpSocket::bind(format!("{block}.3:2123"));
        if gtp.is_ok() && TcpListener::bind(format!("{block}.1:0")).is_ok() {
            return block;
        }
    }
    panic!("no free loopback addresses");
}

const SUBSCRIBERS: &str = r#"[[subscriber]]
imsi = "001010000000001"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
tenant = "red"
apn = "red.corp"
static_ip = "10.20.0.11"

[[subscriber]]
imsi = "001010000000002"
k = "0396eb317b6d1c36f19c1c84cd6ffd16"
op = "ff53bade17df5d4e793073ce9d7579fa"
tenant = "red"
apn = "red.corp"
"#;

/// The three servers of one test.
struct Core {
    folder: Folder,
    block: String,
    hss: Process,
    pgw: Process,
    hss_admin: String,
    pgw_admin: String,
}

impl Core {
    fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let block = free_addresses();
        folder.write("subscribers.toml", SUBSCRIBERS);
        let config = folder.write("pgw.toml", &pgw_file(&block));
        let log = folder.write("pgw.log", "");
        let mut pgw = Process::start("pgw", &["serve", "--config", &config], &log);
        let ready = pgw.line(&["ready pgw "]);
        assert_eq!(word(&ready, "s5c"), format!("{block}.3:2123"));
        let pgw_admin = word(&ready, "admin").to_owned();
        let config = folder.write("hss.toml", &hss_file(&block, &pgw_admin));
        let log = folder.write("hss.log", "");
        let mut hss = Process::start("hss", &["serve", "--config", &config], &log);
        let ready = hss.line(&["ready hss "]);
        let hss_admin = word(&ready, "admin").to_owned();
        folder.write("ue-sim.toml", &ue_sim_file(&block, word(&ready, "s6a")));
        Self {
            folder,
            block,
            hss,
            pgw,
            hss_admin,
            pgw_admin,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path(name).to_str().unwrap().to_owned()
    }

    fn ue_sim(&self, args: &[&str]) -> Process {
        let log = self.folder.write("ue-sim.log", "");
        let config = self.file("ue-sim.toml");
        Process::start("ue-sim", &[args, &["--config", &config]].concat(), &log)
    }

    fn hss_call(&self, args: &[&str]) -> command::Done {
        let (url, token) = (format!("http://{}", self.hss_admin), self.file("hss-token"));
        run(
            "hss",
            &[
                &["subscriber"],
                args,
                &["--url", &url, "--token-file", &token],
            ]
            .concat(),
        )
    }

    fn pgw_call(&self, args: &[&str]) -> command::Done {
        let (url, token) = (format!("http://{}", self.pgw_admin), self.file("pgw-token"));
        run(
            "pgw",
            &[args, &["--url", &url, "--token-file", &token]].concat(),
        )
    }
}

fn pgw_file(block: &str) -> String {
    format!(
        r#"name = "pgw-1"
[s5c]
listen = "{block}.3:2123"
sgws = ["{block}.2/32"]
[s5u]
listen = ["{block}.3:2152", "{block}.4:2152"]
[admin]
listen = "{block}.1:0"
[[tenant]]
name = "red"
prefix = "10.20.0.0/16"
[[tenant.host]]
name = "intranet"
address = "10.20.255.10"
[[apn]]
name = "red.corp"
tenant = "red"
pool = "10.20.0.0/24"
"#
    )
}

fn hss_file(block: &str, pgw_admin: &str) -> String {
    format!(
        r#"origin_host = "hss.epc.mnc001.mcc001.3gppnetwork.org"
origin_realm = "epc.mnc001.mcc001.3gppnetwork.org"
subscribers = "subscribers.toml"
[s6a]
listen = "{block}.1:0"
[admin]
listen = "{block}.1:0"
[[mme]]
origin_host = "mme.epc.mnc001.mcc001.3gppnetwork.org"
visited_plmns = ["00101"]
[[gateway]]
name = "pgw-1"
admin = "{pgw_admin}"
token_file = "pgw-operate-token"
apns = ["red.corp"]
"#
    )
}

fn ue_sim_file(block: &str, s6a: &str) -> String {
    format!(
        r#"subscribers = "subscribers.toml"
[hss]
s6a = "{s6a}"
[sgw]
s5c = "{block}.2:2123"
s5u = "{block}.2:2152"
[[pgw]]
s5c = "{block}.3:2123"
"#
    )
}

/// Goal: three processes are a network, and a lost SIM goes dark in it.
/// Method: attach, fetch a page again and again, suspend, see the page cease to come; then try to
/// come back, resume, come back. SIGTERM and SIGINT end each process with exit code 0.
#[test]
fn a_lost_sim_goes_dark_between_three_processes() {
    let mut core = Core::start("lost-sim");
    let page = "http://intranet/";
    let mut ue = core.ue_sim(&["probe", "--sim", "001010000000001", "--every", "20", page]);
    ue.line(&["attached imsi=001010000000001 ip=10.20.0.11 apn=red.corp"]);
    let ready = ue.line(&["ready ue-sim ", "attached=1 sims=1"]);
    assert_eq!(word(&ready, "s5c"), format!("{}.2:2123", core.block));
    ue.line(&["answered", page, "status=200"]);
    let sessions = core.pgw_call(&["sessions"]).exits(0);
    assert!(sessions.out.contains("001010000000001"), "{}", sessions.out);
    assert!(core.hss_call(&["list"]).exits(0).out.contains("active"));

    let cut = core
        .hss_call(&["suspend", "001010000000001", "--reason", "left on a train"])
        .exits(0);
    for part in [
        "active -> suspended",
        "t5u",
        "nothing passes uplink",
        "left on a train",
    ] {
        assert!(cut.out.contains(part), "{part} in:\n{}", cut.out);
    }
    // The network's own word and the packets' fate come in either order.
    ue.line(&["unanswered", page]);
    assert!(
        core.pgw_call(&["sessions"])
            .exits(0)
            .out
            .contains("0 of 0 sessions")
    );
    core.pgw_call(&["audit"]).exits(0);
    ue.end("TERM");

    let config = core.file("ue-sim.toml");
    let attach = ["attach", "--config", &config, "--log", "warn"];
    let refused = run("ue-sim", &attach).exits(1);
    for part in [
        "refused imsi=001010000000001 cause=#8 rejected with #8, protected",
        "attached imsi=001010000000002",
    ] {
        assert!(refused.out.contains(part), "{part} in:\n{}", refused.out);
    }
    core.hss_call(&["resume", "001010000000001", "--reason", "found"])
        .exits(0);
    let back = run("ue-sim", &attach).exits(0);
    assert!(
        back.out
            .contains("attached imsi=001010000000001 ip=10.20.0.11"),
        "{}",
        back.out
    );

    let log = std::fs::read_to_string(core.file("hss.log")).unwrap();
    assert!(
        log.contains("00101********01") && !log.contains("001010000000001"),
        "{log}"
    );
    core.hss.end("TERM");
    core.pgw.end("INT");
}

/// Goal: every destination but the intranet is closed, and a probe says so.
#[test]
fn probes_tell_what_is_open_and_what_is_closed() {
    let mut core = Core::start("probe");
    let config = core.file("ue-sim.toml");
    let probe = ["probe", "--config", &config, "--log", "warn", "--sim", "2"];
    let open = [
        "http://10.20.255.10/",
        "ping:10.20.255.10",
        "tcp:10.20.255.10:80",
        "dns:intranet",
    ];
    let done = run("ue-sim", &[&probe[..], &open].concat()).exits(0);
    assert_eq!(
        done.out
            .lines()
            .filter(|l| l.starts_with("answered "))
            .count(),
        4,
        "{}",
        done.out
    );
    let outside = [
        "--expect",
        "unanswered",
        "ping:8.8.8.8",
        "tcp:1.1.1.1:443",
        "udp:127.0.0.1:53",
    ];
    let done = run("ue-sim", &[&probe[..], &outside].concat()).exits(0);
    assert_eq!(
        done.out
            .lines()
            .filter(|l| l.starts_with("unanswered "))
            .count(),
        3,
        "{}",
        done.out
    );
    run("ue-sim", &[&probe[..], &["ping:8.8.8.8"]].concat()).exits(1);
    core.hss.end("INT");
    core.pgw.end("TERM");
}

/// Goal: a second start finds everything as the first one left it.
/// Method: suspend, end the HSS, start it again, look.
#[test]
fn a_suspension_survives_a_restart_and_the_import_of_the_file() {
    let mut core = Core::start("restart");
    core.hss_call(&["suspend", "001010000000002", "--reason", "stolen"])
        .exits(0);
    core.hss_call(&["import", &core.file("subscribers.toml")])
        .exits(0);
    core.hss.end("TERM");
    let (config, log) = (core.file("hss.toml"), core.file("hss.log"));
    core.hss = Process::start("hss", &["serve", "--config", &config], &log);
    let ready = core.hss.line(&["ready hss "]);
    core.hss_admin = word(&ready, "admin").to_owned();
    let shown = core.hss_call(&["show", "001010000000002"]).exits(0);
    assert!(
        shown.out.contains("suspended") && shown.out.contains("stolen"),
        "{}",
        shown.out
    );
    core.hss_call(&["terminate", "001010000000002", "--reason", "contract ended"])
        .exits(0);
    core.hss_call(&["resume", "001010000000002", "--reason", "no"])
        .exits(1)
        .says(&["409"]);
}
