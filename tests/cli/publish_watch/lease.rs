//! Several publishers and one Lease.

use std::time::Duration;

use lab::{Fault, SigningKey};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    add_key,
    running::{Watch, until},
    watch,
};
use crate::{ledger, world::World};

const LEASE: &[&str] = &["--lease", "keyless-system/publisher"];

fn lease(world: &World, name: &str) -> Option<Value> {
    world.cluster.object("coordination.k8s.io/v1", "Lease", Some("keyless-system"), name)
}

fn leads(watch: &Watch) -> bool {
    watch.metric("keyless_is_leader") == Some(1.0)
}

/// The one that leads first, and the other.
fn pair(world: &World) -> (Watch, Watch) {
    let first = watch(world, LEASE);
    until(|| leads(&first).then_some(()));
    let second = watch(world, LEASE);
    second.becomes_ready();
    (first, second)
}

#[test]
fn one_of_two_writes() {
    let world = ledger::world(2);
    let (first, second) = pair(&world);
    assert!(second.get("/readyz").1.contains("another process"));
    let spec = lease(&world, "publisher").unwrap()["spec"].clone();
    assert_eq!(spec["leaseDurationSeconds"], 15);
    for _ in 0..3 {
        let key = add_key(&world, 0);
        until(|| world.published().contains(&key.kid()).then_some(()));
    }
    assert_eq!(second.metric("keyless_changes_total"), Some(0.0));
    assert!(first.metric("keyless_changes_total") >= Some(3.0));
    assert!(leads(&first) && !leads(&second));
    // It follows all the same.
    until(|| (second.metric("keyless_keys{state=\"live\"}") == Some(4.0)).then_some(()));
    let renewed = |world: &World| lease(world, "publisher").unwrap()["spec"]["renewTime"].clone();
    let before = renewed(&world);
    until(|| (renewed(&world) != before).then_some(()));
    assert_eq!(lease(&world, "publisher").unwrap()["spec"]["leaseTransitions"], 0);
    for watch in [second, first] {
        assert_eq!(watch.ends(Signal::TERM).0, Some(0));
    }
    assert_eq!(lease(&world, "publisher").unwrap()["spec"].get("holderIdentity"), None, "released");
}

#[test]
fn killed_leader_is_replaced() {
    let world = ledger::world(1);
    let (mut first, second) = pair(&world);
    first.kill();
    let key = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&key).into()));
    until(|| leads(&second).then_some(()));
    until(|| world.published().contains(&key.kid()).then_some(()));
    assert_eq!(lease(&world, "publisher").unwrap()["spec"]["leaseTransitions"], 1);
    let (code, lines, messages) = second.ends(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(messages.contains("this process holds the Lease"), "{messages}");
    assert!(lines.iter().any(|line| line["outcome"] == "changed" && line["leader"] == true), "{lines:#?}");
}

/// The Lease of a dead holder runs out after 15 s, in the middle of a look: each takes 6 s.
#[test]
fn lead_during_look_precedes_writes() {
    let world = ledger::world(1);
    world.cluster.put_object(json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "namespace": "keyless-system", "name": "publisher" },
        "spec": { "holderIdentity": "dead", "leaseDurationSeconds": 15, "leaseTransitions": 0 },
    }));
    let slow = Fault::Delay(Duration::from_secs(6));
    world.cluster.server(0).faults().always("GET", "/openid/v1/jwks", slow);
    let watch = watch(&world, LEASE);
    until(|| world.jwks().exists().then_some(()));
    let (code, _, messages) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0));
    let at = |part| messages.find(part).unwrap_or_else(|| panic!("no `{part}` in\n{messages}"));
    let order = ["dead holds the Lease", "this process holds the Lease", "writing ConfigMap"].map(at);
    assert!(order.is_sorted(), "{messages}");
}

#[test]
fn stolen_lease_stops_writes() {
    let world = ledger::world(1);
    let watch = watch(&world, &["--lease"]);
    until(|| leads(&watch).then_some(()));
    let mut stolen = lease(&world, "keyless-publisher").unwrap();
    stolen["spec"]["holderIdentity"] = json!("another");
    world.cluster.put_object(stolen);
    until(|| (!leads(&watch)).then_some(()));
    let key = add_key(&world, 0);
    until(|| (watch.metric("keyless_looks_total{outcome=\"pending\"}") > Some(1.0)).then_some(()));
    assert!(!world.published().contains(&key.kid()));
    // The other one gives no sign of life.
    until(|| world.published().contains(&key.kid()).then_some(()));
    assert_eq!(watch.ends(Signal::TERM).0, Some(0));
}

#[test]
fn forbidden_lease_writes_nothing() {
    let world = ledger::world(1);
    world.cluster.deny("admin", "create", "leases.coordination.k8s.io");
    let watch = watch(&world, LEASE);
    until(|| watch.messages().contains("warning[lease-unavailable]").then_some(()));
    until(|| (watch.metric("keyless_looks_total{outcome=\"pending\"}") > Some(0.0)).then_some(()));
    assert!(!world.jwks().exists() && lease(&world, "publisher").is_none());
    world.cluster.forgive("admin");
    until(|| world.jwks().exists().then_some(()));
    let (code, _, messages) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(messages.contains("create leases.coordination.k8s.io"), "{messages}");
}
