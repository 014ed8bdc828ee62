//! S6a over SCTP: which way it goes, and why.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use heiiki_net::sctp::{self, Deliver, Note, Tell, kernel, udp};
use heiiki_types::StreamOutput;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::listen::StartError;
use super::runtime::Runtime;

/// How an HSS is to have SCTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpChoice {
    /// By the kernel if it can, else over UDP; without, if neither can be had.
    Auto,
    /// By the kernel.
    Kernel,
    /// Over UDP (RFC 6951).
    Udp,
    /// Not at all.
    Off,
}

/// Where an HSS listens for associations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SctpSetup {
    /// How it is to be had.
    pub choice: SctpChoice,
    /// Address and SCTP port; `None` is the same as of TCP.
    pub listen: Option<SocketAddr>,
    /// Where packets of SCTP over UDP come in.
    pub udp: SocketAddr,
}

impl SctpSetup {
    /// No SCTP.
    pub const OFF: Self = Self {
        choice: SctpChoice::Off,
        listen: None,
        udp: SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), sctp::UDP_PORT),
    };
}

/// The transport on which an MME reaches its HSS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum S6aTransport {
    /// TCP.
    #[default]
    Tcp,
    /// SCTP of the kernel.
    Sctp,
    /// SCTP over UDP, to this UDP port of the HSS.
    SctpUdp(u16),
}

/// The way that was taken, as the `ready` line tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpWay {
    /// The kernel's, on this address and SCTP port.
    Kernel(SocketAddr),
    /// Over UDP, on this UDP address.
    Udp(SocketAddr),
    /// None.
    Off,
}

impl fmt::Display for SctpWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(address) => write!(f, "kernel:{address}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// The way out to associations. Those over UDP end with the drop.
#[derive(Debug)]
pub(super) enum Associations {
    Kernel(mpsc::UnboundedSender<StreamOutput>),
    Udp(udp::Service),
}

impl Associations {
    pub(super) fn send(&self, output: StreamOutput) {
        match self {
            Self::Kernel(outputs) => drop(outputs.send(output)),
            Self::Udp(service) => service.send(output),
        }
    }
}

/// What listening came to.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) way: SctpWay,
    pub(super) associations: Option<Associations>,
    /// Breaks off after the last association.
    pub(super) ended: Option<Receiver<()>>,
}

impl Listening {
    const NONE: Self = Self {
        way: SctpWay::Off,
        associations: None,
        ended: None,
    };
}

/// Listens as `setup` says; `tcp` is where TCP listens.
pub(super) fn listen(
    setup: &SctpSetup,
    tcp: SocketAddr,
    runtime: &Runtime,
    deliver: &Deliver,
) -> Result<Listening, StartError> {
    let address = setup.listen.unwrap_or(tcp);
    let by_kernel = || listen_kernel(address, runtime, deliver);
    let over_udp = || listen_udp(setup.udp, address.port(), deliver);
    match setup.choice {
        SctpChoice::Off => Ok(Listening::NONE),
        SctpChoice::Udp => {
            tracing::info!(udp = %setup.udp, "S6a over SCTP in UDP, as `sctp = \"udp\"` says");
            over_udp()
        }
        SctpChoice::Kernel => {
            kernel::probe().map_err(|e| StartError::new("sctp", "kernel", no_sctp(&e)))?;
            by_kernel()
        }
        SctpChoice::Auto => Ok(listen_auto(by_kernel, over_udp)),
    }
}

fn listen_auto(
    by_kernel: impl FnOnce() -> Result<Listening, StartError>,
    over_udp: impl FnOnce() -> Result<Listening, StartError>,
) -> Listening {
    let tried = match kernel::probe() {
        Ok(()) => {
            tracing::info!("S6a over the kernel's SCTP");
            by_kernel()
        }
        Err(error) => {
            let why = no_sctp(&error);
            tracing::info!("S6a over SCTP in UDP: {why}");
            over_udp()
        }
    };
    tried.unwrap_or_else(|error| {
        tracing::warn!("S6a over TCP alone: {error}; {}", error.help());
        Listening::NONE
    })
}

/// The kernel's answer in words.
fn no_sctp(error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("this kernel has no SCTP ({error}); `modprobe sctp` may help"),
    )
}

fn listen_kernel(
    address: SocketAddr,
    runtime: &Runtime,
    deliver: &Deliver,
) -> Result<Listening, StartError> {
    let bound = runtime.wait(async move {
        let listener = kernel::Listener::bind(address)?;
        let local = listener.local()?;
        Ok((listener, local))
    });
    let (listener, local) = bound
        .and_then(core::convert::identity)
        .map_err(|e| StartError::new("sctp_listen", address, e))?;
    let (outputs, asked) = mpsc::unbounded_channel();
    let run = kernel::run(Some(listener), None, asked, Arc::clone(deliver), tell());
    let (end, ended) = channel();
    runtime.handle().spawn(async move {
        run.await;
        drop(end);
    });
    Ok(Listening {
        way: SctpWay::Kernel(local),
        associations: Some(Associations::Kernel(outputs)),
        ended: Some(ended),
    })
}

fn listen_udp(address: SocketAddr, port: u16, deliver: &Deliver) -> Result<Listening, StartError> {
    let service = udp::Service::listen(address, port, Arc::clone(deliver), tell())
        .map_err(|e| StartError::new("sctp_udp", address, e))?;
    Ok(Listening {
        way: SctpWay::Udp(service.udp()),
        associations: Some(Associations::Udp(service)),
        ended: None,
    })
}

/// Opens associations from the address `local` by the kernel.
pub(super) fn connect_kernel(
    local: Option<IpAddr>,
    runtime: &Runtime,
    deliver: Deliver,
) -> Result<(Associations, JoinHandle<()>), StartError> {
    kernel::probe().map_err(|e| StartError::new("hss.transport", "sctp", no_sctp(&e)))?;
    let (outputs, asked) = mpsc::unbounded_channel();
    let run = kernel::run(None, local, asked, deliver, tell());
    Ok((Associations::Kernel(outputs), runtime.handle().spawn(run)))
}

/// Opens associations from the address `local` over UDP, to peers behind this UDP port.
pub(super) fn connect_udp(
    local: Option<IpAddr>,
    udp_port: u16,
    deliver: Deliver,
) -> Result<Associations, StartError> {
    let local = SocketAddr::new(local.unwrap_or_else(|| IpAddr::from([0; 4])), 0);
    let service = udp::Service::connect(local, udp_port, deliver, tell())
        .map_err(|e| StartError::new("hss.transport", local, e))?;
    Ok(Associations::Udp(service))
}

fn tell() -> Tell {
    Arc::new(|note| match note {
        Note::Lost { .. } | Note::Restarted { .. } => tracing::info!("S6a over SCTP: {note}"),
        Note::Refused { .. } => tracing::warn!("S6a over SCTP: {note}"),
        Note::Failed { .. } => tracing::error!("S6a over SCTP: {note}"),
    })
}
