//! Everything that logs in, as one list.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    finding::{Identity, Opens, Stored},
    login::{Login, login},
    surroundings::Surroundings,
};
use crate::{
    cluster::{
        objects::{Look, Object},
        snapshot::{
            Class, ConfigMapKey, Controller, Credential, Generator, Inventory, Public, Reference, SecretKey,
            Store, Target, Use, is_local, references,
        },
    },
    credentials::{Halves, Who},
};

/// What the rules look at.
pub(super) struct Scene<'a> {
    pub(super) inventory: &'a Inventory,
    /// Stores and generators.
    pub(super) principals: Vec<Principal<'a>>,
    /// The controllers, and those of their pods that differ from them.
    pub(super) controllers: Vec<Surroundings<'a>>,
    /// Stores and generators that are not as this program knows them, and why.
    pub(super) broken: Vec<(String, String)>,
}

/// A store or a generator, and how it logs in.
pub(super) struct Principal<'a> {
    pub(super) holder: Holder<'a>,
    /// `gcpsm`, `ECRAuthorizationToken`.
    pub(super) kind: &'a str,
    pub(super) login: Login,
    references: Vec<Reference>,
}

#[derive(Clone, Copy)]
pub(super) enum Holder<'a> {
    Store(&'a Store),
    Generator(&'a Generator),
}

/// Members of a store's `spec` beside the provider. None of them logs in.
const STORE_MEMBERS: [&str; 5] = ["conditions", "controller", "provider", "refreshInterval", "retrySettings"];

impl<'a> Scene<'a> {
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        let (mut principals, mut broken) = (Vec::new(), Vec::new());
        for store in &inventory.stores {
            let place = store.0.describe();
            match store.provider() {
                Some((kind, settings)) => {
                    principals.push(Principal::new(Holder::Store(store), kind, settings));
                }
                None => broken.push((place.clone(), "it names no provider, or several".to_owned())),
            }
            let spec = store.0.0.get("spec").and_then(Value::as_object);
            let mut members = spec.into_iter().flatten().map(|(name, _)| name.as_str());
            if let Some(name) = members.find(|name| !STORE_MEMBERS.contains(name)) {
                broken.push((place, format!("spec.{} is unknown to keyless", name.escape_debug())));
            }
        }
        for generator in &inventory.generators {
            match generator.parts() {
                Ok(parts) => {
                    let parts = parts.into_iter().filter(|part| !is_local(part.kind));
                    principals.extend(
                        parts.map(|part| {
                            Principal::new(Holder::Generator(generator), part.kind, part.settings)
                        }),
                    );
                }
                Err(why) => broken.push((generator.0.describe(), why.to_owned())),
            }
        }
        for object in &inventory.unknown_kinds {
            broken.push((
                object.describe(),
                "External Secrets Operator has this kind, and keyless does not know it".to_owned(),
            ));
        }
        let controllers = inventory.controllers.iter().chain(&inventory.pods);
        let controllers = controllers.map(|controller| Surroundings::of(inventory, controller)).collect();
        Self { inventory, principals, controllers, broken }
    }

    /// The controllers that serve this principal.
    pub(super) fn serving(&self, principal: &Principal<'a>) -> Vec<&Controller> {
        let all = self.inventory.controllers.iter().chain(&self.inventory.pods);
        all.filter(|controller| principal.holder.is_served_by(controller)).collect()
    }
}

impl<'a> Holder<'a> {
    pub(super) fn object(self) -> &'a Object {
        match self {
            Self::Store(store) => &store.0,
            Self::Generator(generator) => &generator.0,
        }
    }

    pub(super) fn opens(self) -> Opens {
        match self {
            Self::Store(_) => Opens::Store,
            Self::Generator(_) => Opens::Generator,
        }
    }

    fn is_served_by(self, controller: &Controller) -> bool {
        match self {
            Self::Store(store) => controller.serves(store),
            Self::Generator(generator) => {
                let class = generator.0.text("/spec/controller");
                let namespace = generator.0.namespace();
                controller.serves_class(class)
                    && (namespace.is_empty() || controller.serves_namespace(namespace))
            }
        }
    }

    /// `--controller-class` that it asks for; empty: any.
    pub(super) fn class(self) -> &'a str {
        self.object().text("/spec/controller")
    }
}

impl<'a> Principal<'a> {
    fn new(holder: Holder<'a>, kind: &'a str, settings: &'a Value) -> Self {
        Self { holder, kind, login: login(kind, settings), references: references(kind, settings) }
    }

    /// `ClusterSecretStore gcp`.
    pub(super) fn place(&self) -> String {
        self.holder.object().describe()
    }

    /// How it is used.
    pub(super) fn used(&self, inventory: &Inventory) -> Use {
        match self.holder {
            Holder::Store(store) => inventory.use_of(store),
            Holder::Generator(generator) => inventory.use_of_generator(generator),
        }
    }

    /// How it is used, in words: one that nothing uses opens what it opens all the same.
    pub(super) fn used_in_words(&self, inventory: &Inventory) -> String {
        match (self.used(inventory).count, self.holder) {
            (0, Holder::Store(_)) => {
                "nothing uses this store, but its credential opens the secrets all the same".into()
            }
            (1, Holder::Store(_)) => "1 object reads or writes through it".into(),
            (users, Holder::Store(_)) => format!("{users} objects read or write through it"),
            (0, Holder::Generator(_)) => {
                "nothing uses this generator, but its credential is alive all the same".into()
            }
            (1, Holder::Generator(_)) => "1 object takes values from it".into(),
            (users, Holder::Generator(_)) => format!("{users} objects take values from it"),
        }
    }

    /// The references at these paths.
    pub(super) fn named<'s>(&'s self, paths: &'s [String]) -> impl Iterator<Item = &'s Reference> {
        self.references.iter().filter(|reference| paths.contains(&reference.path))
    }

    pub(super) fn at(&self, path: &str) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(move |reference| reference.path == path)
    }

    /// Where the objects lie that a reference means.
    pub(super) fn keys(&self, inventory: &Inventory, reference: &Reference) -> Vec<SecretKey> {
        match self.holder {
            Holder::Store(store) => inventory.secret_keys(store, reference),
            Holder::Generator(generator) => inventory.generator_keys(generator, reference),
        }
    }

    /// The credentials that these references come to; several where they mean the namespaces of whatever uses them.
    /// What is not there, or holds no secret, is none.
    pub(super) fn credentials(&self, inventory: &Inventory, paths: &[String]) -> Vec<Stored> {
        let is_secret = |reference: &&Reference| reference.target == Target::Secret;
        let keys_of = |paths: &[String]| -> BTreeSet<SecretKey> {
            self.named(paths)
                .filter(is_secret)
                .flat_map(|reference| self.keys(inventory, reference))
                .collect()
        };
        let (keys, beside) = (keys_of(paths), keys_of(&self.login.public));
        // A file of an external account holds no secret, where the provider reads one.
        let may_be_file = keys_of(&self.login.google);
        let namespaces: BTreeSet<_> = keys.iter().map(|key| key.namespace.clone()).collect();
        let is_referent = self.named(paths).filter(is_secret).any(|reference| reference.namespace.is_none())
            && self.holder.object().namespace().is_empty();
        let groups: Vec<(BTreeSet<SecretKey>, BTreeSet<SecretKey>)> = if is_referent {
            // In namespaces of their own these are credentials of their own.
            let within = |keys: &BTreeSet<SecretKey>, namespace: &str| {
                keys.iter().filter(|key| key.namespace == namespace).cloned().collect()
            };
            namespaces
                .iter()
                .map(|namespace| (within(&keys, namespace), within(&beside, namespace)))
                .collect()
        } else {
            vec![(keys, beside)]
        };
        let together = |(keys, beside): &(BTreeSet<SecretKey>, BTreeSet<SecretKey>)| {
            let keys = keys.iter().filter(|key| {
                let is_file =
                    inventory.credentials.get(*key).and_then(Look::seen).is_some_and(|credential| {
                        matches!(credential.public, Public::ExternalAccount { .. })
                    });
                !(is_file && may_be_file.contains(*key))
            });
            stored(inventory, &keys.cloned().collect(), beside, self.holder.opens())
        };
        groups.iter().filter_map(together).collect()
    }
}

/// One credential out of the values that make it up; `None` when none of them is there.
pub(super) fn stored(
    inventory: &Inventory,
    keys: &BTreeSet<SecretKey>,
    beside: &BTreeSet<SecretKey>,
    opens: Opens,
) -> Option<Stored> {
    let looks = |keys: &BTreeSet<SecretKey>| -> Vec<(SecretKey, Look<Credential>)> {
        let unread = |key: &SecretKey| inventory.credentials.get(key).cloned().unwrap_or(Look::Absent);
        keys.iter().map(|key| (key.clone(), unread(key))).collect()
    };
    let found: Vec<_> = looks(keys).into_iter().filter(|(_, look)| *look != Look::Absent).collect();
    if found.is_empty() {
        return None;
    }
    let beside = looks(beside);
    let public = found
        .iter()
        .chain(&beside)
        .filter_map(|(_, look)| Some(&look.seen()?.public))
        .find(|public| !matches!(public, Public::Opaque | Public::ExternalAccount { .. }));
    let identity = public.and_then(name);
    let secrets: BTreeSet<_> = found.iter().map(|(key, _)| key.clone()).collect();
    let values: Option<Vec<_>> = found.iter().map(|(_, look)| Some(look.seen()?.same.clone())).collect();
    let identity = identity.unwrap_or_else(|| match values {
        Some(mut values) => {
            values.sort();
            Identity::Equal(values)
        }
        None => Identity::At(secrets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    });
    let unread = found.iter().any(|(_, look)| matches!(look, Look::Unseen(_)));
    let what = match public {
        Some(public) => public.to_string(),
        None if unread => "a stored credential that could not be read".into(),
        None => Public::Opaque.to_string(),
    };
    let seen = || found.iter().chain(&beside).filter_map(|(_, look)| look.seen());
    let mut halves: Halves = seen().flat_map(|credential| credential.halves.clone()).collect();
    if halves.is_empty() && public.is_some_and(|public| matches!(public, Public::AwsAccessKey { .. })) {
        // The ID and the secret half are values of their own.
        let others = found.iter().filter_map(|(_, look)| look.seen());
        let others = others.filter(|it| !matches!(it.public, Public::AwsAccessKey { .. }));
        halves = others.map(|it| Who::Same(it.same.clone())).collect();
    }
    Some(Stored { secrets, halves, ..Stored::new(identity, what, opens) })
}

/// A credential that lies in a ConfigMap.
pub(super) fn in_config_map(key: &ConfigMapKey, credential: &Credential, opens: Opens) -> Stored {
    let identity = name(&credential.public).unwrap_or_else(|| Identity::Equal(vec![credential.same.clone()]));
    let what = match &credential.public {
        // What it would be elsewhere, it is not here.
        Public::ExternalAccount { .. } => Public::Opaque.to_string(),
        public => public.to_string(),
    };
    let halves = credential.halves.clone();
    Stored { config_maps: BTreeSet::from([key.clone()]), halves, ..Stored::new(identity, what, opens) }
}

/// By its public name, where it has one.
pub(super) fn name(public: &Public) -> Option<Identity> {
    public.id().map(Identity::Named)
}

pub(super) fn google(private_key_id: &str) -> String {
    format!("google:{private_key_id}")
}

/// Why no controller that was seen serves a class.
pub(super) fn classes(controllers: &[Controller]) -> String {
    let classes = controllers.iter().map(|controller| match &controller.class {
        Class::Named(name) => format!("`{}`", name.escape_debug()),
        Class::Unknown => "one that is made of variables".into(),
    });
    let classes: BTreeSet<_> = classes.collect();
    classes.into_iter().collect::<Vec<_>>().join(", ")
}
