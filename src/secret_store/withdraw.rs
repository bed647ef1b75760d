//! PURE. The way back: of what this program made, the store first, then what only the store needed.
//!
//! A label is not enough to take something away, as everybody can write one: what goes has the form, too, that this
//! program gives it, and nothing else uses it. A store that others made stays, and does not get anything afterwards.

use super::{
    StoreLogin,
    identity::{altered, role_name},
    object::ownership,
    plan::{Doing, Planned, for_file},
};
use crate::cluster::{
    ServiceAccount,
    objects::{Object, Resource},
    snapshot::{
        CLUSTER_SECRET_STORES, Estate, ROLE_BINDINGS, ROLES, SECRET_STORES, SERVICE_ACCOUNTS, Store, Target,
    },
};
use crate::plan::{Action, Desired, Fit, Observed, Obstacle, decide, ownership::Ownership};

/// What is there of everything that a store may have been given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) store: Option<&'a Object>,
    pub(crate) account: Option<&'a Object>,
    pub(crate) role: Option<&'a Object>,
    pub(crate) role_binding: Option<&'a Object>,
    /// Whose tokens the store logs in with.
    pub(crate) workload: &'a ServiceAccount,
    /// What stores say that log in by the trust that is withdrawn.
    pub(crate) withdrawn: &'a [&'a dyn StoreLogin],
    /// What else uses the account, if that is known: see [`other_users`].
    pub(crate) other_users: Option<&'a [String]>,
}

/// What goes, and what stays, with the reason.
pub(crate) fn withdraw(given: Given<'_>) -> Vec<Planned> {
    let store = given.store.map(|store| {
        let resource = if store.kind() == "SecretStore" { &SECRET_STORES } else { &CLUSTER_SECRET_STORES };
        let relies = given.withdrawn.iter().any(|login| relies_on(&Store(store.clone()), *login));
        let kept = (!relies).then(|| "it does not log in by what is withdrawn".to_owned());
        one(resource, store, kept)
    });
    let used = match given.other_users {
        Some([]) => None,
        Some(users) => Some(format!("{} uses the ServiceAccount as well", users.join(", "))),
        None => Some("whether something else uses the ServiceAccount is not known".to_owned()),
    };
    let role = role_name(given.workload);
    let others =
        [(&ROLE_BINDINGS, given.role_binding), (&ROLES, given.role), (&SERVICE_ACCOUNTS, given.account)];
    let others = others.into_iter().filter_map(|(resource, object)| {
        let object = object?;
        let altered = altered(object, &given.workload.name, &role).map(str::to_owned);
        Some(one(resource, object, altered.or_else(|| used.clone())))
    });
    store.into_iter().chain(others).collect()
}

/// `kept`: why it stays although it is marked as ours.
fn one(resource: &'static Resource, object: &Object, kept: Option<String>) -> Planned {
    let observed = Observed::active(ownership(object), Fit::Equal);
    let (why, doing) = match (decide(Desired::Absent { used_by_others: kept.is_some() }, observed), kept) {
        (Ok(Action::Delete), _) => ("it was made for the store".to_owned(), Doing::Delete(object.clone())),
        (Err(Obstacle::Used), Some(kept)) => (kept, Doing::Nothing),
        _ => ("keyless did not make it".to_owned(), Doing::Nothing),
    };
    Planned::new(resource, for_file(object), why, Vec::new(), Some(object.clone()), doing)
}

/// Stores and generators that use this account, except for stores that get nothing afterwards anyway. `None`: some of them
/// could not be listed.
pub(crate) fn other_users(
    estate: &Estate,
    account: &ServiceAccount,
    ends: impl Fn(&Store) -> bool,
) -> Option<Vec<String>> {
    if estate.stores_unseen || estate.generators_unseen {
        return None;
    }
    let is_it = |namespace: &str, name: &str| namespace == account.namespace && name == account.name;
    let stores = estate.stores.iter().filter(|store| uses_account(estate, store, account) && !ends(store));
    let generators = estate.generators.iter().filter(|generator| {
        let references = generator.references().into_iter().filter(|it| it.target == Target::ServiceAccount);
        let mut keys = references.flat_map(|reference| estate.generator_keys(generator, &reference));
        keys.any(|key| is_it(&key.namespace, &key.name))
    });
    let stores = stores.map(|store| store.0.describe());
    Some(stores.chain(generators.map(|generator| generator.0.describe())).collect())
}

/// Whether this program made the ServiceAccount.
pub(crate) fn is_made(account: &Object) -> bool {
    ownership(account) == Ownership::This
}

/// Whether a store names this account to log in with.
pub(crate) fn uses_account(estate: &Estate, store: &Store, account: &ServiceAccount) -> bool {
    let mut references = store.references().into_iter().filter(|it| it.target == Target::ServiceAccount);
    references.any(|reference| {
        // In the namespace of each user, also of one that comes later.
        let is_anywhere =
            store.is_cluster() && reference.namespace.is_none() && reference.name == account.name;
        let keys = estate.secret_keys(store, &reference);
        is_anywhere || keys.iter().any(|key| key.namespace == account.namespace && key.name == account.name)
    })
}

/// Whether a store logs in by this trust, and so does not get anything once it is withdrawn.
pub(crate) fn relies_on(store: &Store, login: &dyn StoreLogin) -> bool {
    store.provider().is_some_and(|(member, spec)| member == login.member() && login.is_used_by(spec))
}

#[cfg(test)]
#[path = "withdraw_tests.rs"]
mod tests;
