//! Vault and OpenBao: a JWT auth method, a role in it, and a policy.

use crate::secret::Secret;

/// Which server, auth method and role.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Base URL, without a trailing slash.
    pub(crate) address: String,
    /// Path of the JWT auth method, without `auth/`.
    pub(crate) mount: String,
    pub(crate) role: String,
    /// Path of the KV v2 secrets engine.
    pub(crate) kv: String,
    pub(crate) mode: Mode,
    /// Certificate authorities of the issuer's host and of the server itself, PEM, when they are not public ones.
    pub(crate) ca_pem: Option<String>,
    /// Enterprise or OpenBao namespace.
    pub(crate) namespace: Option<String>,
    /// `VAULT_TOKEN` or `BAO_TOKEN` of the environment.
    pub(crate) token: Option<Secret>,
}

/// How the server gets the cluster's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// It fetches the discovery document and the key set.
    Discovery,
    /// It fetches the key set only.
    JwksUrl,
    /// They are written into its configuration: for a server that cannot reach the bucket.
    StaticKeys,
}

/// How a change is done.
#[derive(Clone, Debug)]
pub(crate) enum Step {}
