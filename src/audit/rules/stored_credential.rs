//! A store or generator that logs in with something stored.

use super::keyless_instead;
use crate::audit::{Hit, Rule, Scene, Stored, Weight, login::By, principal::Principal};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL211",
    id: "stored-credential",
    class: Some(Class::Root),
    severity: Severity::Critical,
    summary: "a store or generator logs in with a credential that is stored and does not expire by itself",
    remedy: "Let the store or generator log in with tokens of a ServiceAccount; the report names the change for each. Then revoke the credential where it was issued.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.principals.iter().flat_map(|principal| of_principal(scene, principal)).collect()
}

fn of_principal(scene: &Scene<'_>, principal: &Principal<'_>) -> Vec<Hit> {
    const INSIDE: &str = "a credential in the object itself, readable by everyone who may list its kind";
    let inside =
        |path: &String| Stored::in_object(&principal.place(), path, INSIDE, principal.holder.opens());
    let hit = |stored, path: &str| Hit {
        rule: RULE.id,
        weight: Weight::Counted(stored),
        place: principal.place(),
        why: format!("{path} takes effect; {}", principal.used_in_words(scene.inventory)),
        remedy: keyless_instead(principal),
    };
    // They go out with every request, whatever else is logged in with.
    let mut hits: Vec<_> = principal.login.headers.iter().map(|path| hit(inside(path), path)).collect();
    match &principal.login.by {
        // Another rule says that temporary keys are not known to be anything.
        By::Stored { .. } if principal.login.is_temporary() => {}
        By::Stored { paths } => {
            let stored = principal.credentials(scene.inventory, paths);
            hits.extend(stored.into_iter().map(|stored| hit(stored, &paths.join(", "))));
        }
        By::Literal { path } => hits.push(hit(inside(path), path)),
        _ => {}
    }
    hits
}
