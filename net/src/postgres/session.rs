//! Sessions with the server: how they begin, and how their end is noticed.

use core::fmt;
use core::future::poll_fn;
use core::net::IpAddr;
use core::str::FromStr;
use std::sync::Arc;

use heiiki_types::from_hex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Statement};

use super::numbers::{self, Holder};
use super::tls::Tls;
use super::{PostgresConfig, PostgresError, read, schema, write};

/// The channel of notifications.
pub(super) const CHANNEL: &str = "heiiki";

/// What holds for every session.
///
/// A commit waits for its flush whatever the server's default is. Plans must not depend on
/// statistics: they are made when the tables are still empty.
const SETTINGS: &str = "SET synchronous_commit = on; SET enable_seqscan = off; \
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
    SET client_min_messages = warning; SET idle_in_transaction_session_timeout = 0";

/// Where a server is, and the names of database and user, as
/// `postgresql://USER@HOST:PORT/DATABASE`. It holds no password.
#[derive(Clone)]
pub struct Address(Box<Config>);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self
            .0
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        let ports: Vec<_> = self.0.get_ports().iter().map(u16::to_string).collect();
        let ports = if ports.is_empty() {
            "5432".to_owned()
        } else {
            ports.join(",")
        };
        let database = self.0.get_dbname().unwrap_or("");
        write!(f, "{}:{ports}/{database}", hosts.join(","))
    }
}

/// Why a text is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidAddress {
    /// It does not parse.
    Syntax(String),
    /// It names no host.
    NoHost,
    /// It holds a password, which does not belong into a configuration file.
    Password,
}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(why) => write!(f, "not an address of a PostgreSQL database: {why}"),
            Self::NoHost => f.write_str("the address names no host and no socket folder"),
            Self::Password => f.write_str(
                "the address holds a password: put it into a file that only its owner can read",
            ),
        }
    }
}

impl core::error::Error for InvalidAddress {}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let config = Config::from_str(text).map_err(|e| {
            // The library names the part that is wrong, never its value.
            InvalidAddress::Syntax(describe(&e))
        })?;
        if config.get_password().is_some() {
            return Err(InvalidAddress::Password);
        }
        if config.get_hosts().is_empty() {
            return Err(InvalidAddress::NoHost);
        }
        Ok(Self(Box::new(config)))
    }
}

impl Address {
    /// The name or address of the server, for its certificate; none for a socket folder.
    pub fn server_name(&self) -> Option<&str> {
        self.0.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(name) => Some(name.as_str()),
            Host::Unix(_) => None,
        })
    }

    /// Whether what is sent there stays on this machine: a socket in the file system, or loopback.
    pub fn is_local(&self) -> bool {
        let names = self.0.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        });
        names && self.0.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }
}

/// What went wrong, with the reason that the server or the system gave.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    use core::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// The session that reads and hears.
pub(super) struct Reader {
    pub(super) client: Client,
    pub(super) refresh: Statement,
    pub(super) horizon: Statement,
}

/// The session that writes.
pub(super) struct Writer {
    pub(super) client: Client,
    pub(super) write: Statement,
}

/// Both sessions, and what comes from them unasked.
pub(super) struct Session {
    pub(super) reader: Arc<Reader>,
    pub(super) writer: Arc<Writer>,
    /// Subjects that other nodes changed.
    pub(super) changed: UnboundedReceiver<Vec<u8>>,
    /// Why a session is lost.
    pub(super) lost: UnboundedReceiver<String>,
    pub(super) losing: UnboundedSender<String>,
}

impl Session {
    pub(super) async fn open(config: &PostgresConfig) -> Result<Self, PostgresError> {
        let (losing, lost) = unbounded_channel();
        let (changing, changed) = unbounded_channel();
        let writer = connect(config, "writer", losing.clone(), None).await?;
        writer.batch_execute(SETTINGS).await?;
        schema::migrate(&writer).await?;
        numbers::hold(&writer, Holder::Writer, config.numbers.clone()).await?;
        let own: i32 = writer
            .query_one("SELECT pg_backend_pid()", &[])
            .await?
            .try_get(0)?;
        let reader = connect(config, "reader", losing.clone(), Some((own, changing))).await?;
        reader.batch_execute(SETTINGS).await?;
        numbers::hold(&reader, Holder::Reader, config.numbers.clone()).await?;
        reader.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        let refresh = reader.prepare(read::REFRESH).await?;
        let horizon = reader.prepare(read::HORIZON).await?;
        let write = writer.prepare(write::WRITE).await?;
        Ok(Self {
            reader: Arc::new(Reader {
                client: reader,
                refresh,
                horizon,
            }),
            writer: Arc::new(Writer {
                client: writer,
                write,
            }),
            changed,
            lost,
            losing,
        })
    }
}

async fn connect(
    config: &PostgresConfig,
    role: &str,
    losing: UnboundedSender<String>,
    hears: Option<(i32, UnboundedSender<Vec<u8>>)>,
) -> Result<Client, PostgresError> {
    let mut address = (*config.address.0).clone();
    if let Some(password) = &config.password {
        address.password(password);
    }
    let first = config.numbers.start;
    address
        .application_name(format!("heiiki front end {first} {role}"))
        .connect_timeout(config.patience)
        .tcp_user_timeout(config.patience)
        .keepalives_idle(config.patience);
    let Some(connector) = &config.tls else {
        let (client, connection) = address.connect(NoTls).await?;
        tokio::spawn(listen(connection, losing, hears));
        return Ok(client);
    };
    address.ssl_mode(SslMode::Require);
    let (client, connection) = address.connect(Tls(connector.clone())).await?;
    tokio::spawn(listen(connection, losing, hears));
    Ok(client)
}

/// What the server says unasked, until the session ends.
async fn listen<S, T>(
    mut connection: Connection<S, T>,
    losing: UnboundedSender<String>,
    hears: Option<(i32, UnboundedSender<Vec<u8>>)>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(note))) => {
                let Some((own, changing)) = &hears else {
                    continue;
                };
                if note.process_id() == *own {
                    continue;
                }
                if let Ok(subject) = from_hex(note.payload()) {
                    let _ = changing.send(subject);
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let _ = losing.send(describe(&error));
                return;
            }
            None => {
                let _ = losing.send("the session was closed".to_owned());
                return;
            }
        }
    }
}
