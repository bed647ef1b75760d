//! What External Secrets Operator has in this cluster, as values: its controllers, every store, every generator, who
//! uses them, and whose credentials they name. Of a Secret only the public half is kept.

mod accounts;
mod api;
mod beside;
mod container;
mod controller;
mod credential;
mod discover;
mod environment;
mod external_account;
mod file_path;
mod generator;
mod installed;
mod key_text;
mod kinds;
mod lists;
mod manager;
mod mode;
mod mounts;
mod preflight;
mod read;
mod recognise;
mod references;
mod replaced;
mod roles;
mod schema;
mod taken;
mod usage;
mod wanted;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use serde_json::Value;

pub(crate) use self::{
    container::{Container, EnvVar, Source, is_address},
    controller::{Class, Controller, Minting, Version},
    credential::{Credential, Public},
    environment::Variable,
    external_account::TokenSource,
    generator::{Generator, is_local},
    kinds::{
        CLUSTER_SECRET_STORES, EXTERNAL_SECRETS, ROLE_BINDINGS, ROLES, SECRET_STORES, SECRETS,
        SERVICE_ACCOUNTS,
    },
    manager::{GITOPS, Manager, manager},
    mode::Mode,
    mounts::OWN_TOKEN,
    preflight::Preflight,
    references::{Reference, Target, references},
    replaced::Replaced,
    schema::StoreSchema,
    usage::{Usage, Use},
    wanted::token_secrets,
};
use super::{
    facts::{Listed, User},
    objects::{Look, Object, Unseen},
};
use crate::credentials::{Outside, Sightings};

/// Everything of External Secrets Operator in one cluster, without the objects that only use it: what an audit needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) mode: Mode,
    pub(crate) preflight: Preflight,
    /// Whether the API server has its kinds.
    pub(crate) installed: bool,
    pub(crate) controllers: Vec<Controller>,
    /// Pods of the controllers that have other surroundings than their workload says.
    pub(crate) pods: Vec<Controller>,
    pub(crate) stores: Vec<Store>,
    pub(crate) generators: Vec<Generator>,
    /// Objects of kinds that this program does not know.
    pub(crate) unknown_kinds: Vec<Object>,
    pub(crate) usage: Usage,
    /// By namespace and name: those that a provider may use a stored token of.
    pub(crate) accounts: BTreeMap<(String, String), Look<Object>>,
    /// Those that a store, a generator or a controller names.
    pub(crate) credentials: BTreeMap<SecretKey, Look<Credential>>,
    /// What lies in the ConfigMaps that a store or a controller names.
    pub(crate) config_maps: BTreeMap<ConfigMapKey, Look<Credential>>,
    /// Of the Secrets that are named, those that do not exist.
    pub(crate) missing: BTreeSet<(String, String)>,
    /// The keys of Secrets and ConfigMaps that a controller takes as a whole.
    pub(crate) secret_keys_of: BTreeMap<(String, String), Vec<String>>,
    pub(crate) config_map_keys_of: BTreeMap<(String, String), Vec<String>>,
    /// Credentials anywhere in the cluster, whatever names them.
    pub(crate) sightings: Sightings,
    /// Whether the Secrets of the whole cluster were listed.
    secrets_listed: bool,
    /// What their metadata tells of them, where their values were not looked at.
    pub(crate) secrets_outside: Option<Outside>,
    /// Credentials that setup has replaced, as it noted them.
    pub(crate) replaced: Vec<Replaced>,
    pub(crate) unseen: BTreeSet<Unseen>,
    pub(crate) facts: Facts,
    /// There may be more stores than `stores`.
    pub(crate) stores_unseen: bool,
    /// There may be more generators than `generators`.
    pub(crate) generators_unseen: bool,
}

/// How it was looked at. It decides nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// `None`: it is not known who asked.
    pub(crate) user: Option<User>,
    /// Why that is not known.
    pub(crate) user_unknown: Option<String>,
    /// Of the API server.
    pub(crate) version: Option<String>,
    /// Those that were read to their ends.
    pub(crate) lists: Vec<Listed>,
}

/// An inventory with the installed schemas and the users' objects: what is needed to change something.
#[derive(Clone, Debug)]
pub(crate) struct Estate {
    inventory: Inventory,
    pub(crate) cluster_schema: Look<StoreSchema>,
    pub(crate) namespaced_schema: Look<StoreSchema>,
    /// ExternalSecrets and ClusterExternalSecrets.
    pub(crate) external_secrets: Vec<Object>,
    /// PushSecrets and ClusterPushSecrets.
    pub(crate) push_secrets: Vec<Object>,
}

impl Deref for Estate {
    type Target = Inventory;

    fn deref(&self) -> &Inventory {
        &self.inventory
    }
}

/// A SecretStore or ClusterSecretStore.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Store(pub(crate) Object);

/// One value of a Secret, or with no key all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) key: Option<String>,
}

/// One value of a ConfigMap, or with no key all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConfigMapKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) key: Option<String>,
}

impl Estate {
    /// For tests that change what was seen.
    #[cfg(test)]
    pub(crate) fn inventory_mut(&mut self) -> &mut Inventory {
        &mut self.inventory
    }

    /// The installed schema for stores of this kind.
    pub(crate) fn schema(&self, cluster: bool) -> &Look<StoreSchema> {
        if cluster { &self.cluster_schema } else { &self.namespaced_schema }
    }

    /// What reads through this store, or pushes through it.
    pub(crate) fn users<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a Object> {
        self.external_secrets.iter().chain(&self.push_secrets).filter(|user| store.is_used_by(user))
    }
}

impl Inventory {
    pub(crate) fn store(&self, cluster: bool, namespace: &str, name: &str) -> Option<&Store> {
        self.stores.iter().find(|store| {
            store.is_cluster() == cluster
                && store.0.name() == name
                && (cluster || store.0.namespace() == namespace)
        })
    }

    /// How a store is used.
    pub(crate) fn use_of(&self, store: &Store) -> Use {
        self.usage.of_store(&store.0, store.is_cluster())
    }

    /// Where the Secrets lie that this reference of a store means. A ClusterSecretStore that names no namespace
    /// means the one of whatever uses it.
    pub(crate) fn secret_keys(&self, store: &Store, reference: &Reference) -> Vec<SecretKey> {
        let key = |namespace: &str| SecretKey {
            namespace: namespace.to_owned(),
            name: reference.name.clone(),
            key: reference.key.clone(),
        };
        match (store.is_cluster(), &reference.namespace) {
            (false, _) => vec![key(store.0.namespace())],
            (true, Some(namespace)) => vec![key(namespace)],
            (true, None) => self.use_of(store).namespaces.iter().map(|namespace| key(namespace)).collect(),
        }
    }

    /// The Google key that a store names, and where it lies. Where a store names one, it takes effect.
    pub(crate) fn google_key(&self, store: &Store) -> Option<(SecretKey, &Credential)> {
        let references = store.references();
        let secrets = references.iter().filter(|reference| reference.target == Target::Secret);
        secrets.flat_map(|reference| self.secret_keys(store, reference)).find_map(|key| {
            let credential = self.credentials.get(&key)?.seen()?;
            matches!(credential.public, Public::GoogleKey { .. }).then_some((key, credential))
        })
    }
}

impl Store {
    pub(crate) fn is_cluster(&self) -> bool {
        self.0.kind() == "ClusterSecretStore"
    }

    /// The provider's name and what it is told; `None` for a store that names none, or several.
    pub(crate) fn provider(&self) -> Option<(&str, &Value)> {
        let providers = self.0.0.pointer("/spec/provider")?.as_object()?;
        let mut providers = providers.iter().filter(|(_, settings)| !settings.is_null());
        match (providers.next(), providers.next()) {
            (Some((name, settings)), None) => Some((name.as_str(), settings)),
            _ => None,
        }
    }

    /// Every Secret, ConfigMap and ServiceAccount that it names.
    pub(crate) fn references(&self) -> Vec<Reference> {
        self.provider().map(|(name, settings)| references(name, settings)).unwrap_or_default()
    }

    /// Whether the operator reports that it can log in; `None` when it has not reported anything yet.
    pub(crate) fn is_ready(&self) -> Option<bool> {
        self.0.is_ready()
    }

    fn is_used_by(&self, user: &Object) -> bool {
        let namespace = user.namespace();
        store_references(user).any(|reference| {
            let cluster = reference["kind"] == "ClusterSecretStore";
            let labels = reference.get("labelSelector").filter(|labels| !labels.is_null());
            let by_labels = labels.is_some_and(|labels| {
                // What cannot be read may mean every store.
                serde_json::from_value::<usage::Selector>(labels.clone())
                    .map_or(true, |it| it.matches(&self.0))
            });
            (reference["name"] == self.0.name() || by_labels)
                && cluster == self.is_cluster()
                // A ClusterExternalSecret makes its ExternalSecrets in namespaces of its own choice.
                && (cluster || namespace.is_empty() || namespace == self.0.namespace())
        })
    }
}

/// Each `{name, kind}` by which this object names a store.
pub(crate) fn store_references(user: &Object) -> impl Iterator<Item = &Value> {
    let spec = ["/spec/externalSecretSpec", "/spec/pushSecretSpec", "/spec"];
    let spec = spec.iter().find_map(|path| user.0.pointer(path)).unwrap_or(&Value::Null);
    let list = |name: &str| spec.get(name).and_then(Value::as_array).into_iter().flatten();
    let sources =
        list("data").chain(list("dataFrom")).filter_map(|entry| entry.pointer("/sourceRef/storeRef"));
    spec.get("secretStoreRef").into_iter().chain(list("secretStoreRefs")).chain(sources)
}

impl std::fmt::Display for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret {}/{}", self.namespace, self.name)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, " ({key})"))
    }
}

impl ConfigMapKey {
    /// The ConfigMap of that name, where a reference looks the same for both.
    pub(crate) fn like(key: SecretKey) -> Self {
        let SecretKey { namespace, name, key } = key;
        Self { namespace, name, key }
    }
}

impl std::fmt::Display for ConfigMapKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigMap {}/{}", self.namespace, self.name)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, " ({key})"))
    }
}

#[cfg(test)]
pub(crate) mod tests;
