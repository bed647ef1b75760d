//! Stored credentials, by what is public of them: recognised, proved to be what they claim, and retired where their
//! provider lets this program do it. One entry for each kind.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::gcp;
use crate::{config, error::Result, http::Http};

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
    /// What a person has to do about it, where this program cannot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) by_hand: String,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    GoogleKey,
    /// It has no public half that could prove what it is, or its provider is not spoken to here.
    ByHand,
    /// It should be a key, but cannot be read as one.
    Unreadable,
}

/// What a provider says of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Enabled,
    Disabled,
    /// Deleted, or never there.
    Absent,
    /// Something of this name is there, but it has another public half.
    Another,
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

    /// For good. Safe to repeat.
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
    if let Some(key) = found.value.and_then(gcp::recognise) {
        return key;
    }
    let (shown, by_hand) = known(found.path);
    let kind = match found.value {
        Some(_) if gcp::expects_a_key(found.path) => Kind::Unreadable,
        _ => Kind::ByHand,
    };
    Identity { kind, id: String::new(), shown, public_half: None, by_hand }
}

/// The credential at its provider; `None` where only a person can do something about it. Sends nothing.
pub(crate) fn connect(
    identity: &Identity,
    google: &config::Google,
    http: &Http,
) -> Result<Option<Box<dyn StoredCredential>>> {
    match identity.kind {
        Kind::GoogleKey => Ok(Some(Box::new(gcp::StoredKey::connect(identity, google, http)?))),
        Kind::ByHand | Kind::Unreadable => Ok(None),
    }
}

/// What lies at a place in a store's settings, and how a person ends it. The first entry that fits is taken.
const BY_HAND: [(&str, &str, &str); 12] = [
    (
        "gcpsm.",
        "what should be a Google service-account key",
        "list the keys of its service account, and delete the one that it is: gcloud iam service-accounts keys list --iam-account=ADDRESS",
    ),
    (
        "vault.auth.tokenSecretRef",
        "a Vault token",
        "revoke it: vault token revoke -accessor ACCESSOR (vault list auth/token/accessors names them)",
    ),
    (
        "vault.auth.appRole.",
        "the SecretID of a Vault AppRole",
        "destroy it: vault write auth/approle/role/ROLE/secret-id-accessor/destroy secret_id_accessor=ACCESSOR",
    ),
    (
        "vault.auth.userPass.",
        "the password of a Vault user",
        "delete the user or change its password: vault delete auth/userpass/users/NAME",
    ),
    ("vault.auth.ldap.", "a password of a directory", "change it in the directory"),
    (
        "vault.auth.jwt.secretRef",
        "a stored JWT",
        "find out who issued it, and have it revoked or wait for its expiry",
    ),
    (
        "vault.auth.kubernetes.secretRef",
        "a stored ServiceAccount token",
        "delete the Secret of the type kubernetes.io/service-account-token that it comes from",
    ),
    (
        "vault.auth.cert.",
        "a client certificate's private key",
        "have the certificate revoked, and delete the entry: vault delete auth/cert/certs/NAME",
    ),
    (
        "vault.auth.iam.",
        "an AWS access key",
        "aws iam update-access-key --status Inactive --access-key-id ID, then aws iam delete-access-key",
    ),
    ("vault.", "a credential for Vault", "revoke it in Vault"),
    (
        "aws.",
        "an AWS access key",
        "aws iam update-access-key --status Inactive --access-key-id ID, then aws iam delete-access-key",
    ),
    (
        "azurekv.",
        "a credential of an Entra application",
        "az ad app credential delete --id APPLICATION --key-id KEY (az ad app credential list names them)",
    ),
];

fn known(path: &str) -> (String, String) {
    let found = BY_HAND.iter().find(|(start, ..)| path.starts_with(start));
    match found {
        Some((_, shown, by_hand)) => ((*shown).to_owned(), (*by_hand).to_owned()),
        None => {
            let provider = path.split('.').next().unwrap_or_default();
            (format!("a credential of the provider {provider}"), "revoke it where it was issued".to_owned())
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
    fn every_place_is_named_with_a_remedy() {
        for (position, (start, ..)) in BY_HAND.iter().enumerate() {
            let hidden = BY_HAND[..position].iter().any(|(above, ..)| start.starts_with(above));
            assert!(!hidden, "{start} is never reached");
        }
        for (path, shown) in [
            ("vault.auth.tokenSecretRef", "a Vault token"),
            ("vault.auth.appRole.secretRef", "the SecretID of a Vault AppRole"),
            ("aws.auth.secretRef.secretAccessKeySecretRef", "an AWS access key"),
            ("doppler.auth.secretRef.dopplerToken", "a credential of the provider doppler"),
        ] {
            let identity = recognise(&Found { path, value: Some(b"s.sometoken") });
            assert_eq!((identity.kind, identity.shown.as_str()), (Kind::ByHand, shown));
            assert!(!identity.by_hand.is_empty() && identity.public_half.is_none());
        }
    }

    #[test]
    fn unreadable_key_is_not_taken_for_one() {
        let path = "gcpsm.auth.secretRef.secretAccessKeySecretRef";
        for value in ["", "{", "null", "[]", r#"{"type":"service_account"}"#, "-----BEGIN PRIVATE KEY-----"] {
            let identity = recognise(&Found { path, value: Some(value.as_bytes()) });
            assert_eq!(identity.kind, Kind::Unreadable, "{value}");
        }
        assert_eq!(recognise(&Found { path, value: None }).kind, Kind::ByHand);
    }
}
