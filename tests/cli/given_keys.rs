//! `keyless keys` where a provider is given the keys, and what its warnings and errors advise there.

use std::fs;

use lab::{Curve, Fault, SigningKey};
use serde_json::{Value, json};

use crate::{
    estate::{Estate, SETUP},
    ledger,
    publish_given::{kids, provider, publish, publish_twice, uploaded, uploaded_twice},
    world::Ran,
};

fn at_google(estate: &Estate) -> Vec<String> {
    kids(&provider(estate).1["oidc"]["jwksJson"])
}

fn file(estate: &Estate, name: &str, key: &SigningKey) {
    fs::write(estate.world.dir.path().join(name), key.public_pem()).unwrap();
}

fn row(ran: &Ran, kid: &str) -> Value {
    let json = ran.json();
    let keys = json["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).unwrap_or_else(|| panic!("{kid} in {json:#}")).clone()
}

/// No flag is advised that this mode refuses, and no bucket is named.
#[track_caller]
fn advises_nothing_of_documents(ran: &Ran) {
    for word in ["--same-cluster", "--restore", "--create", "bucket"] {
        assert!(!ran.err.contains(word) && !ran.out.contains(word), "{word}:\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn prepared_rotation_of_uploaded_keys() {
    let estate = uploaded(2);
    publish(&estate, &[]).ends(0);
    let ran = estate.run(&["keys"]).ends(0).says("next: nothing").says("2 of 2");
    advises_nothing_of_documents(&ran);
    let next = SigningKey::rsa(2048);
    file(&estate, "next.pub", &next);
    estate.run(&["keys", "add", "next.pub", "--dry-run"]).ends(1).says("oidc.jwksJson");
    assert_eq!(at_google(&estate).len(), 1);
    estate.run(&["keys", "add", "next.pub"]).ends(0).says("given: 2 keys");
    assert_eq!(at_google(&estate).len(), 2);
    // It stays without the file.
    publish(&estate, &[]).ends(0).says("unchanged: 2 keys");
    let ran = estate.run(&["keys", "-o", "json"]).ends(0);
    let staged = row(&ran, &next.kid());
    assert_eq!((&staged["state"], &staged["signing"]), (&json!("staged"), &json!(false)));
    assert!(staged["publicSince"].is_string() && staged["signAfter"].is_string(), "{staged}");
    estate.run(&["keys"]).ends(0).says("to --service-account-key-file of every API server");
    estate.world.cluster.change_servers(|server| server.key_files.push((&next).into()));
    estate.run(&["keys", "wait", "--timeout", "1s"]).ends(1).says("next: wait until");
    ledger::age(&estate.world, 400);
    estate.run(&["keys", "wait"]).ends(0).says("may sign");
    estate.world.cluster.change_servers(|server| server.signing_key = next.clone());
    publish(&estate, &[]).ends(0);
    ledger::age(&estate.world, ledger::DAY + 1000);
    estate.run(&["keys", "wait"]).ends(0).says("may be taken from");
}

#[test]
fn revoked_key_leaves_the_provider() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (old, new) = (estate.world.key.kid(), SigningKey::ec(Curve::P256));
    estate.run(&["keys", "revoke", &old, "--yes"]).fails(3, "key-live", &["service-account-key-file"]);
    ledger::rotate(&estate.world, &new);
    publish(&estate, &[]).ends(0).says("given: 2 keys");
    estate.run(&["keys", "revoke", "nothing", "--yes"]).fails(2, "key-unknown", &["keyless keys"]);
    let ran = estate.run(&["keys", "revoke", &old, "--dry-run"]).ends(1);
    advises_nothing_of_documents(&ran);
    assert_eq!(at_google(&estate).len(), 2);
    estate.run(&["keys", "revoke", &old]).fails(2, "confirmation", &["--yes"]);
    let ran =
        estate.run(&["keys", "revoke", &old, "--yes"]).ends(0).says("tokens that it signed are refused");
    advises_nothing_of_documents(&ran);
    assert_eq!(at_google(&estate), [new.kid()]);
    publish(&estate, &[]).ends(0).says("unchanged: 1 key");
}

/// It leaves those that take it, and the others as soon as they do.
#[test]
fn revoked_key_leaves_refusing_provider_later() {
    let (estate, vault) = uploaded_twice();
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    publish_twice(&estate, &vault).ends(0);
    vault.faults().always("POST", "auth/keyless/config", Fault::status(403));
    let old = estate.world.key.kid();
    let mut revoke = estate.command(&["keys", "revoke", &old, "--yes"]);
    let ran = Ran::of(revoke.env("VAULT_TOKEN", vault.root_token())).ends(3).says("may still be at");
    assert!(ran.out.contains("at auth/keyless of"), "{}", ran.out);
    assert_eq!(at_google(&estate), [new.kid()]);
    vault.faults().clear();
    publish_twice(&estate, &vault).ends(0);
    assert_eq!(crate::publish_given::keys_of(&vault).len(), 1);
}

#[test]
fn overtaken_revocation_looks_again() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (old, new) = (estate.world.key.kid(), SigningKey::ec(Curve::P256));
    ledger::rotate(&estate.world, &new);
    publish(&estate, &[]).ends(0);
    let faults = estate.world.cluster.server(0).faults();
    faults.next(1, "PATCH", "keyless-ledger", Fault::status(409));
    estate.run(&["keys", "revoke", &old, "--yes"]).ends(0).says("looking again");
    assert_eq!(at_google(&estate), [new.kid()]);
}

#[test]
fn silent_provider_keeps_keys_incomplete() {
    let (estate, vault) = uploaded_twice();
    vault.faults().always("GET", "auth/keyless/config", Fault::status(503));
    let run = |more: &[&str]| {
        let mut command = estate.command(&[&["keys"], more].concat());
        Ran::of(command.env("VAULT_TOKEN", vault.root_token()))
    };
    run(&[]).ends(3).says("next: find out why a provider refuses");
    let ran = run(&["-o", "json"]).ends(3).json();
    assert_eq!(ran["complete"], false);
    run(&["wait", "--timeout", "1s"]).ends(3);
}

#[test]
fn states_have_one_name_each() {
    let estate = uploaded(2);
    publish(&estate, &[]).ends(0);
    let passing = SigningKey::ec(Curve::P256);
    estate.world.cluster.server(0).change(|server| server.key_files.push((&passing).into()));
    publish(&estate, &[]).ends(0);
    estate.world.cluster.server(0).change(|server| drop(server.key_files.pop()));
    publish(&estate, &[]).ends(1);
    let ran = estate.run(&["keys", "-o", "json"]).ends(1);
    assert_eq!(row(&ran, &passing.kid())["state"], "shown-once");
    estate.run(&["keys", "revoke", &passing.kid(), "--yes"]).ends(0);
    estate.world.cluster.change_servers(|server| server.key_files.push((&passing).into()));
    publish(&estate, &[]).ends(1);
    let ran = estate.run(&["keys", "-o", "json"]).ends(1);
    assert_eq!(row(&ran, &passing.kid())["state"], "revoked-live");
}

/// The ledger is lost, and the provider has keys that no API server has.
#[test]
fn remedy_for_replaced_keys_works() {
    for remedy in ["add", "setup"] {
        let estate = uploaded(1);
        publish(&estate, &[]).ends(0);
        estate.world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), "keyless-ledger");
        let new = SigningKey::ec(Curve::P256);
        ledger::rotate(&estate.world, &new);
        let ran = publish(&estate, &[]).fails(
            3,
            "issuer-of-another-cluster",
            &["keyless keys add", "keyless setup"],
        );
        advises_nothing_of_documents(&ran);
        if remedy == "add" {
            file(&estate, "old.pub", &estate.world.key);
            estate.run(&["keys", "add", "old.pub"]).ends(0).says("given: 2 keys");
            publish(&estate, &[]).ends(0).says("unchanged: 2 keys");
        } else {
            estate.run(&SETUP).ends(0);
            assert_eq!(at_google(&estate), [new.kid()]);
            publish(&estate, &[]).ends(0).says("unchanged: 1 key");
        }
    }
}

#[test]
fn remedy_for_taken_kid_works() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (pool, _) = provider(&estate);
    let mut squatter = SigningKey::rsa(2048).jwk();
    squatter["kid"] = json!(estate.world.key.kid());
    let set = json!({"keys": [squatter]}).to_string();
    estate.google.write(&pool, Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(set));
    let ran = publish(&estate, &[]).ends(3);
    advises_nothing_of_documents(&ran);
    assert!(ran.err.contains("keyless setup"), "{}", ran.err);
    estate.run(&SETUP).ends(0);
    publish(&estate, &[]).ends(0).says("unchanged: 1 key");
}

#[test]
fn warnings_name_no_documents() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (pool, before) = provider(&estate);
    let foreign = SigningKey::rsa(2048);
    let mut set: Value = serde_json::from_str(before["oidc"]["jwksJson"].as_str().unwrap()).unwrap();
    set["keys"].as_array_mut().unwrap().push(foreign.jwk());
    estate.google.write(&pool, Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(set.to_string()));
    for command in [&["publish"][..], &["keys"]] {
        let ran = estate.run(command).ends(1).says("key-foreign");
        advises_nothing_of_documents(&ran);
    }
    // Before the ledger began.
    estate.world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), "keyless-ledger");
    let ran = publish(&estate, &[]).ends(1).says("key-not-served");
    advises_nothing_of_documents(&ran);
    file(&estate, "former.pub", &foreign);
    estate.run(&["keys", "add", "former.pub"]).ends(0);
    publish(&estate, &[]).ends(0).says("unchanged: 2 keys");
    for command in [&["verify"][..], &["keys"]] {
        advises_nothing_of_documents(&estate.run(command));
    }
}
