//! The way back: of what this program made, the store first, then what only the store needed.

use super::plan::{Doing, Have, Planned, for_file};
use crate::{
    cluster::{
        objects::{Object, Resource},
        snapshot::{CLUSTER_SECRET_STORES, ROLE_BINDINGS, ROLES, SECRET_STORES, SERVICE_ACCOUNTS},
    },
    federation::Verb,
};

/// What goes, and what stays because somebody else made it.
pub(crate) fn withdraw(have: &Have<'_>) -> Vec<Planned> {
    let stores = have.store.map(|store| {
        let resource = if store.kind() == "SecretStore" { &SECRET_STORES } else { &CLUSTER_SECRET_STORES };
        (resource, store)
    });
    let others =
        [(&ROLE_BINDINGS, have.role_binding), (&ROLES, have.role), (&SERVICE_ACCOUNTS, have.account)];
    let others = others.into_iter().filter_map(|(resource, object)| Some((resource, object?)));
    stores.into_iter().chain(others).map(|(resource, object)| one(resource, object)).collect()
}

fn one(resource: &'static Resource, object: &Object) -> Planned {
    let manifest = Object(for_file(object));
    let (verb, why, doing) = if object.is_ours() {
        (Verb::Remove, "it was made for this".to_owned(), Doing::Delete(object.clone()))
    } else {
        (Verb::Leave, "somebody else made it".to_owned(), Doing::Nothing)
    };
    Planned { verb, why, resource, manifest, differences: Vec::new(), doing }
}
