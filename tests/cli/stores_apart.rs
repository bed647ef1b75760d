//! Several stores in one run, where one of them differs: refused, denied, slow, or with a copy of the key of its own.

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::Fault;
use serde_json::{Value, json};

use crate::{
    estate::{Estate, store},
    several_stores::{BOTH, reads_through, two},
};

/// A store that logs in with the key, and what reads through it.
fn third(estate: &Estate, name: &str, secret: &str) {
    estate.google.add_secret(secret, br#"{"password":"hunter4"}"#);
    let reader = format!("serviceAccount:{}", estate.email);
    estate.google.grant(&format!("secrets/{secret}"), "roles/secretmanager.secretAccessor", &reader);
    estate.world.cluster.put_object(store(name, "gcp-key"));
    reads_through(estate, name, secret, "1s");
    estate.until_read("shop", secret);
}

/// Google takes no subject as long as that of its ServiceAccount.
#[test]
fn refused_workload_holds_up_no_other() {
    let estate = two();
    let long = "a".repeat(110);
    third(&estate, &long, "third");
    let ran = estate.set_up(&["--all"], &[]).ends(3).says("Not every store is moved");
    assert!(ran.out.contains(&format!("! ClusterSecretStore {long}: the subject")), "{}", ran.out);
    assert!(estate.account_of("gcp").is_some() && estate.account_of("other").is_some(), "{}", ran.out);
    assert_eq!((estate.account_of(&long), estate.key_disabled()), (None, Some(false)), "it uses the key");
    assert_eq!(estate.readers("third"), [""; 0]);
    let shown = estate.run(&["setup", "--all", "--watch-for", "0s", "--yes", "-o", "json"]).ends(3).json();
    assert_eq!(shown["notMoved"][0]["code"], "google-subject-too-long");
    // Alone, it is the error of the run.
    estate.set_up(&["--store", &long], &[]).fails(2, "google-subject-too-long", &[&long]);
    estate.world.cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, &long);
    estate.set_up(&["--all"], &[]).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
}

/// Whose grants may not be looked at cannot be given any.
#[test]
fn denied_grant_holds_up_no_other() {
    let denied = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "not yours"}});
    for (method, verb) in [("GET", ":getIamPolicy"), ("POST", ":setIamPolicy")] {
        let estate = two();
        let denied = Fault::answer(403, "application/json", denied.to_string());
        estate.google.faults().always(method, &format!("secrets/api{verb}"), denied);
        let ran = estate.set_up(&BOTH, &[]).ends(3);
        assert!(ran.out.contains("! ClusterSecretStore other: "), "{}{}", ran.out, ran.err);
        assert_eq!((estate.account_of("gcp").is_some(), estate.account_of("other")), (true, None));
        assert_eq!((estate.key_disabled(), estate.readers("db").len()), (Some(false), 1));
        estate.google.faults().clear();
        estate.set_up(&BOTH, &[]).ends(0);
        assert_eq!(estate.key_disabled(), Some(true));
    }
}

/// One key, in two Secrets and in two forms: it is one credential.
#[test]
fn copied_key_is_retired_once() {
    let estate = two();
    let cluster = &estate.world.cluster;
    let secret = |name: &str| cluster.object("v1", "Secret", Some("external-secrets"), name);
    let mut copy = secret("gcp-key").unwrap();
    let key = STANDARD.decode(copy["data"]["key.json"].as_str().unwrap()).unwrap();
    let mut key: Value = serde_json::from_slice(&key).unwrap();
    key["note"] = json!("a copy");
    let text = serde_json::to_string_pretty(&key).unwrap();
    copy["metadata"] = json!({"name": "other-key", "namespace": "external-secrets"});
    copy["data"] = json!({"key.json": STANDARD.encode(text)});
    cluster.put_object(copy);
    cluster.put_object(store("other", "other-key"));
    estate.until_read("shop", "api");

    let ran = estate.set_up(&BOTH, &[]).ends(0);
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(true), 1), "{}", ran.out);
    estate.set_up(&BOTH, &["--retire-key"]).ends(0);
    assert_eq!((estate.key_disabled(), estate.calls(":disable"), estate.calls(":enable")), (None, 1, 0));
    let calls = estate.google.faults().requests();
    let deleted = calls.iter().filter(|it| it.method == "DELETE" && it.path.contains(&estate.key_id));
    assert_eq!(deleted.count(), 1);
    assert!(secret("gcp-key").is_none() && secret("other-key").is_none());
    estate.run(&["audit"]).ends(0).says("ZERO");
}

#[test]
fn users_are_waited_for_together() {
    let estate = two();
    for (store, key) in [("gcp", "db"), ("other", "api")] {
        reads_through(&estate, store, key, "1h");
        estate.until_read("shop", key);
    }
    let ran = estate.set_up(&BOTH, &[]).ends(1);
    for user in ["ExternalSecret shop/db: it has not", "ExternalSecret shop/api: it has not"] {
        assert!(ran.out.contains(user), "{}", ran.out);
    }
    assert!(estate.account_of("gcp").is_some() && estate.account_of("other").is_some());
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(false), 0));
    let ran = estate.set_up(&BOTH, &["--force-sync"]).ends(0);
    assert_eq!(
        ran.err.matches("asking External Secrets Operator to run 1 of them now").count(),
        2,
        "{}",
        ran.err
    );
    assert_eq!((estate.key_disabled(), estate.calls(":disable")), (Some(true), 1));
}

#[test]
fn verify_looks_at_each_store() {
    let estate = two();
    estate.set_up(&BOTH, &[]).ends(0);
    third(&estate, "stored", "third");
    let ran = estate.run(&["verify", "--all"]).ends(0);
    for line in ["ClusterSecretStore gcp: ", "ClusterSecretStore other: "] {
        let line = ran.out.lines().find(|it| it.starts_with(line) && it.contains(" passed, 0 failed"));
        assert!(line.is_some(), "{}", ran.out);
    }
    assert!(ran.out.contains("ClusterSecretStore stored: not looked at: it logs in with"), "{}", ran.out);
    estate.google.set_policy("secrets/api", json!([]));
    let verified = |flags: &[&str], code: i32| {
        estate.run(&[&["verify", "-o", "json"], flags].concat()).ends(code).json()
    };
    let shown = verified(&BOTH, 1);
    let failed: Vec<_> =
        shown["stores"].as_array().unwrap().iter().map(|it| (&it["store"], it["failed"] == 0)).collect();
    assert_eq!(
        failed,
        [(&json!("ClusterSecretStore gcp"), true), (&json!("ClusterSecretStore other"), false)]
    );
    let checks = shown["checks"].as_array().unwrap();
    assert!(checks.iter().any(|it| it["store"] == "ClusterSecretStore other" && it["result"] == "failed"));
    verified(&["--store", "gcp"], 0);
    verified(&["--store", "other"], 1);
    estate.run(&["verify", "--store", "none"]).fails(2, "store-unknown", &["none"]);
    let ran = estate.run(&["verify", "--store", "gcp", "--public-only"]).ends(2);
    assert!(ran.err.contains("cannot be used with"), "{}", ran.err);
    estate.run(&["verify", "--all", "--no-cluster"]).fails(2, "cluster-needed", &[]);
}
