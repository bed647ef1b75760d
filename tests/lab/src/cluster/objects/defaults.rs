//! What the server fills in by kind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::kinds::{CRDS, Kind};
use crate::cluster::status::Cause;

/// Defaults that count as written by the client
pub(crate) fn before(kind: &Kind, object: &mut Value) {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "namespaces") => {
            let name = object["metadata"]["name"].clone();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
        }
        ("", "secrets") => {
            if object["type"].as_str().is_none_or(str::is_empty) {
                object["type"] = json!("Opaque");
            }
            let plain = object.as_object_mut().and_then(|members| members.remove("stringData"));
            for (name, value) in plain.as_ref().and_then(Value::as_object).into_iter().flatten() {
                object["data"][name] = json!(STANDARD.encode(value.as_str().unwrap_or_default()));
            }
        }
        _ => {}
    }
}

/// Defaults that no manager owns
pub(crate) fn after(kind: &Kind, object: &mut Value) {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "namespaces") => {
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["status"]["phase"] = json!("Active");
        }
        CRDS => {
            let condition = |kind: &str| json!({"type": kind, "status": "True"});
            let versions = object["spec"]["versions"].as_array().into_iter().flatten();
            let stored: Vec<Value> = versions
                .filter(|version| version["storage"] == true)
                .map(|version| version["name"].clone())
                .collect();
            object["status"] = json!({
                "acceptedNames": object["spec"]["names"],
                "conditions": [condition("NamesAccepted"), condition("Established")],
                "storedVersions": stored,
            });
        }
        _ => {}
    }
}

/// What is wrong with a name. The names of RBAC objects are free.
pub(crate) fn name(kind: &Kind, name: &str) -> Option<Cause> {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label.chars().all(|c| alphanumeric(c) || c == '-')
    };
    let fine = kind.group == "rbac.authorization.k8s.io" || name.split('.').all(label);
    (!fine || name.len() > 253).then(|| Cause {
        reason: "FieldValueInvalid",
        message: format!(
            "Invalid value: {name:?}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
             characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', \
             regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ),
        field: "metadata.name".into(),
    })
}
