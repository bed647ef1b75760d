//! What users of a store do takes rights at Vault: the policy has exactly these, and `verify` tries each.

use serde_json::{Value, json};

use super::{POLICY, Scene};

fn passed(scene: &Scene, check: &str, subject: &str) {
    found(scene, 0, check, subject, "passed");
}

fn failed(scene: &Scene, check: &str, subject: &str) {
    found(scene, 1, check, subject, "failed");
}

#[track_caller]
fn found(scene: &Scene, exit: i32, check: &str, subject: &str, result: &str) {
    let all = scene.run(&["verify", "-o", "json"]).ends(exit).json();
    let checks: Vec<Value> =
        all["checks"].as_array().unwrap().iter().filter(|it| it["check"] == check).cloned().collect();
    let is_it = |it: &Value| it["subject"].as_str().unwrap().contains(subject) && it["result"] == result;
    assert!(checks.iter().any(is_it), "{checks:#?}");
}

fn rule(scene: &Scene, path: &str, capabilities: &str) -> bool {
    let text = scene.vault.policy(POLICY).unwrap();
    text.contains(&format!("path \"{path}\" {{\n  capabilities = [{capabilities}]\n}}"))
}

/// Takes a rule out of the policy.
fn without(scene: &Scene, path: &str) {
    let text = scene.vault.policy(POLICY).unwrap();
    let rules = text.split("\n\n").flat_map(|part| part.split("\npath "));
    let kept: Vec<_> = rules.filter(|rule| !rule.starts_with(&format!("\"{path}\""))).collect();
    scene.vault.put_policy(POLICY, &kept.join("\npath "));
}

fn pushes(scene: &Scene, key: &str, more: &Value) {
    let mut object = json!({"apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
        "metadata": {"name": "push", "namespace": "shop"},
        "spec": {"refreshInterval": "1s", "secretStoreRefs": [{"name": "gcp", "kind": "ClusterSecretStore"}],
            "selector": {"secret": {"name": "db"}},
            "data": [{"match": {"secretKey": "password", "remoteRef": {"remoteKey": key, "property": "password"}}}]}});
    for (member, value) in more.as_object().unwrap() {
        object["spec"][member.as_str()] = value.clone();
    }
    scene.estate.world.cluster.put_object(object);
}

#[test]
fn plain_reading_takes_one_path() {
    let scene = Scene::new();
    scene.setup("vault").ends(0);
    assert!(rule(&scene, "kv/data/db", "\"read\""));
    let text = scene.vault.policy(POLICY).unwrap();
    assert!(!text.contains('*') && !text.contains("sys/capabilities-self"), "{text}");
    assert_eq!(text.matches("path \"").count(), 3, "{text}");
    passed(&scene, "vault-read", "kv/db");
}

#[test]
fn search_takes_list_below_its_path() {
    let scene = Scene::new();
    scene.vault.put_secret("kv", "team/a", json!({"x": "1"}));
    scene.vault.put_secret("kv", "team/deep/b", json!({"x": "2"}));
    scene.vault.put_secret("kv", "other/c", json!({"x": "3"}));
    let find = json!({"path": "team", "name": {"regexp": ".*"}});
    scene.estate.user("shop", "all", &json!({"dataFrom": [{"find": find}]}));
    scene.setup("vault").ends(0);
    assert!(rule(&scene, "kv/metadata/team/*", "\"list\""), "{:?}", scene.vault.policy(POLICY));
    assert!(rule(&scene, "kv/data/team/a", "\"read\"") && rule(&scene, "kv/data/team/deep/b", "\"read\""));
    assert!(!scene.vault.policy(POLICY).unwrap().contains("other"));
    passed(&scene, "vault-search", "below team");
    scene.vault.put_secret("kv", "team/new", json!({"x": "4"}));
    failed(&scene, "vault-search", "below team");
    scene.setup("vault").ends(0);
    passed(&scene, "vault-search", "below team");
    without(&scene, "kv/metadata/team/*");
    failed(&scene, "vault-search", "below team");
}

#[test]
fn custom_metadata_takes_its_own_path() {
    let scene = Scene::new();
    scene.vault.annotate_secret("kv", "db", json!({"owner": "shop"}));
    let remote = json!({"key": "db", "metadataPolicy": "Fetch", "property": "owner"});
    scene.estate.user("shop", "owner", &json!({"data": [{"secretKey": "x", "remoteRef": remote}]}));
    scene.setup("vault").ends(0);
    assert!(rule(&scene, "kv/metadata/db", "\"read\""), "{:?}", scene.vault.policy(POLICY));
    passed(&scene, "vault-metadata", "kv/db");
    without(&scene, "kv/metadata/db");
    failed(&scene, "vault-metadata", "kv/db");
}

#[test]
fn write_capability_is_checked_without_writing() {
    let scene = Scene::new();
    scene.vault.put_secret("kv", "pushed", json!({"password": "old"}));
    pushes(&scene, "pushed", &json!({"deletionPolicy": "Delete"}));
    let ran = scene.setup("vault").ends(0);
    assert!(ran.out.contains("write pushed") || ran.out.contains("kv/data/pushed"), "{}", ran.out);
    assert!(rule(&scene, "kv/data/pushed", "\"create\", \"delete\", \"read\", \"update\""));
    assert!(rule(&scene, "sys/capabilities-self", "\"update\""));
    scene.vault.faults().forget();
    passed(&scene, "vault-write", "write pushed");
    passed(&scene, "vault-write", "delete pushed");
    let written = scene
        .vault
        .faults()
        .requests()
        .into_iter()
        .find(|it| it.path.contains("kv/data/pushed") && it.method != "GET");
    assert!(written.is_none(), "{written:?}");
    without(&scene, "kv/metadata/pushed");
    failed(&scene, "vault-write", "pushed");
    without(&scene, "sys/capabilities-self");
    found(&scene, 0, "vault-write", "pushed", "skipped");
}

#[test]
fn path_with_wildcard_never_reaches_policy() {
    let scene = Scene::new();
    let names =
        ["*", "team/*", "+/db", "a/../../sys", "{{identity.entity.id}}", "a\"] } path \"*", "db\nx", "a//b"];
    for (index, key) in names.iter().enumerate() {
        scene.estate.reads("shop", &format!("bad-{index}"), key);
        pushes(&scene, key, &json!({}));
    }
    let ran = scene.setup("vault").ends(1);
    for index in 0..names.len() {
        assert!(ran.out.contains(&format!("! ExternalSecret shop/bad-{index} ")), "{index}:\n{}", ran.out);
    }
    let text = scene.vault.policy(POLICY).unwrap();
    assert!(!text.contains(['*', '+']), "{text}");
    assert_eq!(text.matches("path \"").count(), 3, "{text}");
    assert!(rule(&scene, "kv/data/db", "\"read\""), "the rest is not blocked");
}

/// As the operator asks: by `?version=`, and an answer about another version proves nothing.
#[test]
fn named_version_is_what_is_read() {
    let scene = Scene::new();
    scene.vault.put_secret("kv", "db", json!({"password": "second", "new": "x"}));
    let pinned = |version: &str, property: &str| {
        let remote = json!({"key": "db", "property": property, "version": version});
        let reads = json!({"data": [{"secretKey": "x", "remoteRef": remote}]});
        scene.estate.user("shop", "pinned", &reads);
    };
    scene.setup("vault").ends(0);
    for (version, property, seen) in [
        ("1", "password", "passed"),
        ("2", "new", "passed"),
        ("0", "new", "passed"),
        ("1", "new", "failed"),
        ("7", "password", "failed"),
        ("first", "password", "failed"),
    ] {
        pinned(version, property);
        // Whether the operator has looked again is not what is asked here.
        let all = scene.run(&["verify", "-o", "json"]).json();
        let of_version = format!("kv/db, version {version}");
        let is_it = |it: &&Value| it["subject"].as_str().unwrap().contains(&of_version);
        let checks: Vec<_> = all["checks"].as_array().unwrap().iter().filter(is_it).collect();
        assert!(checks.len() == 1 && checks[0]["result"] == seen, "{version} {property}: {checks:#?}");
    }
    pinned("1", "password");
    let newest =
        |body: &[u8]| String::from_utf8_lossy(body).replace("\"version\":1", "\"version\":2").into_bytes();
    scene.vault.faults().always("GET", "/kv/data/db", lab::Fault::rewrite(newest));
    let ran = scene.run(&["verify"]).ends(1);
    let ran = ran.says("another version than was asked for");
    assert!(!ran.out.contains("second"), "{}", ran.out);
}
