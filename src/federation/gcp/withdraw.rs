//! PURE. The way back: bindings, provider, pool.

use super::{
    Binding, Deed, Step,
    bindings::{needs_of, shown},
    mark::Owner,
    plan::{leave, on_project, step},
    roles::ever_granted,
    state::{Life, Provider, Seen, State},
};
use crate::{
    error::Result,
    federation::{self, Change, Trust, Verb},
    google::needs,
};

/// Nothing is removed that is not this cluster's, and nothing that others still use.
pub(super) fn withdraw(want: &Trust, state: &State) -> Result<Vec<Change>> {
    let mut changes = bindings(want, state)?;
    let provider = state.provider().map(|provider| {
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged live on for an hour at most";
        let object = state.ids.shown_provider();
        kept(&object, &provider.life, Some(provider), want).unwrap_or_else(|| {
            let permission = "iam.workloadIdentityPoolProviders.delete";
            remove(object, permission, why, Step::Provider(Deed::Delete), state)
        })
    });
    let provider_stays = provider.as_ref().is_some_and(|change| change.verb == Verb::Leave)
        && state.provider().is_some_and(|provider| !provider.life.deleted);
    changes.extend(provider);
    changes.extend(state.pool.as_ref().map(|pool| {
        let object = state.ids.shown_pool();
        let provider = state.provider();
        if let Some(kept) = kept(&object, &pool.life, provider, want) {
            return kept;
        }
        if state.neighbours().next().is_some() {
            return leave(object, "it has other providers".to_owned());
        }
        if provider_stays {
            return leave(object, "its provider stays".to_owned());
        }
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged through it stop working";
        remove(object, "iam.workloadIdentityPools.delete", why, Step::Pool(Deed::Delete), state)
    }));
    Ok(changes)
}

/// The roles of the workload's principal.
fn bindings(want: &Trust, state: &State) -> Result<Vec<Change>> {
    let principal = state.ids.principal(&state.project.number, &want.subject()?);
    let mut changes = Vec::new();
    let foreign = principal_of_others(want, state);
    for (holder, seen) in &state.policies {
        let Seen::Known(policy) = seen else { continue };
        for &role in ever_granted(holder) {
            let object = format!("{role} on the {} from {principal}", shown(holder, state));
            if let Some(foreign) = &foreign
                && policy.has(role, &principal)
            {
                changes.push(leave(object.clone(), foreign.clone()));
            } else if policy.has(role, &principal) {
                changes.push(Change {
                    verb: Verb::Revoke,
                    object: object.clone(),
                    why: "the workload will not log in this way any more".to_owned(),
                    differences: Vec::new(),
                    needs: needs_of(holder, state),
                    step: step(Step::Revoke(Binding {
                        holder: holder.clone(),
                        role,
                        member: principal.clone(),
                        seen: Some(policy.clone()),
                    })),
                });
            }
            if policy.has_conditionally(role, &principal) {
                changes
                    .push(leave(object, "the binding has a condition: keyless did not make it".to_owned()));
            }
        }
    }
    Ok(changes)
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
fn kept(object: &str, life: &Life, provider: Option<&Provider>, want: &Trust) -> Option<Change> {
    let description = life.description.escape_debug();
    let left = |why| Some(leave(object.to_owned(), why));
    match life.owner(&want.cluster_id) {
        Owner::Other(_) => {
            let left = leave(object.to_owned(), theirs(life));
            return Some(Change { step: federation::Step::OfAnotherCluster, ..left });
        }
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
        let gone =
            leave(object.to_owned(), "it is deleted already, and gone for good within 30 days".to_owned());
        return Some(Change { step: federation::Step::Gone, ..gone });
    }
    None
}

fn theirs(life: &Life) -> String {
    format!("it belongs to another cluster (the description is `{}`)", life.description.escape_debug())
}

fn remove(object: String, permission: &str, why: &str, what: Step, state: &State) -> Change {
    Change {
        verb: Verb::Remove,
        object,
        why: why.to_owned(),
        differences: Vec::new(),
        needs: needs(permission, &on_project(state)),
        step: step(what),
    }
}
