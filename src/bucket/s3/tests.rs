//! Against the stand-in, in the habits of every kind of store.

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use lab::{Conditions, Fault, Flavour};

use super::*;
use crate::bucket::{
    Addressing,
    contract::{self, Traits, conflict, discovery, jwks, read, refused},
};

mod opening;
mod refusals;

pub(super) const JWKS: &str = "prod/openid/v1/jwks";
pub(super) const DISCOVERY: &str = "prod/.well-known/openid-configuration";

pub(super) fn names() -> [String; 2] {
    [JWKS.to_owned(), DISCOVERY.to_owned()]
}

/// A client of the stand-in, as the product makes it, but with these credentials and without long pauses.
pub(super) fn client(store: &lab::S3, who: &lab::Credentials) -> S3 {
    client_in(store, who, "eu-central-1", store.url())
}

pub(super) fn client_in(store: &lab::S3, who: &lab::Credentials, region: &str, endpoint: String) -> S3 {
    let http = Http::new(&[]).unwrap();
    let endpoint = location::endpoint(&endpoint).unwrap();
    let path = Some(Addressing::Path);
    let mut location = S3Location::new("keys", Some(endpoint), region.to_owned(), path, None).unwrap();
    location.public_url = Some(format!("{}/keys", store.url()));
    let (id, secret, token) = (&who.access_key_id, &who.secret_access_key, who.session_token.clone());
    let credentials = SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "test"));
    let retry = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let client = config::client(&location, credentials, &SdkConfig::builder().build(), &http, retry);
    let mut s3 = S3::new(location, client, &http);
    s3.pause = Duration::from_millis(1);
    s3
}

/// A store of this kind with an empty bucket, and its owner's client.
pub(super) fn store(flavour: Flavour) -> (lab::S3, S3) {
    let store = lab::S3::start(flavour);
    store.own_bucket("keys");
    let mut s3 = client(&store, &store.credentials());
    s3.location.aws = flavour == Flavour::Aws;
    (store, s3)
}

pub(super) async fn stranger(s3: &S3, name: &str) -> u16 {
    s3.http.get(&format!("{}/{name}", s3.public_url().unwrap())).await.unwrap().status
}

fn puts(store: &lab::S3) -> Vec<lab::Call> {
    store.faults().requests().into_iter().filter(|call| call.method == "PUT").collect()
}

async fn holds(flavour: Flavour, condition: Condition) {
    let (store, s3) = store(flavour);
    contract::holds(&s3, Traits { headers: true, condition }).await;
    let stray: Vec<_> = store.keys("keys").into_iter().filter(|key| key.contains("probe")).collect();
    assert_eq!(stray, Vec::<String>::new(), "throw-away objects are deleted");
}

#[tokio::test]
async fn aws_keeps_the_contract() {
    holds(Flavour::Aws, Condition::Kept).await;
}

#[tokio::test]
async fn a_compatible_store_keeps_the_contract() {
    holds(Flavour::Compatible, Condition::Kept).await;
}

#[tokio::test]
async fn ceph_keeps_the_contract() {
    holds(Flavour::Rgw, Condition::Kept).await;
}

#[tokio::test]
async fn a_store_with_access_lists_only_keeps_the_contract() {
    holds(Flavour::AclOnly, Condition::Kept).await;
}

#[tokio::test]
async fn aws_is_not_probed() {
    let (store, s3) = store(Flavour::Aws);
    assert_eq!(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap(), Condition::Kept);
    let calls = store.faults().requests();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].header("if-none-match"), Some("*"));
    assert_eq!(calls[0].header("cache-control"), Some("public, max-age=300"));
}

#[tokio::test]
async fn another_store_is_probed_once_beside_the_documents() {
    let (store, s3) = store(Flavour::Compatible);
    s3.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    s3.write(DISCOVERY, &discovery("{}"), &Expected::Absent).await.unwrap();
    let calls = store.faults().requests();
    let probes: Vec<_> = calls.iter().filter(|call| call.path.contains("/prod/.keyless-probe-")).collect();
    assert_eq!(probes.last().unwrap().method, "DELETE");
    assert_eq!((probes.len(), calls.len()), (5, 7), "{calls:#?}");
    assert_eq!(store.keys("keys"), [DISCOVERY, JWKS]);
}

#[tokio::test]
async fn reading_probes_nothing() {
    let (store, s3) = store(Flavour::Compatible);
    assert_eq!(read(&s3, JWKS).await, None);
    assert_eq!(store.faults().requests().len(), 1);
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_found_out_and_compared_by_hand() {
    let (store, s3) = store(Flavour::IgnoresConditions);
    let kept = s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap();
    assert_eq!(kept, Condition::Ignored);
    let stored = read(&s3, JWKS).await;
    conflict(s3.write(JWKS, &jwks("two"), &Expected::Absent).await);
    conflict(s3.write(JWKS, &jwks("two"), &Expected::Present(Version("\"other\"".into()))).await);
    assert_eq!(read(&s3, JWKS).await, stored);
    s3.write(JWKS, &jwks("two"), &Expected::of(stored.as_ref())).await.unwrap();
    assert_eq!(store.object("keys", JWKS).unwrap().body, b"two");
    assert!(
        puts(&store)
            .iter()
            .filter(|put| put.path.ends_with("jwks"))
            .all(|put| put.header("if-match").is_none())
    );
}

#[tokio::test]
async fn a_store_that_refuses_conditions_is_compared_by_hand() {
    let (store, s3) = store(Flavour::Compatible);
    store.change(|settings| settings.conditions = Conditions::Unsupported);
    assert_eq!(s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap(), Condition::Ignored);
    conflict(s3.write(JWKS, &jwks("two"), &Expected::Absent).await);
}

#[tokio::test]
async fn an_etag_without_quotes_where_the_store_wants_it_so() {
    let (store, s3) = store(Flavour::Rgw);
    s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap();
    let stored = read(&s3, JWKS).await;
    assert_eq!(s3.write(JWKS, &jwks("two"), &Expected::of(stored.as_ref())).await.unwrap(), Condition::Kept);
    let sent = puts(&store).last().unwrap().header("if-match").unwrap().to_owned();
    assert_eq!(format!("\"{sent}\""), stored.unwrap().version.0);
}

/// Rights for the two documents only: the throw-away object is refused.
fn no_probe(store: &lab::S3) {
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    store.faults().always("", ".keyless-probe-", Fault::answer(403, "application/xml", denied));
}

#[tokio::test]
async fn where_the_probe_is_forbidden_conditions_are_sent_and_nothing_is_promised() {
    let (store, s3) = store(Flavour::Compatible);
    no_probe(&store);
    assert_eq!(s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap(), Condition::Unknown);
    conflict(s3.write(JWKS, &jwks("two"), &Expected::Absent).await);
    let stored = read(&s3, JWKS).await;
    s3.write(JWKS, &jwks("two"), &Expected::of(stored.as_ref())).await.unwrap();
    conflict(s3.write(JWKS, &jwks("three"), &Expected::of(stored.as_ref())).await);
}

#[tokio::test]
async fn where_the_probe_is_forbidden_odd_stores_still_work() {
    let (store_, s3) = store(Flavour::Rgw);
    no_probe(&store_);
    s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap();
    let stored = read(&s3, JWKS).await;
    assert_eq!(
        s3.write(JWKS, &jwks("two"), &Expected::of(stored.as_ref())).await.unwrap(),
        Condition::Unknown
    );
    conflict(s3.write(JWKS, &jwks("three"), &Expected::of(stored.as_ref())).await);

    let (store_, s3) = store(Flavour::Compatible);
    no_probe(&store_);
    store_.change(|settings| settings.conditions = Conditions::Unsupported);
    assert_eq!(s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap(), Condition::Ignored);
}

#[tokio::test]
async fn a_probe_that_fails_writes_nothing() {
    for (method, status) in [("PUT", 500), ("PUT", 429)] {
        let (store, s3) = store(Flavour::Compatible);
        store.faults().always(method, ".keyless-probe-", Fault::status(status));
        refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
        assert_eq!(store.keys("keys"), Vec::<String>::new(), "{status}");
    }
    let (store, s3) = store(Flavour::Compatible);
    store.faults().always("PUT", ".keyless-probe-", Fault::CloseAfterEffect);
    refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(store.keys("keys"), Vec::<String>::new(), "what was stored unseen is deleted");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again() {
    let (store, s3) = store(Flavour::Aws);
    store.faults().next(1, "PUT", JWKS, Fault::CloseAfterEffect);
    // The first request took effect, so the second meets its own work: the caller reads and sees.
    conflict(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(read(&s3, JWKS).await.unwrap().body, b"{}");
    store.faults().next(2, "GET", JWKS, Fault::CutBody);
    assert_eq!(read(&s3, JWKS).await.unwrap().body, b"{}");
}

#[tokio::test]
async fn another_writer_at_this_very_moment_is_a_conflict() {
    let (store, s3) = store(Flavour::Aws);
    store.faults().next(1, "PUT", JWKS, lab::S3::conflict());
    let said = conflict(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert!(said.contains("ConditionalRequestConflict"), "{said}");
}
