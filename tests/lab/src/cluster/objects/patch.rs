//! Patches other than server-side apply.

use serde_json::{Value, json};

/// RFC 7396
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// A strategic merge as far as it is a merge of maps, with lists of named items
/// (`containers`, `env`, `volumes`, …) merged by name
pub(crate) fn strategic(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(members), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    members.remove(name);
                } else {
                    strategic(members.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (Value::Array(items), Value::Array(patch)) if patch.iter().all(|item| item["name"].is_string()) => {
            for item in patch {
                match items.iter_mut().find(|other| other["name"] == item["name"]) {
                    Some(other) => strategic(other, item),
                    None => items.push(item.clone()),
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

/// RFC 6902; the words of the failure otherwise
pub(crate) fn json_patch(target: &mut Value, patch: &Value) -> Result<(), String> {
    for step in patch.as_array().ok_or("a JSON patch is a list")? {
        let path = step["path"].as_str().ok_or("missing value")?;
        let missing = || format!("error in remove for path: '{path}': Unable to remove nonexistent key");
        match step["op"].as_str() {
            Some("test") if target.pointer(path) == Some(&step["value"]) => {}
            Some("test") => return Err(format!("testing value {path} failed: test failed")),
            Some("remove") => drop(take(target, path).ok_or_else(missing)?),
            Some("replace") => {
                let at = target.pointer_mut(path);
                *at.ok_or_else(|| {
                    format!("replace operation does not apply: doc is missing key: {path}: missing value")
                })? = step["value"].clone();
            }
            Some("add") => insert(target, path, step["value"].clone()).ok_or_else(|| {
                format!("add operation does not apply: doc is missing path: \"{path}\": missing value")
            })?,
            other => return Err(format!("Unexpected kind: {}", other.unwrap_or_default())),
        }
    }
    Ok(())
}

fn parent<'a>(target: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((target.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn take(target: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = parent(target, path)?;
    match parent {
        Value::Object(members) => members.remove(&last),
        Value::Array(items) => {
            let at = last.parse().ok().filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        _ => None,
    }
}

fn insert(target: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, last) = parent(target, path)?;
    match parent {
        Value::Object(members) => {
            members.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => items.insert(last.parse().ok().filter(|at| *at <= items.len())?, value),
        _ => return None,
    }
    Some(())
}
