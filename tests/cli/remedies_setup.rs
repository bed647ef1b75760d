//! As `remedies`: what setup says, and what it says of its provider.

use std::{fs, process::Command};

use lab::SigningKey;
use serde_json::{Value, json};

use crate::{
    estate::{Estate, SETUP},
    remedies::{command, follow},
    world::{ISSUER, Ran, World},
};

const ESO: &str = "external-secrets.io/v1";

fn ran(command: &mut Command) -> Ran {
    Ran::of(command)
}

/// The same command with no login of Google's but what is set on it.
fn without_login(estate: &Estate, arguments: &[&str]) -> Command {
    let mut command = estate.world.command(arguments);
    command.args(["--ca-file", "ca.pem"]);
    command
}

#[test]
fn name_among_those_shown_is_right() {
    for more in ["", "google: {project: acme-prod}\nprovider: google\n"] {
        let estate = Estate::new();
        let settings = |name: &str| estate.settings(&format!("{more}store: {{name: {name}}}"));
        settings("gpc");
        for arguments in
            [&SETUP[..], &["setup", "--dry-run"], &["setup", "--undo"], &["verify"], &["render", "store"]]
        {
            let names =
                ["there is no ClusterSecretStore gpc", "there are: ClusterSecretStore gcp", "store.name"];
            let ran = estate.run(arguments).fails(2, "store-unknown", &names);
            assert!(!ran.err.contains("google.project"), "{}", ran.err);
        }
        let refused = estate.run(&SETUP).snapshot("error-store-unknown");
        assert!(estate.google.federation().is_empty() && !estate.store_is_keyless());
        estate.run(&["teardown", "--dry-run"]).says("there are: ClusterSecretStore gcp");
        let (_, right) = refused.err.split_once("there are: ClusterSecretStore ").unwrap();
        settings(right.lines().next().unwrap());
        estate.run(&SETUP).ends(0);
        assert!(estate.store_is_keyless());
    }
}

/// The other remedy of the same message.
#[test]
fn store_applied_first_is_set_up() {
    let estate = Estate::new();
    estate.settings("store: {name: second, secrets: [db]}");
    let names = ["to have a new one beside them, apply it first: its name and its provider are enough"];
    estate.run(&SETUP).fails(2, "store-unknown", &names);
    estate.world.cluster.put_object(json!({"apiVersion": ESO, "kind": "ClusterSecretStore",
        "metadata": {"name": "second"}, "spec": {"provider": {"gcpsm": {"projectID": "acme-prod"}}}}));
    estate.run(&SETUP).ends(0);
    let second = estate.world.cluster.object(ESO, "ClusterSecretStore", None, "second").unwrap();
    assert!(
        second["spec"]["provider"]["gcpsm"]["auth"]["workloadIdentityFederation"].is_object(),
        "{second:#}"
    );
    assert!(!estate.store_is_keyless(), "the other one is not meant");
}

#[test]
fn login_that_is_named_is_enough() {
    let estate = Estate::new();
    let names = [
        "there are no Google credentials",
        "gcloud auth application-default login",
        "GOOGLE_OAUTH_ACCESS_TOKEN=",
    ];
    let refused = ran(&mut without_login(&estate, &SETUP))
        .fails(3, "google-credentials", &names)
        .snapshot("error-google-credentials");
    assert!(refused.err.matches("caused by:").count() <= 1, "{}", refused.err);
    assert!(!refused.err.contains("future attempts"), "{}", refused.err);
    ran(without_login(&estate, &SETUP).env("GOOGLE_OAUTH_ACCESS_TOKEN", estate.google.token())).ends(0);
}

#[test]
fn missing_quota_project_is_named() {
    let estate = Estate::new();
    estate.google.change(|it| it.client_project = Some("764086051850"));
    let misleading =
        |ran: &Ran| assert!(!ran.err.contains("not enabled") && !ran.out.contains("+ enable"), "{}", ran.err);
    let names = [
        "names no project",
        "GOOGLE_CLOUD_QUOTA_PROJECT=PROJECT",
        "set-quota-project",
        "serviceusage.services.use",
    ];
    misleading(
        &estate.run(&SETUP).fails(3, "google-quota-project", &names).snapshot("error-google-quota-project"),
    );
    // Where gcloud keeps a user's login, and the project in it.
    let file = estate.google.user_file(estate.world.dir.path());
    let mut login: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    login["token_uri"] = json!(format!("{}/token", estate.google.http_url()));
    fs::write(&file, login.to_string()).unwrap();
    let by_file = || {
        let mut command = without_login(&estate, &["setup", "--dry-run"]);
        ran(command.env("GOOGLE_APPLICATION_CREDENTIALS", &file))
    };
    misleading(&by_file().fails(3, "google-quota-project", &names));
    login["quota_project_id"] = json!("acme-prod");
    fs::write(&file, login.to_string()).unwrap();
    by_file().ends(1).says("ClusterSecretStore gcp");
    let mut setup = estate.command(&SETUP);
    ran(setup.env("GOOGLE_CLOUD_QUOTA_PROJECT", "acme-prod")).ends(0);
}

/// A service that is off in the project itself is another matter: setup enables it.
#[test]
fn disabled_service_is_named_with_project() {
    let estate = Estate::new();
    estate.google.change(|it| it.client_project = Some("123456789012"));
    let ran = estate.run(&["setup", "--dry-run"]);
    assert!(!ran.err.contains("google-quota-project"), "{}", ran.err);
    assert!(
        ran.err.contains("--project=123456789012") || ran.out.contains("+ enable"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn labelled_operator_is_recognised() {
    let estate = Estate::new();
    let deployment = |name: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "external-secrets"},
        "spec": {"template": {"spec": {"serviceAccountName": "external-secrets", "containers": [
            {"name": "manager", "image": "registry.acme.example/platform/sync:v0.20.4", "args": ["--concurrent=1"]}]}}}})
    };
    let cluster = &estate.world.cluster;
    cluster.remove_object("apps/v1", "Deployment", Some("external-secrets"), "external-secrets");
    cluster.put_object(deployment("sync"));
    let names = [
        "no workload is recognised as its controller",
        "kubectl label --namespace NAMESPACE deployment NAME",
    ];
    let ran = estate.run(&SETUP).fails(3, "eso-controller-unknown", &names);
    assert!(!ran.err.contains("helm install"), "a second operator: {}", ran.err);
    let label = command(&ran, "kubectl label").pop().unwrap();
    let (key, value) = label.split_once('=').unwrap();
    let mut labelled = deployment("sync");
    labelled["metadata"]["labels"] = json!({key: value});
    cluster.put_object(labelled);
    estate.run(&SETUP).ends(0);
}

/// All keys replaced at once: setup has no flag for it, and names the command that has.
#[test]
fn former_keys_are_kept_by_publish() {
    let estate = Estate::new();
    estate.world.cluster.change_servers(|server| server.issuers = vec![ISSUER.to_owned()]);
    estate.google.resolve("oidc.lab.test", estate.world.web.addr());
    estate.settings(&format!("issuer: {ISSUER}\nbucket: {{url: 'file://{}'}}", estate.world.www.display()));
    estate.run(&SETUP).ends(0);
    let next = SigningKey::rsa(2048);
    estate.world.cluster.change_servers(|server| {
        server.key_files = vec![(&next).into()];
        server.signing_key = next.clone();
    });
    let ran = estate.run(&SETUP).fails(3, "issuer-of-another-cluster", &["none of the keys published"]);
    assert_eq!(estate.world.published(), [estate.world.key.kid()], "nothing was written");
    let publish = command(&ran, "keyless publish --same-cluster");
    follow(&estate, &publish, &["--yes"]).ends(0);
    let mut published = estate.world.published();
    published.sort();
    let mut wanted = vec![estate.world.key.kid(), next.kid()];
    wanted.sort();
    assert_eq!(published, wanted);
    estate.run(&SETUP).ends(0);
    estate.run(&["verify"]).ends(0);
}

#[test]
fn misplaced_flag_names_its_commands() {
    let world = World::new(1);
    for (arguments, says) in [
        (
            &["coupling", "--ca-file", "ca.pem"][..],
            "`keyless coupling` has no use for --ca-file: it is a flag of setup, publish, verify",
        ),
        (&["--bucket", "s3://a", "audit"], "`keyless audit` has no use for --bucket"),
        (&["render", "store", "--issuer", ISSUER], "`keyless render store` has no use for --issuer"),
        (&["setup", "--same-cluster"], "--same-cluster is a flag of publish"),
        (
            &["verify", "--dry-run"],
            "--dry-run is a flag of setup, publish, keys add, keys revoke and teardown",
        ),
        (&["setup", "--no-cluster"], "it is a flag of publish, verify, render credentials and config view"),
        (&["verify", "--project", "acme"], "it is a flag of setup, publish, status, keys and config view"),
    ] {
        let ran = world.run(arguments).ends(2).says(says);
        assert!(ran.err.starts_with("error: ") && ran.err.contains("--help"), "{}", ran.err);
    }
    assert!(world.cluster.server(0).faults().requests().is_empty(), "nothing was asked");
    // Before the command as well as after it.
    world.run(&["--context", "none", "audit"]).fails(2, "kubeconfig", &["none"]);
    world.run(&["--context", "admin", "audit"]).ends(3).says("NOTHING TO JUDGE");
    world.run(&["-o", "json", "audit", "--context", "admin"]).ends(3).says("\"verdict\"");
    let dry = world.keyless("publish", &["--dry-run"]).ends(1);
    assert!(dry.out.contains(&world.key.kid()), "{}", dry.out);
}

/// Without documents, `publish` takes a rotation to the provider.
#[test]
fn publish_uploads_keys_without_documents() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let next = SigningKey::rsa(2048);
    estate.world.cluster.change_servers(|server| {
        server.key_files.push((&next).into());
        server.signing_key = next.clone();
    });
    estate.run(&["verify"]).ends(1);
    let ran = estate.run(&["publish"]).ends(0).says("given: 2 keys");
    assert!(!ran.err.contains("no bucket is named"), "{}", ran.err);
    estate.run(&["verify"]).ends(0).says(&next.kid());
}

/// No flag is passed over: it is of effect, or refused with the setting that is.
#[test]
fn project_is_taken_or_refused() {
    let estate = Estate::new();
    for (flag, value) in [
        ("--project", "acme-prod"),
        ("--region", "fsn1"),
        ("--addressing", "path"),
        ("--endpoint", "https://s3.example.com"),
        ("--public-url", "https://oidc.example.com"),
    ] {
        let ran = estate.run(&["setup", "--dry-run", flag, value]).fails(
            2,
            "flag-without-bucket",
            &[flag, "no bucket is named", "--bucket"],
        );
        assert_eq!(ran.err.contains("google.project in keyless.yaml"), flag == "--project", "{}", ran.err);
    }
    let other = ["setup", "--dry-run", "--bucket", "s3://acme", "--region", "fsn1", "--project", "acme"];
    estate.run(&other).fails(2, "flag-without-bucket", &["--project", "of another kind"]);
    // The one remedy, and the other: a bucket of Google's.
    estate.settings("google: {project: acme-other}");
    estate.run(&["setup", "--dry-run"]).says("Google project acme-other");
    let issuer = "https://storage.googleapis.com/acme-oidc";
    estate.world.cluster.change_servers(|server| server.issuers = vec![issuer.to_owned()]);
    estate.settings("provider: google");
    let arguments = [&SETUP[..], &["--bucket", "gs://acme-oidc", "--project", "acme-prod"]].concat();
    estate.run(&arguments).ends(0);
    assert!(estate.settings_text().contains("  project: acme-prod"), "{}", estate.settings_text());
    assert_eq!(estate.google.storage().buckets(), ["acme-oidc"]);
}
