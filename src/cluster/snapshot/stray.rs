//! Cloud keys in Secrets, whatever names them: one Secret is held at a time, and of it only the public half.

use std::collections::{BTreeMap, BTreeSet};

use super::{Credential, Inventory, Replaced, SecretKey, credential::Holder, replaced};
use crate::cluster::objects::{Items, Resource, Unseen, broken_item, name_of};

/// Reads the cloud keys out of a list of Secrets.
pub(super) struct StraysRead<'a> {
    resource: &'a Resource,
    pub(super) found: BTreeMap<SecretKey, Credential>,
    pub(super) unseen: BTreeSet<Unseen>,
}

impl<'a> StraysRead<'a> {
    pub(super) fn new(resource: &'a Resource) -> Self {
        Self { resource, found: BTreeMap::new(), unseen: BTreeSet::new() }
    }
}

impl Items for StraysRead<'_> {
    fn begin(&mut self) {
        *self = Self::new(self.resource);
    }

    fn take(&mut self, json: &[u8]) {
        let Some(holder) = Holder::parse(json) else {
            self.unseen.insert(broken_item(self.resource, name_of(json).as_deref()));
            return;
        };
        let (namespace, name) =
            (holder.metadata.namespace.as_deref().unwrap_or_default(), &holder.metadata.name);
        for (key, credential) in holder.cloud_keys() {
            let place = SecretKey {
                namespace: namespace.to_owned(),
                name: name.clone().into_owned(),
                key: Some(key),
            };
            self.found.insert(place, credential);
        }
    }
}

/// Reads what setup noted out of a list of ConfigMaps.
pub(super) struct NotesRead<'a> {
    resource: &'a Resource,
    pub(super) found: Vec<Replaced>,
    pub(super) unseen: BTreeSet<Unseen>,
}

impl<'a> NotesRead<'a> {
    pub(super) fn new(resource: &'a Resource) -> Self {
        Self { resource, found: Vec::new(), unseen: BTreeSet::new() }
    }
}

impl Items for NotesRead<'_> {
    fn begin(&mut self) {
        *self = Self::new(self.resource);
    }

    fn take(&mut self, json: &[u8]) {
        match Replaced::of_config_map(json) {
            Some(found) => self.found.extend(found),
            None => drop(self.unseen.insert(broken_item(self.resource, name_of(json).as_deref()))),
        }
    }
}

impl Inventory {
    /// The namespaces whose Secrets are looked through: where the controllers, stores and generators are, where they
    /// name a Secret, and this program's own.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        let controllers =
            self.controllers.iter().chain(&self.pods).map(|controller| controller.namespace.clone());
        let stores = self.stores.iter().map(|store| store.0.namespace().to_owned());
        let generators = self.generators.iter().map(|generator| generator.0.namespace().to_owned());
        let named = self.credentials.keys().map(|key| key.namespace.clone());
        let noted =
            self.replaced.iter().flat_map(|replaced| &replaced.places).map(|key| key.namespace.clone());
        let own = [replaced::NAMESPACE.to_owned()];
        let all = controllers.chain(stores).chain(generators).chain(named).chain(noted).chain(own);
        all.filter(|namespace| !namespace.is_empty()).collect()
    }
}
