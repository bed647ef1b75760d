//! The stand-in under its public names, and issuers elsewhere.

use std::net::SocketAddr;
use std::time::Duration;

use lab::{Ca, Google, Internet, Resolver, SigningKey, Web};
use reqwest::{Certificate, Client, Proxy};
use serde_json::json;

use super::{Federation, ISSUER, make_public};

#[tokio::test(flavor = "multi_thread")]
async fn each_name_is_its_own_api() {
    let here = Federation::uploaded();
    let internet = Internet::start();
    for name in lab::Google::names() {
        internet.route(name, here.google.addr());
    }
    let ca = Certificate::from_pem(here.ca.pem().as_bytes()).unwrap();
    let proxy = Proxy::https(internet.url()).unwrap();
    let client = Client::builder().tls_certs_only([ca]).proxy(proxy).build().unwrap();
    let project = "/v1/projects/acme-prod";
    let secret = "/v1/projects/acme-prod/secrets/db";
    for (host, path, status) in [
        ("cloudresourcemanager", project, 200),
        ("cloudresourcemanager", "/v3/projects/123456789012", 200),
        ("secretmanager", secret, 200),
        ("iam", secret, 404),
        ("cloudresourcemanager", secret, 404),
        ("sts", project, 404),
        ("storage", "/storage/v1/b/absent", 404),
    ] {
        let url = format!("https://{host}.googleapis.com{path}");
        let answer = client.get(&url).bearer_auth(here.google.token()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{url}");
    }
    let heard = here.google.heard();
    assert_eq!(heard.len(), 7);
    assert_eq!(heard[2].path, secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_refetched_unless_cached() {
    let here = Federation::documents();
    make_public(&here).await;
    here.federated().await;
    here.federated().await;
    let fetched = here.google.fetches().requests();
    assert_eq!(fetched.len(), 4, "discovery and keys, twice");
    assert!(here.google.faults().requests().iter().all(|call| !call.path.contains("openid")));
    here.google.change(|settings| settings.jwks_cache = Duration::from_secs(60));
    here.google.storage().remove("acme-oidc", ".well-known/openid-configuration");
    here.federated().await;
    here.google.forget_documents();
    assert_eq!(here.exchange(&here.token(json!({}))).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_may_be_anywhere() {
    let here = Federation::documents();
    let dir = tempfile::tempdir().unwrap();
    let web = Web::start(&here.ca, &["issuer.example"], dir.path());
    let issuer = "https://issuer.example/prod";
    here.google.write("keyless-lab", Some("cluster"), |it| it["oidc"]["issuerUri"] = json!(issuer));
    let token = here.token(json!({"iss": issuer}));
    let refused = |text: &'static str, (status, body): (u16, serde_json::Value)| {
        let message = body["error_description"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(text), "{body}");
    };
    refused("Error connecting", here.exchange(&token).await);
    here.google.resolve("issuer.example", web.addr());
    refused("Error connecting", here.exchange(&token).await);
    let write = |name: &str, body: serde_json::Value| {
        let path = dir.path().join("prod").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body.to_string()).unwrap();
    };
    let discovery =
        |issuer: &str| json!({"issuer": issuer, "jwks_uri": "https://issuer.example/prod/openid/v1/jwks"});
    write("openid/v1/jwks", json!({"keys": [here.key.jwk()]}));
    write(".well-known/openid-configuration", discovery(ISSUER));
    refused("claim in OIDC discovery document does not match", here.exchange(&token).await);
    write(".well-known/openid-configuration", discovery(issuer));
    assert_eq!(here.exchange(&token).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fixed_address_with_system_resolver_works() {
    let (ca, dir) = (Ca::new(), tempfile::tempdir().unwrap());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let google = Google::start_at(&ca, any, Resolver::System).unwrap();
    let web = Web::start(&ca, &["localhost"], dir.path());
    let issuer = format!("https://localhost:{}", web.addr().port());
    let here = Federation::with(ca, google, SigningKey::rsa(2048), json!({"issuerUri": issuer}));
    for (name, body) in [
        (
            ".well-known/openid-configuration",
            json!({"issuer": issuer, "jwks_uri": format!("{issuer}/openid/v1/jwks")}),
        ),
        ("openid/v1/jwks", json!({"keys": [here.key.jwk()]})),
    ] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body.to_string()).unwrap();
    }
    let (status, body) = here.exchange(&here.token(json!({"iss": issuer}))).await;
    assert_eq!(status, 200, "{body}");
}
