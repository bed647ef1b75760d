//! PURE. The way back: bindings, provider, pool.

use super::{
    Binding, Deed, Step,
    bindings::{ACCESSOR, WORKLOAD_USER, needs_of, shown},
    plan::{leave, on_project, step},
    state::{Holder, Life, Seen, State},
};
use crate::{
    federation::{Change, Trust, Verb},
    google::needs,
};

/// Nothing is removed that is not marked as ours, and nothing that others still use.
pub(super) fn withdraw(want: &Trust, state: &State) -> Vec<Change> {
    let principal = state.ids.principal(&state.project.number, &want.subject());
    let mut changes = Vec::new();
    // The same subject of another cluster is the same principal: what it was granted is that cluster's.
    let lives =
        state.pool.iter().map(|pool| &pool.life).chain(state.provider().map(|provider| &provider.life));
    let other = lives.into_iter().find(|life| life.is_of_another_cluster(&want.cluster_id));
    for (holder, seen) in &state.policies {
        let role = if matches!(holder, Holder::Account(_)) { WORKLOAD_USER } else { ACCESSOR };
        let Seen::Known(policy) = seen else { continue };
        let object = format!("{role} on the {} from {principal}", shown(holder, state));
        if let Some(life) = other
            && policy.has(role, &principal)
        {
            changes.push(leave(object.clone(), theirs(life)));
        } else if policy.has(role, &principal) {
            let step = step(Step::Revoke(Binding {
                holder: holder.clone(),
                role,
                member: principal.clone(),
                seen: Some(policy.clone()),
            }));
            let why = "the workload will not come this way any more".to_owned();
            let needs = needs_of(holder, state);
            changes.push(Change {
                verb: Verb::Revoke,
                object: object.clone(),
                why,
                differences: Vec::new(),
                needs,
                step,
            });
        }
        if policy.has_conditionally(role, &principal) {
            changes.push(leave(object, "the binding has a condition: somebody else has made it".to_owned()));
        }
    }
    changes.extend(state.provider().map(|provider| {
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged live on for an hour at most";
        remove(state.ids.shown_provider(), &provider.life, "iam.workloadIdentityPoolProviders.delete", why, Step::Provider(Deed::Delete), want, state)
    }));
    changes.extend(state.pool.as_ref().map(|pool| {
        let object = state.ids.shown_pool();
        if pool.life.is_ours(&want.cluster_id) && !pool.life.deleted && state.neighbours().next().is_some() {
            return leave(object, "it has other providers".to_owned());
        }
        let why = "Google keeps it for 30 days, and the name with it; tokens that were exchanged through it stop working";
        remove(object, &pool.life, "iam.workloadIdentityPools.delete", why, Step::Pool(Deed::Delete), want, state)
    }));
    changes
}

fn theirs(life: &Life) -> String {
    format!("it belongs to another cluster (the description is `{}`)", life.description.escape_debug())
}

fn remove(
    object: String,
    life: &Life,
    permission: &str,
    why: &str,
    what: Step,
    want: &Trust,
    state: &State,
) -> Change {
    if life.is_of_another_cluster(&want.cluster_id) {
        return leave(object, theirs(life));
    }
    if !life.is_ours(&want.cluster_id) {
        let why =
            format!("keyless did not make it (its description is `{}`)", life.description.escape_debug());
        return leave(object, why);
    }
    if life.deleted {
        return leave(object, "it is deleted already, and gone for good within 30 days".to_owned());
    }
    let needs = needs(permission, &on_project(state));
    Change {
        verb: Verb::Remove,
        object,
        why: why.to_owned(),
        differences: Vec::new(),
        needs,
        step: step(what),
    }
}
