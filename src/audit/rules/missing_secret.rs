//! A store or generator that names a Secret that is not there: the credential may be alive elsewhere, and whatever is put
//! into that Secret is used.

use super::{
    super::{Hit, Rule, Scene, Weight, principal::Principal},
    keyless_instead,
};
use crate::cluster::{objects::Look, snapshot::SecretKey};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL224",
    id: "missing-secret",
    class: Some(Class::NotSeen),
    severity: Severity::High,
    summary: "a store or generator names a Secret that does not exist",
    remedy: "Take the reference out; if the credential is still alive, revoke it where it was issued.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.principals.iter().flat_map(|principal| of_principal(scene, principal)).collect()
}

fn of_principal(scene: &Scene<'_>, principal: &Principal<'_>) -> Vec<Hit> {
    let hit = |why| Hit {
        rule: RULE.id,
        weight: Weight::Unknown,
        place: principal.place(),
        why,
        remedy: format!(
            "{}; if the credential is still alive, revoke it where it was issued",
            keyless_instead(principal)
        ),
    };
    let mut hits = Vec::new();
    for reference in principal.named(&principal.login.stored) {
        let (path, name) = (&reference.path, &reference.name);
        let keys = principal.keys(scene.inventory, reference);
        if keys.is_empty() {
            hits.push(hit(format!("{path} names the Secret {name} of whatever namespace uses it, and none does yet: the first one brings a stored credential")));
        }
        let missing =
            |key: &&SecretKey| scene.inventory.credentials.get(key).is_none_or(|look| *look == Look::Absent);
        for key in keys.iter().filter(missing) {
            hits.push(hit(format!("{path} names {key}, which does not exist or is empty: whatever is put there is used, and the credential may still be alive where it was issued")));
        }
    }
    hits
}
