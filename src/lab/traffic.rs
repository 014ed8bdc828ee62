//! What UEs send: pages, names, pings, probes and packets that no honest stack would make.

use core::net::Ipv4Addr;
use core::time::Duration;

use heiiki_ue_sim::{Event as UeEvent, ProbeOutcome, StreamReport, UeCommand};

use super::{Lab, Network, PATIENCE, Page, Unreached};

/// How long a file may take.
const TRANSFER: Duration = Duration::from_secs(90);

impl<N: Network> Lab<N> {
    /// Fetches `http://HOST[:PORT]/PATH`. The host is an address, or a name that the access
    /// point's DNS server is asked for.
    ///
    /// # Errors
    /// What became of it instead.
    pub fn get(&mut self, sim: &str, url: &str) -> Result<Page, Unreached> {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(80)),
            None => (authority, 80),
        };
        let dst = self.address_of(sim, host)?;
        let place = self.sim(sim);
        let (token, from) = (self.token(), self.log().len());
        let (host, path) = (host.to_owned(), path.to_owned());
        self.network.command(
            place,
            UeCommand::HttpGet {
                token,
                dst,
                port,
                host,
                path,
            },
        );
        self.wait_ue(place, from, TRANSFER, |event| match event {
            UeEvent::HttpDone {
                token: t,
                status,
                bytes,
                sha256,
                took_us,
                body,
            } if *t == token => Some(Ok(Page {
                status: *status,
                bytes: *bytes,
                sha256: *sha256,
                body: body.clone(),
                took: Duration::from_micros(*took_us),
            })),
            UeEvent::HttpFailed {
                token: t, outcome, ..
            } if *t == token => Some(Err(Unreached::Outcome(*outcome))),
            _ => None,
        })
        .unwrap_or(Err(Unreached::TimedOut))
    }

    fn address_of(&mut self, sim: &str, host: &str) -> Result<Ipv4Addr, Unreached> {
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        let addresses = self.resolve(sim, host)?;
        addresses
            .first()
            .copied()
            .ok_or(Unreached::NoSuchName { rcode: Some(0) })
    }

    /// Asks the access point's DNS server for the addresses of a name.
    ///
    /// # Errors
    /// When the name has none, or the server did not answer.
    pub fn resolve(&mut self, sim: &str, name: &str) -> Result<Vec<Ipv4Addr>, Unreached> {
        let place = self.sim(sim);
        let (token, from) = (self.token(), self.log().len());
        let query = UeCommand::DnsQuery {
            token,
            name: name.to_owned(),
            server: None,
        };
        self.network.command(place, query);
        self.wait_ue(place, from, PATIENCE, |event| match event {
            UeEvent::DnsDone {
                token: t,
                outcome,
                rcode,
                addresses,
            } if *t == token => Some(if !outcome.is_answered() {
                Err(Unreached::Outcome(*outcome))
            } else if *rcode == Some(0) {
                Ok(addresses.clone())
            } else {
                Err(Unreached::NoSuchName { rcode: *rcode })
            }),
            _ => None,
        })
        .unwrap_or(Err(Unreached::TimedOut))
    }

    /// Sends one ICMP echo request.
    pub fn ping(&mut self, sim: &str, dst: Ipv4Addr) -> ProbeOutcome {
        self.probe(sim, |token| UeCommand::Ping { token, dst })
    }

    /// Tries a TCP connection.
    pub fn tcp(&mut self, sim: &str, dst: Ipv4Addr, port: u16) -> ProbeOutcome {
        self.probe(sim, |token| UeCommand::TcpProbe { token, dst, port })
    }

    /// Sends one UDP datagram and waits for an answer.
    pub fn udp(&mut self, sim: &str, dst: Ipv4Addr, port: u16) -> ProbeOutcome {
        self.probe(sim, |token| UeCommand::UdpProbe { token, dst, port })
    }

    fn probe(&mut self, sim: &str, command: impl FnOnce(u64) -> UeCommand) -> ProbeOutcome {
        let place = self.sim(sim);
        let (token, from) = (self.token(), self.log().len());
        self.network.command(place, command(token));
        self.wait_ue(place, from, PATIENCE, |event| match event {
            UeEvent::PingDone { token: t, outcome }
            | UeEvent::UdpProbeDone { token: t, outcome }
            | UeEvent::TcpProbeDone { token: t, outcome }
                if *t == token =>
            {
                Some(*outcome)
            }
            _ => None,
        })
        .unwrap_or(ProbeOutcome::TimedOut)
    }

    /// Starts a stream of numbered UDP probes to a host that echoes; returns its number.
    pub fn start_stream(&mut self, sim: &str, dst: Ipv4Addr, every: Duration) -> u64 {
        let token = self.token();
        let start = UeCommand::StartStream {
            token,
            dst,
            port: ECHO,
            interval: every,
            size: 64,
            each: false,
        };
        self.command(sim, start);
        token
    }

    /// Opens a UDP port on the UE that counts what comes in; returns its number.
    pub fn listen(&mut self, sim: &str, port: u16) -> u64 {
        let token = self.token();
        self.command(sim, UeCommand::Listen { token, port });
        token
    }

    /// Ends a stream or a listening port and reports what it saw. One that ended with its bearer
    /// reported then.
    pub fn stop_stream(&mut self, sim: &str, number: u64) -> Option<StreamReport> {
        let place = self.sim(sim);
        self.network
            .command(place, UeCommand::StopStream { token: number });
        self.wait_ue(place, 0, PATIENCE, |event| match event {
            UeEvent::StreamDone { token, report } if *token == number => Some(*report),
            _ => None,
        })
    }
}

/// The echo service, RFC 862.
pub(crate) const ECHO: u16 = 7;
