//! Listening sockets, and what is said when one cannot be had.

use core::fmt;
use core::net::SocketAddr;
use std::io;

use tokio::net::TcpListener;

use super::runtime::Runtime;

/// A node could not start.
#[derive(Debug)]
pub struct StartError {
    /// What it is about, as the key of its file.
    pub key: &'static str,
    /// The address or path.
    pub value: String,
    /// What the system said.
    pub source: io::Error,
}

impl StartError {
    pub(crate) fn new(key: &'static str, value: impl fmt::Display, source: io::Error) -> Self {
        Self {
            key,
            value: value.to_string(),
            source,
        }
    }

    /// What somebody can do about it.
    pub fn help(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                "another process holds it: stop that one, or give this one another address"
            }
            io::ErrorKind::AddrNotAvailable => {
                "the address is not one of this machine's: see `ip address`"
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not: choose a port from 1024 up, or a folder that it may write"
            }
            _ => "see what the system says",
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.key, self.value, self.source)
    }
}

impl core::error::Error for StartError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Binds a TCP listener; returns it with the address that it got.
pub(crate) fn listen(
    runtime: &Runtime,
    key: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = runtime.wait(TcpListener::bind(address)).and_then(|bound| {
        let listener = bound?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    });
    bound.map_err(|e| StartError::new(key, address, e))
}
