//! What can be foreseen of the plan's questions to the provider: they are asked at the same time.

use std::collections::BTreeSet;

use super::{foreseen::Looked, members::Shared};
use crate::{
    commands::{
        objects::find_store,
        rights::{asked_for, listed, store_of},
    },
    config::Settings,
    federation::{Naming, Right, Trust, Workload},
};

impl Shared<'_> {
    /// Reads only, and whatever is wrong the plan's own look reports. `settings` are those of the only store, whose stored
    /// credential is looked at as well. Of several stores, what they share is asked: the rights of each are known later.
    pub(super) async fn look_ahead(&self, settings: &Settings, trust: &Trust, now: u64) -> Option<Looked> {
        if self.stores.are_several() {
            self.provider.look_ahead(trust).await;
            return None;
        }
        let asked = async {
            let workload = self.workload_of_only(settings).await;
            self.provider.look_ahead(&trust.clone().of([workload])).await;
        };
        let store = find_store(self.estate, &self.resolved.store);
        let foresee = async { self.foresee(store?, now).await };
        let (foreseen, ()) = futures::join!(foresee, asked);
        foreseen
    }

    async fn workload_of_only(&self, settings: &Settings) -> Workload {
        let account = self.resolved.workload.clone();
        let naming = match self.named == Some(&account) {
            true => Naming::AsSet,
            false => Naming::FromAccount,
        };
        Workload::new(account, naming).granting(self.rights_of_only(settings).await, BTreeSet::new())
    }

    async fn rights_of_only(&self, settings: &Settings) -> BTreeSet<Right> {
        let store = store_of(self.estate, &self.resolved.store);
        let (listed, _) = listed(settings, self.provider);
        let asked_for = asked_for(self.cluster, self.estate, &store, self.provider).await;
        listed.unwrap_or_default().into_iter().chain(asked_for.unwrap_or_default()).collect()
    }
}
