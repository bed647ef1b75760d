//! Credentials and plain http: none leaves this machine, whatever names the address.

use std::{fs, io::ErrorKind, net::TcpListener, process::Command};

use lab::{Aws, Gcs};

use crate::world::{Ran, World};

/// Nothing of ours listens there, and nothing may be sent there (RFC 5737).
const ELSEWHERE: &str = "http://192.0.2.1:9";

/// A proxy that takes connections and answers none.
struct Proxy(TcpListener);

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    fn was_asked(&self) -> bool {
        match self.0.accept() {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn publish(world: &World, more: &[&str]) -> Command {
    let arguments = ["publish", "--dry-run", "--ca-file", "ca.pem"];
    world.command(&[&arguments[..], more].concat())
}

#[test]
fn every_kind_of_bucket_needs_https() {
    let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
    for (bucket, variable) in [
        ("gs://acme-oidc", "GOOGLE_OAUTH_ACCESS_TOKEN"),
        ("s3://acme-oidc", "AWS_SESSION_TOKEN"),
        ("az://acmeoidc/keys", "AZURE_CLIENT_SECRET"),
    ] {
        let token = "t".repeat(40);
        let ran =
            Ran::of(publish(&world, &["--bucket", bucket, "--endpoint", ELSEWHERE]).env(variable, token));
        ran.fails(2, "base-url", &["--endpoint"]);
    }
}

#[test]
fn loopback_is_asked_past_the_proxy() {
    let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
    let gcs = Gcs::start();
    let proxy = Proxy::start();
    for address in [gcs.url(), gcs.url().replace("127.0.0.1", "localhost")] {
        gcs.faults().forget();
        let mut command = publish(
            &world,
            &["--bucket", "gs://acme-oidc", "--endpoint", &address, "--create", "--project", "acme"],
        );
        command
            .env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token())
            .env("HTTP_PROXY", proxy.url())
            .env("http_proxy", proxy.url());
        // What the API server of the test is asked by goes its own way.
        command.env("NO_PROXY", "none.lab.test").env_remove("HTTPS_PROXY");
        let ran = Ran::of(&mut command);
        assert!(!proxy.was_asked(), "{}", ran.err);
        assert!(!gcs.faults().requests().is_empty(), "{}", ran.err);
    }
}

#[test]
fn web_identity_needs_https() {
    let world = World::signing_as(1, "https://acme-oidc.s3.eu-central-1.amazonaws.com");
    let token = world.dir.path().join("token");
    fs::write(&token, world.key.jws(&serde_json::json!({"aud": "sts.amazonaws.com"}))).unwrap();
    let mut command = publish(&world, &["--bucket", "s3://acme-oidc", "--region", Aws::region()]);
    command
        .env("AWS_ROLE_ARN", format!("arn:aws:iam::{}:role/keyless", Aws::account()))
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
        .env("AWS_ENDPOINT_URL_STS", ELSEWHERE)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    Ran::of(&mut command).fails(2, "base-url", &[ELSEWHERE, "AWS_ENDPOINT_URL"]);
}

#[test]
fn file_of_google_needs_https() {
    let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
    let file = world.dir.path().join("adc.json");
    let content = serde_json::json!({
        "type": "external_account", "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{ELSEWHERE}/v1/token"), "credential_source": {"file": "token"},
    });
    fs::write(&file, content.to_string()).unwrap();
    let mut command = publish(&world, &["--bucket", "gs://acme-oidc"]);
    Ran::of(command.env("GOOGLE_APPLICATION_CREDENTIALS", &file)).fails(2, "base-url", &["token_url"]);
}
