//! A store or generator whose login this program does not know: never taken for keyless.

use std::collections::BTreeMap;

use super::super::{Hit, Rule, Scene, Weight};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL221",
    id: "unknown-login",
    class: Some(Class::NotSeen),
    severity: Severity::High,
    summary: "how a store or generator logs in is not known",
    remedy: "Use a login that is known, or ask for this one to be added.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, why) in &scene.broken {
        reasons.entry(place.clone()).or_default().push(why.clone());
    }
    for principal in &scene.principals {
        let login = &principal.login;
        let temporary = login.is_temporary().then(|| {
            format!(
                "{} holds temporary keys: what renews them could not be determined",
                login.session.join(", ")
            )
        });
        let why: Vec<_> = login.doubts.iter().cloned().chain(temporary).collect();
        if !why.is_empty() {
            reasons.entry(principal.place()).or_default().extend(why);
        }
    }
    let hit = |(place, why): (String, Vec<String>)| Hit {
        rule: RULE.id,
        weight: Weight::Unknown,
        remedy: format!(
            "look at {place}; a login that names a ServiceAccount of the cluster, and nothing beside it, can be judged"
        ),
        place,
        why: why.join("; "),
    };
    reasons.into_iter().map(hit).collect()
}
