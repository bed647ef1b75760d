//! No write at Azure without a step, and no step without a write: what it recorded is what the dry run showed.

use serde_json::{Value, json};

use super::Scene;

const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// The permission that a step takes, by its name and action.
fn written_by(step: &Value) -> String {
    let words: Vec<&str> = step["name"].as_str().unwrap().split(' ').collect();
    match (&words[..], step["action"].as_str().unwrap()) {
        (["managed", "identity", _], "create") => format!("{IDENTITIES}/write"),
        (["managed", "identity", _], "delete") => format!("{IDENTITIES}/delete"),
        (["federated", ..], "create" | "update") => {
            format!("{IDENTITIES}/federatedIdentityCredentials/write")
        }
        (["federated", ..], "delete") => format!("{IDENTITIES}/federatedIdentityCredentials/delete"),
        (["role", ..], "create") => "Microsoft.Authorization/roleAssignments/write".into(),
        (["role", ..], "delete") => "Microsoft.Authorization/roleAssignments/delete".into(),
        (["client", "secret", ..], "disable" | "delete") => "Application.ReadWrite.All".into(),
        other => panic!("no write is known for {other:?}: {step:#}"),
    }
}

/// Runs a command as a dry run, then for real, and compares.
#[track_caller]
fn writes_what_it_shows(scene: &Scene, arguments: &[&str]) {
    let before = scene.writes();
    let shown = scene.run(&[arguments, &["--dry-run", "-o", "json"]].concat());
    assert_eq!(scene.writes(), before, "a dry run writes");
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    let steps = shown["plan"]["steps"].as_array().unwrap().iter();
    let at_azure = |step: &&Value| {
        let target = step["target"].as_str().unwrap();
        let is_done = step["action"] != "no-op" && step["gate"] != "on-retire-key";
        ["provider-resource", "key"].contains(&target) && is_done
    };
    let mut announced: Vec<_> = steps.filter(at_azure).map(written_by).collect();
    assert!(!announced.is_empty(), "{shown:#}");
    scene.run(&[arguments, &["--yes"]].concat()).ends(0);
    let mut written = scene.writes().split_off(before.len());
    written.sort_unstable();
    announced.sort_unstable();
    assert_eq!(written, announced, "{:#}", shown["plan"]["steps"]);
}

const SETUP: [&str; 5] = ["setup", "--watch-for", "0s", "--to", "entra"];

#[test]
fn setup_and_teardown_write_their_steps() {
    let scene = Scene::new();
    writes_what_it_shows(&scene, &SETUP);
    writes_what_it_shows(&scene, &[&SETUP[..], &["--retire-key"]].concat());
    writes_what_it_shows(&scene, &["teardown"]);
}

#[test]
fn changes_by_hand_write_their_steps() {
    let scene = Scene::new();
    scene.ends_well();
    let upper = "system:serviceaccount:external-secrets:Keyless-azure";
    scene.azure.federate(&scene.identity_name(), "keyless", crate::world::ISSUER, upper);
    writes_what_it_shows(&scene, &SETUP);
    scene.azure.put_secret("api", "x");
    scene.world.cluster.put_object(json!({"apiVersion": super::ESO, "kind": "ExternalSecret",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "azure", "kind": "ClusterSecretStore"},
            "target": {"name": "api"}, "data": [{"secretKey": "value", "remoteRef": {"key": "api"}}]}}));
    writes_what_it_shows(&scene, &[&SETUP[..], &["--accept-new-secrets"]].concat());
}
