//! Two states of an object: the fields that differ, for people, and the patch from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::plan::FieldChange;

/// Providers whose settings hold names and addresses only. Others may have a secret written right into them.
const OPEN_PROVIDERS: [&str; 4] = ["aws", "azurekv", "gcpsm", "vault"];
/// Members that may hold a secret even there.
const CLOSED_MEMBERS: [&str; 1] = ["headers"];

/// Whether these settings of a provider name secrets, but hold none: what may be written down elsewhere. Only known
/// providers count, without members that may hold one, and without a login in an address.
pub(crate) fn holds_no_secret(provider: &Value) -> bool {
    let open = |name: &String| OPEN_PROVIDERS.contains(&name.as_str());
    let leaf = |(path, value): (&String, &Value)| {
        let closed = path.split('.').any(|step| CLOSED_MEMBERS.contains(&step));
        let text = value.to_string();
        let login = text
            .split_once("://")
            .is_some_and(|(_, rest)| rest.split(['/', '"']).next().is_some_and(|host| host.contains('@')));
        !closed && !login
    };
    provider.as_object().is_some_and(|providers| providers.keys().all(open))
        && leaves(provider).iter().all(leaf)
}

/// Field by field, in the order of their names. What may be a secret is left out.
pub(super) fn differences(have: &Value, want: &Value) -> Vec<FieldChange> {
    let (have, want) = (leaves(have), leaves(want));
    let fields: BTreeSet<_> = have.keys().chain(want.keys()).collect();
    let one = |field: &String| match may_be_secret(field) {
        true => FieldChange::sensitive(field),
        false => FieldChange::new(field, have.get(field).map(shown), want.get(field).map(shown)),
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

fn may_be_secret(field: &str) -> bool {
    let steps: Vec<_> = field.split('.').collect();
    matches!(steps[..], ["spec", "provider", provider, ..]
        if !OPEN_PROVIDERS.contains(&provider) || steps.iter().any(|step| CLOSED_MEMBERS.contains(step)))
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
