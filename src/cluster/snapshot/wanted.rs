//! What the lists name, and must be looked at singly: nothing else is read, of Secrets least of all.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConfigMapKey, Credential, Estate, SecretKey, Source, Target};
use crate::cluster::objects::{Look, Object};

/// Namespace and name.
pub(super) type Name = (String, String);

/// Objects by their names, with the values of them that somebody names.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) secrets: BTreeMap<Name, BTreeSet<SecretKey>>,
    pub(super) config_maps: BTreeMap<Name, BTreeSet<ConfigMapKey>>,
    pub(super) accounts: BTreeSet<Name>,
}

/// Beginnings of the variables that vendors' libraries log in by. A controller's other variables (its proxy's
/// password) are none of this program's business.
const LOGIN_VARIABLES: [&str; 4] = ["AWS_", "AZURE_", "GOOGLE_", "VOLCENGINE_"];

impl Wanted {
    fn secret(&mut self, key: SecretKey) {
        self.secrets.entry((key.namespace.clone(), key.name.clone())).or_default().insert(key);
    }

    fn config_map(&mut self, key: ConfigMapKey) {
        self.config_maps.entry((key.namespace.clone(), key.name.clone())).or_default().insert(key);
    }
}

impl Estate {
    pub(super) fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for store in &self.stores {
            for reference in store.references() {
                let keys = self.secret_keys(store, &reference);
                match reference.target {
                    Target::Secret => keys.into_iter().for_each(|key| wanted.secret(key)),
                    Target::ServiceAccount => {
                        wanted.accounts.extend(keys.into_iter().map(|key| (key.namespace, key.name)));
                    }
                    // An authority's certificates open nothing.
                    Target::ConfigMap if reference.is_authority() => {}
                    Target::ConfigMap => {
                        keys.into_iter().for_each(|key| wanted.config_map(ConfigMapKey::like(key)));
                    }
                }
            }
        }
        for generator in &self.generators {
            for reference in generator.references().iter().filter(|it| it.target == Target::Secret) {
                self.generator_keys(generator, reference).into_iter().for_each(|key| wanted.secret(key));
            }
        }
        for controller in &self.controllers {
            for variable in &controller.environment {
                if !LOGIN_VARIABLES.iter().any(|beginning| variable.name.starts_with(beginning)) {
                    continue;
                }
                match variable.source.clone() {
                    Source::Secret(key) => wanted.secret(key),
                    Source::ConfigMap(key) => wanted.config_map(key),
                    Source::Literal | Source::Token | Source::Elsewhere => {}
                }
            }
        }
        wanted
    }

    /// Takes the public half of what is named in this Secret, and drops the Secret.
    pub(super) fn take_secret(&mut self, keys: &BTreeSet<SecretKey>, secret: &Look<Object>) {
        self.note_unseen(secret);
        for key in keys {
            self.credentials.insert(key.clone(), credential(secret, key.key.as_deref()));
        }
    }

    /// The same for a ConfigMap: what lies in one may be a credential all the same.
    pub(super) fn take_config_map(&mut self, keys: &BTreeSet<ConfigMapKey>, config_map: &Look<Object>) {
        self.note_unseen(config_map);
        for key in keys {
            self.config_maps.insert(key.clone(), credential(config_map, key.key.as_deref()));
        }
    }

    pub(super) fn take_account(&mut self, name: Name, account: Look<Object>) {
        self.note_unseen(&account);
        self.accounts.insert(name, account);
    }

    fn note_unseen(&mut self, look: &Look<Object>) {
        if let Look::Unseen(unseen) = look {
            self.unseen.insert(unseen.clone());
        }
    }
}

fn credential(holder: &Look<Object>, key: Option<&str>) -> Look<Credential> {
    match holder {
        Look::Seen(holder) => Credential::of(holder, key).map_or(Look::Absent, Look::Seen),
        Look::Absent => Look::Absent,
        Look::Unseen(unseen) => Look::Unseen(unseen.clone()),
    }
}
