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
    scene.inventory.replaced.iter().flat_map(|replaced| of_one(scene, replaced)).collect()
}

fn of_one(scene: &Scene<'_>, replaced: &Replaced) -> Vec<Hit> {
    // By now a Secret may hold something else: of a Google key only what is that very key counts as its place.
    let holds = |key: &&SecretKey| match (scene.inventory.credentials.get(key), &replaced.google_key) {
        (Some(Look::Seen(credential)), Some(id)) => {
            matches!(&credential.public, Public::GoogleKey { private_key_id, .. } if private_key_id == id)
        }
        (Some(Look::Seen(_) | Look::Unseen(_)), None) => true,
        _ => false,
    };
    let places: BTreeSet<_> = replaced.places.iter().filter(holds).cloned().collect();
    let found_at = |places: &BTreeSet<SecretKey>| {
        let found = stored(scene.inventory, places, &BTreeSet::new(), Opens::Unused);
        found.unwrap_or_else(|| {
            let identity = Identity::At(format!("{} {}", replaced.noted, replaced.what));
            Stored::new(identity, replaced.what.clone(), Opens::Unused)
        })
    };
    let Some(id) = &replaced.google_key else { return vec![hit(replaced, found_at(&places))] };
    // Each place holds a whole key. What calls itself by this ID may be another one.
    let each: Vec<BTreeSet<SecretKey>> = match places.is_empty() {
        true => vec![places],
        false => places.into_iter().map(|place| [place].into()).collect(),
    };
    let named = |places: &BTreeSet<SecretKey>| Stored {
        identity: Identity::Named(google(id)),
        what: replaced.what.clone(),
        ..found_at(places)
    };
    each.iter().map(|places| hit(replaced, named(places))).collect()
}

fn hit(replaced: &Replaced, credential: Stored) -> Hit {
    Hit {
        rule: RULE.id,
        weight: Weight::Counted(credential),
        place: replaced.noted.clone(),
        why: "setup noted it as replaced, and not as retired".into(),
        remedy: "keyless setup --retire-key, with the same keyless.yaml; a credential that it cannot retire: revoke it where it was issued, and delete its Secret".into(),
    }
}
