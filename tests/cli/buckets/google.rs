//! Google Cloud Storage.

use super::{shown::steps, *};

#[test]
fn new_google_bucket_publishes_and_verifies() {
    let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
    let gcs = Gcs::start_tls(&world.ca);
    for name in Gcs::names() {
        world.internet.route(name, gcs.addr());
    }
    let keyless = |command: &str, more: &[&str]| {
        let arguments: Vec<_> = [command, "--bucket", "gs://acme-oidc", "--ca-file", "ca.pem"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let mut command = world.command(&arguments);
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
        Ran::from(command.output().unwrap())
    };
    keyless("publish", &[]).fails(3, "bucket-missing", &["--create"]);
    keyless("publish", &["--create", "--project", "acme"]).ends(0);
    keyless("publish", &[]).ends(0).says("unchanged: 1 key");
    let ran = keyless("verify", &["-vv"]).ends(0);
    assert!(!ran.err.contains(&gcs.token()), "the access token is shown");
    let new = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    keyless("publish", &[]).ends(0).says("published: 2 keys");
    gcs.prevent_public_access("acme-oidc", "enforced");
    keyless("publish", &[]).ends(3);
}

#[test]
fn google_shows_what_it_opens() {
    for existing in [false, true] {
        let world = World::signing_as(1, "https://storage.googleapis.com/acme-oidc");
        let gcs = Gcs::start_tls(&world.ca);
        Gcs::names().iter().for_each(|name| world.internet.route(name, gcs.addr()));
        if existing {
            gcs.own_bucket("acme-oidc");
        }
        let keyless = |more: &[&str]| {
            let arguments = [
                "publish",
                "--bucket",
                "gs://acme-oidc",
                "--ca-file",
                "ca.pem",
                "--project",
                "acme",
                "--create",
            ];
            let arguments: Vec<_> = arguments.iter().chain(more).copied().collect();
            let mut command = world.command(&arguments);
            command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
            Ran::from(command.output().unwrap())
        };
        let shown = keyless(&["--dry-run", "-o", "json"]).ends(1).json();
        let asked = gcs.faults().requests();
        assert!(asked.iter().all(|call| call.method == "GET"), "{asked:#?}");
        gcs.faults().forget();
        keyless(&[]).ends(0);
        let written = gcs.faults().requests();
        let written = written.iter().filter(|call| call.method != "GET");
        let documents = ["openid/v1/jwks", ".well-known/openid-configuration"];
        let mut uploads = documents.iter().map(|path| format!("gs://acme-oidc/{path}"));
        let names: BTreeSet<_> = written
            .map(|call| match call.path.split('?').next().unwrap() {
                "/storage/v1/b" => "bucket gs://acme-oidc".to_owned(),
                "/storage/v1/b/acme-oidc/iam" => "IAM policy of gs://acme-oidc".to_owned(),
                "/upload/storage/v1/b/acme-oidc/o" => uploads.next().unwrap(),
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(names, steps(&shown), "existing: {existing}");
        assert_eq!(names.contains("bucket gs://acme-oidc"), !existing);
        assert_eq!(keyless(&["--dry-run"]).ends(0).code, Some(0));
    }
}

#[test]
fn google_issuers_elsewhere_write_nothing() {
    for issuer in [
        "https://storage.googleapis.com/other",
        "https://other.storage.googleapis.com",
        "https://storage.googleapis.com",
        "https://storage.cloud.google.com/acme-oidc",
    ] {
        let world = World::signing_as(1, issuer);
        let gcs = Gcs::start_tls(&world.ca);
        Gcs::names().iter().for_each(|name| world.internet.route(name, gcs.addr()));
        gcs.own_bucket("acme-oidc");
        let arguments =
            ["publish", "--bucket", "gs://acme-oidc", "--ca-file", "ca.pem", "--create", "--issuer", issuer];
        let mut command = world.command(&arguments);
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
        Ran::from(command.output().unwrap()).fails(2, "issuer-other-bucket", &[issuer]);
        assert!(gcs.objects("acme-oidc").is_empty(), "{issuer}");
    }
    // The other form of the same bucket.
    let issuer = "https://acme-oidc.storage.googleapis.com/prod";
    let world = World::signing_as(1, issuer);
    let gcs = Gcs::start_tls(&world.ca);
    Gcs::names().iter().for_each(|name| world.internet.route(name, gcs.addr()));
    gcs.own_bucket("acme-oidc");
    let arguments =
        ["publish", "--bucket", "gs://acme-oidc", "--ca-file", "ca.pem", "--create", "--issuer", issuer];
    let mut command = world.command(&arguments);
    command.env("GOOGLE_OAUTH_ACCESS_TOKEN", gcs.token());
    Ran::from(command.output().unwrap()).ends(0);
    assert_eq!(gcs.objects("acme-oidc"), ["prod/.well-known/openid-configuration", "prod/openid/v1/jwks"]);
}
