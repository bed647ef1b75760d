//! A credential that setup has replaced and that is not known to be gone: it opens what it opened before.

use std::collections::BTreeSet;

use super::super::{
    Hit, Identity, Opens, Rule, Scene, Stored, Weight,
    principal::{google, stored},
};
use crate::cluster::{
    objects::Look,
    snapshot::{Public, Replaced, SecretKey},
};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL213",
    id: "replaced-credential",
    class: Some(Class::Root),
    severity: Severity::Critical,
    summary: "a credential that setup has replaced is not retired yet",
    remedy: "keyless setup --retire-key; what it cannot retire: revoke it where it was issued, and delete its Secret.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.inventory.replaced.iter().map(|replaced| of_one(scene, replaced)).collect()
}

fn of_one(scene: &Scene<'_>, replaced: &Replaced) -> Hit {
    // By now a Secret may hold something else: of a Google key only what is that very key counts as its place.
    let holds = |key: &&SecretKey| match (scene.inventory.credentials.get(key), &replaced.google_key) {
        (Some(Look::Seen(credential)), Some(id)) => {
            matches!(&credential.public, Public::GoogleKey { private_key_id, .. } if private_key_id == id)
        }
        (Some(Look::Seen(_) | Look::Unseen(_)), None) => true,
        _ => false,
    };
    let places: BTreeSet<_> = replaced.places.iter().filter(holds).cloned().collect();
    let found = stored(scene.inventory, &places, &BTreeSet::new(), Opens::Unused);
    let mut credential = found.unwrap_or_else(|| {
        let identity = Identity::At(format!("{} {}", replaced.noted, replaced.what));
        Stored::new(identity, replaced.what.clone(), Opens::Unused)
    });
    if let Some(id) = &replaced.google_key {
        credential.identity = Identity::Named(google(id));
        credential.what = replaced.what.clone();
    }
    Hit {
        rule: RULE.id,
        weight: Weight::Counted(credential),
        place: replaced.noted.clone(),
        why: "setup noted it as replaced, and not as retired".into(),
        remedy: "keyless setup --retire-key, with the same keyless.yaml; a credential that it cannot retire: revoke it where it was issued, and delete its Secret".into(),
    }
}
