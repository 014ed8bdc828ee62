use core::fmt::Write as _;
use core::sync::atomic::{AtomicU32, Ordering};
use std::path::{Path, PathBuf};

use super::*;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(path)
}

/// A file that lives as long as its test.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("heiiki-files-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}

fn mistakes(kind: FileKind, text: &str) -> Mistakes {
    let name = format!("{}.toml", kind.name());
    check(kind, &Written::new(&name, text).0).expect_err("the file has mistakes")
}

/// Mistakes without their file: `LINE:COLUMN KEY: PROBLEM; HELP`.
fn told(kind: FileKind, text: &str) -> Vec<String> {
    let mistakes = mistakes(kind, text);
    let line = |m: &Mistake| {
        assert!(
            m.file().ends_with(&format!("{}.toml", kind.name())),
            "{}",
            m.file()
        );
        format!(
            "{}:{} {}: {}; {}",
            m.line(),
            m.column(),
            m.key(),
            m.problem(),
            m.help()
        )
    };
    mistakes.iter().map(line).collect()
}

/// Replaces one line of the printed defaults by another, and gives its number.
fn changed(kind: FileKind, from: &str, to: &str) -> (String, usize) {
    let text = kind.defaults();
    let line = text.lines().position(|l| l == from).expect(from) + 1;
    (
        text.replacen(&format!("\n{from}\n"), &format!("\n{to}\n"), 1),
        line,
    )
}

/// What is told of the one line that was changed.
fn told_of(kind: FileKind, from: &str, to: &str) -> String {
    let (text, line) = changed(kind, from, to);
    let all = told(kind, &text);
    assert_eq!(all.len(), 1, "{all:#?}");
    let (at, rest) = all[0].split_once(' ').unwrap();
    assert_eq!(at.split(':').next().unwrap(), line.to_string());
    rest.to_owned()
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_one() {
    for (kind, from, to, want) in [
        (
            FileKind::Hss,
            "#store = \"hss-data\"",
            "stroe = \"x\"",
            "stroe: there is no such key here; did you mean `store`?",
        ),
        (
            FileKind::Pgw,
            "#n3 = 3",
            "n4 = 3",
            "s5c.n4: there is no such key here; did you mean `n3`?",
        ),
        (
            FileKind::UeSim,
            "#gtpu_port = 2152",
            "gtpuPort = 2152",
            "pgw[0].gtpuPort: there is no such key here; did you mean `gtpu_port`?",
        ),
        (
            FileKind::Subscribers,
            "#qci = 9",
            "colour = 9",
            "subscriber[0].colour: there is no such key here; the keys here are `imsi`, `k`, \
             `opc`, `op`, `amf`, `sqn`, `msisdn`, `tenant`, `apn`, `static_ip`, `static_ipv6`, \
             `qci`, `uplink`, `downlink` and `state`",
        ),
        (
            FileKind::Scenario,
            "#within = \"30s\"",
            "witin = \"30s\"",
            "step[0].witin: there is no such key here; did you mean `within`?",
        ),
    ] {
        assert_eq!(told_of(kind, from, to), want);
    }
}

#[test]
fn no_server_has_a_key_that_weakens_it() {
    let text = format!("{}[weaken]\noff = [\"bar\"]\n", FileKind::Pgw.defaults());
    assert!(told(FileKind::Pgw, &text)[0].contains(" weaken: there is no such key here"));
    let open = told_of(FileKind::Pgw, "#mtu = 1400", "egress = \"open_lab\"");
    assert!(
        open.starts_with("apn[0].egress: there is no such key here"),
        "{open}"
    );
}

#[test]
fn a_duplicate_imsi_is_told_with_the_other_line() {
    let row = "[[subscriber]]
imsi = \"001010000000001\"
k = \"465b5ce8b199b49faa5f0a2ee238a6bc\"
opc = \"cd63cb71954a9f4e48a5994e37a02baf\"
tenant = \"red\"
apn = \"red.corp\"
";
    assert_eq!(
        told(FileKind::Subscribers, &row.repeat(2)),
        [
            "8:8 subscriber[1].imsi: IMSI `001010000000001` comes twice; it is already in line 2; \
          change or remove one of them"
        ],
    );
    let lab = format!(
        "{}[[sim]]\nname = \"b\"\nimsi = \"001010000000001\"\napn = \"red.corp\"\n",
        FileKind::Lab.defaults()
    );
    let told = told(FileKind::Lab, &lab);
    assert!(
        told[0].contains(" sim[1].imsi: IMSI `001010000000001` comes twice;"),
        "{told:?}"
    );
}

#[test]
fn a_key_of_the_wrong_length_is_told_and_not_shown() {
    let line = "k = \"465b5ce8b199b49faa5f0a2ee238a6bc\"";
    let short = "465b5ce8b1";
    for kind in [FileKind::Subscribers, FileKind::UeSim] {
        let told = told_of(kind, line, &format!("k = \"{short}\""));
        let want = "].k: this key has 10 digits; a key is 32 hexadecimal digits (16 octets)";
        assert!(told.ends_with(want), "{told}");
    }
    let (text, _) = changed(FileKind::Subscribers, line, &format!("k = \"{short}\""));
    let mistakes = mistakes(FileKind::Subscribers, &text);
    for shown in [
        mistakes.to_string(),
        mistakes.render(false, 100),
        format!("{mistakes:?}"),
    ] {
        assert!(!shown.contains(short), "{shown}");
        assert!(
            !shown.contains("cd63cb71954a9f4e48a5994e37a02baf"),
            "{shown}"
        );
    }
    assert!(mistakes.render(false, 100).contains("k = \"**********\""));
}

#[test]
fn a_key_in_the_wrong_place_is_not_shown_either() {
    let key = "465b5ce8b199b49faa5f0a2ee238a6bc";
    let text = FileKind::Subscribers
        .defaults()
        .replace("001010000000001", key);
    let mistakes = mistakes(FileKind::Subscribers, &text);
    assert!(!mistakes.to_string().contains(key));
    assert!(!mistakes.render(false, 100).contains(key));
}

#[test]
fn a_corporate_prefix_must_be_private() {
    let from = "prefix = [\"10.20.0.0/16\"]";
    let told = |range: &str| told_of(FileKind::Pgw, from, &format!("prefix = [{range}]"));
    assert_eq!(
        told("\"10.20.0.0/16\", \"198.51.100.0/24\""),
        "tenant[0].prefix[1]: `198.51.100.0/24` is not private; take a range of 10.0.0.0/8, \
         172.16.0.0/12, 192.168.0.0/16 or fc00::/7; if the company owns this one and uses it \
         inside, write { range = \"198.51.100.0/24\", owned_global = true }",
    );
    assert_eq!(
        told("\"10.20.0.0/16\", \"100.64.0.0/16\""),
        "tenant[0].prefix[1]: `100.64.0.0/16` is not private; if the company uses shared address \
         space inside, add `shared_space = true` to this tenant",
    );
    for range in [
        "127.0.0.0/8",
        "169.254.1.0/24",
        "224.0.0.0/4",
        "0.0.0.0/0",
        "fe80::/64",
        "::/0",
    ] {
        for text in [
            format!("\"{range}\""),
            format!("{{ range = \"{range}\", owned_global = true }}"),
        ] {
            let told = told(&text);
            assert!(told.contains("which no company owns"), "{range}: {told}");
        }
    }
    assert!(told("\"10.0.0.0/7\"").contains("is not private"));
}

#[test]
fn what_a_tenant_may_declare() {
    for range in [
        "\"192.168.0.0/16\"",
        "\"fd12::/32\"",
        "{ range = \"198.51.100.0/24\", owned_global = true }",
    ] {
        let line = format!("prefix = [\"10.20.0.0/16\", {range}]");
        let (text, _) = changed(FileKind::Pgw, "prefix = [\"10.20.0.0/16\"]", &line);
        let file = Written::new("pgw.toml", &text);
        let pgw = load_pgw(&file.0).unwrap();
        assert_eq!(
            pgw.tenants[0].prefixes[1].owned_global,
            range.contains("owned")
        );
    }
}

#[test]
fn units_are_told() {
    for (kind, from, to, want) in [
        (
            FileKind::Pgw,
            "#t3 = \"3s\"",
            "t3 = 3",
            "s5c.t3: `3` has no unit; write a duration with its unit, such as \"10ms\"; units \
             are `us`, `ms`, `s`, `min`, `h` and `d`",
        ),
        (
            FileKind::Pgw,
            "#uplink = \"100Mbps\"",
            "uplink = \"100mbps\"",
            "apn[0].uplink: `mbps` is not a unit of a rate; did you mean `100Mbps`?",
        ),
        (
            FileKind::Pgw,
            "#quarantine = \"60s\"",
            "quarantine = \"9s\"",
            "quarantine: an address may come back while a request for it is still repeated (9s); \
             write more than N3 x T3, which is 9s; the default is \"60s\"",
        ),
        (
            FileKind::Lab,
            "#loss = \"0%\"",
            "loss = \"101%\"",
            "link[0].loss: `101%` is not a share; write a share from \"0%\" to \"100%\"",
        ),
        (
            FileKind::Lab,
            "prefix = [\"10.20.0.0/16\"]",
            "prefix = [\"10.20.3.0/16\"]",
            "tenant[0].prefix[0]: `10.20.3.0/16` is not a prefix; it has bits set after its \
             length; did you mean \"10.20.0.0/16\"?",
        ),
    ] {
        assert_eq!(told_of(kind, from, to), want);
    }
}

#[test]
fn addresses_belong_to_their_ranges() {
    for (kind, from, to, want) in [
        (
            FileKind::Pgw,
            "pool = \"10.20.0.0/24\"",
            "pool = \"10.30.0.0/24\"",
            "apn[0].pool: `10.30.0.0/24` is not inside a prefix of tenant `red`;",
        ),
        (
            FileKind::Pgw,
            "pool = \"10.20.0.0/24\"",
            "pool = \"10.20.0.0/16\"",
            "apn[0].pool: `10.20.0.0/16` holds the address of host `intranet`, 10.20.255.10;",
        ),
        (
            FileKind::Pgw,
            "address = \"10.20.255.10\"",
            "address = \"10.21.255.10\"",
            "tenant[0].host[0].address: `10.21.255.10` is not in a prefix of this tenant;",
        ),
        (
            FileKind::Pgw,
            "#infrastructure = [\"127.0.0.0/8\"]",
            "infrastructure = [\"10.20.9.0/24\"]",
            "infrastructure[0]: `10.20.9.0/24` overlaps `10.20.0.0/16` of tenant `red`;",
        ),
        (
            FileKind::Lab,
            "#qci = 9",
            "static_ip = \"10.20.1.1\"",
            "sim[0].static_ip: `10.20.1.1` is not an address for a SIM of access point `red.corp`;",
        ),
        (
            FileKind::Lab,
            "#qci = 9",
            "static_ip = \"10.20.0.255\"",
            "sim[0].static_ip: `10.20.0.255` is not an address for a SIM",
        ),
        (
            FileKind::Lab,
            "tenant = \"red\"",
            "tenant = \"rde\"",
            "apn[0].tenant: there is no tenant `rde`; did you mean `red`?",
        ),
        (
            FileKind::Lab,
            "apn = [\"red.corp\"]",
            "apn = [\"red.crop\"]",
            "sim[0].apn[0]: there is no access point `red.crop`; did you mean `red.corp`?",
        ),
        (
            FileKind::Hss,
            "#listen = \"127.0.0.1:3868\"",
            "listen = \"0.0.0.0:3868\"",
            "s6a.listen: `0.0.0.0:3868` is not on this machine, and S6a would travel in clear text;",
        ),
    ] {
        let told = told_of(kind, from, to);
        assert!(told.starts_with(want), "{told}\nis not\n{want}");
    }
}

#[test]
fn a_static_address_comes_once_in_a_tenant() {
    let sim = |name: &str, imsi: &str, apn: &str| {
        format!(
            "[[sim]]\nname = \"{name}\"\nimsi = \"{imsi}\"\napn = \"{apn}\"\nstatic_ip = \"10.20.0.5\"\n"
        )
    };
    let blue = "[[tenant]]\nname = \"blue\"\nprefix = \"10.20.0.0/16\"\n[[apn]]\nname = \"blue.corp\"\n\
                tenant = \"blue\"\npool = \"10.20.0.0/24\"\n";
    let mut text = format!("{}{blue}", FileKind::Lab.defaults());
    text.push_str(&sim("a", "001010000000011", "red.corp"));
    text.push_str(&sim("b", "001010000000012", "blue.corp"));
    check(FileKind::Lab, &Written::new("lab.toml", &text).0).unwrap();
    text.push_str(&sim("c", "001010000000013", "red.corp"));
    let told = told(FileKind::Lab, &text);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("sim[3].static_ip: static address `10.20.0.5 of red` comes twice"));
}

const MANY: &str = r#"format = 0
titel = "misspelt, which is one mistake and not two"

[[tenant]]
name = "red"
prefix = "8.8.8.0/24"

[[apn]]
name = "red.corp"
tenant = "blue"
pool = "10.20.0.0/24"
uplink = 100

[[sim]]
name = "red"
count = 2
imsi = "1"
apn = "red.corp"

[[step]]
do = "atach"
eu = "all"

[[step]]
at = "5s"
do = "probe"
ue = "green"
to = ["outsde"]
expect = "refused"

[[step]]
at = "4s"
do = "wait"
for = "1m"

[[assert]]
that = "reject_cause"
ue = "red"
op = "is"
value = 8
"#;

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let all = told(FileKind::Scenario, MANY);
    let places: Vec<&str> = all.iter().map(|m| m.split_once(": ").unwrap().0).collect();
    assert_eq!(
        places,
        [
            "2:1 titel",
            "6:10 tenant[0].prefix",
            "10:10 apn[0].tenant",
            "12:10 apn[0].uplink",
            "17:8 sim[0].imsi",
            "21:6 step[0].do",
            "27:6 step[1].ue",
            "28:7 step[1].to[0]",
            "32:6 step[2].at",
            "34:7 step[2].for",
            "38:6 assert[0].ue",
            "39:6 assert[0].op",
            "40:9 assert[0].value",
        ],
        "{all:#?}"
    );
}

#[test]
fn mistakes_of_syntax_are_told_without_what_follows_from_them() {
    let text = "origin_host = \norigin_realm = \"r\"\nstroe = 3\n[[mme]]\nvisited_plmns = \"1\n";
    let all = told(FileKind::Hss, text);
    let places: Vec<&str> = all.iter().map(|m| m.split_once(": ").unwrap().0).collect();
    assert_eq!(places.len(), 3, "{all:#?}");
    assert!(places[0].starts_with("1:"), "{all:#?}");
    assert_eq!(places[1], "3:1 stroe");
    assert!(places[2].starts_with("5:"), "{all:#?}");
}

#[test]
fn a_mistake_is_shown_in_its_line() {
    let file = Written::new("pgw.toml", "stroe = \"x\"\n");
    let mistakes = load_pgw(&file.0).unwrap_err();
    let name = file.0.display();
    let shown = mistakes.render(false, 400);
    let want = format!(
        "  × stroe: there is no such key here
   ╭─[{name}:1:1]
 1 │ stroe = \"x\"
   · ─────
   ╰────
  help: did you mean `store`?
"
    );
    assert!(shown.contains(&want), "{shown}");
    assert!(
        shown.ends_with(&format!("3 mistakes in {name}; nothing was started\n")),
        "{shown}"
    );
    let line = format!("{name}:1:1: stroe: there is no such key here; did you mean `store`?\n");
    assert!(mistakes.to_string().contains(&line), "{mistakes}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let mistakes = load_hss(Path::new("no/such.toml")).unwrap_err();
    let text = mistakes.to_string();
    assert!(
        text.starts_with("no/such.toml:1:1: no/such.toml cannot be read: "),
        "{text}"
    );
    assert!(mistakes.render(false, 100).contains("cannot be read"));
    let told = told_of(
        FileKind::UeSim,
        "#store = \"ue-sim-data\"",
        "subscribers = \"gone.toml\"",
    );
    assert!(
        told.starts_with("subscribers: ") && told.contains("cannot be read"),
        "{told}"
    );
}

#[test]
fn mistakes_of_a_named_lab_file_are_told_with_its_name() {
    let lab = Written::new("office.toml", "format = 1\n");
    let text = format!(
        "format = 0\ntitle = \"t\"\nlab = {:?}\n[[step]]\ndo = \"attach\"\nue = \"all\"\nwithn = 1\n",
        lab.0
    );
    let file = Written::new("s.toml", &text);
    let mistakes = load_scenario(&file.0, Size::Ci).unwrap_err();
    let all: Vec<(bool, &str)> = mistakes
        .iter()
        .map(|m| (m.file().ends_with("office.toml"), m.key()))
        .collect();
    assert!(all.contains(&(true, "format")), "{mistakes}");
    assert!(all.contains(&(false, "step[0].withn")), "{mistakes}");
}

#[test]
fn printed_defaults_are_the_defaults() {
    for kind in FileKind::ALL {
        let name = format!("{}.toml", kind.name());
        let text = kind.defaults();
        let mut plain = String::new();
        for line in text.lines() {
            let is_key = line.starts_with('#') && !line.starts_with("# ") && line != "#";
            let _ = writeln!(plain, "{}", if is_key { &line[1..] } else { line });
        }
        // In the same folder, since paths are relative to it.
        let file = Written::new(&name, text);
        let show = |path: &Path| match kind {
            FileKind::Hss => load_hss(path).map(|f| format!("{f:#?}")),
            FileKind::Pgw => load_pgw(path).map(|f| format!("{f:#?}")),
            FileKind::UeSim => load_ue_sim(path).map(|f| format!("{f:#?}")),
            FileKind::Subscribers => load_subscribers(path).map(|f| format!("{f:#?}")),
            FileKind::Lab => load_lab(path).map(|f| format!("{f:#?}")),
            FileKind::Scenario => load_scenario(path, Size::Ci).map(|f| format!("{f:#?}")),
        };
        let commented = show(&file.0).unwrap_or_else(|m| panic!("{m}"));
        std::fs::write(&file.0, &plain).unwrap();
        let written = show(&file.0).unwrap_or_else(|m| panic!("{m}"));
        // Lines are the only thing that a key less may change, and there is none less.
        assert_eq!(commented, written, "{}", kind.name());
        assert_ne!(text, plain);
    }
}

#[test]
fn printed_defaults_name_every_key() {
    // A key that no file has makes the reader list those that are.
    let text = FileKind::Pgw
        .defaults()
        .replace("[s5c]\n", "[s5c]\nzzzzzz = 0\n");
    let told = told(FileKind::Pgw, &text);
    for key in ["listen", "sgws", "t3", "n3", "echo"] {
        assert!(told[0].contains(&format!("`{key}`")), "{told:?}");
    }
}

#[test]
fn both_forms_of_a_subscribers_file_say_the_same() {
    let folder = fixture("labs/three-processes");
    let toml = load_subscribers(&folder.join("subscribers.toml")).unwrap();
    let csv = load_subscribers(&folder.join("subscribers.csv")).unwrap();
    assert_eq!(toml, csv);
    assert_eq!(toml.len(), 2);
}

#[test]
fn a_mistake_in_a_table_is_told_in_its_field() {
    let k = "465b5ce8b199b49faa5f0a2ee238a6bc";
    let text = format!(
        "imsi,k,opc,tenant,apn,qci\n\
         001010000000001,{k},{k},red,red.corp,9\n\
         001010000000001,{k}aa,{k},red,red.corp internet,\n\
         001010000000003,{k},{k},red\n\
         001010000000004,{k},{k},,red.corp,nine\n"
    );
    let file = Written::new("s.csv", &text);
    let mistakes = load_subscribers(&file.0).unwrap_err();
    let got: Vec<String> = mistakes
        .iter()
        .map(|m| format!("{}:{} {}", m.line(), m.column(), m.key()))
        .collect();
    assert_eq!(
        got,
        [
            "3:1 subscriber[1].imsi",
            "3:17 subscriber[1].k",
            "4:1 subscriber[2]",
            "5:83 subscriber[3].tenant",
            "5:93 subscriber[3].qci",
        ],
        "{mistakes}"
    );
    assert!(
        mistakes.to_string().contains("already in line 2"),
        "{mistakes}"
    );
    assert!(!mistakes.render(false, 100).contains(k));
    let head = Written::new("s.csv", "imsi,key\n");
    assert_eq!(
        load_subscribers(&head.0)
            .unwrap_err()
            .iter()
            .next()
            .unwrap()
            .column(),
        6
    );
}

#[test]
fn the_servers_of_the_example_agree() {
    let folder = fixture("labs/three-processes");
    let hss = load_hss(&folder.join("hss.toml")).unwrap();
    let pgw = load_pgw(&folder.join("pgw.toml")).unwrap();
    let ue_sim = load_ue_sim(&folder.join("ue-sim.toml")).unwrap();
    assert_eq!(ue_sim.hss.s6a, hss.s6a);
    assert_eq!(ue_sim.hss.realm, hss.origin_realm);
    assert_eq!(hss.mmes[0].origin_host, ue_sim.origin_host);
    assert_eq!(hss.gateways[0].admin.address, pgw.admin.listen);
    assert_eq!(hss.gateways[0].token_file, pgw.operate_token_file);
    assert_eq!(ue_sim.pgws[0].s5c, pgw.s5c);
    assert!(pgw.sgws.iter().any(|p| p.contains(ue_sim.s5c.ip())));
    let served: Vec<_> = pgw.apns.iter().map(|a| a.apn.clone()).collect();
    assert_eq!(hss.gateways[0].apns, served);
    assert_eq!(ue_sim.cards.len(), 2);
}

#[test]
fn the_lost_sim_reads_at_every_size() {
    let path = fixture("scenarios/lost-sim.toml");
    for (size, count) in [(Size::Ci, 5), (Size::Dev, 250), (Size::Full, 15_000)] {
        let scenario = load_scenario(&path, size).unwrap_or_else(|m| panic!("{m}"));
        assert_eq!(scenario.name, "lost-sim");
        assert_eq!(scenario.lab.sims.len(), 2 * count + 1);
        let online = |a: &&Assert| matches!(a.figure, Figure::Attached { .. });
        for assert in scenario.asserts.iter().filter(online) {
            assert_eq!(assert.value, Value::Count(u64::try_from(count).unwrap()));
        }
        let [red, blue] = [0, count].map(|i| &scenario.lab.sims[i]);
        assert_eq!((&*red.name, &*blue.name), ("red-1", "blue-1"));
        assert_eq!(red.apns[0].static_ip, blue.apns[0].static_ip);
        assert_ne!(red.tenant, blue.tenant);
        assert_eq!(scenario.protections, heiiki_types::Protections::ALL);
        assert!(scenario.asserts.iter().any(|a| a.control));
    }
}

#[test]
fn steps_are_resolved() {
    let scenario = load_scenario(&fixture("scenarios/lost-sim.toml"), Size::Ci).unwrap();
    let probe = scenario.steps.iter().find_map(|s| match &s.action {
        Action::Probe {
            ues,
            to,
            over,
            expect: Expect::Refused,
        } => Some((ues, to, over)),
        _ => None,
    });
    let (ues, to, over) = probe.unwrap();
    assert_eq!(*ues, [SimRef(1), SimRef(6)]);
    let want = [
        Destination::OtherTenants,
        Destination::Neighbour,
        Destination::Core,
        Destination::Outside,
    ];
    assert_eq!(*to, want);
    assert_eq!(*over, [Via::Icmp, Via::Tcp(443), Via::Udp(53)]);
    let file = scenario.steps.iter().find_map(|s| match s.action {
        Action::FileGet { size, .. } => Some(size),
        _ => None,
    });
    assert_eq!(file, Some(1_000_000));
    let refused = scenario.steps.iter().any(|s| {
        let expect = AttachExpect::Rejected {
            cause: Some(Cause::Emm(8)),
            protected: Some(true),
        };
        matches!(&s.action, Action::Reattach { expect: e, .. } if *e == expect)
    });
    assert!(refused);
}

#[test]
fn link_steps_are_resolved() {
    let with = |keys: &str| {
        format!(
            "{}[[step]]\ndo = \"link\"\nlink = \"s5c\"\n{keys}\n",
            FileKind::Scenario.defaults()
        )
    };
    let rule = |keys: &str| {
        let file = Written::new("s.toml", &with(keys));
        let scenario = load_scenario(&file.0, Size::Ci).unwrap_or_else(|m| panic!("{m}"));
        match scenario.steps.last().map(|s| s.action.clone()) {
            Some(Action::Link {
                link: LinkName::S5c,
                rule,
            }) => rule,
            other => panic!("{other:?}"),
        }
    };
    let message = String::from("CreateSessionResponse");
    let nth = |nth, fate| LinkRule::Nth {
        message: message.clone(),
        nth,
        fate,
    };
    let named = "message = \"CreateSessionResponse\"";
    assert_eq!(
        rule(&format!("{named}\nnth = 2\ndrop = true")),
        nth(2, Fate::Drop)
    );
    assert_eq!(
        rule(&format!("{named}\nduplicate = true")),
        nth(1, Fate::Duplicate)
    );
    assert_eq!(rule("partition = true"), LinkRule::Partition);
    assert_eq!(rule("heal = true"), LinkRule::Heal);
    assert_eq!(
        rule("loss = \"12.5%\"\ndelay = \"1.5ms\""),
        LinkRule::Quality(Quality {
            loss: 0.125,
            delay: heiiki_types::Duration::from_micros(1_500),
            ..Quality::default()
        })
    );
    for unclear in [
        "",
        "partition = true\nheal = true",
        named,
        "loss = \"1%\"\nheal = true",
    ] {
        let told = told(FileKind::Scenario, &with(unclear));
        assert!(told[0].contains("it is not clear"), "{told:?}");
    }
}

#[test]
fn weakened_protections_are_named() {
    let off = |names: &str| {
        let text = FileKind::Scenario
            .defaults()
            .replace("#off = []", &format!("off = {names}"));
        Written::new("s.toml", &text)
    };
    let scenario = load_scenario(&off("[\"bar\", \"source_check\"]").0, Size::Ci).unwrap();
    assert!(!scenario.protections.bar && !scenario.protections.source_check);
    assert!(scenario.protections.sim_state);
    assert_eq!(scenario.weakened, ["bar", "source_check"]);
    let mistakes = load_scenario(&off("\"brr\"").0, Size::Ci).unwrap_err();
    assert!(
        mistakes
            .to_string()
            .contains("weaken.off: there is no protection `brr`")
    );
}

#[test]
fn no_file_panics_its_reader() {
    let mut rng = heiiki_types::Rng::from_seed(7);
    for kind in FileKind::ALL {
        let file = Written::new(&format!("{}.toml", kind.name()), "");
        let text = kind.defaults().replace("\n#", "\n");
        for _ in 0..150 {
            let mut octets = text.clone().into_bytes();
            for _ in 0..=rng.below(4) {
                let at = usize::try_from(rng.below(octets.len() as u64)).unwrap();
                match rng.below(4) {
                    0 => octets.truncate(at.max(1)),
                    1 => octets[at] = rng.octets::<1>()[0] & 0x7f,
                    2 => drop(octets.splice(at..at, "\u{e9}\u{1f4a5}\t".bytes())),
                    _ => drop(octets.remove(at)),
                }
                octets.resize(octets.len().max(1), b' ');
            }
            std::fs::write(&file.0, String::from_utf8_lossy(&octets).as_bytes()).unwrap();
            if let Err(mistakes) = check(kind, &file.0) {
                assert!(mistakes.iter().next().is_some());
                let _ = (mistakes.to_string(), mistakes.render(true, 80));
            }
        }
    }
}

#[test]
fn a_relay_names_what_it_carries() {
    let text = FileKind::Hss.defaults();
    let file = Written::new("hss.toml", text);
    let hss = load_hss(&file.0).unwrap_or_else(|m| panic!("{m}"));
    let [mme, relay] = &hss.mmes[..] else {
        panic!("{:?}", hss.mmes)
    };
    assert!(mme.carries.is_empty() && relay.visited_plmns.is_empty());
    assert_eq!(relay.carries[0].visited_plmns, mme.visited_plmns);
    let certificate = "certificates = [\"AA:".to_owned() + &"00".repeat(31) + "\"]\nrate = 10";
    let file = Written::new(
        "rated.toml",
        &text.replacen("#certificates = []", &certificate, 1),
    );
    let hss = load_hss(&file.0).unwrap_or_else(|m| panic!("{m}"));
    assert_eq!(hss.mmes[0].certificates[0][..2], [0xaa, 0]);
    assert_eq!(
        hss.mmes[0].rate.map(|r| (r.per_second, r.burst)),
        Some((10, 10))
    );
    for (from, to, want) in [
        (
            "#tls = false",
            "burst = 3",
            "mme[0].burst: it has no `rate`",
        ),
        ("#tls = false", "rate = 0", "mme[0].rate: no request at all"),
        (
            "#certificates = []",
            "certificates = \"ab\"",
            "`ab` is not a SHA-256 fingerprint",
        ),
    ] {
        let told = told_of(FileKind::Hss, from, to);
        assert!(told.contains(want), "{told}");
    }
    let text = text.replacen("\"mme*.epc", "\"*mme*.epc", 1);
    let told = told(FileKind::Hss, &text);
    assert!(told[0].contains("more than one `*`"), "{told:?}");
}
