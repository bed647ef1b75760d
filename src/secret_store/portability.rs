//! The swap point's own check: what reads through a store, but would read something else, or nothing, once the
//! store names another provider.

use serde_json::Value;

use super::{Access, usage::entries};
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

/// What stands against moving this store to the provider of `to`; nothing, if it names one of that kind already.
pub(crate) fn obstacles_of_a_move<'a>(
    users: impl IntoIterator<Item = &'a Object>,
    store: &Store,
    to: &Access,
) -> Vec<Obstacle> {
    match store.provider() {
        Some((kind, _)) if kind != to.kind() => obstacles(users, store, to),
        _ => Vec::new(),
    }
}

/// What stands against letting this store name the provider of `to`, object by object.
fn obstacles<'a>(users: impl IntoIterator<Item = &'a Object>, store: &Store, to: &Access) -> Vec<Obstacle> {
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

fn one_value(remote: &Value, field: &str, to: &Access, add: &mut impl FnMut(&str, &str, &str)) {
    if text(remote, "property").is_empty() {
        add(
            &format!("{field}.property"),
            "without it Google gives the whole payload, and a KV v2 engine the JSON of the whole map",
            "store a JSON object at both, e.g. {\"value\": \"…\"}, and name its member: property: value",
        );
    }
    any_value(remote, field, to, add);
}

fn any_value(remote: &Value, field: &str, to: &Access, add: &mut impl FnMut(&str, &str, &str)) {
    let version = text(remote, "version");
    if !version.is_empty() && version != "latest" {
        add(
            &format!("{field}.version"),
            &format!("version `{version}` counts the versions of one provider; the other counts anew"),
            "leave it out, which means the latest at both",
        );
    } else if version == "latest" && matches!(to, Access::Vault { .. }) {
        add(
            &format!("{field}.version"),
            "a KV v2 engine knows numbers only",
            "leave it out, which means the latest at both",
        );
    }
    if text(remote, "metadataPolicy") == "Fetch" {
        add(
            &format!("{field}.metadataPolicy"),
            "Google gives labels, a KV v2 engine its custom metadata: other names, other values",
            "read a value instead: leave metadataPolicy out",
        );
    }
    let key = text(remote, "key");
    match to {
        Access::Google { .. } if !google_can_name(key) => add(
            &format!("{field}.key"),
            &format!(
                "Google cannot name a secret `{}`: letters, digits, `-` and `_` only, 255 at most",
                key.escape_debug()
            ),
            &format!("name it `{}` at both", google_name(key)),
        ),
        Access::Vault { .. } if !vault_can_name(key) => add(
            &format!("{field}.key"),
            &format!("a KV v2 engine cannot have a secret at the path `{}`", key.escape_debug()),
            &format!("name it `{}` at both", google_name(key)),
        ),
        _ => {}
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn google_can_name(key: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=255).contains(&key.len()) && key.bytes().all(fits)
}

fn google_name(key: &str) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    let name: String =
        key.trim_matches('/').chars().map(|it| if fits(it) { it } else { '-' }).take(255).collect();
    if name.is_empty() { "name".into() } else { name }
}

/// Segments between single slashes, printable, not a step up or down, and not what URLs read as something else.
fn vault_can_name(key: &str) -> bool {
    key.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
        && key.chars().all(|it| !it.is_control() && !it.is_whitespace() && !"?#%*+".contains(it))
}

#[cfg(test)]
#[path = "portability_tests.rs"]
mod tests;
