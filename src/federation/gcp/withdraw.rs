//! PURE. The way back: bindings, provider, pool.

use super::{
    Binding, Deed, Step,
    bindings::{needs_of, shown},
    mark::Owner,
    plan::{on_project, step},
    roles::ever_granted,
    state::{Life, Provider, Seen, State},
    step::ordered,
};
use crate::{
    error::Result,
    federation::{After, Trust},
    google::needs,
    plan::Action,
};

/// One part of the way back.
type Withdrawn = crate::federation::Withdrawn<Step>;

/// Nothing is removed that is not this cluster's, and nothing that others still use.
pub(super) fn withdraw(want: &Trust, state: &State) -> Result<Vec<Withdrawn>> {
    let mut all = bindings(want, state)?;
    let provider = state.provider().map(|provider| {
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged live on for an hour at most";
        let object = state.ids.shown_provider();
        kept(&object, &provider.life, Some(provider), want).unwrap_or_else(|| {
            let permission = "iam.workloadIdentityPoolProviders.delete";
            remove(object, permission, why, Step::Provider(Deed::Delete), state)
        })
    });
    let provider_stays = provider.as_ref().is_some_and(|provider| !provider.change.is_pending())
        && state.provider().is_some_and(|provider| !provider.life.deleted);
    all.extend(provider);
    all.extend(state.pool.as_ref().map(|pool| {
        let object = state.ids.shown_pool();
        let provider = state.provider();
        if let Some(kept) = kept(&object, &pool.life, provider, want) {
            return kept;
        }
        if state.neighbours().next().is_some() {
            return stays(object, "it has other providers");
        }
        if provider_stays {
            return stays(object, "its provider stays");
        }
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged through it stop working";
        remove(object, "iam.workloadIdentityPools.delete", why, Step::Pool(Deed::Delete), state)
    }));
    ordered(all.iter_mut().map(|one| &mut one.change).collect());
    Ok(all)
}

/// The roles of the workload's principal.
fn bindings(want: &Trust, state: &State) -> Result<Vec<Withdrawn>> {
    let principal = state.ids.principal(&state.project.number, &want.subject()?);
    let mut all = Vec::new();
    let foreign = principal_of_others(want, state);
    for (holder, seen) in &state.policies {
        let Seen::Known(policy) = seen else { continue };
        for &role in ever_granted(holder) {
            let object = format!("{role} on the {} from {principal}", shown(holder, state));
            if let Some(foreign) = &foreign
                && policy.has(role, &principal)
            {
                all.push(stays(object.clone(), foreign.clone()));
            } else if policy.has(role, &principal) {
                let step =
                    step(Action::Revoke, object.clone(), "the workload will not log in this way any more")
                        .requires(needs_of(holder, state));
                let binding = Binding {
                    holder: holder.clone(),
                    role,
                    member: principal.clone(),
                    seen: Some(policy.clone()),
                };
                all.push(Withdrawn::goes(step, Step::Revoke(binding)));
            }
            if policy.has_conditionally(role, &principal) {
                all.push(stays(object, "the binding has a condition: keyless did not make it"));
            }
        }
    }
    Ok(all)
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
            "no provider in the pool believes this cluster, so it may be another's (the description is `{}`)",
            pool.life.description.escape_debug()
        )
    })
}

/// Why a pool or provider stays; `None`: it is this cluster's, and goes. `provider` is what must fit in other ways than
/// by the description.
fn kept(object: &str, life: &Life, provider: Option<&Provider>, want: &Trust) -> Option<Withdrawn> {
    let description = life.description.escape_debug();
    let left = |why| Some(stays(object, why));
    match life.owner(&want.cluster_id) {
        Owner::Other(_) => return Some(Withdrawn::left(After::OfAnotherCluster, object, theirs(life))),
        Owner::None => {
            return left(format!("keyless did not make it (its description is `{description}`)"));
        }
        Owner::Unnamed if !provider.is_some_and(|provider| provider.believes(want)) => {
            return left(format!(
                "it does not say which cluster it was made for (its description is `{description}`), and does not believe this one"
            ));
        }
        Owner::Unnamed | Owner::This => {}
    }
    if life.deleted {
        let why = "it is deleted already, and gone for good within 30 days";
        return Some(Withdrawn::left(After::Gone, object, why));
    }
    None
}

fn theirs(life: &Life) -> String {
    format!("it belongs to another cluster (the description is `{}`)", life.description.escape_debug())
}

fn stays(object: impl Into<String>, why: impl Into<String>) -> Withdrawn {
    Withdrawn::left(After::Stays, object, why)
}

fn remove(object: String, permission: &str, why: &str, what: Step, state: &State) -> Withdrawn {
    let step = step(Action::Delete, object, why).requires(needs(permission, &on_project(state)));
    Withdrawn::goes(step, what)
}
