//! Logins that keyless made for a ServiceAccount, and that no store names any more: a store that is gone or logs in with
//! another account by now, or the second role of an account. What all stores log in by stays.

use std::collections::BTreeSet;

use super::{
    given::{Found, Scene},
    others::{self, Users},
    plan::{Shared, Withdrawal},
};
use crate::{
    cluster::{ServiceAccount, snapshot::SERVICE_ACCOUNTS},
    commands::rights::ever_named,
    error::{Code, Result},
    federation::{Federation, Login, Right, Trust, Workload},
    secret_store::{StoreLogin, StoreName, is_made, relies_on},
    warning::Warning,
};

/// What is withdrawn, provider by provider, then what is removed from the cluster. What is not known to be unused, or to be
/// keyless's, stays and is named.
pub(super) async fn plan<'p>(scene: &Scene<'_, 'p>) -> Result<Found<'p>> {
    let mut found = Found::default();
    let mut accounts: Vec<ServiceAccount> = Vec::new();
    for provider in scene.providers {
        let provider = provider.as_ref();
        let login = provider.store_login().await?;
        let rights = rights(scene, provider, login.as_ref());
        let logins = provider.logins(scene.trust, &rights).await?;
        found.warnings.extend(logins.unseen.iter().map(|why| unseen(provider, why)));
        let mut unused = Vec::new();
        for it in logins.found {
            let account = &it.workload.account;
            if scene.settings.publisher.as_ref() == Some(account) {
                if !scene.settings.publisher_is_decided {
                    let file = scene.settings.file.display();
                    let why =
                        format!("cluster.publisher in {file} does, and --config does not name that file");
                    found.warnings.push(stays(provider, account, &why));
                }
                continue;
            }
            if let Some(why) = &it.stays {
                found.warnings.push(stays(provider, account, why));
                continue;
            }
            let own = match provider.login_of(&it.workload) {
                Some(own) => Some(own.store_login().await?),
                None => None,
            };
            match others::users_of(scene.estate, account, own.as_deref(), login.as_ref()) {
                Users::OfAccount => continue,
                Users::Unknown => {
                    found.warnings.push(stays(
                        provider,
                        account,
                        "not everything that may use it could be looked at",
                    ));
                    continue;
                }
                Users::OfAnotherLogin => {}
                Users::None if is_proved(scene, &it).await? => accounts.push(account.clone()),
                Users::None => {
                    let why =
                        "keyless did not make the ServiceAccount, so another person may have granted it";
                    found.warnings.push(stays(provider, account, why));
                    continue;
                }
            }
            unused.push(it.workload.granting(rights.clone(), BTreeSet::new()));
        }
        if unused.is_empty() {
            continue;
        }
        // Not merged: an account may have two.
        let want = Trust { workloads: unused, ..scene.trust.clone() };
        let parts = provider.withdraw(&want).await?;
        found.withdrawals.push(Withdrawal::new(provider, parts, login, Shared::NotAskedFor));
    }
    found.is_whole = found.warnings.is_empty() && scene.estate.unseen.is_empty();
    for account in &accounts {
        let objects = scene.objects_of(None, account, &[], |_| false).await?;
        found.objects.add(objects);
    }
    Ok(found)
}

/// Whether keyless made it. Where its own mark does not say so, the ServiceAccount has to be keyless's as well: others may
/// have granted theirs something beside it.
async fn is_proved(scene: &Scene<'_, '_>, login: &Login) -> Result<bool> {
    if login.is_marked {
        return Ok(true);
    }
    let Workload { account, .. } = &login.workload;
    let now = scene.cluster.get_object(&SERVICE_ACCOUNTS, Some(&account.namespace), &account.name).await?;
    Ok(now.is_some_and(|object| is_made(&object)))
}

/// What anything may have been granted: where a provider looks follows from it.
fn rights(scene: &Scene<'_, '_>, provider: &dyn Federation, login: &dyn StoreLogin) -> BTreeSet<Right> {
    let stores = scene.estate.stores.iter().filter(|store| relies_on(store, login));
    let of = |name: &StoreName| {
        let settings = scene.stores.settings_of(name, scene.settings);
        ever_named(scene.estate, &settings, name, provider)
    };
    let named = stores.map(StoreName::of).chain([scene.resolved.store.clone()]);
    named.flat_map(|name| of(&name)).collect()
}

fn stays(provider: &dyn Federation, account: &ServiceAccount, why: &str) -> Warning {
    let text = format!(
        "{provider}: the login of {account} stays: no store is known to name it, but {why}; if nothing needs it, remove it by hand"
    );
    Warning::new(Code::TrustLeft, text)
}

fn unseen(provider: &dyn Federation, why: &str) -> Warning {
    let text = format!("{provider}: whether another login is unused is not known: {why}");
    Warning::new(Code::TrustLeft, text)
}
