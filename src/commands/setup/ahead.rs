//! What can be foreseen of the plan's questions to the provider: they are asked at the same time.

use std::collections::BTreeSet;

use super::{foreseen::Looked, members::Shared};
use crate::{
    commands::{
        objects::find_store,
        rights::{asked_for, listed, store_of},
    },
    config::Settings,
    federation::{Right, is_stored_key},
};

impl Shared<'_> {
    /// Reads only, and whatever is wrong the plan's own look reports. `settings` are those of the only store, whose stored
    /// credential is looked at as well. Of several stores, what they share is asked: the rights of each are known later.
    pub(super) async fn look_ahead(&self, settings: &Settings, now: u64) -> Option<Looked> {
        let rights = match self.stores.are_several() {
            true => BTreeSet::new(),
            false => self.rights_of_only(settings).await,
        };
        let stores = self.stores.named.as_deref().unwrap_or(std::slice::from_ref(&self.resolved.store));
        let mut present = stores.iter().filter_map(|name| find_store(self.estate, name));
        let ends = present.find(|store| is_stored_key(self.estate, store));
        let only = ends.filter(|_| !self.stores.are_several());
        let foresee = async { self.foresee(only?, now).await };
        let (foreseen, ()) = futures::join!(foresee, self.provider.look_ahead(&rights));
        foreseen
    }

    async fn rights_of_only(&self, settings: &Settings) -> BTreeSet<Right> {
        let store = store_of(self.estate, &self.resolved.store);
        let (listed, _) = listed(settings, self.provider);
        let asked_for = asked_for(self.cluster, self.estate, &store, self.provider).await;
        listed.unwrap_or_default().into_iter().chain(asked_for.unwrap_or_default()).collect()
    }
}
