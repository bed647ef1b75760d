//! `keyless teardown` from outside: what it says before it asks, what it leaves, and that it can be begun again.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use lab::{KillSwitch, Moment};
use serde_json::{Value, json};

use crate::{
    estate::{Estate, SETUP},
    long::long_or,
    world::{ISSUER, World},
};

const ESO: &str = "external-secrets.io/v1";

/// A cluster of which only the documents are wanted.
fn published() -> World {
    let world = World::new(1);
    let kube_system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
    world.cluster.put_object(kube_system);
    world.keyless("publish", &[]).ends(0);
    world
}

#[test]
fn orphaned_store_is_reported_before_confirmation() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let planned = estate.run(&["teardown", "--dry-run"]).ends(1).snapshot("plan-teardown-orphans");
    for wanted in [
        "! keep    ClusterSecretStore gcp: keyless did not make it",
        "ExternalSecret shop/db is not refreshed any more",
        "warning[store-orphaned]: ClusterSecretStore gcp",
        "keyless setup --to",
    ] {
        assert!(
            planned.out.contains(wanted) || planned.err.contains(wanted),
            "`{wanted}` is not in\n{}{}",
            planned.out,
            planned.err
        );
    }
    let report = estate.run(&["teardown", "--dry-run", "-o", "json"]).ends(1).json();
    let orphan = json!({"store": "ClusterSecretStore gcp", "users": ["ExternalSecret shop/db"]});
    assert_eq!(report["orphans"], json!([orphan]), "{report:#}");
    let codes: Vec<_> = report["plan"]["notes"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
    assert!(codes.contains(&&json!("store-orphaned")), "{report:#}");
    // It is left as it was.
    let before = estate.store()["spec"].clone();
    estate
        .run(&["teardown"])
        .fails(2, "confirmation", &["Remove these ", "--yes"])
        .says("! keep    ClusterSecretStore");
    estate.run(&["teardown", "--yes"]).ends(0);
    assert_eq!(estate.store()["spec"], before);
    let again = estate.run(&["teardown", "--yes"]).ends(0).says("nothing to remove");
    assert!(!again.err.contains("trust-left"), "what is gone is not left\n{}", again.err);
}

#[test]
fn store_turned_elsewhere_is_no_orphan() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let mut store = estate.store();
    store["spec"]["provider"] = json!({"vault": {"server": "https://vault.lab.test", "path": "kv", "version": "v2",
        "auth": {"jwt": {"path": "keyless", "role": "a", "kubernetesServiceAccountToken": {"serviceAccountRef": {"name": "a", "namespace": "b"}}}}}});
    estate.world.cluster.put_object(store);
    let planned = estate.run(&["teardown", "--dry-run"]).ends(1);
    assert!(!planned.err.contains("store-orphaned"), "{}", planned.err);
}

#[test]
fn missing_operator_does_not_stop_teardown() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let cluster = &estate.world.cluster;
    cluster.remove_object("apps/v1", "Deployment", Some("external-secrets"), "external-secrets");
    cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
    estate.run(&["teardown", "--yes"]).ends(0);
    assert_eq!(account(&estate), None);
    estate.run(&["teardown", "--yes"]).ends(0).says("nothing to remove");
}

#[test]
fn teardown_of_documents_removes_only_ours() {
    let world = published();
    world
        .keyless("teardown", &["--dry-run"])
        .ends(1)
        .says("- delete  prod/.well-known/openid-configuration")
        .snapshot("plan-teardown-documents");
    world.keyless("teardown", &[]).fails(2, "confirmation", &["Remove these 2 things"]);
    world.keyless("teardown", &["--yes"]).ends(0);
    assert!(!world.jwks().exists() && !world.discovery().exists());
    world.keyless("teardown", &["--yes"]).ends(0).says("nothing to remove");

    // An interrupted one left the key set: one thing.
    let world = published();
    std::fs::remove_file(world.discovery()).unwrap();
    world.keyless("teardown", &[]).fails(2, "confirmation", &["Remove this 1 thing"]);
    world.keyless("teardown", &["--yes"]).ends(0);
    assert!(!world.jwks().exists());
}

/// The issuer's name in a document does not make it ours: only the bytes do that keyless itself would write.
#[test]
fn foreign_or_changed_documents_stay() {
    for change in [
        |text: &str| {
            let document: Value = serde_json::from_str(text).unwrap();
            serde_json::to_string_pretty(&document).unwrap()
        },
        |text: &str| format!("{text}\n"),
        |text: &str| text.replacen('{', "{\"claims_supported\":[\"sub\"],", 1),
        |_: &str| format!("<html>\"issuer\":\"{ISSUER}\"</html>"),
        |_: &str| String::new(),
    ] {
        let world = published();
        let text = std::fs::read_to_string(world.discovery()).unwrap();
        let changed = change(&text);
        world.put(&world.discovery(), &changed);
        let ran = world.keyless("teardown", &["--yes"]).ends(0).says("nothing to remove");
        assert!(ran.out.contains("= keep    prod/.well-known/openid-configuration"), "{}", ran.out);
        assert_eq!(std::fs::read_to_string(world.discovery()).unwrap(), changed);
        assert!(world.jwks().exists(), "what it points at stays with it");
    }
    // A key set that another user edited by hand.
    let world = published();
    let text = std::fs::read_to_string(world.jwks()).unwrap();
    world.put(&world.jwks(), text.replacen("\"keys\":[", "\"keys\": [", 1));
    world.keyless("teardown", &["--yes"]).ends(0).says("= keep    prod/openid/v1/jwks");
    assert!(world.jwks().exists() && !world.discovery().exists());
}

fn account(estate: &Estate) -> Option<Value> {
    estate.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), "keyless-gcp")
}

/// What is left of everything that setup made.
fn left(estate: &Estate) -> Vec<String> {
    let cluster = &estate.world.cluster;
    let made = ["ClusterSecretStore", "ServiceAccount", "Role", "RoleBinding"];
    let objects = made.iter().flat_map(|kind| cluster.objects(kind));
    let ours = objects.filter(|it| it["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "keyless");
    let mut left: Vec<_> = ours.map(|it| format!("{} {}", it["kind"], it["metadata"]["name"])).collect();
    left.extend(estate.google.federation());
    left.push(estate.google.policy("secrets/db")["bindings"].to_string());
    left
}

/// Killed at each call of its second half, in which it writes, and begun again: the same end.
#[test]
fn teardown_killed_anywhere_ends_the_same() {
    let estate = Estate::new();
    // A store of its own: that goes too, and nothing tells the next run what it read.
    estate.world.cluster.remove_object(ESO, "ClusterSecretStore", None, "gcp");
    estate.settings("google: {project: acme-prod}\nstore: {name: gcp, secrets: [db]}");
    let far_sides = || [estate.google.faults(), estate.world.cluster.server(0).faults()];
    let switch = |at, moment, action: Box<dyn Fn() + Send + Sync>| {
        let switch = KillSwitch::new(at, moment, action);
        far_sides().iter().for_each(|side| side.kill_switch(&switch));
        switch
    };
    let count = |arguments: &[&str], code| {
        let switch = switch(0, Moment::BeforeEffect, Box::new(|| ()));
        estate.run(arguments).ends(code);
        switch.calls()
    };
    estate.run(&SETUP).ends(0);
    let reading = count(&["teardown", "--dry-run"], 1);
    let all = count(&["teardown", "--yes"], 0);
    let end = left(&estate);
    assert!(all > reading + 6, "{reading} of {all} calls only read");
    for (index, call) in (reading + 1..=all).step_by(long_or(1, 3)).enumerate() {
        let moment = if index % 2 == 0 { Moment::AfterEffect } else { Moment::BeforeEffect };
        estate.run(&SETUP).ends(0);
        let child: Arc<Mutex<Option<std::process::Child>>> = Arc::default();
        let victim = child.clone();
        let kill = move || victim.lock().unwrap().as_mut().expect("the program runs").kill().unwrap();
        let tripped = switch(call, moment, Box::new(kill));
        {
            let mut command = estate.command(&["teardown", "--yes"]);
            let mut slot = child.lock().unwrap();
            *slot = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        while child.lock().unwrap().as_mut().unwrap().try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(tripped.tripped(), "{moment:?} {call}");
        count(&["teardown", "--yes"], 0);
        assert_eq!(left(&estate), end, "{moment:?} {call}");
    }
    estate.run(&["teardown", "--yes"]).ends(0).says("nothing to remove");
}
