//! A capture file as a tap of a lab's links.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heiiki_types::{Instant, WallTime};

use crate::Link;
use crate::cli::failure::Failure;
use crate::log::{Frame, Tap};
use crate::observe::{Capture, IpLink, Keys};

/// A capture that taps write to from any thread.
pub(super) struct CaptureFile {
    path: PathBuf,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    capture: Capture<BufWriter<File>>,
    tenants: Vec<String>,
    /// The first thing that went wrong; nothing is written after it.
    failed: Option<io::Error>,
}

/// One tap of the capture.
pub(super) struct CaptureTap(Arc<Mutex<Shared>>);

impl CaptureFile {
    /// Begins a capture. With keys in it the file is for its owner alone.
    pub(super) fn create(path: &Path, keys: Keys, tenants: Vec<String>) -> Result<Self, Failure> {
        let capture = create(path, keys).map_err(|e| failure(path, &e))?;
        let shared = Shared {
            capture,
            tenants,
            failed: None,
        };
        Ok(Self {
            path: path.to_owned(),
            shared: Arc::new(Mutex::new(shared)),
        })
    }

    pub(super) fn tap(&self) -> CaptureTap {
        CaptureTap(Arc::clone(&self.shared))
    }

    /// Writes what is left.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        let mut shared = lock(&self.shared);
        let ended = match shared.failed.take() {
            Some(error) => Err(error),
            None => shared.capture.flush(),
        };
        ended.map_err(|e| failure(&self.path, &e))
    }
}

fn create(path: &Path, keys: Keys) -> io::Result<Capture<BufWriter<File>>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    if keys == Keys::Shown {
        options.mode(0o600);
    }
    let file = options.open(path)?;
    if keys == Keys::Shown {
        // The file may have been there before, for everybody.
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Capture::new(BufWriter::new(file), keys)
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    let problem = format!(
        "the capture cannot be written to {}: {error}",
        path.display()
    );
    Failure::failed(problem, "name a file that you may write with --pcap")
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap for CaptureTap {
    fn frame(&mut self, _: Instant, wall: WallTime, link: Link, frame: &Frame<'_>) {
        let mut shared = lock(&self.0);
        if shared.failed.is_none()
            && let Err(error) = shared.write(wall, link, frame)
        {
            shared.failed = Some(error);
        }
    }
}

impl Shared {
    fn write(&mut self, at: WallTime, link: Link, frame: &Frame<'_>) -> io::Result<()> {
        match *frame {
            Frame::Datagram { from, to, payload } => match ip_link(link) {
                Some(link) => self.capture.udp(link, at, from, to, payload),
                None => Ok(()),
            },
            Frame::Stream { from, to, octets } => self.capture.diameter(at, from, to, octets),
            Frame::Nas {
                uplink,
                wire,
                plain,
            } => {
                let way = if uplink { "uplink" } else { "downlink" };
                // Null ciphering leaves the message as it is.
                let is_ciphered = plain.is_some_and(|p| !wire.ends_with(p));
                self.capture.nas(at, way, wire, is_ciphered)?;
                plain.map_or(Ok(()), |plain| self.capture.nas_plain(at, way, plain))
            }
            Frame::Packet { tenant, packet, .. } => {
                let name = self
                    .tenants
                    .get(usize::from(tenant))
                    .map_or("", String::as_str);
                self.capture.sgi(name, at, packet)
            }
        }
    }
}

const fn ip_link(link: Link) -> Option<IpLink> {
    match link {
        Link::S1U => Some(IpLink::S1u),
        Link::S6a => Some(IpLink::S6a),
        Link::S5C => Some(IpLink::S5c),
        Link::S5U => Some(IpLink::S5u),
        Link::S1Nas | Link::Sgi | Link::Admin => None,
    }
}
