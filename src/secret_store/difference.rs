//! Two states of an object: the fields that differ, for people, and the patch from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::public::{self, IsPublic};
use crate::plan::FieldChange;

/// Whether these settings of a provider name secrets, but hold none: what may be written down elsewhere.
pub(crate) fn holds_no_secret(provider: &Value) -> bool {
    provider.is_object()
        && leaves(provider).iter().all(|(path, value)| public::of_provider(path) && public::is_plain(value))
}

/// Field by field, in the order of their names. What is not known to be public is not shown.
pub(super) fn differences(have: &Value, want: &Value, is_public: IsPublic) -> Vec<FieldChange> {
    let (have, want) = (leaves(have), leaves(want));
    let fields: BTreeSet<_> = have.keys().chain(want.keys()).collect();
    let one = |field: &String| {
        let (have, want) = (have.get(field), want.get(field));
        match is_public(field) && have.into_iter().chain(want).all(public::is_plain) {
            true => FieldChange::new(field, have.map(shown), want.map(shown)),
            false => FieldChange::sensitive(field),
        }
    };
    fields.into_iter().filter(|field| have.get(*field) != want.get(*field)).map(one).collect()
}

/// The JSON merge patch (RFC 7386) from one to the other.
pub(super) fn merge_patch(have: &Value, want: &Value) -> Value {
    let (Value::Object(have), Value::Object(want)) = (have, want) else {
        return want.clone();
    };
    let mut patch = Map::new();
    for name in have.keys().filter(|name| !want.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in want {
        match have.get(name) {
            Some(old) if old == value => {}
            Some(old @ Value::Object(_)) if value.is_object() => {
                patch.insert(name.clone(), merge_patch(old, value));
            }
            _ => drop(patch.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(patch)
}

fn leaves(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    flatten(String::new(), value, &mut found);
    found
}

fn flatten(path: String, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, found);
            }
        }
        Value::Null => {}
        _ => drop(found.insert(path, value.clone())),
    }
}

fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > 200 => format!("({} characters)", text.chars().count()).into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_references_hold_no_secret() {
        for (provider, expected) in [
            (
                json!({"gcpsm": {"projectID": "p", "auth": {"secretRef": {"secretAccessKeySecretRef": {"name": "k"}}}}}),
                true,
            ),
            (
                json!({"vault": {"server": "https://bao.example:8200", "auth": {"tokenSecretRef": {"name": "t"}}}}),
                true,
            ),
            (json!({"vault": {"server": "https://bao.example:8200", "auth": {"tokenValue": "t"}}}), false),
            (json!({"gcpsm": {"projectID": "p", "apiKeyValue": "k"}}), false),
            (json!({"vault": {"server": "https://u:p@bao.example", "auth": {}}}), false),
            (json!({"vault": {"server": "https://bao.example", "headers": {"X-Vault-Token": "s.x"}}}), false),
            (json!({"fake": {"data": [{"key": "a", "value": "b"}]}}), false),
            (json!({"webhook": {"url": "https://hooks.example/T00/B00"}}), false),
            (json!("gcpsm"), false),
            (json!(null), false),
        ] {
            assert_eq!(holds_no_secret(&provider), expected, "{provider}");
        }
    }
}
