//! A cloud key in a Secret beside the stores and controllers, whatever names it.

use std::collections::BTreeSet;

use super::super::{Hit, Identity, Opens, Rule, Scene, Stored, Weight, principal::name};
use crate::cluster::snapshot::{Credential, SecretKey};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "stray-credential",
    summary: "a Secret in a namespace of stores or controllers holds a cloud key that none of them names",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.inventory.strays.iter().map(|(key, credential)| of_one(key, credential)).collect()
}

fn of_one(key: &SecretKey, credential: &Credential) -> Hit {
    let what = credential.public.to_string();
    let identity = name(&credential.public).unwrap_or_else(|| Identity::Equal(vec![credential.same.clone()]));
    Hit {
        rule: RULE.id,
        weight: Weight::Counted(Stored {
            identity,
            what,
            secrets: BTreeSet::from([key.clone()]),
            config_maps: BTreeSet::new(),
            opens: Opens::Unused,
        }),
        place: format!("Secret {}/{}", key.namespace, key.name),
        why: "no store, generator or controller names it, and it opens what it opens all the same".into(),
        remedy: format!(
            "find out what uses it; then revoke the credential where it was issued, and kubectl delete secret -n {} {}",
            key.namespace, key.name
        ),
    }
}
