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
    /// Removes.
    Delete,
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
}

/// The answer to an [`HttpRequest`]: always JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The JSON body.
    pub body: Vec<u8>,
}

impl HttpRequest {
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
