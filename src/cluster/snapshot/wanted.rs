//! What the lists name, and must be looked at singly: nothing else is read, of Secrets least of all.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ConfigMapKey, Controller, Credential, Inventory, SecretKey, Source, Target, credential::Holder,
    environment::Variable,
};
use crate::cluster::objects::{Look, Object};

/// Namespace and name.
pub(super) type Name = (String, String);

/// Objects by their names, with the values of them that something names.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) secrets: BTreeMap<Name, BTreeSet<SecretKey>>,
    pub(super) config_maps: BTreeMap<Name, BTreeSet<ConfigMapKey>>,
    pub(super) accounts: BTreeSet<Name>,
}

impl Wanted {
    fn secret(&mut self, key: SecretKey) {
        self.secrets.entry((key.namespace.clone(), key.name.clone())).or_default().insert(key);
    }

    fn config_map(&mut self, key: ConfigMapKey) {
        self.config_maps.entry((key.namespace.clone(), key.name.clone())).or_default().insert(key);
    }

    fn source(&mut self, source: &Source) {
        match source.clone() {
            Source::Secret(key) => self.secret(key),
            Source::ConfigMap(key) => self.config_map(key),
            _ => {}
        }
    }

    fn controller(&mut self, controller: &Controller) {
        let beside = controller.beside.iter().map(|(_, container)| container);
        for container in beside.chain([&controller.container]) {
            // Its other variables are none of this program's business.
            let variables = container.environment.iter();
            for variable in variables.filter(|variable| Variable::of(&variable.name) != Variable::Harmless) {
                self.source(&variable.source);
            }
            container.environment_from.iter().for_each(|from| self.source(&from.source));
            container.well_known().iter().for_each(|found| self.source(&found.source));
        }
        self.source(&controller.file(super::OWN_TOKEN));
    }
}

impl Inventory {
    pub(super) fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        let stores = self.stores.iter().flat_map(|store| {
            let references = store.references().into_iter();
            references.map(|reference| (self.secret_keys(store, &reference), reference))
        });
        let generators = self.generators.iter().flat_map(|generator| {
            let references = generator.references().into_iter();
            references.map(|reference| (self.generator_keys(generator, &reference), reference))
        });
        for (keys, reference) in stores.chain(generators) {
            match reference.target {
                Target::Secret => keys.into_iter().for_each(|key| wanted.secret(key)),
                Target::ServiceAccount if reference.may_fall_back() => {
                    wanted.accounts.extend(keys.into_iter().map(|key| (key.namespace, key.name)));
                }
                Target::ServiceAccount => {}
                // An authority's certificates open nothing.
                Target::ConfigMap if reference.is_authority() => {}
                Target::ConfigMap => {
                    keys.into_iter().for_each(|key| wanted.config_map(ConfigMapKey::like(key)));
                }
            }
        }
        self.controllers.iter().chain(&self.pods).for_each(|controller| wanted.controller(controller));
        for key in self.replaced.iter().flat_map(|replaced| &replaced.places) {
            wanted.secret(key.clone());
        }
        wanted
    }

    /// Every ServiceAccount that a store or a generator names.
    pub(super) fn named_accounts(&self) -> BTreeSet<Name> {
        let stores = self.stores.iter().flat_map(|store| {
            let references = store.references().into_iter();
            references.map(|reference| (self.secret_keys(store, &reference), reference))
        });
        let generators = self.generators.iter().flat_map(|generator| {
            let references = generator.references().into_iter();
            references.map(|reference| (self.generator_keys(generator, &reference), reference))
        });
        let accounts =
            stores.chain(generators).filter(|(_, reference)| reference.target == Target::ServiceAccount);
        accounts.flat_map(|(keys, _)| keys).map(|key| (key.namespace, key.name)).collect()
    }

    /// Tokens that are stored for the ServiceAccounts that were seen, which a provider may prefer to a minted one.
    pub(super) fn wanted_tokens(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for ((namespace, _), account) in &self.accounts {
            let Look::Seen(account) = account else { continue };
            for name in token_secrets(account) {
                let key = Some("token".to_owned());
                wanted.secret(SecretKey { namespace: namespace.clone(), name, key });
            }
        }
        wanted.secrets.retain(|_, keys| keys.iter().any(|key| !self.credentials.contains_key(key)));
        wanted
    }

    /// Takes the public half of what is named in this Secret, and drops the Secret.
    pub(super) fn take_secret(&mut self, keys: &BTreeSet<SecretKey>, secret: &Look<Vec<u8>>) {
        let holder = self.holder(secret, || {
            let named = keys.first().map(|key| format!("Secret {}/{}", key.namespace, key.name));
            named.unwrap_or_default()
        });
        if let (Look::Absent, Some(key)) = (&holder, keys.first()) {
            self.missing.insert((key.namespace.clone(), key.name.clone()));
        }
        for key in keys {
            let found = holder.as_ref().map(|holder| holder.credential(key.key.as_deref()));
            self.credentials.insert(key.clone(), flatten(found));
            if let (None, Look::Seen(holder)) = (&key.key, &holder) {
                // A controller takes each by itself.
                let names = holder.keys();
                for name in &names {
                    let one = SecretKey { key: Some(name.clone()), ..key.clone() };
                    let found = holder.credential(Some(name));
                    self.credentials.entry(one).or_insert(found.map_or(Look::Absent, Look::Seen));
                }
                self.secret_keys_of.insert((key.namespace.clone(), key.name.clone()), names);
            }
        }
    }

    /// The same for a ConfigMap: what lies in one may be a credential all the same.
    pub(super) fn take_config_map(&mut self, keys: &BTreeSet<ConfigMapKey>, config_map: &Look<Vec<u8>>) {
        let holder = self.holder(config_map, || {
            let named = keys.first().map(|key| format!("ConfigMap {}/{}", key.namespace, key.name));
            named.unwrap_or_default()
        });
        for key in keys {
            let found = holder.as_ref().map(|holder| holder.credential(key.key.as_deref()));
            self.config_maps.insert(key.clone(), flatten(found));
            if let (None, Look::Seen(holder)) = (&key.key, &holder) {
                let names = holder.keys();
                for name in &names {
                    let one = ConfigMapKey { key: Some(name.clone()), ..key.clone() };
                    let found = holder.credential(Some(name));
                    self.config_maps.entry(one).or_insert(found.map_or(Look::Absent, Look::Seen));
                }
                self.config_map_keys_of.insert((key.namespace.clone(), key.name.clone()), names);
            }
        }
    }

    pub(super) fn take_account(&mut self, name: Name, account: Look<Object>) {
        if let Look::Unseen(unseen) = &account {
            self.unseen.insert(unseen.clone());
        }
        self.accounts.insert(name, account);
    }

    fn holder<'a>(&mut self, look: &'a Look<Vec<u8>>, what: impl Fn() -> String) -> Look<Holder<'a>> {
        let look = match look {
            Look::Seen(body) => Holder::parse(body).map_or_else(
                || {
                    Look::Unseen(crate::cluster::objects::Unseen {
                        what: what(),
                        right: format!("get {}", what()),
                        why: "it has not the form that its kind has".into(),
                    })
                },
                Look::Seen,
            ),
            Look::Absent => Look::Absent,
            Look::Unseen(unseen) => Look::Unseen(unseen.clone()),
        };
        if let Look::Unseen(unseen) = &look {
            self.unseen.insert(unseen.clone());
        }
        look
    }
}

/// The Secrets that a ServiceAccount lists.
pub(crate) fn token_secrets(account: &Object) -> Vec<String> {
    let listed = account.0["secrets"].as_array().into_iter().flatten();
    listed.filter_map(|secret| Some(secret["name"].as_str()?.to_owned())).collect()
}

fn flatten(found: Look<Option<Credential>>) -> Look<Credential> {
    match found {
        Look::Seen(Some(credential)) => Look::Seen(credential),
        Look::Seen(None) | Look::Absent => Look::Absent,
        Look::Unseen(unseen) => Look::Unseen(unseen),
    }
}
