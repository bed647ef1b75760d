//! A credential of a known kind anywhere in the cluster, whatever names it: each kind is in `src/credentials/kinds`.

use std::collections::BTreeSet;

use super::super::{Hit, Identity, Opens, Rule, Scene, Stored, Weight};
use crate::{
    cluster::snapshot::{ConfigMapKey, SecretKey},
    credentials::{Class, Place, Severity, Sighting, Who},
};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL210",
    id: "stray-credential",
    class: None,
    severity: Severity::High,
    summary: "an object of the cluster holds a long-lived credential of a known kind, whatever names it",
    remedy: "Find out what uses it; then revoke it where it was issued. What each kind is, and what replaces it, is under its own code.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    let beside = scene.inventory.namespaces();
    scene.inventory.sightings.distinct().iter().map(|sighting| of_one(sighting, &beside)).collect()
}

fn of_one(sighting: &Sighting, beside: &BTreeSet<String>) -> Hit {
    let identity = match &sighting.who {
        Who::Key(name) | Who::Named(name) => Identity::Named(name.clone()),
        Who::Same(same) => Identity::Equal(vec![same.clone()]),
    };
    let mut stored = Stored::new(identity, sighting.what.clone(), Opens::Unused);
    stored.class = class(sighting, beside);
    stored.more = sighting.more;
    stored.halves.clone_from(&sighting.halves);
    for place in &sighting.places {
        let (namespace, name) = (place.namespace.clone(), place.name.clone());
        let key = place.key().map(str::to_owned);
        match place.kind.as_str() {
            "Secret" if is_of_data(place) => {
                stored.secrets.insert(SecretKey { namespace, name, key });
            }
            "ConfigMap" if is_of_data(place) => {
                stored.config_maps.insert(ConfigMapKey { namespace, name, key });
            }
            _ => {
                stored.objects.insert(format!("{} ({})", place.object(), place.at));
            }
        }
    }
    let place = sighting.places.first().map(Place::object).unwrap_or_default();
    let why = match sighting.places.len() + sighting.more {
        _ if sighting.class == Class::NotSeen => {
            format!("{}: whether it is active is not known", sighting.what)
        }
        0 | 1 => "it was recognised there".to_owned(),
        places => format!("it was recognised there, and in {} more places", places - 1),
    };
    Hit {
        rule: sighting.kind.id,
        weight: Weight::Lies(stored),
        place,
        why,
        remedy: sighting.kind.remedy.to_owned(),
    }
}

/// Whether it is one of the values themselves, not an annotation or a part of a release.
fn is_of_data(place: &Place) -> bool {
    place.at == "data" || place.key().is_some()
}

/// Beside stores and controllers the token of a forge may be what a store logs in with.
fn class(sighting: &Sighting, beside: &BTreeSet<String>) -> Class {
    let is_beside =
        sighting.places.iter().any(|place| place.kind == "Secret" && beside.contains(&place.namespace));
    match (sighting.class, sighting.kind.id) {
        (Class::Platform, "forge-token") if is_beside => Class::Root,
        (class, _) => class,
    }
}
