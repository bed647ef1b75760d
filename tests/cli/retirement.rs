//! The replaced credential from outside: what keeps it from being retired, what brings it back, what is reported about it.

mod later;
mod planned;
mod users;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::Fault;
use serde_json::{Value, json};

use crate::{
    estate::{Estate, RETIRE, SETUP, secret, store},
    world::Ran,
};

const ESO: &str = "external-secrets.io/v1";
const STATE: &str = "keyless-retirement-clustersecretstore.gcp";

impl Estate {
    fn put(&self, object: Value) {
        self.world.cluster.put_object(object);
    }

    /// Changes an object that is there.
    fn change(
        &self,
        kind: (&str, &str),
        namespace: Option<&str>,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let mut object = self.world.cluster.object(kind.0, kind.1, namespace, name).unwrap();
        change(&mut object);
        self.put(object);
    }

    fn key_secret(&self, change: impl FnOnce(&mut Value)) {
        self.change(("v1", "Secret"), Some("external-secrets"), "gcp-key", change);
    }

    fn change_user(&self, change: impl FnOnce(&mut Value)) {
        self.change((ESO, "ExternalSecret"), Some("shop"), "db", change);
    }

    fn key_file(&self) -> Value {
        let secret = self.world.cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
        let file = STANDARD.decode(secret["data"]["key.json"].as_str().unwrap()).unwrap();
        serde_json::from_slice(&file).unwrap()
    }

    fn state(&self) -> Option<Value> {
        self.world.cluster.object("v1", "ConfigMap", Some("keyless-system"), STATE)
    }

    fn is_moved(&self) -> bool {
        self.store()["spec"]["provider"]["gcpsm"]["auth"].get("secretRef").is_none()
    }

    /// The key and its Secret are as they were.
    #[track_caller]
    fn untouched(&self) {
        assert_eq!((self.key_disabled(), self.secret_is_there()), (Some(false), true));
    }

    /// The key and its Secret are gone, and so is what was noted of them.
    #[track_caller]
    fn retired(&self) {
        assert_eq!((self.key_disabled(), self.secret_is_there(), self.state()), (None, false, None));
    }
}

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [&RETIRE[..], more].concat()
}

#[test]
fn annotation_of_tenant_retires_nothing() {
    let estate = Estate::new();
    let other = estate.google.service_account("billing");
    let theirs = estate.google.create_key(&other);
    let claims = json!({"keyless/replaces": "shop/own/key.json",
        "keyless/replaced-key": format!("projects/acme-prod/serviceAccounts/{other}/keys/{}", theirs["private_key_id"].as_str().unwrap())});
    // A tenant's store of the same name, and the store itself.
    let mut tenants = store("gcp", "own");
    tenants["kind"] = json!("SecretStore");
    tenants["metadata"] = json!({"name": "gcp", "namespace": "shop", "annotations": claims});
    tenants["spec"].as_object_mut().unwrap().remove("conditions");
    estate.put(tenants);
    estate.settings("store: {name: gcp}");
    estate.run(&SETUP).ends(0);
    estate.change((ESO, "ClusterSecretStore"), None, "gcp", |store| {
        store["metadata"]["annotations"] = claims.clone();
    });
    estate.run(&RETIRE).ends(0);
    estate.retired();
    assert_eq!(estate.google.keys(&other).first().map(|(_, disabled)| *disabled), Some(false));

    // Nothing is noted any more: what the store's annotation names is reported again, and nothing else.
    let ran = estate
        .run(&RETIRE)
        .fails(3, "retirement-not-noted", &["shop/own/key.json", "--replaced"])
        .snapshot("error-retirement-not-noted");
    assert!(!ran.err.contains("disabling") && !ran.err.contains("deleting"), "{}", ran.err);
    assert_eq!(estate.google.keys(&other).first().map(|(_, disabled)| *disabled), Some(false));
    estate.run(&SETUP).ends(0);
}

/// What setup notes is what an audit reads.
#[test]
fn noted_key_counts_until_deleted() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    assert!(estate.state().is_some() && estate.is_moved());
    let annotations = estate.store()["metadata"]["annotations"].to_string();
    assert!(!annotations.contains("keyless/replace"), "{annotations}");
    let key = estate.key_id.as_str();
    let audited = estate.run(&["audit"]).ends(1).says("setup noted it as replaced").says(key);
    assert_eq!(
        audited.out.lines().next(),
        Some("1 LONG-LIVED credential lies in the cluster, used by no secret store")
    );
    estate.run(&RETIRE).ends(0);
    estate.retired();
    estate.run(&["audit"]).ends(0).says("ZERO");

    // The note alone is enough: whether the key itself is gone is Google's to know.
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
    estate.run(&["audit"]).ends(1).says("setup noted it as replaced").says(&estate.key_id);
    estate.run(&RETIRE).ends(0);
    estate.run(&["audit"]).ends(0).says("ZERO");
}

#[test]
fn secret_claiming_foreign_key_is_refused() {
    let estate = Estate::new();
    let other = estate.google.service_account("billing");
    let theirs = estate.google.create_key(&other);
    let mut file = estate.key_file();
    for member in ["client_email", "private_key_id"] {
        file[member] = theirs[member].clone();
    }
    estate.key_secret(|secret| secret["data"]["key.json"] = json!(STANDARD.encode(file.to_string())));
    for arguments in [&SETUP[..], &RETIRE[..]] {
        let ran = estate.run(arguments).fails(3, "credential-unproved", &["gcp-key", "public half"]);
        assert!(!ran.err.contains("disabling") && !ran.err.contains("deleting"), "{}", ran.err);
        assert_eq!(estate.google.keys(&other).first().map(|(_, disabled)| *disabled), Some(false));
        estate.untouched();
    }
    assert!(estate.is_moved(), "the store itself is moved");
}

#[test]
fn unreadable_key_secret_is_named() {
    for content in ["", "{", "not a key", r#"{"type":"service_account","private_key":"x"}"#] {
        let estate = Estate::new();
        estate.settings("google: {project: acme-prod}\nstore: {name: gcp}");
        let encoded = json!(STANDARD.encode(content));
        estate.key_secret(|secret| secret["data"]["key.json"] = encoded);
        estate.run(&RETIRE).fails(3, "credential-unproved", &["Secret external-secrets/gcp-key", "by hand"]);
        estate.untouched();
    }
}

#[test]
fn secret_with_more_is_found_first() {
    let estate = Estate::new();
    estate.key_secret(|secret| secret["data"]["other"] = json!("eA=="));
    let ran = estate.run(&RETIRE).fails(3, "secret-holds-more", &["gcp-key", "move the other values"]);
    assert!(!ran.err.contains("disabling"), "{}", ran.err);
    estate.untouched();
    // Without --retire-key nothing of the Secret is touched, so the key may be disabled.
    estate.run(&SETUP).ends(0);
    assert_eq!(estate.key_disabled(), Some(true));
    estate.run(&RETIRE).fails(3, "secret-holds-more", &["is disabled, and can be enabled again"]);
    estate.key_secret(|secret| drop(secret["data"].as_object_mut().unwrap().remove("other")));
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

#[test]
fn unfitting_state_is_refused() {
    type Damage = (fn(&mut Value), &'static str);
    let damages: [Damage; 6] = [
        (|state| *state = json!("{"), "cannot be read"),
        (|state| *state = json!("{}"), "no version"),
        (
            |state| *state = json!(state.as_str().unwrap().replace("\"version\": 1", "\"version\": 2")),
            "newer keyless",
        ),
        (
            |state| {
                *state =
                    json!(state.as_str().unwrap().replacen("\"cluster\": \"", "\"cluster\": \"other-", 1))
            },
            "another cluster",
        ),
        (
            |state| *state = json!(state.as_str().unwrap().replacen("\"uid\": \"", "\"uid\": \"other-", 1)),
            "another store",
        ),
        (
            |state| *state = json!(state.as_str().unwrap().replacen("\"stage\"", "\"phase\"", 1)),
            "cannot be read",
        ),
    ];
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let whole = estate.state().unwrap();
    for (damage, says) in damages {
        let mut state = whole.clone();
        damage(&mut state["data"]["state.json"]);
        estate.put(state);
        for arguments in [&SETUP[..], &RETIRE[..]] {
            estate.run(arguments).fails(3, "retirement-state", &[says, STATE]);
        }
        estate.run(&["setup", "--undo", "--yes"]).fails(3, "undo-unsaved", &[says]);
        assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
    }
    estate.put(whole);
    estate.run(&RETIRE).ends(0);
    estate.retired();
}

/// What is noted is written by setup alone, and holds no secret.
#[test]
fn state_holds_no_secret() {
    let estate = Estate::new();
    let file = estate.key_file();
    estate.run(&SETUP).ends(0);
    let state = estate.state().unwrap().to_string();
    let key = file["private_key"].as_str().unwrap();
    assert!(!key.lines().any(|line| line.len() > 20 && state.contains(line)), "{state}");
    assert!(state.contains(&estate.key_id) && state.contains("secretAccessKeySecretRef"), "{state}");
}

#[test]
fn vault_token_is_remembered_and_left() {
    let estate = Estate::new();
    estate.settings("google: {project: acme-prod}\nstore: {name: gcp}");
    estate.change((ESO, "ClusterSecretStore"), None, "gcp", |store| {
        store["spec"]["provider"] = json!({"vault": {"server": "https://bao.lab.test", "path": "kv", "version": "v2",
            "auth": {"tokenSecretRef": {"name": "bao-token", "namespace": "external-secrets", "key": "token"}}}});
    });
    estate.put(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bao-token", "namespace": "external-secrets"},
        "data": {"token": STANDARD.encode("s.CANARY-of-a-token")}}));
    std::thread::sleep(Duration::from_millis(500));
    let there =
        || estate.world.cluster.object("v1", "Secret", Some("external-secrets"), "bao-token").is_some();
    let arguments = with(&["--to", "google", "--accept-new-secrets"]);
    let ran = estate.run(&arguments).ends(1).says("a Vault token").says("vault token revoke");
    assert!(
        ran.out.contains("Secret external-secrets/bao-token") && ran.out.contains("audit counts it"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("CANARY") && !ran.err.contains("CANARY"));
    assert!(estate.is_moved() && there());
    // It is not forgotten, and not called nothing.
    for _ in 0..2 {
        estate.run(&RETIRE).ends(1).says("a Vault token");
        assert!(there());
    }
    assert!(!estate.state().unwrap().to_string().contains("CANARY"));
    // Revoked by hand, its Secret goes when that is asked for, or is seen to be gone.
    estate.run(&with(&["--delete-secret"])).ends(0);
    assert!(!there() && estate.state().is_none());
    estate.run(&RETIRE).ends(0).says("nothing to do");
}

#[test]
fn state_that_is_gone_is_said() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    assert!(estate.world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), STATE));
    estate.run(&RETIRE).ends(0).says("No replaced credential is noted for this store.");
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
    estate.run(&["setup", "--undo", "--yes"]).fails(3, "undo-unsaved", &["there is no ConfigMap"]);
    // The remedy, followed.
    estate.run(&with(&["--replaced", "external-secrets/gcp-key"])).ends(0);
    estate.retired();
}

/// What was noted for the store before it counts for no other store, and the remedy works.
#[test]
fn recreated_store_takes_over_nothing() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let moved = estate.store();
    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
    estate.put(moved);
    std::thread::sleep(Duration::from_millis(500));
    let named = ["another store of this name", STATE, "--replaced"];
    estate.run(&RETIRE).fails(3, "retirement-state", &named);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
    assert!(estate.world.cluster.remove_object("v1", "ConfigMap", Some("keyless-system"), STATE));
    estate.run(&with(&["--force-sync", "--replaced", "external-secrets/gcp-key/key.json"])).ends(0);
    estate.retired();
}

#[test]
fn replaced_secret_must_be_one() {
    let estate = Estate::new();
    estate.run(&RETIRE).ends(0);
    for (named, code) in [("gcp-key", "replaced-secret"), ("external-secrets/none", "replaced-secret")] {
        estate.run(&with(&["--replaced", named])).fails(2, code, &["--replaced"]);
    }
}
