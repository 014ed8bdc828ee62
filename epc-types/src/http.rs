use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::secret::constant_time_eq;

/// The HTTP methods of the administrative interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Acts or creates.
    Post,
    /// Replaces.
    Put,
    /// Changes some members.
    Patch,
    /// Removes.
    Delete,
}

/// Header fields that a machine reads or sets beside the ones that every exchange has, such as
/// `etag`. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(&'static str, String)>);

impl Headers {
    /// The header fields of a request that a server hands on; a machine sees no others.
    pub const OF_REQUESTS: [&'static str; 4] = [
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
    ];

    /// The value of the field `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// Sets the field `name`, in lower case.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.0.retain(|(n, _)| *n != name);
        self.0.push((name, value));
    }

    /// Every field.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// A bearer token. It prints as `Token(..)`, is compared in constant time and wiped when dropped.
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Token(String);

impl Token {
    /// Wraps the text of a token.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// An administrative call: what an HTTP server read, or what the virtual world delivers in its
/// place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Path and query, such as `/v1/sessions?imsi=001010000000001`.
    pub target: String,
    /// The bearer token that came with the call.
    pub bearer: Option<Token>,
    /// The body: JSON, or empty.
    pub body: Vec<u8>,
    /// What else came with the call, of [`Headers::OF_REQUESTS`].
    pub headers: Headers,
}

/// The answer to an [`HttpRequest`]: always JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The JSON body.
    pub body: Vec<u8>,
    /// What goes with it.
    pub headers: Headers,
}

impl HttpResponse {
    /// An answer with nothing beside its body.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            headers: Headers::default(),
        }
    }

    /// The same with a header field, in lower case.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.set(name, value.into());
        self
    }
}

impl HttpRequest {
    /// A call without token and body.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            bearer: None,
            body: Vec::new(),
            headers: Headers::default(),
        }
    }

    /// The target up to its query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The first value of the query parameter `name`, undecoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(k, _)| *k == name)
            .map(|p| p.1)
    }
}
