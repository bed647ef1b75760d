//! `keyless setup` with uploaded keys, run again: what the ledger knows is kept, and what it does not know is named.

use std::fs;

use lab::{Curve, Fault, SigningKey};
use serde_json::{Value, json};

use crate::{
    estate::{Estate, SETUP},
    ledger::{self, DAY},
    publish_given::{keys_of, kids, provider, publish, publish_twice, uploaded, uploaded_twice},
    world::{ISSUER, Ran},
};

const LEDGER: &str = "/api/v1/namespaces/keyless-system/configmaps/keyless-ledger";

fn at_google(estate: &Estate) -> Vec<String> {
    kids(&provider(estate).1["oidc"]["jwksJson"])
}

fn sorted<const N: usize>(mut kids: [String; N]) -> [String; N] {
    kids.sort();
    kids
}

fn put_at_google(estate: &Estate, key: &SigningKey) {
    let (pool, before) = provider(estate);
    let mut set: Value = serde_json::from_str(before["oidc"]["jwksJson"].as_str().unwrap()).unwrap();
    set["keys"].as_array_mut().unwrap().push(key.jwk());
    estate.google.write(&pool, Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(set.to_string()));
}

#[test]
fn repeated_setup_keeps_former_key() {
    let estate = uploaded(2);
    publish(&estate, &[]).ends(0);
    let (old, new) = (estate.world.key.kid(), SigningKey::ec(Curve::P256));
    ledger::rotate(&estate.world, &new);
    // Before the publisher has run again: the ledger has seen the key.
    estate.run(&SETUP).ends(0).says("former, kept until its tokens have expired");
    assert_eq!(at_google(&estate), sorted([new.kid(), old.clone()]));
    // Nothing is left to do, for either.
    estate.run(&SETUP).ends(0).says("nothing to do");
    publish(&estate, &[]).ends(0).says("unchanged: 2 keys");
    estate.run(&SETUP).ends(0).says("nothing to do");
    ledger::age(&estate.world, DAY + 1000);
    let ran = estate.run(&SETUP).ends(0);
    assert!(!ran.err.contains("key-not-served"), "its tokens have expired: {}", ran.err);
    assert_eq!(at_google(&estate), [new.kid()]);
    publish(&estate, &[]).ends(0).says("unchanged: 1 key");
}

#[test]
fn repeated_setup_keeps_staged_key() {
    let estate = uploaded(1);
    let next = SigningKey::rsa(2048);
    fs::write(estate.world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    estate.run(&["keys", "add", "next.pub"]).ends(0);
    // Something else is to be done there.
    let (pool, _) = provider(&estate);
    estate.google.write(&pool, Some("cluster"), |it| it["displayName"] = json!("by hand"));
    estate.run(&SETUP).ends(0).says(&format!("key {}", next.kid())).says("staged");
    assert_eq!(at_google(&estate), sorted([next.kid(), estate.world.key.kid()]));
}

#[test]
fn unreadable_ledger_takes_nothing_away() {
    for broken in ["refused", "damaged", "ahead"] {
        let estate = uploaded(1);
        publish(&estate, &[]).ends(0);
        let (old, new) = (estate.world.key.kid(), SigningKey::rsa(2048));
        ledger::rotate(&estate.world, &new);
        let ran = match broken {
            "refused" => {
                let server = estate.world.cluster.server(0);
                server.faults().always("GET", LEDGER, Fault::status(403));
                // A former key is there: whose it is cannot be established.
                let ran = estate.run(&SETUP).ends(3).says("warning[ledger-unreadable]");
                let ran = ran.says("Not everything could be established");
                publish(&estate, &[]).ends(3).says("warning[ledger-unreadable]");
                ran
            }
            _ => {
                if broken == "ahead" {
                    publish(&estate, &[]).ends(0);
                }
                let mut kept = ledger::ledger(&estate.world).unwrap();
                // One entry only: the others are as they were.
                for entry in
                    kept["keys"].as_object_mut().unwrap().values_mut().filter(|entry| entry["kid"] == old)
                {
                    entry["noticed"] = json!(4_000_000_000_u64);
                    entry["seenSince"] = json!(4_000_000_000_u64);
                }
                let text = if broken == "ahead" { kept.to_string() } else { "{".to_owned() };
                estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "keyless-ledger", "namespace": "keyless-system"}, "data": {"ledger.json": text}}));
                estate.run(&SETUP).ends(0).says("warning[ledger-lost]")
            }
        };
        assert_eq!(at_google(&estate), sorted([new.kid(), old]), "{broken}:\n{}", ran.out);
    }
}

#[test]
fn unknown_key_is_named_and_leaves() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let foreign = SigningKey::rsa(2048);
    put_at_google(&estate, &foreign);
    publish(&estate, &[]).ends(1).says("warning[key-foreign]");
    let ran = estate.run(&[&SETUP[..], &["--dry-run"]].concat()).ends(1);
    let ran = ran.says("warning[key-not-served]").says(&foreign.kid());
    assert!(ran.err.contains("keyless keys add FILE"), "{}", ran.err);
    assert_eq!(at_google(&estate).len(), 2);
    estate.run(&SETUP).ends(0);
    assert_eq!(at_google(&estate), [estate.world.key.kid()]);
    publish(&estate, &[]).ends(0).says("unchanged: 1 key");
}

#[test]
fn revoked_key_does_not_return() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (old, new) = (estate.world.key.kid(), SigningKey::rsa(2048));
    ledger::rotate(&estate.world, &new);
    publish(&estate, &[]).ends(0);
    estate.run(&["keys", "revoke", &old, "--yes"]).ends(0);
    put_at_google(&estate, &estate.world.key);
    estate.run(&SETUP).ends(0);
    assert_eq!(at_google(&estate), [new.kid()]);
}

#[test]
fn setup_notes_keys_it_gives() {
    let estate = uploaded(1);
    let kept = ledger::ledger(&estate.world).unwrap();
    let entry = kept["keys"].as_object().unwrap().values().next().unwrap().clone();
    assert!(entry["publicSince"].is_u64(), "{entry}");
    assert_eq!(kept["keys"].as_object().unwrap().len(), 1);
    let next = SigningKey::rsa(2048);
    fs::write(estate.world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--public-key", "next.pub"]).ends(0);
    estate.run(&["keys"]).ends(0).says("next: wait until");
    ledger::age(&estate.world, 400);
    estate.run(&["keys", "wait"]).ends(0).says("may sign");
}

#[test]
fn ledger_written_meanwhile_stops_removal() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (old, new) = (estate.world.key.kid(), SigningKey::rsa(2048));
    ledger::rotate(&estate.world, &new);
    publish(&estate, &[]).ends(0);
    ledger::age(&estate.world, DAY + 1000);
    let server = estate.world.cluster.server(0);
    server.faults().next(1, "PATCH", LEDGER, Fault::status(409));
    estate.run(&SETUP).fails(3, "apply-raced", &["run it again"]);
    assert_eq!(at_google(&estate), sorted([new.kid(), old]));
    // What the other publisher saw counts from now on.
    estate.run(&SETUP).ends(0);
    assert_eq!(at_google(&estate).len(), 2);
    publish(&estate, &[]).ends(0);
    ledger::age(&estate.world, DAY + 1000);
    estate.run(&SETUP).ends(0);
    assert_eq!(at_google(&estate), [new.kid()]);
}

#[test]
fn setup_of_one_provider_keeps_both() {
    let (estate, vault) = uploaded_twice();
    let new = SigningKey::rsa(2048);
    ledger::rotate(&estate.world, &new);
    publish_twice(&estate, &vault).ends(0);
    let setup = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"];
    Ran::of(estate.command(&setup).env("VAULT_TOKEN", vault.root_token())).ends(0);
    assert_eq!(keys_of(&vault).len(), 2);
    publish_twice(&estate, &vault).ends(0).says("unchanged: 2 keys");
}

#[test]
fn documents_of_setup_are_noted() {
    let estate = Estate::with_servers(1);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}});
    estate.world.cluster.put_object(namespace);
    estate.world.cluster.server(0).change(|server| server.issuers = vec![ISSUER.to_owned()]);
    estate.google.resolve("oidc.lab.test", estate.world.web.addr());
    estate.settings(&format!("issuer: {ISSUER}\nbucket: {{url: 'file://{}'}}", estate.world.www.display()));
    let shown = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(shown.out.contains("+ create  ConfigMap keyless-system/keyless-ledger"), "{}", shown.out);
    estate.run(&SETUP).ends(0);
    // As if publish had written them: the next key waits for the cache time that is known, not for a day.
    estate.run(&["publish"]).ends(0).says("unchanged: 1 key");
    estate.run(&SETUP).ends(0).says("nothing to do");
    let next = SigningKey::rsa(2048);
    fs::write(estate.world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    estate.run(&["keys", "add", "next.pub"]).ends(0);
    ledger::age(&estate.world, 1000);
    estate.run(&["keys", "wait"]).ends(0).says("may sign");
}
