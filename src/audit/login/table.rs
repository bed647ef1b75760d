//! Every other provider, from the shape of what its settings name: a Secret is a stored credential unless it is
//! known to be public, and a ServiceAccount is a login by tokens only where that is known.

use serde_json::Value;

use super::{Login, has, is_public, login_header, tokens};
use crate::cluster::snapshot::{Target, references};

/// Providers that can do without a stored credential, and what says that they do.
const KEYLESS: &[(&str, &[&str])] = &[
    ("akeyless", &["authSecretRef.kubernetesAuth.serviceAccountRef", "authSecretRef.serviceAccountRef"]),
    ("alibaba", &["auth.rrsa"]),
    ("conjur", &["auth.jwt.serviceAccountRef"]),
    ("crd", &["auth.serviceAccount"]),
    ("doppler", &["auth.oidcConfig.serviceAccountRef"]),
    ("ibm", &["auth.containerAuth"]),
    (
        "infisical",
        &[
            "auth.awsAuthCredentials",
            "auth.azureAuthCredentials",
            "auth.gcpIdTokenAuthCredentials",
            "auth.kubernetesAuthCredentials",
        ],
    ),
    ("kubernetes", &["auth.serviceAccount"]),
    ("oracle", &["serviceAccountRef"]),
    ("pulumi", &["auth.oidcConfig.serviceAccountRef"]),
];

/// Providers with stored credentials and nothing else.
const STORED: &[&str] = &[
    "barbican",
    "beyondtrust",
    "beyondtrustworkloadcredentials",
    "bitwardensecretsmanager",
    "chef",
    "cloudrusm",
    "delinea",
    "device42",
    "dvls",
    "fortanix",
    "github",
    "gitlab",
    "keepersecurity",
    "nebiusmysterybox",
    "ngrok",
    "onboardbase",
    "onepassword",
    "onepasswordSDK",
    "openBao",
    "openbao",
    "ovh",
    "passbolt",
    "passworddepot",
    "previder",
    "scaleway",
    "secretserver",
    "senhasegura",
    "yandexcertificatemanager",
    "yandexlockbox",
];

/// Headers by which nothing logs in.
const HARMLESS_HEADERS: [&str; 5] =
    ["accept", "accept-encoding", "accept-language", "content-type", "user-agent"];

pub(super) fn login(provider: &str, settings: &Value) -> Login {
    match provider {
        "fake" => return Login::Inline { path: "fake.data[].value".into() },
        "oracle" if settings["principalType"] == "InstancePrincipal" => {
            return tokens("oracle.principalType: InstancePrincipal");
        }
        _ => {}
    }
    let keyless = KEYLESS.iter().find(|(name, _)| *name == provider).map(|(_, paths)| *paths);
    let special = matches!(provider, "volcengine" | "webhook");
    if keyless.is_none() && !special && !STORED.contains(&provider) {
        return Login::Unknown {
            why: format!("the provider `{}` is not known to this program", provider.escape_debug()),
        };
    }
    let found = references(provider, settings);
    let stored: Vec<_> = found
        .iter()
        .filter(|reference| reference.target == Target::Secret && !is_public(&reference.path))
        .map(|reference| reference.path.clone())
        .collect();
    // Beside a stored credential the order of precedence decides, which is not known here: it is counted.
    if !stored.is_empty() {
        return Login::Stored { paths: stored };
    }
    let by_tokens = keyless
        .into_iter()
        .flatten()
        .find(|path| has(settings, &format!("/{}", path.replace('.', "/"))).is_some());
    if let Some(path) = by_tokens {
        return tokens(&format!("{provider}.{path}"));
    }
    if let Some(path) = literal(provider, settings) {
        return Login::Inline { path };
    }
    match provider {
        "volcengine" if has(settings, "/auth").is_none() => {
            Login::Ambient { variables: &["VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY"] }
        }
        "webhook" => webhook(settings),
        _ => {
            Login::Unknown { why: format!("{provider} names nothing to log in with that this program knows") }
        }
    }
}

/// `….value`, next to where a `secretRef` could stand.
fn literal(provider: &str, settings: &Value) -> Option<String> {
    fn walk(path: &str, value: &Value) -> Option<String> {
        value.as_object()?.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match value {
                Value::String(text)
                    if name == "value" && !text.is_empty() && !is_public(path.trim_end_matches(".value")) =>
                {
                    Some(path)
                }
                _ => walk(&path, value),
            }
        })
    }
    walk(provider, settings)
}

fn webhook(settings: &Value) -> Login {
    if let Some(path) = login_header("webhook", settings) {
        return Login::Inline { path };
    }
    let harmless = |name: &str| HARMLESS_HEADERS.iter().any(|it| name.eq_ignore_ascii_case(it));
    let headers = settings["headers"].as_object().into_iter().flatten();
    if let Some((name, _)) = headers.into_iter().find(|(name, _)| !harmless(name)) {
        return Login::Unknown {
            why: format!("webhook.headers.{} may be a credential", name.escape_debug()),
        };
    }
    if settings["body"].as_str().is_some_and(|body| !body.is_empty()) {
        return Login::Unknown { why: "webhook.body may hold a credential".into() };
    }
    let url = settings["url"].as_str().unwrap_or_default();
    if url.contains(['?', '@']) {
        return Login::Unknown {
            why: "webhook.url holds a query or a login, which may be a credential".into(),
        };
    }
    Login::Open
}
