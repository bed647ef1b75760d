//! The part of `tests/deploy/run` that no tool has: compares manifests object by object, and takes the expressions out of a
//! dashboard.
//!
//! ```text
//! deploy same A.yaml B.yaml         exit 1 and the differences, unless both have the same objects
//! deploy expressions DASHBOARD      a file of recording rules, one for each expression
//! ```

use std::{collections::BTreeMap, fs, process::ExitCode};

use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["same", one, other] => same(one, other),
        ["expressions", dashboard] => expressions(dashboard),
        _ => Err("deploy same A.yaml B.yaml | deploy expressions DASHBOARD".to_owned()),
    };
    match result {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// What an object is called.
type Name = [String; 3];

fn same(one: &str, other: &str) -> Result<String, String> {
    let (left, right) = (objects(one)?, objects(other)?);
    let mut differences = Vec::new();
    for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
        match (left.get(name), right.get(name)) {
            (Some(_), None) => differences.push(format!("{}: only in {one}", name.join(" "))),
            (None, _) => differences.push(format!("{}: only in {other}", name.join(" "))),
            (Some(left), Some(right)) => compare(left, right, &name.join(" "), &mut differences),
        }
    }
    match differences.is_empty() {
        true => Ok(format!("{} objects are the same\n", left.len())),
        false => Err(differences.join("\n")),
    }
}

/// The objects of a file by kind, namespace and name, without what is another one by its nature: hooks of Helm, the
/// Namespace, which Helm creates itself, and what only makes a name or a pod new for other settings.
fn objects(path: &str) -> Result<BTreeMap<Name, Value>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|error| format!("{path}: {error}"))?;
    let mut objects = BTreeMap::new();
    for mut object in documents.into_iter().filter(Value::is_object) {
        if object["kind"] == "Namespace" || !object["metadata"]["annotations"]["helm.sh/hook"].is_null() {
            continue;
        }
        if let Some(Value::Object(annotations)) = object.pointer_mut("/spec/template/metadata/annotations") {
            annotations.remove("checksum/settings");
        }
        if let Some(Value::Object(metadata)) = object.pointer_mut("/spec/template/metadata")
            && metadata.get("annotations").is_some_and(|it| *it == json!({}))
        {
            metadata.remove("annotations");
        }
        without_hashes(&mut object);
        data_as_values(&mut object);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let name = [text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])];
        if objects.insert(name.clone(), object).is_some() {
            return Err(format!("{path}: two objects {}", name.join(" ")));
        }
    }
    match objects.len() {
        0..5 => Err(format!("{path} holds {} objects", objects.len())),
        _ => Ok(objects),
    }
}

/// kustomize puts a hash of the content behind the names of these ConfigMaps.
fn without_hashes(value: &mut Value) {
    match value {
        Value::String(text) => {
            for name in ["keyless-settings", "keyless-google-credentials"] {
                let hash = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
                if hash
                    .is_some_and(|hash| hash.len() == 10 && hash.bytes().all(|it| it.is_ascii_alphanumeric()))
                {
                    *text = name.to_owned();
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_hashes),
        Value::Object(members) => members.values_mut().for_each(without_hashes),
        _ => {}
    }
}

/// Files in a ConfigMap by what they say.
fn data_as_values(object: &mut Value) {
    if object["kind"] != "ConfigMap" {
        return;
    }
    for value in object["data"].as_object_mut().into_iter().flat_map(|data| data.values_mut()) {
        if let Some(parsed) = value.as_str().and_then(|text| serde_saphyr::from_str(text).ok()) {
            *value = parsed;
        }
    }
}

fn compare(left: &Value, right: &Value, place: &str, differences: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            for name in names {
                let (left, right) = (left.get(name), right.get(name));
                let of = |value: Option<&Value>| value.cloned().unwrap_or_default();
                compare(&of(left), &of(right), &format!("{place}.{name}"), differences);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (number, (left, right)) in left.iter().zip(right).enumerate() {
                compare(left, right, &format!("{place}[{number}]"), differences);
            }
        }
        _ if left != right => differences.push(format!("{place}: {left} and {right}")),
        _ => {}
    }
}

/// With each variable of the dashboard as a text that fits everywhere.
fn expressions(path: &str) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let dashboard: Value = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let mut rules = Vec::new();
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let Some(expr) = target["expr"].as_str() else {
                return Err(format!("{path}: a target of {} has no expression", panel["title"]));
            };
            let expr = expr.replace("$cluster", ".*").replace("$namespace", ".*");
            rules.push(json!({ "record": format!("panel:{}:expression", rules.len()), "expr": expr }));
        }
    }
    if rules.len() < 5 {
        return Err(format!("{path} has {} expressions", rules.len()));
    }
    // Every JSON is YAML as well.
    Ok(format!("{}\n", json!({ "groups": [{ "name": "dashboard", "rules": rules }] })))
}
