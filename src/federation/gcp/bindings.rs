//! PURE. Who is given what, and on what.

use std::collections::BTreeSet;

use super::{
    Binding, Planned, Plans, Settings, Step, documents,
    roles::{self, ACCESSOR, Place, WORKLOAD_USER},
    state::{Holder, Seen, State},
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        Holding, Impossible, Publishes, Right, RightKind, Trust, Workload,
        resource::{leave, step},
    },
    google::needs,
    plan::{Action, Change, Desired, Fit, Observed, Obstacle, Permits, decide, ownership::Ownership},
};

/// Each workload, or the account that it becomes, gets the roles that its own rights take.
pub(super) fn bindings(want: &Trust, settings: &Settings, state: &State) -> Result<Plans> {
    let mut plan = Plans::default();
    refuse_missing_account(settings, state)?;
    refuse_an_empty_project(want, state)?;
    let (absent, present): (Vec<_>, Vec<_>) = want.rights().into_iter().partition(|right| {
        right.secret().is_some_and(|name| is_missing(&Holder::Secret(name.to_owned()), state))
    });
    plan.impossible = absent.into_iter().map(|right| impossible(right, state)).collect();
    for workload in &want.workloads {
        let rights = workload.rights.iter().filter(|right| present.contains(right));
        let changes = match &workload.publishes {
            Some(publishes) => of_publisher(want, workload, publishes, state)?,
            None => of_workload(workload, rights, settings, state)?,
        };
        let names = changes.iter().map(|change| change.step.name.clone());
        plan.own.extend(names.map(|name| (name, workload.account.clone())));
        plan.changes.extend(changes);
    }
    if !want.workloads.is_empty() && want.rights().is_empty() {
        plan.changes.push(leave(
            format!("secrets of {}", state.ids.project),
            "no secret is named, so nothing is granted".to_owned(),
        ));
    }
    Ok(plan)
}

/// It becomes no service account, and has no secret.
fn of_publisher(
    want: &Trust,
    workload: &Workload,
    publishes: &Publishes,
    state: &State,
) -> Result<Vec<Planned>> {
    let Some(documents) = publishes.documents() else { return Ok(Vec::new()) };
    let principal = state.ids.principal(&state.project.number, &workload.subject()?);
    documents::plan(want, workload, documents, &principal, state)
}

/// `rights`: those that can be given.
fn of_workload<'a>(
    workload: &'a Workload,
    rights: impl Iterator<Item = &'a Right>,
    settings: &Settings,
    state: &State,
) -> Result<Vec<Planned>> {
    let principal = state.ids.principal(&state.project.number, &workload.subject()?);
    let mut changes = Vec::new();
    let reader = match &settings.impersonate {
        None => principal.clone(),
        Some(email) => {
            let why = "the workload becomes this account";
            let holder = Holder::Account(email.clone());
            changes.push(grant((holder, WORKLOAD_USER), &principal, why, state));
            format!("serviceAccount:{email}")
        }
    };
    let roles = roles::roles(rights, settings.grant);
    let mut everywhere = BTreeSet::new();
    for (place, rights) in &roles {
        let (holder, role) = place;
        let on_project = *holder != Holder::Project && has(state, &Holder::Project, role, &reader);
        if on_project && settings.impersonate.is_some() {
            let why = format!("{reader} has {role} on the whole project");
            changes.push(leave(shown(holder, state), why));
            continue;
        }
        if on_project {
            everywhere.insert(*role);
        }
        changes.push(grant(place.clone(), &reader, &why(place, rights), state));
    }
    for role in &everywhere {
        let why = format!(
            "the workload has {role} on the whole project, which is more than is asked for: when the store is well without, \
             `gcloud projects remove-iam-policy-binding {} --role={role} --member={reader}`",
            state.ids.project
        );
        changes.push(leave(shown(&Holder::Project, state), why));
    }
    let held = held(&workload.revoked, &reader, settings, state);
    let gives = |rights: &BTreeSet<Right>| Ok(roles::roles(rights, settings.grant).into_keys().collect());
    let Holding { kept, dropped } = workload.holding(&held, gives)?;
    for place in kept.into_iter().filter(|place| !roles.contains_key(place)) {
        let (holder, role) = &place;
        if everywhere.contains(role) && *holder == Holder::Project {
            continue;
        }
        let why = format!(
            "{} has {role}, as before, and it stays: --revoke-unused takes back what no object asks for",
            short(&reader)
        );
        changes.push(leave(shown(holder, state), why));
    }
    for place in dropped {
        changes.extend(revoke(place, &principal, &reader, state));
    }
    Ok(changes)
}

/// The roles that keyless grants, as far as the reader has them on what this plan is about.
fn held(revoked: &BTreeSet<Right>, reader: &str, settings: &Settings, state: &State) -> BTreeSet<Place> {
    let named = roles::roles(revoked, settings.grant);
    let mut held = BTreeSet::new();
    for (holder, _) in &state.policies {
        let of_secrets = !matches!(holder, Holder::Account(_));
        for role in roles::ever_granted(holder).iter().filter(|_| of_secrets) {
            let place = (holder.clone(), *role);
            // Of a service account's roles, and of one that reads the whole project, it is not known who gave them.
            let by_name = settings.impersonate.is_some() || place == (Holder::Project, ACCESSOR);
            if has(state, holder, role, reader) && (!by_name || named.contains_key(&place)) {
                held.insert(place);
            }
        }
    }
    held
}

fn refuse_missing_account(settings: &Settings, state: &State) -> Result<()> {
    let Some(email) = &settings.impersonate else { return Ok(()) };
    if !is_missing(&Holder::Account(email.clone()), state) {
        return Ok(());
    }
    Err(Error::failed(Code::GoogleServiceAccountMissing, format!("there is no service account {email}"))
        .hint("correct google.impersonate, or leave it out: direct access needs none")
        .hint(format!("`gcloud iam service-accounts create NAME --project={}` makes one", state.ids.project)))
}

/// A service account, a secret or a project is the administrator's: keyless grants on it, and does not create it.
fn is_missing(holder: &Holder, state: &State) -> bool {
    let observed = match state.seen(holder) {
        Seen::Absent => Observed::Absent,
        Seen::Known(_) | Seen::Unknown => Observed::active(Ownership::Foreign, Fit::Equal),
    };
    decide(Desired::Present(Permits::GIVEN), observed) == Err(Obstacle::Missing)
}

/// A role that a member has is equal to the one that is desired: its name and its member are all that there is of it.
fn binding(has: bool) -> Observed {
    if has { Observed::active(Ownership::This, Fit::Equal) } else { Observed::Absent }
}

/// Where none of the secrets is, the project is the wrong one.
fn refuse_an_empty_project(want: &Trust, state: &State) -> Result<()> {
    let rights = want.rights();
    let reads = rights.iter().filter(|right| right.kind == RightKind::Read);
    let seen: Vec<_> =
        reads.map(|right| (&right.on, is_missing(&Holder::Secret(right.on.clone()), state))).collect();
    if seen.is_empty() || seen.iter().any(|(_, missing)| !missing) {
        return Ok(());
    }
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
    Err(Error::failed(
        Code::GoogleSecretMissing,
        format!("none of the secrets is in {}: there is no {}", state.place(), names.join(", ")),
    )
    .hint("is it the right google.project? `gcloud secrets list` shows what is there")
    .hint(format!("`{}` makes one", create(names[0], state, "")))
    .hint(
        "or correct the ExternalSecret that names it; store.secrets in keyless.yaml lists what may be read",
    ))
}

fn impossible(right: &Right, state: &State) -> Impossible {
    let (name, place) = (&right.on, state.place());
    let (why, remedy) = match right.kind {
        RightKind::Push | RightKind::Update => (
            format!(
                "there is no secret {name} in {place}, and to create secrets takes {} on the whole project, which opens \
                 every secret of it: keyless does not grant that",
                roles::ADMIN
            ),
            // Without this label the operator refuses to write a secret that it did not create.
            create(name, state, " --labels=managed-by=external-secrets"),
        ),
        _ => (format!("there is no secret {name} in {place}"), create(name, state, "")),
    };
    Impossible { right: right.clone(), why, remedy: format!("`{remedy}`, then run setup again") }
}

fn create(name: &str, state: &State, labels: &str) -> String {
    let project = &state.ids.project;
    match &state.ids.location {
        Some(location) => {
            format!("gcloud secrets create {name} --project={project} --location={location}{labels}")
        }
        None => {
            format!("gcloud secrets create {name} --project={project} --replication-policy=automatic{labels}")
        }
    }
}

/// What a role is granted for, and what else it gives.
fn why(place: &Place, rights: &BTreeSet<&Right>) -> String {
    let does: BTreeSet<_> = rights
        .iter()
        .map(|right| match right.kind {
            RightKind::Read => "the workload reads it",
            RightKind::Metadata => "the workload reads its metadata",
            RightKind::Versions => "the workload lists its versions",
            RightKind::Find | RightKind::FindByTags => "the workload searches for secrets",
            RightKind::Push => "the workload writes it",
            RightKind::Update => "the workload changes its metadata",
            RightKind::Delete => "the workload deletes it",
        })
        .collect();
    let does = does.into_iter().collect::<Vec<_>>().join(", ");
    match roles::more(place, rights) {
        Some(more) => format!("{does}; more than is needed: {more}"),
        None => does,
    }
}

fn has(state: &State, holder: &Holder, role: &str, member: &str) -> bool {
    matches!(state.seen(holder), Seen::Known(policy) if policy.has(role, member))
}

fn grant(place: Place, member: &str, why: &str, state: &State) -> Planned {
    let (holder, role) = place;
    let object = shown(&holder, state);
    let observed = binding(has(state, &holder, role, member));
    if decide(Desired::Present(Permits::OURS), observed) != Ok(Action::Create) {
        return leave(object, format!("{} has {role}", short(member)));
    }
    let mut why = why.to_owned();
    if state.policy(&holder).is_some_and(|policy| policy.has_conditionally(role, member)) {
        why.push_str("; a binding with a condition, which keyless did not make, is left beside it");
    }
    let step = step(Action::Grant, format!("{role} on the {object} to {}", short(member)), why)
        .field("member", None, Some(member.into()))
        .requires(needs_of(&holder, state));
    let seen = state.policy(&holder).cloned();
    Change::new(step, Step::Grant(Binding { holder, role, member: member.to_owned(), seen }))
}

/// Takes a role back that only setup can have given: to the principal of the cluster's own pool. What a service account
/// has may have been given to it by others.
fn revoke(place: Place, principal: &str, reader: &str, state: &State) -> Option<Planned> {
    let (holder, role) = place;
    let policy = state.policy(&holder)?.clone();
    let object = format!("{role} on the {} from {}", shown(&holder, state), short(reader));
    let observed = match binding(policy.has(role, reader)) {
        Observed::Present { .. } if reader != principal => Observed::active(Ownership::Foreign, Fit::Equal),
        observed => observed,
    };
    match decide(Desired::Absent { used_by_others: false }, observed) {
        Ok(Action::Delete) => {
            let why = "nothing uses it any more";
            let step = step(Action::Revoke, object, why).requires(needs_of(&holder, state));
            let binding = Binding { holder, role, member: principal.to_owned(), seen: Some(policy) };
            Some(Change::new(step, Step::Revoke(binding)))
        }
        Ok(_) => None,
        Err(_) => {
            let why = format!(
                "{reader} is not keyless's: whether others need this is not known; take it back by hand"
            );
            Some(leave(object, why))
        }
    }
}

/// A member for people: the subject of a principal.
pub(super) fn short(member: &str) -> &str {
    member.split_once("/subject/").map_or(member, |(_, subject)| subject)
}

pub(super) fn shown(holder: &Holder, state: &State) -> String {
    match holder {
        Holder::Account(email) => format!("service account {email}"),
        Holder::Bucket(name) => format!("bucket {name}"),
        Holder::Project => format!("project {}", state.ids.project),
        Holder::Secret(name) => format!("secret {name} in {}", state.place()),
    }
}

pub(super) fn needs_of(holder: &Holder, state: &State) -> String {
    let permission = match holder {
        Holder::Account(_) => "iam.serviceAccounts.setIamPolicy",
        Holder::Bucket(_) => "storage.buckets.setIamPolicy",
        Holder::Project => "resourcemanager.projects.setIamPolicy",
        Holder::Secret(_) => "secretmanager.secrets.setIamPolicy",
    };
    needs(permission, &format!("the {}", shown(holder, state)))
}
