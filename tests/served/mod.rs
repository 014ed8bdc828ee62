//! A running server of a test, and Diameter messages for it.
#![allow(dead_code, reason = "each test file takes what it needs")]

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use heiiki_diameter::base::{Capabilities, VendorApplication};
use heiiki_diameter::s6a::{AuthenticationInformationRequest, RequestedAuthenticationInfo};
use heiiki_diameter::{ApplicationId, Message};

use crate::command::{Folder, binary};

/// How long anything may take on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const REALM: &str = "epc.mnc001.mcc001.3gppnetwork.org";

pub(crate) fn host(name: &str) -> String {
    format!("{name}.{REALM}")
}

/// A server; ends with the test.
pub(crate) struct Served {
    child: Child,
    lines: Receiver<String>,
    log: String,
    /// Its `ready` line.
    pub(crate) ready: String,
}

impl Served {
    pub(crate) fn start(folder: &Folder, name: &str, config: &str) -> Self {
        let mut command = Command::new(binary(name));
        command.env("RUST_LOG", "info");
        Self::start_by(command, folder, name, config)
    }

    /// The same by a command that ends in the server's program and stays the same process.
    pub(crate) fn start_by(
        mut command: Command,
        folder: &Folder,
        name: &str,
        config: &str,
    ) -> Self {
        let path = folder.write(&format!("{name}.toml"), config);
        let log = folder.write(&format!("{name}.log"), "");
        let mut child = command
            .args(["serve", "--config", &path])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
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
        let mut served = Self {
            child,
            lines,
            log,
            ready: String::new(),
        };
        loop {
            let Ok(line) = served.lines.recv_timeout(PATIENCE) else {
                panic!("{name} is not ready:\n{}", served.log());
            };
            if line.starts_with("ready ") {
                served.ready = line;
                return served;
            }
        }
    }

    /// The value of a word of the `ready` line.
    #[track_caller]
    pub(crate) fn word(&self, key: &str) -> &str {
        let find = |w: &'_ str| w.strip_prefix(key)?.strip_prefix('=').map(str::len);
        let word = self.ready.split(' ').find(|w| find(w).is_some());
        word.unwrap_or_else(|| panic!("no {key} in {}", self.ready))
            .split_once('=')
            .unwrap()
            .1
    }

    pub(crate) fn address(&self, key: &str) -> SocketAddr {
        self.word(key).parse().unwrap()
    }

    /// A path as the server sees it, which may have mounted something there.
    pub(crate) fn seen(&self, path: &std::path::Path) -> std::path::PathBuf {
        let root = format!("/proc/{}/root", self.child.id());
        std::path::Path::new(&root).join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A line of `/proc/PID/status`, in KiB or a count.
    pub(crate) fn status(&self, key: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }

    pub(crate) fn open_files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).unwrap().count()
    }

    /// Ends it as an operator does; it must exit with 0.
    #[track_caller]
    pub(crate) fn end(mut self) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(kill.unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A CER of an MME.
pub(crate) fn cer(host: &str, realm: &str) -> Message {
    let mut request = Capabilities {
        origin_host: host.into(),
        origin_realm: realm.into(),
        host_ips: vec!["127.0.0.1".parse().unwrap()],
        vendor_id: 10_415,
        product_name: "test".into(),
        origin_state_id: None,
        supported_vendors: vec![10_415],
        auth_applications: Vec::new(),
        acct_applications: Vec::new(),
        vendor_applications: vec![VendorApplication {
            vendor: Some(10_415),
            auth: Some(ApplicationId::S6A),
            acct: None,
        }],
        inband_security: Vec::new(),
        firmware_revision: None,
    }
    .to_request();
    request.hop_by_hop = 1;
    request.end_to_end = 1;
    request
}

pub(crate) fn air(from: &str, imsi: &str) -> Message {
    let mut message = AuthenticationInformationRequest {
        session_id: format!("{from};1;2"),
        origin_host: from.into(),
        origin_realm: REALM.into(),
        destination_host: None,
        destination_realm: REALM.into(),
        imsi: imsi.parse().unwrap(),
        visited_plmn: "00101".parse().unwrap(),
        requested_eutran: Some(RequestedAuthenticationInfo {
            vectors: 1,
            immediate_response_preferred: true,
            resync: None,
        }),
        requested_utran: None,
        supported_features: Vec::new(),
        route_record: Vec::new(),
    }
    .to_message();
    message.hop_by_hop = 7;
    message.end_to_end = 7;
    message
}

/// Reads one message; `None` at the end of the stream.
pub(crate) fn read_message(stream: &mut impl Read) -> Option<Message> {
    let mut octets = vec![0; 4];
    stream.read_exact(&mut octets).ok()?;
    let [_, a, b, c] = octets[..] else {
        unreachable!()
    };
    octets.resize(u32::from_be_bytes([0, a, b, c]) as usize, 0);
    stream.read_exact(&mut octets[4..]).ok()?;
    Some(Message::decode(&octets).unwrap())
}
