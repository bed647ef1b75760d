//! A file of the type `external_account`: a login by it is keyless if the tokens are that it exchanges. The file lies in a
//! ConfigMap, a Secret, or a volume of the controller's pod, and says itself where its tokens come from.

use std::collections::BTreeSet;

use super::{
    super::{
        Hit, Rule, Scene, Weight,
        login::By,
        principal::{Principal, in_config_map},
        surroundings::Surroundings,
    },
    keyless_instead,
};
use crate::cluster::{
    objects::Look,
    snapshot::{ConfigMapKey, Controller, Credential, Public, Source, TokenSource},
};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL106",
    id: "external-account",
    class: Some(Class::Root),
    severity: Severity::High,
    summary: "something logs in through an external account whose tokens come from something stored, or unknown",
    remedy: "Let the file name a projected token, or let stores log in by a ServiceAccount.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    let of_principals = scene.principals.iter().flat_map(|principal| of_principal(scene, principal));
    let of_controllers = scene.controllers.iter().flat_map(|surroundings| of_controller(scene, surroundings));
    of_principals.chain(of_controllers).collect()
}

fn of_controller(scene: &Scene<'_>, surroundings: &Surroundings<'_>) -> Vec<Hit> {
    let place = surroundings.controller.workload();
    let remedy = format!("let stores name a login by a ServiceAccount, and take the file out of {place}");
    let judged = surroundings.accounts.iter().flat_map(|(holder, source)| {
        let judged = of_source(scene, &[surroundings.controller], source);
        judged.into_iter().map(move |(weight, why)| (weight, format!("{holder}: {why}")))
    });
    judged
        .map(|(weight, why)| Hit { rule: RULE.id, weight, place: place.clone(), why, remedy: remedy.clone() })
        .collect()
}

fn of_principal(scene: &Scene<'_>, principal: &Principal<'_>) -> Vec<Hit> {
    let inventory = scene.inventory;
    let remedy = keyless_instead(principal);
    let hit = |weight, why, remedy: &str| Hit {
        rule: RULE.id,
        weight,
        place: principal.place(),
        why,
        remedy: remedy.to_owned(),
    };
    let mut hits = Vec::new();
    let serving = scene.serving(principal);
    let judge = |holder: String, source: &TokenSource, hits: &mut Vec<Hit>| {
        let judged = of_source(scene, &serving, source).into_iter();
        hits.extend(judged.map(|(weight, why)| hit(weight, format!("{holder}: {why}"), &remedy)));
    };
    if let By::ExternalAccount { path } = &principal.login.by {
        let keys = principal.at(path).flat_map(|reference| principal.keys(inventory, reference));
        let keys: BTreeSet<_> = keys.map(ConfigMapKey::like).collect();
        if keys.is_empty() {
            let why = format!(
                "{path} names a ConfigMap in the namespace of whatever uses it, and nothing does yet"
            );
            hits.push(hit(Weight::Unknown, why, &remedy));
        }
        for key in keys {
            match inventory.config_maps.get(&key) {
                Some(Look::Seen(Credential { public: Public::ExternalAccount { source, .. }, .. })) => {
                    judge(key.to_string(), source, &mut hits);
                }
                Some(Look::Seen(credential)) if credential.public == Public::Opaque => {
                    let why = format!("{key}: it is no external account, and what it is is not known");
                    hits.push(hit(Weight::Unknown, why, &remedy));
                }
                Some(Look::Seen(credential)) => {
                    let remedy = format!(
                        "{remedy}; then kubectl delete configmap -n {} {}, and revoke the credential where it was issued",
                        key.namespace, key.name
                    );
                    let stored = in_config_map(&key, credential, principal.holder.opens());
                    let why = format!("{key}: a credential, readable by everyone who may read ConfigMaps");
                    hits.push(hit(Weight::Counted(stored), why, &remedy));
                }
                // What was refused is named, with the right, among what could not be looked at.
                Some(Look::Unseen(_)) => {}
                Some(Look::Absent) | None => {
                    let why = format!("{key}: it does not exist, or is empty");
                    hits.push(hit(Weight::Unknown, why, &remedy));
                }
            }
        }
    }
    let files =
        principal.named(&principal.login.google).flat_map(|reference| principal.keys(inventory, reference));
    for key in files.collect::<BTreeSet<_>>() {
        if let Some(Look::Seen(Credential { public: Public::ExternalAccount { source, .. }, .. })) =
            inventory.credentials.get(&key)
        {
            judge(key.to_string(), source, &mut hits);
        }
    }
    hits
}

/// Why its tokens are not short-lived, or not known to be; nothing if they are.
fn of_source(scene: &Scene<'_>, controllers: &[&Controller], source: &TokenSource) -> Vec<(Weight, String)> {
    let unknown = |why: String| (Weight::Unknown, why);
    match source {
        TokenSource::Server => Vec::new(),
        TokenSource::Unknown(why) => vec![unknown((*why).to_owned())],
        TokenSource::File(_) | TokenSource::Aws { .. } if controllers.is_empty() => {
            vec![unknown("it means the controller's pod, and no controller was found".into())]
        }
        TokenSource::File(file) => {
            let of_one = |controller: &&Controller| {
                let (at, path) = (controller.workload(), file.escape_debug());
                match controller.file(file) {
                    Source::Token => None,
                    Source::Secret(key) => Some(unknown(format!(
                        "its token, the file {path} of {at}, is what {key} holds, and what renews that could not be determined"
                    ))),
                    _ => Some(unknown(format!(
                        "its token, the file {path} of {at}, comes from no projected token of the pod"
                    ))),
                }
            };
            controllers.iter().filter_map(of_one).collect()
        }
        TokenSource::Aws { metadata } => {
            let pods = scene.controllers.iter().filter(|it| controllers.contains(&it.controller));
            let of_pods: Vec<_> = pods.flat_map(of_environment).collect();
            match (of_pods.is_empty(), metadata) {
                (true, false) => vec![unknown(
                    "its tokens are made of AWS keys, and their origin could not be determined".into(),
                )],
                _ => of_pods,
            }
        }
    }
}

/// What a pod has to make such a token of.
fn of_environment(surroundings: &Surroundings<'_>) -> Vec<(Weight, String)> {
    let at = surroundings.controller.workload();
    let stored = surroundings.stored.iter().map(|(stored, by)| {
        (Weight::Counted(stored.clone()), format!("its tokens are made of what {at} has: {by}"))
    });
    let unknown = surroundings
        .unknown
        .iter()
        .map(|what| (Weight::Unknown, format!("its tokens may be made of what {at} has: {what}")));
    stored.chain(unknown).collect()
}
