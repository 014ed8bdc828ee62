//! The command line as a user meets it: help, exit codes, refusals and the offline tools.
#![cfg(feature = "cli")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod command;

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use command::{Folder, binary, run};

const HSS: &str = r#"origin_host = "hss.epc.mnc001.mcc001.3gppnetwork.org"
origin_realm = "epc.mnc001.mcc001.3gppnetwork.org"

[s6a]
listen = "S6A"

[admin]
listen = "ADMIN"

[[mme]]
origin_host = "mme.epc.mnc001.mcc001.3gppnetwork.org"
visited_plmns = ["00101"]
"#;

const PGW: &str = r#"[s5c]
listen = "S5C"

[s5u]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[[tenant]]
name = "red"
prefix = "10.20.0.0/16"

[[apn]]
name = "red.corp"
tenant = "red"
pool = "10.20.0.0/24"
"#;

const SUBSCRIBER: &str = r#"[[subscriber]]
imsi = "001010000000001"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
tenant = "red"
apn = "red.corp"
"#;

const SCENARIO: &str = r#"format = 0
title = "One SIM attaches"

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

[[sim]]
name = "red"
imsi = "001010000000001"
apn = "red.corp"

[[step]]
do = "attach"
ue = "red"

[[step]]
do = "http_get"
ue = "red"

[[assert]]
name = "online"
that = "attached"
op = "=="
value = 1
"#;

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|l| *l != "Commands:").skip(1);
    let list = list.take_while(|l| !l.is_empty());
    let names = list.filter_map(|l| l.strip_prefix("  ")?.split_whitespace().next());
    names
        .filter(|n| *n != "help" && !n.is_empty())
        .map(str::to_owned)
        .collect()
}

fn help_of(name: &str, path: &[String], seen: &mut usize) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let done = run(name, &args).exits(0);
    assert!(
        done.out.contains("Examples:\n  "),
        "{name} {args:?}:\n{}",
        done.out
    );
    assert!(done.err.is_empty(), "{name} {args:?}:\n{}", done.err);
    *seen += 1;
    for sub in subcommands(&done.out) {
        let mut path = path.to_vec();
        path.push(sub);
        help_of(name, &path, seen);
    }
}

#[test]
fn help_has_examples_at_every_level() {
    for (name, at_least) in [("heiiki", 27), ("hss", 12), ("pgw", 4), ("ue-sim", 3)] {
        let mut seen = 0;
        help_of(name, &[], &mut seen);
        assert!(seen >= at_least, "{name}: only {seen} pages of help");
    }
}

#[test]
fn every_binary_has_a_version() {
    for name in ["heiiki", "hss", "pgw", "ue-sim"] {
        let done = run(name, &["--version"]).exits(0);
        assert_eq!(done.out, format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
    }
    run("heiiki", &["pgw", "--version"]).exits(0);
}

#[test]
fn wrong_usage_is_exit_64() {
    for (name, args) in [
        ("heiiki", &[][..]),
        ("hss", &[]),
        ("heiiki", &["fly"]),
        ("heiiki", &["run"]),
        ("heiiki", &["run", "x.toml", "--size", "huge"]),
        ("heiiki", &["run", "x.toml", "--lab-secrets"]),
        ("hss", &["serve", "--confg", "hss.toml"]),
        ("hss", &["subscriber", "suspend", "12x", "--reason", "r"]),
        ("hss", &["subscriber", "suspend", "001010000000001"]),
        (
            "hss",
            &["subscriber", "list", "--url", "http://127.0.0.1:1"],
        ),
        (
            "hss",
            &[
                "subscriber",
                "list",
                "--url",
                "https://127.0.0.1:1",
                "--token-file",
                "t",
            ],
        ),
        ("pgw", &["audit", "--url", "127.0.0.1", "--token-file", "t"]),
        ("ue-sim", &["probe", "--config", "x.toml"]),
        ("ue-sim", &["probe", "--config", "x.toml", "gopher://x"]),
        ("heiiki", &["ue-sim", "attach"]),
    ] {
        let done = run(name, args).exits(64);
        assert!(
            done.out.is_empty() && !done.err.is_empty(),
            "{name} {args:?}"
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_exit_64() {
    for (name, args) in [
        ("heiiki", &["run", "none.toml"][..]),
        ("heiiki", &["up", "none.toml"]),
        ("heiiki", &["check", "none.toml"]),
        ("heiiki", &["explain", "none.toml"]),
        ("heiiki", &["list", "none"]),
        ("hss", &["serve", "--config", "none.toml"]),
        ("pgw", &["serve", "--config", "none.toml"]),
        ("ue-sim", &["attach", "--config", "none.toml"]),
        ("hss", &["subscriber", "list", "--config", "none.toml"]),
        ("pgw", &["sessions", "--config", "none.toml"]),
    ] {
        run(name, args).exits(64).says(&["none"]);
    }
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_one() {
    let folder = Folder::new("unknown-key");
    let text = HSS
        .replace("S6A", "127.0.0.1:0")
        .replace("ADMIN", "127.0.0.1:0");
    let path = folder.write("hss.toml", &text.replace("visited_plmns", "visited_plmn"));
    let done = run("hss", &["serve", "--config", &path]).exits(64);
    done.says(&[
        "hss.toml:12:",
        "mme[0].visited_plmn",
        "did you mean `visited_plmns`?",
    ]);
}

#[test]
fn a_duplicate_imsi_and_a_short_k_are_told_together() {
    let folder = Folder::new("subscribers");
    let second = SUBSCRIBER.replace("465b5ce8b199b49faa5f0a2ee238a6bc", "465b5ce8b199");
    folder.write("subscribers.toml", &format!("{SUBSCRIBER}\n{second}"));
    let text = HSS
        .replace("S6A", "127.0.0.1:0")
        .replace("ADMIN", "127.0.0.1:0");
    let text = format!("subscribers = \"subscribers.toml\"\n{text}");
    let path = folder.write("hss.toml", &text);
    for (name, args) in [
        ("hss", ["serve", "--config", &path].as_slice()),
        ("heiiki", &["check", &path]),
    ] {
        let done = run(name, args).exits(64).says(&[
            "subscribers.toml:9:",
            "subscriber[1].imsi",
            "comes twice",
            "line 2",
            "subscribers.toml:10:",
            "subscriber[1].k",
            "2 mistakes",
        ]);
        assert!(!done.err.contains("465b5ce8b199"), "{}", done.err);
        assert!(done.out.is_empty(), "{}", done.out);
    }
}

#[test]
fn a_corporate_prefix_must_be_private() {
    let folder = Folder::new("prefix");
    let text = PGW
        .replace("S5C", "127.0.0.1:0")
        .replace("10.20.0.0/16", "8.8.8.0/24");
    let path = folder.write("pgw.toml", &text);
    let done = run("pgw", &["serve", "--config", &path]).exits(64);
    done.says(&["pgw.toml:12:", "tenant[0].prefix", "8.8.8.0/24"]);
}

#[test]
fn s6a_in_clear_text_off_loopback_must_be_asked_for() {
    let folder = Folder::new("clear");
    let text = HSS
        .replace("S6A", "192.0.2.1:3868")
        .replace("ADMIN", "127.0.0.1:0");
    let path = folder.write("hss.toml", &text);
    let done = run("heiiki", &["check", &path]).exits(64);
    done.says(&["hss.toml:5:", "s6a.listen", "allow_clear = true"]);
    let allowed = text.replace("[s6a]", "[s6a]\nallow_clear = true");
    run("heiiki", &["check", &folder.write("hss.toml", &allowed)]).exits(0);
}

#[test]
fn an_address_in_use_is_told_with_its_key() {
    let folder = Folder::new("in-use");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (s6a, admin, line, key) in [
        (address.as_str(), free, 5, "s6a.listen"),
        (free, address.as_str(), 8, "admin.listen"),
    ] {
        let text = HSS.replace("S6A", s6a).replace("ADMIN", admin);
        let path = folder.write("hss.toml", &text);
        let done = run("hss", &["serve", "--config", &path]).exits(64);
        let place = format!("hss.toml:{line}:");
        done.says(&[&place, key, &address, "another process holds it"]);
    }
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = folder.write("pgw.toml", &PGW.replace("S5C", &address));
    let done = run("pgw", &["serve", "--config", &path]).exits(64);
    done.says(&[
        "pgw.toml:2:",
        "s5c.listen",
        &address,
        "another process holds it",
    ]);
}

#[test]
fn an_address_of_another_machine_is_told_with_its_key() {
    let folder = Folder::new("not-here");
    // A documentation address (RFC 5737) is nobody's.
    let path = folder.write("pgw.toml", &PGW.replace("S5C", "192.0.2.1:2123"));
    let done = run("pgw", &["serve", "--config", &path]).exits(64);
    done.says(&["pgw.toml:2:", "s5c.listen", "not one of this machine's"]);
}

#[test]
fn a_token_that_others_can_read_is_refused() {
    let folder = Folder::new("token");
    let text = HSS
        .replace("S6A", "127.0.0.1:0")
        .replace("ADMIN", "127.0.0.1:1");
    let path = folder.write("hss.toml", &text);
    let token = folder.path("hss-token");
    std::fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let parts = ["admin.token_file", "others may read", "chmod 600"];
    run("hss", &["serve", "--config", &path])
        .exits(64)
        .says(&parts);
    run("hss", &["subscriber", "list", "--config", &path])
        .exits(64)
        .says(&parts);
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Nobody listens there: well asked for, and did not work.
    run("hss", &["subscriber", "list", "--config", &path])
        .exits(1)
        .says(&["does not answer"]);
}

#[test]
fn every_printed_default_is_a_good_file_of_its_kind() {
    let folder = Folder::new("defaults");
    for kind in ["hss", "pgw", "ue-sim", "subscribers", "lab", "scenario"] {
        let text = run("heiiki", &["config", "print", kind]).exits(0).out;
        let path = folder.write(&format!("{kind}.toml"), &text);
        let done = run("heiiki", &["check", &path]).exits(0);
        assert_eq!(done.out, format!("{path}: {kind}, no mistake\n"));
    }
    assert!(
        run("heiiki", &["config", "print"])
            .exits(0)
            .out
            .contains("#### lab ####")
    );
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let folder = Folder::new("check");
    let good = folder.write("good.toml", SCENARIO);
    let bad = folder.write(
        "bad.toml",
        &SCENARIO.replace("ue = \"red\"", "ue = \"rde\""),
    );
    let other = folder.write("other.toml", "colour = \"red\"\n");
    let done = run("heiiki", &["check", &bad, &other, &good]).exits(64);
    let done = done.says(&["bad.toml:24:", "bad.toml:28:", "no key tells"]);
    assert!(
        done.out.contains("good.toml: scenario, no mistake"),
        "{}",
        done.out
    );
}

#[test]
fn scenarios_are_listed_and_explained() {
    let folder = Folder::new("list");
    folder.write("a.toml", SCENARIO);
    folder.write("b.toml", "format = 0\n");
    let done = run("heiiki", &["list", folder.path("").to_str().unwrap()]).exits(0);
    assert!(
        done.out.contains("a.toml  One SIM attaches\n"),
        "{}",
        done.out
    );
    assert!(done.out.contains("b.toml  (has"), "{}", done.out);
    let done = run(
        "heiiki",
        &["explain", folder.path("a.toml").to_str().unwrap()],
    )
    .exits(0);
    for part in [
        "One SIM attaches",
        "10.20.0.0/16",
        "must be accepted",
        "online: attached == 1",
    ] {
        assert!(done.out.contains(part), "{part} in:\n{}", done.out);
    }
}

#[test]
fn a_run_ends_with_its_verdict_and_leaves_evidence() {
    let folder = Folder::new("run");
    let failing = SCENARIO.replace("value = 1", "value = 2");
    let control = format!("{failing}control = true\n");
    for (name, text, code) in [
        ("pass", SCENARIO, 0),
        ("fail", &failing, 1),
        ("unproved", &control, 2),
    ] {
        let path = folder.write(&format!("{name}.toml"), text);
        let out = folder.path(name);
        run("heiiki", &["run", &path, "--out", out.to_str().unwrap()]).exits(code);
        for file in ["report.json", "report.html", "events.ndjson", "matrix.csv"] {
            assert!(out.join(file).is_file(), "{name}: {file}");
        }
    }
}

#[test]
fn a_capture_with_keys_is_for_its_owner_alone() {
    let folder = Folder::new("pcap");
    let path = folder.write("s.toml", SCENARIO);
    let out = folder.path("out");
    // There before, for everybody.
    let pcap = folder.write("s.pcapng", "");
    let args = [
        "run",
        &path,
        "--out",
        out.to_str().unwrap(),
        "--pcap",
        &pcap,
    ];
    run("heiiki", &args).exits(0);
    let masked = std::fs::read(&pcap).unwrap();
    assert_eq!(masked.first_chunk(), Some(&[0x0a, 0x0d, 0x0d, 0x0a]));
    let with_keys = [&args[..], &["--lab-secrets"]].concat();
    run("heiiki", &with_keys).exits(0);
    let shown = std::fs::read(&pcap).unwrap();
    assert_eq!(shown.len(), masked.len());
    assert_ne!(shown, masked);
    let mode = std::fs::metadata(&pcap).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn sets() -> Vec<serde_json::Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/vectors/milenage_35208.json"
    );
    let file: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["sets"].as_array().unwrap().clone()
}

/// Goal: the offline authenticator says what TS 35.207 and 35.208 say.
/// Method: the first test sets of each, keys in a file with OPc and on standard input with OP.
#[test]
fn vectors_equal_the_test_sets() {
    let folder = Folder::new("aka");
    for set in [1, 3, 6, 9].iter().filter_map(|n| sets().get(*n).cloned()) {
        let text = |name: &str| set[name].as_str().unwrap().to_owned();
        let (amf, sqn, rand) = (text("AMF"), text("SQN"), text("RAND"));
        let challenge = [
            "--amf", &amf, "--sqn", &sqn, "--rand", &rand, "--plmn", "00101", "--json",
        ];
        let file = folder.write(
            "key",
            &format!("k = {}\nopc = {}\n", text("K"), text("OPc")),
        );
        let args = [&["aka", "vector", "--key-file", &file][..], &challenge].concat();
        let done = run("hss", &args).exits(0);
        let out: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        for (key, name) in [
            ("f1", "f1_MAC-A"),
            ("f1star", "f1*_MAC-S"),
            ("f2", "f2_RES"),
            ("f3", "f3_CK"),
            ("f4", "f4_IK"),
            ("f5", "f5_AK"),
            ("f5star", "f5*_AK*"),
        ] {
            if let Some(expected) = set[name].as_str() {
                assert_eq!(out[key], expected, "{key} of {set}");
            }
        }
        let keys: Vec<&str> = out
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            [
                "autn", "f1", "f1star", "f2", "f3", "f4", "f5", "f5star", "kasme"
            ]
        );
        assert!(
            out["autn"]
                .as_str()
                .unwrap()
                .ends_with(&format!("{amf}{}", text("f1_MAC-A")))
        );
        assert_eq!(out["kasme"].as_str().unwrap().len(), 64);
        let args = [&["hss", "aka", "vector", "--key-file", "-"][..], &challenge].concat();
        let mut child = Command::new(binary("heiiki"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = format!(
            "# a SIM\nOP = \"{}\"\nK = {}",
            text("OP"),
            text("K").to_uppercase()
        );
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), keys.as_bytes()).unwrap();
        let other = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(other.stdout).unwrap(), done.out);
    }
}

#[test]
fn a_bad_key_file_is_told_without_its_digits() {
    let folder = Folder::new("bad-key");
    let file = folder.write("key", "k = 465b5ce8b199b49faa5f0a2ee238a6\nkey = 1\n");
    let rand = "23553cbe9637a89d218ae64dae47bf35";
    let challenge = [
        "--amf",
        "8000",
        "--sqn",
        "000000000021",
        "--rand",
        rand,
        "--plmn",
        "00101",
    ];
    let args = [&["aka", "vector", "--key-file", &file][..], &challenge].concat();
    let done = run("hss", &args).exits(64);
    let done = done.says(&["key:1: k: ", "key:2: ", "opc, op: one of them is missing"]);
    assert!(!done.err.contains("465b"), "{}", done.err);
}
