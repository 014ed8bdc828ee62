//! HTTP/1.1 for the administrative interfaces: a server that turns calls into values, and a client.
//!
//! The server checks the `Host` header (a page on another site must not reach a loopback service
//! through a name that resolves to it), bounds connections, sizes and times, and speaks TLS where it
//! is given a certificate. Tokens are the callee's business.

use core::convert::Infallible;
use core::future::Future;
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use heiiki_types::{Headers, HttpRequest, HttpResponse, Method, Token};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::tls::{Acceptor, Connector};

/// Octets of the largest body that is read.
pub const MAX_BODY: usize = 16 << 20;

/// What a handler gives back.
#[derive(Debug)]
pub enum Reply {
    /// One JSON document.
    Whole(HttpResponse),
    /// NDJSON lines until the sender is dropped or the caller goes away.
    Lines(mpsc::Receiver<Bytes>),
}

/// The future of a [`Reply`].
pub type ReplyFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Answers one call, given where it comes from.
pub type Handler = Arc<dyn Fn(HttpRequest, SocketAddr) -> ReplyFuture + Send + Sync>;

/// Open connections.
const MAX_CONNECTIONS: usize = 256;
/// Open connections of one address.
const MAX_CONNECTIONS_OF_ADDRESS: usize = 128;
/// How long the head of a request may take, and the TLS handshake before it.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long the body of a request may take.
const BODY_WITHIN: Duration = Duration::from_mins(1);
/// Octets of the largest head of a request.
const MAX_HEAD: usize = 64 << 10;

/// The open connections, by address.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// One of them.
struct Place {
    connections: Connections,
    from: IpAddr,
}

impl Connections {
    fn take(&self, from: IpAddr) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let of_address = counts.get(&from).copied().unwrap_or(0);
        if all >= MAX_CONNECTIONS || of_address >= MAX_CONNECTIONS_OF_ADDRESS {
            return None;
        }
        counts.insert(from, of_address + 1);
        Some(Place {
            connections: self.clone(),
            from,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let counts = &self.connections.0;
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.from) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.from)),
        }
    }
}

/// The names by which a server may be called in the `Host` header.
fn host_names(local: SocketAddr, tls: Option<&Acceptor>) -> Vec<String> {
    let mut names = vec![local.ip().to_string()];
    if local.ip().is_loopback() {
        names.push("localhost".to_owned());
    }
    names.extend(tls.into_iter().flat_map(Acceptor::names).cloned());
    let with_port: Vec<String> = names
        .iter()
        .map(|n| format!("{n}:{}", local.port()))
        .chain([local.to_string()])
        .collect();
    names.extend(with_port);
    names
}

/// Serves calls until the future is dropped, over TLS if `tls` is given.
pub async fn serve(listener: TcpListener, tls: Option<Acceptor>, handler: Handler) {
    let connections = Connections::default();
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Beyond the limits a caller is told nothing: telling would take a place.
        let (Some(place), Ok(local)) = (connections.take(from.ip()), stream.local_addr()) else {
            continue;
        };
        let (handler, tls) = (Arc::clone(&handler), tls.clone());
        tokio::spawn(async move {
            let _place = place;
            let hosts: Arc<[String]> = host_names(local, tls.as_ref()).into();
            let _ = stream.set_nodelay(true);
            let Some(tls) = tls else {
                serve_one(stream, from, handler, hosts).await;
                return;
            };
            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_WITHIN, tls.accept(stream)).await {
                serve_one(stream, from, handler, hosts).await;
            }
        });
    }
}

async fn serve_one(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    from: SocketAddr,
    handler: Handler,
    hosts: Arc<[String]>,
) {
    let service = service_fn(move |request| {
        let (handler, hosts) = (Arc::clone(&handler), Arc::clone(&hosts));
        async move { Ok::<_, Infallible>(answer(request, from, &handler, &hosts).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(hyper_util::rt::TokioTimer::new());
    server.header_read_timeout(HEAD_WITHIN);
    server.max_buf_size(MAX_HEAD);
    // A peer that breaks off in the middle is no news.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(
    request: Request<Incoming>,
    from: SocketAddr,
    handler: &Handler,
    hosts: &[String],
) -> Response<Body> {
    let request = match read(request, hosts).await {
        Ok(request) => request,
        Err((status, why)) => {
            let body = format!("{{\"error\":{{\"what\":\"{why}\"}}}}");
            return json(status.as_u16(), body.into());
        }
    };
    match handler(request, from).await {
        Reply::Whole(response) => {
            let mut answer = json(response.status, response.body.into());
            for (name, value) in response.headers.iter() {
                if let Ok(value) = header::HeaderValue::from_str(value) {
                    answer.headers_mut().insert(name, value);
                }
            }
            answer
        }
        Reply::Lines(lines) => respond(200, "application/x-ndjson", Lines(lines).boxed()),
    }
}

async fn read(
    request: Request<Incoming>,
    hosts: &[String],
) -> Result<HttpRequest, (StatusCode, &'static str)> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|h| h.to_str().ok());
    if !host.is_some_and(|h| hosts.iter().any(|ok| ok.eq_ignore_ascii_case(h))) {
        return Err((
            StatusCode::MISDIRECTED_REQUEST,
            "the Host header is not of this server",
        ));
    }
    let method = match *request.method() {
        hyper::Method::GET => Method::Get,
        hyper::Method::POST => Method::Post,
        hyper::Method::PUT => Method::Put,
        hyper::Method::PATCH => Method::Patch,
        hyper::Method::DELETE => Method::Delete,
        _ => return Err((StatusCode::METHOD_NOT_ALLOWED, "no call has this method")),
    };
    let bearer = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|h| h.to_str().ok())
        .and_then(|h| h.strip_prefix("Bearer "))
        .map(|token| Token::new(token.trim().to_owned()));
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |t| t.as_str())
        .to_owned();
    let mut headers = Headers::default();
    for name in Headers::OF_REQUESTS {
        let value = request.headers().get(name).and_then(|v| v.to_str().ok());
        if let Some(value) = value {
            headers.set(name, value.to_owned());
        }
    }
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    let body = tokio::time::timeout(BODY_WITHIN, body)
        .await
        .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body took too long"))?
        .map_err(|_| {
            (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large or broke off",
            )
        })?
        .to_bytes()
        .to_vec();
    Ok(HttpRequest {
        method,
        target,
        bearer,
        body,
        headers,
    })
}

fn respond(status: u16, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}

fn json(status: u16, body: Bytes) -> Response<Body> {
    respond(status, "application/json", Full::new(body).boxed())
}

/// The lines of a channel as a body.
struct Lines(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|line| line.map(|l| Ok(Frame::data(l))))
    }
}

/// A server that is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// How it is known, over TLS; `None` in clear text.
    pub tls: Option<Connector>,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }
}

/// Makes one call and returns the whole answer.
///
/// # Errors
/// When the server cannot be reached, is not who it should be, breaks off, or does not answer
/// within `timeout`.
pub async fn call(
    server: impl Into<Target>,
    request: &HttpRequest,
    timeout: Duration,
) -> io::Result<HttpResponse> {
    let server = server.into();
    let exchange = async {
        let stream = TcpStream::connect(server.address).await?;
        let _ = stream.set_nodelay(true);
        match &server.tls {
            Some(tls) => exchange(tls.connect(stream).await?, server.address, request).await,
            None => exchange(stream, server.address, request).await,
        }
    };
    tokio::time::timeout(timeout, exchange)
        .await
        .unwrap_or_else(|e| Err(e.into()))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    server: SocketAddr,
    request: &HttpRequest,
) -> io::Result<HttpResponse> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(other)?;
    let connection = tokio::spawn(connection);
    let response = sender
        .send_request(build(server, request)?)
        .await
        .map_err(other)?;
    let status = response.status().as_u16();
    let mut headers = Headers::default();
    let etag = response.headers().get(header::ETAG);
    if let Some(value) = etag.and_then(|v| v.to_str().ok()) {
        headers.set("etag", value.to_owned());
    }
    let body = Limited::new(response.into_body(), MAX_BODY)
        .collect()
        .await
        .map_err(io::Error::other)?;
    connection.abort();
    Ok(HttpResponse {
        status,
        body: body.to_bytes().to_vec(),
        headers,
    })
}

fn other(error: hyper::Error) -> io::Error {
    io::Error::other(error)
}

fn build(server: SocketAddr, request: &HttpRequest) -> io::Result<Request<Full<Bytes>>> {
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Put => hyper::Method::PUT,
        Method::Patch => hyper::Method::PATCH,
        Method::Delete => hyper::Method::DELETE,
    };
    let mut builder = Request::builder()
        .method(method)
        .uri(request.target.as_str())
        .header(header::HOST, server.to_string());
    if let Some(token) = &request.bearer {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    if !request.body.is_empty() && request.headers.get("content-type").is_none() {
        builder = builder.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in request.headers.iter() {
        builder = builder.header(name, value);
    }
    builder
        .body(Full::new(Bytes::from(request.body.clone())))
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler: Handler = Arc::new(|request, _| {
            Box::pin(async move {
                if request.path() == "/lines" {
                    let (tx, rx) = mpsc::channel(4);
                    tx.send(Bytes::from_static(b"{}\n")).await.unwrap();
                    tx.send(Bytes::from_static(b"[]\n")).await.unwrap();
                    return Reply::Lines(rx);
                }
                let token = request.bearer.map(|t| t.expose().to_owned());
                let body = format!("{:?} {} {token:?}", request.method, request.target);
                Reply::Whole(HttpResponse {
                    status: 201,
                    body: body.into_bytes(),
                    headers: Headers::default(),
                })
            })
        });
        tokio::spawn(serve(listener, None, handler));
        address
    }

    fn request(target: &str) -> HttpRequest {
        HttpRequest {
            method: Method::Post,
            target: target.to_owned(),
            bearer: Some(Token::new("t".to_owned())),
            body: b"{}".to_vec(),
            headers: Headers::default(),
        }
    }

    #[tokio::test]
    async fn a_call_arrives_as_it_was_made() {
        let address = server().await;
        let timeout = Duration::from_secs(10);
        let response = call(address, &request("/v1/bars?x=1"), timeout)
            .await
            .unwrap();
        assert_eq!(response.status, 201);
        assert_eq!(response.body, b"Post /v1/bars?x=1 Some(\"t\")");
        let lines = call(address, &request("/lines"), timeout).await.unwrap();
        assert_eq!(lines.body, b"{}\n[]\n");
    }

    #[tokio::test]
    async fn a_foreign_host_name_is_misdirected() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = TcpStream::connect(server().await).await.unwrap();
        let text = b"GET / HTTP/1.1\r\nHost: attacker.example\r\nConnection: close\r\n\r\n";
        stream.write_all(text).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    }

    #[tokio::test]
    async fn one_address_has_a_share_of_the_connections() {
        use tokio::io::AsyncReadExt as _;
        let address = server().await;
        let mut held = Vec::new();
        for _ in 0..MAX_CONNECTIONS_OF_ADDRESS {
            held.push(TcpStream::connect(address).await.unwrap());
        }
        let mut more = TcpStream::connect(address).await.unwrap();
        assert_eq!(
            more.read(&mut [0; 1]).await.unwrap_or(0),
            0,
            "closed at once"
        );
        drop(held);
        let timeout = Duration::from_secs(10);
        loop {
            // The server hears of the closed ones one by one.
            if call(address, &request("/"), timeout).await.is_ok() {
                break;
            }
        }
    }
}
