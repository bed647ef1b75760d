//! Lists: selectors, pages, and the short forms of objects.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::store::{Key, Objects};
use crate::clock;
use crate::cluster::status;
use crate::wire::{Reply, Request};

/// The answer to a list; an empty namespace means all
pub(crate) fn list(
    request: &Request,
    objects: &Objects,
    kind: &Kind,
    namespace: &str,
) -> Result<Value, Reply> {
    let labels = request.query("labelSelector").unwrap_or_default();
    let fields = request.query("fieldSelector").unwrap_or_default();
    let mut found = Vec::new();
    for (key, object) in objects.list(kind, namespace) {
        if field_matches(&fields, key, object)? && labels_match(&labels, &object["metadata"]["labels"]) {
            found.push((format!("{}/{}", key.namespace, key.name), object));
        }
    }
    if let Some(from) = request.query("continue").filter(|from| !from.is_empty()) {
        let start = start(&from)
            .ok_or_else(|| status::bad_request("invalid continue token: continue key is not valid"))?;
        found.retain(|(key, _)| *key > start);
    }
    let limit = request.query("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
    let mut metadata = json!({"resourceVersion": objects.version()});
    if let Some(limit) = limit.filter(|limit| *limit < found.len()) {
        let left = found.split_off(limit);
        let last = found.last().map(|(key, _)| key.as_str()).unwrap_or_default();
        let token = json!({"v": "meta.k8s.io/v1", "rv": objects.version(), "start": last});
        metadata["continue"] = json!(URL_SAFE_NO_PAD.encode(token.to_string()));
        if labels.is_empty() && fields.is_empty() {
            metadata["remainingItemCount"] = json!(left.len());
        }
    } else if kind.custom {
        metadata["continue"] = json!("");
    }
    let items: Vec<Value> = found.into_iter().map(|(_, object)| served(kind, object)).collect();
    Ok(json!({
        "apiVersion": kind.api_version(), "kind": kind.list_kind, "metadata": metadata, "items": items,
    }))
}

/// An object in the version that was asked for
pub(crate) fn served(kind: &Kind, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = json!(kind.api_version());
    object
}

fn start(token: &str) -> Option<String> {
    let token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    token["start"].as_str().map(str::to_owned)
}

/// The name that a field selector asks for, which the authorizer sees as the name of the object
pub(crate) fn selected_name(request: &Request) -> Option<String> {
    let selector = request.query("fieldSelector")?;
    selector
        .split(',')
        .find_map(|part| Some(part.strip_prefix("metadata.name=")?.trim_start_matches('=').to_owned()))
}

fn field_matches(selector: &str, key: &Key, object: &Value) -> Result<bool, Reply> {
    let mut all = true;
    for part in selector.split(',').filter(|part| !part.is_empty()) {
        let (field, wanted, equal) = match part.split_once("!=") {
            Some((field, wanted)) => (field, wanted, false),
            None => {
                let (field, wanted) = part.split_once('=').unwrap_or((part, ""));
                (field, wanted.trim_start_matches('='), true)
            }
        };
        let value = match field {
            "metadata.name" => key.name.as_str(),
            "metadata.namespace" => key.namespace.as_str(),
            "type" if key.plural == "secrets" => object["type"].as_str().unwrap_or_default(),
            "status.phase" if key.plural == "pods" || key.plural == "namespaces" => {
                object["status"]["phase"].as_str().unwrap_or_default()
            }
            other => return Err(status::bad_request(&format!("field label not supported: {other}"))),
        };
        all &= (value == wanted) == equal;
    }
    Ok(all)
}

fn labels_match(selector: &str, labels: &Value) -> bool {
    let mut rest = selector.trim();
    while !rest.is_empty() {
        // A comma inside of parentheses belongs to its set.
        let mut depth = 0;
        let end = rest.find(|c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        });
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        if !requirement(part.trim(), labels) {
            return false;
        }
        rest = after.trim_start_matches(',').trim();
    }
    true
}

fn requirement(part: &str, labels: &Value) -> bool {
    let label = |name: &str| labels.get(name.trim()).and_then(Value::as_str).map(str::to_owned);
    let among = |values: &str, has: &str| {
        values.trim().trim_matches(['(', ')']).split(',').any(|value| value.trim() == has)
    };
    if let Some((name, values)) = part.split_once(" notin ") {
        return label(name).is_none_or(|has| !among(values, &has));
    }
    if let Some((name, values)) = part.split_once(" in ") {
        return label(name).is_some_and(|has| among(values, &has));
    }
    if let Some((name, value)) = part.split_once("!=") {
        return label(name).is_none_or(|has| has != value.trim());
    }
    if let Some((name, value)) = part.split_once('=') {
        return label(name).is_some_and(|has| has == value.trim_start_matches('=').trim());
    }
    match part.strip_prefix('!') {
        Some(name) => label(name).is_none(),
        None => label(part).is_some(),
    }
}

/// The short form that `Accept` asks for, if it asks for one that is known
pub(crate) fn short(request: &Request, kind: &Kind, body: Value, now: i64) -> Value {
    let accept = request.header("accept").unwrap_or_default();
    let first = accept.split(',').next().unwrap_or_default();
    let wanted = first.split(';').find_map(|part| part.trim().strip_prefix("as="));
    let partial = |object: &Value| {
        json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
        })
    };
    let items = || body["items"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
    match wanted {
        Some("PartialObjectMetadata") => partial(&body),
        Some("PartialObjectMetadataList") => json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
            "metadata": body["metadata"], "items": items().iter().map(partial).collect::<Vec<_>>(),
        }),
        Some("Table") if body["kind"] != "Status" => {
            let secret = kind.plural == "secrets";
            let column = |name: &str, format: &str| json!({"name": name, "type": "string", "format": format, "description": "", "priority": 0});
            let mut columns = vec![column("Name", "name"), column("Age", "")];
            if secret {
                columns.splice(1..1, [column("Type", ""), column("Data", "")]);
            }
            let row = |object: &Value| {
                let metadata = &object["metadata"];
                let created = metadata["creationTimestamp"].as_str().unwrap_or_default();
                let created = clock::parse_basic(&created.replace(['-', ':'], "")).unwrap_or(now);
                let age = (now - created).max(0);
                let mut cells = vec![metadata["name"].clone(), json!(format!("{age}s"))];
                if secret {
                    let count = object["data"].as_object().map_or(0, |data| data.len());
                    cells.splice(1..1, [object["type"].clone(), json!(count)]);
                }
                json!({"cells": cells, "object": partial(object)})
            };
            json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"],
                "columnDefinitions": columns, "rows": items().iter().map(row).collect::<Vec<_>>(),
            })
        }
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors_select() {
        let labels = json!({"a": "1", "app.kubernetes.io/managed-by": "keyless"});
        for yes in ["", "a", "a=1", "a==1", "a!=2", "!b", "a in (2,1),!b", "a notin (2, 3)", "b!=1"] {
            assert!(labels_match(yes, &labels), "{yes}");
        }
        for no in ["b", "a=2", "!a", "a in (2,3)", "a=1,b", "app.kubernetes.io/managed-by!=keyless"] {
            assert!(!labels_match(no, &labels), "{no}");
        }
    }
}
