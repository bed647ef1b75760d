//! Against the stand-in, in the habits of every kind of store.

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use lab::{Conditions, Fault, Flavour};

use super::*;
use crate::bucket::{
    Addressing,
    contract::{self, Traits, conflict, discovery, jwks, read, refused},
};

mod public;
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
    s3.lag.first = Duration::from_millis(1);
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

pub(super) async fn anonymous_status(s3: &S3, name: &str) -> u16 {
    s3.http.get(&format!("{}/{name}", s3.public_url().unwrap())).await.unwrap().status
}

fn puts(store: &lab::S3) -> Vec<lab::Call> {
    store.faults().requests().into_iter().filter(|call| call.method == "PUT").collect()
}

async fn holds(flavour: Flavour, condition: Condition) {
    let (store, s3) = store(flavour);
    contract::holds(&s3, Traits { headers: true, condition }).await;
    let stray: Vec<_> = store.keys("keys").into_iter().filter(|key| key.contains("probe")).collect();
    assert_eq!(stray, Vec::<String>::new(), "no throw-away objects");
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
async fn store_with_acls_only_keeps_contract() {
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

/// What a store makes of conditions shows by the documents themselves: no other object is ever made.
#[tokio::test]
async fn store_is_learnt_without_extra_objects() {
    for flavour in [Flavour::Compatible, Flavour::Rgw, Flavour::AclOnly, Flavour::IgnoresConditions] {
        let (store, s3) = store(flavour);
        s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap();
        s3.write(DISCOVERY, &discovery("{}"), &Expected::Absent).await.unwrap();
        let stored = read(&s3, JWKS).await;
        s3.write(JWKS, &jwks("two"), &Expected::of(stored.as_ref())).await.unwrap();
        assert_eq!(store.keys("keys"), [DISCOVERY, JWKS], "{flavour:?}");
        let others = |call: &&lab::Call| !call.path.contains(JWKS) && !call.path.contains(DISCOVERY);
        let calls = store.faults().requests();
        assert_eq!(calls.iter().filter(others).count(), 0, "{flavour:?} {calls:#?}");
        // Learnt once: the second document is written by one request.
        let written = puts(&store).iter().filter(|put| put.path.contains(DISCOVERY)).count();
        assert_eq!(written, 1, "{flavour:?}");
    }
}

#[tokio::test]
async fn leftovers_of_earlier_versions_are_found() {
    let (store, s3) = store(Flavour::Compatible);
    for name in [
        ".keyless-probe-0123456789abcdef",
        "prod/.keyless-probe-0123456789abcdef",
        "prod/.keyless-probe-0123456789abcdeg",
        "prod/.keyless-probe-0123",
        "prod/x/.keyless-probe-0123456789abcdef",
        "prod/.keyless-probe-0123456789abcdef.bak",
    ] {
        store.put("keys", name, "text/plain", None, b"left");
    }
    let names = |found: Vec<(String, Version)>| found.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(s3.leftovers("prod").await), ["prod/.keyless-probe-0123456789abcdef"]);
    let found = s3.leftovers("").await;
    assert_eq!(names(found.clone()), [".keyless-probe-0123456789abcdef"]);
    s3.remove(&found[0].0, &found[0].1).await.unwrap();
    assert_eq!(s3.leftovers("").await, []);
    // Without the right to list there is nothing to be found, and no error.
    let rights = lab::Access::Only(vec!["s3:GetObject".into()]);
    assert_eq!(client(&store, &store.add_credentials(rights)).leftovers("prod").await, []);
}

/// Amazon S3 User Guide, "Using server-side encryption with AWS KMS": such objects need a signed request.
#[tokio::test]
async fn documents_under_kms_are_refused() {
    let (store, s3) = store(Flavour::Aws);
    store.change(|settings| settings.encrypts_with_kms = true);
    let error = refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketEncrypted);
    assert!(error.hints[0].contains("AES256"), "{error}");
}

#[tokio::test]
async fn reading_probes_nothing() {
    let (store, s3) = store(Flavour::Compatible);
    assert_eq!(read(&s3, JWKS).await, None);
    assert_eq!(store.faults().requests().len(), 1);
}

#[tokio::test]
async fn ignored_conditions_are_found_and_compared() {
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
async fn refused_conditions_are_compared_by_hand() {
    let (store, s3) = store(Flavour::Compatible);
    store.change(|settings| settings.conditions = Conditions::Unsupported);
    assert_eq!(s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap(), Condition::Ignored);
    conflict(s3.write(JWKS, &jwks("two"), &Expected::Absent).await);
}

#[tokio::test]
async fn etag_is_sent_unquoted_where_wanted() {
    let (store, s3) = store(Flavour::Rgw);
    s3.write(JWKS, &jwks("one"), &Expected::Absent).await.unwrap();
    let stored = read(&s3, JWKS).await;
    assert_eq!(s3.write(JWKS, &jwks("two"), &Expected::of(stored.as_ref())).await.unwrap(), Condition::Kept);
    let sent = puts(&store).last().unwrap().header("if-match").unwrap().to_owned();
    assert_eq!(format!("\"{sent}\""), stored.unwrap().version.0);
}

#[tokio::test]
async fn missing_right_is_not_a_condition() {
    let (store, _) = store(Flavour::Compatible);
    let s3 = client(&store, &store.add_credentials(lab::Access::ReadOnly));
    let error = refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketForbidden, "{error}");
    assert_eq!(store.keys("keys"), Vec::<String>::new());
}

#[tokio::test]
async fn failed_first_write_writes_nothing() {
    for status in [500, 429] {
        let (store, s3) = store(Flavour::Compatible);
        store.faults().always("PUT", JWKS, Fault::status(status));
        refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
        assert_eq!(store.keys("keys"), Vec::<String>::new(), "{status}");
    }
}

/// Two processes that do not know the store yet, and write the same object over the same state.
#[tokio::test]
async fn first_writers_learn_of_each_other() {
    for flavour in [Flavour::Compatible, Flavour::Rgw, Flavour::AclOnly] {
        let (store, looking) = store(flavour);
        for round in ["first", "second"] {
            let expected = Expected::of(read(&looking, JWKS).await.as_ref());
            let (one, other) = (client(&store, &store.credentials()), client(&store, &store.credentials()));
            one.write(JWKS, &jwks(round), &expected).await.unwrap();
            conflict(other.write(JWKS, &jwks("other"), &expected).await);
            assert_eq!(store.object("keys", JWKS).unwrap().body, round.as_bytes(), "{flavour:?}");
        }
    }
}

#[tokio::test]
async fn lost_answer_is_requested_again() {
    let (store, s3) = store(Flavour::Aws);
    store.faults().next(1, "PUT", JWKS, Fault::CloseAfterEffect);
    // The first request took effect, so the second meets its own work: the caller reads and sees.
    conflict(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(read(&s3, JWKS).await.unwrap().body, b"{}");
    store.faults().next(2, "GET", JWKS, Fault::CutBody);
    assert_eq!(read(&s3, JWKS).await.unwrap().body, b"{}");
}

#[tokio::test]
async fn simultaneous_writer_is_a_conflict() {
    let (store, s3) = store(Flavour::Aws);
    store.faults().next(1, "PUT", JWKS, lab::S3::conflict());
    let message = conflict(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert!(message.contains("ConditionalRequestConflict"), "{message}");
}
