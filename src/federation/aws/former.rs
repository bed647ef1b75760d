//! Publishers of this cluster before the one that a run is about: each has a role of its own, which writes the documents until
//! it is gone. What may be one and is not known to be, or is more than one, stays and is named.

use futures::future::join_all;

use super::{Aws, Planned, Settings, observe::Role, plan::others, policy, statements, wanted, withdraw};
use crate::{
    error::Code,
    federation::{Documents, Plan, Publishes, Subject, Trust, Workload},
    plan::Gate,
    warning::Warning,
};

/// What one role is.
enum Found {
    /// No publisher's.
    Other,
    /// It may be one, and stays: what it is, and why it stays.
    Stays(String),
    /// It is one, and lets in this ServiceAccount only.
    Goes(Box<Workload>),
}

impl Aws {
    /// Adds what becomes of them to the plan: they go once the publisher of this run has its right.
    pub(super) async fn plan_former<'p>(&'p self, want: &Trust, plan: &mut Plan<'p>) {
        let publisher = want.workloads.iter().find_map(|it| Some((it, it.documents()?)));
        let Some((publisher, documents)) = publisher else { return };
        if plan.refused.iter().any(|(account, _)| *account == publisher.account) {
            return;
        }
        let listed = match self.listed_by(&wanted::provider_arn(&self.settings, want)).await {
            Ok(listed) => listed,
            Err(error) => return plan.notes.push(not_looked_for(&self.settings, &error.message)),
        };
        // keyless makes none in a path.
        let names = listed.into_iter().filter(|it| !it.is_in_path).map(|it| it.name);
        // Those of this run are planned already.
        let own: Vec<_> = want.workloads.iter().map(|it| self.settings.of_workload(it).role).collect();
        let names = names.filter(|name| !own.contains(name));
        let looks = names.map(async |name| {
            let aws = Self { settings: Settings { role: name, ..self.settings.clone() }, ..self.clone() };
            let role = aws.role().await;
            (aws, role)
        });
        for (aws, role) in join_all(looks).await {
            let role = match role {
                Ok(Some(role)) => role,
                // Gone meanwhile.
                Ok(None) => continue,
                Err(error) => {
                    plan.notes.push(not_looked_at(&aws.settings, &error.message));
                    continue;
                }
            };
            match find(&aws.settings, want, (publisher, documents), &role) {
                Found::Other => {}
                Found::Stays(why) => plan.notes.push(stays(&aws.settings, &why)),
                Found::Goes(workload) => {
                    let last = plan.changes.iter().rfind(|change| change.is_pending());
                    let (before, gate) = last.map(|last| (last.step.name.clone(), last.step.gate)).unzip();
                    let gone = goes(&aws.settings, want, &workload, &role, before, gate.flatten());
                    plan.changes.extend(gone.into_iter().map(|it| it.map(|step| aws.act(step))));
                }
            }
        }
    }
}

/// PURE. `settings` name the role; `publisher`: of this run, and what it writes.
fn find(settings: &Settings, want: &Trust, publisher: (&Workload, &Documents), role: &Role) -> Found {
    let (publisher, documents) = publisher;
    let trusted = role.trust.as_ref().and_then(|trust| wanted::trusted(settings, trust));
    // The list tells by a part of the ARN: another cluster's issuer may begin as this one.
    if trusted.as_ref().is_some_and(|trusted| trusted.issuer != wanted::bare_issuer(want)) {
        return Found::Other;
    }
    let is_ours = wanted::is_of_cluster(role.mark.as_deref(), &want.cluster_id);
    let policy = role.policy.as_ref();
    let read = policy.and_then(Option::as_ref).and_then(|policy| statements::read(policy, settings));
    let Some(read) = read else {
        return match policy {
            Some(_) if is_ours => Found::Stays(format!(
                "whether it is a former publisher's is not known: its policy {} was changed",
                policy::NAME
            )),
            _ => Found::Other,
        };
    };
    let writes: Vec<_> = read.given.iter().filter(|it| policy::is_of_documents(it)).cloned().collect();
    if writes.is_empty() {
        return Found::Other;
    }
    if !is_ours {
        return Found::Stays(
            "it writes documents in a bucket, and its tag does not name this cluster".into(),
        );
    }
    let account = trusted.and_then(|trusted| Subject::account_of(&trusted.subject));
    let Some(account) = account else {
        return Found::Stays(
            "it is marked as this cluster's and writes documents in a bucket, and whom it lets in is not known".into(),
        );
    };
    let of = format!("it lets {account} write documents in a bucket, as a publisher's does");
    if account == publisher.account {
        return Found::Stays(format!(
            "{of}, and is not the role that this run is about: the publisher's pods may still use it"
        ));
    }
    let wanted = policy::of_documents(documents, settings);
    if let Some(other) = writes.iter().find(|it| !wanted.contains(it)) {
        return Found::Stays(format!("{of}, and they are not those of this run: {}", other.0));
    }
    let others = others(settings, role);
    if !others.is_empty() || writes.len() != read.given.len() {
        return Found::Stays(match others.is_empty() {
            true => format!("{of}, and has more rights besides"),
            false => format!("{of}, and has what keyless did not write: {others}"),
        });
    }
    Found::Goes(Box::new(Workload::publisher(account, Publishes::Documents(documents.clone()))))
}

/// PURE. Policy and role, after this step.
fn goes(
    settings: &Settings,
    want: &Trust,
    workload: &Workload,
    role: &Role,
    mut before: Option<String>,
    gate: Option<Gate>,
) -> Vec<Planned> {
    let gone = withdraw::workload(settings, want, workload, Some(role), &mut before);
    let mut gone: Vec<_> = gone.into_iter().map(|one| one.change).collect();
    for change in &mut gone {
        change.step.reason = format!("{} is not the publisher any more", workload.account);
        change.step.gate = gate;
    }
    gone
}

fn stays(settings: &Settings, why: &str) -> Warning {
    let text = format!(
        "the role {} stays: {why}; if nothing needs it, remove it by hand{}",
        settings.role.escape_debug(),
        wanted::removal(&settings.role)
    );
    Warning::new(Code::TrustLeft, text)
}

/// What may be anybody's is not named together with how it is removed.
fn not_looked_at(settings: &Settings, why: &str) -> Warning {
    let text = format!(
        "whether the role {} is a former publisher's is not known: {why}; with iam:GetRole, iam:GetRolePolicy, iam:ListRolePolicies and iam:ListAttachedRolePolicies on it, it is",
        settings.role.escape_debug()
    );
    Warning::new(Code::TrustLeft, text)
}

fn not_looked_for(settings: &Settings, why: &str) -> Warning {
    let text = format!(
        "whether a former publisher still has a role in the AWS account {} was not looked for: {why}; with iam:ListRoles it is",
        settings.account
    );
    Warning::new(Code::TrustLeft, text)
}

#[cfg(test)]
#[path = "former_tests.rs"]
mod tests;
