//! A store that logs in with whatever the controller's pod has, when what it has is stored.

use std::collections::BTreeSet;

use super::stored;
use crate::{
    audit::{
        Hit, Identity, Rule, Stored, Weight,
        login::{Login, login},
    },
    cluster::snapshot::{Controller, Estate},
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "pod-credential",
    summary: "a store logs in with the controller's own environment, which holds a stored credential",
    check,
};

fn check(estate: &Estate) -> Vec<Hit> {
    let mut hits = Vec::new();
    for store in &estate.stores {
        let Some((provider, settings)) = store.provider() else { continue };
        let Login::Ambient { variables } = login(provider, settings) else { continue };
        let place = store.0.describe();
        if estate.controllers.is_empty() {
            hits.push(Hit {
                rule: RULE.id,
                weight: Weight::Unknown,
                place,
                why: "it logs in with whatever the controller's pod has, and no controller was found".into(),
                remedy: "let the audit list deployments.apps in all namespaces, or name a login in the store"
                    .into(),
            });
            continue;
        }
        for controller in &estate.controllers {
            hits.extend(of_pod(estate, controller, &place, variables));
        }
    }
    hits
}

fn of_pod(estate: &Estate, controller: &Controller, place: &str, variables: &[&str]) -> Vec<Hit> {
    let at = format!("Deployment {}/{}", controller.namespace, controller.name);
    let remedy = format!("name a login by tokens in the store, and take the variable out of {at}");
    let hit =
        |weight, why| Hit { rule: RULE.id, weight, place: place.to_owned(), why, remedy: remedy.clone() };
    if controller.environment_is_open {
        let why = format!(
            "it logs in with what {at} has, which takes variables from objects not looked at (envFrom)"
        );
        return vec![hit(Weight::Unknown, why)];
    }
    let there: Vec<_> = controller
        .environment
        .iter()
        .filter(|variable| variables.contains(&variable.name.as_str()))
        .collect();
    let keys: BTreeSet<_> = there.iter().filter_map(|variable| variable.secret.clone()).collect();
    let names: Vec<_> = there.iter().map(|variable| variable.name.as_str()).collect();
    let why = format!("it logs in with what {at} has: {}", names.join(", "));
    let mut hits: Vec<_> = stored(estate, &keys, &BTreeSet::new())
        .map(|stored| hit(Weight::Counted(stored), why.clone()))
        .into_iter()
        .collect();
    // Files of a projected token are renewed; what another file holds is not seen.
    if there.iter().any(|variable| variable.secret.is_none() && variable.elsewhere) {
        hits.push(hit(Weight::Unknown, format!("{why} (a file that does not come from a Secret)")));
    } else if there.iter().any(|variable| variable.secret.is_none()) {
        let stored = Stored {
            identity: Identity::At(format!("{at} environment")),
            what: "a credential in the pod's own environment".into(),
            secrets: BTreeSet::new(),
        };
        hits.push(hit(Weight::Counted(stored), why));
    }
    hits
}
