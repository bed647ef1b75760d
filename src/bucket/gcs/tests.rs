//! Against the stand-in.

use std::time::Duration;

use google_cloud_auth::{
    credentials::{
        AccessToken, AccessTokenCredentialsProvider, CacheableResource, CredentialsProvider, EntityTag,
    },
    errors::CredentialsError,
};
use lab::{Access, Fault};

use super::*;
use crate::{
    bucket::contract::{self, Traits, conflict, discovery, jwks, read, refused},
    error::{Code, Kind},
    retry::Backoff,
    secret::Secret,
};

mod public;
mod retry;

const JWKS: &str = "prod/openid/v1/jwks";
const DISCOVERY: &str = "prod/.well-known/openid-configuration";

fn names() -> [String; 2] {
    [JWKS.to_owned(), DISCOVERY.to_owned()]
}

fn client(store: &lab::Gcs, token: String) -> Gcs {
    let settings = Settings {
        endpoint: Some(store.url()),
        region: Some("EU".to_owned()),
        public_url: Some(format!("{}/keys/", store.url())),
        project: Some("lab-project".to_owned()),
        token: Some(Secret::new(token)),
        ..Settings::of("gs://keys")
    };
    let mut gcs = Gcs::connect(&settings, "keys", &Http::new(&[]).unwrap()).unwrap();
    gcs.api.backoff = Backoff::request(Duration::from_millis(1), 3);
    gcs
}

fn store() -> (lab::Gcs, Gcs) {
    let store = lab::Gcs::start();
    store.own_bucket("keys");
    let gcs = client(&store, store.token());
    (store, gcs)
}

async fn anonymous(gcs: &Gcs, name: &str) -> u16 {
    let http = Http::new(&[]).unwrap();
    http.get(&format!("{}/{name}", gcs.public_url().unwrap())).await.unwrap().status
}

fn google(status: u16, reason: &str, message: &str) -> Fault {
    let body = json!({"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}});
    Fault::answer(status, "application/json", body.to_string())
}

#[tokio::test]
async fn keeps_the_contract() {
    let (_store, gcs) = store();
    contract::open(&gcs, &names()).await.unwrap();
    contract::holds(&gcs, Traits { headers: true, condition: Condition::Kept }).await;
}

/// Credentials as they are found: a token that a program renews, or none.
#[derive(Debug)]
struct Found(Option<String>);

impl CredentialsProvider for Found {
    async fn headers(
        &self,
        _: http::Extensions,
    ) -> Result<CacheableResource<http::HeaderMap>, CredentialsError> {
        let none = || CredentialsError::from_msg(false, "no metadata server");
        let value = format!("Bearer {}", self.0.as_ref().ok_or_else(none)?).parse().unwrap();
        let data = http::HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
        Ok(CacheableResource::New { entity_tag: EntityTag::new(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

impl AccessTokenCredentialsProvider for Found {
    async fn access_token(&self) -> Result<AccessToken, CredentialsError> {
        unreachable!("requests are made with headers")
    }
}

#[tokio::test]
async fn credentials_that_are_found() {
    let (store, mut gcs) = store();
    let tokens = |token| {
        let find = move || Ok::<_, std::convert::Infallible>(Found(token).into());
        Tokens::Found(crate::google::Library::start(find).unwrap())
    };
    gcs.api = Api::new(&Http::new(&[]).unwrap(), Some(&store.url()), tokens(Some(store.token()))).unwrap();
    gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();

    store.faults().forget();
    gcs.api = Api::new(&Http::new(&[]).unwrap(), Some(&store.url()), tokens(None)).unwrap();
    let read = gcs.read(JWKS).await.unwrap_err();
    let opened = contract::open(&gcs, &names()).await.unwrap_err();
    let written = refused(gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    for error in [read, opened, written] {
        assert_eq!((error.code, error.kind), (Code::BucketCredentials, Kind::Failed), "{error}");
        assert!(error.causes[0].contains("no metadata server"), "{error}");
        assert!(error.hints.last().unwrap().contains("gcloud auth application-default login"), "{error}");
    }
    assert_eq!(store.faults().requests().len(), 0, "nothing is sent without");
}

#[tokio::test]
async fn where_strangers_read() {
    let store = lab::Gcs::start();
    let mut settings = Settings {
        endpoint: Some(store.url()),
        token: Some(Secret::new("t".to_owned())),
        ..Settings::of("gs://keys")
    };
    let http = Http::new(&[]).unwrap();
    let url = |settings: &Settings| Gcs::connect(settings, "keys", &http).unwrap().public_url().unwrap();
    assert_eq!(url(&settings), "https://storage.googleapis.com/keys");
    settings.public_url = Some("https://id.example.com/".to_owned());
    assert_eq!(url(&settings), "https://id.example.com");
}

#[tokio::test]
async fn credentials_that_only_read() {
    let (store, _) = store();
    let gcs = client(&store, store.add_token(Access::ReadOnly));
    assert_eq!(read(&gcs, JWKS).await, None);
    let error = refused(gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketForbidden);
    assert_eq!(store.objects("keys"), Vec::<String>::new());
}

#[tokio::test]
async fn each_answer_has_its_code() {
    let (store, gcs) = store();
    for (status, reason, message, ours) in [
        (400, "invalid", "odd", Code::BucketRefused),
        (401, "authError", "Invalid Credentials", Code::BucketCredentials),
        (403, "forbidden", "no", Code::BucketForbidden),
        (
            403,
            "insufficientPermissions",
            "Request had insufficient authentication scopes.",
            Code::BucketCredentials,
        ),
        (403, "rateLimitExceeded", "slow down", Code::BucketThrottled),
        (404, "notFound", "The specified bucket does not exist.", Code::BucketMissing),
        (408, "requestTimeout", "", Code::BucketRefused),
        (429, "rateLimitExceeded", "", Code::BucketThrottled),
        (500, "internalError", "", Code::BucketServer),
        (502, "", "", Code::BucketServer),
        (503, "backendError", "", Code::BucketThrottled),
    ] {
        store.faults().clear();
        store.faults().always("", "storage/v1", google(status, reason, message));
        let read = gcs.read(JWKS).await.unwrap_err();
        let written = refused(gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await);
        for error in [read, written] {
            assert_eq!((error.code, error.kind), (ours, Kind::Failed), "{status} {reason}: {error}");
            assert!(
                error.causes[0].contains(&status.to_string()) && error.causes[0].contains(message),
                "{error}"
            );
            assert!(!error.hints.is_empty());
        }
        assert_eq!(store.objects("keys"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn answers_that_are_not_googles() {
    let (store, gcs) = store();
    store.put("keys", JWKS, "application/json", None, b"{\"keys\":[]}");
    let page = "<html><body>403 Forbidden</body></html>";
    for (fault, ours) in [
        (Fault::answer(403, "text/html", page), Code::BucketForbidden),
        (Fault::answer(502, "text/html", page), Code::BucketServer),
        (Fault::status(503), Code::BucketThrottled),
        (Fault::html(), Code::BucketAnswer),
        (Fault::kubernetes_status(), Code::BucketAnswer),
        (Fault::gibibyte(), Code::BodyTooLarge),
        (Fault::CloseBeforeAnswer, Code::BucketUnreachable),
        (Fault::CutBody, Code::BucketUnreachable),
    ] {
        store.faults().clear();
        store.faults().always("GET", "/o/", fault);
        let error = gcs.read(JWKS).await.unwrap_err();
        assert_eq!(error.code, ours, "{error}");
        assert!(!error.hints.is_empty(), "{error}");
    }
}

#[tokio::test]
async fn trouble_that_ends_is_waited_for() {
    let (store, gcs) = store();
    store.faults().next(2, "POST", "/o", Fault::status(503));
    gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    store.faults().next(2, "GET", "/o/", Fault::CutBody);
    assert!(gcs.read(JWKS).await.unwrap().is_some());
    store.faults().forget();
    store.faults().always("POST", "/o", Fault::status(429));
    refused(gcs.write(DISCOVERY, &discovery("{}"), &Expected::Absent).await);
    assert_eq!(store.faults().requests().len(), 3, "and not for ever");
}

#[tokio::test]
async fn lost_answer_is_requested_again() {
    let (store, gcs) = store();
    store.faults().next(1, "POST", "/o", Fault::CloseAfterEffect);
    conflict(gcs.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(read(&gcs, JWKS).await.unwrap().body, b"{}");
}

#[tokio::test]
async fn metadata_and_content_share_one_generation() {
    let (store, gcs) = store();
    store.put("keys", JWKS, "application/json", Some("public, max-age=300"), b"new");
    // As after a write between the two requests, with the old content.
    let old = Fault::Answer {
        status: 200,
        headers: vec![("x-goog-generation".into(), "1".into())],
        body: b"old".to_vec(),
    };
    store.faults().next(1, "GET", "alt=media", old.clone());
    assert_eq!(read(&gcs, JWKS).await.unwrap().body, b"new");
    store.faults().always("GET", "alt=media", old);
    assert_eq!(gcs.read(JWKS).await.unwrap_err().code, Code::BucketContended);
}

#[tokio::test]
async fn unversioned_content_is_requested_by_generation() {
    let (store, gcs) = store();
    store.put("keys", JWKS, "application/json", None, b"new");
    let generation = store.object("keys", JWKS).unwrap().generation;
    store.faults().next(1, "GET", "alt=media", Fault::answer(200, "application/json", "other"));
    assert_eq!(read(&gcs, JWKS).await.unwrap().body, b"new");
    let asked = store.faults().requests().pop().unwrap().path;
    assert!(asked.contains(&format!("generation={generation}")), "{asked}");
}

#[tokio::test]
async fn no_token_is_shown() {
    let (store, _) = store();
    let token = "ya29.c.b0AXv0zTPq0123456789abcdef";
    let gcs = client(&store, token.to_owned());
    let error = gcs.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::BucketCredentials);
    assert!(error.hints.last().unwrap().contains("gcloud auth application-default login"), "{error}");
    for status in [401, 403, 400, 500] {
        store.faults().clear();
        store.faults().always("", "", google(status, token, &format!("Bearer {token} is bad")));
        for error in [gcs.read(JWKS).await.unwrap_err(), contract::open(&gcs, &names()).await.unwrap_err()] {
            assert!(!format!("{error} {error:?}").contains("b0AXv0zTPq"), "{error}");
        }
    }
}

#[test]
fn names_that_no_bucket_can_have() {
    let long = "a".repeat(64);
    for name in [
        "",
        "ab",
        "Keys",
        "-keys",
        "keys-",
        "_keys",
        "ke ys",
        "a/b",
        "ke..ys",
        "10.0.0.1",
        "goog-keys",
        "my-google-keys",
        "käse",
        long.as_str(),
    ] {
        let error = check_name(name).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::BucketName, Kind::Usage), "{name}");
    }
    for name in ["keys", "k_e-y.s9", "id.example.com"] {
        check_name(name).unwrap();
    }
}
