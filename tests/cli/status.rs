//! `keyless status`: one screen, never better than what was read.

use std::fs;

use serde_json::{Value, json};

use crate::{
    estate::{Estate, RETIRE},
    world::{ISSUER, World},
};

/// What the API servers were asked to change: everything but reading, and the test tokens.
fn writes(world: &World) -> Vec<String> {
    let asked = world.cluster.server(0).faults().requests();
    let asked = asked.iter().map(|call| format!("{call:?}"));
    let is_read =
        |call: &String| call.contains("GET") || call.contains("/token") || call.contains("selfsubject");
    asked.filter(|call| !is_read(call)).collect()
}

fn settings(world: &World) {
    let text = format!(
        "apiVersion: keyless/v1\nissuer: {ISSUER}\nbucket:\n  url: file://{}\ntls:\n  caFile: ca.pem\n",
        world.www.display()
    );
    fs::write(world.dir.path().join("keyless.yaml"), text).unwrap();
}

#[test]
fn status_before_and_after_setup() {
    let estate = Estate::new();
    let before = estate.run(&["status"]).ends(0).snapshot("status-before-setup");
    assert!(
        before.out.contains("1 with a stored credential") && before.out.contains("at least 1 "),
        "{}",
        before.out
    );
    assert!(before.out.contains("Next         keyless setup --dry-run"), "{}", before.out);
    estate.run(&RETIRE).ends(0);
    let after = estate.run(&["status"]).snapshot("status-after-setup");
    assert!(after.out.contains("1 with short-lived tokens, 0 with a stored credential"), "{}", after.out);
    assert!(after.out.contains("this is no proof of zero"), "{}", after.out);
    let json = estate.run(&["status", "-o", "json"]).json();
    assert_eq!(json["command"], "status");
    assert_eq!(json["stores"]["all"][0]["login"], "tokens");
    assert_eq!(
        (&json["credentials"]["atLeast"], &json["credentials"]["provesZero"]),
        (&Value::Null, &json!(false))
    );
    assert_eq!(json["target"]["cluster"]["uid"], json!(estate.world.cluster_uid()));
}

#[test]
fn status_follows_published_keys() {
    let world = World::new(1);
    settings(&world);
    let json = world.run(&["status", "-o", "json"]).json();
    assert_ne!(json["documents"]["state"], "match", "nothing is published yet: {json}");
    world.run(&["publish"]).ends(0);
    let json = world.run(&["status", "-o", "json"]).json();
    assert_eq!(json["documents"]["state"], "match", "{json}");
    assert_eq!(json["documents"]["issuer"], ISSUER);
    // Another issuer in the document: it does not match any more.
    let text = fs::read_to_string(world.discovery()).unwrap();
    fs::write(world.discovery(), text.replace(ISSUER, "https://oidc.lab.test/other")).unwrap();
    let ran = world.run(&["status"]);
    assert!(ran.out.contains("its documents do not match it"), "{}", ran.out);
    assert!(ran.out.contains("Next         keyless verify "), "{}", ran.out);
}

#[test]
fn unreadable_parts_are_unknown() {
    let estate = Estate::new();
    estate.world.cluster.deny("admin", "list", "clustersecretstores.external-secrets.io");
    let ran = estate.run(&["status"]).ends(3);
    assert!(ran.out.contains("at least 0: ") && ran.out.contains("could not be read: "), "{}", ran.out);
    let json = estate.run(&["status", "-o", "json"]).ends(3).json();
    assert_eq!((&json["complete"], &json["stores"]["complete"]), (&json!(false), &json!(false)));
    assert!(!json["credentials"]["notRead"].as_array().unwrap().is_empty(), "{json}");
    let command = json["next"]["command"].as_str().unwrap();
    assert!(command.starts_with("keyless audit --mode refs"), "{command}");
}

#[test]
fn unreachable_bucket_leaves_keys_unknown() {
    let world = World::new(1);
    settings(&world);
    world.run(&["publish"]).ends(0);
    fs::rename(&world.www, world.dir.path().join("gone")).unwrap();
    let json = world.run(&["status", "-o", "json"]).ends(3).json();
    assert_ne!(json["documents"]["state"], "match", "{json}");
    assert_ne!(json["keys"]["state"], "counted", "{json}");
}

#[test]
fn status_changes_nothing() {
    let estate = Estate::new();
    let before = estate.store();
    let count = writes(&estate.world).len();
    estate.run(&["status"]).ends(0);
    let wrote = writes(&estate.world);
    assert_eq!(wrote.len(), count, "{wrote:#?}");
    assert_eq!(estate.store(), before);
    let names: Vec<_> =
        fs::read_dir(estate.world.dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "keyless.yaml"), "{names:?}");
}

#[test]
fn status_refuses_another_cluster() {
    let world = World::new(1);
    let text = "apiVersion: keyless/v1\ncluster:\n  uid: 00000000-0000-0000-0000-000000000000\n";
    fs::write(world.dir.path().join("keyless.yaml"), text).unwrap();
    let ran = world.run(&["status"]).fails(2, "cluster-mismatch", &[]);
    assert_eq!(ran.out, "");
}
