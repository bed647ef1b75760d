//! `keyless keys`: what is shown, published before it signs, revoked, waited for.

use std::fs;

use lab::SigningKey;
use serde_json::{Value, json};

use crate::{
    ledger,
    world::{Ran, World},
};

fn key(ran: &Ran, kid: &str) -> Value {
    let json = ran.json();
    let keys = json["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).unwrap_or_else(|| panic!("{kid} in {json:#}")).clone()
}

/// The public half of a new key, as a file.
fn staged(world: &World) -> SigningKey {
    let next = SigningKey::rsa(2048);
    fs::write(world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    next
}

fn keys(world: &World, more: &[&str]) -> Ran {
    world.keyless("keys", more)
}

/// A subcommand with the common flags after it.
pub(crate) fn of_keys(world: &World, words: &[&str]) -> Ran {
    let bucket = format!("file://{}", world.www.display());
    let common = ["--bucket", &bucket, "--issuer", crate::world::ISSUER, "--ca-file", "ca.pem"];
    world.run(&[&["keys"], words, &common].concat())
}

#[test]
fn prepared_rotation_follows_the_advice() {
    let world = ledger::world(2);
    world.keyless("publish", &[]).ends(0);
    keys(&world, &[]).ends(0).says("next: nothing").says("2 of 2");
    let next = staged(&world);
    of_keys(&world, &["add", "next.pub", "--dry-run"]).ends(1).says(&next.kid());
    assert_eq!(world.published().len(), 1);
    of_keys(&world, &["add", "next.pub"]).ends(0).says("published: 2 keys");
    let ran = keys(&world, &["-o", "json"]).ends(0);
    let row = key(&ran, &next.kid());
    assert_eq!(
        (&row["state"], &row["servedBy"], &row["signing"]),
        (&json!("staged"), &json!(0), &json!(false))
    );
    assert!(row["publicSince"].is_string() && row["signAfter"].is_string(), "{row}");
    keys(&world, &[]).ends(0).says("to --service-account-key-file of every API server");

    world.cluster.change_servers(|server| server.key_files.push((&next).into()));
    keys(&world, &[]).ends(0).says("next: wait until");
    of_keys(&world, &["wait", "--timeout", "1s"]).ends(1).says("next: wait until");
    ledger::age(&world, 400);
    of_keys(&world, &["wait"]).ends(0).says("may sign");
    world.cluster.change_servers(|server| server.signing_key = next.clone());
    world.keyless("publish", &[]).ends(0);
    keys(&world, &[]).ends(0).says(&format!("keep {}", world.key.kid()));
    ledger::age(&world, 2 * ledger::DAY);
    keys(&world, &[]).ends(0).says("may be taken from --service-account-key-file");
    of_keys(&world, &["wait"]).ends(0);
    world.cluster.change_servers(|server| drop(server.key_files.remove(0)));
    let ran = keys(&world, &["-o", "json"]).ends(0);
    assert_eq!(key(&ran, &world.key.kid())["state"], "retained");
}

#[test]
fn revoked_key_leaves_at_once() {
    let world = ledger::world(1);
    world.keyless("publish", &[]).ends(0);
    let kid = world.key.kid();
    of_keys(&world, &["revoke", &kid, "--yes"]).fails(3, "key-live", &[&kid, "--service-account-key-file"]);
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    of_keys(&world, &["revoke", &kid]).fails(2, "confirmation", &["--yes"]);
    of_keys(&world, &["revoke", &kid, "--dry-run"]).ends(1).says("the last would have expired at 20");
    assert_eq!(world.published().len(), 2);
    of_keys(&world, &["revoke", "none", "--yes"]).fails(2, "key-unknown", &["none"]);
    of_keys(&world, &["revoke", &kid, "--yes"]).ends(0).says("300 s");
    assert_eq!(world.published(), [new.kid()]);
    world.keyless("publish", &[]).ends(0).says("unchanged: 1 key");
    world.keyless("verify", &[]).ends(0);
}

#[test]
fn foreign_key_is_revoked_by_name() {
    let world = ledger::world(1);
    world.keyless("publish", &[]).ends(0);
    let foreign = SigningKey::rsa(2048);
    ledger::add_to_bucket(&world, &foreign);
    world.keyless("publish", &[]).ends(1).says("warning[key-foreign]");
    keys(&world, &[]).ends(1).says("next: find out whose key").says("foreign");
    of_keys(&world, &["revoke", &foreign.kid(), "--yes"]).ends(0);
    assert_eq!(world.published(), [world.key.kid()]);
    keys(&world, &[]).ends(0);
    // Put back, it is named, and taken out again.
    ledger::add_to_bucket(&world, &foreign);
    world.keyless("verify", &[]).ends(1).says(&foreign.kid());
    keys(&world, &[]).ends(1).says("returned").says("keyless publish takes it out");
    world.keyless("publish", &[]).ends(1).says("warning[key-returned]").says(&foreign.kid());
    assert_eq!(world.published(), [world.key.kid()]);
    world.keyless("publish", &[]).ends(0);
    ledger::add_to_bucket(&world, &foreign);
    of_keys(&world, &["revoke", &foreign.kid(), "--yes"]).ends(0);
    assert_eq!(world.published(), [world.key.kid()]);
}

#[test]
fn absent_server_keeps_a_revoked_key() {
    let world = ledger::world(2);
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    world.cluster.server(1).stop();
    let kid = world.key.kid();
    of_keys(&world, &["revoke", &kid, "--yes"]).fails(3, "servers-unsound", &["every API server"]);
    assert_eq!(world.published().len(), 2);
    keys(&world, &[]).ends(3).says("bring every API server back");
    world.cluster.server(1).restart();
    of_keys(&world, &["revoke", &kid, "--yes"]).ends(0);
}

#[test]
fn keys_need_a_ledger() {
    let world = World::new(1);
    world.keyless("publish", &[]).ends(0);
    keys(&world, &[]).fails(3, "ledger-unreadable", &["keyless-system/keyless-ledger"]);
    of_keys(&world, &["revoke", &world.key.kid(), "--yes"]).fails(3, "ledger-unreadable", &[]);
    assert_eq!(world.published().len(), 1);
}

/// Nothing is written by a look.
#[test]
fn looking_at_keys_writes_nothing() {
    let world = ledger::world(1);
    keys(&world, &[]).ends(0).says("next: publish");
    assert!(ledger::ledger(&world).is_none() && !world.jwks().exists());
    of_keys(&world, &["wait", "--timeout", "0s"]).ends(1).says("next: publish");
    assert!(ledger::ledger(&world).is_none());
}

/// A cluster that has replaced its key at once, both published; the former one is in `old.pub`.
fn rotated() -> (World, SigningKey) {
    let world = ledger::world(1);
    fs::write(world.dir.path().join("old.pub"), world.key.public_pem()).unwrap();
    world.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    (world, new)
}

/// A key that was live, has left, and is to sign again.
#[test]
fn former_key_is_added_again() {
    let (world, new) = rotated();
    let old = world.key.kid();
    of_keys(&world, &["revoke", &old, "--yes"]).ends(0);
    of_keys(&world, &["add", "old.pub"]).ends(0);
    for _ in 0..2 {
        ledger::age(&world, 30 * ledger::DAY);
        let ran = world.keyless("publish", &["-o", "json"]).ends(0).json();
        assert_eq!(ran["removed"], json!([]), "it stays without the file");
        keys(&world, &[]).ends(0).says(&format!("{old} may sign"));
    }
    of_keys(&world, &["revoke", &old, "--yes"]).ends(0);
    assert_eq!(world.published(), [new.kid()]);
}

#[test]
fn late_ledger_advises_no_old_key() {
    let world = ledger::world(1);
    let new = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| {
        server.key_files.push((&new).into());
        server.signing_key = new.clone();
    });
    world.keyless("publish", &[]).ends(0);
    let old = world.key.kid();
    keys(&world, &[]).ends(0).says(&format!("next: keep {old}"));
    let more = SigningKey::rsa(2048);
    world.cluster.change_servers(|server| server.key_files.push((&more).into()));
    world.keyless("publish", &[]).ends(0);
    ledger::age(&world, 400);
    let ran = keys(&world, &[]).ends(0);
    assert!(!ran.out.contains("may sign"), "{}", ran.out);
}

#[test]
fn vanished_former_key_is_named() {
    let (world, new) = rotated();
    let old = world.key.kid();
    let without = json!({ "keys": [new.jwk()] });
    fs::write(world.jwks(), without.to_string()).unwrap();
    for _ in 0..2 {
        world.keyless("publish", &[]).ends(1).says("warning[key-missing]").says(&old);
        keys(&world, &[]).ends(1).says("missing").says("keyless keys add FILE");
    }
    of_keys(&world, &["add", "old.pub"]).ends(0);
    world.keyless("publish", &[]).ends(0);
    assert_eq!(world.published().len(), 2);
    fs::write(world.jwks(), without.to_string()).unwrap();
    world.keyless("publish", &[]).ends(1);
    of_keys(&world, &["revoke", &old, "--yes"]).ends(0);
    world.keyless("publish", &[]).ends(0);
}

/// A rollout had one server more for a while.
#[test]
fn surge_server_keeps_no_key() {
    let world = ledger::world(3);
    world.keyless("publish", &[]).ends(0);
    let advertised: Vec<_> = world.cluster.servers()[..2].iter().map(|server| server.addr()).collect();
    world.cluster.change(|cluster| cluster.advertised = Some(advertised));
    let (old, new) = (world.key.kid(), SigningKey::rsa(2048));
    ledger::rotate(&world, &new);
    world.keyless("publish", &[]).ends(0);
    ledger::age(&world, 30 * ledger::DAY);
    world.keyless("publish", &[]).ends(0);
    assert_eq!(world.published().len(), 2, "a server that is not listed may have it");
    let step = format!("there were 3 API servers when {old} was live, there are 2");
    keys(&world, &[]).ends(0).says(&step).says(&format!("keyless keys revoke {old}"));
    of_keys(&world, &["revoke", &old, "--yes"]).ends(0).says("the last would have expired at 20");
    assert_eq!(world.published(), [new.kid()]);
    world.keyless("publish", &[]).ends(0);
    // Put back, it is named, and taken out again.
    ledger::add_to_bucket(&world, &world.key);
    world.keyless("publish", &[]).ends(1).says("warning[key-returned]").says(&old);
    assert_eq!(world.published(), [new.kid()]);
}
