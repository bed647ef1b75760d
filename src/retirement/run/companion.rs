//! Other stores that used the credential of this run: while it is disabled, what relies on them is watched as well.

use std::collections::BTreeMap;

use super::Run;
use crate::{
    cluster::{Cluster, objects::Object, snapshot::Store},
    error::Result,
    retirement::{Kept, Sighting, Stage, State, look::users, uses},
    secret_store::StoreName,
};

/// A store that has moved with the one of this run.
#[derive(Clone, Debug)]
pub(crate) struct Companion {
    store: StoreName,
    /// `ClusterSecretStore gcp`.
    name: String,
    /// What was not ready before the credential was disabled, by UID, and when it had last run.
    broken: BTreeMap<String, u64>,
}

impl Companion {
    pub(crate) fn new(store: StoreName, state: &State) -> Self {
        Self { store, name: state.store.to_string(), broken: state.broken.clone() }
    }

    /// What relies on the store and is not ready, with what its controller says. Before the credential is disabled, it is
    /// noted and not blamed on it.
    async fn unready(&mut self, cluster: &Cluster, is_disabled: bool) -> Result<Vec<(String, String)>> {
        let store = &self.store;
        let (present, users) = futures::try_join!(
            cluster.get_object(store.resource(), store.namespace(), store.name()),
            users(cluster, store)
        )?;
        let Some(present) = present.map(Store) else { return Ok(Vec::new()) };
        let users = users.iter().filter(|user| uses(user, &present)).map(Sighting::of);
        let unready: Vec<_> = users.filter(|user| !user.ready && user.has_run()).collect();
        if !is_disabled {
            self.broken = unready.iter().map(|user| (user.uid.clone(), refreshed(user))).collect();
            return Ok(Vec::new());
        }
        let broke = unready.into_iter().filter(|user| self.broken.get(&user.uid) != Some(&refreshed(user)));
        let itself = (present.0.is_ready() != Some(true)).then(|| (self.name.clone(), says(&present.0)));
        Ok(itself.into_iter().chain(broke.map(|user| (user.name, user.says))).collect())
    }
}

fn refreshed(user: &Sighting) -> u64 {
    user.refreshed.unwrap_or_default()
}

fn says(store: &Object) -> String {
    store.condition_text()
}

impl Run<'_> {
    pub(super) async fn look_at_companions(&mut self) -> Result<Vec<(String, String)>> {
        let is_disabled = matches!(self.state.stage, Stage::Disabled { .. } | Stage::Deleting { .. });
        let mut all = Vec::new();
        for companion in &mut self.companions {
            all.extend(companion.unready(self.cluster, is_disabled).await?);
        }
        Ok(all)
    }

    /// Takes over what another run has done with credentials that this one shares with it, so that it is neither done nor
    /// watched again.
    pub(crate) async fn follow(&mut self, leader: &State) -> Result<()> {
        let mut state = self.state.clone();
        let led = |own: &Kept| leader.credentials.iter().find(|kept| kept.is_same(own));
        for kept in &mut state.credentials {
            if let Some(led) = led(kept) {
                kept.ours |= led.ours;
                kept.proved |= led.proved;
            }
        }
        let all_led = state.credentials.iter().all(|kept| led(kept).is_some());
        if let (Stage::Switched { at }, Stage::Disabled { since, until, .. }, true) =
            (&state.stage, &leader.stage, all_led)
        {
            state.stage = Stage::Disabled { at: *at, since: *since, until: *until };
        }
        self.seen.keys = None;
        if state == self.state {
            return Ok(());
        }
        self.record(&state).await?;
        self.state = state;
        Ok(())
    }
}
