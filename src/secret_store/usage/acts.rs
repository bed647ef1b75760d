//! What an object does through a store: entry by entry, as the operator goes through them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::selector::{Labels, matches};
use crate::{
    cluster::{objects::Object, snapshot::Store},
    federation::{Find, FindBy, ProviderName, Reading, Right, RightKind},
    pattern::Pattern,
};

/// One thing that is done at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Read {
        key: String,
        reading: Reading,
    },
    /// `property` is empty for all of it.
    Metadata {
        key: String,
        property: String,
    },
    Find(Find),
    /// With metadata of its own, or only if there is nothing yet.
    Push {
        key: String,
        metadata: bool,
        only_new: bool,
    },
    Delete {
        key: String,
    },
}

/// An act, or why it is not known what is done.
pub(super) type Told = (String, Result<Act, String>);

impl Act {
    /// The same, where the operator puts this before every key.
    pub(super) fn below(self, prefix: &str) -> Result<Self, String> {
        if prefix.is_empty() {
            return Ok(self);
        }
        let long = |key: String| format!("{prefix}{key}");
        Ok(match self {
            Self::Read { key, reading } => Self::Read { key: long(key), reading },
            Self::Metadata { key, property } => Self::Metadata { key: long(key), property },
            Self::Push { key, metadata, only_new } => Self::Push { key: long(key), metadata, only_new },
            Self::Delete { key } => Self::Delete { key: long(key) },
            // Some of its searches put it before what they have found, others not.
            Self::Find(_) => {
                return Err(format!(
                    "the store has the prefix `{}`, and what a search reads below that is not known: name each secret in data",
                    prefix.escape_debug()
                ));
            }
        })
    }

    /// The rights that it takes.
    pub(crate) fn rights(&self) -> Vec<Right> {
        let right = |kind, key: &String| Right::new(kind, key.clone());
        match self {
            Self::Read { key, reading } => {
                let mut rights = vec![right(RightKind::Read, key)];
                if reading.or_enabled {
                    rights.push(right(RightKind::Versions, key));
                }
                rights
            }
            Self::Metadata { key, .. } => vec![right(RightKind::Metadata, key)],
            Self::Find(find) => vec![find.right()],
            Self::Push { key, metadata, only_new } => {
                let mut rights = vec![right(RightKind::Push, key)];
                // To see whether there is something, the operator lists versions.
                rights.extend(only_new.then(|| right(RightKind::Versions, key)));
                rights.extend(metadata.then(|| right(RightKind::Update, key)));
                rights
            }
            Self::Delete { key } => vec![right(RightKind::Delete, key)],
        }
    }
}

/// The entries of an ExternalSecret that read through this store, each with its place: `data[0]`.
pub(in crate::secret_store) fn entries<'a>(user: &'a Object, store: &Store) -> Vec<(String, &'a Value)> {
    let spec = spec(user);
    let default = spec.get("secretStoreRef");
    let mut found = Vec::new();
    for list in ["data", "dataFrom"] {
        for (index, entry) in spec.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
            if list == "dataFrom" && is_generated(entry) {
                continue;
            }
            let named = entry.pointer("/sourceRef/storeRef").filter(|named| !named.is_null());
            if named.or(default).is_some_and(|reference| names(reference, store)) {
                found.push((format!("{list}[{index}]"), entry));
            }
        }
    }
    found
}

/// Whether a generator makes the values. The operator looks at a generator last, and in `data` not at all: what names a
/// secret beside it reads that secret.
fn is_generated(entry: &Value) -> bool {
    let has = |path: &str| entry.pointer(path).is_some_and(Value::is_object);
    has("/sourceRef/generatorRef") && !has("/find") && !has("/extract")
}

/// What the object itself says, or has its copies say.
pub(super) fn spec(user: &Object) -> &Value {
    let spec = ["/spec/externalSecretSpec", "/spec/pushSecretSpec", "/spec"];
    spec.iter().find_map(|path| user.0.pointer(path)).unwrap_or(&Value::Null)
}

/// Whether a reference of kind and name means this store. Without a kind it is a SecretStore.
fn names(reference: &Value, store: &Store) -> bool {
    is_kind(reference, store) && reference["name"] == store.0.name()
}

fn is_kind(reference: &Value, store: &Store) -> bool {
    match reference["kind"].as_str().unwrap_or_default() {
        "ClusterSecretStore" => store.is_cluster(),
        "" | "SecretStore" => !store.is_cluster(),
        _ => false,
    }
}

/// What an ExternalSecret, or the copies of a ClusterExternalSecret, read.
pub(super) fn of_external_secret(user: &Object, store: &Store) -> Vec<Told> {
    let provider = ProviderName::of_store(store).map(ProviderName::entry);
    let settings = store.provider().map_or(&Value::Null, |(_, settings)| settings);
    let or_enabled = provider.is_some_and(|provider| provider.takes_enabled_versions(settings));
    let mut told = Vec::new();
    for (place, entry) in entries(user, store) {
        let member = |name: &str| entry.get(name).filter(|value| value.is_object());
        let is_from = place.starts_with("dataFrom");
        // Of several in `dataFrom`, the operator takes the first in this order, and passes the others over.
        if let Some(find) = member("find").filter(|_| is_from) {
            told.push((format!("{place}.find"), search(find)));
        } else if let Some(extract) = member("extract").filter(|_| is_from) {
            told.push((format!("{place}.extract"), read(extract, true, or_enabled)));
        } else if let Some(remote) = member("remoteRef").filter(|_| !is_from) {
            told.push((format!("{place}.remoteRef"), read(remote, false, or_enabled)));
        }
    }
    told
}

fn text(value: &Value, member: &str) -> String {
    value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn read(remote: &Value, is_map: bool, or_enabled: bool) -> Result<Act, String> {
    let key = text(remote, "key");
    if key.is_empty() {
        return Err("it names no key".to_owned());
    }
    let property = text(remote, "property");
    if remote["metadataPolicy"] == "Fetch" {
        return Ok(Act::Metadata { key, property });
    }
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let version = some(text(remote, "version"));
    let or_enabled = or_enabled && version.is_none();
    Ok(Act::Read { key, reading: Reading { version, property: some(property), is_map, or_enabled } })
}

fn search(find: &Value) -> Result<Act, String> {
    let below = text(find, "path");
    if let Some(name) = find.get("name").filter(|name| name.is_object()) {
        let pattern = text(name, "regexp");
        let by = Pattern::parse(&pattern)
            .map(FindBy::Name)
            .map_err(|why| format!("it looks for names like `{}`: {why}", pattern.escape_debug()))?;
        return Ok(Act::Find(Find { below, by }));
    }
    let tags = find.get("tags").and_then(Value::as_object).into_iter().flatten();
    let tags: Option<BTreeMap<String, String>> =
        tags.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    match tags {
        Some(tags) if !tags.is_empty() => Ok(Act::Find(Find { below, by: FindBy::Tags(tags) })),
        Some(_) => Err("it looks for neither names nor tags".to_owned()),
        None => Err("it looks for tags that are no texts".to_owned()),
    }
}

/// What a PushSecret, or the copies of a ClusterPushSecret, write.
pub(super) fn of_push_secret(user: &Object, store: &Store) -> Vec<Told> {
    let spec = spec(user);
    let labels = labels(&store.0);
    let means = |reference: &Value| pushes_to(reference, store, &labels);
    let references = spec.get("secretStoreRefs").and_then(Value::as_array).into_iter().flatten();
    let mut told = Vec::new();
    let mut is_meant = false;
    for (index, reference) in references.enumerate() {
        match means(reference) {
            Ok(meant) => is_meant |= meant,
            Err(why) => told.push((format!("secretStoreRefs[{index}]"), Err(why))),
        }
    }
    if !is_meant {
        return told;
    }
    let deletes = spec["deletionPolicy"] == "Delete";
    let only_new = spec["updatePolicy"] == "IfNotExists";
    for (index, entry) in spec.get("data").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let key = entry.pointer("/match/remoteRef/remoteKey").and_then(Value::as_str).unwrap_or_default();
        let field = format!("data[{index}].match.remoteRef");
        if key.is_empty() {
            told.push((field, Err("it names no key".to_owned())));
            continue;
        }
        let metadata = entry.get("metadata").is_some_and(|metadata| !metadata.is_null());
        let key = key.to_owned();
        told.push((field.clone(), Ok(Act::Push { key: key.clone(), metadata, only_new })));
        if deletes {
            told.push((field, Ok(Act::Delete { key })));
        }
    }
    if spec.get("dataTo").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
        let why = "it writes one secret for each key of a Secret, and which these are is not known: name them in data";
        told.push(("dataTo".to_owned(), Err(why.to_owned())));
    }
    told
}

/// By name, or where there is none by the store's labels.
fn pushes_to(reference: &Value, store: &Store, labels: &Labels) -> Result<bool, String> {
    if !is_kind(reference, store) {
        return Ok(false);
    }
    match (reference["name"].as_str().filter(|name| !name.is_empty()), reference.get("labelSelector")) {
        (Some(name), _) => Ok(name == store.0.name()),
        (None, Some(selector)) if !selector.is_null() => matches(selector, labels),
        (None, _) => Ok(false),
    }
}

fn labels(object: &Object) -> Labels {
    let labels = object.0.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
