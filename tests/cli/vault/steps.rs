//! No write to the server without a step, and no step without a write: what it recorded is what the dry run showed.

use std::collections::BTreeSet;

use lab::Call;
use serde_json::{Value, json};

use super::Scene;

/// What a step writes, by its name: `role external-secrets of auth/keyless`.
fn written_by(step: &Value) -> String {
    let name = step["name"].as_str().unwrap();
    let words: Vec<&str> = name.split(' ').collect();
    match (&words[..], step["action"].as_str().unwrap()) {
        (["auth", "method", mount, ..], "create" | "delete") => format!("sys/auth/{mount}"),
        (["auth", "method", mount, ..], _) => format!("sys/auth/{mount}/tune"),
        (["configuration", "of", mount], _) => format!("{mount}/config"),
        (["policy", policy], _) => format!("sys/policies/acl/{policy}"),
        (["role", role, "of", mount], _) => format!("{mount}/role/{role}"),
        other => panic!("no write is known for {other:?}: {step:#}"),
    }
}

fn is_write(call: &Call) -> bool {
    let asks = ["/login", "-self", "sys/capabilities"];
    !matches!(call.method.as_str(), "GET" | "LIST" | "HEAD")
        && !asks.iter().any(|part| call.path.contains(part))
}

fn recorded(scene: &Scene) -> BTreeSet<String> {
    let writes = scene.vault.faults().requests().into_iter().filter(is_write);
    writes
        .map(|call| call.path.trim_start_matches("/v1/").split('?').next().unwrap_or_default().to_owned())
        .collect()
}

/// Runs a command as a dry run, then for real, and compares.
#[track_caller]
fn writes_what_it_shows(scene: &Scene, arguments: &[&str]) {
    scene.vault.faults().forget();
    let shown = scene.run(&[arguments, &["--dry-run", "-o", "json"]].concat());
    assert_eq!(recorded(scene), BTreeSet::new(), "a dry run writes");
    let shown: Value =
        serde_json::from_str(&shown.out).unwrap_or_else(|_| panic!("{}{}", shown.out, shown.err));
    let steps = shown["plan"]["steps"].as_array().unwrap().iter();
    let of_server = steps.filter(|step| step["target"] == "provider-resource" && step["action"] != "no-op");
    let announced: BTreeSet<_> = of_server.map(written_by).collect();
    assert!(!announced.is_empty(), "{shown:#}");

    scene.vault.faults().forget();
    scene.run(&[arguments, &["--yes"]].concat()).ends(0);
    assert_eq!(recorded(scene), announced, "{:#}", shown["plan"]["steps"]);
}

const SETUP: [&str; 6] = ["setup", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"];

#[test]
fn setup_writes_what_it_shows() {
    writes_what_it_shows(&Scene::new(), &SETUP);
}

#[test]
fn setup_with_documents_writes_steps() {
    writes_what_it_shows(&Scene::with_documents(None), &SETUP);
}

#[test]
fn new_secret_writes_its_step() {
    let scene = Scene::new();
    scene.setup("vault").ends(0);
    scene.vault.put_secret("kv", "api", json!({"password": "x"}));
    scene.estate.reads("shop", "api", "api");
    writes_what_it_shows(&scene, &SETUP);
}

#[test]
fn changed_role_writes_its_step() {
    let scene = Scene::new();
    scene.setup("vault").ends(0);
    scene.vault.change_role("keyless", "external-secrets", |role| {
        role["bound_audiences"] = json!(["vault", "https://kubernetes.default.svc"]);
    });
    writes_what_it_shows(&scene, &SETUP);
}

#[test]
fn teardown_writes_what_it_shows() {
    let scene = Scene::new();
    scene.setup("vault").ends(0);
    scene.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    writes_what_it_shows(&scene, &["teardown"]);
}
