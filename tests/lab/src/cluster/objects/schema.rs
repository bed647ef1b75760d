//! Structural schemas: unknown fields, pruning, defaults, validation
//! (kubernetes/apiextensions-apiserver pkg/apiserver/schema/).

use serde_json::{Map, Value};

use crate::cluster::status::Cause;

/// Members of `metadata` that every object may have
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Removes what the schema does not know; the paths of it in the order of the server's words
pub(crate) fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|name, _| keep(METADATA.contains(&name.as_str()), &mut unknown, "metadata", name));
    }
    let first = unknown.len();
    if let Some(members) = object.as_object_mut() {
        let open = open(schema);
        members.retain(|name, value| match name.as_str() {
            "apiVersion" | "kind" | "metadata" => true,
            name => member(schema, name, value, "", open, &mut unknown),
        });
    }
    unknown[first..].sort();
    unknown
}

fn keep(known: bool, unknown: &mut Vec<String>, path: &str, name: &str) -> bool {
    if !known {
        unknown.push(join(path, name));
    }
    known
}

/// Prunes one member; false when it is to be removed itself
fn member(
    schema: &Value,
    name: &str,
    value: &mut Value,
    path: &str,
    open: bool,
    unknown: &mut Vec<String>,
) -> bool {
    match child(schema, name) {
        Some(schema) => {
            prune_at(schema, value, &join(path, name), unknown);
            true
        }
        None => keep(open, unknown, path, name),
    }
}

fn prune_at(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let open = open(schema);
            members.retain(|name, value| member(schema, name, value, path, open, unknown));
        }
        Value::Array(items) => {
            for (number, item) in items.iter_mut().enumerate() {
                prune_at(&schema["items"], item, &format!("{path}[{number}]"), unknown);
            }
        }
        _ => {}
    }
}

/// The schema of a member, if it has one
pub(crate) fn child<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema["properties"].get(name).or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()))
}

/// Whether members without a schema may stay
pub(crate) fn open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["additionalProperties"] == true
        || !["properties", "additionalProperties", "items", "type"]
            .iter()
            .any(|key| schema.get(key).is_some())
}

/// Fills in defaults, also inside of what is there
pub(crate) fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let (Some(default), false) = (schema.get("default"), members.contains_key(name)) {
                    members.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in members.iter_mut() {
                if let Some(schema) = child(schema, name) {
                    default(schema, value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| default(&schema["items"], item)),
        _ => {}
    }
}

/// What the schema refuses
pub(crate) fn validate(schema: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match (name.as_str(), child(schema, name)) {
            ("apiVersion" | "kind" | "metadata", _) | (_, None) => {}
            (name, Some(schema)) => validate_at(schema, value, name, &mut causes),
        }
    }
    required(schema, object, "", &mut causes);
    causes
}

fn validate_at(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if !of_type(schema, value) {
        let (is, wanted) = (type_of(value), schema["type"].as_str().unwrap_or_default());
        let message = format!("Invalid value: \"{is}\": {path} in body must be of type {wanted}: \"{is}\"");
        causes.push(Cause { reason: "FieldValueTypeInvalid", message, field: path.into() });
        return;
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.contains(value)) {
        let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", choices.join(", "));
        causes.push(Cause { reason: "FieldValueNotSupported", message, field: path.into() });
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        let message =
            format!("Invalid value: {value}: {path} in body should be greater than or equal to {least}");
        causes.push(Cause { reason: "FieldValueInvalid", message, field: path.into() });
    }
    if let (Some(least), Some(text)) = (schema["minLength"].as_u64(), value.as_str())
        && (text.chars().count() as u64) < least
    {
        let message = format!("Invalid value: {value}: {path} in body should be at least {least} chars long");
        causes.push(Cause { reason: "FieldValueInvalid", message, field: path.into() });
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let Some(schema) = child(schema, name) {
                    validate_at(schema, value, &join(path, name), causes);
                }
            }
            count(schema, members, path, causes);
            required(schema, value, path, causes);
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                validate_at(&schema["items"], item, &format!("{path}[{number}]"), causes);
            }
        }
        _ => {}
    }
}

fn required(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            let message = "Required value".to_owned();
            causes.push(Cause { reason: "FieldValueRequired", message, field: join(path, name) });
        }
    }
}

fn count(schema: &Value, members: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let has = members.len() as u64;
    if let Some(most) = schema["maxProperties"].as_u64().filter(|most| has > *most) {
        let items = if most == 1 { "item" } else { "items" };
        let message = format!("Too many: {has}: must have at most {most} {items}");
        causes.push(Cause { reason: "FieldValueTooMany", message, field: path.into() });
    }
    if let Some(least) = schema["minProperties"].as_u64().filter(|least| has < *least) {
        let message = format!("Invalid value: {has}: {path} in body should have at least {least} properties");
        causes.push(Cause { reason: "FieldValueInvalid", message, field: path.into() });
    }
}

fn of_type(schema: &Value, value: &Value) -> bool {
    if schema["x-kubernetes-int-or-string"] == true {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    if value.is_null() && schema["nullable"] == true {
        return true;
    }
    match schema["type"].as_str() {
        Some("array") => value.is_array(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("object") => value.is_object(),
        Some("string") => value.is_string(),
        _ => true,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_pruned_and_named() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "name": {"type": "string"},
            "deep": {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "list": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
        }}}});
        let mut object = json!({"kind": "W", "bar": 2, "metadata": {"name": "w", "foo": 1}, "spec": {
            "x": 1, "deep": {"a": {"z": 1}}, "free": {"q": 1}, "list": [{"k": "1", "l": 2}]}});
        let unknown = prune(&schema, &mut object);
        assert_eq!(unknown, ["metadata.foo", "bar", "spec.deep.a.z", "spec.list[0].l", "spec.x"]);
        let kept = json!({"kind": "W", "metadata": {"name": "w"}, "spec": {
            "deep": {"a": {}}, "free": {"q": 1}, "list": [{"k": "1"}]}});
        assert_eq!(object, kept);
    }

    #[test]
    fn refusals_use_the_servers_words() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["name"],
            "maxProperties": 2, "properties": {
                "count": {"type": "integer", "minimum": 1}, "mode": {"type": "string", "enum": ["A", "B"]}}}}});
        let causes = validate(&schema, &json!({"spec": {"count": "x", "mode": "C", "o": 1}}));
        let words: Vec<_> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let expected = [
            r#"spec.count: Invalid value: "string": spec.count in body must be of type integer: "string""#,
            r#"spec.mode: Unsupported value: "C": supported values: "A", "B""#,
            "spec: Too many: 3: must have at most 2 items",
            "spec.name: Required value",
        ];
        assert_eq!(words, expected);
    }
}
