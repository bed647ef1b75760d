//! Which names a ServiceAccount has at its provider: one login for each, whichever of its stores a run is about.

use super::{
    resolve::{Resolved, workload_of},
    stores::Stores,
};
use crate::{
    cluster::{ServiceAccount, snapshot::Estate},
    config::Settings,
    error::Result,
    federation::{Federation, Naming, Purpose, Workload},
    http::Http,
    secret_store::{StoreLogin, StoreName, uses_account},
};

/// The ServiceAccount of the store that the settings are about, whether or not the run is about that store. `None`: they
/// are about none.
pub(super) fn account_of_settings(
    stores: &Stores,
    settings: &Settings,
    resolved: &Resolved,
    estate: &Estate,
) -> Option<ServiceAccount> {
    let section = &settings.store;
    if stores.named.is_none() || section.name.is_none() && !stores.are_several() {
        return Some(resolved.workload.clone());
    }
    let name = section.name.clone()?;
    let store = match section.namespace.clone() {
        Some(namespace) => StoreName::Namespaced { namespace, name },
        None => StoreName::Cluster(name),
    };
    workload_of(&stores.settings_of(&store, settings), estate, &store).ok()
}

/// The names in the settings are those of `named`. One that logs in by names of its own already keeps them: it came into
/// the settings later.
pub(super) async fn naming(
    provider: &dyn Federation,
    named: Option<&ServiceAccount>,
    account: &ServiceAccount,
    estate: &Estate,
) -> Result<Naming> {
    if named != Some(account) {
        return Ok(Naming::FromAccount);
    }
    let Some(own) = provider.login_of(&Workload::new(account.clone(), Naming::FromAccount)) else {
        return Ok(Naming::AsSet);
    };
    if !estate.stores.iter().any(|store| uses_account(estate, store, account)) {
        return Ok(Naming::AsSet);
    }
    let (own, set) = (own.store_login().await?, provider.store_login().await?);
    Ok(match is_in_use(own.as_ref(), account, estate) && !is_in_use(set.as_ref(), account, estate) {
        true => Naming::FromAccount,
        false => Naming::AsSet,
    })
}

/// What the store must say where it logs in by names of its own; `None`: by those of the settings. Sends nothing.
pub(super) async fn own_login(
    resolved: &Resolved,
    estate: &Estate,
    http: &Http,
) -> Result<Option<Box<dyn StoreLogin>>> {
    // Who has no credential for the provider has no login of its own there to choose.
    let Ok(provider) = resolved.provider.connect(http, Purpose::Look) else { return Ok(None) };
    let account = &resolved.workload;
    let naming = naming(provider.as_ref(), Some(account), account, estate).await?;
    match provider.login_of(&Workload::new(account.clone(), naming)) {
        Some(own) if naming == Naming::FromAccount => own.store_login().await.map(Some),
        _ => Ok(None),
    }
}

fn is_in_use(login: &dyn StoreLogin, account: &ServiceAccount, estate: &Estate) -> bool {
    estate.stores.iter().any(|store| {
        let spec = store.provider().filter(|(member, _)| *member == login.member());
        spec.is_some_and(|(_, spec)| login.is_login_of(spec)) && uses_account(estate, store, account)
    })
}
