//! Attacks on the replaced credential: copies in odd forms, and two runs at the same time.

use std::{
    process::{Child, Output, Stdio},
    thread,
    time::Duration,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::{
    estate::{Estate, RETIRE, SETUP},
    world::Ran,
};

const STATE: &str = "keyless-retirement-clustersecretstore.gcp";

fn key_file(estate: &Estate) -> Value {
    let secret = estate.world.cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
    let file = STANDARD.decode(secret["data"]["key.json"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// The same key under another ID: its public half alone tells it.
fn renamed(estate: &Estate) -> Value {
    let mut file = key_file(estate);
    file["private_key_id"] = json!("ffffffffffffffff");
    file
}

fn pem(estate: &Estate) -> String {
    key_file(estate)["private_key"].as_str().unwrap().to_owned()
}

fn holds(kind: &str, value: &str) -> Value {
    let value = if kind == "Secret" { STANDARD.encode(value) } else { value.to_owned() };
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "copy", "namespace": "dns"}, "data": {"it": value}})
}

fn pod(env: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "api", "namespace": "dns"},
        "spec": {"template": {"spec": {"initContainers": [{"name": "a", "env": [env]}]}}}})
}

#[test]
fn copy_in_odd_form_keeps_key() {
    let estate = Estate::new();
    let of = |value: &Value| value.to_string();
    let (file, renamed, pem) = (key_file(&estate), renamed(&estate), pem(&estate));
    for copy in [
        holds("Secret", &URL_SAFE_NO_PAD.encode(of(&file))),
        holds("Secret", &json!({"google": {"credentials": STANDARD.encode(of(&renamed))}}).to_string()),
        holds("Secret", &json!({"google": renamed}).to_string()),
        holds("Secret", &format!("GOOGLE_CREDENTIALS={}\n", STANDARD.encode(of(&renamed)))),
        holds("Secret", &pem.replace('\n', "\\n")),
        holds("Secret", &format!("\u{feff}{renamed}")),
        holds("ConfigMap", &format!("gcp:\n  key: {}\n", json!(of(&renamed)))),
        holds("ConfigMap", &format!("key: |\n  {}", pem.replace('\n', "\n  "))),
        pod(json!({"name": "KEY", "value": STANDARD.encode(of(&file))})),
        pod(json!({"name": "KEY", "value": pem.replace('\n', "\\n")})),
    ] {
        let (kind, name) = (copy["kind"].as_str().unwrap().to_owned(), copy["metadata"]["name"].clone());
        let version = copy["apiVersion"].as_str().unwrap().to_owned();
        estate.world.cluster.put_object(copy.clone());
        let ran = estate.run(&RETIRE).ends(1);
        assert!(ran.out.contains(&format!("{kind} dns/{}", name.as_str().unwrap())), "{copy}\n{}", ran.out);
        assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true), "{copy}");
        estate.world.cluster.remove_object(&version, &kind, Some("dns"), name.as_str().unwrap());
    }
    estate.run(&RETIRE).ends(0);
    assert_eq!(estate.key_disabled(), None);
}

fn begin(estate: &Estate, arguments: &[&str]) -> Child {
    estate.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Ran {
    let ended: Output = child.wait_with_output().unwrap();
    ended.into()
}

#[test]
fn two_runs_at_once_retire_once() {
    for delay in [0, 40, 120, 300, 700, 1500] {
        let estate = Estate::new();
        let first = begin(&estate, &RETIRE);
        thread::sleep(Duration::from_millis(delay));
        let second = begin(&estate, &RETIRE);
        for ran in [end(first), end(second)] {
            assert!(matches!(ran.code, Some(0 | 3)), "{delay}: {:?}\n{}{}", ran.code, ran.out, ran.err);
            assert!(!ran.err.contains("panicked"), "{}", ran.err);
        }
        assert!(estate.store_is_keyless(), "{delay}");
        estate.run(&RETIRE).ends(0);
        let state = estate.world.cluster.object("v1", "ConfigMap", Some("keyless-system"), STATE);
        assert_eq!((estate.key_disabled(), estate.secret_is_there(), state), (None, false, None), "{delay}");
    }
}

#[test]
fn undo_beside_run_leaves_working_store() {
    for delay in [0, 200, 500, 900, 1400, 2000, 2600] {
        let estate = Estate::new();
        let first = begin(&estate, &["setup", "--yes", "--watch-for", "1s", "--retire-key"]);
        thread::sleep(Duration::from_millis(delay));
        let second = begin(&estate, &["setup", "--undo", "--yes"]);
        let ended = [end(first), end(second)];
        let says: Vec<_> =
            ended.iter().map(|ran| format!("{:?}\n{}{}", ran.code, ran.out, ran.err)).collect();
        let names_key = !estate.store()["spec"]["provider"]["gcpsm"]["auth"]["secretRef"].is_null();
        if names_key {
            assert_eq!(
                (estate.key_disabled(), estate.secret_is_there()),
                (Some(false), true),
                "{delay} {says:#?}"
            );
        }
        assert!(ended.iter().all(|ran| matches!(ran.code, Some(0 | 1 | 3))), "{delay} {says:#?}");
    }
}

/// Each namespace has read with a key of its own: what one has read is nothing that all of them may read.
#[test]
fn keys_of_namespaces_are_not_pooled() {
    let estate = Estate::new();
    let mut store = estate.store();
    let key = &mut store["spec"]["provider"]["gcpsm"]["auth"]["secretRef"]["secretAccessKeySecretRef"];
    key.as_object_mut().unwrap().remove("namespace");
    store["spec"]["conditions"] = json!([{"namespaces": ["shop", "evil"]}]);
    let mut own = estate.world.cluster.object("v1", "Secret", Some("external-secrets"), "gcp-key").unwrap();
    own["metadata"] = json!({"name": "gcp-key", "namespace": "shop"});
    estate.world.cluster.put_object(own);
    estate.world.cluster.put_object(store);
    estate.until_read("shop", "db");
    estate.settings("google: {project: acme-prod}\nstore: {name: gcp}");
    let ran = estate.run(&SETUP).ends(1).says("store-login-by-namespace");
    assert!(ran.out.contains("+ may read db: because of ExternalSecret shop/db"), "{}", ran.out);
    assert!(estate.roles("secrets/db").is_empty() && !estate.store_is_keyless());
    assert_eq!(estate.key_disabled(), Some(false));
    // An administrator who has seen it decides.
    let ran = estate.run(&["setup", "--yes", "--accept-new-secrets", "--dry-run"]).ends(1);
    assert!(ran.out.contains("roles/secretmanager.secretAccessor on the secret db"), "{}", ran.out);
}
