//! An HSS that is killed under load, again and again: what it answered holds, seen from outside.
#![cfg(feature = "cli")]
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

#[expect(dead_code, reason = "shared with tests that run commands to their end")]
mod command;

use core::fmt::Write as _;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use command::{Folder, binary};
use heiiki_diameter::base::{Capabilities, VendorApplication};
use heiiki_diameter::s6a::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, RAT_TYPE_EUTRAN,
    RequestedAuthenticationInfo, UpdateLocationAnswer, UpdateLocationRequest, ulr_flags,
};
use heiiki_diameter::{AnswerResult, ApplicationId, CommandCode, Deframer, Message};
use heiiki_hss::auc::milenage::Milenage;
use heiiki_types::{Imsi, Key128, Rng};

const REALM: &str = "epc.mnc001.mcc001.3gppnetwork.org";
const SIMS: u32 = 200;
/// The MMEs; each serves the SIMs whose number leaves its own as a rest.
const MMES: u32 = 2;
/// Requests under way on each connection.
const WINDOW: usize = 32;

fn imsi(n: u32) -> Imsi {
    format!("00101{n:010}").parse().unwrap()
}

fn key(n: u32) -> [u8; 16] {
    let mut octets = [0x40; 16];
    octets[12..].copy_from_slice(&n.to_be_bytes());
    octets
}

fn mme(of: u32) -> String {
    format!("mme{of}.{REALM}")
}

/// What was answered over all lives.
#[derive(Default)]
struct Ledger {
    /// By SIM: every SQN, as its value; and the highest SEQ of each IND.
    seen: BTreeMap<u32, (BTreeSet<u64>, BTreeMap<u64, u64>)>,
    vectors: usize,
    /// SIMs whose location update was accepted.
    located: BTreeSet<u32>,
    /// SIMs whose suspension was answered. None is ever given back.
    suspended: BTreeSet<u32>,
    /// SIMs whose suspension was asked for.
    asked: BTreeSet<u32>,
}

impl Ledger {
    /// Checks a vector as the USIM would, and its number against all that came before.
    fn take(&mut self, n: u32, rand: &[u8; 16], autn: &[u8; 16]) {
        let sim = Milenage::new(&Key128::new(key(n)), &Key128::new([0xcd; 16]));
        let (_, _, _, ak) = sim.f2345(rand);
        let [h0, h1, h2, h3, h4, h5, a0, a1, mac @ ..] = *autn;
        let sqn = ak.xor([h0, h1, h2, h3, h4, h5]);
        assert_eq!(mac, sim.f1(rand, sqn, [a0, a1]), "MAC-A");
        let [s0, s1, s2, s3, s4, s5] = sqn;
        let value = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
        let (seen, last) = self.seen.entry(n).or_default();
        assert!(seen.insert(value), "SIM {n}: SQN {value} twice");
        if let Some(before) = last.insert(value & 31, value >> 5) {
            assert!(value >> 5 > before, "SIM {n}: SQN {value} after {before}");
        }
        self.vectors += 1;
    }
}

/// One life of the HSS.
struct Life {
    child: Mutex<Child>,
    s6a: String,
    admin: String,
    token: String,
}

impl Life {
    fn start(folder: &Folder, config: &str) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.path("hss.log"))
            .unwrap();
        let mut child = Command::new(binary("hss"))
            .args(["serve", "--config", config])
            .env_remove("RUST_LOG")
            .env_remove("HEIIKI_STORE_KEY")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let word = |name: &str| {
            let start = format!("{name}=");
            let found = ready
                .split_whitespace()
                .find_map(|w| w.strip_prefix(&start));
            found
                .unwrap_or_else(|| {
                    let log = std::fs::read_to_string(folder.path("hss.log")).unwrap();
                    let tail = log.lines().rev().take(5).collect::<Vec<_>>();
                    panic!("no {name} in {ready:?}: {tail:#?}")
                })
                .to_owned()
        };
        let token = std::fs::read_to_string(word("token_file")).unwrap();
        Self {
            s6a: word("s6a"),
            admin: word("admin"),
            token: token.trim().to_owned(),
            child: Mutex::new(child),
        }
    }

    /// SIGKILL: nothing is said, nothing is written.
    fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// An administrative call: status and body, or nothing when the HSS is gone.
    fn call(&self, method: &str, target: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.admin).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .ok()?;
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.admin,
            self.token,
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An MME that asks for as much as it can, until the HSS is gone or told to stop.
struct Mme<'a> {
    number: u32,
    stream: TcpStream,
    deframer: Deframer,
    last: u32,
    /// Requests under way: which SIM they are about, and whether its suspension had been answered.
    under_way: BTreeMap<u32, (u32, bool)>,
    ledger: &'a Mutex<Ledger>,
    rng: Rng,
}

impl<'a> Mme<'a> {
    fn connect(life: &Life, number: u32, ledger: &'a Mutex<Ledger>, seed: u64) -> Self {
        let stream = TcpStream::connect(&life.s6a).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let mut mme = Self {
            number,
            stream,
            deframer: Deframer::default(),
            last: 0,
            under_way: BTreeMap::new(),
            ledger,
            rng: Rng::from_seed(seed),
        };
        let capabilities = Capabilities {
            origin_host: self::mme(number),
            origin_realm: REALM.into(),
            host_ips: vec!["127.0.0.1".parse().unwrap()],
            vendor_id: 10_415,
            product_name: "load".into(),
            origin_state_id: None,
            supported_vendors: vec![10_415],
            auth_applications: Vec::new(),
            acct_applications: Vec::new(),
            vendor_applications: vec![VendorApplication {
                vendor: Some(10_415),
                auth: Some(ApplicationId::S6A),
                acct: None,
            }],
            inband_security: vec![0],
            firmware_revision: None,
        };
        assert!(mme.send(capabilities.to_request(), None));
        mme
    }

    fn send(&mut self, mut message: Message, sim: Option<u32>) -> bool {
        self.last += 1;
        message.hop_by_hop = self.last;
        message.end_to_end = self.last;
        if let Some(sim) = sim {
            let suspended = self.ledger.lock().unwrap().suspended.contains(&sim);
            self.under_way.insert(self.last, (sim, suspended));
        }
        self.stream.write_all(&message.encode()).is_ok()
    }

    fn ask(&mut self) -> bool {
        let own = u32::try_from(self.rng.below(u64::from(SIMS / MMES))).unwrap();
        let n = own * MMES + self.number;
        let plmn = "00101".parse().unwrap();
        let session_id = format!("{};{};{}", mme(self.number), self.last, n);
        let message = if self.rng.chance(0.1) {
            UpdateLocationRequest {
                session_id,
                origin_host: mme(self.number),
                origin_realm: REALM.into(),
                destination_host: None,
                destination_realm: REALM.into(),
                imsi: imsi(n),
                rat_type: RAT_TYPE_EUTRAN,
                ulr_flags: ulr_flags::S6A | ulr_flags::INITIAL_ATTACH,
                visited_plmn: plmn,
                terminal_information: None,
                software_version: None,
                ue_srvcc_capability: None,
                active_apns: Vec::new(),
                supported_features: Vec::new(),
                route_record: Vec::new(),
            }
            .to_message()
        } else {
            AuthenticationInformationRequest {
                session_id,
                origin_host: mme(self.number),
                origin_realm: REALM.into(),
                destination_host: None,
                destination_realm: REALM.into(),
                imsi: imsi(n),
                visited_plmn: plmn,
                requested_eutran: Some(RequestedAuthenticationInfo {
                    vectors: 1 + self.rng.next_u32() % 3,
                    immediate_response_preferred: false,
                    resync: None,
                }),
                requested_utran: None,
                supported_features: Vec::new(),
                route_record: Vec::new(),
            }
            .to_message()
        };
        self.send(message, Some(n))
    }

    /// Reads what there is; false when the HSS is gone.
    fn read(&mut self) -> bool {
        let mut octets = vec![0; 65_536];
        match self.stream.read(&mut octets) {
            Ok(0) => return false,
            Ok(n) => self.deframer.push(&octets[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
        for octets in self.deframer.by_ref() {
            let message = Message::decode(&octets.unwrap()).unwrap();
            let Some((n, suspended)) = self.under_way.remove(&message.hop_by_hop) else {
                continue;
            };
            let mut ledger = self.ledger.lock().unwrap();
            if message.command == CommandCode::UPDATE_LOCATION {
                let answer = UpdateLocationAnswer::from_message(&message).unwrap();
                if answer.result == AnswerResult::SUCCESS {
                    ledger.located.insert(n);
                    assert!(!suspended, "SIM {n} was served after its suspension");
                }
            } else {
                let answer = AuthenticationInformationAnswer::from_message(&message).unwrap();
                for vector in &answer.vectors {
                    ledger.take(n, &vector.rand, &vector.autn);
                }
            }
        }
        true
    }

    fn load(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            while self.under_way.len() < WINDOW {
                if !self.ask() {
                    break;
                }
            }
            if !self.read() {
                break;
            }
        }
        // What the HSS had sent before it went still counts.
        while self.read() && !self.under_way.is_empty() && !stop.load(Ordering::Acquire) {}
    }
}

fn suspend_some(life: &Life, round: u32, ledger: &Mutex<Ledger>) {
    for place in 0..2 {
        let n = (round * 2 + place) % SIMS;
        ledger.lock().unwrap().asked.insert(n);
        let target = format!("/v1/subscribers/{}/suspend", imsi(n));
        let body = r#"{"reason":"lost","actor":"test"}"#;
        if let Some((200, _)) = life.call("POST", &target, body) {
            ledger.lock().unwrap().suspended.insert(n);
        }
    }
}

/// Everything that was answered in the lives before is there.
fn check(life: &Life, ledger: &Ledger, round: u32) {
    for n in 0..SIMS {
        let interesting = ledger.asked.contains(&n) || n % 7 == round % 7;
        if !interesting {
            continue;
        }
        let target = format!("/v1/subscribers/{}", imsi(n));
        let (status, body) = life.call("GET", &target, "").unwrap();
        assert_eq!(status, 200, "SIM {n}: {body}");
        let is_suspended = body.contains(r#""state":"suspended""#);
        if ledger.suspended.contains(&n) {
            assert!(is_suspended, "round {round}: SIM {n} came back: {body}");
        }
        if is_suspended {
            assert!(ledger.asked.contains(&n), "SIM {n}: {body}");
        } else if ledger.located.contains(&n) {
            let host = mme(n % MMES);
            assert!(body.contains(&host), "round {round}: SIM {n}: {body}");
        }
    }
}

fn hss_file() -> String {
    format!(
        "origin_host = \"hss.{REALM}\"\norigin_realm = \"{REALM}\"\nsubscribers = \"sims.toml\"\n\
         [s6a]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[mme]]\norigin_host = \"mme*.{REALM}\"\nvisited_plmns = [\"00101\"]\n"
    )
}

fn kill_again_and_again(name: &str, rounds: u32) {
    let folder = Folder::new(name);
    let config = folder.write("hss.toml", &hss_file());
    let mut sims = String::new();
    for n in 0..SIMS {
        let k = heiiki_types::to_hex(&key(n));
        writeln!(
            sims,
            "[[subscriber]]\nimsi = \"{}\"\nk = \"{k}\"\nopc = \"{}\"\ntenant = \"red\"\n\
             apn = [\"red.corp\"]",
            imsi(n),
            "cd".repeat(16)
        )
        .unwrap();
    }
    folder.write("sims.toml", &sims);
    let ledger = Mutex::new(Ledger::default());
    let mut rng = Rng::from_seed(u64::from(rounds));
    for round in 0..rounds {
        let life = Life::start(&folder, &config);
        check(&life, &ledger.lock().unwrap(), round);
        let stop = AtomicBool::new(false);
        let until = Duration::from_millis(20 + rng.below(400));
        let mmes: Vec<_> = (0..MMES)
            .map(|number| Mme::connect(&life, number, &ledger, rng.next_u64()))
            .collect();
        std::thread::scope(|scope| {
            for mme in mmes {
                scope.spawn(|| mme.load(&stop));
            }
            scope.spawn(|| suspend_some(&life, round, &ledger));
            std::thread::sleep(until);
            life.kill();
            std::thread::sleep(Duration::from_millis(30));
            stop.store(true, Ordering::Release);
        });
    }
    let life = Life::start(&folder, &config);
    let ledger = ledger.into_inner().unwrap();
    check(&life, &ledger, 0);
    // The run was one: vectors were given, SIMs were located and suspended.
    assert!(ledger.vectors > 20 * rounds as usize, "{}", ledger.vectors);
    assert!(!ledger.suspended.is_empty() && ledger.located.len() > 10);
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "{rounds} kills: {} vectors, no SQN twice; {} SIMs located, {} suspended, none came back",
        ledger.vectors,
        ledger.located.len(),
        ledger.suspended.len()
    );
}

#[test]
#[ignore = "starts processes and kills them: run it by hand"]
fn what_was_answered_survives_a_kill() {
    kill_again_and_again("kill-few", 3);
}

#[test]
#[ignore = "takes a minute: run it by hand, HEIIKI_KILLS sets the number"]
fn what_was_answered_survives_a_hundred_kills() {
    let rounds = std::env::var("HEIIKI_KILLS").ok();
    kill_again_and_again("kill-many", rounds.map_or(100, |r| r.parse().unwrap()));
}
