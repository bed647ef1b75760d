//! PURE. Stored logins of container registries.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    text::{is_placeholder, shown},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL161",
    id: "registry-login",
    class: Class::Platform,
    severity: Severity::High,
    title: "a stored login of a registry",
    recognised: "`auths` of a file of Docker with a password or a token. Passwords of Google, AWS and Azure that expire by themselves are none.",
    remedy: "Use the generator of External Secrets Operator for the registry, or the kubelet's credential provider.",
    find,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

/// Users whose password is a token that expires within hours.
const SHORT_LIVED: [&str; 4] =
    ["AWS", "oauth2accesstoken", "00000000-0000-0000-0000-000000000000", "iamrefresh"];
/// A key of Google by another way; another kind counts it.
const GOOGLE: [&str; 2] = ["_json_key", "_json_key_base64"];
/// Registries that take nothing but stored logins from a cluster of one's own.
const STORED_ONLY: [&str; 5] = ["docker.io", "index.docker.io", "ghcr.io", "quay.io", "registry.gitlab.com"];

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(object) = part.object else { return };
    let old = part.holder.secret_type == "kubernetes.io/dockercfg" && part.field.starts_with(".dockercfg");
    let Some(hosts) = object.get("auths").and_then(Value::as_object).or(old.then_some(object)) else {
        return;
    };
    for (host, login) in hosts {
        let Some((user, password)) = login.as_object().and_then(login_of) else { continue };
        if SHORT_LIVED.contains(&user.as_str())
            || GOOGLE.contains(&user.as_str())
            || is_placeholder(&password)
        {
            continue;
        }
        // Without a login that was written into the address.
        let name = host.rsplit("://").next().and_then(|host| host.split('/').next()).unwrap_or_default();
        let name = name.rsplit('@').next().unwrap_or_default();
        let class = if STORED_ONLY.contains(&name) { Class::Irreducible } else { KIND.class };
        let who = Who::Same(Same::of_named(
            [(host.as_str(), user.as_bytes()), ("", password.as_bytes())].into_iter(),
        ));
        finds.add_as(&KIND, class, who, format!("a stored login of the registry {}", shown(name)));
    }
}

/// User and password, or token.
fn login_of(login: &Map<String, Value>) -> Option<(String, String)> {
    let text = |name: &str| {
        login.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    if let Some(token) = text("identitytoken").or_else(|| text("registrytoken")) {
        return Some((String::new(), token));
    }
    let auth = text("auth").and_then(|auth| STANDARD.decode(auth.trim()).ok());
    let auth = auth.and_then(|auth| String::from_utf8(auth).ok());
    let auth = auth
        .and_then(|auth| auth.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned())));
    text("password").map(|password| (text("username").unwrap_or_default(), password)).or(auth)
}
