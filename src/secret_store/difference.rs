//! Two states of an object: the fields that differ, for people, and the patch from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::federation::Difference;

/// Providers whose settings hold names and addresses only. Others may have a secret written right into them.
const OPEN_PROVIDERS: [&str; 4] = ["aws", "azurekv", "gcpsm", "vault"];
/// Members that may hold a secret even there.
const CLOSED_MEMBERS: [&str; 1] = ["headers"];

/// Field by field, in the order of their names. A field that is missing is an empty text.
pub(super) fn differences(have: &Value, want: &Value) -> Vec<Difference> {
    let (have, want) = (leaves(have), leaves(want));
    let fields: BTreeSet<_> = have.keys().chain(want.keys()).collect();
    let text = |leaves: &BTreeMap<String, Value>, field: &String| {
        leaves.get(field).map(|value| shown(field, value)).unwrap_or_default()
    };
    fields
        .into_iter()
        .filter(|field| have.get(*field) != want.get(*field))
        .map(|field| Difference { field: field.clone(), have: text(&have, field), want: text(&want, field) })
        .collect()
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
    walk(String::new(), value, &mut found);
    found
}

fn walk(path: String, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                walk(if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, found);
            }
        }
        Value::Null => {}
        _ => drop(found.insert(path, value.clone())),
    }
}

fn shown(field: &str, value: &Value) -> String {
    let steps: Vec<_> = field.split('.').collect();
    if let ["spec", "provider", provider, ..] = steps[..]
        && (!OPEN_PROVIDERS.contains(&provider) || steps.iter().any(|step| CLOSED_MEMBERS.contains(step)))
    {
        return "(not shown)".into();
    }
    match value {
        Value::String(text) if text.len() > 200 => format!("({} characters)", text.chars().count()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
