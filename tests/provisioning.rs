//! `hss subscriber` and `hss aka` against a running HSS, and a key that must be found nowhere.
#![cfg(feature = "cli")]
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod command;
mod search;

use core::fmt::Write as _;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use command::{Done, Folder, binary, run};
use search::{files, holders};
use serde_json::Value;

/// Keys that occur nowhere else.
const K: &str = "c0ffee15deadbeef0badcafe5ca1ab1e";
const OPC: &str = "0ddba11bedabb1edfaceb00cba5eba11";

/// A running HSS.
struct Hss {
    folder: Folder,
    child: Child,
    admin: String,
    s6a: String,
}

impl Hss {
    fn start(name: &str, extra: &str) -> Self {
        let folder = Folder::new(name);
        let config = format!(
            "origin_host = \"hss.epc.mnc001.mcc001.3gppnetwork.org\"\n\
             origin_realm = \"epc.mnc001.mcc001.3gppnetwork.org\"\n\
             [s6a]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [tokens]\nread = \"read-token\"\noperate = \"operate-token\"\n\
             provision = \"provision-token\"\ncut_only = \"cut-token\"\n\
             [[mme]]\norigin_host = \"mme.epc.mnc001.mcc001.3gppnetwork.org\"\n\
             visited_plmns = [\"00101\"]\n{extra}"
        );
        folder.write("hss.toml", &config);
        let (child, admin, s6a) = Self::serve(&folder);
        Self {
            folder,
            child,
            admin,
            s6a,
        }
    }

    fn serve(folder: &Folder) -> (Child, String, String) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.path("hss.log"))
            .unwrap();
        let mut child = Command::new(binary("hss"))
            .args(["serve", "--config"])
            .arg(folder.path("hss.toml"))
            .env("RUST_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready hss ") {
            line.clear();
            let read = out.read_line(&mut line).unwrap();
            assert!(
                read > 0,
                "{}",
                std::fs::read_to_string(folder.path("hss.log")).unwrap()
            );
        }
        let word = |key: &str| {
            let found = line.split_whitespace().find_map(|w| w.strip_prefix(key));
            found.unwrap().trim_start_matches("tcp://").to_owned()
        };
        (child, word("admin="), word("s6a="))
    }

    fn file(&self, name: &str) -> String {
        self.folder.path(name).to_str().unwrap().to_owned()
    }

    fn call_as(&self, token: &str, args: &[&str]) -> Done {
        let (url, token) = (format!("http://{}", self.admin), self.file(token));
        let server = ["--url", &url, "--token-file", &token];
        run("hss", &[&["subscriber"], args, &server].concat())
    }

    fn call(&self, args: &[&str]) -> Done {
        self.call_as("provision-token", args)
    }

    fn end(&mut self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", "TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Hss {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cards(rows: u32) -> String {
    let mut text = "IMSI;ICCID;PIN1;Ki;OPC;group\n".to_owned();
    for n in 1..=rows {
        let ki = format!("{n:08x}{}", &K[8..]);
        writeln!(text, "00101{n:010};89{n:017};1234;{ki};{OPC};g{}", n % 3).unwrap();
    }
    text
}

/// Goal: a vendor's file goes in, can go in again, and comes out without its keys.
#[test]
fn many_go_in_again_and_come_out() {
    let mut hss = Hss::start("bulk", "");
    let file = hss.folder.write("cards.csv", &cards(2_500));
    let into = [
        "import",
        &file,
        "--tenant",
        "red",
        "--apn",
        "red.corp,red.voice",
    ];
    let dry = hss.call(&[&into[..], &["--dry-run"]].concat()).exits(0);
    assert_eq!(dry.out, "dry run: 2500 added, 0 kept as they were\n");
    let done = hss.call(&into).exits(0).says(&["ICCID, PIN1"]);
    assert_eq!(done.out, "2500 added, 0 kept as they were\n");
    assert_eq!(
        hss.call(&into).exits(0).out,
        "0 added, 2500 kept as they were\n"
    );
    let listed = hss.call(&["list", "--group", "g1", "--json"]).exits(0);
    assert_eq!(listed.out.lines().count(), 834);

    for (name, rows) in [("out.csv", 2_501), ("out.jsonl", 2_500)] {
        let file = hss.file(name);
        hss.call(&["export", &file]).exits(0);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), rows, "{name}");
        assert!(!text.contains(&K[8..]) && !text.contains(OPC));
        let back = hss.call(&["import", &file, "--update"]).exits(0);
        assert_eq!(
            back.out, "0 added, 2500 kept as they were, 0 updated\n",
            "{name}"
        );
    }
    // What is changed in the file is changed in the store, and nothing else.
    let file = hss.file("out.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(
        "001010000000007,,red,g1",
        "001010000000007,819011112222,red,g9",
    );
    std::fs::write(&file, text).unwrap();
    let refused = hss.call(&["import", &file]).exits(1);
    refused.says(&["line 8, IMSI 001010000000007", "another msisdn, group"]);
    let back = hss.call(&["import", &file, "--update"]).exits(0);
    assert_eq!(back.out, "0 added, 2499 kept as they were, 1 updated\n");
    let shown = hss.call(&["show", "001010000000007", "--json"]).exits(0);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(
        (&shown["group"], &shown["msisdn"]),
        (&"g9".into(), &"819011112222".into())
    );
    // It is all still there after a start.
    hss.end();
    let (child, admin, _) = Hss::serve(&hss.folder);
    (hss.child, hss.admin) = (child, admin);
    let again = hss.call(&["show", "001010000000007", "--json"]).exits(0);
    let mut again = serde_json::from_str::<Value>(&again.out).unwrap();
    // Every start goes on with sequence numbers from further up.
    assert!(again["seq"].as_u64() > shown["seq"].as_u64());
    again["seq"] = shown["seq"].clone();
    assert_eq!(again, shown);
}

/// Goal: a bad file is told row by row, changes nothing, and none of its keys is repeated.
#[test]
fn a_bad_file_is_refused_as_a_whole() {
    let hss = Hss::start("bad-file", "");
    let mut text = cards(20);
    text = text
        .replace("001010000000003", "00101000000003x")
        .replace(&format!("{:08x}{}", 5, &K[8..]), &K[1..]);
    writeln!(text, "001010000000001;1;1;{K};{OPC};").unwrap();
    let file = hss.folder.write("cards.csv", &text);
    let into = ["import", &file, "--tenant", "red", "--apn", "red.corp"];
    let done = hss.call(&into).exits(64).says(&[
        "line 4, imsi: an IMSI is 6 to 15 decimal digits",
        "line 6, k: a key of 16 octets is 32 hexadecimal digits",
        "line 22, imsi: the IMSI is there already, in line 2",
        "3 bad rows: nothing is imported",
    ]);
    assert!(
        !done.err.contains(&K[8..20]) && !done.err.contains(&OPC[..12]),
        "{}",
        done.err
    );
    assert_eq!(hss.call(&["list", "--json"]).exits(0).out, "");
    let few = hss
        .call(&[&into[..], &["--max-errors", "1"]].concat())
        .exits(64);
    few.says(&["... and 2 more"]);
}

/// Goal: one by one, with the roles that each needs.
#[test]
fn one_is_added_changed_and_guarded_by_roles() {
    let hss = Hss::start("one", "");
    let keys = hss
        .folder
        .write("sim.key", &format!("k = {K}\nopc = {OPC}\n"));
    let add = [
        "add",
        "001010000000001",
        "--tenant",
        "red",
        "--apn",
        "red.corp",
        "--static-ip",
        "10.20.0.9",
        "--key-file",
        &keys,
    ];
    hss.call_as("operate-token", &add).exits(1).says(&["403"]);
    let added = hss.call(&add).exits(0);
    assert!(
        added.out.contains("red.corp, always 10.20.0.9"),
        "{}",
        added.out
    );
    hss.call(&add).exits(1).says(&["412", "there already"]);
    let set = [
        "set",
        "001010000000001",
        "--group",
        "tablets",
        "--msisdn",
        "+819011112222",
    ];
    let changed = hss.call(&set).exits(0);
    assert!(changed.out.contains("tablets") && changed.out.contains("819011112222"));
    let stale = [&set[..], &["--if-match", "\"0\""]].concat();
    hss.call(&stale).exits(1).says(&["412"]);
    let cleared = hss
        .call(&["set", "001010000000001", "--group", "none", "--json"])
        .exits(0);
    assert!(cleared.out.contains("\"group\":\"\""), "{}", cleared.out);
    hss.call(&["set", "001010000000001"]).exits(64);
    hss.call(&["add", "001010000000002", "--key-file", &keys])
        .exits(64);
    let suspend = ["suspend", "001010000000001", "--reason", "lost"];
    hss.call(&suspend).exits(1).says(&["403", "cut-only"]);
    // No gateway can be asked, so it is never dark: the certificate says so.
    let now = |args: &[&'static str]| [args, &["--wait", "0"]].concat();
    let cut = hss.call_as("cut-token", &now(&suspend));
    assert!(
        cut.out.contains("ready -> suspended"),
        "{}{}",
        cut.out,
        cut.err
    );
    let resume = ["resume", "001010000000001", "--reason", "found"];
    hss.call_as("cut-token", &resume).exits(1).says(&["403"]);
    let lifted = hss.call_as("operate-token", &now(&resume));
    assert!(
        lifted.out.contains("suspended -> "),
        "{}{}",
        lifted.out,
        lifted.err
    );
    hss.call_as("read-token", &set).exits(1).says(&["403"]);
}

/// A run whose outputs are kept, to be searched for keys.
struct Canary {
    hss: Hss,
    outputs: Vec<(String, String)>,
}

impl Canary {
    fn keep(&mut self, name: &str, done: Done) {
        self.outputs.push((format!("{name} out"), done.out));
        self.outputs.push((format!("{name} err"), done.err));
    }

    /// What curl needs to show a token of the HSS.
    fn bearer(&self, token: &str) -> String {
        let token = std::fs::read_to_string(self.hss.folder.path(token)).unwrap();
        format!("Authorization: Bearer {}", token.trim())
    }

    fn listen(&self) -> std::io::Result<Child> {
        Command::new("curl")
            .args(["-sN", "--max-time", "60", "-H"])
            .arg(self.bearer("read-token"))
            .arg(format!("http://{}/v1/events", self.hss.admin))
            .stdout(std::fs::File::create(self.hss.folder.path("events.ndjson")).unwrap())
            .spawn()
    }

    fn provision(&mut self) {
        let hss = &self.hss;
        let row = |imsi: &str| format!("imsi,k,opc,tenant,apn\n{imsi},{K},{OPC},red,red.corp\n");
        let csv = hss.folder.write("planted.csv", &row("001010000000001"));
        let keys = hss
            .folder
            .write("planted.key", &format!("k = {K}\nopc = {OPC}\n"));
        let add = [
            "add",
            "001010000000002",
            "--tenant",
            "red",
            "--apn",
            "red.corp",
            "--key-file",
            &keys,
        ];
        let set = ["set", "001010000000002", "--key-file", &keys];
        self.keep("import", self.hss.call(&["import", &csv]).exits(0));
        self.keep("add", self.hss.call(&add).exits(0));
        self.keep("twice", self.hss.call(&add).exits(1));
        self.keep("set", self.hss.call(&set).exits(0));
    }

    /// Files that are wrong in every way that still holds the key.
    fn import_what_is_wrong(&mut self) {
        for (name, file, text) in [
            (
                "bad",
                "planted-bad.csv",
                format!("imsi,k,opc\n{K},{OPC},{K}\n001010000000009,{K}{K},{OPC}\n"),
            ),
            ("head", "planted-head.csv", format!("{K},{OPC}\n")),
            (
                "json",
                "planted.jsonl",
                format!("{{\"imsi\":\"{K}\",\"{K}\":\"{OPC}\"}}\n"),
            ),
        ] {
            let file = self.hss.folder.write(file, &text);
            self.keep(name, self.hss.call(&["import", &file]).exits(64));
        }
    }

    /// Bodies that are wrong and hold the key.
    fn call_what_is_wrong(&mut self) {
        let body = self.hss.folder.write(
            "planted-body.json",
            &format!("{{\"k\":\"{K}\",\"opc\":\"{OPC}{K}\",\"tenant\":\"{K}"),
        );
        for (method, path) in [
            ("PUT", "/v1/subscribers/001010000000003"),
            ("POST", "/v1/subscribers"),
        ] {
            let done = Command::new("curl")
                .args(["-sS", "-X", method])
                .args(["--data-binary", &format!("@{body}"), "-H"])
                .arg(self.bearer("hss-token"))
                .arg(format!("http://{}{path}", self.hss.admin))
                .output();
            if let Ok(done) = done {
                self.outputs.push((
                    format!("{method} {path}"),
                    String::from_utf8_lossy(&done.stdout).into_owned(),
                ));
            }
        }
    }

    /// A card that is ahead of the HSS asks for resynchronisation; there is no gateway behind it,
    /// so the attach ends after authentication.
    fn attach_and_suspend(&mut self) {
        let pid = std::process::id();
        let block = format!("127.{}.{}", 201 + pid % 50, pid / 50 % 250);
        self.hss.folder.write(
            "planted-ue-sim.toml",
            &format!(
                "[hss]\ns6a = \"{}\"\n[sgw]\ns5c = \"{block}.2:2123\"\ns5u = \"{block}.2:2152\"\n\
                 [[pgw]]\ns5c = \"{block}.3:2123\"\n\
                 [[card]]\nimsi = \"001010000000001\"\nk = \"{K}\"\nopc = \"{OPC}\"\nsqn = 65536\n\
                 [[card]]\nimsi = \"001010000000002\"\nk = \"{K}\"\nopc = \"{OPC}\"\n",
                self.hss.s6a
            ),
        );
        let config = self.hss.file("planted-ue-sim.toml");
        let attach = ["attach", "--config", &config, "--log", "trace"];
        self.keep("attach", run("ue-sim", &attach));
        self.order("suspend");
        self.keep("refused", run("ue-sim", &attach));
        self.order("resume");
    }

    fn order(&mut self, verb: &str) {
        let order = [verb, "001010000000001", "--reason", "lost", "--wait", "0"];
        self.keep(verb, self.hss.call_as("hss-token", &order));
    }

    fn read_back(&mut self) {
        self.keep("list", self.hss.call(&["list", "--json"]).exits(0));
        let show = ["show", "001010000000001"];
        self.keep("show", self.hss.call(&show).exits(0));
        for name in ["export.csv", "export.jsonl"] {
            let file = self.hss.file(name);
            self.keep(name, self.hss.call(&["export", &file]).exits(0));
        }
    }

    /// The files and outputs that hold a key.
    fn holders(&self) -> BTreeSet<String> {
        let mut paths = Vec::new();
        files(&self.hss.folder.path(""), &mut paths);
        let contents: Vec<(String, Vec<u8>)> = paths
            .iter()
            .map(|p| {
                (
                    p.file_name().unwrap().to_str().unwrap().to_owned(),
                    std::fs::read(p).unwrap(),
                )
            })
            .collect();
        let texts = self
            .outputs
            .iter()
            .map(|(name, text)| (name.clone(), text.as_bytes()));
        let things = contents
            .iter()
            .map(|(name, octets)| (name.clone(), octets.as_slice()))
            .chain(texts);
        holders(things, &[K, OPC])
    }
}

/// Goal: K and OPc are in no file and in no output of a full run, but for the files they came in.
/// Method: import, add, change, attach, resynchronise, suspend, resume, wrong calls, export, with
/// logs at trace level and events on; then every file and every output is searched.
#[test]
fn a_key_is_found_nowhere() {
    let mut canary = Canary {
        hss: Hss::start("canary", ""),
        outputs: Vec::new(),
    };
    let events = canary.listen();
    canary.provision();
    canary.import_what_is_wrong();
    canary.call_what_is_wrong();
    canary.attach_and_suspend();
    canary.read_back();
    canary.hss.end();
    if let Ok(mut events) = events {
        let _ = events.wait();
    }
    let log = std::fs::read_to_string(canary.hss.folder.path("hss.log")).unwrap();
    assert!(
        log.contains("Raised") || log.contains("raised"),
        "a resynchronisation:\n{log}"
    );
    let (planted, leaked): (BTreeSet<_>, BTreeSet<_>) = canary
        .holders()
        .into_iter()
        .partition(|name| name.starts_with("planted"));
    assert_eq!(
        planted.len(),
        7,
        "the search finds what was planted: {planted:?}"
    );
    let folder = canary.hss.folder.path("");
    assert_eq!(leaked, BTreeSet::new(), "in {folder:?}");
}
