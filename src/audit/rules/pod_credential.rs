//! A controller's own pod holds something stored, or something of which that is not known: stores and generators that
//! name no login of their own log in with it, now or later.

use super::super::{Hit, Rule, Scene, Weight, login::By, principal::Principal, surroundings::Surroundings};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL182",
    id: "pod-credential",
    class: Some(Class::Root),
    severity: Severity::Critical,
    summary: "the controller's own surroundings hold a stored credential, or something that is not known",
    remedy: "Let stores name a login by tokens of their own, and take the credential out of the workload of the operator.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.controllers.iter().flat_map(|surroundings| of_controller(scene, surroundings)).collect()
}

fn of_controller(scene: &Scene<'_>, surroundings: &Surroundings<'_>) -> Vec<Hit> {
    let place = surroundings.controller.workload();
    let users = users(scene, surroundings);
    let remedy = format!("let stores and generators name a login by tokens, and take it out of {place}");
    let hit = |weight, why| Hit { rule: RULE.id, weight, place: place.clone(), why, remedy: remedy.clone() };
    let stored = surroundings
        .stored
        .iter()
        .map(|(stored, by)| hit(Weight::Counted(stored.clone()), format!("it has {by}; {users}")));
    let unknown =
        surroundings.unknown.iter().map(|what| hit(Weight::Unknown, format!("it has {what}; {users}")));
    stored.chain(unknown).collect()
}

/// Who logs in with it.
fn users(scene: &Scene<'_>, surroundings: &Surroundings<'_>) -> String {
    let is_user = |principal: &&Principal<'_>| {
        matches!(principal.login.by, By::Pod | By::Own { .. } | By::TokenFile { .. })
            && scene.serving(principal).contains(&surroundings.controller)
    };
    let users: Vec<_> = scene.principals.iter().filter(is_user).map(Principal::place).collect();
    match users.as_slice() {
        [] => "whatever names no login of its own logs in with it, and nothing does now".into(),
        [one] => format!("{one} logs in with what it has"),
        [first, rest @ ..] => format!("{first} and {} more log in with what it has", rest.len()),
    }
}
