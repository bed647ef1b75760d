//! PURE. Of a stored credential its public half: whose it is and which one. The rest is dropped at once.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{external_account::TokenSource, key_text};
use crate::{
    cluster::objects::Strict,
    credentials::{Halves, KeyCertificate, Same, Who, halves_of},
};

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
    /// What tells its secret half from those of others that call themselves by the same ID.
    pub(crate) halves: Halves,
    /// Certificates that lie in it.
    pub(crate) certificates: Vec<KeyCertificate>,
}

/// Whose credential it is, in words that open nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Public {
    /// A key of a Google service account.
    GoogleKey { project_id: String, client_email: String, private_key_id: String },
    /// A person's own login at Google (`gcloud auth application-default login`).
    GoogleUser,
    /// Says where tokens come from; no credential itself.
    /// `impersonates`: the URL by which it becomes a service account; empty where it is none that could be one.
    ExternalAccount { audience: String, impersonates: Option<String>, source: TokenSource },
    /// A long-lived access key of AWS.
    AwsAccessKey { id: String },
    /// A secret of an application at Microsoft Entra.
    /// `hint`: its first characters, which Entra shows to everyone who may read the application.
    EntraSecret { hint: String },
    /// A token of Vault or OpenBao.
    VaultToken,
    /// A value whose kind is not told from its form.
    Opaque,
}

/// A Secret or ConfigMap, with its values as they are on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Holder<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: Strict<Metadata<'a>>,
    #[serde(borrow, rename = "type")]
    secret_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<BTreeMap<Cow<'a, str>, Option<Cow<'a, str>>>>,
    #[serde(borrow)]
    binary_data: Option<BTreeMap<Cow<'a, str>, Option<Cow<'a, str>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(rename = "name")]
    _name: IgnoredAny,
    #[serde(borrow)]
    uid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    creation_timestamp: Option<Cow<'a, str>>,
}

impl<'a> Holder<'a> {
    /// From JSON; `None` for what is no such object.
    pub(super) fn parse(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice::<Strict<Self>>(json).ok().map(|holder| holder.0)
    }

    /// The keys of its values that are not empty.
    pub(super) fn keys(&self) -> Vec<String> {
        let values = self.data.iter().chain(&self.binary_data).flatten();
        values
            .filter(|(_, value)| value.as_deref().is_some_and(|value| !value.is_empty()))
            .map(|(name, _)| name.clone().into_owned())
            .collect()
    }

    /// Of one value, or of all of them; `None` when there is no such value, or an empty one.
    pub(super) fn credential(&self, key: Option<&str>) -> Option<Credential> {
        let values: Vec<_> = self.values().filter(|(name, _)| key.is_none_or(|key| key == *name)).collect();
        let values: Vec<_> = values
            .into_iter()
            .filter_map(|(name, decode)| Some((name, decode()?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        // Beside an external account's file another value may well be a secret.
        let public = values.iter().map(|(_, value)| public(value)).max_by_key(Public::weight)?;
        let same = match values.as_slice() {
            [(_, value)] => Same::of(value),
            values => Same::of_named(values.iter().map(|(name, value)| (*name, value.as_slice()))),
        };
        let halves = public.id().map(|id| {
            let values = values.iter().map(|(name, value)| (*name, value.as_slice()));
            halves_of(&id, &values.collect::<Vec<_>>())
        });
        let halves = match halves.unwrap_or_default() {
            halves if halves.is_empty() && matches!(public, Public::GoogleKey { .. }) => {
                [Who::Same(same.clone())].into()
            }
            halves => halves,
        };
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        Some(Credential {
            public,
            kind: text(&self.secret_type),
            created: text(&self.metadata.creation_timestamp),
            uid: text(&self.metadata.uid),
            same,
            halves,
            certificates: values.iter().flat_map(|(_, value)| KeyCertificate::all_in(value)).collect(),
        })
    }

    /// Each value with its name, decoded only when it is asked for.
    fn values(&self) -> impl Iterator<Item = (&str, impl FnOnce() -> Option<Vec<u8>>)> {
        let is_text = self.kind.as_deref() == Some("ConfigMap");
        let plain = self.data.iter().flatten().map(move |value| (value, is_text));
        let binary = self.binary_data.iter().flatten().map(|value| (value, false));
        plain.chain(binary).map(|((name, value), is_text)| {
            let decode = move || {
                let value = value.as_deref()?;
                let text = || value.as_bytes().to_vec();
                // What is not encoded as it must be is there all the same.
                Some(if is_text { text() } else { STANDARD.decode(value).unwrap_or_else(|_| text()) })
            };
            (name.as_ref(), decode)
        })
    }
}

impl Public {
    /// How it calls itself, where it does: `google:KEYID`, `aws:AKIA…`.
    pub(crate) fn id(&self) -> Option<String> {
        match self {
            Self::GoogleKey { private_key_id, .. } if !private_key_id.is_empty() => {
                Some(format!("google:{private_key_id}"))
            }
            Self::AwsAccessKey { id } => Some(format!("aws:{id}")),
            _ => None,
        }
    }

    /// Which of several values says most about what they are together.
    fn weight(&self) -> u8 {
        match self {
            Self::ExternalAccount { .. } => 0,
            Self::Opaque => 1,
            Self::EntraSecret { .. } | Self::VaultToken => 2,
            Self::GoogleKey { .. } | Self::GoogleUser | Self::AwsAccessKey { .. } => 3,
        }
    }
}

fn public(value: &[u8]) -> Public {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(value) else {
        return key_text::public(value);
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
            impersonates: members
                .contains_key("service_account_impersonation_url")
                .then(|| text("service_account_impersonation_url", b"/.-_:@")),
            source: TokenSource::of(&members),
        },
        _ => key_text::public(value),
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
            Self::EntraSecret { .. } => f.write_str("a client secret of Microsoft Entra"),
            Self::VaultToken => f.write_str("a token of Vault or OpenBao"),
            Self::Opaque => f.write_str("a stored credential"),
        }
    }
}
