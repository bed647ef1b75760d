//! `keyless publish` with several providers that are given the keys: each by itself, and what each refuses.

use lab::{Curve, Fault, SigningKey};
use serde_json::json;

use crate::{
    ledger,
    publish_given::{keys_of, kids, provider, publish, publish_twice, uploaded, uploaded_twice},
    world::Ran,
};

/// Of each provider, what became of it, by the start of its name.
fn outcomes(ran: &Ran) -> Vec<(String, String)> {
    let json = ran.json();
    let all = json["outcomes"].as_array().unwrap_or_else(|| panic!("{json:#}"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    all.iter().map(|one| (text(&one["outcome"]), text(&one["provider"]))).collect()
}

#[test]
fn refusing_vault_keeps_google_current() {
    let (estate, vault) = uploaded_twice();
    let new = SigningKey::ec(Curve::P256);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    for fault in [Fault::status(403), Fault::status(503), Fault::CloseBeforeAnswer] {
        vault.faults().always("POST", "auth/keyless/config", fault.clone());
        vault.faults().always("PUT", "auth/keyless/config", fault);
        let ran = publish_twice(&estate, &vault).ends(3).says("failed").says("keys of");
        assert!(ran.err.contains("auth/keyless of https://"), "{}", ran.err);
        assert!(ran.out.contains("; failed: auth/keyless of https://"), "{}", ran.out);
        assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]).len(), 2);
        assert_eq!(keys_of(&vault).len(), 1);
        vault.faults().clear();
    }
    publish_twice(&estate, &vault).ends(0).says("given: 2 keys");
    assert_eq!(keys_of(&vault).len(), 2);
}

#[test]
fn unreadable_google_keeps_vault_current() {
    let (estate, vault) = uploaded_twice();
    let new = SigningKey::ec(Curve::P256);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    estate.google.faults().always("GET", "/providers/", Fault::status(403));
    let mut command = estate.command(&["publish", "-o", "json"]);
    let ran = Ran::of(command.env("VAULT_TOKEN", vault.root_token())).ends(3);
    let all = outcomes(&ran);
    assert!(all.iter().any(|(what, at)| what == "given" && at.contains("auth/keyless")), "{all:?}");
    assert!(all.iter().any(|(what, at)| what == "failed" && at.contains("acme-prod")), "{all:?}");
    assert_eq!(keys_of(&vault).len(), 2);
    assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]).len(), 1);
    // Nothing was noticed to be missing or returned while one could not be asked.
    estate.google.faults().clear();
    publish_twice(&estate, &vault).ends(0).says("given: 2 keys");
    publish_twice(&estate, &vault).ends(0).says("unchanged: 2 keys");
}

#[test]
fn every_refusal_is_one_error() {
    let (estate, vault) = uploaded_twice();
    estate.google.faults().always("GET", "/providers/", Fault::status(403));
    vault.faults().always("GET", "auth/keyless/config", Fault::status(403));
    let ran = publish_twice(&estate, &vault).ends(3);
    assert!(ran.err.contains("error[") && ran.err.contains("auth/keyless of https://"), "{}", ran.err);
    assert!(ran.err.contains("acme-prod"), "{}", ran.err);
}

/// Of another cluster: its keys are none of the ledger's matter.
#[test]
fn one_providers_other_cluster_is_left() {
    let (estate, vault) = uploaded_twice();
    let other = SigningKey::rsa(2048);
    vault.change_keys("keyless", |pems| *pems = vec![other.public_pem().trim().to_owned()]);
    let new = SigningKey::ec(Curve::P256);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    let ran = publish_twice(&estate, &vault).ends(3).says("issuer-of-another-cluster");
    assert!(!ran.err.contains("key-foreign"), "{}", ran.err);
    assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]).len(), 2);
    assert_eq!(keys_of(&vault).len(), 1);
}

/// A removal that one provider refuses for long is no return of the key.
#[test]
fn refused_removal_is_no_return() {
    let (estate, vault) = uploaded_twice();
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    publish_twice(&estate, &vault).ends(0).says("given: 2 keys");
    ledger::age(&estate.world, ledger::DAY + 1000);
    vault.faults().always("POST", "auth/keyless/config", Fault::status(403));
    for _ in 0..2 {
        let ran = publish_twice(&estate, &vault).ends(3);
        assert!(!ran.err.contains("key-returned") && !ran.err.contains("key-missing"), "{}", ran.err);
        assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]), [new.kid()]);
    }
    vault.faults().always("GET", "auth/keyless/config", Fault::status(403));
    publish_twice(&estate, &vault).ends(3);
    ledger::age(&estate.world, 5000);
    vault.faults().clear();
    let ran = publish_twice(&estate, &vault).ends(0);
    assert!(!ran.err.contains("key-returned"), "{}", ran.err);
    assert_eq!(keys_of(&vault).len(), 1);
    publish_twice(&estate, &vault).ends(0).says("unchanged: 1 key");
    // Seen to be gone from each: from now on it is a return.
    let old = estate.world.key.public_pem().trim().to_owned();
    vault.change_keys("keyless", |pems| pems.push(old));
    publish_twice(&estate, &vault).ends(1).says("warning[key-returned]");
    assert_eq!(keys_of(&vault).len(), 1);
}

#[test]
fn ninth_key_is_refused_with_reasons() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let more: Vec<_> = (0..7).map(|_| SigningKey::ec(Curve::P256)).collect();
    estate.world.cluster.change_servers(|server| server.key_files.extend(more.iter().map(Into::into)));
    publish(&estate, &[]).ends(0).says("given: 8 keys");
    // All eight are replaced by one: nine are live or retained.
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    let before = provider(&estate);
    estate.google.faults().forget();
    let first = &more[0];
    publish(&estate, &[]).fails(
        3,
        "google-too-many-keys",
        &["takes 8 keys, and 9", &first.kid(), "kept until 20", "keyless keys revoke"],
    );
    assert_eq!(provider(&estate), before);
    let writes = estate.google.faults().requests().into_iter().filter(|call| call.method == "PATCH").count();
    assert_eq!(writes, 0);
    // What it names works.
    estate.run(&["keys", "revoke", &first.kid(), "--yes"]).ends(1).says("given: 8 keys");
    let has = kids(&provider(&estate).1["oidc"]["jwksJson"]);
    assert!(has.len() == 8 && has.contains(&new.kid()) && !has.contains(&first.kid()), "{has:?}");
    // Keys that one server had in one look are named.
    publish(&estate, &[]).ends(1).says("unchanged: 8 keys").says("key-shown-once");
}

#[test]
fn foreign_keys_make_room_at_google() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (pool, before) = provider(&estate);
    let mut set: serde_json::Value =
        serde_json::from_str(before["oidc"]["jwksJson"].as_str().unwrap()).unwrap();
    let foreign = (0..7).map(|_| SigningKey::ec(Curve::P256).jwk());
    set["keys"].as_array_mut().unwrap().extend(foreign);
    estate.google.write(&pool, Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(set.to_string()));
    publish(&estate, &[]).ends(1).says("warning[key-foreign]").says("unchanged: 8 keys");
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    publish(&estate, &[]).ends(1).says("given: 8 keys");
    let has = kids(&provider(&estate).1["oidc"]["jwksJson"]);
    assert!(has.contains(&new.kid()) && has.contains(&estate.world.key.kid()), "{has:?}");
}

#[test]
fn key_missing_at_one_is_named() {
    let (estate, vault) = uploaded_twice();
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    publish_twice(&estate, &vault).ends(0).says("given: 2 keys");
    vault.change_keys("keyless", |pems| *pems = vec![new.public_pem().trim().to_owned()]);
    let ran = publish_twice(&estate, &vault).ends(1).says("warning[key-missing]");
    assert!(ran.err.contains(&estate.world.key.kid()) && ran.err.contains("not at"), "{}", ran.err);
    // The remedy works.
    std::fs::write(estate.world.dir.path().join("old.pub"), estate.world.key.public_pem()).unwrap();
    let mut add = estate.command(&["keys", "add", "old.pub"]);
    Ran::of(add.env("VAULT_TOKEN", vault.root_token())).ends(0).says("given: 2 keys");
    assert_eq!(keys_of(&vault).len(), 2);
    publish_twice(&estate, &vault).ends(0).says("unchanged: 2 keys");
}

/// Others may have written in between: a write that may have been carried out is looked at, and not sent again.
#[test]
fn unknown_write_is_not_repeated() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    for (name, fault) in [
        ("503", Fault::status(503)),
        ("500", Fault::status(500)),
        ("closed after it was begun", Fault::CloseAfterEffect),
    ] {
        let new = SigningKey::ec(Curve::P256);
        estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
        estate.google.faults().forget();
        estate.google.faults().next(1, "PATCH", "/providers/", fault);
        publish(&estate, &[]).ends(3);
        let requests = estate.google.faults().requests();
        let writes = requests.into_iter().filter(|call| call.method == "PATCH").count();
        assert_eq!(writes, 1, "{name}");
        // The next run finds out what became of it.
        publish(&estate, &[]).ends(0);
        assert!(kids(&provider(&estate).1["oidc"]["jwksJson"]).contains(&new.kid()));
    }
}
