//! Credentials in every form, and every way to use them.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lab::SigningKey;
use serde_json::json;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

fn file(key: &SigningKey, id: &str) -> String {
    json!({"type": "service_account", "private_key_id": id, "private_key": key.private_pem()}).to_string()
}

#[test]
fn key_is_found_in_every_form() {
    let (key, other) = (SigningKey::rsa(2048), SigningKey::rsa(2048));
    let mut needle = Needle::new(Some(ID), Some(&key.kid()));
    needle.add_value(b"s.token\n");
    let pull = |password: &str| {
        let auth = STANDARD.encode(format!("_json_key:{password}"));
        json!({"auths": {"eu.gcr.io": {"auth": auth}}}).to_string()
    };
    let old_form = json!({"gcr.io": {"username": "_json_key", "password": file(&key, "x")}}).to_string();
    for (value, holds) in [
        (file(&key, ID), true),
        (file(&key, "renamed"), true),
        (key.private_pem(), true),
        (key.traditional_pem(), true),
        (pull(&file(&key, ID)), true),
        (pull(&file(&key, "renamed")), true),
        (old_form, true),
        ("s.token".into(), true),
        (format!("key {ID} was disabled"), false),
        (file(&other, "x"), false),
        (other.private_pem(), false),
        (pull("password"), false),
        (pull(&file(&other, "x")), false),
        ("-----BEGIN PRIVATE KEY-----\nbroken".into(), false),
        ("s.other".into(), false),
        (String::new(), false),
        (STANDARD.encode(file(&key, ID)), true),
        (format!("{}\n", STANDARD.encode(STANDARD.encode(file(&key, "renamed")))), true),
        (STANDARD.encode(pull(&file(&key, "renamed"))), true),
        (STANDARD.encode("s.token"), true),
        (STANDARD.encode(file(&other, "x")), false),
        ("AAAA".repeat(1000), false),
        // In base64 of the other alphabet, in JSON, in YAML, with its line breaks written out.
        (URL_SAFE_NO_PAD.encode(file(&key, "renamed")), true),
        (json!({"google": {"credentials": STANDARD.encode(file(&key, ID))}}).to_string(), true),
        (json!({"google": {"private_key": key.private_pem()}}).to_string(), true),
        (json!(file(&key, "renamed")).to_string(), true),
        (format!("gcp:\n  key: {}\n", json!(file(&key, "renamed"))), true),
        (format!("GOOGLE_CREDENTIALS={}\n", STANDARD.encode(file(&key, ID))), true),
        (key.private_pem().replace('\n', "\\n"), true),
        (key.private_pem().replace('\n', " "), true),
        (format!("\u{feff}{}", file(&key, "renamed")), true),
        (json!({"google": {"private_key": other.private_pem()}}).to_string(), false),
        (other.private_pem().replace('\n', "\\n"), false),
    ] {
        assert_eq!(needle.is_in(value.as_bytes()), holds, "{}…", value.chars().take(60).collect::<String>());
    }
    assert!(!Needle::default().is_in(b"") && !Needle::default().is_in(b"anything"));
}

fn needle() -> Needle {
    Needle::new(Some(ID), None)
}

#[test]
fn every_reference_to_secret_finds_workload() {
    let holders = [
        Holder { kind: "Secret", namespace: "shop".into(), name: "key".into(), entry: "k".into() },
        Holder { kind: "ConfigMap", namespace: "shop".into(), name: "file".into(), entry: "k".into() },
    ];
    let pod = |spec: Value| {
        Object(json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": "x"}, "spec": spec}))
    };
    let env = |from: Value| json!({"initContainers": [{"env": [{"name": "A", "valueFrom": from}]}]});
    for (spec, expected) in [
        (json!({"volumes": [{"secret": {"secretName": "key"}}]}), true),
        (json!({"volumes": [{"projected": {"sources": [{"secret": {"name": "key"}}]}}]}), true),
        (json!({"volumes": [{"csi": {"nodePublishSecretRef": {"name": "key"}}}]}), true),
        (json!({"volumes": [{"configMap": {"name": "file"}}]}), true),
        (json!({"volumes": [{"configMap": {"name": "key"}}]}), false),
        (env(json!({"secretKeyRef": {"name": "key", "key": "k"}})), true),
        (env(json!({"configMapKeyRef": {"name": "file", "key": "k"}})), true),
        (env(json!({"secretKeyRef": {"name": "other", "key": "k"}})), false),
        (json!({"containers": [{"envFrom": [{"secretRef": {"name": "key"}}]}]}), true),
        (json!({"ephemeralContainers": [{"envFrom": [{"secretRef": {"name": "key"}}]}]}), true),
        (json!({"imagePullSecrets": [{"name": "other"}, {"name": "key"}]}), true),
        (
            json!({"containers": [{"name": "key", "env": [{"name": "A", "value": format!("{ID} -----BEGIN PRIVATE KEY-----")}]}]}),
            true,
        ),
        (
            json!({"containers": [{"name": "key", "env": [{"name": "A", "value": STANDARD.encode(format!("{ID} -----BEGIN PRIVATE KEY-----"))}]}]}),
            true,
        ),
        (json!({"containers": [{"name": "key", "env": [{"name": "A", "value": ID}]}]}), false),
        (json!({"containers": [{"name": "key", "image": "key"}]}), false),
    ] {
        let found = uses(&pod(spec.clone()), "/spec", &holders, &[needle()]).is_some();
        assert_eq!(found, expected, "{spec}");
    }
    let mut elsewhere = pod(json!({"volumes": [{"secret": {"secretName": "key"}}]}));
    elsewhere.0["metadata"]["namespace"] = json!("other");
    assert!(uses(&elsewhere, "/spec", &holders, &[needle()]).is_none());
}

/// An access key is in use wherever its ID is beside its secret half.
#[test]
fn access_key_in_file_is_found() {
    let id = format!("AK{}{}", "IA", "QWERTYUIOPASDFGH");
    let needle = Needle::new(Some(&id), None);
    let secret = "aB3".repeat(13) + "+";
    for text in [
        format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
        format!("{{\"id\":\"{id}\",\"key\":\"{secret}\"}}"),
    ] {
        assert!(needle.is_in(text.as_bytes()) && needle.is_written_in(&text), "{text}");
    }
    let digest = "aB3_".repeat(10) + "aB3";
    for text in
        [format!("the key {id}"), format!("{id} {digest}"), format!("{id} {}", "0a".repeat(20)), secret]
    {
        assert!(!needle.is_in(text.as_bytes()), "{text}");
    }
}
