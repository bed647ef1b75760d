//! Where the objects are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kinds::{CRDS, Kind, Kinds};
use crate::keys::uuid;

/// Which object
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Kind {
    pub(crate) fn key(&self, namespace: &str, name: &str) -> Key {
        Key {
            group: self.group.clone(),
            plural: self.plural.clone(),
            namespace: if self.namespaced { namespace.to_owned() } else { String::new() },
            name: name.to_owned(),
        }
    }
}

/// All objects, and the count of their changes
pub(crate) struct Objects {
    pub(crate) kinds: Kinds,
    stored: BTreeMap<Key, Value>,
    version: u64,
}

impl Objects {
    /// A cluster with the namespaces that every cluster has
    pub(crate) fn new(now: &str) -> Self {
        let mut objects = Self { kinds: Kinds::built_in(), stored: BTreeMap::new(), version: 100 };
        for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            objects.ensure_namespace(namespace, now);
        }
        objects
    }

    /// A kind that must be there: a test that names another is wrong
    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Kind {
        let found = self.kinds.by_kind(api_version, kind).cloned();
        found.unwrap_or_else(|| panic!("the cluster knows no {kind} in {api_version}; load its CRD first"))
    }

    pub(crate) fn version(&self) -> String {
        self.version.to_string()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        self.stored.get(key)
    }

    /// The objects of a resource; an empty namespace means all
    pub(crate) fn list(&self, kind: &Kind, namespace: &str) -> Vec<(&Key, &Value)> {
        let stored =
            self.stored.iter().filter(|(key, _)| key.group == kind.group && key.plural == kind.plural);
        stored.filter(|(key, _)| namespace.is_empty() || key.namespace == namespace).collect()
    }

    /// The objects of an API group, by resource, namespace and name
    pub(crate) fn of_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Value> {
        let first = Key {
            group: group.to_owned(),
            plural: String::new(),
            namespace: String::new(),
            name: String::new(),
        };
        self.stored.range(first..).take_while(move |(key, _)| key.group == group).map(|(_, object)| object)
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.stored.values().filter(|object| object["kind"] == kind).cloned().collect()
    }

    pub(crate) fn has_namespace(&self, name: &str) -> bool {
        self.kinds.by_kind("v1", "Namespace").is_some_and(|kind| self.get(&kind.key("", name)).is_some())
    }

    /// A namespace, with what its controllers put into it
    pub(crate) fn ensure_namespace(&mut self, name: &str, now: &str) {
        if !self.has_namespace(name) {
            let kind = self.kind("v1", "Namespace");
            let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            super::defaults::before(&kind, &mut namespace);
            super::defaults::after(&kind, &mut namespace);
            self.commit(&kind, &kind.key("", name), namespace, now);
        }
    }

    /// Store an object: what only the server may write into `metadata`, and what follows from it
    pub(crate) fn commit(&mut self, kind: &Kind, key: &Key, mut object: Value, now: &str) -> Value {
        let old = self.stored.get(key).cloned();
        complete(kind, key, old.as_ref(), &mut object, now);
        let unchanged = old.as_ref().is_some_and(|old| {
            object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            object == *old
        });
        if unchanged {
            return object;
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version());
        self.stored.insert(key.clone(), object.clone());
        if (kind.group.as_str(), kind.plural.as_str()) == CRDS {
            self.kinds.define(&object);
        }
        if kind.plural == "namespaces" && old.is_none() {
            self.default_service_account(&key.name, now);
        }
        object
    }

    /// What the ServiceAccount controller does for a new namespace
    fn default_service_account(&mut self, namespace: &str, now: &str) {
        let kind = self.kind("v1", "ServiceAccount");
        let metadata = json!({"name": "default", "namespace": namespace});
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        self.commit(&kind, &kind.key(namespace, "default"), object, now);
    }

    /// Remove an object, and what belongs to it: the objects of a namespace or of a
    /// CustomResourceDefinition
    pub(crate) fn remove(&mut self, kind: &Kind, key: &Key) -> Option<Value> {
        let removed = self.stored.remove(key)?;
        self.version += 1;
        if kind.group.is_empty() && kind.plural == "namespaces" {
            self.stored.retain(|other, _| other.namespace != key.name);
        }
        if (kind.group.as_str(), kind.plural.as_str()) == CRDS {
            self.kinds.undefine(&removed);
            let (group, plural) = (&removed["spec"]["group"], &removed["spec"]["names"]["plural"]);
            self.stored.retain(|other, _| *group != other.group || *plural != other.plural);
        }
        Some(removed)
    }
}

/// What only the server may write
pub(crate) fn complete(kind: &Kind, key: &Key, old: Option<&Value>, object: &mut Value, now: &str) {
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind);
    let changed = old.is_none_or(|old| without_status(old) != without_status(object));
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    metadata.insert("name".into(), json!(key.name));
    if !key.namespace.is_empty() {
        metadata.insert("namespace".into(), json!(key.namespace));
    }
    let before = |name: &str| old.map(|old| old["metadata"][name].clone()).filter(|value| !value.is_null());
    metadata.insert("uid".into(), before("uid").unwrap_or_else(|| json!(uuid())));
    let created = before("creationTimestamp").or_else(|| metadata.get("creationTimestamp").cloned());
    let created = created.filter(|value| !value.is_null()).unwrap_or_else(|| json!(now));
    metadata.insert("creationTimestamp".into(), created);
    if let Some(deleted) = before("deletionTimestamp") {
        metadata.insert("deletionTimestamp".into(), deleted);
    }
    metadata.remove("generation");
    if kind.generation {
        let generation = before("generation").and_then(|value| value.as_u64()).unwrap_or_default();
        metadata.insert("generation".into(), json!(generation + u64::from(changed)));
    }
    for empty in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let nothing = |value: &Value| {
            value.is_null()
                || value.as_object().is_some_and(serde_json::Map::is_empty)
                || value.as_array().is_some_and(Vec::is_empty)
        };
        if metadata.get(empty).is_some_and(nothing) {
            metadata.remove(empty);
        }
    }
}

/// What counts for `generation`
fn without_status(object: &Value) -> Vec<(&String, &Value)> {
    let members = object.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| !["metadata", "status", "apiVersion", "kind"].contains(&name.as_str()))
        .collect()
}
