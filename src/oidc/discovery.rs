//! The discovery document: provider metadata of OpenID Connect Discovery 1.0 §3.

use serde_json::{Map, Value, json};

use super::{Issuer, KeySet, body::json_object, key::Algorithm};
use crate::error::{Code, Error, Result};

/// There is nothing to log in to. The member is required all the same (Discovery §3), and verifiers exist
/// that cannot parse a document without it; this is the value that other publishers of cluster issuers use.
pub(crate) const AUTHORIZATION_ENDPOINT: &str = "urn:kubernetes:programmatic_authorization";

/// Provider metadata, as an API server serves it, as it is published, or as a relying party reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discovery {
    /// As written there: comparing it with an [`Issuer`] is the point.
    pub(crate) issuer: String,
    pub(crate) jwks_uri: String,
    /// Algorithms that the document lists; absent is empty.
    pub(crate) algorithms: Vec<String>,
    /// Required members (Discovery §3) that are absent.
    pub(crate) missing: Vec<&'static str>,
}

impl Discovery {
    /// What is published for this issuer and these keys. `jwks_uri` is always below the issuer: the one an
    /// API server names is its own, private address.
    pub(crate) fn new(issuer: &Issuer, keys: &KeySet) -> Self {
        let mut algorithms = keys.algorithms();
        // "The algorithm RS256 MUST be included" (Discovery §3).
        if !algorithms.contains(&Algorithm::Rs256) {
            algorithms.push(Algorithm::Rs256);
        }
        Self {
            issuer: issuer.to_string(),
            jwks_uri: issuer.jwks_url(),
            algorithms: algorithms.into_iter().map(|algorithm| algorithm.name().to_owned()).collect(),
            missing: Vec::new(),
        }
    }

    /// The published bytes: compact, fixed order of members.
    pub(crate) fn to_json(&self) -> String {
        let members = [
            ("issuer", json!(self.issuer)),
            ("jwks_uri", json!(self.jwks_uri)),
            ("authorization_endpoint", json!(AUTHORIZATION_ENDPOINT)),
            ("response_types_supported", json!(["id_token"])),
            ("subject_types_supported", json!(["public"])),
            ("id_token_signing_alg_values_supported", json!(self.algorithms)),
        ];
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// Reads a discovery document; `what` names it in a refusal.
    pub(crate) fn parse(body: &[u8], what: &str) -> Result<Self> {
        const REQUIRED: [&str; 4] = [
            "authorization_endpoint",
            "response_types_supported",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
        ];
        let object = json_object(body, what)?;
        Ok(Self {
            issuer: member(&object, "issuer", what)?,
            jwks_uri: member(&object, "jwks_uri", what)?,
            algorithms: object
                .get("id_token_signing_alg_values_supported")
                .and_then(Value::as_array)
                .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
            missing: REQUIRED.into_iter().filter(|name| !object.contains_key(*name)).collect(),
        })
    }
}

fn member(object: &Map<String, Value>, name: &str, what: &str) -> Result<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        Error::failed(Code::DiscoveryMalformed, format!("{what} has no `{name}`"))
            .hint("OpenID Connect Discovery 1.0 §3 requires it; something else is served there")
    })
}
