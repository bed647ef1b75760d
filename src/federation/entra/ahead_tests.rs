//! What is asked before the plan asks it.

use super::{tests::World, *};
use crate::plan::Change;

/// What was asked of Resource Manager, but for opened connections: each as often as it was.
fn asked(world: &World) -> Vec<String> {
    let calls = world.azure.faults().requests();
    let mut all: Vec<_> = calls
        .into_iter()
        .filter(|call| call.method != "HEAD" && call.path.contains("/subscriptions/"))
        .map(|call| format!("{} {}", call.method, call.path))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn plan_after_look_asks_nothing() {
    let world = World::new();
    let (entra, trust) = (world.entra(), world.trust(&["db"]));
    entra.look_ahead(&trust).await;
    let ahead = asked(&world);
    // Subscription, vault, resource group, identity.
    assert_eq!(ahead.len(), 4, "{ahead:#?}");
    let own = entra.of_workload(&trust.workloads[0]);
    assert_eq!(own.client_id().await.unwrap(), None);
    let plan = entra.plan(&trust).await.unwrap();
    assert_eq!(asked(&world), ahead);
    // It is what a look at the time of the plan finds.
    let other = world.entra();
    let direct = other.plan(&trust).await.unwrap();
    let steps = |plan: &Plan<'_>| plan.changes.iter().map(|it| it.step.clone()).collect::<Vec<_>>();
    assert_eq!(steps(&plan), steps(&direct));
}

#[tokio::test]
async fn no_answer_outlives_a_write() {
    let world = World::new();
    let (entra, trust) = (world.entra(), world.trust(&["db"]));
    let plan = entra.plan(&trust).await.unwrap();
    entra.look_ahead(&trust).await;
    for change in plan.changes.iter().filter(|change| change.is_pending()) {
        change.run(&mut |_| {}).await.unwrap();
    }
    let plan = entra.plan(&trust).await.unwrap();
    assert!(!plan.changes.iter().any(Change::is_pending), "{plan:#?}");
}

#[tokio::test]
async fn client_id_is_known_after_writes() {
    let world = World::new();
    let (entra, trust) = (world.entra(), world.trust(&["db"]));
    for change in entra.plan(&trust).await.unwrap().changes.iter().filter(|change| change.is_pending()) {
        change.run(&mut |_| {}).await.unwrap();
    }
    let (before, own) = (asked(&world), entra.of_workload(&trust.workloads[0]));
    let known = own.client_id().await.unwrap().unwrap();
    assert_eq!(asked(&world), before, "the look before the last write has shown it");
    let asked_anew = world.entra().of_workload(&trust.workloads[0]).client_id().await.unwrap();
    assert_eq!(asked_anew, Some(known));
}
