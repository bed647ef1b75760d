//! What is asked again of Cloud Storage, and when.

use std::time::Instant;

use super::*;

/// What the store asks for, far beyond the pauses of its own.
const ASKED: Duration = Duration::from_secs(1);

#[tokio::test]
async fn retry_after_of_store_is_honoured() {
    let (store, mut gcs) = store();
    gcs.api.backoff.deadline = Duration::from_secs(60);
    store.faults().next(1, "GET", "/o/", Fault::later(503, "1"));
    let begun = Instant::now();
    assert!(gcs.read(JWKS).await.unwrap().is_none());
    assert!(begun.elapsed() >= ASKED, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn refusal_of_store_is_final() {
    let (store, gcs) = store();
    store.faults().always("GET", "/o/", Fault::later(400, "0"));
    let error = gcs.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::BucketRefused, "{error}");
    assert_eq!(store.faults().requests().len(), 2, "metadata and content, each once");
}
