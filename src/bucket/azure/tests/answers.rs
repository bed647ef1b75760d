//! Answers that are not the ones asked for.

use super::*;

#[tokio::test]
async fn each_answer_has_its_code() {
    let (store, azure) = store();
    for (status, word, ours, part) in [
        (400, "InvalidHeaderValue", Code::BucketRefused, "Azure's message"),
        (400, "OutOfRangeInput", Code::BucketRefused, "Azure's message"),
        (401, "InvalidAuthenticationInfo", Code::BucketCredentials, "tenant"),
        (401, "NoAuthenticationInformation", Code::BucketCredentials, "tenant"),
        (403, "AuthenticationFailed", Code::BucketCredentials, "tenant"),
        (403, "AuthorizationPermissionMismatch", Code::BucketForbidden, "Storage Blob Data Contributor"),
        (403, "InsufficientAccountPermissions", Code::BucketForbidden, "Storage Blob Data Contributor"),
        (403, "AuthorizationFailure", Code::BucketForbidden, "network rule"),
        (403, "AccountIsDisabled", Code::BucketForbidden, "Storage Blob Data Contributor"),
        (404, "ContainerNotFound", Code::BucketMissing, "--create"),
        (404, "ResourceNotFound", Code::BucketMissing, "--bucket"),
        (404, "", Code::BucketMissing, "--bucket"),
        (409, "PublicAccessNotPermitted", Code::PublicAccessPrevented, "--allow-blob-public-access true"),
        (409, "ContainerBeingDeleted", Code::BucketContended, "half a minute"),
        (409, "BlobImmutableDueToPolicy", Code::BucketRefused, "Azure's message"),
        (409, "", Code::BucketRefused, "Azure's message"),
        (412, "LeaseIdMissing", Code::BucketRefused, "Azure's message"),
        (429, "", Code::BucketThrottled, "later"),
        (500, "InternalError", Code::BucketServer, "later"),
        (502, "", Code::BucketServer, "later"),
        (503, "ServerBusy", Code::BucketThrottled, "later"),
    ] {
        store.faults().clear();
        store.faults().always("", "/acmeoidc/", answer(status, word, "the message"));
        let read = azure.read(JWKS).await.unwrap_err();
        let written = refused(azure.write(JWKS, &jwks("{}"), &Expected::Absent).await);
        for error in [read, written] {
            assert_eq!((error.code, error.kind), (ours, Kind::Failed), "{status} {word}: {error}");
            assert_eq!(
                error.causes,
                [format!(
                    "HTTP {status}{}{word}: the message (request ID r-1)",
                    if word.is_empty() { "" } else { " " }
                )]
            );
            assert!(error.hints[0].contains(part), "{status} {word}: {error}");
        }
        assert_eq!(store.blobs("keys"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn answers_that_are_not_azures() {
    let (store, azure) = store();
    store.put("keys", JWKS, b"{\"keys\":[]}");
    let page = "<html><body>403 Forbidden</body></html>";
    for (fault, ours) in [
        (Fault::answer(403, "text/html", page), Code::BucketForbidden),
        (Fault::answer(502, "text/html", page), Code::BucketServer),
        (Fault::answer(404, "text/html", page), Code::BucketMissing),
        (Fault::answer(302, "text/html", page), Code::BucketRefused),
        (Fault::status(503), Code::BucketThrottled),
        (Fault::html(), Code::BucketAnswer),
        (Fault::kubernetes_status(), Code::BucketAnswer),
        (Fault::gibibyte(), Code::BodyTooLarge),
        (Fault::CloseBeforeAnswer, Code::BucketUnreachable),
        (Fault::CutBody, Code::BucketUnreachable),
    ] {
        store.faults().clear();
        store.faults().always("GET", "/acmeoidc/", fault);
        let error = azure.read(JWKS).await.unwrap_err();
        assert_eq!(error.code, ours, "{error}");
        assert!(!error.hints.is_empty(), "{error}");
    }
}

#[tokio::test]
async fn malformed_list_of_blobs_opens_nothing() {
    let (store, azure) = store();
    for body in [
        "",
        "<html>",
        "<EnumerationResults/>",
        "<EnumerationResults><Blobs><Blob/></Blobs></EnumerationResults>",
        "<Error><Code>x</Code></Error>",
    ] {
        store.faults().clear();
        store.faults().always("GET", "comp=list", Fault::answer(200, "application/xml", body));
        let error = contract::open(&azure, &names()).await.unwrap_err();
        assert_eq!(error.code, Code::BucketAnswer, "{body}: {error}");
        assert!(!azure.remove_bucket().await.unwrap_or(false), "{body}");
    }
    assert_eq!((store.public_access("keys"), store.containers()), (None, vec!["keys".to_owned()]));
}

#[tokio::test]
async fn trouble_that_ends_is_waited_for() {
    let (store, azure) = store();
    store.faults().next(2, "PUT", "/jwks", Fault::status(503));
    azure.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    store.faults().next(2, "GET", "/jwks", Fault::CutBody);
    assert!(azure.read(JWKS).await.unwrap().is_some());
    store.faults().next(2, "POST", "/oauth2/", Fault::status(503));
    store.faults().forget();
    store.faults().always("PUT", "/openid-configuration", Fault::status(429));
    refused(azure.write(DISCOVERY, &discovery("{}"), &Expected::Absent).await);
    assert_eq!(store.faults().requests().len(), 3, "and not for ever");
}

#[tokio::test]
async fn lost_answer_is_requested_again() {
    let (store, azure) = store();
    store.faults().next(1, "PUT", "/jwks", Fault::CloseAfterEffect);
    conflict(azure.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!(read(&azure, JWKS).await.unwrap().body, b"{}");
}

#[tokio::test]
async fn no_token_is_shown() {
    let (store, azure) = store();
    let header = azure.api.tokens.bearer(crate::azure::Scope::Storage).await.unwrap();
    let token = header.to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    for status in [400, 401, 403, 404, 409, 500] {
        store.faults().clear();
        store.faults().always(
            "",
            "/acmeoidc/",
            answer(status, &"x".repeat(10), &format!("Bearer {token} is bad")),
        );
        for error in
            [azure.read(JWKS).await.unwrap_err(), contract::open(&azure, &names()).await.unwrap_err()]
        {
            let shown = crate::redact::line(&format!("{error} {error:?}"));
            assert!(!shown.contains(&token), "{shown}");
        }
    }
}

#[tokio::test]
async fn refused_login_sends_nothing_to_store() {
    let store = lab::Azure::start();
    store.add_container("keys", None);
    let settings = Settings { endpoint: Some(store.url()), ..Settings::of("az://acmeoidc/keys") };
    let (id, _) = store.add_client(Access::Full);
    let set = vec![
        ("AZURE_AUTHORITY_HOST", store.authority()),
        ("AZURE_TENANT_ID", lab::Azure::tenant().to_owned()),
        ("AZURE_CLIENT_ID", id),
        ("AZURE_CLIENT_SECRET", "CANARY-not-the-secret".to_owned()),
    ];
    let azure = Azure::new(&settings, tokens(set), &Http::new(&[]).unwrap()).unwrap();
    let error = azure.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::AzureLoginRefused, "{error}");
    assert!(error.causes[0].contains("AADSTS7000215"), "{error}");
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
    assert!(store.faults().requests().iter().all(|call| call.path.contains("/oauth2/")));
}
