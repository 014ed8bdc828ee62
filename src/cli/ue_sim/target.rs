//! Where a probe goes, as the command line writes it.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::str::FromStr;

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A page.
    Http {
        /// An address, or a name for the access point's DNS server.
        host: String,
        port: u16,
        path: String,
    },
    /// An ICMP echo request.
    Ping(Ipv4Addr),
    /// A TCP connection.
    Tcp(SocketAddrV4),
    /// A UDP datagram to an echo port.
    Udp(SocketAddrV4),
    /// A name, asked of the access point's DNS server.
    Dns(String),
}

/// What to write instead.
const FORMS: &str = "write http://HOST[:PORT]/PATH, ping:ADDRESS, tcp:ADDRESS:PORT, \
                     udp:ADDRESS:PORT or dns:NAME";

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once(':').ok_or(FORMS)?;
        let address = || rest.parse().map_err(|_| FORMS);
        let socket = || rest.parse().map_err(|_| FORMS);
        match scheme {
            "http" => http(rest.strip_prefix("//").ok_or(FORMS)?).ok_or(FORMS),
            "ping" => address().map(Self::Ping),
            "tcp" => socket().map(Self::Tcp),
            "udp" => socket().map(Self::Udp),
            "dns" if !rest.is_empty() => Ok(Self::Dns(rest.to_owned())),
            _ => Err(FORMS),
        }
    }
}

fn http(rest: &str) -> Option<Target> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    let path = path.to_owned();
    (!host.is_empty()).then(|| Target::Http {
        host: host.to_owned(),
        port,
        path,
    })
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http {
                host,
                port: 80,
                path,
            } => write!(f, "http://{host}{path}"),
            Self::Http { host, port, path } => write!(f, "http://{host}:{port}{path}"),
            Self::Ping(address) => write!(f, "ping:{address}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Dns(name) => write!(f, "dns:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_and_prints_the_same() {
        for text in [
            "http://intranet/",
            "http://10.20.255.10:8080/file?size=1000000",
            "ping:10.20.255.10",
            "tcp:10.20.255.10:80",
            "udp:10.20.255.10:7",
            "dns:intranet",
        ] {
            assert_eq!(
                text.parse::<Target>().map(|t| t.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!(
            "http://intranet".parse::<Target>().unwrap().to_string(),
            "http://intranet/"
        );
    }

    #[test]
    fn what_is_no_target_says_the_forms() {
        for text in [
            "",
            "intranet",
            "ftp://x/",
            "http:x",
            "http:///",
            "http://x:y/",
            "ping:x",
            "tcp:10.0.0.1",
            "dns:",
            "udp:[::1]:7",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
