//! Everything that goes wrong has a code, the words of the store, and a remedy; and shows no secret.

use aws_credential_types::provider::{error::CredentialsError, future::ProvideCredentials as Provided};
use aws_sdk_s3::config::ProvideCredentials;
use lab::{Access, Fault, Flavour};

use super::*;
use crate::error::{Code, Kind};

fn xml(status: u16, code: &str, message: &str) -> Fault {
    let body = format!(
        "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>R1</RequestId></Error>"
    );
    Fault::answer(status, "application/xml", body)
}

#[tokio::test]
async fn each_answer_has_its_code() {
    for (status, code, ours) in [
        (400, "AuthorizationHeaderMalformed", Code::BucketRegion),
        (301, "PermanentRedirect", Code::BucketRegion),
        (307, "TemporaryRedirect", Code::BucketRegion),
        (400, "IllegalLocationConstraintException", Code::BucketRegion),
        (400, "ExpiredToken", Code::BucketCredentials),
        (403, "InvalidAccessKeyId", Code::BucketCredentials),
        (403, "SignatureDoesNotMatch", Code::BucketCredentials),
        (400, "InvalidToken", Code::BucketCredentials),
        (403, "RequestTimeTooSkewed", Code::BucketCredentials),
        (403, "AccessDenied", Code::BucketForbidden),
        (401, "", Code::BucketForbidden),
        (403, "", Code::BucketForbidden),
        (404, "NoSuchBucket", Code::BucketMissing),
        (429, "TooManyRequests", Code::BucketThrottled),
        (503, "SlowDown", Code::BucketThrottled),
        (503, "", Code::BucketThrottled),
        (500, "InternalError", Code::BucketServer),
        (502, "", Code::BucketServer),
        (501, "NotImplemented", Code::BucketUnsupported),
        (405, "MethodNotAllowed", Code::BucketUnsupported),
        (409, "InvalidBucketState", Code::BucketRefused),
        (400, "EntityTooLarge", Code::BucketRefused),
        (418, "", Code::BucketRefused),
    ] {
        let (store, s3) = store(Flavour::Aws);
        store.faults().always("", "/keys", xml(status, code, ""));
        let written = refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
        let opened = contract::open(&s3, &names()).await.unwrap_err();
        let read = s3.read(JWKS).await.unwrap_err();
        for error in [written, read, opened] {
            assert_eq!((error.code, error.kind), (ours, Kind::Failed), "{status} {code}: {error}");
            assert!(
                error.causes[0].contains(&status.to_string()) && error.causes[0].contains(code),
                "{error}"
            );
            assert!(!error.hints.is_empty(), "{error}");
        }
        assert_eq!(store.keys("keys"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_the_store_said_is_kept() {
    let (store, s3) = store(Flavour::Aws);
    store.faults().always("", "/keys", xml(400, "Odd", "a &lt;strange&gt; &amp; rare thing"));
    let error = s3.read(JWKS).await.unwrap_err();
    assert!(error.causes[0].starts_with("HTTP 400 Odd: a <strange> & rare thing (request R1)"), "{error}");
    assert!(error.message.contains("s3://keys/prod/openid/v1/jwks"), "{error}");
}

#[tokio::test]
async fn answers_that_are_not_the_stores() {
    let page = "<html><head><title>403 Forbidden</title></head><body>nginx</body></html>";
    let (store, s3) = store(Flavour::Aws);
    for (fault, ours) in [
        (Fault::answer(403, "text/html", page), Code::BucketForbidden),
        (Fault::answer(404, "text/html", page), Code::BucketMissing),
        (Fault::answer(502, "text/html", page), Code::BucketServer),
        (Fault::html(), Code::BucketAnswer),
        (Fault::kubernetes_status(), Code::BucketAnswer),
        (Fault::gibibyte(), Code::BodyTooLarge),
        (Fault::CloseBeforeAnswer, Code::BucketUnreachable),
        (Fault::CutBody, Code::BucketUnreachable),
    ] {
        store.put("keys", JWKS, "application/json", None, b"{\"keys\":[]}");
        store.faults().clear();
        store.faults().always("GET", "/keys", fault);
        let error = s3.read(JWKS).await.unwrap_err();
        assert_eq!(error.code, ours, "{error}");
        assert!(!error.hints.is_empty(), "{error}");
    }
}

#[tokio::test]
async fn trickling_store_is_not_awaited() {
    let (store, s3) = store(Flavour::Aws);
    store.put("keys", JWKS, "application/json", None, &[b' '; 100]);
    store.faults().always("GET", JWKS, Fault::Trickle(Duration::from_secs(1)));
    let begun = std::time::Instant::now();
    let error = s3.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::BucketTimeout, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn nobody_answers() {
    let (store, s3) = store(Flavour::Aws);
    drop(store);
    let error = s3.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::BucketUnreachable, "{error}");
    assert!(error.message.contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn throttling_that_ends_is_waited_for() {
    let (store, s3) = store(Flavour::Aws);
    store.faults().next(2, "", "/keys", xml(503, "SlowDown", "Please reduce your request rate."));
    assert_eq!(read(&s3, JWKS).await, None);
    store.faults().forget();
    store.faults().always("", "/keys", xml(503, "SlowDown", "Please reduce your request rate."));
    s3.read(JWKS).await.unwrap_err();
    assert_eq!(store.faults().requests().len(), 3, "and not for ever");
}

#[tokio::test]
async fn absent_or_forbidden() {
    let store = lab::S3::start(Flavour::Aws);
    store.own_bucket("keys");
    store.put("keys", DISCOVERY, "application/json", None, b"{}");
    let only = |rights: &[&str]| {
        let rights = rights.iter().map(ToString::to_string).collect();
        client(&store, &store.add_credentials(Access::Only(rights)))
    };
    let reader = only(&["s3:GetObject"]);
    let error = reader.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::BucketForbidden);
    assert!(error.message.contains("absent, or may not be read"), "{error}");
    assert!(reader.read(DISCOVERY).await.unwrap().is_some());

    let lister = only(&["s3:ListBucket"]);
    let error = lister.read(DISCOVERY).await.unwrap_err();
    assert!(
        error.message.ends_with("it may not be read") && error.hints[0].contains("s3:GetObject"),
        "{error}"
    );

    let both = only(&["s3:GetObject", "s3:ListBucket"]);
    assert_eq!(read(&both, JWKS).await, None);

    // What Amazon answers about an absent object, to credentials that may read and not list.
    let message = "User: arn:aws:iam::111122223333:user/ci is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::keys";
    store.faults().always("GET", JWKS, xml(403, "AccessDenied", message));
    assert_eq!(read(&reader, JWKS).await, None);
}

#[tokio::test]
async fn credentials_that_only_read() {
    for flavour in [Flavour::Aws, Flavour::Compatible] {
        let store = lab::S3::start(flavour);
        store.own_bucket("keys");
        let mut s3 = client(&store, &store.add_credentials(Access::ReadOnly));
        s3.location.aws = flavour == Flavour::Aws;
        assert_eq!(read(&s3, JWKS).await, None);
        let error = refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
        assert_eq!(error.code, Code::BucketForbidden);
        assert!(error.hints[0].contains("s3:PutObject"), "{error}");
        assert_eq!(store.keys("keys"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_right_region_is_named() {
    let store = lab::S3::start(Flavour::Aws);
    store.own_bucket("keys");
    let mut s3 = client_in(&store, &store.credentials(), "us-west-2", store.url());
    s3.location.aws = true;
    let error = s3.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::BucketRegion, "{error}");
    assert!(error.hints[0].contains("--region eu-central-1"), "{error}");

    let redirect = Fault::Answer {
        status: 301,
        headers: vec![("x-amz-bucket-region".into(), "ap-south-1".into())],
        body: b"<Error><Code>PermanentRedirect</Code></Error>".to_vec(),
    };
    store.faults().always("", "", redirect);
    let error = contract::open(&s3, &names()).await.unwrap_err();
    assert_eq!(error.code, Code::BucketRegion, "{error}");
    assert!(error.message.contains("ap-south-1"), "{error}");
}

#[tokio::test]
async fn an_empty_message_is_survived() {
    let store = lab::S3::start(Flavour::Rgw);
    store.own_bucket("keys");
    let s3 = client(&store, &store.add_credentials(Access::ReadOnly));
    let error = refused(s3.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(error.code, Code::BucketForbidden);
    assert!(error.causes[0].starts_with("HTTP 403 AccessDenied"), "{error}");
}

#[tokio::test]
async fn wrong_credentials() {
    let store = lab::S3::start(Flavour::Aws);
    store.own_bucket("keys");
    let mut unknown = store.credentials();
    unknown.access_key_id = "AKIANOBODYKNOWSTHIS0".into();
    let mut wrong = store.credentials();
    wrong.secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into();
    let mut no_token = store.add_temporary_credentials(Access::Full);
    no_token.session_token = None;
    for who in [unknown, wrong, no_token] {
        let error = client(&store, &who).read(JWKS).await.unwrap_err();
        assert_eq!(error.code, Code::BucketCredentials, "{error}");
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    let store = lab::S3::start(Flavour::Aws);
    store.own_bucket("keys");
    let who = store.add_temporary_credentials(Access::Only(Vec::new()));
    let token = who.session_token.clone().unwrap();
    let s3 = client(&store, &who);
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let echo = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=x, Signature={signature} x-amz-security-token: {token}{token}</Message>\
         <StringToSign>{}</StringToSign><Message>",
        who.secret_access_key
    );
    for (status, code) in [(403, "SignatureDoesNotMatch"), (403, "AccessDenied"), (500, "InternalError")] {
        store.faults().clear();
        store.faults().always("", "", xml(status, code, &echo));
        for error in [s3.read(JWKS).await.unwrap_err(), contract::open(&s3, &names()).await.unwrap_err()] {
            let shown = format!("{error} {error:?}");
            for secret in [&who.secret_access_key, &token, &signature.to_owned()] {
                assert!(!shown.contains(secret.as_str()), "{shown}");
            }
        }
    }
}

/// A chain that ends in this.
#[derive(Debug)]
struct Broken(fn() -> CredentialsError);

impl ProvideCredentials for Broken {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn no_credentials_at_all() {
    let (store, s3) = store(Flavour::Aws);
    let none: fn() -> CredentialsError = || CredentialsError::not_loaded("no providers in chain");
    let expired: fn() -> CredentialsError =
        || CredentialsError::provider_error("the SSO session has expired");
    for (broken, message) in [(none, "there are no AWS credentials"), (expired, "cannot be used")] {
        let provider = SharedCredentialsProvider::new(Broken(broken));
        let http = Http::new(&[]).unwrap();
        let retry = RetryConfig::standard();
        let client = config::client(&s3.location, provider, &SdkConfig::builder().build(), &http, retry);
        let error = S3::new(s3.location.clone(), client, &http).read(JWKS).await.unwrap_err();
        assert_eq!((error.code, error.kind), (Code::BucketCredentials, Kind::Failed), "{error}");
        assert!(error.message.contains(message) && !error.hints.is_empty(), "{error}");
    }
    assert_eq!(store.faults().requests().len(), 0);
}
