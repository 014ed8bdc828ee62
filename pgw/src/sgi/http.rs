use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::content::{FileContent, index_page};

/// The longest request head.
const HEAD: usize = 8_192;

#[derive(Clone, Debug)]
enum Body {
    Text(Vec<u8>),
    File { content: FileContent, size: u64 },
}

impl Body {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => u64::try_from(text.len()).unwrap_or(0),
            Self::File { size, .. } => *size,
        }
    }
}

#[derive(Clone, Debug)]
enum State {
    Reading(Vec<u8>),
    Sending {
        head: Vec<u8>,
        body: Option<Body>,
        sent: u64,
    },
}

/// One HTTP/1.1 exchange of the intranet (RFC 9112): a request is read, a response is made as the
/// connection takes it, the connection is closed.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    state: State,
}

impl Exchange {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Reading(Vec::new()),
        }
    }

    /// Whether the whole request was read.
    pub(super) const fn is_answering(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    /// Takes octets of the request and returns how many; none once the response has begun.
    pub(super) fn read(&mut self, octets: &[u8], tenant: &str, host: &str) -> usize {
        let State::Reading(head) = &mut self.state else {
            return octets.len();
        };
        head.extend_from_slice(octets);
        let end = head.windows(4).position(|w| w == b"\r\n\r\n");
        let response = match end {
            Some(end) => respond(head.get(..end).unwrap_or_default(), tenant, host),
            None if head.len() > HEAD => plain(431, "Request Header Fields Too Large", true),
            None => return octets.len(),
        };
        self.state = response;
        octets.len()
    }

    /// Writes as much of the response as fits and returns how much.
    pub(super) fn write(&mut self, out: &mut [u8]) -> usize {
        let State::Sending { head, body, sent } = &mut self.state else {
            return 0;
        };
        let head_len = u64::try_from(head.len()).unwrap_or(0);
        let mut written = 0;
        if let Some(rest) = usize::try_from(*sent).ok().and_then(|at| head.get(at..)) {
            let take = rest.len().min(out.len());
            for (to, from) in out.iter_mut().zip(rest) {
                *to = *from;
            }
            written = take;
        }
        let at = *sent + u64::try_from(written).unwrap_or(0);
        if let (Some(body), Some(out)) = (body.as_ref(), out.get_mut(written..))
            && at >= head_len
        {
            let offset = at - head_len;
            let left = usize::try_from(body.len() - offset.min(body.len())).unwrap_or(usize::MAX);
            let take = left.min(out.len());
            let out = out.get_mut(..take).unwrap_or_default();
            match body {
                Body::Text(text) => {
                    let text = usize::try_from(offset).ok().and_then(|o| text.get(o..));
                    for (to, from) in out.iter_mut().zip(text.unwrap_or_default()) {
                        *to = *from;
                    }
                }
                Body::File { content, .. } => content.fill(offset, out),
            }
            written += take;
        }
        *sent += u64::try_from(written).unwrap_or(0);
        written
    }

    /// Whether the whole response was written.
    pub(super) fn is_done(&self) -> bool {
        match &self.state {
            State::Reading(_) => false,
            State::Sending { head, body, sent } => {
                let body = body.as_ref().map_or(0, Body::len);
                *sent == u64::try_from(head.len()).unwrap_or(0) + body
            }
        }
    }
}

fn sending(status: u16, reason: &str, kind: &str, body: Body, with_body: bool) -> State {
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n",
        body.len()
    );
    State::Sending {
        head: head.into_bytes(),
        body: with_body.then_some(body),
        sent: 0,
    }
}

fn plain(status: u16, reason: &str, with_body: bool) -> State {
    let text = format!("{status} {reason}\n").into_bytes();
    sending(status, reason, "text/plain", Body::Text(text), with_body)
}

fn respond(head: &[u8], tenant: &str, host: &str) -> State {
    let head = String::from_utf8_lossy(head);
    let mut line = head.lines().next().unwrap_or_default().split(' ');
    let (method, target, version) = (line.next(), line.next(), line.next());
    let (Some(method), Some(target), Some(version)) = (method, target, version) else {
        return plain(400, "Bad Request", true);
    };
    if !version.starts_with("HTTP/1.") {
        return plain(505, "HTTP Version Not Supported", true);
    }
    let with_body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return plain(405, "Method Not Allowed", true),
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/" | "/index.html" => {
            let page = Body::Text(index_page(tenant, host).into_bytes());
            sending(200, "OK", "text/html; charset=utf-8", page, with_body)
        }
        "/file" => {
            let size = query.split('&').find_map(|pair| pair.strip_prefix("size="));
            match size.map(str::parse) {
                Some(Ok(size)) => {
                    let content = FileContent::of(tenant);
                    let body = Body::File { content, size };
                    sending(200, "OK", "application/octet-stream", body, with_body)
                }
                _ => plain(400, "Bad Request", with_body),
            }
        }
        _ => plain(404, "Not Found", with_body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(request: &str, step: usize) -> Vec<u8> {
        let mut exchange = Exchange::new();
        for octets in request.as_bytes().chunks(7) {
            exchange.read(octets, "red", "intranet");
        }
        assert!(exchange.is_answering());
        let mut out = Vec::new();
        let mut part = alloc::vec![0; step];
        while !exchange.is_done() {
            let n = exchange.write(&mut part);
            assert_ne!(n, 0);
            out.extend_from_slice(&part[..n]);
        }
        assert_eq!(exchange.write(&mut part), 0);
        out
    }

    #[test]
    fn a_file_comes_whole_in_parts_of_any_size() {
        for step in [1, 3, 64, 5_000] {
            let answer = get("GET /file?size=1000 HTTP/1.1\r\nHost: x\r\n\r\n", step);
            let text = String::from_utf8_lossy(&answer);
            let at = text.find("\r\n\r\n").unwrap() + 4;
            assert!(text.contains("Content-Length: 1000\r\n"));
            let mut expected = [0; 1000];
            FileContent::of("red").fill(0, &mut expected);
            assert_eq!(&answer[at..], expected);
        }
    }

    #[test]
    fn pages_and_errors() {
        for (request, status) in [
            ("GET / HTTP/1.1", "200"),
            ("HEAD / HTTP/1.0", "200"),
            ("GET /nothing HTTP/1.1", "404"),
            ("GET /file HTTP/1.1", "400"),
            ("GET /file?size=-1 HTTP/1.1", "400"),
            ("POST / HTTP/1.1", "405"),
            ("GET / HTTP/2", "505"),
            ("nonsense", "400"),
        ] {
            let answer = get(&format!("{request}\r\n\r\n"), 99);
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(expected.as_bytes()), "{request}");
        }
        let head = get("HEAD / HTTP/1.1\r\n\r\n", 99);
        assert!(head.ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn an_endless_head_is_refused() {
        let mut exchange = Exchange::new();
        for _ in 0..=HEAD {
            exchange.read(b"aa", "red", "intranet");
        }
        assert!(exchange.is_answering());
    }
}
