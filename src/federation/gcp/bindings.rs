//! PURE. Who is given what, and on what.

use super::{
    Binding, Grant, Settings, Step,
    plan::{leave, step},
    state::{Holder, Seen, State},
};
use crate::{
    error::{Error, Result},
    federation::{Change, Difference, Trust, Verb},
    google::needs,
};

/// Reads the values of secrets, and nothing else.
pub(super) const ACCESSOR: &str = "roles/secretmanager.secretAccessor";
/// Becomes a service account.
pub(super) const WORKLOAD_USER: &str = "roles/iam.workloadIdentityUser";

/// The workload, or the account that it becomes, reads the secrets.
pub(super) fn bindings(want: &Trust, settings: &Settings, state: &State) -> Result<Vec<Change>> {
    let principal = state.ids.principal(&state.project.number, &want.subject());
    let mut changes = Vec::new();
    let reader = match &settings.impersonate {
        None => principal,
        Some(email) => {
            let holder = Holder::Account(email.clone());
            if *state.seen(&holder) == Seen::Absent {
                return Err(Error::failed(
                    "google-service-account-missing",
                    format!("there is no service account {email}"),
                )
                .hint("correct google.impersonate, or leave it out: direct access needs none")
                .hint(format!(
                    "`gcloud iam service-accounts create NAME --project={}` makes one",
                    state.ids.project
                )));
            }
            changes.push(grant(
                holder,
                WORKLOAD_USER,
                &principal,
                "the workload becomes this account",
                state,
            ));
            format!("serviceAccount:{email}")
        }
    };
    if settings.grant == Grant::Project {
        let why = "google.access asks for all secrets of the project";
        changes.push(grant(Holder::Project, ACCESSOR, &reader, why, state));
        return Ok(changes);
    }
    let on_project =
        matches!(state.seen(&Holder::Project), Seen::Known(policy) if policy.has(ACCESSOR, &reader));
    let is_absent = |secret: &&String| *state.seen(&Holder::Secret((*secret).clone())) == Seen::Absent;
    let absent: Vec<_> = want.secrets.iter().filter(is_absent).map(String::as_str).collect();
    // It could be neither granted on nor read, so nothing would come to its end.
    if !absent.is_empty() {
        let which =
            if absent.len() == want.secrets.len() { "none of the secrets is" } else { "not all secrets are" };
        return Err(Error::failed(
            "google-secret-missing",
            format!("{which} in {}: there is no {}", state.ids.project, absent.join(", ")),
        )
        .hint("is it the right google.project? `gcloud secrets list` shows what is there")
        .hint(format!("`gcloud secrets create {} --replication-policy=automatic` makes one", absent[0]))
        .hint("or correct the ExternalSecret that names it; store.secrets in keyless.yaml lists the ones that are meant"));
    }
    for secret in &want.secrets {
        let holder = Holder::Secret(secret.clone());
        if on_project && settings.impersonate.is_some() {
            let why = format!("{reader} has {ACCESSOR} on the whole project");
            changes.push(leave(shown(&holder, state), why));
        } else {
            changes.push(grant(holder, ACCESSOR, &reader, "the workload reads it", state));
        }
    }
    if on_project && settings.impersonate.is_none() {
        let why = format!(
            "the workload has {ACCESSOR} on the whole project, which is more than is asked for: when the store is well without, \
             `gcloud projects remove-iam-policy-binding {} --role={ACCESSOR} --member={reader}`",
            state.ids.project
        );
        changes.push(leave(shown(&Holder::Project, state), why));
    }
    if want.secrets.is_empty() {
        changes.push(leave(
            format!("secrets of {}", state.ids.project),
            "none was named, so nothing is granted; name them, or set google.access: project".to_owned(),
        ));
    }
    Ok(changes)
}

fn grant(holder: Holder, role: &'static str, member: &str, why: &str, state: &State) -> Change {
    let object = shown(&holder, state);
    let mut why = why.to_owned();
    if let Seen::Known(policy) = state.seen(&holder) {
        if policy.has(role, member) {
            return leave(object, format!("{} has {role}", short(member)));
        }
        if policy.has_conditionally(role, member) {
            why.push_str("; a binding with a condition, which somebody else has made, stays beside it");
        }
    }
    let needs = needs_of(&holder, state);
    let seen = state.policy(&holder).cloned();
    let step = step(Step::Grant(Binding { holder, role, member: member.to_owned(), seen }));
    Change {
        verb: Verb::Grant,
        object: format!("{role} on the {object} to {}", short(member)),
        why,
        differences: vec![Difference {
            field: "member".to_owned(),
            have: String::new(),
            want: member.to_owned(),
        }],
        needs,
        step,
    }
}

/// A member for people: the subject of a principal.
fn short(member: &str) -> &str {
    member.split_once("/subject/").map_or(member, |(_, subject)| subject)
}

pub(super) fn shown(holder: &Holder, state: &State) -> String {
    match holder {
        Holder::Account(email) => format!("service account {email}"),
        Holder::Project => format!("project {}", state.ids.project),
        Holder::Secret(name) => format!("secret {name} in {}", state.ids.project),
    }
}

pub(super) fn needs_of(holder: &Holder, state: &State) -> String {
    let permission = match holder {
        Holder::Account(_) => "iam.serviceAccounts.setIamPolicy",
        Holder::Project => "resourcemanager.projects.setIamPolicy",
        Holder::Secret(_) => "secretmanager.secrets.setIamPolicy",
    };
    needs(permission, &format!("the {}", shown(holder, state)))
}
