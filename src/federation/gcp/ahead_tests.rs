//! What is asked before the plan asks it.

use super::{tests::*, *};

/// Everything that was asked, each as often as it was.
fn asked(far: &Far) -> Vec<String> {
    let calls = far.google.faults().requests();
    let mut all: Vec<_> = calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    all.sort();
    all
}

#[tokio::test]
async fn plan_after_look_asks_nothing() {
    let far = Far::new();
    let (gcp, trust) = (far.gcp(), far.trust());
    gcp.look_ahead(&trust).await;
    let ahead = asked(&far);
    let login = gcp.store_login().await.unwrap();
    let plan = gcp.plan(&trust).await.unwrap();
    assert_eq!(asked(&far), ahead);
    let mut once = ahead.clone();
    once.dedup();
    assert_eq!(once, ahead, "each thing is asked once");
    // It is what a look at the time of the plan asks and finds.
    far.google.faults().forget();
    let other = far.gcp();
    let direct = other.plan(&trust).await.unwrap();
    assert_eq!(asked(&far), ahead);
    let steps = |plan: &Plan<'_>| plan.changes.iter().map(|it| it.step.clone()).collect::<Vec<_>>();
    assert_eq!(steps(&plan), steps(&direct));
    assert!(login.given_name().is_none());
}

#[tokio::test]
async fn second_plan_looks_again() {
    let far = Far::new();
    let (gcp, trust) = (far.gcp(), far.trust());
    gcp.look_ahead(&trust).await;
    let ahead = asked(&far);
    assert!(gcp.plan(&trust).await.unwrap().changes.iter().any(Change::is_pending));
    far.set_up().await.unwrap();
    far.google.faults().forget();
    let plan = gcp.plan(&trust).await.unwrap();
    assert!(!plan.changes.iter().any(Change::is_pending), "{plan:#?}");
    assert_eq!(asked(&far), ahead);
}

#[tokio::test]
async fn no_answer_outlives_a_write() {
    let far = Far::new();
    let (gcp, trust) = (far.gcp(), far.trust());
    let plan = gcp.plan(&trust).await.unwrap();
    gcp.look_ahead(&trust).await;
    let ahead = asked(&far);
    for change in plan.changes.iter().filter(|change| change.is_pending()) {
        change.run(&mut |_| {}).await.unwrap();
    }
    far.google.faults().forget();
    let plan = gcp.plan(&trust).await.unwrap();
    assert!(!plan.changes.iter().any(Change::is_pending), "{plan:#?}");
    assert!(!asked(&far).is_empty() && asked(&far).len() <= ahead.len());
}

#[tokio::test]
async fn refused_look_is_told_by_plan() {
    let far = Far::new();
    far.google.deny("iam.workloadIdentityPoolProviders.list");
    let (gcp, trust) = (far.gcp(), far.trust());
    gcp.look_ahead(&trust).await;
    let early = gcp.plan(&trust).await.unwrap_err();
    let direct = far.gcp().plan(&trust).await.unwrap_err();
    assert_eq!(early.to_string(), direct.to_string());
    far.google.allow("iam.workloadIdentityPoolProviders.list");
    gcp.plan(&trust).await.unwrap();
}
