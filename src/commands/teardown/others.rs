//! PURE. Stores that a teardown is not about, and what they go on needing.

use super::plan::{Shared, Withdrawal};
use crate::{
    cluster::{
        ServiceAccount,
        snapshot::{Estate, Store},
    },
    commands::stores::Stores,
    secret_store::{self, StoreLogin, StoreName, relies_on},
};

/// With --store, the stores beside the named ones that log in by this trust. Where some cannot be seen, one of those may.
pub(super) fn logging_in(stores: &Stores, estate: &Estate, login: &dyn StoreLogin) -> Vec<String> {
    if stores.named.is_none() {
        return Vec::new();
    }
    let others = estate.stores.iter().filter(|store| !is_named(stores, store) && relies_on(store, login));
    let unseen = estate.stores_unseen.then(|| "perhaps a store that cannot be seen".to_owned());
    others.map(|store| store.0.describe()).chain(unseen).collect()
}

/// Whether something beside the named stores uses this account, as far as it is known.
pub(super) fn use_account(stores: &Stores, estate: &Estate, account: &ServiceAccount) -> bool {
    let users = secret_store::other_users(estate, account, |store| is_named(stores, store));
    users.is_none_or(|users| !users.is_empty())
}

/// What is known of the users of a login of this account. `own`: what a store says that logs in by that login, where the
/// account may have several; `login`: what one says that logs in by this trust.
pub(super) fn users_of(
    estate: &Estate,
    account: &ServiceAccount,
    own: Option<&dyn StoreLogin>,
    login: &dyn StoreLogin,
) -> Users {
    let are_none = |users: &[String]| users.is_empty();
    let all = secret_store::other_users(estate, account, |_| false);
    // Which namespaces use a store follows from its users: what could not be listed may name the account.
    let all = all.filter(|_| estate.unknown_kinds.is_empty() && estate.unseen.is_empty());
    let Some(all) = all else { return Users::Unknown };
    if are_none(&all) {
        return Users::None;
    }
    let Some(own) = own else { return Users::OfAccount };
    // It is known of a store only that logs in by this trust, by which of its logins.
    let is_apart = |store: &Store| {
        relies_on(store, login) && store.provider().is_some_and(|(_, spec)| !own.is_login_of(spec))
    };
    match secret_store::other_users(estate, account, is_apart).as_deref().is_some_and(are_none) {
        true => Users::OfAnotherLogin,
        false => Users::OfAccount,
    }
}

/// What uses a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Users {
    /// Nothing uses the account.
    None,
    /// Every store that uses the account logs in by another login of it.
    OfAnotherLogin,
    /// Something uses the account, and may use this login.
    OfAccount,
    /// Not every store and generator could be listed, or there are objects of kinds that keyless does not know.
    Unknown,
}

/// Whether a store gets nothing afterwards.
pub(super) fn ends(stores: &Stores, withdrawals: &[Withdrawal<'_>], store: &Store) -> bool {
    let goes = |it: &Withdrawal<'_>| it.shared == Shared::Goes || is_named(stores, store);
    withdrawals.iter().any(|it| relies_on(store, it.login.as_ref()) && goes(it))
}

/// Why the public documents stay.
pub(super) fn keep_documents(withdrawals: &[Withdrawal<'_>]) -> Option<String> {
    withdrawals.iter().find_map(|it| match &it.shared {
        Shared::UsedBy(users) => Some(format!("{} relies on it, and is not named", users.join(", "))),
        Shared::Goes | Shared::NotAskedFor => None,
    })
}

fn is_named(stores: &Stores, store: &Store) -> bool {
    stores.named.iter().flatten().any(|name| *name == StoreName::of(store))
}

#[cfg(test)]
#[path = "others_tests.rs"]
mod tests;
