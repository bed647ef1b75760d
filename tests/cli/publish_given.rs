//! `keyless publish` where a provider is given the keys: exactly its keys follow the cluster's, and nothing is created.

use lab::{Curve, Fault, SigningKey, Vault};
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate, SETUP},
    ledger,
    world::Ran,
};

/// A cluster whose keys setup has uploaded to Google, and that keeps a ledger.
pub(crate) fn uploaded(servers: usize) -> Estate {
    let estate = Estate::with_servers(servers);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}});
    estate.world.cluster.put_object(namespace);
    estate.run(&SETUP).ends(0);
    estate
}

/// The one provider at Google, and its pool.
pub(crate) fn provider(estate: &Estate) -> (String, Value) {
    let text = estate.settings_text();
    let pool = text.lines().find_map(|line| line.trim().strip_prefix("pool: ")).unwrap().to_owned();
    let provider = estate.google.provider(&pool, "cluster").unwrap();
    (pool, provider)
}

pub(crate) fn kids(jwks: &Value) -> Vec<String> {
    let set: Value = serde_json::from_str(jwks.as_str().unwrap()).unwrap();
    let mut kids: Vec<_> =
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    kids.sort();
    kids
}

pub(crate) fn publish(estate: &Estate, more: &[&str]) -> Ran {
    estate.run(&[&["publish"], more].concat())
}

/// The same, and a Vault that has been given the keys as well.
pub(crate) fn uploaded_twice() -> (Estate, Vault) {
    let estate = uploaded(1);
    let google = estate.settings_text();
    let vault = Vault::start(&estate.world.ca, &["vault.lab.test"]);
    vault.enable_kv("kv");
    vault.put_secret("kv", "db", json!({"password": "hunter2"}));
    let section = format!("vault: {{address: '{}', mode: static-keys}}", vault.url());
    estate.settings(&section);
    let setup = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"];
    Ran::of(estate.command(&setup).env("VAULT_TOKEN", vault.root_token())).ends(0);
    let both = format!("{google}\n{section}\n");
    std::fs::write(estate.world.dir.path().join("keyless.yaml"), both).unwrap();
    publish_twice(&estate, &vault).ends(0);
    (estate, vault)
}

pub(crate) fn publish_twice(estate: &Estate, vault: &Vault) -> Ran {
    Ran::of(estate.command(&["publish"]).env("VAULT_TOKEN", vault.root_token()))
}

pub(crate) fn keys_of(vault: &Vault) -> Vec<Value> {
    let config = vault.jwt_config("keyless").unwrap();
    config["jwt_validation_pubkeys"].as_array().unwrap().clone()
}

#[test]
fn rotation_is_uploaded_and_nothing_else() {
    let estate = uploaded(2);
    publish(&estate, &[]).ends(0).says("unchanged: 1 key");
    let (pool, before) = provider(&estate);
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    // What others have changed by hand is not the publisher's.
    estate.google.write(&pool, Some("cluster"), |provider| provider["displayName"] = json!("by hand"));
    publish(&estate, &["--dry-run"]).ends(1).says("oidc.jwksJson").says("Plan: 0 to create");
    assert_eq!(provider(&estate).1["oidc"], before["oidc"]);
    let ran = publish(&estate, &["-o", "json"]).ends(0).json();
    assert_eq!(ran["changed"], true);
    let (_, after) = provider(&estate);
    let mut both = vec![new.kid(), estate.world.key.kid()];
    both.sort();
    assert_eq!(kids(&after["oidc"]["jwksJson"]), both);
    assert_eq!(after["displayName"], "by hand");
    for member in ["attributeCondition", "attributeMapping", "description"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    publish(&estate, &[]).ends(0).says("unchanged: 2 keys");
    // The former key leaves once its tokens have expired.
    ledger::age(&estate.world, ledger::DAY + 1000);
    let ran = publish(&estate, &["-o", "json"]).ends(0).json();
    assert_eq!(ran["removed"], json!([estate.world.key.kid()]));
    assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]), [new.kid()]);
}

#[test]
fn silent_server_takes_no_key_away() {
    let estate = uploaded(2);
    publish(&estate, &[]).ends(0);
    let new = SigningKey::rsa(2048);
    estate.world.cluster.server(0).change(|server| {
        server.key_files = vec![(&new).into()];
        server.signing_key = new.clone();
    });
    estate.world.cluster.server(1).stop();
    publish(&estate, &[]).ends(3).says("warning[server-unreachable]");
    assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]).len(), 2);
}

#[test]
fn foreign_key_at_provider_is_named() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (pool, before) = provider(&estate);
    let foreign = SigningKey::rsa(2048);
    let mut set: Value = serde_json::from_str(before["oidc"]["jwksJson"].as_str().unwrap()).unwrap();
    set["keys"].as_array_mut().unwrap().push(foreign.jwk());
    estate.google.write(&pool, Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(set.to_string()));
    publish(&estate, &[]).ends(1).says("warning[key-foreign]").says(&foreign.kid());
}

#[test]
fn foreign_key_stays_at_its_provider() {
    let (estate, vault) = uploaded_twice();
    let foreign = SigningKey::rsa(2048);
    vault.change_keys("keyless", |pems| pems.push(foreign.public_pem().trim().to_owned()));
    let ours = estate.world.key.kid();
    for _ in 0..2 {
        publish_twice(&estate, &vault).ends(1).says("warning[key-foreign]").says(&foreign.kid());
        assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]), std::slice::from_ref(&ours));
        assert_eq!(keys_of(&vault).len(), 2);
    }
    // A change at one is none at the other.
    let new = SigningKey::ec(Curve::P256);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    publish_twice(&estate, &vault).ends(1).says("given: 3 keys");
    let mut both = vec![new.kid(), ours];
    both.sort();
    assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]), both);
    assert_eq!(keys_of(&vault).len(), 3);
}

#[test]
fn key_removed_by_hand_stays_away() {
    let (estate, vault) = uploaded_twice();
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    publish_twice(&estate, &vault).ends(0);
    let (pool, before) = provider(&estate);
    assert_eq!(kids(&before["oidc"]["jwksJson"]).len(), 2);
    let without = json!({"keys": [new.jwk()]}).to_string();
    estate.google.write(&pool, Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(without));
    publish_twice(&estate, &vault);
    assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]), [new.kid()]);
    assert_eq!(keys_of(&vault).len(), 2);
}

/// The other one writes after this one has decided.
#[test]
fn overtaken_publisher_writes_no_keys() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (pool, before) = provider(&estate);
    let (new, other) = (SigningKey::ec(Curve::P256), SigningKey::rsa(2048));
    let mut set: Value = serde_json::from_str(before["oidc"]["jwksJson"].as_str().unwrap()).unwrap();
    set["keys"].as_array_mut().unwrap().push(other.jwk());
    let (google, theirs) = (estate.google.clone(), set.to_string());
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    let between = Fault::rewrite(move |answer| {
        google.write(&pool, Some("cluster"), |it| it["oidc"]["jwksJson"] = json!(theirs));
        answer.to_vec()
    });
    // The ledger is written once the keys are decided upon.
    estate.world.cluster.server(0).faults().next(1, "PATCH", "keyless-ledger", between);
    publish(&estate, &[]).fails(3, "apply-raced", &["run it again"]);
    let mut kept = vec![other.kid(), estate.world.key.kid()];
    kept.sort();
    assert_eq!(kids(&provider(&estate).1["oidc"]["jwksJson"]), kept);
    // The other key is now one that the provider has: named, and kept.
    publish(&estate, &[]).ends(1).says("given: 3 keys");
}

#[test]
fn absent_provider_is_not_created() {
    let estate = uploaded(1);
    let (pool, _) = provider(&estate);
    estate.google.write(&pool, Some("cluster"), |provider| provider["state"] = json!("DELETED"));
    let before = estate.google.federation();
    publish(&estate, &[]).fails(3, "provider-not-set-up", &["keyless setup"]);
    assert_eq!(estate.google.federation(), before);
    for flag in ["--create", "--restore", "--same-cluster"] {
        publish(&estate, &[flag]).fails(2, "keys-uploaded", &[flag]);
    }
}

/// Neither what the provider has nor what the ledger knows from elsewhere shows whose it is.
#[test]
fn old_mark_with_other_keys_refused() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let (pool, _) = provider(&estate);
    let others = json!({"keys": [SigningKey::rsa(2048).jwk()]}).to_string();
    estate.google.write(&pool, Some("cluster"), |it| {
        it["description"] = json!(format!("managed by keyless for {DEFAULT_ISSUER}"));
        it["oidc"]["jwksJson"] = json!(others);
    });
    let before = provider(&estate);
    publish(&estate, &[]).fails(3, "issuer-of-another-cluster", &["another cluster"]);
    assert_eq!(provider(&estate), before);
}

#[test]
fn provider_of_another_cluster_is_refused() {
    let estate = uploaded(1);
    let (pool, before) = provider(&estate);
    let description =
        before["description"].as_str().unwrap().replace(&estate.world.cluster_uid(), "other-uid");
    estate.google.write(&pool, Some("cluster"), |it| it["description"] = json!(description));
    let new = SigningKey::rsa(2048);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    publish(&estate, &[]).fails(3, "google-other-cluster", &["another cluster"]);
    assert_eq!(provider(&estate).1["oidc"], before["oidc"]);
}

#[test]
fn static_keys_of_vault_follow() {
    let estate = Estate::new();
    let vault = Vault::start(&estate.world.ca, &["vault.lab.test"]);
    vault.enable_kv("kv");
    vault.put_secret("kv", "db", json!({"password": "hunter2"}));
    estate.settings(&format!("vault: {{address: '{}', mode: static-keys}}", vault.url()));
    let run = |arguments: &[&str]| {
        let mut command = estate.command(arguments);
        Ran::of(command.env("VAULT_TOKEN", vault.root_token()))
    };
    run(&["publish"]).fails(3, "provider-not-set-up", &["keyless setup"]);
    run(&["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"]).ends(0);
    run(&["publish"]).ends(0).says("unchanged: 1 key");
    let before = vault.jwt_config("keyless").unwrap();
    let new = SigningKey::rsa(2048);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    run(&["publish"]).ends(0).says("given: 2 keys");
    let after = vault.jwt_config("keyless").unwrap();
    assert_eq!(after["jwt_validation_pubkeys"].as_array().unwrap().len(), 2);
    for (member, value) in before.as_object().unwrap() {
        assert!(member == "jwt_validation_pubkeys" || after[member] == *value, "{member}: {after:#}");
    }
    run(&["publish"]).ends(0).says("unchanged: 2 keys");
}
