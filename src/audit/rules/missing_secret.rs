//! A store whose credential is not there: it cannot log in, and the credential may still be alive elsewhere.

use crate::{
    audit::{
        Hit, Rule, Weight,
        login::{Login, login},
    },
    cluster::{
        objects::Look,
        snapshot::{Estate, SecretKey, Target},
    },
};

pub(in crate::audit) const RULE: Rule =
    Rule { id: "missing-secret", summary: "a store logs in with a Secret that does not exist", check };

fn check(estate: &Estate) -> Vec<Hit> {
    let mut hits = Vec::new();
    for store in &estate.stores {
        let Some((provider, settings)) = store.provider() else { continue };
        let Login::Stored { paths } = login(provider, settings) else { continue };
        let hit = |why| Hit {
            rule: RULE.id,
            weight: Weight::Finding,
            place: store.0.describe(),
            why,
            remedy: format!(
                "kubectl delete {} {}, or keyless setup",
                store.0.kind().to_lowercase(),
                named(store.0.namespace(), store.0.name())
            ),
        };
        for reference in
            store.references().iter().filter(|it| it.target == Target::Secret && paths.contains(&it.path))
        {
            let (path, name) = (&reference.path, &reference.name);
            let keys = estate.secret_keys(store, reference);
            if keys.is_empty() {
                hits.push(hit(format!("{path} names the Secret {name} of whatever namespace uses the store, and none does yet: who begins to brings a stored credential")));
            }
            let missing =
                |key: &&SecretKey| estate.credentials.get(key).is_none_or(|look| *look == Look::Absent);
            for key in keys.iter().filter(missing) {
                hits.push(hit(format!("{path} names {key}, which does not exist or is empty; the credential may still be alive at the provider")));
            }
        }
    }
    hits
}

fn named(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("-n {namespace} {name}") }
}
