//! What each workload is given for itself. What keeps one from it is no matter of the others.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Gcp, lacking, names::check_subject, observe, plan, roles::roles, state::Holder};
use crate::{
    error::Result,
    federation::{Plan, Right, Trust, Workload},
    google::Policy,
};

pub(super) async fn plan<'p>(gcp: &'p Gcp, want: &Trust) -> Result<Plan<'p>> {
    let mut plan = Plan::default();
    let mut want = want.clone();
    leave_out(&mut want, &mut plan, |workload| check(workload).err());
    // Of none of them Google would have to be told anything.
    if want.workloads.is_empty() && !plan.refused.is_empty() {
        return Ok(plan);
    }
    plan::check(&want, &gcp.settings)?;
    let (observed, on_project) =
        futures::join!(gcp.observe(&want, false), gcp.ahead.held.take_or(&(), lacking::ask_project(gcp)));
    let (state, denied) = observed?;
    leave_out(&mut want, &mut plan, |workload| {
        let mut rights = workload.rights.iter().chain(&workload.revoked).filter_map(Right::secret);
        rights.find_map(|secret| Some(denied.iter().find(|(name, _)| name == secret)?.1.clone()))
    });
    if want.workloads.is_empty() && !plan.refused.is_empty() {
        return Ok(plan);
    }
    let planned = plan::plan(&want, &gcp.settings, &state)?;
    plan.lacking = lacking::of(gcp, &state, &planned.changes, on_project).await;
    plan.changes = planned.changes.into_iter().map(|change| change.map(|step| gcp.act(step))).collect();
    (plan.impossible, plan.own) = (planned.impossible, planned.own);
    gcp.plan_former(&want, &state, &mut plan).await?;
    Ok(plan)
}

fn leave_out(
    want: &mut Trust,
    plan: &mut Plan<'_>,
    refuses: impl Fn(&Workload) -> Option<crate::error::Error>,
) {
    for workload in std::mem::take(&mut want.workloads) {
        match refuses(&workload) {
            Some(error) => plan.refused.push((workload.account, error)),
            None => want.workloads.push(workload),
        }
    }
}

/// What Google cannot take of one workload.
fn check(workload: &Workload) -> Result<()> {
    check_subject(&workload.subject()?)?;
    workload.rights.iter().chain(&workload.revoked).try_for_each(|right| super::named(right).map(drop))
}

/// By the roles of the workload's own principal. What a service account has may have been given to it by others. What
/// cannot be seen is not held.
pub(super) async fn held(gcp: &Gcp, workload: &Workload, of: &BTreeSet<Right>) -> BTreeSet<Right> {
    if of.is_empty() || gcp.settings.impersonate.is_some() {
        return BTreeSet::new();
    }
    let (Ok(subject), Ok(project)) = (workload.subject(), gcp.project().await) else {
        return BTreeSet::new();
    };
    let principal = gcp.ids.principal(&project.number, &subject);
    let takes: Vec<_> = of.iter().map(|right| (right, roles([right], gcp.settings.grant))).collect();
    let holders: BTreeSet<&Holder> =
        takes.iter().flat_map(|(_, roles)| roles.keys().map(|(holder, _)| holder)).collect();
    let asked = holders.into_iter().map(|holder| async move {
        let policy = gcp.ahead.policies.see_or(holder, observe::ask_policy(gcp, holder)).await;
        Some((holder, policy.ok()?))
    });
    let policies: BTreeMap<&Holder, Policy> = join_all(asked).await.into_iter().flatten().collect();
    let has = |(holder, role): &(Holder, &'static str)| {
        policies.get(holder).is_some_and(|policy| policy.has(role, &principal))
    };
    let held = takes.iter().filter(|(_, roles)| !roles.is_empty() && roles.keys().all(has));
    held.map(|(right, _)| (*right).clone()).collect()
}
