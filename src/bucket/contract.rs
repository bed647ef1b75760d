//! What every kind of bucket must do, as one suite over `&dyn Bucket`. Each kind runs [`holds`] in its tests.

use super::{Bucket, Condition, Expected, Stored, Version, WriteError};
use crate::oidc::{CACHE_CONTROL, DISCOVERY_PATH, Document, JWKS_PATH};

/// What kinds of buckets may differ in.
#[derive(Clone, Copy)]
pub(super) struct Traits {
    /// Content type and cache time are kept beside the bytes.
    pub(super) headers: bool,
    /// What becomes of the condition of a write.
    pub(super) condition: Condition,
}

pub(super) fn jwks(body: &str) -> Document {
    Document {
        path: JWKS_PATH,
        body: body.as_bytes().to_vec(),
        content_type: "application/jwk-set+json",
        cache_control: CACHE_CONTROL,
    }
}

pub(super) fn discovery(body: &str) -> Document {
    Document { path: DISCOVERY_PATH, content_type: "application/json", ..jwks(body) }
}

pub(super) async fn read(bucket: &dyn Bucket, name: &str) -> Option<Stored> {
    bucket.read(name).await.unwrap()
}

#[track_caller]
pub(super) fn conflict(outcome: Result<Condition, WriteError>) -> String {
    match outcome {
        Err(WriteError::Conflict(message)) => message,
        other => panic!("no conflict, but {other:?}"),
    }
}

#[track_caller]
pub(super) fn refused(outcome: Result<Condition, WriteError>) -> crate::error::Error {
    match outcome {
        Err(WriteError::Other(error)) => error,
        other => panic!("no refusal, but {other:?}"),
    }
}

/// Applies everything that it takes until everyone can read these objects. Gives back what was done, step by step.
pub(super) async fn open(bucket: &dyn Bucket, names: &[String]) -> crate::error::Result<Vec<String>> {
    let planned = bucket.plan_public(names).await?;
    let mut done = Vec::new();
    for change in planned.create.iter().chain(&planned.open) {
        change.run(&mut |_| {}).await?;
        done.push(change.step.name.clone());
    }
    Ok(done)
}

/// Runs the whole suite on an opened, empty bucket.
pub(super) async fn holds(bucket: &dyn Bucket, traits: Traits) {
    for prefix in ["", "prod/", "a.b/c-d/e_f/"] {
        one_object(bucket, &format!("{prefix}{JWKS_PATH}"), &jwks("{\"keys\":[1]}"), traits).await;
        one_object(bucket, &format!("{prefix}{DISCOVERY_PATH}"), &discovery("{\"issuer\":\"a\"}"), traits)
            .await;
    }
    two_writers(bucket, traits).await;
    open_again(bucket).await;
}

/// Absent, then written, then replaced; never by a writer who knows another state.
async fn one_object(bucket: &dyn Bucket, name: &str, first: &Document, traits: Traits) {
    let second = Document { body: [&first.body[..], b"\n"].concat(), ..first.clone() };
    assert_eq!(read(bucket, name).await, None, "{name} is absent");
    let unknown = Expected::Present(Version("\"unknown-wrote-this\"".to_owned()));
    let nothing = Expected::Present(Version("1".to_owned()));
    conflict(bucket.write(name, first, &unknown).await);
    conflict(bucket.write(name, first, &nothing).await);
    assert_eq!(read(bucket, name).await, None, "{name} is still absent");

    let kept = bucket.write(name, first, &Expected::Absent).await.unwrap();
    assert_eq!(kept, traits.condition);
    let stored = read(bucket, name).await.expect("it was written");
    assert_holds(&stored, first, traits);
    assert_eq!(read(bucket, name).await.as_ref(), Some(&stored), "reading twice gives the same");

    conflict(bucket.write(name, &second, &Expected::Absent).await);
    conflict(bucket.write(name, &second, &unknown).await);
    conflict(bucket.write(name, &second, &nothing).await);
    assert_eq!(read(bucket, name).await.as_ref(), Some(&stored), "a conflict leaves all as it was");

    bucket.write(name, &second, &Expected::of(Some(&stored))).await.unwrap();
    let replaced = read(bucket, name).await.expect("it was replaced");
    assert_holds(&replaced, &second, traits);
    conflict(bucket.write(name, first, &Expected::of(Some(&stored))).await);
    assert_eq!(read(bucket, name).await, Some(replaced));
}

#[track_caller]
fn assert_holds(stored: &Stored, document: &Document, traits: Traits) {
    assert_eq!(stored.body, document.body);
    let (content_type, cache_control) = match traits.headers {
        true => (Some(document.content_type.to_owned()), Some(document.cache_control.to_owned())),
        false => (None, None),
    };
    assert_eq!((&stored.content_type, &stored.cache_control), (&content_type, &cache_control));
}

/// Of two writers who know the same state, one wins; the other learns of it.
async fn two_writers(bucket: &dyn Bucket, traits: Traits) {
    let name = format!("race/{JWKS_PATH}");
    for round in 0..10 {
        let expected = Expected::of(read(bucket, &name).await.as_ref());
        let [mine, other] = ["mine", "other"].map(|writer| jwks(&format!("{writer} {round}")));
        let (first, second) =
            futures::join!(bucket.write(&name, &mine, &expected), bucket.write(&name, &other, &expected),);
        let winner = match (first, second) {
            (Ok(_), Err(WriteError::Conflict(_))) => &mine.body,
            (Err(WriteError::Conflict(_)), Ok(_)) => &other.body,
            // Nothing better can be had from a store that ignores conditions; it says so.
            (Ok(Condition::Ignored), Ok(Condition::Ignored)) => continue,
            // The store asked both to come again.
            (Err(WriteError::Conflict(_)), Err(WriteError::Conflict(_))) => continue,
            both => panic!("round {round}: {both:?}"),
        };
        assert_eq!(&read(bucket, &name).await.expect("one writer won").body, winner, "round {round}");
    }
    assert!(read(bucket, &name).await.is_some() || traits.condition == Condition::Ignored);
}

/// What is open stays as it is: nothing is planned for it.
async fn open_again(bucket: &dyn Bucket) {
    let names = [format!("open/{JWKS_PATH}"), format!("open/{DISCOVERY_PATH}")];
    for change in bucket.plan_public(&names).await.unwrap().create {
        change.run(&mut |_| {}).await.unwrap();
    }
    bucket.write(&names[0], &jwks("{}"), &Expected::Absent).await.unwrap();
    bucket.write(&names[1], &discovery("{}"), &Expected::Absent).await.unwrap();
    open(bucket, &names).await.unwrap();
    let stored = read(bucket, &names[0]).await;
    assert_eq!(open(bucket, &names).await.unwrap(), Vec::<String>::new());
    assert_eq!(read(bucket, &names[0]).await, stored);
}
