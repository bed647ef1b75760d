//! What goes with the stores that a teardown was asked for: their logins, and where no other store needs it, what all of
//! them log in by. The logins of other stores stay.

use std::collections::BTreeSet;

use super::{
    given::{Found, Scene},
    others,
    plan::{Shared, Withdrawal},
};
use crate::{
    cluster::{ServiceAccount, snapshot::Estate},
    commands::{
        naming::{account_of_settings, naming},
        resolve::{self, Resolved},
        rights::ever_named,
        stores::Stores,
    },
    config::Settings,
    error::Result,
    federation::Workload,
    secret_store::StoreName,
};

/// What is withdrawn, provider by provider, then what is removed from the cluster.
pub(super) async fn plan<'p>(scene: &Scene<'_, 'p>) -> Result<Found<'p>> {
    let Scene { estate, stores, settings, resolved, .. } = *scene;
    let identities = identities(stores, settings, resolved, estate)?;
    let named = account_of_settings(stores, settings, resolved, estate);
    let mut found = Found::default();
    for (provider, configured) in scene.providers.iter().zip(resolved.providers()) {
        let provider = provider.as_ref();
        let mut workloads = Vec::new();
        for Identity { store, account, settings } in &identities {
            let rights = ever_named(estate, settings, store, provider);
            let naming = naming(provider, named.as_ref(), account, estate).await?;
            workloads.push(Workload::new(account.clone(), naming).granting(rights, BTreeSet::new()));
        }
        let login = provider.store_login().await?;
        let shared = Shared::of(others::logging_in(stores, estate, login.as_ref()));
        // What is granted to an account that others use is theirs.
        let goes = |workload: &Workload| {
            shared == Shared::Goes || !others::use_account(stores, estate, &workload.account)
        };
        // It keeps the documents of all stores.
        let publisher = scene
            .publisher
            .filter(|(_, through)| shared == Shared::Goes && through == configured.provider().as_str());
        let publisher = publisher.map(|(workload, _)| workload.clone());
        let want = scene.trust.clone().of(workloads.into_iter().filter(goes).chain(publisher));
        let parts = provider.withdraw(&want).await?;
        found.withdrawals.push(Withdrawal::new(provider, parts, login, shared));
    }
    for Identity { store, account, .. } in &identities {
        let ends = |other: &_| others::ends(stores, &found.withdrawals, other);
        let objects = scene.objects_of(Some(store), account, &found.withdrawals, ends).await?;
        found.objects.add(objects);
    }
    Ok(found)
}

/// A store, and what it logs in with.
struct Identity {
    store: StoreName,
    account: ServiceAccount,
    /// As they are for this store.
    settings: Settings,
}

fn identities(
    stores: &Stores,
    settings: &Settings,
    resolved: &Resolved,
    estate: &Estate,
) -> Result<Vec<Identity>> {
    let given = settings;
    let one = |store: &StoreName| {
        let settings = stores.settings_of(store, given);
        let account = resolve::workload_of(&settings, estate, store)?;
        Ok(Identity { store: store.clone(), account, settings })
    };
    match &stores.named {
        Some(named) => named.iter().map(one).collect(),
        None => Ok(vec![Identity {
            store: resolved.store.clone(),
            account: resolved.workload.clone(),
            settings: settings.clone(),
        }]),
    }
}
