//! Calls to a running server's administrative interface.

use core::time::Duration;
use std::path::PathBuf;

use clap::Args;
use heiiki_net::http::{self, Target};
use heiiki_types::{HttpRequest, HttpResponse, Method, Token};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroize as _;

use super::failure::Failure;
use super::{node, tls, token};
use crate::driver::Runtime;
use crate::file::{self, Admin, AdminUrl, Mistakes, admin_url};

/// How long a server may take to answer: longer than it waits for anything itself.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which server to call, and with which token.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// The server's own configuration file: its address and its token file are in it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's address, such as `http://127.0.0.1:8081` or `https://10.0.0.1:8081`, instead of
    /// the configuration file's
    #[arg(long, value_name = "URL", value_parser = address)]
    url: Option<AdminUrl>,
    /// The file with the token, instead of the configuration file's
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Whom the server's certificate comes from, a PEM file, for https
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name that the server's certificate has, where it is not the address
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

/// Reads `http://ADDRESS:PORT`, `https://ADDRESS:PORT`, or only `ADDRESS:PORT`.
fn address(text: &str) -> Result<AdminUrl, String> {
    let url = admin_url(text)
        .ok_or("write http://ADDRESS:PORT, such as http://127.0.0.1:8081, or https://...")?;
    if !url.tls && !url.address.ip().is_loopback() {
        return Err(format!(
            "the token would travel in clear text: write https://{}",
            url.address
        ));
    }
    Ok(url)
}

/// A server that can be called.
#[derive(Debug)]
pub(super) struct Client {
    runtime: Runtime,
    server: Target,
    token: Token,
    what: &'static str,
}

impl ServerArgs {
    /// A gateway as the HSS's file names it.
    pub(super) fn of_gateway(gateway: &file::GatewayEntry) -> Self {
        Self {
            config: None,
            url: Some(gateway.admin.clone()),
            token_file: Some(gateway.token_file.clone()),
            ca: gateway.ca.clone(),
            server_name: gateway.server_name.clone(),
        }
    }

    /// Finds the server: `what` it is, its usual configuration file, and how that is read.
    pub(super) fn client(
        &self,
        what: &'static str,
        usual: &str,
        load: impl FnOnce(&std::path::Path) -> Result<Admin, Mistakes>,
    ) -> Result<Client, Failure> {
        let (url, token_file, config, ca) = match (self.url.clone(), &self.token_file) {
            (Some(url), Some(file)) => (url, file.clone(), None, self.ca.clone()),
            (url, file) => {
                if url.is_some() && self.config.is_none() {
                    return Err(Failure::usage(
                        "--url needs a token too",
                        "add --token-file FILE, or --config FILE",
                    ));
                }
                let config = self.config.clone().unwrap_or_else(|| PathBuf::from(usual));
                let admin = load(&config)?;
                let token_file = file.clone().unwrap_or(admin.token_file);
                let own = AdminUrl {
                    address: admin.listen,
                    tls: admin.tls.is_some(),
                };
                // A certificate that nobody else made vouches for itself.
                let theirs = admin.tls.map(|tls| tls.ca.unwrap_or(tls.certificate));
                let ca = self.ca.clone().or(theirs);
                (url.unwrap_or(own), token_file, Some(config), ca)
            }
        };
        if url.tls && ca.is_none() {
            return Err(Failure::usage(
                "https needs to know whom the certificate comes from",
                "add --ca FILE",
            ));
        }
        let name = self.server_name.as_deref();
        let server = tls::target(&url, ca.as_deref(), name).map_err(|e| {
            let help = "--ca names a PEM file with certificates, --server-name a DNS name";
            Failure::usage(e.to_string(), help)
        })?;
        if server.address.port() == 0 {
            let help = "give the address of its `ready` line: --url http://ADDRESS:PORT";
            return Err(Failure::usage(
                format!("the file leaves the port of the {what} to the system"),
                help,
            ));
        }
        let token = token::read(&token_file).map_err(|unusable| match config {
            Some(config) if self.token_file.is_none() => file::blame(
                &config,
                "admin.token_file",
                &unusable.problem,
                &unusable.help,
            )
            .into(),
            _ => Failure::usage(unusable.problem, unusable.help),
        })?;
        let runtime = node::runtime()?;
        Ok(Client {
            runtime,
            server,
            token,
            what,
        })
    }
}

impl Client {
    /// Makes a call, whatever its answer.
    pub(super) fn call(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Result<HttpResponse, Failure> {
        let bearer = Some(self.token.clone());
        let mut request = HttpRequest {
            method,
            target: target.to_owned(),
            bearer,
            body,
            headers: heiiki_types::Headers::default(),
        };
        let server = self.server.clone();
        let answer = self.runtime.wait(async move {
            let answer = http::call(server, &request, TIMEOUT).await;
            // It may have held the keys of SIMs.
            request.body.zeroize();
            answer
        });
        self.answered(answer.and_then(|answer| answer))
    }

    /// Begins a call, and hands its answer over from another thread.
    pub(super) fn start(
        &self,
        mut request: HttpRequest,
        done: impl FnOnce(std::io::Result<HttpResponse>) + Send + 'static,
    ) {
        request.bearer = Some(self.token.clone());
        let server = self.server.clone();
        self.runtime.handle().spawn(async move {
            let answer = http::call(server, &request, TIMEOUT).await;
            // It may have held the keys of SIMs.
            request.body.zeroize();
            done(answer);
        });
    }

    /// Makes a call that must succeed, and gives its JSON.
    pub(super) fn exchange(&self, request: HttpRequest) -> Result<Value, Failure> {
        let (tx, rx) = std::sync::mpsc::channel();
        self.start(request, move |answer| drop(tx.send(answer)));
        let answer = rx.recv().map_err(std::io::Error::other);
        let response = self.answered(answer.and_then(|answer| answer))?;
        if (200..300).contains(&response.status) {
            return self.read(&response);
        }
        Err(self.refused(&response))
    }

    /// The answer, or why there is none.
    pub(super) fn answered(
        &self,
        answer: std::io::Result<HttpResponse>,
    ) -> Result<HttpResponse, Failure> {
        answer.map_err(|error| {
            let help = "is it running, and is this its address? Its `ready` line has it";
            Failure::failed(
                format!(
                    "the {} at {} does not answer: {error}",
                    self.what, self.server.address
                ),
                help,
            )
        })
    }

    /// Makes a call that must succeed, and gives its JSON.
    pub(super) fn ask(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Result<Value, Failure> {
        let response = self.call(method, target, body)?;
        if (200..300).contains(&response.status) {
            return self.read(&response);
        }
        Err(self.refused(&response))
    }

    /// Lets a moment pass.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Failure> {
        self.runtime
            .wait(async move { tokio::time::sleep(time).await })
            .map_err(|e| Failure::failed(format!("cannot wait: {e}"), "see what the system says"))
    }

    /// The JSON of an answer.
    pub(super) fn read<T: DeserializeOwned>(&self, response: &HttpResponse) -> Result<T, Failure> {
        serde_json::from_slice(&response.body).map_err(|error| {
            let help = "is it of the same version as this command?";
            Failure::failed(
                format!("the answer of the {} cannot be read: {error}", self.what),
                help,
            )
        })
    }

    /// What a refusal says.
    pub(super) fn refused(&self, response: &HttpResponse) -> Failure {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let error = body.get("error").unwrap_or(&Value::Null);
        let text = |value: &Value, names: &[&str]| {
            names
                .iter()
                .find_map(|n| value.get(n)?.as_str().map(str::to_owned))
        };
        let problem = error
            .as_str()
            .map(str::to_owned)
            .or_else(|| text(error, &["message", "what"]));
        let rows = error
            .get("rows")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|row| {
                let text = |name| row.get(name).map_or_else(String::new, plain);
                format!(
                    "\n  row {}, IMSI {}: {}",
                    text("number"),
                    text("imsi"),
                    text("what")
                )
            });
        let problem = problem.unwrap_or_else(|| "it does not say why".to_owned());
        let status = response.status;
        let problem = format!(
            "the {} refused ({status}): {problem}{}",
            self.what,
            rows.collect::<String>()
        );
        let help = text(error, &["what_to_do"]).unwrap_or_else(|| match status {
            401 => "the token is not this server's: see its token file".to_owned(),
            403 => "use the administrator's token".to_owned(),
            503 => "try again in a moment; see its log if it lasts".to_owned(),
            _ => "see the log of the server".to_owned(),
        });
        Failure::failed(problem, help)
    }
}

/// A JSON value as a person writes it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::String(_) | Value::Null => "-".to_owned(),
        value => value.to_string(),
    }
}

/// The member `name` of an object, as a person writes it.
pub(super) fn member(value: &Value, name: &str) -> String {
    value.get(name).map_or_else(|| "-".to_owned(), plain)
}

/// Rows in columns, the first row being the head.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|r| r.get(column))
            .map(|c| c.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers() {
        let expected = AdminUrl {
            address: "127.0.0.1:8081".parse().unwrap(),
            tls: false,
        };
        for text in [
            "127.0.0.1:8081",
            "http://127.0.0.1:8081",
            "http://127.0.0.1:8081/",
        ] {
            assert_eq!(address(text).as_ref(), Ok(&expected), "{text}");
        }
        assert!(address("https://10.0.0.1:8081").unwrap().tls);
        for text in ["http://10.0.0.1:8081", "http://127.0.0.1", "hss:8081", ""] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bb"], ["ccc", "d"]].map(|r| r.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a    bb\nccc  d\n");
    }
}
