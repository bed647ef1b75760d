//! Documents that this cluster's publisher could write before those that a run is about: in other buckets, or elsewhere in
//! the same one. The right on each is a binding of that bucket alone, and stays there until it is taken back. Google's own
//! list of buckets tells where to look; what a bucket's policy says decides. What may be such a right and is not known to be
//! stays and is named. So does a right on documents that relying parties may still read.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::{
    Binding, Gcp, Planned, Step,
    bindings::{needs_of, short, shown},
    documents::{WRITER, names, names_others, objects_of},
    observe::{AT_ONCE, PAGES},
    state::{Holder, State},
};
use crate::{
    error::{Code, Result},
    federation::{Documents, Plan, Trust, Workload, resource::step},
    google::{Condition, Outcome, Policy},
    plan::{
        Action, Change, Desired, FieldChange, Fit, Gate, Observed, decide,
        ownership::{Mark, Owner, Ownership},
    },
    shell,
    warning::Warning,
};

const OF_ANOTHER: &str = "it is marked as this cluster's, and not of the publisher that this run is about";
/// How many buckets a warning names.
const NAMED: usize = 5;

/// What one member's binding on a bucket is.
enum Found {
    /// keyless let this member write there, under these conditions.
    Goes { member: String, conditions: Vec<Condition> },
    /// It may be keyless's, and stays: whose it is, and why it stays.
    Stays { member: String, why: &'static str },
}

/// The publisher of this run.
struct Publisher<'a> {
    want: &'a Trust,
    workload: &'a Workload,
    documents: &'a Documents,
    state: &'a State,
    principal: String,
}

impl Gcp {
    /// Adds what becomes of them to the plan: they go once the publisher of this run has its right.
    pub(super) async fn plan_former<'p>(
        &'p self,
        want: &Trust,
        state: &State,
        plan: &mut Plan<'p>,
    ) -> Result<()> {
        let publisher = want.workloads.iter().find_map(|it| Some((it, it.documents()?)));
        let Some((workload, documents)) = publisher else { return Ok(()) };
        let principal = state.ids.principal(&state.project.number, &workload.subject()?);
        let publisher = Publisher { want, workload, documents, state, principal };
        if let Some(policy) = state.policy(&Holder::Bucket(documents.bucket.clone())) {
            let found = find_here(policy, documents, &publisher.principal, &want.cluster_id);
            self.plan_found(&publisher, &documents.bucket, policy, found, plan);
        }
        let own = state.project.number.to_string();
        let of_bucket = state.bucket_project.iter().map(ToString::to_string).filter(|other| *other != own);
        for project in [state.project.id.clone()].into_iter().chain(of_bucket) {
            let (buckets, is_all) = match self.buckets(&project).await {
                Ok(listed) => listed,
                Err(refusal) => {
                    plan.notes.push(not_looked_for(&project, &refusal.summary()));
                    continue;
                }
            };
            if !is_all {
                let why = format!("it has more than {} buckets", buckets.len());
                plan.notes.push(not_looked_for(&project, &why));
            }
            let others = buckets.into_iter().filter(|bucket| *bucket != documents.bucket);
            let mut unseen: (Vec<String>, Option<String>) = Default::default();
            for (bucket, policy) in self.policies_of(others).await {
                let policy = match policy {
                    Ok(policy) => policy,
                    Err(refusal) if refusal.is_absent() => continue,
                    Err(refusal) => {
                        unseen.0.push(bucket);
                        unseen.1.get_or_insert(refusal.summary());
                        continue;
                    }
                };
                let found = find(&policy, &bucket, &publisher.principal, &want.cluster_id);
                self.plan_found(&publisher, &bucket, &policy, found, plan);
            }
            let (buckets, why) = unseen;
            plan.notes.extend(why.map(|why| not_looked_at(&buckets, &why)));
        }
        Ok(())
    }

    /// What was found in one bucket.
    fn plan_found<'p>(
        &'p self,
        publisher: &Publisher<'_>,
        bucket: &str,
        policy: &Policy,
        found: Vec<Found>,
        plan: &mut Plan<'p>,
    ) {
        let Publisher { want, workload, documents, state, .. } = publisher;
        for found in found {
            let (member, conditions) = match found {
                Found::Stays { member, why } => {
                    plan.notes.push(stays(bucket, &member, why, documents));
                    continue;
                }
                Found::Goes { member, conditions } => (member, conditions),
            };
            let before = read_before(bucket, &conditions, documents);
            if let Some(why) = documents.why_former_stays(&want.issuer, &before) {
                plan.notes.push(stays(bucket, &member, &why, documents));
                continue;
            }
            let holder = Holder::Bucket(bucket.to_owned());
            let binding = Binding { holder, role: WRITER, member, seen: Some(policy.clone()) };
            let after = plan.changes.iter().filter(|change| change.is_pending());
            let after = after.map(|change| change.step.name.clone()).collect();
            let Some(change) = goes(documents, state, binding, conditions, after) else { continue };
            plan.own.insert(change.step.name.clone(), workload.account.clone());
            plan.changes.push(change.map(|step| self.act(step)));
        }
    }

    /// The names of a project's buckets, and whether these are all.
    async fn buckets(&self, project: &str) -> Outcome<(Vec<String>, bool)> {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let base = format!(
            "{}/storage/v1/b?project={}&maxResults=1000&fields=items(name),nextPageToken",
            self.settings.endpoints.storage,
            encoded(project)
        );
        let (mut names, mut page) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let answer = self.api.get(&format!("{base}{page}")).await?;
            let items = answer["items"].as_array().into_iter().flatten();
            names.extend(items.filter_map(|item| item["name"].as_str()).map(str::to_owned));
            match answer["nextPageToken"].as_str().filter(|token| !token.is_empty()) {
                Some(token) => page = format!("&pageToken={}", encoded(token)),
                None => return Ok((names, true)),
            }
        }
        Ok((names, false))
    }

    async fn policies_of(&self, buckets: impl Iterator<Item = String>) -> Vec<(String, Outcome<Policy>)> {
        let read = |bucket: String| async move {
            let policy = self.api.policy(&self.target(&Holder::Bucket(bucket.clone()))).await;
            (bucket, policy)
        };
        stream::iter(buckets).map(read).buffered(AT_ONCE).collect().await
    }
}

/// PURE. What a bucket's policy says of former publishers of this cluster. `principal`: the publisher of this run.
fn find(policy: &Policy, bucket: &str, principal: &str, cluster_id: &str) -> Vec<Found> {
    let (mut conditions, mut found) = (Vec::new(), Vec::new());
    for (member, condition) in policy.conditional(WRITER) {
        let is_publisher = member == principal;
        let why = match Owner::of(Mark::parse(&condition.description), cluster_id) {
            Owner::This if is_publisher && objects_of(&condition, bucket).is_some() => {
                conditions.push(condition);
                continue;
            }
            Owner::This if is_publisher => "its condition is not as keyless writes it",
            Owner::This => OF_ANOTHER,
            Owner::Unnamed if is_publisher => "its mark does not say which cluster it was made for",
            Owner::Other(_) | Owner::Unnamed | Owner::Foreign => continue,
        };
        found.push(Found::Stays { member, why });
    }
    if !conditions.is_empty() {
        found.push(Found::Goes { member: principal.to_owned(), conditions });
    }
    found
}

/// PURE. The same of the bucket that this run is about: who may write other documents there. Everything else there is planned
/// with the publisher's own right.
fn find_here(policy: &Policy, documents: &Documents, principal: &str, cluster_id: &str) -> Vec<Found> {
    let (mut conditions, mut found) = (Vec::new(), Vec::new());
    for (member, condition) in policy.conditional(WRITER) {
        let is_ours = Owner::of(Mark::parse(&condition.description), cluster_id) == Owner::This;
        match is_ours && names_others(&condition, documents) {
            true if member == principal => conditions.push(condition),
            // A copy of this cluster has the same ID, and a publisher of its own.
            true => found.push(Found::Stays { member, why: OF_ANOTHER }),
            false => {}
        }
    }
    if !conditions.is_empty() {
        found.push(Found::Goes { member: principal.to_owned(), conditions });
    }
    found
}

/// For people: where the documents are that these conditions name.
fn read_before(bucket: &str, conditions: &[Condition], documents: &Documents) -> String {
    if bucket != documents.bucket {
        return format!("gs://{}", bucket.escape_debug());
    }
    let objects = conditions.iter().filter_map(|condition| objects_of(condition, bucket)).flatten();
    let objects: BTreeSet<_> = objects.map(|object| format!("gs://{bucket}/{object}")).collect();
    Vec::from_iter(objects).join(" and ").escape_debug().to_string()
}

/// PURE. It goes after these steps. The documents that it is for are read until every API server signs as the issuer of
/// this run, and must be kept up to date as long. That relying parties then read the others is known by now.
fn goes(
    documents: &Documents,
    state: &State,
    binding: Binding,
    old: Vec<Condition>,
    after: Vec<String>,
) -> Option<Planned> {
    let observed = Observed::active(Ownership::This, Fit::Equal);
    if decide(Desired::Absent { used_by_others: false }, observed) != Ok(Action::Delete) {
        return None;
    }
    let mut object =
        format!("{WRITER} on the {} from {}", shown(&binding.holder, state), short(&binding.member));
    let mut why = format!("the publisher writes to gs://{} instead", documents.bucket);
    if binding.holder == Holder::Bucket(documents.bucket.clone()) {
        // Its right on the documents of this run is another binding of the same name.
        object.push_str(" for other documents");
        why = format!("the publisher writes {} instead", names(documents));
    }
    let before: Vec<_> = old.iter().map(|condition| condition.expression.as_str()).collect();
    let mut step = step(Action::Revoke, object, why)
        .fields([FieldChange::new("condition", Some(before.join(", ").into()), None)])
        .requires(needs_of(&binding.holder, state))
        .gated(Some(Gate::AfterIssuerSwitch));
    step.depends_on = after;
    Some(Change::new(step, Step::RevokeIf { binding, old }))
}

fn stays(bucket: &str, member: &str, why: &str, documents: &Documents) -> Warning {
    // What Google takes as names; another one is put into no command.
    let is_plain = [bucket, member].iter().all(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    // `--all` takes what the publisher needs in this bucket as well.
    let again = match bucket == documents.bucket {
        true => ", then run setup again, which grants what the publisher writes now",
        false => "",
    };
    let command = match is_plain {
        true => format!(
            " (`gcloud storage buckets remove-iam-policy-binding {} --role={WRITER} --member={} --all`{again})",
            shell::quote(&format!("gs://{bucket}")),
            shell::quote(member)
        ),
        false => String::new(),
    };
    let text = format!(
        "{WRITER} on the bucket {} from {} stays: {why}; if nothing needs it, remove it by hand{command}",
        bucket.escape_debug(),
        short(member).escape_debug()
    );
    Warning::new(Code::TrustLeft, text)
}

/// What may be anybody's is not named together with how it is removed.
fn not_looked_at(buckets: &[String], why: &str) -> Warning {
    let names: Vec<_> = buckets.iter().take(NAMED).map(|name| name.escape_debug().to_string()).collect();
    let more = match buckets.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "whether the publisher can still write to the buckets {}{more} is not known: {why}; with storage.buckets.getIamPolicy \
         on them it is",
        names.join(", ")
    );
    Warning::new(Code::TrustLeft, text)
}

fn not_looked_for(project: &str, why: &str) -> Warning {
    let text = format!(
        "whether the publisher can still write to a former bucket of the project {project} was not looked for: {why}; with \
         storage.buckets.list on the project it is"
    );
    Warning::new(Code::TrustLeft, text)
}

#[cfg(test)]
#[path = "former_tests.rs"]
mod tests;
