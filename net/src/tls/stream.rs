//! Byte streams over TLS for a machine. Peers connect to us and never the other way round.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use heiiki_types::{ConnId, Lane, StreamInput, StreamOutput};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

use super::{Acceptor, names};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes under way.
const MAX_HANDSHAKES: usize = 64;
/// Handshakes under way with one address.
const MAX_HANDSHAKES_OF_ADDRESS: usize = 16;
/// Unsent messages of a connection before it counts as dead.
const MAX_UNSENT: usize = 65_536;
/// How long a peer may take to let what was sent to it go out.
const WRITE: Duration = Duration::from_secs(30);

/// What a peer's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The DNS names of its subject alternative name.
    pub names: Vec<String>,
    /// SHA-256 over all of it.
    pub sha256: [u8; 32],
}

/// What happens on the streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsInput {
    /// As on a stream in clear text.
    Stream(StreamInput),
    /// What the peer of a new connection showed; right after its `Accepted`.
    Certificate(ConnId, PeerCertificate),
    /// Somebody was turned away before there was a connection.
    Refused {
        /// Where it came from.
        from: SocketAddr,
        /// Why.
        why: String,
    },
}

/// Where what happens goes.
type Deliver = Arc<dyn Fn(TlsInput) + Send + Sync>;

enum Done {
    Open(Box<TlsStream<TcpStream>>, SocketAddr),
    Ended(ConnId),
}

/// Handshakes under way, by address.
#[derive(Default)]
struct Handshakes(Mutex<BTreeMap<IpAddr, usize>>);

impl Handshakes {
    fn begin(&self, from: IpAddr) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let of_address = counts.entry(from).or_default();
        let room = all < MAX_HANDSHAKES && *of_address < MAX_HANDSHAKES_OF_ADDRESS;
        *of_address += usize::from(room);
        if *of_address == 0 {
            counts.remove(&from);
        }
        room
    }

    fn end(&self, from: IpAddr) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&from);
            }
        }
    }
}

/// Serves a machine's streams over TLS until `outputs` ends.
pub async fn run(
    listener: TcpListener,
    acceptor: Acceptor,
    mut outputs: mpsc::UnboundedReceiver<StreamOutput>,
    deliver: impl Fn(TlsInput) + Send + Sync + 'static,
) {
    let deliver: Deliver = Arc::new(deliver);
    let (done, mut finished) = mpsc::unbounded_channel();
    let handshakes = Arc::new(Handshakes::default());
    let mut table = Table {
        writers: BTreeMap::new(),
        next: 0,
        deliver: Arc::clone(&deliver),
        done: done.clone(),
    };
    loop {
        tokio::select! {
            output = outputs.recv() => match output {
                Some(output) => table.act(output),
                None => break,
            },
            Some(event) = finished.recv() => table.finish(event),
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let (acceptor, handshakes) = (acceptor.clone(), Arc::clone(&handshakes));
                    shake(stream, from, acceptor, handshakes, &deliver, &done);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
    for writer in core::mem::take(&mut table.writers).into_values() {
        drop(writer.queue);
        let _ = tokio::time::timeout(Duration::from_secs(1), writer.task).await;
    }
}

/// Shakes hands in a task of its own.
fn shake(
    stream: TcpStream,
    from: SocketAddr,
    acceptor: Acceptor,
    handshakes: Arc<Handshakes>,
    deliver: &Deliver,
    done: &mpsc::UnboundedSender<Done>,
) {
    if !handshakes.begin(from.ip()) {
        let why = "too many TLS handshakes under way".to_owned();
        deliver(TlsInput::Refused { from, why });
        return;
    }
    let _ = stream.set_nodelay(true);
    let (deliver, done) = (Arc::clone(deliver), done.clone());
    tokio::spawn(async move {
        let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
        handshakes.end(from.ip());
        match shaken.unwrap_or_else(|e| Err(e.into())) {
            Ok(stream) => drop(done.send(Done::Open(Box::new(stream), from))),
            Err(error) => {
                let why = reason(&error);
                deliver(TlsInput::Refused { from, why });
            }
        }
    });
}

/// Why a handshake failed, without what the peer sent.
fn reason(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::NoCertificatesPresented) => "no certificate was shown".to_owned(),
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!("its certificate was refused: {why:?}")
        }
        Some(rustls::Error::PeerIncompatible(_)) => "no common TLS version or algorithm".to_owned(),
        Some(_) => "it does not keep to TLS".to_owned(),
        None if error.kind() == io::ErrorKind::TimedOut => "the handshake took too long".to_owned(),
        None => "it went away during the handshake".to_owned(),
    }
}

struct Writer {
    queue: mpsc::Sender<Vec<u8>>,
    task: tokio::task::JoinHandle<()>,
}

struct Table {
    writers: BTreeMap<ConnId, Writer>,
    next: u64,
    deliver: Deliver,
    done: mpsc::UnboundedSender<Done>,
}

impl Table {
    fn act(&mut self, output: StreamOutput) {
        match output {
            // Nobody is called over TLS.
            StreamOutput::Connect { conn, .. } => {
                (self.deliver)(TlsInput::Stream(StreamInput::Closed { conn }));
            }
            StreamOutput::Send { conn, octets } => {
                let full = self
                    .writers
                    .get(&conn)
                    .is_some_and(|w| w.queue.try_send(octets).is_err());
                if full {
                    self.writers.remove(&conn);
                    (self.deliver)(TlsInput::Stream(StreamInput::Closed { conn }));
                }
            }
            StreamOutput::Close { conn } => drop(self.writers.remove(&conn)),
        }
    }

    fn finish(&mut self, event: Done) {
        match event {
            Done::Open(stream, peer) => self.start(*stream, peer),
            Done::Ended(conn) => {
                if self.writers.remove(&conn).is_some() {
                    (self.deliver)(TlsInput::Stream(StreamInput::Closed { conn }));
                }
            }
        }
    }

    fn start(&mut self, stream: TlsStream<TcpStream>, peer: SocketAddr) {
        let conn = ConnId::accepted_on(Lane::Tls, self.next);
        self.next += 1;
        let shown = stream.get_ref().1.peer_certificates();
        let Some(shown) = shown.and_then(<[_]>::first) else {
            return;
        };
        let certificate = PeerCertificate {
            names: names(&shown.clone().into_owned()),
            sha256: Sha256::digest(shown).into(),
        };
        let (read, write) = tokio::io::split(stream);
        let (queue, unsent) = mpsc::channel(MAX_UNSENT);
        let task = tokio::spawn(send(write, unsent));
        self.writers.insert(conn, Writer { queue, task });
        (self.deliver)(TlsInput::Stream(StreamInput::Accepted { conn, peer }));
        (self.deliver)(TlsInput::Certificate(conn, certificate));
        tokio::spawn(receive(
            conn,
            read,
            Arc::clone(&self.deliver),
            self.done.clone(),
        ));
    }
}

async fn send(mut stream: WriteHalf<TlsStream<TcpStream>>, mut unsent: mpsc::Receiver<Vec<u8>>) {
    while let Some(octets) = unsent.recv().await {
        let written = tokio::time::timeout(WRITE, stream.write_all(&octets)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
        // What has gathered goes out with one record or few.
        if unsent.is_empty() && stream.flush().await.is_err() {
            return;
        }
    }
    let _ = tokio::time::timeout(WRITE, stream.shutdown()).await;
}

async fn receive(
    conn: ConnId,
    mut stream: ReadHalf<TlsStream<TcpStream>>,
    deliver: Deliver,
    done: mpsc::UnboundedSender<Done>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n) = stream.read(&mut buffer).await {
        let Some(octets) = buffer.get(..n).filter(|o| !o.is_empty()) else {
            break;
        };
        let octets = octets.to_vec();
        deliver(TlsInput::Stream(StreamInput::Data { conn, octets }));
    }
    let _ = done.send(Done::Ended(conn));
}
