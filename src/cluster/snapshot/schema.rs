//! The schema of stores as it is installed. The image's tag says nothing of it: they are upgraded separately,
//! and a field that the schema lacks is dropped without a word.

use serde_json::Value;

use crate::cluster::objects::Object;

/// The one version of the API that knows a login by the cluster's own tokens.
const VERSION: &str = "v1";

/// What the custom resource definition of SecretStore or ClusterSecretStore says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreSchema {
    served: Vec<String>,
    v1: Option<Value>,
}

impl StoreSchema {
    /// From a CustomResourceDefinition.
    pub(crate) fn of(definition: &Object) -> Self {
        let versions = definition.0.pointer("/spec/versions").and_then(Value::as_array);
        let mut served = Vec::new();
        let mut v1 = None;
        for version in versions.into_iter().flatten().filter(|version| version["served"] == true) {
            let name = version["name"].as_str().unwrap_or_default();
            served.push(name.to_owned());
            if name == VERSION {
                v1 = version.pointer("/schema/openAPIV3Schema").cloned();
            }
        }
        Self { served, v1 }
    }

    /// The versions that the API server answers for.
    pub(crate) fn served(&self) -> &[String] {
        &self.served
    }

    /// Whether `external-secrets.io/v1` is served.
    pub(crate) fn has_v1(&self) -> bool {
        self.v1.is_some()
    }

    /// Whether a field exists, e.g. `spec.provider.gcpsm.auth`. Steps through lists by itself.
    pub(crate) fn knows(&self, path: &str) -> bool {
        let mut at = self.v1.as_ref();
        for step in path.split('.') {
            at = at.and_then(|schema| member(schema, step));
        }
        at.is_some()
    }

    /// The fields of an object that would be dropped or refused.
    pub(crate) fn unknown_fields(&self, object: &Value) -> Vec<String> {
        let mut unknown = Vec::new();
        if let (Some(schema), Some(spec)) = (&self.v1, object.get("spec")) {
            match member(schema, "spec") {
                Some(schema) => compare("spec", spec, schema, &mut unknown),
                None => unknown.push("spec".into()),
            }
        }
        unknown
    }
}

fn is_open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

fn member<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let schema = schema.get("items").unwrap_or(schema);
    let named = schema.get("properties").and_then(|properties| properties.get(name));
    named
        .or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
        .or_else(|| is_open(schema).then_some(schema))
}

fn compare(path: &str, value: &Value, schema: &Value, unknown: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{path}.{name}");
                match member(schema, name) {
                    Some(schema) => compare(&path, value, schema, unknown),
                    None => unknown.push(path),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                compare(path, item, schema, unknown);
            }
        }
        _ => {}
    }
}
