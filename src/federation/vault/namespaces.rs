//! PURE. Whether a server keeps namespaces apart, by what it says of itself.
//!
//! A server without namespaces ignores the header `X-Vault-Namespace`: what was meant for `team/prod` is written into
//! its root namespace, and is answered with success.

use serde_json::Value;

use crate::error::{Code, Error};

/// What `sys/health` says, asked without a namespace: OpenBao refuses to answer it within one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Support {
    Yes,
    /// For this reason.
    No(String),
    /// For this reason.
    Unknown(String),
}

/// A name that no namespace below the one that is meant has.
pub(super) const NO_SUCH: &str = "keyless-asks-for-a-namespace-that-does-not-exist";

/// Judges the answer of `sys/health`.
///
/// HashiCorp Vault says `enterprise` since 1.16, and marked the versions of Enterprise with `+ent` before; Community has
/// no namespaces. OpenBao says no `enterprise`, counts its versions from 2.0, and has namespaces since 2.3.
pub(super) fn of_health(health: &Value) -> Support {
    let version = health.get("version").and_then(Value::as_str).unwrap_or_default();
    let reply: String = version.chars().filter(char::is_ascii_graphic).take(40).collect();
    match health.get("enterprise").and_then(Value::as_bool) {
        Some(true) => return Support::Yes,
        Some(false) => {
            return Support::No(format!("sys/health says \"enterprise\": false, version {reply}"));
        }
        None if version.contains("+ent") => return Support::Yes,
        None => {}
    }
    match numbers(version) {
        Some((major, minor)) if (major, minor) >= (2, 3) => Support::Yes,
        Some(_) => Support::No(format!("sys/health says version {reply}")),
        None => Support::Unknown("sys/health says neither \"enterprise\" nor a version".to_owned()),
    }
}

/// Major and minor of `2.7.2`, `1.15.0-beta1`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The refusal of a namespace at a server that ignores it.
pub(super) fn ignored(address: &str, namespace: &str, why: &str) -> Error {
    Error::failed(
        Code::VaultNoNamespaces,
        format!("{address} has no namespaces: what is meant for {namespace} would be written into its root namespace"),
    )
    .caused_by(why)
    .hint("leave out vault.namespace, and give auth method and role names of your own: vault.mount and vault.role")
    .hint("or use a server that has them: Vault Enterprise, or OpenBao 2.3 and later")
}

/// The refusal of a namespace at a server of which it is unknown whether it keeps it apart.
pub(super) fn unknown(address: &str, namespace: &str, why: &str) -> Error {
    Error::failed(
        Code::VaultNamespacesUnknown,
        format!("whether {address} has namespaces could not be established, so {namespace} is not used"),
    )
    .caused_by(why)
    .hint(format!(
        "let {address}/v1/sys/health be read without a token, with `version` in its answer (listener settings can redact it)"
    ))
    .hint("without namespaces: leave out vault.namespace")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn health_tells_servers_apart() {
        for (health, support) in [
            (json!({"enterprise": true, "version": "1.21.4+ent"}), "yes"),
            (json!({"enterprise": true, "version": ""}), "yes"),
            (json!({"version": "1.15.2+ent.hsm"}), "yes"),
            (json!({"version": "2.7.2"}), "yes"),
            (json!({"version": "2.3.0"}), "yes"),
            (json!({"version": "v2.10.0-beta20261001"}), "yes"),
            (json!({"version": "3.0.0"}), "yes"),
            (json!({"enterprise": false, "version": "1.21.4"}), "no"),
            (json!({"enterprise": false, "version": "2.0.1"}), "no"),
            (json!({"enterprise": false}), "no"),
            (json!({"version": "1.14.8"}), "no"),
            (json!({"version": "2.2.2"}), "no"),
            (json!({"version": "2.0.0"}), "no"),
            (json!({"version": ""}), "unknown"),
            (json!({"version": "unknown"}), "unknown"),
            (json!({"version": "2"}), "unknown"),
            (json!({"version": 2.7}), "unknown"),
            (json!({"enterprise": "false"}), "unknown"),
            (json!({"errors": ["permission denied"]}), "unknown"),
            (json!([]), "unknown"),
            (Value::Null, "unknown"),
        ] {
            let judged = match of_health(&health) {
                Support::Yes => "yes",
                Support::No(_) => "no",
                Support::Unknown(_) => "unknown",
            };
            assert_eq!(judged, support, "{health}");
        }
    }

    #[test]
    fn hostile_version_is_shown_safely() {
        let health = json!({"enterprise": false, "version": format!("\u{1b}[31m{}", "9".repeat(10_000))});
        let Support::No(why) = of_health(&health) else { panic!() };
        assert!(why.len() < 120 && !why.contains('\u{1b}'), "{why}");
    }
}
