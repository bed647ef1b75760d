//! What each workload has for itself: a role, and the policy that it gives.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use futures::future::join_all;
use serde_json::Value;

use super::{
    Settings, Vault,
    api::Reply,
    held::{gives, held},
    mark,
    observe::Observed,
    plan, wanted,
};
use crate::{
    cluster::ServiceAccount,
    error::{Code, Result},
    federation::{Federation, Login, Logins, Naming, Plan, Right, Subject, Trust, Workload},
};

impl Settings {
    /// As this workload logs in: its role opens nothing that another workload asks for.
    pub(super) fn of_workload(&self, workload: &Workload) -> Self {
        let role = match workload.naming {
            Naming::AsSet => self.role.clone(),
            Naming::FromAccount => own_role(&self.role_prefix, &workload.account),
        };
        Self { role, ..self.clone() }
    }
}

/// `PREFIX.NAMESPACE.SERVICEACCOUNT`. A namespace has no dot in its name. Where the others have one, the parts could be
/// those of another name as well: a digest of them tells which.
fn own_role(prefix: &str, ServiceAccount { namespace, name }: &ServiceAccount) -> String {
    let plain = format!("{prefix}.{namespace}.{name}");
    if !prefix.contains('.') && !name.contains('.') {
        return plain;
    }
    let parts = digest(&SHA256, format!("{prefix}\n{namespace}\n{name}").as_bytes());
    let parts: String = parts.as_ref().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("{plain}.{parts}")
}

/// What was asked of a role, before it is known whether the auth method is one that has roles.
struct Asked {
    role: Result<Option<Reply>>,
    policy: Result<Option<Reply>>,
    capabilities: BTreeMap<String, Vec<String>>,
}

impl Asked {
    /// With what the workloads share.
    fn beside(self, shared: &Observed) -> Result<Observed> {
        let mut observed = Observed { capabilities: self.capabilities, ..shared.clone() };
        if observed.is_jwt() {
            observed.role = self.role?.and_then(|reply| reply.data().cloned());
        }
        observed.policy = text_of(self.policy?.as_ref());
        Ok(observed)
    }
}

fn text_of(policy: Option<&Reply>) -> Option<String> {
    let text = policy?.data()?.get("policy")?;
    text.as_str().map(str::to_owned)
}

impl Vault {
    /// The same auth method, with the role of this workload.
    pub(super) fn of_workload(&self, workload: &Workload) -> Self {
        let settings = self.settings.of_workload(workload);
        Self { api: self.api.naming(&settings), settings }
    }

    /// What they share, then each workload's role, and what is there of it and beside it.
    pub(super) async fn observe_each(
        &self,
        want: &Trust,
    ) -> Result<(Observed, Vec<(Self, Result<Observed>)>)> {
        let each: Vec<_> = want.workloads.iter().map(|workload| self.of_workload(workload)).collect();
        let (shared, asked) =
            futures::join!(self.observe_shared(), join_all(each.iter().map(Self::ask_role)));
        let mut shared = shared?;
        match asked.first() {
            Some(first) => shared.capabilities.clone_from(&first.capabilities),
            None => shared.capabilities = self.capabilities().await,
        }
        let each = each.into_iter().zip(asked);
        let each = each.map(|(vault, asked)| (vault, asked.beside(&shared))).collect();
        Ok((shared, each))
    }

    /// Whose roles are named as keyless names them, and give a policy that is marked for this cluster.
    pub(super) async fn marked_logins(&self, cluster_id: &str) -> Result<Logins> {
        if !self.observe_shared().await?.is_jwt() {
            return Ok(Logins::default());
        }
        let own = format!("{}.", self.settings.role_prefix);
        let roles = self.roles().await?;
        let named = roles.iter().filter(|role| **role == self.settings.role || role.starts_with(&own));
        let looks = named.map(|role| self.marked_login(role, cluster_id));
        Ok(Logins::of(join_all(looks).await))
    }

    /// `None`: it is not ours.
    async fn marked_login(&self, role: &str, cluster_id: &str) -> Result<Option<Login>> {
        let settings = Settings { role: role.to_owned(), ..self.settings.clone() };
        let vault = Self { api: self.api.naming(&settings), settings };
        let asked = vault.ask_role().await;
        let (role_now, policy) = (asked.role?, asked.policy?);
        let account = role_now.as_ref().and_then(Reply::data).and_then(|role| role.get("bound_subject"));
        let Some(account) = account.and_then(Value::as_str).and_then(Subject::account_of) else {
            return Ok(None);
        };
        let namings = [Naming::AsSet, Naming::FromAccount].into_iter();
        let mut workloads = namings.map(|naming| Workload::new(account.clone(), naming));
        let workload = workloads.find(|workload| self.settings.of_workload(workload).role == role);
        let text = text_of(policy.as_ref()).unwrap_or_default();
        let is_ours = mark::names_cluster(&text, &vault.settings, cluster_id);
        Ok(workload.filter(|_| is_ours).map(|workload| Login { workload, is_marked: true, stays: None }))
    }

    async fn ask_role(&self) -> Asked {
        let Settings { mount, role, .. } = &self.settings;
        let (role, policy) = (
            format!("auth/{mount}/role/{role}"),
            format!("sys/policies/acl/{}", wanted::policy_name(&self.settings)),
        );
        let (role, policy, capabilities) =
            futures::join!(self.api.read(&role), self.api.read(&policy), self.capabilities());
        Asked { role, policy, capabilities }
    }

    pub(super) async fn plan_workloads<'p>(&'p self, want: &Trust) -> Result<Plan<'p>> {
        let (observed, suits) = futures::join!(self.observe_each(want), self.suits());
        let (shared, each) = observed?;
        suits?;
        let mut plan = Plan::default();
        let changes = plan::plan_shared(&self.settings, want, &shared)?;
        // None of them waits for another one.
        let before = changes.iter().rfind(|change| change.is_pending());
        let before = before.map(|change| change.step.name.clone());
        plan.lacking = plan::lacking(&self.settings, &shared, &changes);
        plan.changes.extend(changes.into_iter().map(|change| change.map(|step| self.act(step))));
        for (workload, (vault, observed)) in want.workloads.iter().zip(each) {
            let observed = match observed {
                Ok(observed) => observed,
                // The rights to look are path by path.
                Err(error) if error.code == Code::VaultForbidden => {
                    plan.refused.push((workload.account.clone(), error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match plan::plan_workload(&vault.settings, want, workload, &observed, before.clone()) {
                Ok(changes) => {
                    let names = changes.iter().map(|change| change.step.name.clone());
                    plan.lacking.extend(plan::lacking(&vault.settings, &observed, &changes));
                    plan.own.extend(names.map(|name| (name, workload.account.clone())));
                    plan.changes.extend(changes.into_iter().map(|change| change.map(|step| vault.act(step))));
                }
                Err(error) => plan.refused.push((workload.account.clone(), error)),
            }
        }
        // Whether a secret is there, only reading it tells.
        Ok(plan)
    }

    /// By the policy that the workload's own role gives. What cannot be seen is not held.
    pub(super) async fn held_rights(
        &self,
        workload: &Workload,
        cluster_id: &str,
        of: &BTreeSet<Right>,
    ) -> BTreeSet<Right> {
        let vault = self.of_workload(workload);
        let Asked { role: Ok(Some(role)), policy: Ok(policy), .. } = vault.ask_role().await else {
            return BTreeSet::new();
        };
        let Some(text) = text_of(policy.as_ref()) else { return BTreeSet::new() };
        let is_own = role.data().is_some_and(|role| lets_in(role.get("bound_subject"), workload));
        let held = match is_own && mark::names_cluster(&text, &vault.settings, cluster_id) {
            true => held(&text).unwrap_or_default(),
            false => BTreeSet::new(),
        };
        let kv = &vault.settings.kv;
        let is_held = |right: &&Right| {
            let takes = gives(&BTreeSet::from([(*right).clone()]), kv).unwrap_or_default();
            !takes.is_empty() && takes.is_subset(&held)
        };
        of.iter().filter(is_held).cloned().collect()
    }
}

/// Whether a role is this workload's: it lets in its tokens, and no others.
pub(super) fn lets_in(bound: Option<&Value>, workload: &Workload) -> bool {
    let bound = bound.and_then(Value::as_str);
    bound.is_some_and(|bound| workload.subject().is_ok_and(|subject| subject.as_str() == bound))
}

#[cfg(test)]
#[path = "workloads_tests.rs"]
mod tests;
