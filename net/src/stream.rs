//! Byte streams for a machine: moves [`StreamOutput`]s to TCP connections and what happens on
//! these back as [`StreamInput`]s.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use heiiki_types::{ConnId, StreamInput, StreamOutput};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many unsent messages a connection may hold before it counts as dead.
const MAX_UNSENT: usize = 65_536;

/// Where a machine's stream inputs go: called from the tasks of [`run`].
pub type Deliver = Arc<dyn Fn(StreamInput) + Send + Sync>;

enum Done {
    Opened(ConnId, io::Result<TcpStream>),
    Ended(ConnId),
}

/// Serves a machine's streams until `outputs` ends; then every connection is closed after what was
/// sent on it. Connections that the machine asks for come from the address `local`, if it is given:
/// a peer may know the machine by it.
pub async fn run(
    listener: Option<TcpListener>,
    local: Option<IpAddr>,
    mut outputs: mpsc::UnboundedReceiver<StreamOutput>,
    deliver: Deliver,
) {
    let (done, mut finished) = mpsc::unbounded_channel();
    let mut table = Table {
        writers: BTreeMap::new(),
        local,
        accepted: 0,
        deliver,
        done,
    };
    loop {
        tokio::select! {
            output = outputs.recv() => match output {
                Some(output) => table.act(output),
                None => break,
            },
            Some(event) = finished.recv() => table.finish(event),
            (stream, peer) = accept(listener.as_ref()) => table.accept(stream, peer),
        }
    }
    // Writers drain their queues once the sending ends are gone.
    let writers = core::mem::take(&mut table.writers);
    let tasks: Vec<_> = writers.into_values().map(|w| w.task).collect();
    for task in tasks {
        let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
    }
}

/// Connects, from a certain address if one is given.
async fn connect(local: Option<IpAddr>, peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(local) = local.filter(|l| l.is_ipv4() == peer.is_ipv4()) {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(peer).await
}

/// The next connection; never resolves without a listener.
async fn accept(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    let Some(listener) = listener else {
        return core::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // No descriptors left, or the peer went away again: later ones may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

struct Writer {
    queue: mpsc::Sender<Vec<u8>>,
    task: tokio::task::JoinHandle<()>,
}

struct Table {
    writers: BTreeMap<ConnId, Writer>,
    local: Option<IpAddr>,
    accepted: u64,
    deliver: Deliver,
    done: mpsc::UnboundedSender<Done>,
}

impl Table {
    fn act(&mut self, output: StreamOutput) {
        match output {
            StreamOutput::Connect { conn, peer } => {
                let (done, local) = (self.done.clone(), self.local);
                tokio::spawn(async move {
                    let connect = tokio::time::timeout(CONNECT_TIMEOUT, connect(local, peer));
                    let stream = connect.await.unwrap_or_else(|e| Err(e.into()));
                    let _ = done.send(Done::Opened(conn, stream));
                });
            }
            StreamOutput::Send { conn, octets } => {
                let full = self
                    .writers
                    .get(&conn)
                    .is_some_and(|w| w.queue.try_send(octets).is_err());
                if full {
                    self.writers.remove(&conn);
                    (self.deliver)(StreamInput::Closed { conn });
                }
            }
            StreamOutput::Close { conn } => {
                self.writers.remove(&conn);
            }
        }
    }

    fn accept(&mut self, stream: TcpStream, peer: SocketAddr) {
        let conn = ConnId::accepted(self.accepted);
        self.accepted += 1;
        (self.deliver)(StreamInput::Accepted { conn, peer });
        self.start(conn, stream);
    }

    fn finish(&mut self, event: Done) {
        match event {
            Done::Opened(conn, Ok(stream)) => {
                (self.deliver)(StreamInput::Connected { conn });
                self.start(conn, stream);
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

    fn start(&mut self, conn: ConnId, stream: TcpStream) {
        // Signalling is small and waits for answers: Nagle would only delay it.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let (queue, unsent) = mpsc::channel(MAX_UNSENT);
        let task = tokio::spawn(send(write, unsent));
        self.writers.insert(conn, Writer { queue, task });
        tokio::spawn(receive(
            conn,
            read,
            Arc::clone(&self.deliver),
            self.done.clone(),
        ));
    }
}

async fn send(mut stream: OwnedWriteHalf, mut unsent: mpsc::Receiver<Vec<u8>>) {
    while let Some(octets) = unsent.recv().await {
        if stream.write_all(&octets).await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn receive(
    conn: ConnId,
    mut stream: OwnedReadHalf,
    deliver: Deliver,
    done: mpsc::UnboundedSender<Done>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n) = stream.read(&mut buffer).await {
        let Some(octets) = buffer.get(..n).filter(|o| !o.is_empty()) else {
            break;
        };
        deliver(StreamInput::Data {
            conn,
            octets: octets.to_vec(),
        });
    }
    let _ = done.send(Done::Ended(conn));
}

#[cfg(test)]
mod tests {
    use super::*;

    type Inputs = mpsc::UnboundedReceiver<StreamInput>;

    fn deliver() -> (Deliver, Inputs) {
        let (tx, rx) = mpsc::unbounded_channel();
        (Arc::new(move |input| drop(tx.send(input))), rx)
    }

    #[tokio::test]
    async fn two_machines_talk_and_part() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (server, mut at_server) = deliver();
        let (client, mut at_client) = deliver();
        let (to_server, outputs) = mpsc::unbounded_channel();
        tokio::spawn(run(Some(listener), None, outputs, server));
        let (to_client, outputs) = mpsc::unbounded_channel();
        tokio::spawn(run(None, Some([127, 0, 0, 1].into()), outputs, client));

        let conn = ConnId::initiated(3);
        to_client
            .send(StreamOutput::Connect {
                conn,
                peer: address,
            })
            .unwrap();
        assert_eq!(
            at_client.recv().await,
            Some(StreamInput::Connected { conn })
        );
        let Some(StreamInput::Accepted { conn: accepted, .. }) = at_server.recv().await else {
            panic!("not accepted");
        };
        to_client
            .send(StreamOutput::Send {
                conn,
                octets: b"CER".to_vec(),
            })
            .unwrap();
        let data = StreamInput::Data {
            conn: accepted,
            octets: b"CER".to_vec(),
        };
        assert_eq!(at_server.recv().await, Some(data));
        to_server
            .send(StreamOutput::Send {
                conn: accepted,
                octets: b"CEA".to_vec(),
            })
            .unwrap();
        to_server
            .send(StreamOutput::Close { conn: accepted })
            .unwrap();
        let data = StreamInput::Data {
            conn,
            octets: b"CEA".to_vec(),
        };
        assert_eq!(at_client.recv().await, Some(data));
        assert_eq!(at_client.recv().await, Some(StreamInput::Closed { conn }));
    }

    #[tokio::test]
    async fn a_refused_connection_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let (client, mut at_client) = deliver();
        let (to_client, outputs) = mpsc::unbounded_channel();
        tokio::spawn(run(None, Some([127, 0, 0, 1].into()), outputs, client));
        let conn = ConnId::initiated(0);
        to_client
            .send(StreamOutput::Connect {
                conn,
                peer: address,
            })
            .unwrap();
        assert_eq!(at_client.recv().await, Some(StreamInput::Closed { conn }));
    }
}
