//! How a store really logs in: by its provider's own order of precedence, not by what else stands in it.

mod cloud;
mod table;
mod vault;

use serde_json::Value;

use crate::cluster::snapshot::{Reference, Target, references};

/// The login that takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// Tokens of the cluster or of its platform, minted for each use. `path` names what says so.
    Tokens {
        path: String,
    },
    /// What is stored in the Secrets at these paths.
    Stored {
        paths: Vec<String>,
    },
    /// A credential that stands in the store itself, readable by everyone who may list stores.
    Inline {
        path: String,
    },
    /// Whatever the controller's own pod has, which these variables of it would tell.
    Ambient {
        variables: &'static [&'static str],
    },
    /// There is nothing to log in with.
    Open,
    Unknown {
        why: String,
    },
}

/// What the SDK of AWS looks at before it asks the platform.
pub(super) const AWS_VARIABLES: &[&str] =
    &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"];

/// How this provider logs in with these settings.
pub(super) fn login(provider: &str, settings: &Value) -> Login {
    match provider {
        "gcpsm" => cloud::google(settings),
        "aws" => cloud::aws(settings),
        "azurekv" => cloud::azure(settings),
        "vault" => vault::login(settings),
        _ => table::login(provider, settings),
    }
}

/// Whether a reference to a Secret is to something public: an account's id, a certificate, a fingerprint.
pub(super) fn is_public(path: &str) -> bool {
    const MEMBERS: [&str; 21] = [
        "accessID",
        "accessKeyID",
        "accessKeyIDSecretRef",
        "accessType",
        "appId",
        "certSecretRef",
        "certificate",
        "clientCert",
        "clientId",
        "fingerprint",
        "identityId",
        "ldapUsername",
        "region",
        "resource",
        "roleRef",
        "serviceAccountTokenPath",
        "tenancyId",
        "tenantId",
        "userId",
        "userRef",
        "username",
    ];
    const PATHS: [&str; 2] = ["scaleway.accessKey.secretRef", "webhook.auth.ntlm.usernameSecret"];
    let mut steps = path.rsplit('.');
    let last = match steps.next() {
        Some("secretRef") => steps.next(),
        last => last,
    };
    PATHS.contains(&path) || last.is_some_and(|last| MEMBERS.contains(&last))
}

/// The Secrets below a path that hold something secret.
fn secrets_below(provider: &str, settings: &Value, path: &str) -> Vec<String> {
    let secret = |reference: &Reference| {
        reference.target == Target::Secret
            && !is_public(&reference.path)
            && reference.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    references(provider, settings).into_iter().filter(secret).map(|reference| reference.path).collect()
}

/// What is stored below a path, or the reason why that cannot be told.
fn stored(provider: &str, settings: &Value, path: &str) -> Login {
    let paths = secrets_below(provider, settings, path);
    if paths.is_empty() {
        Login::Unknown { why: format!("{path} names no Secret that this program knows") }
    } else {
        Login::Stored { paths }
    }
}

/// A header in the store itself that is named like a login.
fn login_header(provider: &str, settings: &Value) -> Option<String> {
    const WORDS: [&str; 6] = ["authorization", "token", "api-key", "apikey", "cookie", "secret"];
    let headers = settings["headers"].as_object()?;
    let is_login = |name: &&String| WORDS.iter().any(|word| name.to_ascii_lowercase().contains(word));
    headers.keys().find(is_login).map(|name| format!("{provider}.headers.{}", name.escape_debug()))
}

fn tokens(path: &str) -> Login {
    Login::Tokens { path: path.to_owned() }
}

/// A member that is there, and not `null`.
fn has<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    value.pointer(pointer).filter(|value| !value.is_null())
}

/// A member of `auth` that nobody here knows: its precedence is unknown too.
fn stranger(auth: Option<&Value>, known: &[&str]) -> Option<String> {
    auth?.as_object()?.keys().find(|name| !known.contains(&name.as_str())).cloned()
}
