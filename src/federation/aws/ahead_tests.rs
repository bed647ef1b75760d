//! What is asked before the plan asks it.

use super::{tests::World, *};
use crate::plan::Change;

/// Everything that was asked, each as often as it was.
fn asked(world: &World) -> Vec<String> {
    let calls = world.account.faults().requests();
    let mut all: Vec<_> = calls.into_iter().filter_map(|call| call.action).collect();
    all.sort();
    all
}

#[tokio::test]
async fn plan_after_look_asks_nothing() {
    let world = World::new();
    let (aws, trust) = (world.aws(Service::SecretsManager), world.trust(&["db"]));
    aws.look_ahead(&trust).await;
    let ahead = asked(&world);
    assert_eq!(ahead, ["GetCallerIdentity", "GetOpenIDConnectProvider", "GetRole"]);
    let plan = aws.plan(&trust).await.unwrap();
    assert_eq!(asked(&world), ahead);
    // It is what a look at the time of the plan finds.
    let other = world.aws(Service::SecretsManager);
    let direct = other.plan(&trust).await.unwrap();
    let steps = |plan: &Plan<'_>| plan.changes.iter().map(|it| it.step.clone()).collect::<Vec<_>>();
    assert_eq!(steps(&plan), steps(&direct));
}

#[tokio::test]
async fn no_answer_outlives_a_write() {
    let world = World::new();
    let (aws, trust) = (world.aws(Service::SecretsManager), world.trust(&["db"]));
    let plan = aws.plan(&trust).await.unwrap();
    aws.look_ahead(&trust).await;
    for change in plan.changes.iter().filter(|change| change.is_pending()) {
        change.run(&mut |_| {}).await.unwrap();
    }
    let plan = aws.plan(&trust).await.unwrap();
    assert!(!plan.changes.iter().any(Change::is_pending), "{plan:#?}");
}

#[tokio::test]
async fn refused_look_is_told_by_plan() {
    let world = World::new();
    let mut aws = world.aws(Service::SecretsManager);
    aws.settings.account = "999999999999".into();
    aws.look_ahead(&world.trust(&["db"])).await;
    let ahead = asked(&world);
    let error = aws.plan(&world.trust(&["db"])).await.unwrap_err();
    assert_eq!((error.code, asked(&world)), (Code::AwsOtherAccount, ahead));
    // The next look asks again.
    assert_eq!(aws.plan(&world.trust(&["db"])).await.unwrap_err().code, Code::AwsOtherAccount);
    assert_eq!(asked(&world).iter().filter(|it| *it == "GetCallerIdentity").count(), 2);
}
