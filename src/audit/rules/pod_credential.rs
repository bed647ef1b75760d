//! A store that logs in with whatever the controller's pod has, when what it has is stored.

use std::collections::BTreeSet;

use super::{in_config_map, stored};
use crate::{
    audit::{
        Hit, Identity, Rule, Stored, Weight,
        login::{Login, login},
    },
    cluster::{
        objects::Look,
        snapshot::{Controller, Estate, Public, Source},
    },
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
        if let Login::Ambient { variables } = login(provider, settings) {
            hits.extend(check_pods(estate, &store.0.describe(), variables));
        }
    }
    hits
}

/// What these variables of the controllers' pods hold, for something at `place` that logs in with them.
pub(super) fn check_pods(estate: &Estate, place: &str, variables: &[&str]) -> Vec<Hit> {
    if estate.controllers.is_empty() {
        return vec![Hit {
            rule: RULE.id,
            weight: Weight::Unknown,
            place: place.to_owned(),
            why: "it logs in with whatever the controller's pod has, and no controller was found".into(),
            remedy: "let the audit list deployments.apps in all namespaces, or name a login in the store"
                .into(),
        }];
    }
    estate.controllers.iter().flat_map(|controller| of_pod(estate, controller, place, variables)).collect()
}

fn of_pod(estate: &Estate, controller: &Controller, place: &str, variables: &[&str]) -> Vec<Hit> {
    let at = controller.deployment();
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
    let mut secrets = BTreeSet::new();
    let mut hits = Vec::new();
    let names: Vec<_> = there.iter().map(|variable| variable.name.as_str()).collect();
    let why = format!("it logs in with what {at} has: {}", names.join(", "));
    let mut literal = false;
    for variable in &there {
        match &variable.source {
            Source::Secret(key) => drop(secrets.insert(key.clone())),
            Source::Literal => literal = true,
            // The kubelet renews it.
            Source::Token => {}
            Source::Elsewhere => {
                hits.push(hit(Weight::Unknown, format!("{why} (a file that is not seen)")));
            }
            Source::ConfigMap(key) => match estate.config_maps.get(key) {
                Some(Look::Seen(credential)) => match credential.public {
                    // Judged by where its tokens come from, by a rule of its own.
                    Public::ExternalAccount { .. } => {}
                    Public::Opaque => {
                        hits.push(hit(Weight::Unknown, format!("{why} (in {key}: it cannot be told)")))
                    }
                    _ => hits.push(hit(Weight::Counted(in_config_map(key, credential)), why.clone())),
                },
                Some(Look::Unseen(_)) => {}
                Some(Look::Absent) | None => {
                    hits.push(hit(
                        Weight::Unknown,
                        format!("{why} (in {key}, which does not exist or is empty)"),
                    ));
                }
            },
        }
    }
    hits.extend(stored(estate, &secrets, &BTreeSet::new()).map(|it| hit(Weight::Counted(it), why.clone())));
    // Whatever stands in the clear is one credential together with what else is named.
    if literal && secrets.is_empty() {
        let stored = Stored {
            identity: Identity::At(format!("{at} environment")),
            what: "a credential in the pod's own environment".into(),
            secrets: BTreeSet::new(),
            config_maps: BTreeSet::new(),
        };
        hits.push(hit(Weight::Counted(stored), why));
    }
    for mount in controller.mounts.iter().filter(|mount| mount.is_well_known()) {
        let why = format!(
            "it logs in with what {at} has, and something stored is mounted at {}, where the vendor's library looks",
            mount.path().escape_debug()
        );
        hits.push(hit(Weight::Unknown, why));
    }
    hits
}
