//! What a rule says.

use std::collections::BTreeSet;

use crate::{
    cluster::snapshot::{ConfigMapKey, SecretKey},
    credentials::{Class, Halves, Same, Who},
};

/// One place where a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: &'static str,
    pub(crate) weight: Weight,
    /// `ClusterSecretStore gcp`.
    pub(crate) place: String,
    pub(crate) why: String,
    /// The command, or the change, that removes it, for the object at `place`.
    pub(crate) remedy: String,
}

/// What a hit means for the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// A long-lived credential.
    Counted(Stored),
    /// A credential that was recognised where it lies: what opens something with it is not known from that.
    Lies(Stored),
    /// Something to put right that is no credential.
    Finding,
    /// It is not known what this is: the verdict is incomplete.
    Unknown,
    /// Worth knowing, and no reason for another exit code.
    Note,
}

/// A stored credential: which one, where it lies, and what it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) identity: Identity,
    /// Of what is named by a claim: what tells its secret half from others.
    pub(crate) halves: Halves,
    /// In words that open nothing.
    pub(crate) what: String,
    pub(crate) secrets: BTreeSet<SecretKey>,
    pub(crate) config_maps: BTreeSet<ConfigMapKey>,
    /// Other places: `Deployment shop/api (spec.template.spec.containers.app.env)`.
    pub(crate) objects: BTreeSet<String>,
    /// Places beyond those that are named.
    pub(crate) more: usize,
    pub(crate) class: Class,
    pub(crate) opens: Opens,
}

/// What a credential was met at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Opens {
    Store,
    Generator,
    /// Whatever the controller logs in to with what its pod has.
    Controller,
    /// Nothing that was seen uses it.
    Unused,
}

/// When two credentials are the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    /// By its public name: a key id.
    Named(String),
    /// By its secret half: others call themselves by the same name.
    Claimed { name: String, halves: Halves },
    /// By its value.
    Equal(Vec<Same>),
    /// Not read, or written into the object itself: by its place.
    At(String),
}

impl Stored {
    /// One that opens a secret store, and of which no place is known yet.
    pub(crate) fn new(identity: Identity, what: String, opens: Opens) -> Self {
        Self {
            identity,
            halves: Halves::new(),
            what,
            secrets: BTreeSet::new(),
            config_maps: BTreeSet::new(),
            objects: BTreeSet::new(),
            more: 0,
            class: Class::Root,
            opens,
        }
    }

    /// One that an object itself holds.
    pub(crate) fn in_object(place: &str, path: &str, what: &str, opens: Opens) -> Self {
        Self::new(Identity::At(format!("{place} {path}")), what.to_owned(), opens)
    }

    /// A name by which an exception can mean it: its public id, else the place where it lies. It does not change as
    /// long as the credential stays where it is.
    pub(crate) fn id(&self) -> String {
        match &self.identity {
            Identity::Named(name) => return name.clone(),
            // By the public half, where there is one; else by the place.
            Identity::Claimed { halves, .. } => {
                if let Some(Who::Key(key)) = halves.first() {
                    return key.clone();
                }
            }
            Identity::Equal(_) | Identity::At(_) => {}
        }
        let secret = self.secrets.first().map(|key| {
            let value = key.key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
            format!("secret:{}/{}{value}", key.namespace, key.name)
        });
        let config_map = self.config_maps.first().map(|key| {
            let value = key.key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
            format!("configmap:{}/{}{value}", key.namespace, key.name)
        });
        let place = match &self.identity {
            Identity::At(place) => Some(format!("object:{}", place.replace(' ', "/"))),
            Identity::Named(_) | Identity::Claimed { .. } | Identity::Equal(_) => None,
        };
        let object = self.objects.first().map(|object| format!("object:{}", object.replace(' ', "/")));
        secret.or(config_map).or(place).or(object).unwrap_or_default()
    }
}
