//! Attacks on the audit's zero.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::world::World;

const CRDS: &str = include_str!("../lab/fixtures/crds/eso-0.20.4-min.yaml");
const CANARY: &str = "kanarienvogelkanarienvogelkanarienvogel1";

fn controller(pod: &Value) -> Value {
    let mut spec = json!({"serviceAccountName": "external-secrets", "containers": [
        {"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4"}]});
    for (name, value) in pod.as_object().unwrap() {
        spec[name] = value.clone();
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
        "spec": {"template": {"spec": spec}}})
}

fn world(pod: &Value) -> World {
    let world = World::new(1);
    world.cluster.load_crds(CRDS);
    world.cluster.put_object(controller(pod));
    world.cluster.put_object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "gcp"},
        "spec": {"provider": {"gcpsm": {"projectID": "acme-prod", "auth": {"workloadIdentityFederation": {
            "audience": "a", "serviceAccountRef": {"name": "eso", "namespace": "external-secrets", "audiences": ["a"]}}}}}}}));
    world
}

/// Headline, verdict, count, completeness and exit code say the same; nothing of the credential is shown.
#[track_caller]
fn says(world: &World, verdict: &str, count: Value, complete: bool, exit: i32) {
    let ran = world.run(&["audit", "-vvv"]).ends(exit);
    let report = world.run(&["audit", "-vvv", "-o", "json"]).ends(exit);
    for text in [&ran.out, &ran.err, &report.out, &report.err] {
        assert!(!text.contains(&CANARY[..20]), "{text}");
    }
    let report = report.json();
    assert_eq!((&report["verdict"], &report["count"]), (&json!(verdict), &count), "{report}");
    assert_eq!(report["complete"], complete, "{report}");
    assert_eq!(report["headline"].as_str(), ran.out.lines().next(), "{report}");
    assert_eq!(ran.out.starts_with("ZERO"), verdict == "zero", "{}", ran.out);
}

#[test]
fn key_beside_stores_counts_wrapped() {
    let plain = json!({});
    let world = world(&plain);
    says(&world, "zero", json!(0), true, 0);
    let key =
        json!({"type": "service_account", "project_id": "acme-prod", "private_key_id": "0123456789abcdef",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"),
        "client_email": "eso@acme-prod.iam.gserviceaccount.com"})
        .to_string();
    for value in [
        STANDARD.encode(&key),
        json!({"google": {"key": key}}).to_string(),
        format!("gcp:\n  key: {}\n", json!(key)),
        json!({"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": CANARY}).to_string(),
        format!("VAULT_TOKEN=hvs.{CANARY}\n"),
    ] {
        world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "old", "namespace": "external-secrets"}, "data": {"it": STANDARD.encode(&value)}}));
        says(&world, "found", json!(1), true, 1);
    }
    world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "old");
    says(&world, "zero", json!(0), true, 0);
}

#[test]
fn other_containers_of_operator_count() {
    let env = json!([{"name": "VAULT_TOKEN", "value": format!("hvs.{CANARY}")}]);
    for list in ["initContainers", "ephemeralContainers"] {
        says(&world(&json!({list: [{"name": "x", "image": "y", "env": env}]})), "found", json!(1), true, 1);
    }
    // In the pod alone, as an injector or `kubectl debug` writes it.
    let plain = json!({});
    let world = world(&plain);
    let mut pod = controller(&json!({"ephemeralContainers": [{"name": "debug", "image": "y", "env": env}]}));
    pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": pod["spec"]["template"]["spec"],
        "metadata": {"name": "external-secrets-6d5f8-x2x4k", "namespace": "external-secrets"}});
    world.cluster.put_object(pod);
    says(&world, "found", json!(1), true, 1);
}

#[test]
fn shell_command_of_operator_is_incomplete() {
    let container = |more: Value| {
        let mut container =
            json!({"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v0.20.4"});
        for (name, value) in more.as_object().unwrap() {
            container[name] = value.clone();
        }
        world(&json!({"containers": [container]}))
    };
    let script = format!("VAULT_TOKEN=hvs.{CANARY} exec /bin/external-secrets");
    for more in [
        json!({"command": ["/bin/sh", "-c", script]}),
        json!({"args": ["-c", script]}),
        json!({"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", script]}}}}),
    ] {
        // What the shell does is not known; what is written there is seen.
        says(&container(more), "found", json!(1), false, 1);
    }
    says(
        &container(json!({"args": ["--concurrent", "1", "--zap-time-encoding=epoch"]})),
        "zero",
        json!(0),
        true,
        0,
    );
}
