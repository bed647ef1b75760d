//! How long former keys are kept for tokens that tenants ask for: no longer than the most, and what asks for it is named.

use lab::SigningKey;
use serde_json::{Value, json};

use crate::{
    keys::of_keys,
    ledger::{self, ledger},
    world::World,
};

const MOST: u64 = 30 * 24 * 3600;

fn pod(world: &World, seconds: u64) {
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "tenant"},
        "spec": {"containers": [], "volumes": [{"name": "token", "projected": {"sources": [
            {"serviceAccountToken": {"audience": "vault", "expirationSeconds": seconds, "path": "token"}}]}}]}}));
}

fn longest(world: &World) -> Value {
    world.keyless("keys", &["-o", "json"]).json()["longestToken"].clone()
}

fn write(world: &World, ledger: &Value) {
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "keyless-ledger", "namespace": "keyless-system"},
        "data": {"ledger.json": ledger.to_string()}}));
}

#[test]
fn endless_token_counts_up_to_most() {
    let world = ledger::world(1);
    world.keyless("publish", &[]).ends(0);
    pod(&world, 4_294_967_296);
    assert_eq!(longest(&world)["seconds"], MOST);
    world
        .keyless("keys", &[])
        .ends(0)
        .says("Pod tenant/web-0 asks for 4294967296 s")
        .says("cluster.maxTokenSeconds");
    world.keyless("publish", &["--look-up-tokens"]).ends(0);
    let recorded = &ledger(&world).unwrap()["tokens"][0];
    assert_eq!((&recorded["seconds"], &recorded["by"]), (&json!(MOST), &json!("Pod tenant/web-0")));
    // What others wrote there counts no further.
    let mut forged = ledger(&world).unwrap();
    forged["tokens"][0]["seconds"] = json!(4_294_967_296_u64);
    write(&world, &forged);
    assert_eq!(longest(&world)["seconds"], MOST);
    let settings = "apiVersion: keyless/v1\ncluster: {maxTokenSeconds: 172800}\n";
    std::fs::write(world.dir.path().join("keyless.yaml"), settings).unwrap();
    assert_eq!(longest(&world)["seconds"], 172_800);
}

#[test]
fn wait_falls_after_last_token() {
    let world = ledger::world(1);
    world.keyless("publish", &[]).ends(0);
    pod(&world, 10 * ledger::DAY);
    world.keyless("publish", &["--look-up-tokens"]).ends(0);
    let old = world.key.kid();
    ledger::rotate(&world, &SigningKey::rsa(2048));
    world.keyless("publish", &[]).ends(0);
    world.cluster.remove_object("v1", "Pod", Some("tenant"), "web-0");
    world.keyless("keys", &[]).ends(0).says("Pod tenant/web-0 asked for it until");
    world.keyless("publish", &["--look-up-tokens"]).ends(0);
    let known = ledger(&world).unwrap();
    let ended =
        known["tokens"].as_array().unwrap().iter().find(|one| one["by"] == "Pod tenant/web-0").unwrap();
    assert!(ended["until"].is_u64(), "{known:#}");
    assert_eq!(longest(&world)["seconds"], 10 * ledger::DAY);
    // Its last token has expired.
    let mut later = known.clone();
    for one in later["tokens"].as_array_mut().unwrap() {
        if let Some(until) = one["until"].as_u64() {
            one["until"] = json!(until - 10 * ledger::DAY - 10);
        }
    }
    write(&world, &later);
    assert_eq!(longest(&world)["seconds"], ledger::DAY);
    ledger::age(&world, 2 * ledger::DAY);
    world.keyless("publish", &[]).ends(0);
    assert!(!world.published().contains(&old));
}

#[test]
fn ledger_of_first_version_is_read() {
    let world = ledger::world(1);
    world.keyless("publish", &[]).ends(0);
    let mut first = ledger(&world).unwrap();
    assert_eq!(first["version"], 2);
    first["version"] = json!(1);
    write(&world, &first);
    ledger::rotate(&world, &SigningKey::rsa(2048));
    let ran = of_keys(&world, &[]).ends(0);
    assert!(!ran.err.contains("ledger"), "{}", ran.err);
    world.keyless("publish", &[]).ends(0).says("retained");
    assert_eq!(ledger(&world).unwrap()["version"], 2);
}
