//! What every stand-in is built on: requests and replies as values, and the server that carries
//! them.

mod faults;
mod gate;
mod kill_switch;
mod long;
mod serve;

use bytes::Bytes;
use hyper::{HeaderMap, Method};

pub(crate) use faults::Disturbance;
pub use faults::{Call, EchoForm, Fault, Faults};
pub use gate::{Barrier, Gate};
pub use kill_switch::{Counted, KillSwitch, Moment};
pub use long::LongWire;
pub(crate) use serve::{Server, runtime};

/// The part of a stand-in that knows its protocol: one request in, one reply out, no waiting
pub(crate) trait Handler: Send + Sync + 'static {
    fn handle(&self, request: &Request) -> Reply;

    /// Who asks, as the request says it: for the record, and without the credential
    fn who(&self, _: &Request) -> Option<String> {
        None
    }

    /// What is asked for, where the path does not tell: for the record
    fn action(&self, _: &Request) -> Option<String> {
        None
    }
}

/// A request with its whole body
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As sent: percent-encoded, without the query
    pub(crate) path: String,
    /// As sent, without `?`; empty when there is none
    pub(crate) query: String,
    /// `Host`, or `:authority` with h2
    pub(crate) host: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The common name of the client's certificate, if it showed one
    pub(crate) peer: Option<String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer`
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ").map(str::trim)
    }

    /// The decoded value of a query parameter; empty for `?name`
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.query_pairs().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All query parameters, percent-decoded (a `+` stays a `+`, as S3 has it)
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (percent_decode(key), percent_decode(value)))
            .collect()
    }
}

/// A reply with its whole body
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }.with("content-type", content_type)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// Adds a header, replacing one of the same name
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Undoes percent-encoding; bytes that are not UTF-8 become U+FFFD
pub(crate) fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        match (byte, ahead.next().and_then(hex), ahead.next().and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                rest = ahead;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encodes everything but RFC 3986's unreserved characters and those in `keep`
pub(crate) fn percent_encode(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_coding_goes_both_ways() {
        assert_eq!(percent_decode(".well-known%2Fopenid%zz%4"), ".well-known/openid%zz%4");
        assert_eq!(percent_encode("a b/ü", "/"), "a%20b/%C3%BC");
    }
}
