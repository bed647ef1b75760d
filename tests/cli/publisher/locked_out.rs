//! A publisher whose token is signed with a key that is not public: it is foreseen, before the token is shown to anybody.

use lab::SigningKey;
use serde_json::{Value, json};

use super::{SETUP, SUBJECT, publish_as, publish_by, with_bucket};
use crate::{estate::Estate, publish_given::uploaded_twice, world::Ran};

/// Whether a token was exchanged.
fn asked(estate: &Estate) -> bool {
    estate.google.faults().requests().iter().any(|call| call.path.starts_with("/v1/token"))
}

fn sign_with(estate: &Estate, key: &SigningKey) {
    estate.world.cluster.change_servers(|server| {
        server.key_files = vec![key.into()];
        server.signing_key = key.clone();
    });
}

#[test]
fn careless_rotation_is_foreseen() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    publish_as(&estate, SUBJECT, &[]).ends(0);
    let new = SigningKey::rsa(2048);
    sign_with(&estate, &new);
    estate.google.faults().forget();
    let remedy = "Run `keyless publish` once with a person's login";
    let old = estate.world.key.kid();
    let named = [&new.kid(), "is not asked", "which is not public", &old, remedy];
    publish_by(&estate, &new, SUBJECT, &[]).fails(3, "bucket-credentials", &named);
    assert!(!asked(&estate), "the token was shown");
    let storage = estate.google.faults().requests();
    assert!(storage.iter().all(|call| !call.path.starts_with("/storage/")), "{storage:#?}");
    // The remedy.
    estate.run(&["publish", "--config", "keyless.yaml"]).ends(0).says("published: 2 keys");
    publish_by(&estate, &new, SUBJECT, &[]).ends(0).says("unchanged: 2 keys");
    assert!(asked(&estate));
}

/// A token of before the rotation still counts.
#[test]
fn former_keys_token_publishes_new_key() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    publish_as(&estate, SUBJECT, &[]).ends(0);
    sign_with(&estate, &SigningKey::rsa(2048));
    publish_as(&estate, SUBJECT, &[]).ends(0).says("published: 2 keys");
}

/// Known before the publisher's pods get a token that no provider takes.
#[test]
fn lockout_is_shown_ahead() {
    let estate = with_bucket();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}});
    estate.world.cluster.put_object(namespace);
    estate.run(&SETUP).ends(0);
    let config = ["--config", "keyless.yaml"];
    let run = |command: &[&str]| estate.run(&[command, &config].concat());
    run(&["publish"]).ends(0);
    let ran = run(&["keys"]).ends(0);
    assert!(!ran.err.contains("locked out"), "{}", ran.err);
    let new = SigningKey::rsa(2048);
    let address = estate.world.cluster.server(0).addr().to_string();
    // One that is served, and signs nothing yet.
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    let ran = run(&["keys"]);
    assert!(!ran.err.contains("locked out"), "{}", ran.err);
    sign_with(&estate, &new);
    let ran = run(&["keys"]).ends(1);
    let way_out = "Run `keyless publish` once with a person's login, or sign with the former key";
    let kid = new.kid();
    let told = format!("{kid} at {address}");
    for named in ["warning[publisher-locked-out]: gs://acme-oidc does not know", &told, way_out] {
        assert!(ran.err.contains(named), "{named} is not in {}", ran.err);
    }
    let locked_out = json!([{"at": "gs://acme-oidc", "signingKeys": [{"kid": kid, "servers": [address]}]}]);
    let shown: Value = serde_json::from_str(&run(&["keys", "-o", "json"]).ends(1).out).unwrap();
    assert_eq!(shown["lockedOut"], locked_out, "{shown:#}");
    let ran = run(&["status"]);
    for named in [&*told, way_out, "keyless publish --config keyless.yaml   # with your own login"] {
        assert!(ran.out.contains(named), "{named} is not in {}", ran.out);
    }
    let shown: Value = serde_json::from_str(&run(&["status", "-o", "json"]).out).unwrap();
    assert_eq!(shown["keys"]["lockedOut"], locked_out, "{shown:#}");
    // It is true, and the way out is one.
    publish_by(&estate, &new, SUBJECT, &[]).fails(3, "bucket-credentials", &[&kid]);
    run(&["publish"]).ends(0).says("published: 2 keys");
    publish_by(&estate, &new, SUBJECT, &[]).ends(0);
    let ran = run(&["keys"]);
    assert!(!ran.err.contains("locked out"), "{}", ran.err);
    let shown: Value = serde_json::from_str(&run(&["keys", "-o", "json"]).out).unwrap();
    assert_eq!(shown["lockedOut"], json!([]), "{shown:#}");
}

/// The publisher logs in through the very keys that it gives; at Vault no publisher logs in so.
#[test]
fn lockout_of_given_keys_is_shown() {
    let (estate, vault) = uploaded_twice();
    let run = |command: &[&str]| Ran::of(estate.command(command).env("VAULT_TOKEN", vault.root_token()));
    let ran = run(&["keys"]);
    assert!(!ran.err.contains("locked out"), "{}", ran.err);
    let new = SigningKey::rsa(2048);
    sign_with(&estate, &new);
    let shown: Value = serde_json::from_str(&run(&["keys", "-o", "json"]).ends(1).out).unwrap();
    let all = shown["lockedOut"].as_array().unwrap();
    let [one] = &all[..] else { panic!("{shown:#}") };
    assert!(one["at"].as_str().unwrap().contains("oogle"), "{shown:#}");
    assert_eq!(one["signingKeys"][0]["kid"], new.kid(), "{shown:#}");
    // The way out.
    run(&["publish"]).ends(0);
    let ran = run(&["keys"]);
    assert!(!ran.err.contains("locked out"), "{}", ran.err);
}

/// A login that no public key decides.
#[test]
fn stored_keys_are_locked_out_by_nothing() {
    let estate = crate::world::World::new(1);
    estate.keyless("publish", &[]).ends(0);
    let new = SigningKey::rsa(2048);
    estate.cluster.change_servers(|server| {
        server.key_files = vec![(&new).into()];
        server.signing_key = new.clone();
    });
    let ran = estate.keyless("keys", &[]);
    assert!(!ran.err.contains("locked out"), "{}", ran.err);
}
