//! A store whose login this program cannot tell: never taken for keyless.

use crate::{
    audit::{
        Hit, Rule, Weight,
        login::{Login, login},
    },
    cluster::snapshot::Estate,
};

pub(in crate::audit) const RULE: Rule =
    Rule { id: "unknown-login", summary: "how a store logs in cannot be told", check };

fn check(estate: &Estate) -> Vec<Hit> {
    let unknown = estate.stores.iter().filter_map(|store| {
        let why = match store.provider() {
            None => "it names no provider, or several".to_owned(),
            Some((provider, settings)) => match login(provider, settings) {
                Login::Unknown { why } => why,
                _ => return None,
            },
        };
        Some(Hit {
            rule: RULE.id,
            weight: Weight::Unknown,
            place: store.0.describe(),
            why,
            remedy: "look at the store; a login that names a ServiceAccount of the cluster can be judged"
                .into(),
        })
    });
    unknown.collect()
}
