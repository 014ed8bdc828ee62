//! Two `hss` processes on one PostgreSQL database: load, `kill -9`, orders that cross, an outage.
//! `tests/postgres/with-server` starts the database; see docs/ci.md.
#![cfg(feature = "cli")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "processes are measured in real time, for people to read"
)]

#[allow(dead_code, reason = "not all of it is needed")]
mod command;
mod served;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use command::{Folder, binary, run};
use heiiki_diameter::s6a::{
    AuthenticationInformationAnswer, CancelLocationAnswer, InsertSubscriberDataRequest,
    RAT_TYPE_EUTRAN, USER_UNKNOWN, UpdateLocationAnswer, UpdateLocationRequest, ulr_flags,
};
use heiiki_diameter::{AnswerResult, CommandCode, Message};
use heiiki_hss::auc::milenage::Milenage;
use heiiki_hss::auc::sqn::Sqn;
use heiiki_types::Key128;
use served::{REALM, Served, air, cer, host, read_message};

const SIMS: u32 = 4;

fn imsi(n: u32) -> String {
    format!("00101{n:010}")
}

fn ctl(arguments: &[&str]) -> String {
    let ctl = std::env::var("HEIIKI_POSTGRES_CTL").expect("run me by tests/postgres/with-server");
    let output = Command::new(ctl).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A database of its own for each test.
fn database(name: &str) -> String {
    ctl(&["sql", &format!("CREATE DATABASE {name}")]);
    let address = std::env::var("HEIIKI_POSTGRES").unwrap();
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

fn subscribers() -> String {
    let one = |n| {
        format!(
            "[[subscriber]]\nimsi = \"{}\"\nk = \"465b5ce8b199b49faa5f0a2ee238a6bc\"\n\
             opc = \"cd63cb71954a9f4e48a5994e37a02baf\"\ntenant = \"red\"\napn = \"red.corp\"\n\n",
            imsi(n)
        )
    };
    (1..=SIMS).map(one).collect()
}

fn config(database: &str, number: u8) -> String {
    // The second one speaks TLS with the database.
    let tls = if number == 0 {
        String::new()
    } else {
        let ca = std::env::var("HEIIKI_POSTGRES_CA").unwrap();
        format!("ca = \"{ca}\"\nserver_name = \"localhost\"")
    };
    format!(
        r#"origin_host = "hss.{REALM}"
origin_realm = "{REALM}"
subscribers = "subscribers.toml"
[s6a]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[postgres]
address = "{database}"
patience = "2s"
{tls}
[front_end]
number = {number}
of = 2
[[mme]]
origin_host = "mme*.{REALM}"
visited_plmns = ["00101"]
"#
    )
}

/// What all front ends have: the subscribers and the master key.
fn fill(folder: &Folder) {
    folder.write("subscribers.toml", &subscribers());
    let key = folder.write("hss-store-key", &"5c".repeat(32));
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

struct FrontEnd {
    folder: Folder,
    config: String,
    served: Option<Served>,
}

impl FrontEnd {
    fn start(test: &str, database: &str, number: u8) -> Self {
        let folder = Folder::new(&format!("{test}-{number}"));
        fill(&folder);
        let config = config(database, number);
        let served = Served::start(&folder, "hss", &config);
        assert_eq!(served.word("front_end"), format!("{number}/2"));
        Self {
            folder,
            config,
            served: Some(served),
        }
    }

    fn served(&self) -> &Served {
        self.served.as_ref().unwrap()
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.served = None;
    }

    fn restart(&mut self) {
        self.served = Some(Served::start(&self.folder, "hss", &self.config));
    }

    fn connect(&self, name: &str) -> Mme {
        Mme::connect(self.served().address("s6a"), name)
    }

    fn order(&self, verb: &str, n: u32) -> command::Done {
        self.command(&["subscriber", verb, &imsi(n), "--reason", "lost"])
    }

    /// A command of an operator.
    fn command(&self, arguments: &[&str]) -> command::Done {
        let url = format!("http://{}", self.served().address("admin"));
        let token = self.folder.path("hss-token");
        let token = token.to_str().unwrap();
        let server = ["--url", &url, "--token-file", token];
        run("hss", &[arguments, &server].concat())
    }
}

/// One MME on one connection.
struct Mme {
    host: String,
    stream: TcpStream,
    last: u32,
    /// Cancellations that came meanwhile, answered.
    cancelled: Vec<String>,
    /// Numbers of the profiles that came meanwhile, answered.
    inserted: Vec<Option<String>>,
}

impl Mme {
    fn connect(address: SocketAddr, name: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        let mut mme = Self {
            host: host(name),
            stream,
            last: 1,
            cancelled: Vec::new(),
            inserted: Vec::new(),
        };
        let cer = cer(&mme.host, REALM);
        mme.stream.write_all(&cer.encode()).unwrap();
        let cea = read_message(&mut mme.stream).expect("the HSS answers");
        assert_eq!(cea.result(), Some(AnswerResult::SUCCESS));
        mme
    }

    /// Sends a request and reads its answer; `None` when the connection breaks.
    fn ask(&mut self, mut message: Message) -> Option<Message> {
        self.last += 1;
        message.hop_by_hop = self.last;
        message.end_to_end = self.last;
        self.stream.write_all(&message.encode()).ok()?;
        loop {
            let answer = read_message(&mut self.stream)?;
            if !answer.flags.request {
                assert_eq!(answer.end_to_end, self.last);
                return Some(answer);
            }
            self.answer(&answer);
        }
    }

    fn answer(&mut self, request: &Message) {
        if let Ok(insert) = InsertSubscriberDataRequest::from_message(request) {
            let number = insert.subscription.msisdn.map(|n| n.to_string());
            self.inserted.push(number);
            let mut answer = request.answer();
            answer.avps.push(AnswerResult::SUCCESS.to_avp());
            let _ = self.stream.write_all(&answer.encode());
            return;
        }
        if request.command != CommandCode::CANCEL_LOCATION {
            return;
        }
        let name = request.text(&heiiki_diameter::dictionary::USER_NAME);
        self.cancelled.push(name.unwrap().to_owned());
        let answer = CancelLocationAnswer {
            session_id: request.session_id().unwrap().into(),
            result: AnswerResult::SUCCESS,
            origin_host: self.host.clone(),
            origin_realm: REALM.into(),
            failed_avp: Vec::new(),
        };
        let mut message = answer.to_message();
        message.hop_by_hop = request.hop_by_hop;
        message.end_to_end = request.end_to_end;
        let _ = self.stream.write_all(&message.encode());
    }

    /// The SQN of one vector, or why there is none; `None` when the connection breaks.
    fn vector(&mut self, n: u32) -> Option<Result<Sqn, AnswerResult>> {
        let message = self.ask(air(&self.host, &imsi(n)))?;
        let answer = AuthenticationInformationAnswer::from_message(&message).unwrap();
        Some(if answer.result == AnswerResult::SUCCESS {
            Ok(open(&answer.vectors[0].rand, &answer.vectors[0].autn))
        } else {
            Err(answer.result)
        })
    }

    fn update(&mut self, n: u32) -> AnswerResult {
        let request = UpdateLocationRequest {
            session_id: format!("{};2;{}", self.host, self.last),
            origin_host: self.host.clone(),
            origin_realm: REALM.into(),
            destination_host: None,
            destination_realm: REALM.into(),
            imsi: imsi(n).parse().unwrap(),
            rat_type: RAT_TYPE_EUTRAN,
            ulr_flags: ulr_flags::S6A | ulr_flags::INITIAL_ATTACH,
            visited_plmn: "00101".parse().unwrap(),
            terminal_information: None,
            software_version: None,
            ue_srvcc_capability: None,
            active_apns: Vec::new(),
            supported_features: Vec::new(),
            route_record: Vec::new(),
        };
        let message = self.ask(request.to_message()).expect("an answer");
        UpdateLocationAnswer::from_message(&message).unwrap().result
    }

    /// Waits for the cancellation of a SIM.
    fn expect_cancellation(&mut self, n: u32) {
        while !self.cancelled.contains(&imsi(n)) {
            let request = read_message(&mut self.stream).expect("a cancellation");
            self.answer(&request);
        }
    }
}

/// Waits until something holds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The SQN that the USIM would see.
fn open(rand: &[u8; 16], autn: &[u8; 16]) -> Sqn {
    let k = Key128::from_hex("465b5ce8b199b49faa5f0a2ee238a6bc").unwrap();
    let opc = Key128::from_hex("cd63cb71954a9f4e48a5994e37a02baf").unwrap();
    let (_, _, _, ak) = Milenage::new(&k, &opc).f2345(rand);
    let [s0, s1, s2, s3, s4, s5, ..] = *autn;
    Sqn::from_octets(ak.xor([s0, s1, s2, s3, s4, s5]))
}

/// Asks for vectors until told to stop, again and again on new connections.
fn load(
    address: SocketAddr,
    name: &'static str,
    stop: Arc<AtomicBool>,
) -> JoinHandle<Vec<(u32, Sqn)>> {
    std::thread::spawn(move || {
        let mut answered = Vec::new();
        let mut mme = Mme::connect(address, name);
        let mut n = 0;
        while !stop.load(Ordering::Relaxed) {
            n = n % SIMS + 1;
            match mme.vector(n) {
                Some(Ok(sqn)) => answered.push((n, sqn)),
                Some(Err(_)) => {}
                None => break,
            }
        }
        answered
    })
}

/// What every answer ever given has to keep.
#[derive(Default)]
struct Ledger {
    used: BTreeSet<(u32, Sqn)>,
    last: BTreeMap<(u32, u8), Sqn>,
}

impl Ledger {
    /// Takes the answers of one connection, in their order.
    fn take(&mut self, answered: &[(u32, Sqn)]) {
        for (n, sqn) in answered {
            assert!(
                self.used.insert((*n, *sqn)),
                "{sqn:?} of SIM {n} came twice"
            );
            let last = self.last.insert((*n, sqn.ind()), *sqn);
            assert!(
                last.is_none_or(|l| l < *sqn),
                "SIM {n}: {sqn:?} after {last:?}"
            );
        }
    }
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn one_of_two_front_ends_is_killed_and_the_other_serves_on() {
    let database = database("killed");
    let mut ends = [
        FrontEnd::start("killed", &database, 0),
        FrontEnd::start("killed", &database, 1),
    ];
    let mut ledger = Ledger::default();
    let mut served_alone = 0;
    for round in 0..6 {
        let victim = round % 2;
        let stop = Arc::new(AtomicBool::new(false));
        let names = ["mme1", "mme2"];
        let address = |end: usize| ends[end].served().address("s6a");
        let loads = [0, 1].map(|end| load(address(end), names[end], stop.clone()));
        std::thread::sleep(Duration::from_millis(700));
        ends[victim].kill();
        std::thread::sleep(Duration::from_millis(700));
        // The survivor answers a new MME, while its number is still free for nobody else.
        let mut mme = ends[1 - victim].connect("mme3");
        let alone: Vec<_> = (1..=SIMS)
            .map(|n| (n, mme.vector(n).unwrap().expect("the survivor serves on")))
            .collect();
        assert_eq!(mme.update(1), AnswerResult::SUCCESS);
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            ledger.take(&load.join().unwrap());
        }
        // Asked for by another connection of the survivor at the same time: only used once.
        for (n, sqn) in &alone {
            assert!(
                ledger.used.insert((*n, *sqn)),
                "{sqn:?} of SIM {n} came twice"
            );
        }
        served_alone += alone.len();
        ends[victim].restart();
    }
    println!(
        "{} vectors, {served_alone} of them beside a killed front end",
        ledger.used.len()
    );
    assert!(
        ledger.used.len() > 500,
        "only {} vectors",
        ledger.used.len()
    );
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn a_suspension_at_one_front_end_cancels_at_the_mme_of_the_other() {
    let database = database("suspension");
    let ends = [
        FrontEnd::start("suspension", &database, 0),
        FrontEnd::start("suspension", &database, 1),
    ];
    let (mut first, mut second) = (ends[0].connect("mme1"), ends[1].connect("mme2"));
    for n in 1..=SIMS {
        assert_eq!(second.update(n), AnswerResult::SUCCESS);
    }
    for n in 1..=SIMS {
        let began = Instant::now();
        let done = ends[0].order("suspend", n);
        // No gateway is listed here, so nobody can say that the SIM is dark.
        assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
        assert!(done.out.contains("not_observable"), "{}", done.out);
        second.expect_cancellation(n);
        println!("SIM {n}: cancelled {:?} after the order", began.elapsed());
        assert_eq!(first.update(n), USER_UNKNOWN);
        assert_eq!(second.update(n), USER_UNKNOWN);
    }
    let done = ends[1].order("resume", 1);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert_eq!(first.update(1), AnswerResult::SUCCESS);
    // A third process with a number that is taken does not start, and says why.
    let folder = Folder::new("suspension-third");
    fill(&folder);
    let file = folder.write("hss.toml", &config(&database, 1));
    let refused = Command::new(binary("hss"))
        .args(["serve", "--config", &file])
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_ne!(refused.status.code(), Some(0));
    assert!(why.contains("another process serves IND 16"), "{why}");
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts; stops it meanwhile"]
fn without_the_database_vectors_are_unavailable_until_it_is_back() {
    let database = database("outage_of_two");
    let end = FrontEnd::start("outage", &database, 0);
    let mut mme = end.connect("mme1");
    let before = mme.vector(1).unwrap().expect("a vector");
    ctl(&["stop"]);
    let unavailable = heiiki_diameter::s6a::AUTHENTICATION_DATA_UNAVAILABLE;
    assert_eq!(mme.vector(1), Some(Err(unavailable)));
    let done = end.order("suspend", 1);
    assert_ne!(done.code, Some(0));
    assert!(done.err.contains("shared store"), "{}", done.err);
    ctl(&["start"]);
    let deadline = Instant::now() + Duration::from_secs(30);
    let after = loop {
        if let Some(Ok(sqn)) = mme.vector(1) {
            break sqn;
        }
        assert!(Instant::now() < deadline, "it does not come back");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(after > before);
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn a_subscription_that_one_changes_counts_at_the_other_and_its_mme_hears_of_it_once() {
    let database = database("changes");
    let ends = [
        FrontEnd::start("changes", &database, 0),
        FrontEnd::start("changes", &database, 1),
    ];
    let mut mme = ends[1].connect("mme1");
    assert_eq!(mme.update(1), AnswerResult::SUCCESS);
    let done = ends[0].command(&["subscriber", "set", &imsi(1), "--msisdn", "819000000007"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    while mme.inserted.is_empty() {
        let request = read_message(&mut mme.stream).expect("the new profile");
        mme.answer(&request);
    }
    let shown = ends[1].command(&["subscriber", "show", &imsi(1)]);
    assert!(shown.out.contains("819000000007"), "{}", shown.out);
    // Nothing more comes.
    std::thread::sleep(Duration::from_secs(8));
    assert!(mme.vector(1).unwrap().is_ok());
    assert_eq!(mme.inserted, [Some("819000000007".to_owned())]);
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn what_a_killed_front_end_left_is_done_by_the_other() {
    let database = database("left_over");
    let mut first = FrontEnd::start("left", &database, 0);
    let second = FrontEnd::start("left", &database, 1);
    let mut mme = first.connect("mme1");
    for n in 1..=3 {
        assert_eq!(mme.update(n), AnswerResult::SUCCESS);
    }
    // Its MME does not answer the cancellation, and the SIM's suspension is to end by itself.
    let id = imsi(1);
    let suspend = ["subscriber", "suspend", &id, "--reason", "lost"];
    first.command(&[&suspend[..], &["--for-seconds", "12"]].concat());
    let list = first
        .folder
        .write("sims.txt", &format!("{}\n{}\n", imsi(2), imsi(3)));
    let bulk = [
        "bulk",
        "suspend",
        "--imsi-file",
        &list,
        "--reason",
        "stolen",
    ];
    first.command(&bulk);
    let began = Instant::now();
    first.kill();
    // The MME turns to the other one, which has its cancellations to send.
    let mut mme = second.connect("mme1");
    for n in 1..=3 {
        mme.expect_cancellation(n);
        println!(
            "SIM {n}: cancelled by the other one after {:?}",
            began.elapsed()
        );
    }
    assert_eq!(mme.update(2), USER_UNKNOWN);
    assert_eq!(mme.update(1), USER_UNKNOWN);
    let ended = |n: u32| {
        let history = second.command(&["subscriber", "history", &imsi(n)]);
        history.out.matches("expiry").count()
    };
    eventually("the end of a suspension", || ended(1) == 1);
    println!("the suspension for 12 s ended after {:?}", began.elapsed());
    assert_eq!(mme.update(1), AnswerResult::SUCCESS);
    let open = || second.command(&["cut", "list", "--open"]).out;
    eventually("all orders are done", || !open().contains(&imsi(2)));
    println!("no order is open after {:?}", began.elapsed());
    // Who comes back finds everything done.
    first.restart();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(ended(1), 1);
    assert_eq!(mme.update(2), USER_UNKNOWN);
}
