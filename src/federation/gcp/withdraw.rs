//! PURE. The way back: bindings, provider, pool.

use super::{
    Binding, Deed, Step,
    bindings::{needs_of, shown},
    documents,
    plan::on_project,
    roles::ever_granted,
    state::{Life, Pool, Seen, State},
    step::ordered,
};
use crate::{
    error,
    federation::{Login, Naming, Subject, Trust, Workload, resource::step},
    google::needs,
    plan::{
        self, Action, Desired, Fit, Observed, Obstacle, decide,
        ownership::{Evidence, Owner, Ownership, described},
    },
};

/// One part of the way back.
type Withdrawn = crate::federation::Withdrawn<Step>;

/// Nothing is removed that is not this cluster's, and nothing that others still use.
pub(super) fn withdraw(want: &Trust, state: &State) -> error::Result<Vec<Withdrawn>> {
    let mut all = bindings(want, state)?;
    let provider = state.provider().map(|provider| {
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged live on for an hour at most";
        let step = step(Action::Delete, state.ids.shown_provider(), why)
            .requires(needs("iam.workloadIdentityPoolProviders.delete", &on_project(state)));
        let decision = decide_removal(&provider.life, state, want, false);
        decided(decision, step, Step::Provider(Deed::Delete), &provider.life, "").shared()
    });
    let provider_stays = provider.as_ref().is_some_and(|provider| !provider.change.is_pending())
        && state.provider().is_some_and(|provider| !provider.life.deleted);
    all.extend(provider);
    all.extend(state.pool.as_ref().map(|Pool { life }| {
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged through it stop working";
        let step = step(Action::Delete, state.ids.shown_pool(), why)
            .requires(needs("iam.workloadIdentityPools.delete", &on_project(state)));
        let used = match (state.neighbours().next(), provider_stays) {
            (Some(_), _) => "it has other providers",
            (None, true) => "its provider stays",
            (None, false) => "",
        };
        let decision = decide_removal(life, state, want, !used.is_empty());
        decided(decision, step, Step::Pool(Deed::Delete), life, used).shared()
    }));
    ordered(all.iter_mut().map(|one| &mut one.change).collect());
    Ok(all)
}

/// The workloads that have a role of this pool's on what was looked at, whether or not anything uses it. A role has no mark:
/// a person may have granted it.
pub(super) fn logins(want: &Trust, state: &State) -> Vec<Login> {
    if state.pool.is_none() || principal_of_others(want, state).is_some() {
        return Vec::new();
    }
    let known = state.policies.iter().filter_map(|(holder, seen)| match seen {
        Seen::Known(policy) => Some((holder, policy)),
        _ => None,
    });
    let members =
        known.flat_map(|(holder, policy)| ever_granted(holder).iter().flat_map(|role| policy.members(role)));
    let subjects = members.filter_map(|member| state.ids.subject_of(&state.project.number, member));
    let accounts = subjects.filter_map(Subject::account_of);
    let workloads = Workload::merged(accounts.map(|account| Workload::new(account, Naming::FromAccount)));
    workloads.into_iter().map(|workload| Login { workload, is_marked: false, stays: None }).collect()
}

/// The roles of each workload's principal.
fn bindings(want: &Trust, state: &State) -> error::Result<Vec<Withdrawn>> {
    let principal = |subject: &Subject| state.ids.principal(&state.project.number, subject);
    let mut all = Vec::new();
    for (index, (workload, subject)) in want.workloads.iter().zip(want.subjects()?).enumerate() {
        let principal = principal(&subject);
        // A store's account may be the publisher's as well.
        let is_first = want.workloads[..index].iter().all(|other| other.account != workload.account);
        if is_first {
            all.extend(bindings_of(&principal, want, state));
        }
        all.extend(documents::withdraw(want, workload, &principal, state));
    }
    Ok(all)
}

fn bindings_of(principal: &str, want: &Trust, state: &State) -> Vec<Withdrawn> {
    let mut all = Vec::new();
    let doubt = principal_of_others(want, state);
    // A binding has no mark: whose it is follows from the pool and its providers.
    let ownership = if doubt.is_some() { Ownership::Unproven } else { Ownership::This };
    for (holder, seen) in &state.policies {
        let Seen::Known(policy) = seen else { continue };
        for &role in ever_granted(holder) {
            let part = |ownership, stays: &str| {
                let object = format!("{role} on the {} from {principal}", shown(holder, state));
                let why = "the workload will not log in this way any more";
                let step = step(Action::Revoke, object, why).requires(needs_of(holder, state));
                let (holder, member, seen) = (holder.clone(), principal.to_owned(), Some(policy.clone()));
                let observed = Observed::active(ownership, Fit::Equal);
                let decision = decide(Desired::Absent { used_by_others: false }, observed);
                let act = Step::Revoke(Binding { holder, role, member, seen });
                Withdrawn::decided(decision, step, act, "", |_| stays.to_owned())
            };
            if policy.has(role, principal) {
                all.push(part(ownership, doubt.as_deref().unwrap_or_default()));
            }
            if policy.has_conditionally(role, principal) {
                all.push(part(Ownership::Foreign, "the binding has a condition: keyless did not make it"));
            }
        }
    }
    all
}

/// The same subject of another cluster in the same pool is the same principal. Why what it was granted may be that
/// cluster's; `None`: it is this one's.
fn principal_of_others(want: &Trust, state: &State) -> Option<String> {
    let lives =
        state.pool.iter().map(|pool| &pool.life).chain(state.provider().map(|provider| &provider.life));
    if let Some(life) = lives.into_iter().find(|life| matches!(life.owner(&want.cluster_id), Owner::Other(_)))
    {
        return Some(theirs(life));
    }
    let pool = state.pool.as_ref().filter(|pool| pool.life.owner(&want.cluster_id) != Owner::This)?;
    let believed = state.providers.iter().any(|provider| provider.believes(want));
    (!believed).then(|| {
        format!(
            "no provider in the pool believes this cluster, so it may be another's ({})",
            described(&pool.life.description)
        )
    })
}

/// Of a pool or provider. To delete takes more than to adopt: a mark that names no cluster counts only where the provider
/// believes this very cluster.
fn decide_removal(
    life: &Life,
    state: &State,
    want: &Trust,
    used_by_others: bool,
) -> Result<Action, Obstacle> {
    let believes = || state.provider().is_some_and(|provider| provider.believes(want));
    let evidence = || if believes() { Evidence::ThisCluster } else { Evidence::None };
    let ownership = life.owner(&want.cluster_id).proved(evidence);
    let observed = Observed::Present { ownership, lifecycle: life.lifecycle(), fit: Fit::Equal };
    decide(Desired::Absent { used_by_others }, observed)
}

/// `used`: by what else a pool is used.
fn decided(
    decision: Result<Action, Obstacle>,
    step: plan::Step,
    act: Step,
    life: &Life,
    used: &str,
) -> Withdrawn {
    let gone = "it is deleted already, and gone for good within 30 days";
    Withdrawn::decided(decision, step, act, gone, |obstacle| {
        let description = described(&life.description);
        match obstacle {
            Obstacle::OtherCluster => theirs(life),
            Obstacle::Used => used.to_owned(),
            Obstacle::Unproven | Obstacle::OtherIssuer => format!(
                "it does not say which cluster it was made for ({description}), and does not believe this one"
            ),
            Obstacle::Foreign | Obstacle::Missing | Obstacle::Unfit => {
                format!("keyless did not make it ({description})")
            }
        }
    })
}

fn theirs(life: &Life) -> String {
    format!("it belongs to another cluster ({})", described(&life.description))
}
