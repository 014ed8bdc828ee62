//! The processes that are measured: made in a folder of their own, pinned to their core, gone at
//! the end.

use core::net::SocketAddr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::sims::APN;
use super::wire::{HOST, REALM};
use crate::cli::failure::Failure;

/// A running process. It is killed when dropped.
pub(in crate::cli) struct Server {
    child: Child,
    /// What it said when it was ready.
    ready: String,
}

fn cannot(what: impl core::fmt::Display, error: impl core::fmt::Display) -> Failure {
    Failure::failed(format!("{what}: {error}"), "see what the system says")
}

impl Server {
    /// Starts `program` of this installation on `core` and waits for its `ready` line.
    pub(in crate::cli) fn start(
        program: &str,
        args: &[&str],
        core: usize,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(|e| cannot("this program", e))?;
        let path = own.with_file_name(program);
        let log = folder.join(format!("{program}.log"));
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|e| cannot(log.display(), e))?;
        let mut child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(&path)
            .args(args)
            .current_dir(folder)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| cannot("taskset, of the package util-linux", e))?;
        let mut ready = String::new();
        let mut lines = child.stdout.take().map(BufReader::new);
        while !ready.starts_with("ready ") {
            ready.clear();
            let read = lines.as_mut().map_or(Ok(0), |l| l.read_line(&mut ready));
            if !matches!(read, Ok(n) if n > 0) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::failed(
                    format!("{program} did not become ready"),
                    format!("see {program}.log in {}", folder.display()),
                ));
            }
        }
        Ok(Self { child, ready })
    }

    /// An address of its `ready` line.
    pub(in crate::cli) fn address(&self, key: &str) -> Result<SocketAddr, Failure> {
        let word = self
            .ready
            .split_whitespace()
            .find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
        word.and_then(|w| w.parse().ok())
            .ok_or_else(|| cannot(format!("no {key} in"), &self.ready))
    }

    /// Resident memory in octets.
    pub(in crate::cli) fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }

    /// Processor time that it has used, in hundredths of a second.
    pub(in crate::cli) fn ticks(&self) -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // After the name in parentheses: state is the first field, the times are 12 and 13.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let (user, system): (u64, u64) =
            (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(user + system)
    }

    /// Processor time of all its threads, in nanoseconds.
    pub(in crate::cli) fn cpu(&self) -> Option<u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        let times = tasks.flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Some(times.sum())
    }

    /// Kills it as a power failure would.
    pub(in crate::cli) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it as an operator would; it must end well.
    pub(in crate::cli) fn end(mut self) -> Result<(), Failure> {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(cannot("a server ended badly", status)),
            Err(error) => Err(cannot("a server", error)),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Keeps this process, all its threads, on a core.
pub(in crate::cli) fn pin(core: usize) -> Result<(), Failure> {
    let done = Command::new("taskset")
        .args(["-a", "-c", "-p", &core.to_string()])
        .arg(std::process::id().to_string())
        .stdout(Stdio::null())
        .status()
        .map_err(|e| cannot("taskset, of the package util-linux", e))?;
    if done.success() {
        Ok(())
    } else {
        let help = "name cores that the machine has: --hss-core and --client-core";
        Err(Failure::usage(format!("there is no core {core}"), help))
    }
}

/// The folder of a run; its contents are gone at the end unless they are to be kept.
pub(in crate::cli) struct Folder {
    pub(in crate::cli) path: PathBuf,
    keep: bool,
}

impl Folder {
    pub(in crate::cli) fn make(given: Option<&Path>) -> Result<Self, Failure> {
        let path = given.map_or_else(
            || std::env::temp_dir().join(format!("heiiki-bench-{}", std::process::id())),
            Path::to_owned,
        );
        fs::create_dir_all(&path).map_err(|e| cannot(path.display(), e))?;
        Ok(Self {
            path,
            keep: given.is_some(),
        })
    }

    pub(in crate::cli) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        fs::write(&path, text).map_err(|e| cannot(path.display(), e))
    }

    /// Removes what a server stored, for a fresh start.
    pub(in crate::cli) fn forget(&self, name: &str) {
        let _ = fs::remove_dir_all(self.path.join(name));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Which of several front ends an HSS is, and their database.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) database: &'a str,
    pub(super) number: u8,
    pub(super) of: u8,
}

/// The file of the HSS.
pub(super) fn hss_file(gateway: Option<SocketAddr>, shared: Option<Shared<'_>>) -> String {
    let gateway = gateway.map_or_else(String::new, |admin| {
        format!(
            "[[gateway]]\nname = \"pgw-1\"\nadmin = \"{admin}\"\ntoken_file = \"pgw-operate-token\"\n\
             apns = [\"{APN}\"]\n"
        )
    });
    let (folder, shared) = shared.map_or_else(Default::default, |shared| {
        let Shared {
            database,
            number,
            of,
        } = shared;
        let sections = format!(
            "[postgres]\naddress = \"{database}\"\n[front_end]\nnumber = {number}\nof = {of}\n"
        );
        (format!("-{number}"), sections)
    });
    format!(
        "origin_host = \"hss.{REALM}\"\norigin_realm = \"{REALM}\"\n\
         store = \"hss-data{folder}\"\n{shared}[s6a]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[mme]]\norigin_host = \"{HOST}\"\nvisited_plmns = [\"00101\"]\n{gateway}"
    )
}

/// The file of the gateway: GTP has fixed ports, so its addresses are its own.
pub(in crate::cli) fn pgw_file() -> String {
    format!(
        "name = \"pgw-1\"\nstore = \"pgw-data\"\n[s5c]\nlisten = \"127.77.5.3:2123\"\n\
         sgws = [\"127.77.5.2/32\"]\n[s5u]\nlisten = [\"127.77.5.3:2152\"]\n\
         [admin]\nlisten = \"127.77.5.1:0\"\n[[tenant]]\nname = \"bench\"\n\
         prefix = \"10.20.0.0/16\"\n[[tenant.host]]\nname = \"intranet\"\n\
         address = \"10.20.255.10\"\n[[apn]]\nname = \"{APN}\"\ntenant = \"bench\"\n\
         pool = \"10.20.0.0/24\"\n"
    )
}
