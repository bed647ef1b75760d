//! The swap point's own check: what reads through a store, but would read something else, or nothing, once the
//! store names another provider.

use serde_json::Value;

use super::{StoreLogin, usage::entries};
use crate::cluster::{objects::Object, snapshot::Store};

/// One field that would not survive the change of provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// `ExternalSecret shop/db`.
    pub(crate) object: String,
    /// `data[0].remoteRef.property`.
    pub(crate) field: String,
    pub(crate) why: String,
    /// What to write instead.
    pub(crate) change: String,
}

/// What prevents moving this store to the provider of `to`; nothing, if it names one of that kind already.
pub(crate) fn obstacles_of_a_move<'a>(
    users: impl IntoIterator<Item = &'a Object>,
    store: &Store,
    to: &dyn StoreLogin,
) -> Vec<Obstacle> {
    match store.provider() {
        Some((member, _)) if member != to.member() => obstacles(users, store, to),
        _ => Vec::new(),
    }
}

/// What prevents letting this store name the provider of `to`, object by object.
fn obstacles<'a>(
    users: impl IntoIterator<Item = &'a Object>,
    store: &Store,
    to: &dyn StoreLogin,
) -> Vec<Obstacle> {
    let mut found = Vec::new();
    for user in users {
        let mut add = |field: &str, why: &str, change: &str| {
            found.push(Obstacle {
                object: user.describe(),
                field: field.to_owned(),
                why: why.to_owned(),
                change: change.to_owned(),
            });
        };
        if user.kind().ends_with("PushSecret") {
            add(
                "spec",
                "what it has written stays at the old provider, and is written again at the new one",
                "see what else reads it at the old one; the right to write at the new one is yours to confirm",
            );
            continue;
        }
        for (place, entry) in entries(user, store) {
            if let Some(remote) = entry.get("remoteRef") {
                one_value(remote, &format!("{place}.remoteRef"), to, &mut add);
            }
            if entry.get("find").is_some_and(Value::is_object) {
                add(
                    &format!("{place}.find"),
                    "names, tags and paths are searched differently by each provider",
                    "name each secret: data[].remoteRef with key and property, or dataFrom[].extract",
                );
            }
            if let Some(extract) = entry.get("extract").filter(|extract| extract.is_object()) {
                any_value(extract, &format!("{place}.extract"), to, &mut add);
            }
        }
    }
    found
}

fn one_value(remote: &Value, field: &str, to: &dyn StoreLogin, add: &mut impl FnMut(&str, &str, &str)) {
    if text(remote, "property").is_empty() {
        add(
            &format!("{field}.property"),
            &format!("without it each provider gives its own form of the whole: {}", to.whole_value()),
            "store a JSON object at both, e.g. {\"value\": \"…\"}, and name its member: property: value",
        );
    }
    any_value(remote, field, to, add);
}

fn any_value(remote: &Value, field: &str, to: &dyn StoreLogin, add: &mut impl FnMut(&str, &str, &str)) {
    let version = text(remote, "version");
    if !version.is_empty() && version != "latest" {
        add(
            &format!("{field}.version"),
            &format!("version `{version}` counts the versions of one provider; the other has its own count"),
            "leave it out, which means the latest at both",
        );
    } else if let Some(why) = to.refuses_latest().filter(|_| version == "latest") {
        add(&format!("{field}.version"), why, "leave it out, which means the latest at both");
    }
    if text(remote, "metadataPolicy") == "Fetch" {
        add(
            &format!("{field}.metadataPolicy"),
            &format!("each provider has metadata of its own, with other names and values: {}", to.metadata()),
            "read a value instead: leave metadataPolicy out",
        );
    }
    let key = text(remote, "key");
    if let Some(why) = to.cannot_name(key) {
        let portable = portable_name(key);
        add(&format!("{field}.key"), &why, &format!("name it `{portable}` at both"));
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// A name that every provider can have: letters, digits, `-` and `_`, 255 at most.
fn portable_name(key: &str) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    let name: String =
        key.trim_matches('/').chars().map(|it| if fits(it) { it } else { '-' }).take(255).collect();
    if name.is_empty() { "name".into() } else { name }
}

#[cfg(test)]
#[path = "portability_tests.rs"]
mod tests;
