//! What is asked again of Google, and when.

use std::time::{Duration, Instant};

use lab::Fault;

use super::{tests::*, *};
use crate::error::Code;

const POOL: &str = "workloadIdentityPools/keyless-lab";
/// What the server asks for, far beyond the pauses of its own.
const ASKED: Duration = Duration::from_secs(1);

/// Of the pool and of its providers: two without any repetition.
fn looks(far: &Far) -> usize {
    far.google
        .faults()
        .requests()
        .iter()
        .filter(|call| call.method == "GET" && call.path.contains(POOL))
        .count()
}

#[tokio::test]
async fn retry_after_of_google_is_honoured() {
    let far = Far::new();
    far.google.faults().next(1, "GET", POOL, Fault::later(503, "1"));
    let mut gcp = far.gcp();
    gcp.api.pace.request.deadline = Duration::from_secs(60);
    let begun = Instant::now();
    gcp.plan(&far.trust()).await.unwrap();
    assert!(begun.elapsed() >= ASKED, "{:?}", begun.elapsed());
    assert_eq!(looks(&far), 3);
    // Longer than a run waits: an earlier attempt would be refused again.
    far.google.faults().always("GET", POOL, Fault::later(503, "3600"));
    let (begun, asked) = (Instant::now(), looks(&far));
    far.gcp().plan(&far.trust()).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(looks(&far), asked + 2);
}

#[tokio::test]
async fn unreadable_retry_after_is_ignored() {
    let far = Far::new();
    far.google.faults().next(2, "GET", POOL, Fault::later(503, "-3600"));
    let mut gcp = far.gcp();
    gcp.api.pace.request.deadline = Duration::from_secs(60);
    let begun = Instant::now();
    gcp.plan(&far.trust()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(looks(&far), 4);
}

/// What it would send was decided before the other change.
#[tokio::test]
async fn conflicting_upload_is_not_repeated() {
    let far = Far::new();
    far.set_up().await.unwrap();
    let (gcp, before) = (far.gcp(), far.provider());
    let new = lab::SigningKey::ec(lab::Curve::P256);
    let change = gcp.plan_keys(&trust(&[&far.key, &new])).await.unwrap();
    let body = r#"{"error": {"code": 409, "status": "ABORTED", "message": "under way"}}"#;
    far.google.faults().next(1, "PATCH", POOL, Fault::answer(409, "application/json", body));
    far.google.faults().forget();
    let error = change.run(&mut |_| {}).await.unwrap_err();
    assert_eq!((error.code, far.writes().len()), (Code::ApplyRaced, 1), "{error}");
    assert_eq!(far.provider(), before);
    change.run(&mut |_| {}).await.unwrap();
    assert_ne!(far.provider()["oidc"], before["oidc"]);
}

#[tokio::test]
async fn refusal_of_google_is_final() {
    let far = Far::new();
    far.google.faults().always("GET", POOL, Fault::later(400, "0"));
    let error = far.gcp().plan(&far.trust()).await.unwrap_err();
    assert_eq!((error.code, looks(&far)), (Code::GoogleRefused, 2), "{error}");
}
