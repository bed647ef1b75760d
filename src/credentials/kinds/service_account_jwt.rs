//! PURE. Tokens of ServiceAccounts that were copied into other objects: by their claims; the signature is not kept.

use super::super::{
    Class, Finds, Kind, Part, Same, Severity, Who,
    marks::mark,
    text::{shown, words},
};

pub(in crate::credentials) static KIND: Kind = Kind {
    code: "KL142",
    id: "service-account-jwt",
    class: Class::Platform,
    severity: Severity::High,
    title: "a copy of a long-lived token of a ServiceAccount",
    recognised: "A JWT whose subject is a ServiceAccount and that has no expiry, or one more than a day after its issue.",
    remedy: "Use projected tokens or TokenRequest; then delete the Secret that the token was made from.",
    find,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// Seconds. Pods' tokens live for an hour, and for a year where the API server extends them; those are not stored.
const LONGEST: u64 = 24 * 60 * 60;

fn find(part: &Part<'_>, finds: &mut Finds) {
    let Some(text) = part.text_with(const { mark("eyJ") }) else { return };
    for word in words(text, "._-").filter(|word| word.starts_with("eyJ")) {
        let half = Who::Same(Same::of(word.as_bytes()));
        match of_token(word) {
            Some((Some(name), what)) => finds.add_named(&KIND, name, [half].into(), what),
            Some((None, what)) => finds.add(&KIND, half, what),
            None => {}
        }
    }
}

/// How a long-lived token of a ServiceAccount calls itself, if it does, and what it is.
pub(super) fn of_token(word: &str) -> Option<(Option<String>, String)> {
    let mut parts = word.split('.');
    let (_, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let subject = claims["sub"].as_str()?.strip_prefix("system:serviceaccount:")?;
    let expires = claims["exp"].as_u64();
    let issued = claims["iat"].as_u64().or(claims["nbf"].as_u64());
    let lifetime = expires.zip(issued).map(|(expires, issued)| expires.saturating_sub(issued));
    if lifetime.is_some_and(|lifetime| lifetime <= LONGEST) || signature.len() < 16 {
        return None;
    }
    let old = |name: &str| claims[format!("kubernetes.io/serviceaccount/{name}")].as_str();
    let name = match (old("namespace"), old("secret.name"), claims["jti"].as_str()) {
        (Some(namespace), Some(secret), _) => {
            Some(format!("service-account-token:{}/{}", shown(namespace), shown(secret)))
        }
        (_, _, Some(id)) => Some(format!("jwt:{}", shown(id))),
        _ => None,
    };
    Some((
        name,
        format!("a long-lived token of the ServiceAccount {}", shown(&subject.replacen(':', "/", 1))),
    ))
}
