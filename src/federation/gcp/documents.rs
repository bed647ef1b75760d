//! PURE. The publisher's right to write the two documents: one role on the bucket, under a condition that names them. The
//! condition has room for a mark, which no other binding has.

use std::collections::BTreeMap;

use super::{
    Binding, Planned, Step,
    bindings::{needs_of, short, shown},
    mark::mark,
    names::{Ids, Number},
    state::{Holder, Seen, State},
};
use crate::{
    error::{Code, Error, Result},
    federation::{
        Documents, PublisherLogin, Trust, Withdrawn, Workload,
        resource::{leave, step},
    },
    google::{Condition, Policy},
    plan::{
        Action, Change, Desired, FieldChange, Fit, Observed, Permits, UNCHANGED, decide,
        ownership::{Mark, Owner, Ownership},
    },
};

/// Reads, writes and replaces objects; changes no policy. To replace one takes the right to delete it, which
/// `storage.objectCreator` does not have (<https://cloud.google.com/storage/docs/access-control/iam-roles>).
pub(super) const WRITER: &str = "roles/storage.objectUser";
/// A role of the project's own.
const ROLE_OF_KEYS: &str = "keylessPublisher";
pub(super) const TITLE: &str = "keyless publisher";

/// When the role counts: for exactly these objects.
fn condition(want: &Trust, documents: &Documents) -> Condition {
    let named = documents.objects.iter().map(|object| {
        let name = format!("projects/_/buckets/{}/objects/{object}", documents.bucket);
        // Both write texts alike.
        format!("resource.name == {}", serde_json::Value::from(name))
    });
    Condition {
        title: TITLE.to_owned(),
        description: mark(&want.cluster_id, want.issuer.as_str()),
        expression: named.collect::<Vec<_>>().join(" || "),
    }
}

/// The objects of this bucket that a condition names; `None`: it is not as keyless writes one.
pub(super) fn objects_of(condition: &Condition, bucket: &str) -> Option<Vec<String>> {
    let begin = format!("projects/_/buckets/{bucket}/objects/");
    let object = |part: &str| {
        let name: String = serde_json::from_str(part.strip_prefix("resource.name == ")?).ok()?;
        name.strip_prefix(&begin).filter(|object| !object.is_empty()).map(str::to_owned)
    };
    let objects = condition.expression.split(" || ").map(object).collect();
    if condition.title == TITLE { objects } else { None }
}

/// Whether keyless wrote it for other documents in this bucket. Relying parties may still read them: see [`super::former`].
pub(super) fn names_others(condition: &Condition, documents: &Documents) -> bool {
    let objects = objects_of(condition, &documents.bucket).unwrap_or_default();
    objects.iter().any(|object| !documents.objects.contains(object))
}

/// The conditions that keyless wrote, each with whose it is.
fn marked(policy: &Policy, principal: &str, cluster_id: &str) -> Vec<(Condition, Ownership)> {
    let ownership = |condition: &Condition| {
        Owner::of(Mark::parse(&condition.description), cluster_id)
            .proved(|| crate::plan::ownership::Evidence::None)
    };
    let all = policy.conditions(WRITER, principal).into_iter();
    let all = all.map(|condition| (ownership(&condition), condition));
    all.filter(|(owner, _)| *owner != Ownership::Foreign).map(|(owner, it)| (it, owner)).collect()
}

/// Whom else keyless let write for this cluster: publishers before this one. `documents`: none but those.
fn former(
    policy: &Policy,
    principal: &str,
    cluster_id: &str,
    documents: Option<&Documents>,
) -> BTreeMap<String, Vec<Condition>> {
    let mut former: BTreeMap<String, Vec<Condition>> = BTreeMap::new();
    for (member, condition) in policy.conditional(WRITER) {
        let is_ours = Owner::of(Mark::parse(&condition.description), cluster_id) == Owner::This;
        let is_about = documents.is_none_or(|documents| !names_others(&condition, documents));
        if is_ours && is_about && member != principal {
            former.entry(member).or_default().push(condition);
        }
    }
    former
}

/// What the publisher is given on the bucket, and what is taken from the publishers before it.
pub(super) fn plan(
    want: &Trust,
    workload: &Workload,
    documents: &Documents,
    principal: &str,
    state: &State,
) -> Result<Vec<Planned>> {
    let holder = Holder::Bucket(documents.bucket.clone());
    refuse_access_per_object(documents, state)?;
    let none = Policy::default();
    let policy = state.policy(&holder).unwrap_or(&none);
    let mut changes = vec![present(want, workload, documents, principal, (policy, state))?];
    for (member, old) in former(policy, principal, &want.cluster_id, Some(documents)) {
        let object = format!("{WRITER} on the {} from {}", shown(&holder, state), short(&member));
        let step = step(Action::Revoke, object, "it is not the publisher any more")
            .requires(needs_of(&holder, state));
        let binding = Binding { holder: holder.clone(), role: WRITER, member, seen: Some(policy.clone()) };
        let observed = Observed::active(Ownership::This, Fit::Equal);
        if decide(Desired::Absent { used_by_others: false }, observed) == Ok(Action::Delete) {
            changes.push(Change::new(step, Step::RevokeIf { binding, old }));
        }
    }
    Ok(changes)
}

fn present(
    want: &Trust,
    workload: &Workload,
    documents: &Documents,
    principal: &str,
    (policy, state): (&Policy, &State),
) -> Result<Planned> {
    let holder = Holder::Bucket(documents.bucket.clone());
    let object = shown(&holder, state);
    if policy.has(WRITER, principal) {
        let why = format!(
            "{} has {WRITER} on the whole bucket, which keyless did not grant and which is more than it needs",
            short(principal)
        );
        return Ok(leave(object, why));
    }
    let wanted = condition(want, documents);
    let (ours, others): (Vec<_>, Vec<_>) = marked(policy, principal, &want.cluster_id)
        .into_iter()
        .partition(|(_, owner)| *owner == Ownership::This);
    if let Some((condition, _)) = others.first() {
        return Err(of_another_cluster(workload, documents, condition));
    }
    let ours = ours.into_iter().map(|(condition, _)| condition);
    let (others, ours): (Vec<_>, Vec<_>) = ours.partition(|condition| names_others(condition, documents));
    let observed = match ours.as_slice() {
        [] => Observed::Absent,
        ours => Observed::active(Ownership::This, Fit::of(*ours == [wanted.clone()])),
    };
    let action = match decide(Desired::Present(Permits::OURS), observed) {
        Ok(Action::NoOp) => return Ok(leave(object, format!("{}: {UNCHANGED}", short(principal)))),
        Ok(Action::Create) => Action::Grant,
        Ok(action) => action,
        Err(_) => return Ok(leave(object, UNCHANGED)),
    };
    let mut why = format!("the publisher writes {}", names(documents));
    if policy.conditions(WRITER, principal).len() > ours.len() + others.len() {
        why.push_str("; a binding with another condition, which keyless did not make, is left beside it");
    }
    let before = ours.iter().map(|condition| condition.expression.as_str()).collect::<Vec<_>>().join(", ");
    let before = Some(before).filter(|before| !before.is_empty()).map(Into::into);
    let step = step(action, format!("{WRITER} on the {object} to {}", short(principal)), why)
        .fields([
            FieldChange::new("member", None, Some(principal.into())),
            FieldChange::new("condition", before, Some(wanted.expression.clone().into())),
        ])
        .requires(needs_of(&holder, state));
    let seen = state.policy(&holder).cloned();
    let binding = Binding { holder, role: WRITER, member: principal.to_owned(), seen };
    Ok(Change::new(step, Step::GrantIf { binding, old: ours, new: wanted }))
}

/// The way back. A binding without a mark of this cluster stays.
pub(super) fn withdraw(
    want: &Trust,
    workload: &Workload,
    principal: &str,
    state: &State,
) -> Vec<Withdrawn<Step>> {
    let Some(documents) = workload.documents() else { return Vec::new() };
    let holder = Holder::Bucket(documents.bucket.clone());
    let Seen::Known(policy) = state.seen(&holder) else { return Vec::new() };
    let part = |ownership, member: &str, old: Vec<Condition>, stays: &str| {
        let object = format!("{WRITER} on the {} from {member}", shown(&holder, state));
        let why = "the publisher does not write the documents any more";
        let step = step(Action::Revoke, object, why).requires(needs_of(&holder, state));
        let observed = Observed::active(ownership, Fit::Equal);
        let decision = decide(Desired::Absent { used_by_others: false }, observed);
        let (holder, member, seen) = (holder.clone(), member.to_owned(), Some(policy.clone()));
        let act = Step::RevokeIf { binding: Binding { holder, role: WRITER, member, seen }, old };
        Withdrawn::decided(decision, step, act, "", |_| stays.to_owned())
    };
    let mut all = Vec::new();
    let (ours, others): (Vec<_>, Vec<_>) = marked(policy, principal, &want.cluster_id)
        .into_iter()
        .partition(|(_, owner)| *owner == Ownership::This);
    if !ours.is_empty() {
        let ours: Vec<_> = ours.into_iter().map(|(condition, _)| condition).collect();
        all.push(part(Ownership::This, principal, ours, ""));
    }
    for (member, old) in former(policy, principal, &want.cluster_id, None) {
        all.push(part(Ownership::This, &member, old, ""));
    }
    if let Some((condition, owner)) = others.into_iter().next() {
        let stays = "the mark in its condition does not name this cluster";
        all.push(part(owner, principal, vec![condition], stays));
    }
    if policy.has(WRITER, principal) {
        all.push(part(
            Ownership::Foreign,
            principal,
            Vec::new(),
            "keyless did not grant it: it has no condition",
        ));
    }
    all
}

/// How the publisher's pods log in. The right to give the provider keys is in no role that a grant on a provider can have, so
/// a person makes one.
pub(super) fn login(workload: &Workload, ids: &Ids, number: &Number) -> Result<PublisherLogin> {
    let values = vec![("login.google.audience", ids.audience(number))];
    if workload.documents().is_some() {
        return Ok((values, Vec::new()));
    }
    let project = &ids.project;
    let (member, of) = (ids.principal(number, &workload.subject()?), "iam.workloadIdentityPoolProviders");
    let by_hand = vec![
        format!(
            "gcloud iam roles create {ROLE_OF_KEYS} --project={project} --permissions={of}.get,{of}.update"
        ),
        format!(
            "gcloud projects add-iam-policy-binding {project} --role=projects/{project}/roles/{ROLE_OF_KEYS} --member={member} --condition=None"
        ),
    ];
    Ok((values, by_hand))
}

/// Without uniform access, Google takes no condition on a bucket, and a federated principal writes nothing.
fn refuse_access_per_object(documents: &Documents, state: &State) -> Result<()> {
    if state.uniform != Some(false) {
        return Ok(());
    }
    let bucket = &documents.bucket;
    Err(Error::failed(
        Code::BucketAccessPerObject,
        format!("the bucket {bucket} lets each object have its own access list"),
    )
    .caused_by("Google lets a workload of the cluster write only where access is uniform in the bucket")
    .hint(format!(
        "if no object needs a list of its own: `gcloud storage buckets update gs://{bucket} --uniform-bucket-level-access`"
    ))
    .hint("nothing was changed"))
}

fn of_another_cluster(workload: &Workload, documents: &Documents, condition: &Condition) -> Error {
    Error::failed(
        Code::PublisherBinding,
        format!(
            "the right of {} to write gs://{} is marked for another cluster",
            workload.account, documents.bucket
        ),
    )
    .caused_by(format_args!("its condition is described as `{}`", condition.description.escape_debug()))
    .hint("two clusters in one pool are the same principals: choose another google.pool")
    .hint(format!(
        "or, if that cluster is no more: remove the binding of {WRITER} from the bucket by hand, and run setup again"
    ))
}

pub(super) fn names(documents: &Documents) -> String {
    documents.objects.join(" and ").escape_debug().to_string()
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
