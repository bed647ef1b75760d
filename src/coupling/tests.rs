use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::json;

use super::*;
use crate::cluster::{
    objects::Object,
    snapshot::{Store, tests::objects},
};

fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixtures() -> Vec<(String, String)> {
    let files = fs::read_dir(folder("fixtures/coupling")).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// What is kept of these objects, as the command keeps it.
fn seen(text: &str) -> Seen {
    let objects = objects(text);
    fn of<T>(objects: &[Object], kind: &str, of: fn(&Object) -> Option<T>) -> List<T> {
        let these = objects.iter().filter(|object| object.kind() == kind);
        let items = these.map(|object| of(object).unwrap_or_else(|| panic!("{object:?}"))).collect();
        List { items, unseen: Vec::new() }
    }
    let store = |object: &Object| Some(Store(object.clone()));
    let mut stores = of(&objects, "ClusterSecretStore", store);
    stores.items.extend(of(&objects, "SecretStore", store).items);
    let mut load_balancers = of(&objects, "Service", |object| {
        Some(LoadBalancer::is_one(object).then(|| LoadBalancer::of(object)).flatten())
    });
    let load_balancers =
        List { items: load_balancers.items.drain(..).flatten().collect(), unseen: Vec::new() };
    let configs = of(&objects, "ConfigMap", |object| Some(DeviceConfig::all_of(object)));
    Seen {
        nodes: of(&objects, "Node", Node::of),
        stores,
        storage_classes: of(&objects, "StorageClass", StorageClass::of),
        volumes: of(&objects, "PersistentVolume", Volume::of),
        load_balancers,
        ingress_classes: of(&objects, "IngressClass", IngressClass::of),
        daemon_sets: of(&objects, "DaemonSet", Workload::of),
        deployments: of(&objects, "Deployment", Workload::of),
        cluster_policies: of(&objects, "ClusterPolicy", ClusterPolicy::of),
        device_configs: List { items: configs.items.into_iter().flatten().collect(), unseen: Vec::new() },
    }
}

#[test]
fn every_concern_has_a_file() {
    let ids: BTreeSet<_> = CONCERNS.iter().map(|concern| concern.id).collect();
    assert_eq!(ids.len(), CONCERNS.len());
    for id in ids {
        let file = folder("src/coupling").join(format!("{}.rs", id.replace('-', "_")));
        assert!(file.is_file(), "{}", file.display());
    }
}

/// The first lines of a fixture say what must come out.
#[test]
fn fixtures_are_tied_as_marked() {
    let mut wrong = Vec::new();
    let all = fixtures();
    assert!(all.len() >= 20);
    for (name, text) in all {
        let coupling = judge(&seen(&text));
        let lines = coupling.lines().join("\n");
        assert!(coupling.is_complete(), "{name}");
        let mut marked = 0;
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            let Some((what, wanted)) = line.split_once(": ") else { continue };
            let right = match what {
                "says" => lines.contains(wanted),
                "never" => !lines.contains(wanted),
                id => match coupling.concerns.iter().find(|concern| concern.id == id) {
                    Some(concern) => {
                        marked += 1;
                        concern.to().join(", ") == wanted
                    }
                    // Any other comment.
                    None => true,
                },
            };
            if !right {
                wrong.push(format!("{name}: {line}\n{lines}\n"));
            }
        }
        assert_eq!(marked, CONCERNS.len(), "{name} does not mark every concern");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn unseen() -> Unseen {
    Unseen { what: "it".into(), right: "list it".into(), why: "this right is missing".into() }
}

/// Which concerns depend on which list.
#[test]
fn unread_list_makes_concern_unknown() {
    type Take = fn(&mut Seen);
    fn take<T>(list: &mut List<T>) {
        *list = List { items: Vec::new(), unseen: vec![unseen()] };
    }
    let lists: [(Take, &[&str]); 10] = [
        (|seen| take(&mut seen.nodes), &["gpu"]),
        (|seen| take(&mut seen.stores), &["secrets"]),
        (|seen| take(&mut seen.storage_classes), &["storage"]),
        (|seen| take(&mut seen.volumes), &["storage"]),
        (|seen| take(&mut seen.load_balancers), &["load-balancing"]),
        (|seen| take(&mut seen.ingress_classes), &["load-balancing"]),
        (|seen| take(&mut seen.daemon_sets), &["gpu", "load-balancing"]),
        (|seen| take(&mut seen.deployments), &["storage", "load-balancing"]),
        (|seen| take(&mut seen.cluster_policies), &["gpu"]),
        (|seen| take(&mut seen.device_configs), &["gpu"]),
    ];
    for (name, text) in fixtures() {
        for (number, (take, concerns)) in lists.iter().enumerate() {
            let mut seen = seen(&text);
            take(&mut seen);
            let coupling = judge(&seen);
            assert!(!coupling.is_complete(), "{name} without list {number}");
            for concern in &coupling.concerns {
                let at = format!("{name} without list {number}: {}", concern.headline());
                if concerns.contains(&concern.id) {
                    assert!(concern.to().contains(&"unknown"), "{at}");
                    assert_eq!(concern.portable(), Portable::Unknown, "{at}");
                    assert!(!concern.is_known(), "{at}");
                } else {
                    assert!(concern.unseen.is_empty(), "{at}");
                }
            }
        }
    }
}

#[test]
fn unknown_tie_is_never_portable() {
    for (name, text) in fixtures() {
        for concern in judge(&seen(&text)).concerns {
            for tie in &concern.ties {
                assert!(!tie.evidence.is_empty() && !tie.through.is_empty(), "{name}: {tie:?}");
                if tie.to == UNKNOWN {
                    assert_eq!(tie.portable, Portable::Unknown, "{name}: {tie:?}");
                }
                if tie.to == NONE {
                    assert_eq!(tie.portable, Portable::Yes, "{name}: {tie:?}");
                }
            }
        }
    }
}

/// The providers of External Secrets Operator, each once.
#[test]
fn every_provider_of_stores_is_listed() {
    let text = include_str!("../../fixtures/eso/providers.txt");
    let known: BTreeSet<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let listed: BTreeSet<_> = secrets::TABLE.iter().map(|row| row.member).collect();
    assert_eq!(listed, known);
    assert_eq!(secrets::TABLE.len(), known.len());
}

#[test]
fn address_is_shown_without_credentials() {
    for server in [
        format!("https://user:{}@vault.acme.example:8200/v1?t=a", "pass"),
        format!("user:{}@vault.acme.example", "pass"),
        format!("https://vault.acme.example/{}", "pass"),
    ] {
        let store = json!({"kind": "ClusterSecretStore", "metadata": {"name": "a"},
            "spec": {"provider": {"vault": {"server": server, "auth": {}}}}});
        let stores = List { items: vec![Store(Object(store))], unseen: Vec::new() };
        let coupling = judge(&Seen { stores, ..Seen::default() });
        let text = format!("{}{}", coupling.lines().join("\n"), coupling.to_json());
        assert!(!text.contains("pass"), "{text}");
    }
}

#[test]
fn json_agrees_with_text() {
    for (name, text) in fixtures() {
        let coupling = judge(&seen(&text));
        let json = coupling.to_json();
        assert_eq!(json["schema"], "keyless/coupling/v1");
        assert_eq!(json["headline"], coupling.lines()[0], "{name}");
        for (concern, shown) in coupling.concerns.iter().zip(json["concerns"].as_array().unwrap()) {
            assert_eq!(shown["to"], json!(concern.to()), "{name}");
            assert_eq!(shown["portable"], concern.portable().word(), "{name}");
            assert_eq!(shown["ties"].as_array().unwrap().len(), concern.ties.len(), "{name}");
        }
        assert_eq!(coupling.lines(), judge(&seen(&text)).lines(), "{name} is shown the same again");
    }
}
