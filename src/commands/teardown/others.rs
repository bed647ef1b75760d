//! PURE. Stores that a teardown is not about, and what they go on needing.

use super::plan::Withdrawal;
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

/// Where none of them is taken anything from.
pub(super) fn all_logging_in(estate: &Estate, login: &dyn StoreLogin) -> Vec<String> {
    let all: Vec<_> = estate.stores.iter().filter(|store| relies_on(store, login)).collect();
    match all.as_slice() {
        [] => vec!["perhaps a store that is made later".to_owned()],
        all => all.iter().map(|store| store.0.describe()).collect(),
    }
}

/// Whether something beside the named stores uses this account, as far as it is known.
pub(super) fn use_account(stores: &Stores, estate: &Estate, account: &ServiceAccount) -> bool {
    let users = secret_store::other_users(estate, account, |store| is_named(stores, store));
    users.is_none_or(|users| !users.is_empty())
}

/// Whether any store or generator uses this account, as far as it is known.
pub(super) fn are_using(estate: &Estate, account: &ServiceAccount) -> bool {
    secret_store::other_users(estate, account, |_| false).is_none_or(|users| !users.is_empty())
}

/// Whether a store gets nothing afterwards.
pub(super) fn ends(stores: &Stores, withdrawals: &[Withdrawal<'_>], store: &Store) -> bool {
    let goes = |it: &Withdrawal<'_>| it.used_by.is_empty() || is_named(stores, store);
    withdrawals.iter().any(|it| relies_on(store, it.login.as_ref()) && goes(it))
}

/// Why the public documents stay.
pub(super) fn keep_documents(withdrawals: &[Withdrawal<'_>]) -> Option<String> {
    let used = withdrawals.iter().find(|it| !it.used_by.is_empty())?;
    Some(format!("{} relies on it, and is not named", used.used_by.join(", ")))
}

pub(super) fn is_named(stores: &Stores, store: &Store) -> bool {
    stores.named.iter().flatten().any(|name| *name == StoreName::of(store))
}
