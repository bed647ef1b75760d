//! What `--force-sync` asks to run by the new login, as steps.

use serde_json::Value;

use super::{members::Member, plan::StorePart, retire::Retirement};
use crate::{
    cluster::{
        Cluster,
        objects::Object,
        snapshot::{EXTERNAL_SECRETS, Store},
    },
    error::Result,
    plan::{Action, Gate, Step},
    retirement::{
        Sighting, Stage, State, StoreId, Write,
        look::{PUSH_SECRETS, users},
        to_ask, uses,
    },
};

/// Those of a store that turns to its new login in this run, or whose replaced credential waits for them. `now` is by the
/// cluster's clock.
pub(super) async fn plan(
    cluster: &Cluster,
    member: &Member,
    part: &StorePart,
    now: u64,
) -> Result<Vec<Step>> {
    let Some(present) = member.present.as_ref().and_then(|present| present.store()) else {
        return Ok(Vec::new());
    };
    let switch = part.store().is_some_and(|store| store.changes_something());
    let state = match &part.retirement {
        Some(retirement) => retirement.state.clone(),
        None => State::new("", StoreId::of(present), None, Value::Null),
    };
    // It was switched by a run that was stopped before it noted that, or by a file.
    let waits = matches!(state.stage, Stage::Saved | Stage::Switched { .. })
        && part.retirement.as_ref().is_some_and(Retirement::goes_forward);
    if part.keeps_store() || !switch && !waits {
        return Ok(Vec::new());
    }
    let store = Store(present.clone());
    let all: Vec<_> =
        users(cluster, &member.store).await?.into_iter().filter(|user| uses(user, &store)).collect();
    let asked = to_ask(&state, all.iter().map(Sighting::of).collect(), switch, now);
    let asked = all.iter().filter(|user| asked.contains(&user.describe()));
    Ok(asked.map(|user| step(user, switch)).collect())
}

fn step(user: &Object, switch: bool) -> Step {
    let why = "its annotation force-sync has External Secrets Operator run it now, by the new login";
    let resource = if user.kind() == "PushSecret" { &PUSH_SECRETS } else { &EXTERNAL_SECRETS };
    let right = resource.right("patch", Some(user.namespace()), Some(user.name()));
    let name = user.describe();
    let step = Write::ForceSync(&name).step(Action::Update, why).requires(right);
    // The store is changed before, once its new login is proved.
    step.gated(switch.then_some(Gate::AfterProbe))
}
