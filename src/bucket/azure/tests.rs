//! Against the stand-in.

use std::{ffi::OsString, time::Duration};

use lab::{Access, Fault};

use super::*;
use crate::{
    bucket::contract::{self, Traits, conflict, discovery, jwks, read, refused},
    error::Kind,
    retry::Backoff,
};

mod answers;
mod public;

const JWKS: &str = "prod/openid/v1/jwks";
const DISCOVERY: &str = "prod/.well-known/openid-configuration";

fn names() -> [String; 2] {
    [JWKS.to_owned(), DISCOVERY.to_owned()]
}

fn tokens(set: Vec<(&'static str, String)>) -> Tokens {
    let environment =
        |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
    let mut tokens = Tokens::find(&Http::new(&[]).unwrap(), environment).unwrap();
    tokens.pace = Backoff::request(Duration::from_millis(1), 3);
    tokens
}

fn client(store: &lab::Azure, container: &str, access: Access) -> Azure {
    let (id, secret) = store.add_client(access);
    let tokens = tokens(vec![
        ("AZURE_AUTHORITY_HOST", store.authority()),
        ("AZURE_TENANT_ID", lab::Azure::tenant().to_owned()),
        ("AZURE_CLIENT_ID", id),
        ("AZURE_CLIENT_SECRET", secret),
    ]);
    let settings =
        Settings { endpoint: Some(store.url()), ..Settings::of(&format!("az://acmeoidc/{container}")) };
    let mut azure = Azure::new(&settings, tokens, &Http::new(&[]).unwrap()).unwrap();
    azure.api.backoff = Backoff::request(Duration::from_millis(1), 3);
    azure
}

fn store() -> (lab::Azure, Azure) {
    let store = lab::Azure::start();
    store.add_container("keys", None);
    let azure = client(&store, "keys", lab::Azure::owner());
    (store, azure)
}

async fn anonymous(azure: &Azure, name: &str) -> u16 {
    let http = Http::new(&[]).unwrap();
    http.get(&format!("{}/{name}", azure.public_url().unwrap())).await.unwrap().status
}

/// An answer of the Blob service.
fn answer(status: u16, code: &str, message: &str) -> Fault {
    let body = format!(
        "\u{feff}<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}\nTime:x</Message></Error>"
    );
    Fault::Answer {
        status,
        headers: vec![
            ("content-type".into(), "application/xml".into()),
            ("x-ms-error-code".into(), code.into()),
            ("x-ms-request-id".into(), "r-1".into()),
        ],
        body: body.into_bytes(),
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    let (_store, azure) = store();
    contract::open(&azure, &names()).await.unwrap();
    contract::holds(&azure, Traits { headers: true, condition: Condition::Kept }).await;
}

#[tokio::test]
async fn publisher_needs_contributor_only() {
    let store = lab::Azure::start();
    store.add_container("keys", Some("blob"));
    let azure = client(&store, "keys", lab::Azure::contributor());
    assert_eq!(contract::open(&azure, &names()).await.unwrap(), Vec::<String>::new());
    contract::holds(&azure, Traits { headers: true, condition: Condition::Kept }).await;
    assert_eq!(anonymous(&azure, "open/openid/v1/jwks").await, 200);
}

#[tokio::test]
async fn changed_blob_is_not_removed() {
    let (store, azure) = store();
    azure.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    let version = read(&azure, JWKS).await.unwrap().version;
    store.put("keys", JWKS, b"other");
    assert_eq!(azure.remove(JWKS, &version).await.unwrap_err().code, Code::BucketChanged);
    assert_eq!(store.blobs("keys"), [JWKS]);
    let version = read(&azure, JWKS).await.unwrap().version;
    azure.remove(JWKS, &version).await.unwrap();
    azure.remove(JWKS, &version).await.unwrap();
    assert_eq!(read(&azure, JWKS).await, None);
}

#[tokio::test]
async fn credentials_that_only_read() {
    let (store, _) = store();
    let azure = client(&store, "keys", Access::ReadOnly);
    assert_eq!(read(&azure, JWKS).await, None);
    let error = refused(azure.write(JWKS, &jwks("{}"), &Expected::Absent).await);
    assert_eq!((error.code, error.kind), (Code::BucketForbidden, Kind::Failed));
    assert!(
        error.hints[0].contains("containers/blobs/write (role \"Storage Blob Data Contributor\")"),
        "{error}"
    );
    assert_eq!(store.blobs("keys"), Vec::<String>::new());
}

#[tokio::test]
async fn every_request_names_version_and_date() {
    let (store, azure) = store();
    azure.write(JWKS, &jwks("{}"), &Expected::Absent).await.unwrap();
    read(&azure, JWKS).await.unwrap();
    let asked = store.faults().requests();
    let asked: Vec<_> = asked.iter().filter(|call| call.path.starts_with("/acmeoidc")).collect();
    assert_eq!(asked.len(), 2);
    for call in asked {
        assert_eq!(call.header("x-ms-version"), Some("2021-12-02"));
        assert!(call.header("x-ms-date").is_some_and(|date| date.ends_with("GMT")));
    }
}

#[tokio::test]
async fn one_token_serves_many_requests() {
    let (store, azure) = store();
    for _ in 0..3 {
        read(&azure, JWKS).await;
    }
    let logins = || store.faults().requests().iter().filter(|call| call.path.contains("/oauth2/")).count();
    assert_eq!(logins(), 1);
    // A token that lives for no longer than a second is used for half of it.
    let (store, azure) = self::store();
    store.token_life(1);
    read(&azure, JWKS).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    read(&azure, JWKS).await;
    assert_eq!(store.faults().requests().iter().filter(|call| call.path.contains("/oauth2/")).count(), 2);
}

#[tokio::test]
async fn revoked_token_names_the_login() {
    let (store, azure) = store();
    read(&azure, JWKS).await;
    store.revoke_tokens();
    let error = azure.read(JWKS).await.unwrap_err();
    assert_eq!(error.code, Code::BucketCredentials, "{error}");
    assert!(error.hints.last().unwrap().contains("az login"), "{error}");
}

#[test]
fn where_everyone_reads() {
    let http = Http::new(&[]).unwrap();
    let url = |settings: &Settings| Azure::new(settings, tokens(Vec::new()), &http).unwrap().public_url();
    let mut settings = Settings::of("az://acmeoidc/keys/prod");
    assert_eq!(url(&settings).unwrap(), "https://acmeoidc.blob.core.windows.net/keys");
    settings.endpoint = Some("https://acmeoidc.blob.core.usgovcloudapi.net/".to_owned());
    assert_eq!(url(&settings).unwrap(), "https://acmeoidc.blob.core.usgovcloudapi.net/keys");
    settings.public_url = Some("https://id.example.com/".to_owned());
    assert_eq!(url(&settings).unwrap(), "https://id.example.com");
    // The number of the website's zone is not guessed.
    assert_eq!(url(&Settings::of("az://acmeoidc/$web")), None);
}

#[test]
fn strange_etags_are_no_versions() {
    for etag in ["", "1", "\"", "\"\"", "W/\"0x1\"", "\"a\"b\"", "\"a b\"", "\"a\n\"", "'0x1'"] {
        assert!(!is_quoted(etag), "{etag:?}");
    }
    assert!(is_quoted("\"0x8DD0E5CF7ABC001\""));
}
