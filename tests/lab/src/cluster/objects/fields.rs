//! Sets of fields and who manages them: `managedFields`
//! (kubernetes-sigs/structured-merge-diff fieldpath/).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schema;

/// The keys of `fieldsV1` that lead to a field: `f:spec`, `k:{"name":"x"}`, `v:"x"`
pub(crate) type Path = Vec<String>;
pub(crate) type Fields = BTreeSet<Path>;

/// One entry of `managedFields`
#[derive(Clone, PartialEq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    /// `Apply` or `Update`
    pub(crate) operation: String,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
    pub(crate) fields: Fields,
}

impl Manager {
    pub(crate) fn same(&self, other: &Self) -> bool {
        let versions = self.operation == "Apply" || self.api_version == other.api_version;
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && versions
    }

    /// As a conflict names it
    pub(crate) fn shown(&self) -> String {
        let subresource = match self.subresource.as_str() {
            "" => String::new(),
            subresource => format!(" with subresource {subresource:?}"),
        };
        let using = match self.operation.as_str() {
            "Update" => format!(" using {}", self.api_version),
            _ => String::new(),
        };
        format!("{:?}{subresource}{using}", self.name)
    }
}

/// The managers that an object names
pub(crate) fn managers(object: &Value) -> Vec<Manager> {
    let entries = object["metadata"]["managedFields"].as_array();
    let manager = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let mut fields = Fields::new();
        decode(&entry["fieldsV1"], &mut Vec::new(), &mut fields);
        Manager {
            name: text("manager"),
            operation: text("operation"),
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
            fields,
        }
    };
    entries.into_iter().flatten().map(manager).collect()
}

/// Write the managers into an object, without those that manage nothing
pub(crate) fn set_managers(object: &mut Value, mut managers: Vec<Manager>) {
    managers.retain(|manager| !manager.fields.is_empty());
    managers.sort_by(|a, b| (&a.operation, &a.time, &a.name).cmp(&(&b.operation, &b.time, &b.name)));
    let entries = managers.iter().map(|manager| {
        let mut entry = json!({
            "manager": manager.name, "operation": manager.operation, "apiVersion": manager.api_version,
            "time": manager.time, "fieldsType": "FieldsV1", "fieldsV1": encode(&manager.fields),
        });
        if !manager.subresource.is_empty() {
            entry["subresource"] = json!(manager.subresource);
        }
        entry
    });
    let entries: Vec<Value> = entries.collect();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        if !entries.is_empty() {
            metadata.insert("managedFields".into(), entries.into());
        }
    }
}

fn decode(value: &Value, path: &mut Path, fields: &mut Fields) {
    let members = value.as_object();
    if members.is_none_or(Map::is_empty) && !path.is_empty() {
        fields.insert(path.clone());
    }
    for (name, value) in members.into_iter().flatten() {
        if name == "." {
            fields.insert(path.clone());
            continue;
        }
        path.push(name.clone());
        decode(value, path, fields);
        path.pop();
    }
}

fn encode(fields: &Fields) -> Value {
    let mut root = json!({});
    for path in fields {
        let mut at = &mut root;
        for part in path {
            at = &mut at[part];
        }
        // Only a field that has fields below it must say that it is meant itself.
        if fields.iter().any(|other| other.len() > path.len() && other.starts_with(path)) {
            at["."] = json!({});
        } else {
            *at = json!({});
        }
    }
    root
}

/// `.spec.name`, `.spec.containers[name="x"].image`
pub(crate) fn shown(path: &[String]) -> String {
    let part = |part: &String| {
        let (kind, rest) = part.split_at(2.min(part.len()));
        match kind {
            "k:" => {
                let keys = serde_json::from_str::<Map<String, Value>>(rest).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            "v:" => format!("[={rest}]"),
            _ => format!(".{rest}"),
        }
    };
    path.iter().map(part).collect()
}

/// The fields of an object that no manager owns
fn unmanaged(path: &[String]) -> bool {
    let names: Vec<&str> = path.iter().map(|part| part.trim_start_matches("f:")).collect();
    match names.as_slice() {
        ["apiVersion" | "kind"] => true,
        ["metadata", name, ..] => {
            !["labels", "annotations", "finalizers", "ownerReferences", "generateName"].contains(name)
        }
        ["metadata"] => true,
        _ => false,
    }
}

/// The fields of an object. An apply takes the leaves, an update also what contains them.
pub(crate) fn of(schema: &Value, object: &Value, containers: bool) -> Fields {
    let mut fields = Fields::new();
    collect(schema, object, containers, &mut Vec::new(), &mut fields);
    fields.retain(|path| !unmanaged(path));
    fields
}

fn collect(schema: &Value, value: &Value, containers: bool, path: &mut Path, fields: &mut Fields) {
    let granular = match value {
        Value::Object(members) => !members.is_empty() && schema["x-kubernetes-map-type"] != "atomic",
        Value::Array(_) => keys(schema, path).is_some(),
        _ => false,
    };
    let inside_unknown = path.len() > 1 && schema.is_null();
    if !path.is_empty() && (!granular || containers || inside_unknown) {
        fields.insert(path.clone());
    }
    if !granular {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let child = if path.as_slice() == ["f:metadata"] || path.is_empty() && name == "metadata" {
                    // Its members are known without a schema; a null schema would mean "unknown".
                    &json!({"type": "object"})
                } else {
                    schema::child(schema, name).unwrap_or(&Value::Null)
                };
                path.push(format!("f:{name}"));
                collect(child, value, containers, path, fields);
                path.pop();
            }
        }
        Value::Array(items) => {
            for item in items {
                path.push(element(keys(schema, path), item));
                fields.insert(path.clone());
                if item.is_object() {
                    collect(&schema["items"], item, containers, path, fields);
                }
                path.pop();
            }
        }
        _ => {}
    }
}

/// What tells the items of a list apart: names of members, none for a set; `None` for one atomic value
fn keys(schema: &Value, path: &[String]) -> Option<Vec<String>> {
    let metadata = path.len() == 2 && path[0] == "f:metadata";
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Some(Vec::new()),
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array()?;
            Some(keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect())
        }
        _ if metadata && path[1] == "f:finalizers" => Some(Vec::new()),
        _ if metadata && path[1] == "f:ownerReferences" => Some(vec!["uid".into()]),
        _ => None,
    }
}

fn element(keys: Option<Vec<String>>, item: &Value) -> String {
    match keys {
        Some(keys) if !keys.is_empty() => {
            let keys: Map<String, Value> =
                keys.into_iter().map(|key| (key.clone(), item[&key].clone())).collect();
            format!("k:{}", Value::Object(keys))
        }
        _ => format!("v:{item}"),
    }
}

/// The value at a path
pub(crate) fn get<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |at, part| match part.split_at(2) {
        ("f:", name) => at.get(name),
        _ => at.as_array()?.iter().find(|item| is_element(part, item)),
    })
}

fn is_element(part: &str, item: &Value) -> bool {
    match part.split_at(2) {
        ("k:", keys) => {
            let keys = serde_json::from_str::<Map<String, Value>>(keys).unwrap_or_default();
            keys.iter().all(|(name, value)| item[name] == *value)
        }
        (_, value) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item),
    }
}

/// Remove the value at a path
pub(crate) fn remove(object: &mut Value, path: &[String]) {
    let Some((part, rest)) = path.split_first() else { return };
    let name = &part[2..];
    match object {
        Value::Object(members) if rest.is_empty() => {
            members.remove(name);
        }
        Value::Object(members) => {
            if let Some(value) = members.get_mut(name) {
                remove(value, rest);
            }
        }
        Value::Array(items) if rest.is_empty() => items.retain(|item| !is_element(part, item)),
        Value::Array(items) => {
            if let Some(item) = items.iter_mut().find(|item| is_element(part, item)) {
                remove(item, rest);
            }
        }
        _ => {}
    }
}

/// Lay `config` over `live`: maps member by member, lists of named items item by item
pub(crate) fn merge(schema: &Value, live: &mut Value, config: &Value, path: &mut Path) {
    let atomic = schema["x-kubernetes-map-type"] == "atomic";
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !atomic => {
            for (name, value) in config {
                let child = schema::child(schema, name).unwrap_or(&Value::Null);
                path.push(format!("f:{name}"));
                merge(child, live.entry(name.clone()).or_insert(Value::Null), value, path);
                path.pop();
            }
        }
        (Value::Array(live), Value::Array(config)) if keys(schema, path).is_some() => {
            for item in config {
                let part = element(keys(schema, path), item);
                match live.iter_mut().find(|other| is_element(&part, other)) {
                    Some(other) => {
                        path.push(part);
                        merge(&schema["items"], other, item, path);
                        path.pop();
                    }
                    None => live.push(item.clone()),
                }
            }
        }
        (live, config) => *live = config.clone(),
    }
}
