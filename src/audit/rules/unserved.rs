//! Stores and generators of a controller that was not recognised: what it has of its own is not seen.

use std::collections::BTreeMap;

use super::super::{
    Hit, Rule, Scene, Weight,
    principal::{Principal, classes},
};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL223",
    id: "unserved",
    class: Some(Class::NotSeen),
    severity: Severity::High,
    summary: "the controller of a store or generator was not recognised, and its login could not be determined",
    remedy: "Give the controller's workload the label app.kubernetes.io/name: external-secrets, and let the audit list workloads and pods.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    let mut by_class: BTreeMap<&str, Vec<&Principal<'_>>> = BTreeMap::new();
    for principal in scene.principals.iter().filter(|principal| scene.serving(principal).is_empty()) {
        by_class.entry(principal.holder.class()).or_default().push(principal);
    }
    let controllers = &scene.inventory.controllers;
    let hit = |(class, principals): (&str, Vec<&Principal<'_>>)| {
        let first = principals.first().map(|principal| principal.place())?;
        let more = match principals.len() {
            1 => String::new(),
            count => format!(" (and {} more like it)", count - 1),
        };
        let why = match (controllers.is_empty(), class) {
            (true, _) => format!(
                "no controller of External Secrets Operator was recognised in this cluster, and its login could not be determined{more}"
            ),
            (false, "") => format!("no controller that was recognised serves its namespace{more}"),
            (false, class) => format!(
                "it is for a controller of the class `{}`, and those that were recognised have {}{more}",
                class.escape_debug(),
                classes(controllers)
            ),
        };
        Some(Hit {
            rule: RULE.id,
            weight: Weight::Unknown,
            place: first,
            why,
            remedy: "give the controller's workload the label app.kubernetes.io/name: external-secrets, and let the audit list deployments.apps, statefulsets.apps, daemonsets.apps and pods in all namespaces".into(),
        })
    };
    by_class.into_iter().filter_map(hit).collect()
}
