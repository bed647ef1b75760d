//! `keyless teardown` with settings that do not say which cluster they are about, and another cluster's context.

use std::fs;

use serde_json::json;

use crate::{
    estate::{Estate, SETUP},
    world::World,
};

const OTHER_CLUSTER: &str =
    "managed by keyless in cluster ffffffff-0000-4000-8000-000000000000 for https://other.example";

#[test]
fn documents_of_another_cluster_stay() {
    let (theirs, ours) = (World::new(1), World::new(1));
    for world in [&theirs, &ours] {
        let kube_system =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
        world.cluster.put_object(kube_system);
        world.keyless("publish", &[]).ends(0);
    }
    let published = [theirs.jwks(), theirs.discovery()].map(|file| fs::read_to_string(file).unwrap());
    for (file, text) in [ours.jwks(), ours.discovery()].iter().zip(&published) {
        ours.put(file, text);
    }
    let uid = ours.cluster_uid();
    for command in [["--yes"], ["--dry-run"]] {
        let names = ["is served by this cluster", "--context", "cluster.uid", &uid];
        ours.keyless("teardown", &command).fails(2, "cluster-mismatch", &names);
        let json = ours.keyless("teardown", &[&command[..], &["-o", "json"]].concat()).ends(2).json();
        assert_eq!(json["error"]["code"], "cluster-mismatch", "{json:#}");
        let left = [ours.jwks(), ours.discovery()].map(|file| fs::read_to_string(file).unwrap());
        assert_eq!(left, published);
    }
    // All keys were replaced at once: the settings say that it is this cluster.
    fs::write(
        ours.dir.path().join("keyless.yaml"),
        format!("apiVersion: keyless/v1\ncluster:\n  uid: {uid}\n"),
    )
    .unwrap();
    ours.keyless("teardown", &["--yes"]).fails(2, "cluster-mismatch", &["--config"]);
    ours.keyless("teardown", &["--yes", "--config", "keyless.yaml"]).ends(0);
    assert!(!ours.jwks().exists() && !ours.discovery().exists());
}

#[test]
fn another_clusters_pool_keeps_everything() {
    let estate = Estate::new();
    estate.run(&SETUP).ends(0);
    let file = estate.world.dir.path().join("keyless.yaml");
    let written = fs::read_to_string(&file).unwrap();
    let uid = estate.world.cluster_uid();
    let named = format!("cluster:\n  uid: {uid}\n");
    assert!(written.contains(&named), "{written}");
    fs::write(&file, written.replace(&named, "")).unwrap();
    let pool = written.lines().find_map(|line| line.trim().strip_prefix("pool: ")).unwrap();
    for provider in [None, Some("cluster")] {
        estate.google.write(pool, provider, |it| it["description"] = json!(OTHER_CLUSTER));
    }
    let account = || estate.world.cluster.objects("ServiceAccount");
    let (before, policy) = (account(), estate.google.policy("secrets/db"));
    let names = ["provider cluster", "belongs to another cluster", "cluster.uid", &uid];
    estate.run(&["teardown", "--yes"]).fails(2, "cluster-mismatch", &names);
    assert_eq!(account(), before);
    assert_eq!(estate.google.policy("secrets/db"), policy);
    // With the cluster's name, what is this cluster's goes, and the pool stays.
    fs::write(&file, written).unwrap();
    estate.names_settings();
    let ran = estate.run(&["teardown", "--yes"]).ends(0);
    assert!(ran.out.contains("it belongs to another cluster"), "{}", ran.out);
    assert_ne!(account(), before);
}
