//! What External Secrets Operator has in this cluster, as values: its installed schema, its controllers, every
//! store, what uses them, and whose credentials they name. Of a Secret only the public half is kept.

mod controller;
mod credential;
mod external_account;
mod generator;
mod manager;
mod pod;
mod read;
mod references;
mod schema;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) use self::{
    controller::{Controller, Minting, Version},
    credential::{Credential, Public, Same},
    external_account::TokenSource,
    generator::Generator,
    manager::{GITOPS, Manager, manager},
    pod::Source,
    read::{
        CLUSTER_SECRET_STORES, EXTERNAL_SECRETS, ROLE_BINDINGS, ROLES, SECRET_STORES, SECRETS,
        SERVICE_ACCOUNTS,
    },
    references::{Reference, Target, references},
    schema::StoreSchema,
};
use super::objects::{Look, Object, Unseen};

/// Everything of External Secrets Operator in one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Estate {
    pub(crate) cluster_schema: Look<StoreSchema>,
    pub(crate) namespaced_schema: Look<StoreSchema>,
    pub(crate) controllers: Vec<Controller>,
    pub(crate) stores: Vec<Store>,
    /// ExternalSecrets and ClusterExternalSecrets.
    pub(crate) external_secrets: Vec<Object>,
    /// PushSecrets and ClusterPushSecrets.
    pub(crate) push_secrets: Vec<Object>,
    pub(crate) generators: Vec<Generator>,
    /// By namespace and name: those that a store names.
    pub(crate) accounts: BTreeMap<(String, String), Look<Object>>,
    /// Those that a store, a generator or a controller names.
    pub(crate) credentials: BTreeMap<SecretKey, Look<Credential>>,
    /// What lies in the ConfigMaps that a store or a controller names.
    pub(crate) config_maps: BTreeMap<ConfigMapKey, Look<Credential>>,
    pub(crate) unseen: BTreeSet<Unseen>,
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

/// The lists that an estate is made of.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    pub(crate) stores: Vec<Object>,
    pub(crate) external_secrets: Vec<Object>,
    pub(crate) push_secrets: Vec<Object>,
    pub(crate) generators: Vec<Object>,
    pub(crate) deployments: Vec<Object>,
}

impl Estate {
    fn new(
        cluster_schema: Look<StoreSchema>,
        namespaced_schema: Look<StoreSchema>,
        lists: Lists,
        unseen: BTreeSet<Unseen>,
    ) -> Self {
        Self {
            cluster_schema,
            namespaced_schema,
            controllers: lists.deployments.iter().filter_map(Controller::of).collect(),
            stores: lists.stores.into_iter().map(Store).collect(),
            external_secrets: lists.external_secrets,
            push_secrets: lists.push_secrets,
            generators: lists.generators.into_iter().map(Generator).collect(),
            accounts: BTreeMap::new(),
            credentials: BTreeMap::new(),
            config_maps: BTreeMap::new(),
            unseen,
        }
    }

    pub(crate) fn store(&self, cluster: bool, namespace: &str, name: &str) -> Option<&Store> {
        self.stores.iter().find(|store| {
            store.is_cluster() == cluster
                && store.0.name() == name
                && (cluster || store.0.namespace() == namespace)
        })
    }

    /// The installed schema for stores of this kind.
    pub(crate) fn schema(&self, cluster: bool) -> &Look<StoreSchema> {
        if cluster { &self.cluster_schema } else { &self.namespaced_schema }
    }

    /// What reads through this store, or pushes through it.
    pub(crate) fn users<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a Object> {
        self.external_secrets.iter().chain(&self.push_secrets).filter(|user| store.is_used_by(user))
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
            (true, None) => {
                let namespaces: BTreeSet<_> = self.users(store).map(Object::namespace).collect();
                namespaces.into_iter().filter(|namespace| !namespace.is_empty()).map(key).collect()
            }
        }
    }

    /// Where the ServiceAccounts are that this reference of a store means.
    pub(crate) fn account_keys(&self, store: &Store, reference: &Reference) -> Vec<(String, String)> {
        self.secret_keys(store, reference).into_iter().map(|key| (key.namespace, key.name)).collect()
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

    /// Every place in which this Google key is stored and that a store or controller names.
    pub(crate) fn places_of_key(&self, private_key_id: &str) -> Vec<&SecretKey> {
        self.credentials
            .iter()
            .filter(|(_, credential)| {
                credential.seen().is_some_and(|credential| {
                    matches!(&credential.public, Public::GoogleKey { private_key_id: id, .. } if id == private_key_id)
                })
            })
            .map(|(key, _)| key)
            .collect()
    }

    /// What else names this Secret value than one store, whether or not it would use it: other stores, generators,
    /// the controllers' own pods. It must stay for them.
    pub(crate) fn others_naming(&self, secret: &SecretKey, but: &Store) -> BTreeSet<String> {
        let is_secret = |reference: &&Reference| reference.target == Target::Secret;
        let stores = self.stores.iter().filter(|store| {
            *store != but
                && store
                    .references()
                    .iter()
                    .filter(is_secret)
                    .any(|reference| self.secret_keys(store, reference).contains(secret))
        });
        let generators = self.generators.iter().filter(|generator| {
            let references = generator.references();
            references
                .iter()
                .filter(is_secret)
                .any(|reference| self.generator_keys(generator, reference).contains(secret))
        });
        let controllers = self.controllers.iter().filter(|controller| {
            let named = Source::Secret(secret.clone());
            // Without its volume the pod would not start again.
            controller.environment.iter().any(|variable| variable.source == named)
                || controller.namespace == secret.namespace
                    && controller.mounts.iter().any(|mount| mount.is_of_secret(&secret.name))
        });
        let stores = stores.map(|store| store.0.describe());
        let generators = generators.map(|generator| generator.0.describe());
        stores.chain(generators).chain(controllers.map(Controller::deployment)).collect()
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

    /// Whether ESO says that it can log in; `None` when it has not said anything yet.
    pub(crate) fn is_ready(&self) -> Option<bool> {
        self.0.is_ready()
    }

    fn is_used_by(&self, user: &Object) -> bool {
        let namespace = user.namespace();
        store_references(user).any(|reference| {
            let cluster = reference["kind"] == "ClusterSecretStore";
            reference["name"] == self.0.name()
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
