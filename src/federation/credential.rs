//! Stored credentials, by what is public of them: recognised, proved to be what they claim, and retired where their
//! provider lets this program do it. One entry for each kind.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{ProviderName, Sections};
use crate::{error::Result, http::Http};

/// A credential in words that open nothing. It is what an interrupted run remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) kind: Kind,
    /// The provider's name of it, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    /// For people: `key 0123… of eso@acme-prod.iam.gserviceaccount.com`.
    pub(crate) shown: String,
    /// SHA-256 over the DER SubjectPublicKeyInfo of the stored key's public half, base64url without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_half: Option<String>,
    /// Whom the store names beside it as the one who logs in with it, where the credential does not tell that by itself.
    /// Empty: nothing that could be one. It proves nothing; if it differs from what an administrator has named, nothing is
    /// done with the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// What a person has to do about it, where this program cannot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) by_hand: String,
}

impl Identity {
    /// Whether both are of one credential. `None`: nothing of one of them proves what it is, as of a token.
    pub(crate) fn is_same(&self, other: &Self) -> Option<bool> {
        let proves = |it: &Self| matches!(it.kind, Kind::Of(_)) && it.public_half.is_some();
        (proves(self) && proves(other))
            .then(|| (self.kind, &self.id, &self.public_half) == (other.kind, &other.id, &other.public_half))
    }
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This provider retires it. In JSON as the provider names the kind, e.g. `google-key`.
    Of(ProviderName),
    /// It has no public half that could prove what it is, or its provider is not spoken to here.
    ByHand,
    /// It should be a key, but cannot be read as one.
    Unreadable,
}

/// What a provider says of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Enabled,
    Disabled,
    /// Deleted, or never there.
    Absent,
    /// Something of this name is there, but it has another public half.
    Another,
    /// Its provider does not show that it is the one that an administrator has named, for this reason.
    NotProved(String),
}

/// When a credential was used last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LastUse {
    /// As the provider writes it.
    At(String),
    /// Not within what the provider remembers.
    NotKnown,
    /// It could not be asked, for this reason.
    NotAsked(String),
}

/// What is done with a credential at its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Disable,
    Enable,
    Delete,
}

/// A credential whose provider can retire it. Nothing here logs in with it.
#[async_trait]
pub(crate) trait StoredCredential: Send + Sync {
    /// What the provider says of it; it is compared with the public half of what is stored.
    async fn look(&self) -> Result<Standing>;

    async fn last_use(&self) -> LastUse;

    /// Makes it useless; [`Self::enable`] takes that back. Safe to repeat.
    async fn disable(&self) -> Result<()>;

    async fn enable(&self) -> Result<()>;

    /// For good. Safe to repeat. Looks again first: what is not known to be disabled stays.
    async fn delete(&self) -> Result<()>;

    /// What it takes, for a plan.
    fn needs(&self, act: Act) -> String;
}

/// What a store names: where in its settings, and what lies there.
pub(crate) struct Found<'a> {
    /// From the provider's name on: `gcpsm.auth.secretRef.secretAccessKeySecretRef`.
    pub(crate) path: &'a str,
    /// `None`: there is no such Secret, or no such entry in it.
    pub(crate) value: Option<&'a [u8]>,
}

/// Tells what a credential is. Of its secret half nothing is kept.
pub(crate) fn recognise(found: &Found<'_>) -> Identity {
    let providers = || ProviderName::all().map(ProviderName::entry);
    if let Some(identity) = found.value.and_then(|value| providers().find_map(|it| it.recognise(value))) {
        return identity;
    }
    let (shown, by_hand) = known(found.path);
    let kind = match found.value {
        Some(_) if providers().any(|it| it.expects_credential(found.path)) => Kind::Unreadable,
        _ => Kind::ByHand,
    };
    Identity { kind, id: String::new(), shown, public_half: None, client: None, by_hand }
}

/// The provider that this is a part of a credential of, which another entry of the Secret names.
pub(crate) fn part_of(found: &Found<'_>) -> Option<ProviderName> {
    let value = found.value?;
    ProviderName::all().find(|provider| provider.entry().is_part(found.path, value))
}

/// Whom a store names here as the one who logs in with the credential beside it, and at which provider. Empty: nothing that
/// could be one.
pub(crate) fn client(found: &Found<'_>) -> Option<(ProviderName, String)> {
    ProviderName::all().find_map(|it| Some((it, it.entry().client(found.path, found.value)?)))
}

/// The credential at its provider; `None` where only a person can do something about it. Sends nothing.
pub(crate) fn connect(
    identity: &Identity,
    sections: &Sections,
    http: &Http,
) -> Result<Option<Box<dyn StoredCredential>>> {
    let Kind::Of(provider) = identity.kind else { return Ok(None) };
    sections.of(provider).map(|section| section.stored_credential(identity, http)).transpose()
}

/// A credential that only a person can end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByHand {
    /// What its place in a store's settings begins with, from the provider's member on.
    pub(crate) path: &'static str,
    /// What lies there.
    pub(crate) shown: &'static str,
    /// An imperative.
    pub(crate) remedy: &'static str,
}

/// How a person ends an AWS access key. Vault stores can name one as well.
pub(crate) const AWS_KEY: &str =
    "aws iam update-access-key --status Inactive --access-key-id ID, then aws iam delete-access-key";

fn by_hand() -> impl Iterator<Item = &'static ByHand> {
    ProviderName::all().flat_map(|provider| provider.entry().by_hand())
}

fn known(path: &str) -> (String, String) {
    match by_hand().find(|it| path.starts_with(it.path)) {
        Some(it) => (it.shown.to_owned(), it.remedy.to_owned()),
        None => {
            let provider = path.split('.').next().unwrap_or_default();
            (format!("a credential of the provider {provider}"), "revoke it where it was issued".to_owned())
        }
    }
}

impl Kind {
    const BY_HAND: &'static str = "by-hand";
    const UNREADABLE: &'static str = "unreadable";
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Of(provider) => provider.entry().credential_kind().unwrap_or(Self::BY_HAND),
            Self::ByHand => Self::BY_HAND,
            Self::Unreadable => Self::UNREADABLE,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let of = || ProviderName::all().find(|it| it.entry().credential_kind() == Some(name.as_str()));
        match name.as_str() {
            Self::BY_HAND => Ok(Self::ByHand),
            Self::UNREADABLE => Ok(Self::Unreadable),
            _ => of().map(Self::Of).ok_or_else(|| de::Error::custom("an unknown kind of credential")),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_name_and_remedy() {
        let all: Vec<_> = by_hand().collect();
        for (position, it) in all.iter().enumerate() {
            let hidden = all[..position].iter().any(|above| it.path.starts_with(above.path));
            assert!(!hidden, "{} is never reached", it.path);
            assert!(!it.shown.is_empty() && !it.remedy.is_empty());
        }
        for (path, shown) in [
            ("vault.auth.tokenSecretRef", "a Vault token"),
            ("vault.auth.appRole.secretRef", "the SecretID of a Vault AppRole"),
            ("aws.auth.secretRef.sessionTokenSecretRef", "an AWS access key"),
            ("aws.auth.secretRef.secretAccessKeySecretRef", "the secret half of an AWS access key"),
            ("doppler.auth.secretRef.dopplerToken", "a credential of the provider doppler"),
        ] {
            let identity = recognise(&Found { path, value: Some(b"s.sometoken") });
            assert_eq!((identity.kind, identity.shown.as_str()), (Kind::ByHand, shown));
            assert!(!identity.by_hand.is_empty() && identity.public_half.is_none());
        }
    }

    #[test]
    fn kind_is_read_as_written() {
        let kinds = ProviderName::all().filter(|it| it.entry().credential_kind().is_some()).map(Kind::Of);
        for kind in kinds.chain([Kind::ByHand, Kind::Unreadable]) {
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(serde_json::from_str::<Kind>(&text).unwrap(), kind, "{text}");
        }
        for text in ["\"\"", "\"google\"", "\"GoogleKey\"", "\"GOOGLE-KEY\"", "1", "null", "{}"] {
            assert!(serde_json::from_str::<Kind>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn unreadable_key_is_not_recognised() {
        let path = "gcpsm.auth.secretRef.secretAccessKeySecretRef";
        for value in ["", "{", "null", "[]", r#"{"type":"service_account"}"#, "-----BEGIN PRIVATE KEY-----"] {
            let identity = recognise(&Found { path, value: Some(value.as_bytes()) });
            assert_eq!(identity.kind, Kind::Unreadable, "{value}");
        }
        assert_eq!(recognise(&Found { path, value: None }).kind, Kind::ByHand);
    }
}
