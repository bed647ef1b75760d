//! HashiCorp Vault, and OpenBao by the same provider.

use serde_json::Value;

use super::{AWS_VARIABLES, Login, has, login_header, stored, stranger, tokens};

/// In ESO's order: the first that is there takes effect.
const ORDER: [&str; 9] =
    ["tokenSecretRef", "appRole", "kubernetes", "ldap", "userPass", "jwt", "cert", "iam", "gcp"];

pub(super) fn login(settings: &Value) -> Login {
    let auth = has(settings, "/auth");
    let known: Vec<_> = ORDER.iter().copied().chain(["namespace"]).collect();
    if let Some(name) = stranger(auth, &known) {
        return Login::Unknown { why: format!("vault.auth.{name} is not known to this program") };
    }
    // It goes out with every request, whatever else is logged in with.
    if let Some(path) = login_header("vault", settings) {
        return Login::Inline { path };
    }
    let method =
        auth.and_then(|auth| ORDER.iter().find_map(|name| Some((*name, has(auth, &format!("/{name}"))?))));
    let Some((name, method)) = method else {
        return Login::Unknown { why: "vault.auth names no way to log in".into() };
    };
    let path = format!("vault.auth.{name}");
    let by = |order: &[(&str, bool)]| {
        let found =
            order.iter().find(|(member, _)| has(method, &format!("/{}", member.replace('.', "/"))).is_some());
        found.map(|(member, keyless)| {
            let path = format!("{path}.{member}");
            if *keyless { tokens(&path) } else { stored("vault", settings, &path) }
        })
    };
    match name {
        "kubernetes" => by(&[("serviceAccountRef", true), ("secretRef", false)])
            // The pod's own mounted token, which the kubelet renews.
            .unwrap_or_else(|| tokens("vault.auth.kubernetes")),
        "jwt" => by(&[("secretRef", false), ("kubernetesServiceAccountToken", true)])
            .unwrap_or_else(|| Login::Unknown { why: format!("{path} names no token") }),
        "iam" => {
            by(&[("jwt", true), ("secretRef", false)]).unwrap_or(Login::Ambient { variables: AWS_VARIABLES })
        }
        "gcp" => by(&[("secretRef", false), ("serviceAccountRef", true), ("workloadIdentity", true)])
            .unwrap_or(Login::Ambient { variables: &["GOOGLE_APPLICATION_CREDENTIALS"] }),
        _ => stored("vault", settings, &path),
    }
}
