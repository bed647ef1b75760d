//! Where in the cluster a credential lies, and what uses it: every Secret and ConfigMap, every workload, page by page.
//! Nothing of what is read is kept but names.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

pub(crate) use super::needle::Needle;
use super::{
    Cluster,
    objects::{Items, Object, Resource, Unseen},
};
use crate::error::{Code, Error, Result};

/// A Secret or ConfigMap that holds one of the needles.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Holder {
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) entry: String,
}

/// What was found; of very many the first only.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    pub(crate) all: Vec<T>,
    pub(crate) unseen: BTreeSet<Unseen>,
}

static SECRETS: Resource = Resource::new("", "v1", "secrets", "Secret", true);
static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);
/// What runs pods or gives them pull secrets, and where its pods are described.
static WORKLOADS: [(Resource, &str); 9] = [
    (Resource::new("apps", "v1", "deployments", "Deployment", true), "/spec/template/spec"),
    (Resource::new("apps", "v1", "statefulsets", "StatefulSet", true), "/spec/template/spec"),
    (Resource::new("apps", "v1", "daemonsets", "DaemonSet", true), "/spec/template/spec"),
    (Resource::new("apps", "v1", "replicasets", "ReplicaSet", true), "/spec/template/spec"),
    (Resource::new("", "v1", "replicationcontrollers", "ReplicationController", true), "/spec/template/spec"),
    (Resource::new("batch", "v1", "cronjobs", "CronJob", true), "/spec/jobTemplate/spec/template/spec"),
    (Resource::new("batch", "v1", "jobs", "Job", true), "/spec/template/spec"),
    (Resource::new("", "v1", "pods", "Pod", true), "/spec"),
    (Resource::new("", "v1", "serviceaccounts", "ServiceAccount", true), ""),
];

/// How many lists are read at the same time.
const LISTS_IN_FLIGHT: usize = 4;

/// More names than this help no reader.
const MOST_FOUND: usize = 50;

/// A Secret or ConfigMap, without anything else of it.
#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    metadata: ItemMetadata,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "binaryData")]
    binary: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct ItemMetadata {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

impl Cluster {
    /// Every Secret and ConfigMap that holds one of these.
    pub(crate) async fn holders(&self, needles: &[Needle]) -> Result<Found<Holder>> {
        let mut found = Found::default();
        let read = [(&SECRETS, "Secret"), (&CONFIG_MAPS, "ConfigMap")].map(|(resource, kind)| async move {
            let mut list = HoldersRead { kind, needles, found: Found::default(), broken: false };
            let unseen = self.list(resource, &mut list).await;
            (resource, list, unseen)
        });
        let mut read = stream::iter(read).buffered(LISTS_IN_FLIGHT);
        while let Some((resource, list, unseen)) = read.next().await {
            let unseen = unseen?;
            if list.broken {
                return Err(no_object(resource));
            }
            found.add_all(list.found.all);
            found.unseen.extend(unseen);
        }
        Ok(found)
    }

    /// Everything that runs and mounts or names one of these Secrets and ConfigMaps, or has one of these keys written
    /// into it.
    pub(crate) async fn workloads_with(
        &self,
        holders: &[Holder],
        needles: &[Needle],
    ) -> Result<Found<String>> {
        let mut found = Found::default();
        // Pods are not named beside what makes them.
        let mut makers = BTreeSet::new();
        let read = WORKLOADS.iter().map(|(resource, path)| async move {
            let mut list =
                WorkloadsRead { resource, path, holders, needles, found: Vec::new(), broken: false };
            let unseen = self.list(resource, &mut list).await;
            (resource, list, unseen)
        });
        let mut read = stream::iter(read).buffered(LISTS_IN_FLIGHT);
        while let Some((resource, list, unseen)) = read.next().await {
            let unseen = unseen?;
            if list.broken {
                return Err(no_object(resource));
            }
            for (name, owners, text) in list.found {
                let made = owners.iter().any(|owner| makers.contains(owner));
                makers.insert(name);
                found.add_all((!made).then_some(text));
            }
            found.unseen.extend(unseen);
        }
        Ok(found)
    }

    /// Reads a whole list. What may not be listed is given back; what cannot be read to its end is an error.
    async fn list(&self, resource: &Resource, items: &mut dyn Items) -> Result<Option<Unseen>> {
        match self.each_object(resource, None, "", items).await {
            Ok(()) => Ok(None),
            Err(error) if error.code == Code::ClusterNotFound => Ok(None),
            Err(error) if error.code == Code::ClusterForbidden => {
                let right = resource.right("list", None, None);
                Ok(Some(Unseen { what: resource.name(), right, why: "this right is missing".into() }))
            }
            Err(error) => Err(error),
        }
    }
}

/// Secrets or ConfigMaps that hold one of the needles.
struct HoldersRead<'a> {
    kind: &'static str,
    needles: &'a [Needle],
    found: Found<Holder>,
    broken: bool,
}

impl Items for HoldersRead<'_> {
    fn begin(&mut self) {
        self.found.all.clear();
        self.broken = false;
    }

    fn take(&mut self, json: &[u8]) {
        match serde_json::from_slice::<Item>(json) {
            Ok(item) => self.found.add_all(holders_in(&item, self.kind, self.needles)),
            Err(_) => self.broken = true,
        }
    }
}

/// Workloads that use one of the holders: namespace and name, what made them, and in words.
struct WorkloadsRead<'a> {
    resource: &'a Resource,
    path: &'a str,
    holders: &'a [Holder],
    needles: &'a [Needle],
    found: Vec<(Name, Vec<Name>, String)>,
    broken: bool,
}

type Name = (String, String);

impl Items for WorkloadsRead<'_> {
    fn begin(&mut self) {
        self.found.clear();
        self.broken = false;
    }

    fn take(&mut self, json: &[u8]) {
        let Some(object) = Object::listed(self.resource, json) else {
            self.broken = true;
            return;
        };
        if let Some(uses) = uses(&object, self.path, self.holders, self.needles).filter(|_| !is_over(&object))
        {
            let name = (object.namespace().to_owned(), object.name().to_owned());
            self.found.push((name, owners(&object).collect(), format!("{} {uses}", object.describe())));
        }
    }
}

fn no_object(resource: &Resource) -> Error {
    Error::failed(Code::ClusterAnswer, format!("an item of the list of {} is no object", resource.name()))
        .hint("something in between changes the API server's answers")
}

fn holders_in<'a>(
    item: &'a Item,
    kind: &'static str,
    needles: &'a [Needle],
) -> impl Iterator<Item = Holder> + 'a {
    let encoded = kind == "Secret";
    let plain = item.data.iter().flatten().map(move |entry| (entry, encoded));
    let binary = item.binary.iter().flatten().map(|entry| (entry, true));
    let holds = move |value: &str, encoded: bool| match encoded {
        true => STANDARD.decode(value).is_ok_and(|value| needles.iter().any(|it| it.is_in(&value))),
        false => needles.iter().any(|it| it.is_in(value.as_bytes())),
    };
    plain.chain(binary).filter(move |((_, value), encoded)| holds(value, *encoded)).map(
        move |((entry, _), _)| Holder {
            kind,
            namespace: item.metadata.namespace.clone(),
            name: item.metadata.name.clone(),
            entry: entry.clone(),
        },
    )
}

/// In words, how this workload uses one of the holders.
fn uses(object: &Object, path: &str, holders: &[Holder], needles: &[Needle]) -> Option<String> {
    let spec = object.0.pointer(path)?;
    let near: Vec<_> = holders.iter().filter(|holder| holder.namespace == object.namespace()).collect();
    if let Some(holder) = near.into_iter().find(|holder| names(spec, "", holder)) {
        return Some(format!("uses {} {}/{}", holder.kind, holder.namespace, holder.name));
    }
    writes_out(spec, needles).then(|| "has it written into it".to_owned())
}

/// Members that name a Secret or ConfigMap by their `name`, wherever they are in a pod's description.
const SECRET_MEMBERS: [&str; 5] =
    ["imagePullSecrets", "nodePublishSecretRef", "secret", "secretKeyRef", "secretRef"];
const CONFIG_MAP_MEMBERS: [&str; 3] = ["configMap", "configMapKeyRef", "configMapRef"];

fn names(value: &Value, member: &str, holder: &Holder) -> bool {
    let is_secret = holder.kind == "Secret";
    match value {
        Value::Array(items) => items.iter().any(|item| names(item, member, holder)),
        Value::Object(members) => {
            let known: &[&str] = if is_secret { &SECRET_MEMBERS } else { &CONFIG_MAP_MEMBERS };
            let named = known.contains(&member) && value["name"] == holder.name.as_str();
            let mounted = is_secret && value["secretName"] == holder.name.as_str();
            named || mounted || members.iter().any(|(member, value)| names(value, member, holder))
        }
        _ => false,
    }
}

fn writes_out(value: &Value, needles: &[Needle]) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| writes_out(item, needles)),
        Value::Object(members) => members.values().any(|value| writes_out(value, needles)),
        Value::String(text) => needles.iter().any(|needle| needle.is_written_in(text)),
        _ => false,
    }
}

/// Pods and Jobs that have ended use nothing any more.
fn is_over(object: &Object) -> bool {
    match object.kind() {
        "Pod" => matches!(object.text("/status/phase"), "Succeeded" | "Failed"),
        "Job" => !object.text("/status/completionTime").is_empty(),
        "ReplicaSet" => object.0.pointer("/spec/replicas").is_some_and(|replicas| *replicas == 0),
        _ => false,
    }
}

fn owners(object: &Object) -> impl Iterator<Item = (String, String)> {
    let owners = object.0.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let names = owners.into_iter().flatten().filter_map(|owner| owner["name"].as_str());
    names.map(|name| (object.namespace().to_owned(), name.to_owned()))
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { all: Vec::new(), unseen: BTreeSet::new() }
    }
}

impl<T: Ord> Found<T> {
    fn add_all(&mut self, all: impl IntoIterator<Item = T>) {
        for one in all {
            if self.all.len() < MOST_FOUND && !self.all.contains(&one) {
                self.all.push(one);
            }
        }
    }
}

#[cfg(test)]
#[path = "key_users_tests.rs"]
mod tests;
