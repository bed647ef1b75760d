//! Of a stored credential its public half: whose it is and which one. The rest is dropped at once.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::external_account::TokenSource;
use crate::cluster::objects::Object;

/// What is known of a stored credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) public: Public,
    /// The Secret's `type`; empty of a ConfigMap.
    pub(crate) kind: String,
    /// As the API server wrote it, RFC 3339.
    pub(crate) created: String,
    /// The Secret's or ConfigMap's.
    pub(crate) uid: String,
    pub(crate) same: Same,
}

/// Tells two equal values from two different ones, and nothing else: it cannot be printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Same([u8; 32]);

/// Whose credential it is, in words that open nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Public {
    /// A key of a Google service account.
    GoogleKey { project_id: String, client_email: String, private_key_id: String },
    /// A person's own login at Google (`gcloud auth application-default login`).
    GoogleUser,
    /// Says where tokens come from; no credential itself.
    ExternalAccount { audience: String, source: TokenSource },
    /// A long-lived access key of AWS.
    AwsAccessKey { id: String },
    /// A value whose kind is not told from its form.
    Opaque,
}

impl Credential {
    /// Of one value of a Secret or ConfigMap, or of all of them; `None` when it has no such value, or an empty one.
    pub(crate) fn of(object: &Object, key: Option<&str>) -> Option<Self> {
        let encoded = |value: &Value| STANDARD.decode(value.as_str()?).ok();
        let text = |value: &Value| Some(value.as_str()?.as_bytes().to_vec());
        let mut values = if object.kind() == "ConfigMap" {
            [values(object, "data", text), values(object, "binaryData", encoded)].concat()
        } else {
            values(object, "data", encoded)
        };
        values.retain(|(name, value)| key.is_none_or(|key| key == *name) && !value.is_empty());
        values.sort();
        let first = values.first()?;
        // Beside an external account's file another value may well be a secret.
        let public = values.iter().map(|(_, value)| public(value)).max_by_key(Public::weight);
        let digest = if values.len() == 1 {
            digest(&SHA256, &first.1)
        } else {
            let framed = values.iter().flat_map(|(name, value)| {
                [
                    &(name.len() as u64).to_be_bytes(),
                    name.as_bytes(),
                    &(value.len() as u64).to_be_bytes(),
                    value,
                ]
                .concat()
            });
            digest(&SHA256, &framed.collect::<Vec<u8>>())
        };
        let mut same = [0; 32];
        same.copy_from_slice(digest.as_ref());
        Some(Self {
            public: public.unwrap_or(Public::Opaque),
            kind: object.text("/type").to_owned(),
            created: object.text("/metadata/creationTimestamp").to_owned(),
            uid: object.uid().to_owned(),
            same: Same(same),
        })
    }
}

fn values<'a>(
    object: &'a Object,
    member: &str,
    decode: impl Fn(&Value) -> Option<Vec<u8>>,
) -> Vec<(&'a str, Vec<u8>)> {
    let data = object.0.get(member).and_then(Value::as_object);
    data.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), decode(value)?))).collect()
}

impl Public {
    /// Which of several values says most about what they are together.
    fn weight(&self) -> u8 {
        match self {
            Self::ExternalAccount { .. } => 0,
            Self::Opaque => 1,
            Self::GoogleKey { .. } | Self::GoogleUser | Self::AwsAccessKey { .. } => 2,
        }
    }
}

fn public(value: &[u8]) -> Public {
    if let Ok(text) = std::str::from_utf8(value) {
        let id = text.trim();
        let long_lived = id.len() == 20 && id.starts_with("AKIA");
        if long_lived && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
            return Public::AwsAccessKey { id: id.to_owned() };
        }
    }
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(value) else {
        return Public::Opaque;
    };
    // What calls itself an id or an address is shown only if it has the form of one.
    let text = |name: &str, allowed: &[u8]| {
        let text = members.get(name).and_then(Value::as_str).unwrap_or_default();
        let fits = text.len() <= 512
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || allowed.contains(&byte));
        if fits { text.to_owned() } else { String::new() }
    };
    // Go, which ESO is written in, takes a member by any case: what this program and ESO could read differently
    // is nothing that it knows.
    let ambiguous = |name: &str| members.keys().any(|it| it != name && it.eq_ignore_ascii_case(name));
    if ["type", "credential_source"].into_iter().any(ambiguous) {
        return Public::Opaque;
    }
    match members.get("type").and_then(Value::as_str) {
        Some("service_account") if members.contains_key("private_key") => Public::GoogleKey {
            project_id: text("project_id", b"-.:"),
            client_email: text("client_email", b"-.@_:"),
            private_key_id: text("private_key_id", b"-_"),
        },
        Some("authorized_user" | "external_account_authorized_user") => Public::GoogleUser,
        Some("external_account") => Public::ExternalAccount {
            audience: text("audience", b"/.-_:"),
            source: TokenSource::of(&members),
        },
        _ => Public::Opaque,
    }
}

impl fmt::Debug for Same {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Same(…)")
    }
}

impl fmt::Display for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GoogleKey { client_email, private_key_id, .. } => {
                write!(f, "key {private_key_id} of the Google service account {client_email}")
            }
            Self::GoogleUser => f.write_str("a person's Google login (authorized_user)"),
            Self::ExternalAccount { .. } => f.write_str("an external account file, which holds no secret"),
            Self::AwsAccessKey { id } => write!(f, "AWS access key {id}"),
            Self::Opaque => f.write_str("a stored credential"),
        }
    }
}
