//! PURE. What each object must say, and how it is recognised as ours.

use serde_json::{Map, Value, json};
use url::Url;

use super::{
    AUDIENCE, Mode, Settings, Step, mark,
    paths::{PathRules, rule},
};
use crate::{
    base_url::is_https_or_loopback,
    error::{Code, Error, Result},
    federation::{IssuerForm, IssuerRules, KeyRules, Rules, Trust, TrustedIssuer, Workload},
    oidc::{Algorithm, PublicKey},
};

/// What Vault and OpenBao take as an issuer and as keys. `bound_issuer` is compared as text, and keys that are given
/// are tried one after the other (hashicorp/cap `jwt/jwt.go`, `jwt/algs.go`).
pub(crate) static RULES: Rules = Rules {
    provider: "Vault",
    issuer: IssuerRules {
        form: IssuerForm::AnyText,
        longest: 2048,
        code: Code::VaultIssuer,
        source: "JWT auth method, bound_issuer: any text",
    },
    keys: KeyRules {
        algorithms: &[Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Rs256],
        most: None,
        codes: [Code::VaultKeyType, Code::VaultTooManyKeys],
        // It tries each, and keeps no names.
        by_kid: false,
        without_limit: "",
    },
};

/// How long a login lasts. Without it, it is the mount's default: 32 days.
pub(super) const TTL: u64 = 900;
/// Members of the configuration that another user may have set beside ours. A write replaces all of them.
const KEPT: [&str; 2] = ["default_role", "jwt_supported_algs"];

pub(super) fn policy_name(settings: &Settings) -> String {
    format!("keyless-{}", settings.role)
}

/// What the store does with its own login: External Secrets Operator looks it up before it calls a store ready, and
/// ends it after each read. The policy `default` has both, and whatever else an administrator put into it.
const OWN_LOGIN: [(&str, &str); 2] =
    [("auth/token/lookup-self", "read"), ("auth/token/revoke-self", "update")];

/// Asks what the login may do: rights to write are proved by asking.
const ASK: (&str, &str) = ("sys/capabilities-self", "update");

/// These rules, and what every workload needs beside them.
pub(super) fn policy(settings: &Settings, want: &Trust, rules: &PathRules) -> String {
    let mut text = mark::of_policy(settings, want);
    text.push_str(&rules.to_text());
    let asks = rules.write().then_some(ASK);
    for (path, capability) in OWN_LOGIN.into_iter().chain(asks) {
        text.push_str(&rule(path, &[capability]));
    }
    text.push('\n');
    text
}

/// The configuration of the auth method. `bound_issuer` is not implied by the URL: without it, every issuer
/// that signs with one of the keys is let in.
pub(super) fn config(settings: &Settings, want: &Trust) -> Result<Value> {
    let issuer = want.issuer.as_str();
    let ca = settings.issuer_ca_pem.as_deref().unwrap_or_default().trim();
    Ok(match &want.issuer {
        TrustedIssuer::Published(published) if settings.mode == Mode::JwksUrl => {
            json!({ "bound_issuer": issuer, "jwks_url": published.jwks_url(), "jwks_ca_pem": ca })
        }
        TrustedIssuer::Published(published) => {
            json!({ "bound_issuer": issuer, "oidc_discovery_url": published.as_str(), "oidc_discovery_ca_pem": ca })
        }
        TrustedIssuer::Signed(_) => {
            let keys = want.keys.iter().map(PublicKey::to_pem).collect::<Result<Vec<_>>>()?;
            let keys: Vec<_> = keys.iter().map(|pem| pem.trim()).collect();
            json!({ "bound_issuer": issuer, "jwt_validation_pubkeys": keys })
        }
    })
}

/// All members that tell where keys come from: what the wanted configuration does not name must be empty.
pub(super) const CONFIG_FIELDS: [&str; 7] = [
    "bound_issuer",
    "oidc_discovery_url",
    "oidc_discovery_ca_pem",
    "jwks_url",
    "jwks_ca_pem",
    "jwks_pairs",
    "jwt_validation_pubkeys",
];

/// The wanted configuration with what another user has set beside it.
pub(super) fn keep(mut wanted: Value, have: &Map<String, Value>) -> Value {
    let kept = KEPT.iter().filter_map(|name| Some((*name, have.get(*name)?)));
    if let Some(object) = wanted.as_object_mut() {
        for (name, value) in kept.filter(|(_, value)| !is_empty(value)) {
            object.insert(name.to_owned(), value.clone());
        }
    }
    wanted
}

/// The role. `role_type` is OIDC unless it is set.
pub(super) fn role(settings: &Settings, workload: &Workload) -> Result<Value> {
    Ok(json!({
        "role_type": "jwt",
        "bound_audiences": [AUDIENCE],
        "bound_subject": workload.subject()?.as_str(),
        "user_claim": "sub",
        "token_policies": [policy_name(settings)],
        // `default` is shared with everybody, and may have been given more than it came with.
        "token_no_default_policy": true,
        "token_ttl": TTL,
        "token_max_ttl": TTL,
        // Other than zero, it makes a login renewable for ever.
        "token_period": 0,
        // Zero is the default, one minute: more would let in tokens that have expired.
        "clock_skew_leeway": 0,
        // The claim would bring the policies of groups along.
        "groups_claim": "",
    }))
}

/// What of a role is compared. What else it holds can only tighten it, and stays.
pub(super) const ROLE_FIELDS: [&str; 11] = [
    "role_type",
    "bound_audiences",
    "bound_subject",
    "user_claim",
    "token_policies",
    "token_no_default_policy",
    "token_ttl",
    "token_max_ttl",
    "token_period",
    "clock_skew_leeway",
    "groups_claim",
];

/// What the server gives back for a member that was never set.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Bool(is) => !is,
    }
}

/// All that an administrator's token needs: path and capabilities. `sys/auth/…` asks for `sudo`.
pub(super) fn rights(settings: &Settings) -> Vec<(String, &'static [&'static str])> {
    let Settings { mount, role, .. } = settings;
    vec![
        ("sys/auth".to_owned(), &["read"]),
        (format!("sys/auth/{mount}"), &["create", "update", "delete", "sudo"]),
        (format!("sys/mounts/auth/{mount}/tune"), &["update"]),
        (format!("auth/{mount}/config"), &["create", "read", "update"]),
        (format!("auth/{mount}/role"), &["list"]),
        (format!("auth/{mount}/role/{role}"), &["create", "read", "update", "delete"]),
        (format!("sys/policies/acl/{}", policy_name(settings)), &["create", "read", "update", "delete"]),
    ]
}

/// Where a step is done.
pub(super) fn path_of(settings: &Settings, step: &Step) -> String {
    let Settings { mount, role, .. } = settings;
    match step {
        Step::Mount { .. } | Step::Unmount => format!("sys/auth/{mount}"),
        // The same under `sys/auth` asks for `sudo`.
        Step::Describe { .. } => format!("sys/mounts/auth/{mount}/tune"),
        Step::Configure(_) | Step::Upload(_) => format!("auth/{mount}/config"),
        Step::WritePolicy(_) | Step::RemovePolicy => format!("sys/policies/acl/{}", policy_name(settings)),
        Step::WriteRole(_) | Step::RemoveRole => format!("auth/{mount}/role/{role}"),
    }
}

/// The capabilities that a step takes. Whether a write creates or updates is for the server to say.
pub(super) fn capabilities_of(step: &Step) -> &'static [&'static str] {
    match step {
        Step::Mount { .. } => &["create", "update", "sudo"],
        Step::Describe { .. } => &["update"],
        Step::Unmount => &["delete", "sudo"],
        Step::Configure(_) | Step::Upload(_) | Step::WritePolicy(_) | Step::WriteRole(_) => {
            &["create", "update"]
        }
        Step::RemoveRole | Step::RemovePolicy => &["delete"],
    }
}

/// One segment of a path.
pub(super) fn name(setting: &'static str, text: &str) -> Result<String> {
    let ok = !text.is_empty()
        && !matches!(text, "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if ok {
        Ok(text.to_owned())
    } else {
        Err(bad_name(setting, text, "a name of letters, digits, '-', '_' and '.'"))
    }
}

/// One or more segments; slashes at both ends are taken away.
pub(super) fn path(setting: &'static str, text: &str) -> Result<String> {
    let text = text.trim_matches('/');
    for segment in text.split('/') {
        name(setting, segment).map_err(|_| bad_name(setting, text, "a path such as keyless or team/kv"))?;
    }
    Ok(text.to_owned())
}

/// A path of namespaces, without the slashes around it; the root namespace is none.
pub(super) fn namespace(text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text.map(|text| text.trim_matches('/')).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    // Servers allow more than we do in other names, but nothing that a header could not hold; in a policy of a namespace
    // above, it is a part of the path.
    let fits = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_graphic() && !b"*+\"{}\\".contains(&byte))
    };
    if text.split('/').all(fits) {
        Ok(Some(text.to_owned()))
    } else {
        Err(bad_name("vault.namespace", text, "a path such as team/prod"))
    }
}

pub(super) fn bad_name(setting: &'static str, text: &str, is: &str) -> Error {
    Error::usage(Code::VaultSetting, format!("`{}` cannot be {setting}", text.escape_debug()))
        .hint(format!("{setting} is {is}"))
}

/// A base URL; plain http on this machine only, as tokens go there.
pub(super) fn check_address(text: &str) -> Result<()> {
    let refuse = |why: &str| {
        // What comes before an '@' may be a password.
        let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest).escape_debug().to_string();
        Error::usage(Code::VaultAddress, format!("`{shown}` cannot be the address of Vault: {why}"))
            .hint("write the base URL of its API, e.g. https://vault.example.com:8200")
    };
    let url = Url::parse(text).map_err(|error| refuse("it is not a URL").caused_by(error))?;
    if !is_https_or_loopback(&url) {
        return Err(refuse("it is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query or a fragment"));
    }
    if url.path().split('/').any(|segment| segment == "v1" || segment == "ui") {
        return Err(refuse("it is the URL of a path, not of the server"));
    }
    Ok(())
}

/// A configuration is refused when the server cannot fetch the keys itself: why, and what to do.
pub(super) fn explain_fetch(error: Error, settings: &Settings) -> Error {
    if error.code != Code::VaultRefused {
        return error;
    }
    let reply = error.causes.join(" ");
    let has = |parts: &[&str]| parts.iter().any(|part| reply.contains(part));
    let static_keys =
        "for a server that cannot reach the documents, write the keys into it: vault.mode: static-keys";
    let (code, hint) = if has(&["issuer did not match"]) {
        (
            Code::VaultIssuerDiffers,
            "the document at this URL names another issuer: run `keyless verify --public-only`",
        )
    } else if has(&["x509", "certificate", "CA PEM", "jwks_ca_pem"]) {
        let hint = match settings.issuer_ca_pem {
            None => {
                "the server does not trust the certificate of the issuer's host: give its authority as vault.issuerCaFile"
            }
            Some(_) => {
                "for the issuer's host the server now trusts vault.issuerCaFile alone (by default tls.caFile): the file \
                 must hold the authority of that host"
            }
        };
        (Code::VaultCa, hint)
    } else if has(&[
        "connection refused",
        "connection reset",
        "no such host",
        "timeout",
        "deadline exceeded",
        "unreachable",
        "lookup ",
        "EOF",
    ]) {
        (Code::VaultCannotFetch, static_keys)
    } else if has(&["404", "Not Found", "NoSuchKey"]) {
        (Code::VaultCannotFetch, "the documents are not there: run `keyless publish` first")
    } else if has(&["failed to decode", "invalid character"]) {
        (
            Code::VaultCannotFetch,
            "something else than the documents is served there: a login page, or an error page",
        )
    } else if has(&["401", "403", "AccessDenied", "Forbidden"]) {
        (
            Code::VaultCannotFetch,
            "the documents are not public: `keyless publish` shows what keeps relying parties out",
        )
    } else if has(&["error checking"]) {
        // All that HashiCorp's server says, and all that OpenBao says of a key set.
        (Code::VaultCannotFetch, "the server could not read the documents, and keeps the reason in its log")
    } else {
        return error;
    };
    let mut error = Error { code, hints: vec![hint.to_owned()], ..error };
    if code == Code::VaultCannotFetch && hint != static_keys {
        error = error.hint(static_keys);
    }
    error.hint("run `keyless verify --public-only` to see what relying parties see")
}

#[cfg(test)]
#[path = "wanted_tests.rs"]
mod tests;
