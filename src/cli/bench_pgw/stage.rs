//! The gateway that is measured, and what it says of itself.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use heiiki_net::http;
use heiiki_types::{HttpRequest, Method, Token};
use serde_json::Value;

use crate::cli::bench::server::{Folder, Server};
use crate::cli::failure::Failure;
use crate::cli::token;
use crate::driver::Runtime;

pub(super) const APN: &str = "bench.corp";
/// The host that traffic goes to and comes from.
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 10);
const TIMEOUT: Duration = Duration::from_mins(1);
const SERVE: [&str; 5] = ["serve", "--config", "pgw.toml", "--log", "warn"];

/// A running gateway in a folder of its own.
pub(super) struct Stage {
    pub(super) server: Server,
    core: usize,
    /// The third octet of the loopback addresses, so that two runs do not meet.
    net: u8,
    runtime: Runtime,
}

pub(super) fn failed(what: impl core::fmt::Display) -> Failure {
    Failure::failed(what.to_string(), "see pgw.log in the folder of the run")
}

impl Stage {
    /// Starts a gateway whose journal is empty.
    pub(super) fn start(folder: &Folder, core: usize, services: &str) -> Result<Self, Failure> {
        let net = u8::try_from(std::process::id() % 200).unwrap_or(0) + 10;
        folder.forget("pgw-data");
        folder.write("pgw.toml", &file(net, services))?;
        let server = Server::start("pgw", &SERVE, core, &folder.path)?;
        let runtime = Runtime::start().map_err(failed)?;
        Ok(Self {
            server,
            core,
            net,
            runtime,
        })
    }

    /// An address of the SGW that this program plays.
    pub(super) fn sgw(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 78, self.net, 2], port))
    }

    /// An address of the gateway.
    pub(super) fn gateway(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 78, self.net, 3], port))
    }

    /// Kills the gateway and starts it with what its journal has.
    pub(super) fn restart(&mut self, folder: &Folder) -> Result<(), Failure> {
        self.server = Server::start("pgw", &SERVE, self.core, &folder.path)?;
        Ok(())
    }

    /// One call of its administrative interface.
    pub(super) fn call(
        &self,
        folder: &Folder,
        method: Method,
        target: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let admin = self.server.address("admin")?;
        let token: Token =
            token::read(&folder.path.join("pgw-token")).map_err(|u| failed(u.problem))?;
        let mut request = HttpRequest::new(method, target);
        request.bearer = Some(token);
        if !body.is_null() {
            request.body = body.to_string().into_bytes();
        }
        let call = async move { http::call(admin, &request, TIMEOUT).await };
        let answer = self.runtime.wait(call).and_then(|a| a).map_err(failed)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if (200..300).contains(&answer.status) {
            Ok(body)
        } else {
            Err(failed(format!("{target}: {} {body}", answer.status)))
        }
    }

    /// Packets that it has passed on, uplink and downlink, and how many it has refused.
    pub(super) fn passed(&self, folder: &Folder) -> Result<[u64; 3], Failure> {
        let counters = self.call(folder, Method::Get, "/v1/counters", &Value::Null)?;
        let total = counters.get("total");
        let of = |name| total.and_then(|t| t.get(name)).and_then(Value::as_u64);
        let refused = counters.get("refused").and_then(Value::as_object);
        let refused = refused.map(|r| r.values().filter_map(Value::as_u64).sum());
        match (of("uplink_packets"), of("downlink_packets")) {
            (Some(up), Some(down)) => Ok([up, down, refused.unwrap_or(0)]),
            _ => Err(failed("its counters cannot be read")),
        }
    }
}

fn file(net: u8, services: &str) -> String {
    format!(
        "name = \"pgw-1\"\nstore = \"pgw-data\"\nquarantine = \"30s\"\n[s5c]\n\
         listen = \"127.78.{net}.3:2123\"\n\
         sgws = [\"127.78.{net}.2/32\"]\necho = \"1h\"\n[s5u]\n\
         listen = [\"127.78.{net}.3:2152\"]\n\
         [admin]\nlisten = \"127.78.{net}.1:0\"\n[[tenant]]\nname = \"bench\"\n\
         prefix = \"10.0.0.0/8\"\n[[tenant.host]]\nname = \"host\"\n\
         address = \"{HOST}\"\nservices = [{services}]\n[[apn]]\nname = \"{APN}\"\n\
         tenant = \"bench\"\npool = \"10.128.0.0/11\"\nuplink = \"100Gbps\"\n\
         downlink = \"100Gbps\"\n"
    )
}
