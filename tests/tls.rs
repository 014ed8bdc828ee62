//! TLS as an independent eye sees it: `openssl s_client` carries Diameter to the HSS with all kinds
//! of certificates, and the command line and the gateway are called over HTTPS.
#![cfg(feature = "cli")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod command;
mod served;

use core::net::SocketAddr;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use command::{Folder, run};
use heiiki_diameter::{AnswerResult, ResultCode};
use served::{REALM, Served, air, cer, host, read_message};

/// Puts the certificates of `fixtures/tls` into the folder, keys for their owner alone.
fn certificates(folder: &Folder) {
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls");
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = folder.path(entry.file_name().to_str().unwrap());
        std::fs::copy(entry.path(), &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn hss_file(folder: &Folder) -> String {
    let pinned = std::fs::read_to_string(folder.path("pinned.sha256")).unwrap();
    let pinned = pinned.trim();
    format!(
        r#"origin_host = "hss.{REALM}"
origin_realm = "{REALM}"
subscribers = "subscribers.toml"
[s6a]
listen = "127.0.0.1:0"
[s6a.tls]
listen = "127.0.0.1:0"
certificate = "hss.pem"
key = "hss.key"
ca = "authority.pem"
[admin]
listen = "127.0.0.1:0"
certificate = "hss.pem"
key = "hss.key"
ca = "authority.pem"
[[mme]]
origin_host = "mme.{REALM}"
visited_plmns = ["00101"]
tls = true
[[mme]]
origin_host = "known.{REALM}"
visited_plmns = ["00101"]
certificates = ["{pinned}"]
"#
    )
}

const SUBSCRIBERS: &str = r#"[[subscriber]]
imsi = "001010000000001"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
tenant = "red"
apn = "red.corp"
"#;

/// Says hello as `name` over `openssl s_client`; with a certificate of the folder, if one is given.
/// What the answer says, or `None` when the connection was refused.
fn hello(
    folder: &Folder,
    to: SocketAddr,
    name: &str,
    certificate: Option<&str>,
    more: &[&str],
) -> Option<AnswerResult> {
    let mut client = Command::new("openssl");
    client
        .args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-connect",
            &to.to_string(),
        ])
        .arg("-CAfile")
        .arg(folder.path("authority.pem"))
        .args(more);
    if let Some(certificate) = certificate {
        client
            .arg("-cert")
            .arg(folder.path(&format!("{certificate}.pem")))
            .arg("-key")
            .arg(folder.path(&format!("{certificate}.key")));
    }
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // It may have gone away already.
    let _ = to.write_all(&cer(&host(name), REALM).encode());
    let _ = to.flush();
    let answer = read_message(&mut from);
    let result = answer.and_then(|a| a.result());
    if result == Some(AnswerResult::SUCCESS) {
        to.write_all(&air(&host(name), "001010000000001").encode())
            .unwrap();
        to.flush().unwrap();
        let answer = read_message(&mut from).unwrap();
        assert_eq!(
            answer.result(),
            Some(AnswerResult::SUCCESS),
            "vectors over TLS"
        );
    }
    let _ = child.kill();
    let _ = child.wait();
    result
}

/// Goal: over TLS only the owner of a certificate speaks for a host, and nobody in clear text.
/// Method: the same hello with each certificate; each refusal has its control beside it.
#[test]
#[ignore = "needs openssl"]
fn a_peer_is_who_its_certificate_says() {
    let folder = Folder::new("tls-s6a");
    certificates(&folder);
    folder.write("subscribers.toml", SUBSCRIBERS);
    let hss = Served::start(&folder, "hss", &hss_file(&folder));
    let to = hss.address("s6a_tls");
    let unknown = Some(AnswerResult::from(ResultCode::UNKNOWN_PEER));
    let good = Some(AnswerResult::SUCCESS);
    let old = ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
    for (name, certificate, more, wanted) in [
        ("mme", Some("mme"), &["-tls1_3"][..], good),
        ("mme", Some("mme"), &["-tls1_2"], good),
        ("mme", Some("mme"), &old, None),
        ("mme", None, &[], None),
        ("mme", Some("foreign"), &[], None),
        ("mme", Some("other"), &[], unknown),
        ("known", Some("pinned"), &[], good),
        ("mme", Some("pinned"), &[], unknown),
        ("known", Some("mme"), &[], unknown),
        ("other", Some("other"), &[], unknown),
    ] {
        let found = hello(&folder, to, name, certificate, more);
        assert_eq!(
            found,
            wanted,
            "{name} with {certificate:?} {more:?}\n{}",
            hss.log()
        );
    }
    let mut clear = TcpStream::connect(hss.address("s6a")).unwrap();
    clear.write_all(&cer(&host("mme"), REALM).encode()).unwrap();
    let answer = read_message(&mut clear).unwrap();
    assert_eq!(answer.result(), unknown, "in clear text");
    hss.end();

    let config = folder.path("hss.toml").to_str().unwrap().to_owned();
    run("hss", &["audit", "verify", "--config", &config]).exits(0);
    let shown = run("hss", &["audit", "show", "--config", &config])
        .exits(0)
        .out;
    for part in [
        "tls_refused",
        "no certificate was shown",
        "its certificate was refused",
        "no common TLS version",
        "its certificate is not that of its Origin-Host",
        "it must use TLS",
        "not a known peer",
        "stopped",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(!shown.contains("465b5ce8"), "{shown}");
}

/// Goal: no token goes in clear text where TLS is asked for, and none to a stranger.
#[test]
fn the_administrative_interface_speaks_tls() {
    let folder = Folder::new("tls-admin");
    certificates(&folder);
    folder.write("subscribers.toml", SUBSCRIBERS);
    let hss = Served::start(&folder, "hss", &hss_file(&folder));
    let token = folder.path("hss-token").to_str().unwrap().to_owned();
    let list = |url: &str, more: &[&str]| {
        let args = ["subscriber", "list", "--url", url, "--token-file", &token];
        run("hss", &[&args[..], more].concat())
    };
    let https = format!("https://{}", hss.word("admin"));
    let ca = |name: &str| folder.path(name).to_str().unwrap().to_owned();
    let (ours, theirs) = (ca("authority.pem"), ca("stranger.pem"));
    let done = list(&https, &["--ca", &ours]).exits(0);
    assert!(done.out.contains("001010000000001"), "{}", done.out);
    list(&https, &["--ca", &ours, "--server-name", &host("hss")]).exits(0);
    list(&https, &["--ca", &theirs])
        .exits(1)
        .says(&["UnknownIssuer"]);
    list(&https, &["--ca", &ours, "--server-name", "other.example"])
        .exits(1)
        .says(&["not valid for name"]);
    list(&https, &[]).exits(64).says(&["--ca FILE"]);
    list(&format!("http://{}", hss.word("admin")), &[]).exits(1);
    list("http://192.0.2.1:8081", &[])
        .exits(64)
        .says(&["clear text"]);
    hss.end();
}

/// Goal: the HSS tells a gateway to cut over TLS.
#[test]
fn a_gateway_is_called_over_tls() {
    let folder = Folder::new("tls-gateway");
    certificates(&folder);
    folder.write("subscribers.toml", SUBSCRIBERS);
    let pgw = Served::start(
        &folder,
        "pgw",
        r#"[s5c]
listen = "127.0.0.1:0"
[s5u]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
certificate = "hss.pem"
key = "hss.key"
[[tenant]]
name = "red"
prefix = "10.20.0.0/16"
[[apn]]
name = "red.corp"
tenant = "red"
pool = "10.20.0.0/24"
"#,
    );
    let admin = pgw.word("admin");
    for (ca, clean) in [("authority.pem", true), ("stranger.pem", false)] {
        let _ = std::fs::remove_dir_all(folder.path("hss-data"));
        let gateway = format!(
            "[[gateway]]\nname = \"pgw-1\"\nadmin = \"https://{admin}\"\nca = \"{ca}\"\n\
             token_file = \"pgw-operate-token\"\napns = [\"red.corp\"]\n"
        );
        let hss = Served::start(&folder, "hss", &(hss_file(&folder) + &gateway));
        let (url, token) = (
            format!("https://{}", hss.word("admin")),
            folder.path("hss-token"),
        );
        let (token, ours) = (token.to_str().unwrap(), folder.path("authority.pem"));
        let args = [
            "subscriber",
            "suspend",
            "001010000000001",
            "--reason",
            "lost",
            "--url",
            &url,
            "--token-file",
            token,
            "--ca",
            ours.to_str().unwrap(),
        ];
        let done = run("hss", &args);
        assert_eq!(
            done.out.contains("t4"),
            clean,
            "{ca}\n{}\n{}",
            done.out,
            done.err
        );
        hss.end();
    }
    pgw.end();
}
