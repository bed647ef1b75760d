//! What is read through a store: the secrets that its identity must be granted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::{
    objects::Object,
    snapshot::{Store, store_references},
};

/// What the users of a store read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// By the provider's names.
    pub(crate) keys: BTreeSet<String>,
    /// What is read out of them, by key.
    pub(crate) properties: BTreeMap<String, BTreeSet<String>>,
    /// Objects that search for secrets: which ones they find is not known from here.
    pub(crate) searches: BTreeSet<String>,
}

/// What these objects read through this store.
pub(crate) fn reads<'a>(users: impl IntoIterator<Item = &'a Object>, store: &Store) -> Reads {
    let mut found = Reads::default();
    for user in users {
        for (_, entry) in entries(user, store) {
            let remote = entry.get("remoteRef").or_else(|| entry.get("extract"));
            match remote.and_then(|remote| remote["key"].as_str()) {
                Some(key) => {
                    found.keys.insert(key.to_owned());
                    let property = remote.and_then(|remote| remote["property"].as_str());
                    if let Some(property) = property.filter(|property| !property.is_empty()) {
                        found.properties.entry(key.to_owned()).or_default().insert(property.to_owned());
                    }
                }
                None if entry.get("find").is_some() => drop(found.searches.insert(user.describe())),
                None => {}
            }
        }
    }
    found
}

/// The entries of an ExternalSecret that read through this store, each with its place: `data[0]`.
pub(super) fn entries<'a>(user: &'a Object, store: &Store) -> Vec<(String, &'a Value)> {
    let spec = user.0.pointer("/spec/externalSecretSpec").or_else(|| user.0.get("spec"));
    let spec = spec.unwrap_or(&Value::Null);
    let default = store_references(user).next().filter(|_| spec.get("secretStoreRef").is_some());
    let mut found = Vec::new();
    for list in ["data", "dataFrom"] {
        for (index, entry) in spec.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
            if uses(entry, default, store) {
                found.push((format!("{list}[{index}]"), entry));
            }
        }
    }
    found
}

/// Whether an entry reads through this store: by its own word, or by that of the whole object.
fn uses(entry: &Value, default: Option<&Value>, store: &Store) -> bool {
    if entry.pointer("/sourceRef/generatorRef").is_some_and(Value::is_object) {
        return false;
    }
    let reference = entry.pointer("/sourceRef/storeRef").or(default);
    reference.is_some_and(|reference| {
        reference["name"] == store.0.name()
            && (reference["kind"] == "ClusterSecretStore") == store.is_cluster()
    })
}
