//! `keyless coupling` from outside: each cluster of `fixtures/coupling`, what it takes to read one, and what becomes of what may
//! not be read.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::world::{Ran, World};

const ESO: &str = include_str!("../lab/fixtures/crds/eso-0.20.4-min.yaml");
const CLUSTER_POLICIES: &str = include_str!("../lab/fixtures/crds/gpu-operator-min.yaml");
const RBAC: &str = "rbac.authorization.k8s.io/v1";
const USER: &str = "planner";

fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/coupling");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = files
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

fn fixture(name: &str) -> String {
    fixtures().into_iter().find(|(it, _)| it == name).unwrap().1
}

/// A cluster with these objects, and the kinds that they take.
fn cluster(text: &str) -> World {
    let world = World::new(1);
    world.cluster.load_crds(ESO);
    if text.contains("kind: ClusterPolicy") {
        world.cluster.load_crds(CLUSTER_POLICIES);
    }
    world.cluster.load_crds(text);
    world
}

#[test]
fn clusters_are_shown_as_reviewed() {
    for (name, text) in fixtures() {
        let world = cluster(&text);
        let ran = world.run(&["coupling"]).ends(0).snapshot(&format!("coupling-{name}"));
        // The first lines of the fixture, of the program as well.
        let summary = ran.out.lines().next().unwrap();
        let wanted = |id: &str| {
            let mark = format!("# {id}: ");
            text.lines().find_map(|line| line.strip_prefix(&mark)).unwrap().to_owned()
        };
        let titles = [
            ("secrets", "secrets trust root"),
            ("gpu", "GPU stack"),
            ("storage", "storage classes"),
            ("load-balancing", "load balancing"),
        ];
        let marked: Vec<_> = titles.iter().map(|(id, title)| format!("{title}: {}", wanted(id))).collect();
        assert_eq!(summary, marked.join(" · "), "{name}");
    }
}

#[test]
fn result_is_one_json_document() {
    let world = cluster(&fixture("k3s-on-hetzner"));
    let result = world.run(&["coupling", "-o", "json"]).ends(0).json();
    assert_eq!((&result["command"], &result["schema"]), (&json!("coupling"), &json!("keyless/coupling/v1")));
    assert_eq!(result["target"]["cluster"]["uid"], world.cluster_uid());
    assert_eq!(result["complete"], true);
    assert_eq!(result["nodes"]["count"], 2);
    assert_eq!(result["swapPoints"], json!(["ClusterSecretStore gcp"]));
    let schema = world.run(&["config", "schema", "coupling"]).ends(0).json();
    let members = schema["properties"].as_object().unwrap();
    for member in members.keys() {
        assert!(result.get(member).is_some(), "{member} is not in {result}");
    }
}

/// Each list that cannot be read makes its concerns unknown, and the exit code 3.
#[test]
fn unread_list_is_unknown_exit_3() {
    let world = cluster(&fixture("kubeadm-on-bare-metal"));
    for (verb, resource, concerns) in [
        ("list", "nodes", &["gpu"][..]),
        ("list", "clustersecretstores.external-secrets.io", &["secrets"]),
        ("list", "secretstores.external-secrets.io", &["secrets"]),
        ("list", "storageclasses.storage.k8s.io", &["storage"]),
        ("list", "persistentvolumes", &["storage"]),
        ("list", "services", &["load-balancing"]),
        ("list", "ingressclasses.networking.k8s.io", &["load-balancing"]),
        ("list", "daemonsets.apps", &["gpu", "load-balancing"]),
        ("list", "deployments.apps", &["storage", "load-balancing"]),
        ("list", "clusterpolicies.nvidia.com", &["gpu"]),
        ("get", "configmaps", &["gpu"]),
    ] {
        world.cluster.deny("admin", verb, resource);
        let result = world.run(&["coupling", "-o", "json"]).ends(3).json();
        assert_eq!(result["complete"], false, "{resource}");
        for concern in result["concerns"].as_array().unwrap() {
            let id = concern["id"].as_str().unwrap();
            let is_hit = concerns.contains(&id);
            let to = concern["to"].as_array().unwrap();
            assert_eq!(concern["notSeen"].as_array().unwrap().is_empty(), !is_hit, "{resource}: {concern}");
            if is_hit {
                assert!(to.contains(&json!("unknown")), "{resource}: {concern}");
                assert_eq!(concern["portable"], "unknown", "{resource}: {concern}");
                assert!(concern["notSeen"].to_string().contains(&format!("{verb} {resource}")), "{concern}");
            }
        }
        let ran = world.run(&["coupling"]).ends(3).says(&format!("{verb} {resource}"));
        if resource == "nodes" {
            ran.snapshot("coupling-incomplete");
        }
        world.cluster.forgive("admin");
    }
    world.run(&["coupling"]).ends(0);
}

/// That there is no such kind is proved, not taken from a refusal.
#[test]
fn absence_of_stores_is_proved() {
    let world = World::new(1);
    world.run(&["coupling"]).ends(0).says("no store of External Secrets Operator");
    world.cluster.deny("admin", "get", "customresourcedefinitions.apiextensions.k8s.io");
    let ran = world.run(&["coupling"]).ends(3).says("secrets trust root: unknown");
    assert!(!ran.out.contains("no store of External Secrets Operator"), "{}", ran.out);
    assert!(ran.out.contains("GPU stack: unknown"), "{}", ran.out);
}

#[test]
fn broken_object_is_not_skipped() {
    let world = cluster("");
    world.cluster.put_object(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "odd"}, "provisioner": 7}));
    let ran = world.run(&["coupling"]).ends(3).says("StorageClass odd");
    assert!(ran.out.contains("storage classes: unknown"), "{}", ran.out);
}

#[test]
fn lists_beyond_a_page_are_counted() {
    let world = cluster("");
    world.cluster.put_object(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "a"}, "provisioner": "csi.hetzner.cloud"}));
    for number in 0..1100 {
        world.cluster.put_object(json!({"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": format!("pvc-{number}")},
            "spec": {"storageClassName": "a", "csi": {"driver": "csi.hetzner.cloud", "volumeHandle": "1"}},
            "status": {"phase": "Bound"}}));
    }
    world.run(&["coupling"]).ends(0).says("volumes: 1100, in use 1100");
}

#[test]
fn cluster_is_needed_and_compared() {
    let world = cluster("");
    let file = world.dir.path().join("keyless.yaml");
    fs::write(&file, "apiVersion: keyless/v1\ncluster: {uid: other}\n").unwrap();
    world.run(&["coupling"]).ends(2).says("cluster-mismatch");
    fs::write(&file, "apiVersion: keyless/v1\ncluster: {enabled: false}\n").unwrap();
    world.run(&["coupling"]).ends(2).says("cluster-needed");
}

/// The ClusterRole of `deploy/coupling`, and nothing else.
#[test]
fn coupling_needs_exactly_its_rights() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/coupling/rbac.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
    let role = objects[0].clone();
    let world = cluster(&fixture("kubeadm-on-bare-metal"));
    let absent = World::new(1);
    for world in [&world, &absent] {
        world.cluster.add_user(USER, &[]);
        world.cluster.put_object(role.clone());
        world.cluster.put_object(json!({"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": USER},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "keyless-coupling"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}]}));
        world.cluster.kubeconfig_as(world.dir.path(), USER);
    }
    let coupling = |world: &World| -> Ran {
        let mut command = world.command(&["coupling"]);
        command.env("KUBECONFIG", world.dir.path().join(format!("{USER}.kubeconfig")));
        command.output().unwrap().into()
    };
    coupling(&world).ends(0);
    coupling(&absent).ends(0);
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for rule in role["rules"].as_array().unwrap() {
        let group = texts(&rule["apiGroups"]).join("");
        for verb in texts(&rule["verbs"]) {
            assert!(["get", "list"].contains(&verb.as_str()), "{rule}");
            for resource in texts(&rule["resources"]) {
                let resource = if group.is_empty() { resource } else { format!("{resource}.{group}") };
                // Where there are objects of a kind, its definition need not be read.
                let world = if resource.starts_with("customresource") { &absent } else { &world };
                world.cluster.deny(USER, &verb, &resource);
                let ran = coupling(world);
                match resource.as_str() {
                    // The page does not say of which cluster it is.
                    "namespaces" => drop(ran.ends(0).says("warning[cluster-uid-unknown]")),
                    _ => drop(ran.ends(3).says(&format!("{verb} {resource}"))),
                }
                world.cluster.forgive(USER);
            }
        }
    }
}
