//! What setup noted, and the namespaces beside the stores and controllers.

use std::collections::BTreeSet;

use super::{Inventory, Replaced, replaced};
use crate::cluster::objects::{Items, Resource, Unseen, broken_item, name_of};

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
    /// Looks for credentials in what was read whole.
    pub(super) fn see_stores(&mut self) {
        let stores = self.stores.iter().map(|store| &store.0);
        let generators = self.generators.iter().map(|generator| &generator.0);
        for object in stores.chain(generators).chain(&self.unknown_kinds) {
            // What has not the form of its kind is named elsewhere.
            let _ = self.sightings.take(object.kind(), &object.0);
        }
    }

    /// How many Secrets without anything that is known are outputs of an ExternalSecret: its UID, name and target, and
    /// the owner that the Secret names, say the same.
    pub(crate) fn outputs(&self) -> usize {
        self.usage.count_owned(&self.sightings.owned)
    }

    /// The namespaces of the controllers, stores and generators, those in which they name a Secret, and this program's
    /// own: what lies there lies beside them.
    pub(crate) fn namespaces(&self) -> BTreeSet<String> {
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
