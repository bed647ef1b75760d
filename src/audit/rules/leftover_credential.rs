//! A credential that a store or generator still names, though another login takes effect, or it is not known which: it
//! is alive, and one edit away.

use super::super::{Hit, Rule, Scene, Stored, Weight, login::By, principal::Principal};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "leftover-credential",
    summary: "a store or generator names a stored credential although another login takes effect",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.principals.iter().flat_map(|principal| of_principal(scene, principal)).collect()
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
