//! No write at AWS without a step, and no step without a write: what it recorded is what the dry run showed.

use serde_json::{Value, json};

use super::Scene;

/// The actions that a step takes, by its name and action.
fn written_by(step: &Value) -> &'static str {
    let words: Vec<&str> = step["name"].as_str().unwrap().split(' ').collect();
    match (&words[..], step["action"].as_str().unwrap()) {
        (["OIDC", "provider", ..], "create") => "iam:CreateOpenIDConnectProvider",
        (["OIDC", "provider", ..], "update") => "iam:AddClientIDToOpenIDConnectProvider",
        (["OIDC", "provider", ..], "delete") => "iam:DeleteOpenIDConnectProvider",
        (["role", _], "create") => "iam:CreateRole",
        (["role", _], "update") => "iam:UpdateAssumeRolePolicy",
        (["role", _], "delete") => "iam:DeleteRole",
        (["policy", ..], "create" | "update") => "iam:PutRolePolicy",
        (["policy", ..], "delete") => "iam:DeleteRolePolicy",
        (["AWS", "access", "key", ..], "disable") => "iam:UpdateAccessKey",
        (["AWS", "access", "key", ..], "delete") => "iam:DeleteAccessKey",
        other => panic!("no write is known for {other:?}: {step:#}"),
    }
}

/// Runs a command as a dry run, then for real, and compares.
#[track_caller]
pub(super) fn writes_what_it_shows(scene: &Scene, arguments: &[&str]) {
    let before = scene.writes();
    let shown = scene.run(&[arguments, &["--dry-run", "-o", "json"]].concat());
    assert_eq!(scene.writes(), before, "a dry run writes");
    let shown = shown.json();
    let steps = shown["plan"]["steps"].as_array().unwrap().iter();
    let at_aws = steps.filter(|step| {
        let target = step["target"].as_str().unwrap();
        let is_done = step["action"] != "no-op" && step["gate"] != "on-retire-key";
        ["provider-resource", "key"].contains(&target) && is_done
    });
    let mut announced: Vec<_> = at_aws.map(written_by).collect();
    assert!(!announced.is_empty(), "{shown:#}");

    scene.run(&[arguments, &["--yes"]].concat()).ends(0);
    let mut written = scene.writes().split_off(before.len());
    written.sort_unstable();
    announced.sort_unstable();
    assert_eq!(written, announced, "{:#}", shown["plan"]["steps"]);
}

const SETUP: [&str; 5] = ["setup", "--watch-for", "0s", "--to", "aws"];

#[test]
fn setup_and_teardown_write_their_steps() {
    let scene = Scene::new();
    writes_what_it_shows(&scene, &SETUP);
    writes_what_it_shows(&scene, &[&SETUP[..], &["--retire-key"]].concat());
    writes_what_it_shows(&scene, &["teardown"]);
}

#[test]
fn setup_of_deletion_writes_its_steps() {
    let scene = Scene::new();
    writes_what_it_shows(&scene, &[&SETUP[..], &["--retire-key"]].concat());
}

#[test]
fn changes_by_hand_write_their_steps() {
    let scene = Scene::new();
    scene.ends_well();
    let arn = format!("arn:aws:iam::{}:oidc-provider/oidc.lab.test/prod", lab::Aws::account());
    let client = [("OpenIDConnectProviderArn", &*arn), ("ClientID", "sts.amazonaws.com")];
    scene.iam("RemoveClientIDFromOpenIDConnectProvider", &client);
    writes_what_it_shows(&scene, &SETUP);
    scene.aws.put_secret("api", "x");
    scene.world.cluster.put_object(json!({"apiVersion": super::ESO, "kind": "ExternalSecret",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "aws", "kind": "ClusterSecretStore"},
            "target": {"name": "api"}, "data": [{"secretKey": "value", "remoteRef": {"key": "api"}}]}}));
    writes_what_it_shows(&scene, &[&SETUP[..], &["--accept-new-secrets"]].concat());
}
