//! A credential that a store or generator still names, though another login takes effect, or it is not known which: it
//! is alive, and one edit away.

use serde_json::Value;

use super::super::{
    Hit, Rule, Scene, Stored, Weight,
    login::{By, login},
    principal::{Holder, Principal},
};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL212",
    id: "leftover-credential",
    class: Some(Class::Root),
    severity: Severity::Critical,
    summary: "a store or generator names a stored credential although another login takes effect",
    remedy: "Take it out of the object that names it, and revoke it where it was issued.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    let of_all = scene.principals.iter().flat_map(|principal| of_principal(scene, principal));
    of_all.chain(scene.principals.iter().flat_map(of_annotation)).collect()
}

/// What `kubectl apply` remembers of the object: as readable as the object, whatever the object says since.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A credential that the object itself held when it was applied, and does not hold any more.
fn of_annotation(principal: &Principal<'_>) -> Vec<Hit> {
    let object = principal.holder.object();
    let applied = object.annotation(APPLIED).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(applied) = applied else { return Vec::new() };
    let logins: Vec<_> = match principal.holder {
        Holder::Store(_) => {
            let providers = applied.pointer("/spec/provider").and_then(Value::as_object);
            providers.into_iter().flatten().map(|(kind, settings)| login(kind, settings)).collect()
        }
        Holder::Generator(_) => vec![login(principal.kind, &applied["spec"])],
    };
    let paths = logins.into_iter().flat_map(|login| login.headers.into_iter().chain(login.literals));
    let is_still =
        |path: &String| principal.login.headers.contains(path) || principal.login.literals.contains(path);
    let hit = |path: String| Hit {
        rule: RULE.id,
        place: principal.place(),
        why: format!("its annotation {APPLIED} holds {path}, as the object did before"),
        remedy: format!(
            "revoke the credential where it was issued, and take the annotation {APPLIED} off {}",
            principal.place()
        ),
        weight: Weight::Counted(Stored::in_object(
            &principal.place(),
            &format!("{APPLIED} {path}"),
            "a credential in an annotation, readable by everyone who may list its kind",
            principal.holder.opens(),
        )),
    };
    paths.filter(|path| !is_still(path)).map(hit).collect()
}

fn of_principal(scene: &Scene<'_>, principal: &Principal<'_>) -> Vec<Hit> {
    let login = &principal.login;
    let (used, by): (&[String], String) = match &login.by {
        By::Stored { paths } if login.is_temporary() => (paths, paths.join(", ")),
        By::Stored { paths } => (paths, paths.join(", ")),
        By::Literal { path } => (std::slice::from_ref(path), path.clone()),
        By::Tokens { path }
        | By::ExternalAccount { path }
        | By::Platform { path }
        | By::Own { path }
        | By::TokenFile { path, .. } => (&[], path.clone()),
        By::Pod => (&[], "the pod's own login".into()),
        By::Nothing => (&[], "no login".into()),
        By::Unknown => (&[], "a login that is not known".into()),
    };
    let hit = |path: &str, stored: Stored, then: &str| Hit {
        rule: RULE.id,
        place: principal.place(),
        why: format!("{path} is named beside {by}, which takes effect"),
        remedy: format!("take {path} out of {}{then}", principal.place()),
        weight: Weight::Counted(stored),
    };
    let mut hits = Vec::new();
    for path in login.stored.iter().filter(|path| !used.contains(path)) {
        for stored in principal.credentials(scene.inventory, std::slice::from_ref(path)) {
            let secrets = stored
                .secrets
                .iter()
                .map(|secret| format!("kubectl delete secret -n {} {}", secret.namespace, secret.name));
            let then = format!(
                "; if nothing else uses it, revoke the credential where it was issued and {}",
                secrets.collect::<Vec<_>>().join("; ")
            );
            hits.push(hit(path, stored, &then));
        }
    }
    let what = "a credential in the object itself, readable by everyone who may list its kind";
    for path in login.literals.iter().filter(|path| !used.contains(path)) {
        let stored = Stored::in_object(&principal.place(), path, what, principal.holder.opens());
        hits.push(hit(path, stored, ", and revoke the credential where it was issued"));
    }
    hits
}
