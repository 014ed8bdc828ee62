//! SCTP of the kernel: one-to-one sockets, one association each.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use heiiki_types::{ConnId, Duration, Lane, StreamInput, StreamOutput};
use oxirush_sctp::{
    AssociationParams, ConnectedSocket, InitParams, NotificationOrData, PeerAddressParams, RtoInfo,
    SendOptions, Socket, SocketToAssociation,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::message::is_whole;
use super::{Deliver, MAX_ASSOCIATIONS, MAX_MESSAGE, Note, PPID, Tell};

/// How long an attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many unsent messages an association may hold before it counts as dead.
const MAX_UNSENT: usize = 65_536;
/// How long a shutdown may take before the association is aborted.
const CLOSING: Duration = Duration::from_secs(2);
/// How many messages go to the kernel with one system call.
const BATCH: usize = 64;

/// Whether the kernel has SCTP; asking also loads its module where the system does so by itself.
///
/// # Errors
/// What the kernel said: usually that it does not know the protocol.
pub fn probe() -> io::Result<()> {
    let sctp = socket2::Protocol::from(132);
    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, Some(sctp)).map(drop)
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener(oxirush_sctp::Listener);

impl Listener {
    /// Binds; must be called where the tokio runtime is.
    ///
    /// # Errors
    /// When the kernel has no SCTP, or the address is in use or not of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket(address)?;
        socket.options().set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self(socket.listen(64)?))
    }

    /// The bound address, with the port that the system chose.
    ///
    /// # Errors
    /// Only when the socket is broken.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A socket that notices a dead peer within the minute, as the one of [`super::udp`] does.
fn socket(family: SocketAddr) -> io::Result<Socket> {
    let style = SocketToAssociation::OneToOne;
    let socket = if family.is_ipv4() {
        Socket::new_v4(style)?
    } else {
        Socket::new_v6(style)?
    };
    let options = socket.options();
    // Signalling is small and waits for answers: gathering it would only delay it.
    options.set_nodelay(true)?;
    options.set_max_message_size(MAX_MESSAGE);
    options.set_recv_buffer_size(512 * 1024)?;
    options.set_init_params(InitParams {
        outbound_streams: 64,
        inbound_streams: 64,
        max_attempts: 4,
        max_init_timeout: 5_000,
    })?;
    options.set_rto_info(RtoInfo {
        assoc_id: 0,
        initial: 1_000,
        max: 5_000,
        min: 300,
    })?;
    let params = options.association_params(0)?;
    options.set_association_params(AssociationParams {
        max_retransmissions: 6,
        ..params
    })?;
    let any = SocketAddr::new(
        match family.ip() {
            IpAddr::V4(_) => IpAddr::from([0; 4]),
            IpAddr::V6(_) => IpAddr::from([0_u16; 8]),
        },
        0,
    );
    let mut path = PeerAddressParams::new(0, any);
    path.heartbeat_interval = Duration::from_secs(5);
    path.path_max_retrans = 6;
    options.set_peer_address_params(path)?;
    Ok(socket)
}

enum Done {
    Opened(ConnId, io::Result<ConnectedSocket>),
    Ended(ConnId),
}

/// Serves a machine's associations until `outputs` ends; then every one is shut down after what was
/// sent on it. Those that the machine asks for come from the address `local`, if it is given.
pub async fn run(
    listener: Option<Listener>,
    local: Option<IpAddr>,
    mut outputs: mpsc::UnboundedReceiver<StreamOutput>,
    deliver: Deliver,
    tell: Tell,
) {
    let (done, mut finished) = mpsc::unbounded_channel();
    let mut table = Table {
        writers: BTreeMap::new(),
        local,
        accepted: 0,
        deliver,
        tell,
        done,
    };
    loop {
        tokio::select! {
            output = outputs.recv() => match output {
                Some(output) => table.act(output),
                None => break,
            },
            Some(event) = finished.recv() => table.finish(event),
            (association, peer) = accept(listener.as_ref()) => table.accept(association, peer),
        }
    }
    let writers = core::mem::take(&mut table.writers);
    // The sending ends go first: each writer drains its queue and shuts its association down.
    let tasks: Vec<_> = writers.into_values().map(|w| w.task).collect();
    for task in tasks {
        let _ = tokio::time::timeout(CLOSING, task).await;
    }
}

async fn connect(local: Option<IpAddr>, peer: SocketAddr) -> io::Result<ConnectedSocket> {
    let socket = socket(peer)?;
    // Unbound it would offer the peer every address of this machine.
    if let Some(local) = local.filter(|l| l.is_ipv4() == peer.is_ipv4()) {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    Ok(socket.connect(peer).await?.0)
}

/// The next association; never resolves without a listener.
async fn accept(listener: Option<&Listener>) -> (ConnectedSocket, SocketAddr) {
    let Some(listener) = listener else {
        return core::future::pending().await;
    };
    loop {
        match listener.0.accept().await {
            Ok(accepted) => return accepted,
            // No descriptors left, or the peer went away again: later ones may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

struct Writer {
    queue: mpsc::Sender<Vec<u8>>,
    task: JoinHandle<()>,
    /// Reads until the writer has ended.
    peer: Option<SocketAddr>,
}

struct Table {
    writers: BTreeMap<ConnId, Writer>,
    local: Option<IpAddr>,
    accepted: u64,
    deliver: Deliver,
    tell: Tell,
    done: mpsc::UnboundedSender<Done>,
}

impl Table {
    fn act(&mut self, output: StreamOutput) {
        match output {
            StreamOutput::Connect { conn, peer } => {
                let (done, local) = (self.done.clone(), self.local);
                tokio::spawn(async move {
                    let connect = tokio::time::timeout(CONNECT_TIMEOUT, connect(local, peer));
                    let association = connect.await.unwrap_or_else(|e| Err(e.into()));
                    let _ = done.send(Done::Opened(conn, association));
                });
            }
            StreamOutput::Send { conn, octets } => {
                let full = self
                    .writers
                    .get(&conn)
                    .is_some_and(|w| w.queue.try_send(octets).is_err());
                if full {
                    self.lose(conn, "the peer takes nothing");
                    (self.deliver)(StreamInput::Closed { conn });
                }
            }
            StreamOutput::Close { conn } => {
                self.writers.remove(&conn);
            }
        }
    }

    fn lose(&mut self, conn: ConnId, why: &str) {
        if let Some(peer) = self.writers.remove(&conn).and_then(|w| w.peer) {
            let why = why.to_owned();
            (self.tell)(&Note::Lost { peer, why });
        }
    }

    fn accept(&mut self, association: ConnectedSocket, peer: SocketAddr) {
        if self.writers.len() >= MAX_ASSOCIATIONS {
            let why = "as many associations as are allowed";
            (self.tell)(&Note::Refused {
                peer,
                why,
                count: 1,
            });
            let _ = association.abort(b"too many associations");
            return;
        }
        let conn = ConnId::accepted_on(Lane::Sctp, self.accepted);
        self.accepted += 1;
        (self.deliver)(StreamInput::Accepted { conn, peer });
        self.start(conn, association, Some(peer));
    }

    fn finish(&mut self, event: Done) {
        match event {
            Done::Opened(conn, Ok(association)) => {
                (self.deliver)(StreamInput::Connected { conn });
                let peer = association.peer_addrs().ok();
                let peer = peer.and_then(|p| p.into_iter().next());
                self.start(conn, association, peer);
            }
            Done::Opened(conn, Err(_)) => (self.deliver)(StreamInput::Closed { conn }),
            Done::Ended(conn) => {
                // Silence after the machine's own Close: it knows.
                if self.writers.remove(&conn).is_some() {
                    (self.deliver)(StreamInput::Closed { conn });
                }
            }
        }
    }

    fn start(&mut self, conn: ConnId, association: ConnectedSocket, peer: Option<SocketAddr>) {
        let association = Arc::new(association);
        let (queue, unsent) = mpsc::channel(MAX_UNSENT);
        let reader = Reader {
            conn,
            peer,
            deliver: Arc::clone(&self.deliver),
            tell: Arc::clone(&self.tell),
            done: self.done.clone(),
        };
        let reading = tokio::spawn(reader.run(Arc::clone(&association)));
        let task = tokio::spawn(send(association, unsent, reading));
        self.writers.insert(conn, Writer { queue, task, peer });
    }
}

/// Sends until the queue ends, shuts the association down and waits until the peer has agreed.
async fn send(
    association: Arc<ConnectedSocket>,
    mut unsent: mpsc::Receiver<Vec<u8>>,
    reading: JoinHandle<()>,
) {
    let options = SendOptions::new().stream(0).ppid(PPID);
    let mut batch = Vec::with_capacity(BATCH);
    while unsent.recv_many(&mut batch, BATCH).await > 0 {
        let messages: Vec<_> = batch.iter().map(|m| (m.as_slice(), options)).collect();
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
            match association.send_many(rest).await {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(_) => return,
            }
        }
        batch.clear();
    }
    let _ = association.shutdown(std::net::Shutdown::Write);
    let stop = reading.abort_handle();
    if tokio::time::timeout(CLOSING, reading).await.is_err() {
        stop.abort();
    }
}

struct Reader {
    conn: ConnId,
    peer: Option<SocketAddr>,
    deliver: Deliver,
    tell: Tell,
    done: mpsc::UnboundedSender<Done>,
}

impl Reader {
    async fn run(self, association: Arc<ConnectedSocket>) {
        let why = loop {
            match association.recv().await {
                Ok(Some(NotificationOrData::Data(message))) => {
                    if !is_whole(&message.payload) {
                        break Some("what came is no Diameter message".to_owned());
                    }
                    let (conn, octets) = (self.conn, message.payload);
                    (self.deliver)(StreamInput::Data { conn, octets });
                }
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        if let (Some(peer), Some(why)) = (self.peer, why) {
            (self.tell)(&Note::Lost { peer, why });
        }
        let _ = self.done.send(Done::Ended(self.conn));
    }
}

#[cfg(test)]
mod tests;
