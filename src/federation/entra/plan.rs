//! PURE. What is, against what is wanted.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    Planned, Settings, Step,
    observe::{Assignment, Credential, Identity},
    obstacle,
    roles::{Given, becomes},
    wanted::{self, CREDENTIAL, mark, ownership},
};
use crate::{
    error::Result,
    federation::{
        Trust, Workload,
        resource::{change, in_turn, leave},
    },
    plan::{
        Action, Desired, FieldChange, Fit, Gate, Observed, Permits, UNCHANGED, USED, decide,
        ownership::Ownership,
    },
};

/// Why one of ours is updated.
const DIFFERS: &str = "it is ours and differs from what is wanted";

/// Identity, federated credential and roles of a workload; `settings` name its identity. One after the other: Azure
/// refuses two writes to one identity at a time.
pub(super) fn plan_workload(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Identity>,
    location: &str,
) -> Result<Vec<Planned>> {
    let wanted = wanted::credential(want.issuer.as_str(), &workload.subject()?);
    let mut changes = vec![plan_identity(settings, want, workload, have, location)?];
    changes.push(plan_credential(settings, want, workload, have, &wanted)?);
    changes.extend(plan_roles(settings, want, workload, have, &wanted)?);
    in_turn(&mut changes.iter_mut().collect::<Vec<_>>(), None);
    Ok(changes)
}

fn plan_identity(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Identity>,
    location: &str,
) -> Result<Planned> {
    let object = identity_object(settings);
    let ownership = have.map(|have| ownership(have.mark.as_deref(), want));
    let seen = ownership.map_or(Observed::Absent, |it| Observed::active(it, Fit::Equal));
    let action = decide(Desired::Present(Permits::OURS), seen)
        .map_err(|obstacle| obstacle::of_identity(settings, want, have, obstacle))?;
    if let Some(have) = have {
        may_be_used(settings, workload, have)?;
    }
    Ok(match action {
        Action::NoOp => leave(&object, UNCHANGED),
        action => {
            let why = format!("{} logs in as it", workload.account);
            let field = FieldChange::new("location", None, Some(json!(location)));
            let act = Step::CreateIdentity { location: location.to_owned(), mark: mark(want) };
            change(action, &object, why, vec![field], act).requires(format!(
                "Microsoft.ManagedIdentity/userAssignedIdentities/write on {}",
                settings.identity_id()
            ))
        }
    })
}

/// Refuses an identity of ours that is not the workload's alone.
fn may_be_used(settings: &Settings, workload: &Workload, have: &Identity) -> Result<()> {
    if have.tenant != settings.tenant {
        return Err(obstacle::of_another_tenant(settings, &have.tenant));
    }
    let others: Vec<_> = have.credentials.iter().filter(|it| it.name != CREDENTIAL).collect();
    if !others.is_empty() {
        return Err(obstacle::lets_in_others(settings, &others));
    }
    let subject = workload.subject()?;
    match own(have) {
        // Entra would refuse the tokens: it regards case. It is corrected.
        Some(one) if !one.subject.eq_ignore_ascii_case(subject.as_str()) => {
            Err(obstacle::of_another(settings, workload))
        }
        _ => Ok(()),
    }
}

fn plan_credential(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Identity>,
    wanted: &Credential,
) -> Result<Planned> {
    let object = credential_object(settings);
    let seen = have.and_then(own);
    // Whose it is, its identity says.
    let observed =
        seen.map_or(Observed::Absent, |it| Observed::active(Ownership::This, Fit::of(it == wanted)));
    let action = decide(Desired::Present(Permits::OURS), observed)
        .map_err(|obstacle| obstacle::of_identity(settings, want, have, obstacle))?;
    let others = have.map(|have| others(want, have)).unwrap_or_default();
    let unseen = have.and_then(|have| have.unseen.as_deref());
    if let (true, Some(why)) = (action != Action::NoOp, unseen) {
        return Err(obstacle::roles_unseen(settings, why));
    }
    if let (true, Some(have)) = (action != Action::NoOp && !others.is_empty(), have) {
        return Err(obstacle::has_other_roles(settings, &have.principal, &others));
    }
    let field = |name: &str, of: fn(&Credential) -> serde_json::Value| {
        FieldChange::new(name, seen.map(of), Some(of(wanted)))
    };
    let fields = vec![
        field("issuer", |it| json!(it.issuer)),
        field("subject", |it| json!(it.subject)),
        field("audiences", |it| json!(it.audiences)),
    ];
    let act = Step::PutCredential { wanted: wanted.clone(), before: have.cloned().map(Box::new) };
    let requires = format!(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write on {}",
        settings.identity_id()
    );
    Ok(match action {
        Action::NoOp if others.is_empty() => leave(&object, UNCHANGED),
        Action::NoOp => leave(
            &object,
            format!("{UNCHANGED}; the identity also has what keyless did not assign: {others}"),
        ),
        Action::Create => {
            let why = format!("tokens of {} become the identity's, for hours at most", workload.account);
            change(action, &object, why, fields, act).requires(requires)
        }
        action => {
            // Tokens of the issuer that is trusted now are refused from then on.
            let moves = seen.is_some_and(|seen| seen.issuer != wanted.issuer);
            let mut change = change(action, &object, DIFFERS, fields, act).requires(requires);
            change.step.gate = moves.then_some(Gate::AfterIssuerSwitch);
            change
        }
    })
}

fn plan_roles(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    have: Option<&Identity>,
    wanted: &Credential,
) -> Result<Vec<Planned>> {
    let assignments = have.map(|have| have.assignments.as_slice()).unwrap_or_default();
    let held = held(workload, have, &want.cluster_id);
    let becomes = becomes(workload, &held)?;
    let requires = |given: &Given, action: &str| {
        format!("Microsoft.Authorization/roleAssignments/{action} on {}", given.scope(settings))
    };
    let mut changes = Vec::new();
    for given in &becomes.wanted {
        let object = role_object(settings, given);
        let seen = assignments.iter().find(|it| it.given.as_ref() == Some(given));
        // One that another assigned fits as it is: the right is there.
        let observed = seen
            .map_or(Observed::Absent, |it| Observed::active(ownership(it.mark.as_deref(), want), Fit::Equal));
        let is_ours = seen.is_some_and(|it| wanted::is_of_cluster(it.mark.as_deref(), &want.cluster_id));
        let action = match (observed, is_ours) {
            // Another user assigned it, or it is for another cluster: nothing is changed about it.
            (Observed::Present { .. }, false) => Action::NoOp,
            (observed, _) => decide(Desired::Present(Permits::OURS), observed)
                .map_err(|obstacle| obstacle::of_identity(settings, want, have, obstacle))?,
        };
        changes.push(match action {
            Action::NoOp if is_ours => leave(&object, UNCHANGED),
            Action::NoOp => leave(&object, USED),
            action => {
                let act = Step::Assign { given: given.clone(), mark: mark(want), wanted: wanted.clone() };
                let field = FieldChange::new("scope", None, Some(json!(given.scope(settings))));
                let why = "exactly what the objects of the cluster ask for, nothing else";
                change(action, &object, why, vec![field], act).requires(requires(given, "write"))
            }
        });
    }
    for given in &becomes.kept {
        let why = "as before; --revoke-unused takes back what no object asks for";
        changes.push(leave(role_object(settings, given), why));
    }
    for given in &becomes.dropped {
        for seen in ours(assignments, &want.cluster_id).filter(|it| it.given.as_ref() == Some(given)) {
            let field = FieldChange::new("scope", Some(json!(given.scope(settings))), None);
            let act = Step::Unassign(seen.clone());
            changes.push(
                change(
                    Action::Delete,
                    role_object(settings, given),
                    "nothing asks for what it gives",
                    vec![field],
                    act,
                )
                .requires(requires(given, "delete")),
            );
        }
    }
    Ok(changes)
}

/// The credential that keyless writes.
pub(super) fn own(have: &Identity) -> Option<&Credential> {
    have.credentials.iter().find(|it| it.name == CREDENTIAL)
}

/// Assignments that keyless made for this cluster.
pub(super) fn ours<'a>(
    assignments: &'a [Assignment],
    cluster_id: &str,
) -> impl Iterator<Item = &'a Assignment> {
    assignments.iter().filter(move |it| wanted::is_of_cluster(it.mark.as_deref(), cluster_id))
}

/// Those of them that the way back of this vault's store takes away.
pub(super) fn ours_here<'a>(have: &'a Identity, cluster_id: &str) -> impl Iterator<Item = &'a Assignment> {
    ours(&have.assignments, cluster_id).filter(|it| it.here)
}

/// Those of them that a store of another vault needs, for people.
pub(super) fn ours_elsewhere(want: &Trust, have: &Identity) -> String {
    let all = ours(&have.assignments, &want.cluster_id).filter(|it| !it.here);
    all.map(|it| it.shown.clone()).collect::<Vec<_>>().join(", ")
}

/// Roles that keyless did not assign, for people.
pub(super) fn others(want: &Trust, have: &Identity) -> String {
    let is_other = |it: &&Assignment| !wanted::is_of_cluster(it.mark.as_deref(), &want.cluster_id);
    let all: Vec<_> = have.assignments.iter().filter(is_other).map(|it| it.shown.clone()).collect();
    all.join(", ")
}

/// What the workload was given before. By an identity that may let in others, it was given nothing.
pub(super) fn held(workload: &Workload, have: Option<&Identity>, cluster_id: &str) -> BTreeSet<Given> {
    let have = have.filter(|have| wanted::is_of_cluster(have.mark.as_deref(), cluster_id));
    let have = have.filter(|have| wanted::lets_in_only(&have.credentials, workload));
    let all = have.map(|have| have.assignments.as_slice()).unwrap_or_default();
    ours(all, cluster_id).filter_map(|it| it.given.clone()).collect()
}

pub(super) fn identity_object(settings: &Settings) -> String {
    format!("managed identity {}", settings.identity)
}

pub(super) fn credential_object(settings: &Settings) -> String {
    format!("federated credential {CREDENTIAL} of {}", settings.identity)
}

pub(super) fn role_object(settings: &Settings, given: &Given) -> String {
    format!("role {} for {}", given.shown(), settings.identity)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
