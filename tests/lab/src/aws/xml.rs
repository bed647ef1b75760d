//! The query protocol: forms in, XML out.

use std::collections::BTreeMap;

use crate::keys::uuid;
pub(crate) use crate::s3::error::escape;
use crate::wire::{Reply, Request, percent_decode};

use super::error::{Refusal, Result};

pub(crate) const STS: (&str, &str) = ("2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/");
pub(crate) const IAM: (&str, &str) = ("2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/");

/// The parameters of a call
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn of(request: &Request) -> Self {
        let body = String::from_utf8_lossy(&request.body).replace('+', " ");
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (percent_decode(name), percent_decode(value))).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter that every call of this kind has
    pub(crate) fn need(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| {
            let mut member = name.to_owned();
            member[..1].make_ascii_lowercase();
            Refusal::validation(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not \
                 be null"
            ))
        })
    }

    /// `NAME.member.1` and so on
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let member = |at: usize| self.0.get(&format!("{name}.member.{at}")).cloned();
        (1..).map_while(member).collect()
    }

    /// `Tags.member.1.Key` and `.Value` and so on
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        let part = |at: usize, part: &str| self.0.get(&format!("Tags.member.{at}.{part}")).cloned();
        (1..).map_while(|at| Some((part(at, "Key")?, part(at, "Value").unwrap_or_default()))).collect()
    }

    /// Everything but what must not be in a record
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let mut shown = self.0.clone();
        if let Some(token) = shown.get_mut("WebIdentityToken") {
            *token = "***".into();
        }
        shown
    }
}

/// `<name>text</name>`
pub(crate) fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// `<name>…</name>` around XML
pub(crate) fn around(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// `<name><member>…</member></name>` around pieces of XML
pub(crate) fn members(name: &str, pieces: impl IntoIterator<Item = String>) -> String {
    let pieces: String = pieces.into_iter().map(|piece| around("member", &piece)).collect();
    around(name, &pieces)
}

pub(crate) fn tag_list(tags: &BTreeMap<String, String>) -> String {
    members("Tags", tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value)))
}

/// One page of a list by `Marker` and `MaxItems`
pub(crate) fn page(form: &Form, name: &str, pieces: Vec<String>, longest: usize) -> String {
    let from = form.get("Marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let most = form.get("MaxItems").and_then(|most| most.parse().ok()).unwrap_or(longest).min(longest);
    let more = pieces.len() > from + most;
    let mut out = members(name, pieces.into_iter().skip(from).take(most));
    out.push_str(&tag("IsTruncated", if more { "true" } else { "false" }));
    if more {
        out.push_str(&tag("Marker", &(from + most).to_string()));
    }
    out
}

pub(crate) fn request_id() -> String {
    uuid()
}

/// The answer to an action; an action without a result has none
pub(crate) fn answer(action: &str, namespace: &str, inner: &str) -> Reply {
    let id = request_id();
    let result = if inner.is_empty() { String::new() } else { around(&format!("{action}Result"), inner) };
    let metadata = around("ResponseMetadata", &tag("RequestId", &id));
    let body = format!("<{action}Response xmlns=\"{namespace}\">{result}{metadata}</{action}Response>");
    Reply::new(200, "text/xml", body).with("x-amzn-requestid", id)
}
