//! The ledger of the keys: which keys stay public, until when, and which are named.

use std::fs;

use lab::{Fault, SigningKey};
use serde_json::{Value, json};

use crate::world::{Ran, World};

const LEDGER: &str = "keyless-ledger";
const NAMESPACE: &str = "keyless-system";

/// A cluster with the namespace of `deploy/base`.
pub(crate) fn world(servers: usize) -> World {
    let world = World::new(servers);
    world
        .cluster
        .put_object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
    world
}

pub(crate) fn ledger(world: &World) -> Option<Value> {
    let object = world.cluster.object("v1", "ConfigMap", Some(NAMESPACE), LEDGER)?;
    serde_json::from_str(object["data"]["ledger.json"].as_str()?).ok()
}

/// The entry of the key with this `kid`.
fn entry(world: &World, kid: &str) -> Value {
    let ledger = ledger(world).unwrap();
    let entries = ledger["keys"].as_object().unwrap();
    entries
        .values()
        .find(|entry| entry["kid"] == kid)
        .unwrap_or_else(|| panic!("{kid} in {ledger:#}"))
        .clone()
}

fn write(world: &World, text: &str) {
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": LEDGER, "namespace": NAMESPACE}, "data": {"ledger.json": text}}));
}

/// As if so many seconds had passed since everything in the ledger.
pub(crate) fn age(world: &World, seconds: u64) {
    let mut ledger = ledger(world).unwrap();
    for entry in ledger["keys"].as_object_mut().unwrap().values_mut() {
        for (_, value) in entry
            .as_object_mut()
            .unwrap()
            .iter_mut()
            .filter(|(name, _)| !["servers", "cache"].contains(&name.as_str()))
        {
            if let Some(time) = value.as_u64() {
                *value = json!(time - seconds);
            }
        }
    }
    write(world, &ledger.to_string());
}

pub(crate) fn rotate(world: &World, new: &SigningKey) {
    world.cluster.change_servers(|server| {
        server.key_files = vec![new.into()];
        server.signing_key = new.clone();
    });
}

/// Beside what is published, as an attacker puts it there.
pub(crate) fn add_to_bucket(world: &World, key: &SigningKey) {
    let mut set: Value = serde_json::from_slice(&fs::read(world.jwks()).unwrap()).unwrap();
    set["keys"].as_array_mut().unwrap().push(key.jwk());
    fs::write(world.jwks(), set.to_string()).unwrap();
}

fn status(ran: &Ran, kid: &str) -> String {
    let json = ran.json();
    let keys = json["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == kid).unwrap_or_else(|| panic!("{kid} in {json:#}"));
    key["status"].as_str().unwrap().to_owned()
}

pub(crate) const DAY: u64 = 24 * 3600;

#[test]
fn careless_rotation_needs_no_hand() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0).says("ConfigMap keyless-system/keyless-ledger");
    let new = SigningKey::rsa(2048);
    rotate(&world, &new);
    // Without a ledger this is refused: none of the published keys is served any more.
    let ran = world.keyless("publish", &["-o", "json"]).ends(0);
    assert_eq!(
        (status(&ran, &world.key.kid()).as_str(), status(&ran, &new.kid()).as_str()),
        ("retained", "kept")
    );
    world.keyless("verify", &[]).ends(0).says("known from the ledger");
    world.keyless("publish", &[]).ends(0).says("unchanged: 2 keys");

    // One day for the longest token, five minutes each for caches and clocks.
    age(&world, DAY + 500);
    world.keyless("publish", &[]).ends(0).says("unchanged: 2 keys");
    age(&world, 200);
    let kid = world.key.kid();
    world.keyless("publish", &["--dry-run"]).ends(1).says(&format!("keys[{kid}]"));
    assert_eq!(world.published().len(), 2);
    let ran = world.keyless("publish", &["-o", "json"]).ends(0).json();
    assert_eq!(ran["removed"], json!([kid]));
    assert_eq!(world.published(), [new.kid()]);
    world.keyless("publish", &[]).ends(0).says("unchanged: 1 key");
}

#[test]
fn unchanged_cluster_writes_no_ledger() {
    let world = world(2);
    world.keyless("publish", &[]).ends(0);
    let version = || {
        let object = world.cluster.object("v1", "ConfigMap", Some(NAMESPACE), LEDGER).unwrap();
        object["metadata"]["resourceVersion"].clone()
    };
    world.keyless("publish", &[]).ends(0);
    let before = version();
    world.keyless("publish", &[]).ends(0).says("unchanged: 1 key");
    world.keyless("verify", &[]).ends(0);
    assert_eq!(version(), before);
}

#[test]
fn foreign_key_is_named_until_removed() {
    let world = world(2);
    world.keyless("publish", &[]).ends(0);
    let foreign = SigningKey::rsa(2048);
    add_to_bucket(&world, &foreign);
    world.keyless("verify", &[]).ends(1).says(&foreign.kid()).says("keyless keys revoke");
    for _ in 0..2 {
        let ran = world.keyless("publish", &[]).ends(1).says("warning[key-foreign]").says("first noticed 20");
        assert!(ran.err.contains(&foreign.kid()) && !ran.err.contains("retained"), "{}", ran.err);
    }
    let ran = world.keyless("publish", &["-o", "json"]).ends(1);
    assert_eq!(status(&ran, &foreign.kid()), "foreign");
    // It does not keep ours from being published.
    let new = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    world.keyless("publish", &[]).ends(1).says("warning[key-foreign]");
    assert!(world.published().contains(&new.kid()));
    // However long it stays, it is not relabelled, and not removed.
    age(&world, 30 * DAY);
    let ran = world.keyless("publish", &["-o", "json"]).ends(1);
    assert_eq!(status(&ran, &foreign.kid()), "foreign");
    assert!(world.published().contains(&foreign.kid()));
    // The administrator states that it is a former key.
    world.keyless("publish", &["--same-cluster", "--yes"]).ends(0);
    world.keyless("verify", &[]).ends(0);
}

#[test]
fn staged_key_is_not_foreign() {
    let world = world(1);
    let next = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    world.keyless("publish", &["--public-key", "next.pub"]).ends(0);
    let ran = world.keyless("publish", &["-o", "json"]).ends(0);
    assert_eq!(status(&ran, &next.kid()), "staged");
    world.keyless("verify", &[]).ends(0);
}

#[test]
fn unreachable_server_keeps_former_keys() {
    let world = world(2);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    age(&world, 3 * DAY);
    world.cluster.server(1).stop();
    world.keyless("publish", &[]).ends(3).says("warning[server-unreachable]");
    assert_eq!(world.published().len(), 2);
    world.cluster.server(1).restart();
    // The wait begins again.
    world.keyless("publish", &[]).ends(0).says("unchanged: 2 keys");
    age(&world, 2 * DAY);
    world.keyless("publish", &[]).ends(0);
    assert_eq!(world.published(), [new.kid()]);
}

/// Whatever others write there: what is live stays public, and nothing is added.
#[test]
fn odd_ledgers_only_lengthen() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    let good = ledger(&world).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut odd = good.clone();
        change(&mut odd);
        odd.to_string()
    };
    let ahead = |odd: &mut Value| {
        odd["keys"]
            .as_object_mut()
            .unwrap()
            .values_mut()
            .for_each(|entry| entry["noticed"] = json!(9_999_999_999_u64));
    };
    for (text, lost) in [
        ("{".to_owned(), true),
        ("CANARY".into(), true),
        ("[]".into(), true),
        (with(&|odd| odd["version"] = json!(99)), true),
        (with(&|odd| odd["cluster"] = json!("another")), true),
        (with(&|odd| odd["issuer"] = json!("https://another.example")), true),
        (with(&|odd| odd["keys"]["x"] = json!({})), true),
        (with(&ahead), true),
        (" ".repeat(300_000), true),
        (String::new(), false),
    ] {
        write(&world, &text);
        let ran = world.keyless("publish", &[]).ends(1).says("warning[key-not-served]");
        assert_eq!(
            ran.err.contains("warning[ledger-lost]"),
            lost,
            "{}: {}",
            &text[..text.len().min(90)],
            ran.err
        );
        assert!(!ran.err.contains("CANARY"), "{}", ran.err);
        assert_eq!(world.published().len(), 2);
        age(&world, 30 * DAY);
        world.keyless("publish", &[]).ends(1);
        assert_eq!(world.published().len(), 2, "a lost ledger removes nothing");
    }
    // Everything that a forger may write of a live key.
    let mut forged = good.clone();
    for entry in forged["keys"].as_object_mut().unwrap().values_mut() {
        for time in ["absentSince", "idleSince", "revoked", "dropped"] {
            entry[time] = json!(1);
        }
    }
    write(&world, &forged.to_string());
    world.keyless("publish", &[]).ends(1).says("warning[key-revoked-live]").says(&new.kid());
    assert_eq!(world.published(), [new.kid()]);
}

#[test]
fn ledger_of_two_publishers_loses_nothing() {
    let world = world(2);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    rotate(&world, &new);
    let runs: Vec<_> = (0..4).map(|_| world.spawn("publish", &[])).collect();
    for run in runs {
        Ran::from(run.wait_with_output().unwrap()).ends(0);
    }
    assert_eq!(entry(&world, &new.kid())["seen"], "live");
    assert_eq!(entry(&world, &world.key.kid())["seen"], "live");
    assert_eq!(world.published().len(), 2);
}

#[test]
fn unwritable_ledger_removes_no_key() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    age(&world, 3 * DAY);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{LEDGER}");
    world.cluster.server(0).faults().always("PATCH", &path, Fault::status(500));
    let next = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&next).into()));
    world.keyless("publish", &[]).ends(3).says("warning[ledger-unwritten]");
    assert_eq!(world.published().len(), 3);
}

#[test]
fn unreadable_ledger_matters_to_former_keys() {
    let world = world(1);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{LEDGER}");
    let faults = world.cluster.server(0).faults();
    faults.always("GET", &path, Fault::status(500));
    // Every published key is live: nothing depends on the ledger.
    for _ in 0..2 {
        world.keyless("publish", &[]).ends(0).says("warning[ledger-unreadable]");
    }
    let new = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    world.keyless("publish", &[]).ends(0);
    world.cluster.change_servers(|server| server.key_files.truncate(1));
    world.keyless("publish", &[]).ends(3).says("warning[ledger-unreadable]").says("warning[key-not-served]");
    assert_eq!(world.published().len(), 2, "and none is removed");
}

#[test]
fn late_ledger_is_waited_for() {
    let world = world(1);
    world.keyless("publish", &[]).ends(0);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{LEDGER}");
    world.cluster.server(0).faults().always(
        "GET",
        &path,
        Fault::Delay(std::time::Duration::from_millis(500)),
    );
    let new = SigningKey::rsa(2048);
    rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    age(&world, 3 * DAY);
    world.keyless("publish", &[]).ends(0);
    assert_eq!(
        world.published(),
        [new.kid()],
        "a look that began before the ledger was read would remove none"
    );
}

#[test]
fn vanished_key_seen_once_is_named() {
    let world = world(3);
    world.keyless("publish", &[]).ends(0);
    let shown = SigningKey::rsa(2048);
    world.cluster.server(1).change(|server| server.key_files.push((&shown).into()));
    world.keyless("publish", &[]).ends(0);
    assert!(world.published().contains(&shown.kid()), "a key enters at once");
    world.cluster.server(1).change(|server| server.key_files.truncate(1));
    let ran = world.keyless("publish", &[]).ends(1).says("warning[key-shown-once]").says(&shown.kid());
    assert!(!ran.err.contains("key-foreign"), "{}", ran.err);
    world.keyless("verify", &[]).ends(1);
}

#[test]
fn wait_follows_the_longest_token() {
    let world = world(1);
    let settings =
        "apiVersion: keyless/v1\ncluster: {ledger: keyless-system/mine, longestTokenSeconds: 600}\n";
    fs::write(world.dir.path().join("keyless.yaml"), settings).unwrap();
    world.keyless("publish", &["--config", "keyless.yaml"]).ends(0).says("ConfigMap keyless-system/mine");
    assert!(ledger(&world).is_none());
    for odd in ["ledger: mine", "ledger: a/b/c", "longestTokenSeconds: 599", "longestTokenSeconds: -1"] {
        fs::write(
            world.dir.path().join("keyless.yaml"),
            format!("apiVersion: keyless/v1\ncluster: {{{odd}}}\n"),
        )
        .unwrap();
        world.keyless("publish", &[]).fails(2, "config-malformed", &[]);
    }
}
