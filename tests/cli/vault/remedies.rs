//! A store of Vault's that names no `path`: what a message says of it helps.

use serde_json::{Value, json};

use super::Scene;
use crate::remedies::command;

/// As Vault's users write it: the engine is the first segment of a key.
#[test]
fn path_that_is_missing_is_named() {
    let scene = Scene::new();
    scene.setup("vault").ends(0);
    let mut store = scene.estate.store();
    store["metadata"] = json!({"name": "gcp"});
    store["spec"]["provider"]["vault"].as_object_mut().unwrap().remove("path");
    scene.estate.world.cluster.put_object(store);
    scene.estate.reads("shop", "engine", "kv/db");
    scene.estate.until_read("shop", "engine");
    let ran = scene.run(&["verify"]).ends(1).says("1 failed");
    assert!(
        ran.out.contains("spec.provider.vault.path is not set, and the settings mean `kv`"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("vault kv put") && !ran.out.contains("put it there"), "{}", ran.out);
    let setup = command(&ran, "keyless setup");
    let words: Vec<_> = setup.iter().map(String::as_str).chain(["--yes", "--watch-for", "0s"]).collect();
    let ran = scene.run(&words).ends(0);
    assert!(ran.out.contains("spec.provider.vault.path: (none) → kv"), "{}", ran.out);
    assert_eq!(scene.estate.store()["spec"]["provider"]["vault"]["path"], Value::from("kv"));
    scene.run(&["verify"]).ends(0).says("0 failed");
}
