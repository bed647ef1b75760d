//! Which distribution a cluster is. Each fixture is named by what it is, and says what the marks are taken from.

use std::{fs, path::Path};

use serde_json::Value;

use super::{ClusterFacts, Distribution, NodeFacts, detect, key_files};

fn fixture(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/distro");
    serde_json::from_str(&fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

fn facts(of: &Value) -> ClusterFacts {
    ClusterFacts {
        nodes: of["nodes"].as_array().unwrap().iter().map(NodeFacts::of).collect(),
        cluster_configuration: of["clusterConfiguration"].as_str().map(str::to_owned),
    }
}

#[test]
fn each_distribution_is_detected() {
    for distro in Distribution::all() {
        let found = detect(&facts(&fixture(distro.id)));
        assert_eq!(found.map(|it| it.id), Some(distro.id));
    }
}

#[test]
fn order_of_nodes_is_no_matter() {
    for distro in Distribution::all() {
        let mut facts = facts(&fixture(distro.id));
        facts.nodes.reverse();
        assert_eq!(detect(&facts).map(|it| it.id), Some(distro.id));
    }
}

#[test]
fn unknown_clusters_are_not_guessed() {
    for case in fixture("unknown").as_array().unwrap() {
        let facts = facts(case);
        assert_eq!(detect(&facts), None, "{}", case["why"]);
        assert_eq!(key_files(&facts), None, "{}", case["why"]);
    }
}

#[test]
fn relatives_are_told_apart() {
    for case in fixture("relatives").as_array().unwrap() {
        let found = detect(&facts(case)).map(|it| it.id);
        assert_eq!(found, case["is"].as_str(), "{}", case["why"]);
    }
}

#[test]
fn known_distributions_name_their_files() {
    for (distro, file) in [
        ("kubeadm", Some("/etc/kubernetes/pki/sa.pub")),
        ("kubespray", Some("/etc/kubernetes/ssl/sa.pub")),
        ("k3s", Some("/var/lib/rancher/k3s/server/tls/service.key")),
        ("rke2", Some("/var/lib/rancher/rke2/server/tls/service.key")),
        ("k0s", Some("/var/lib/k0s/pki/sa.pub")),
        ("microk8s", Some("/var/snap/microk8s/current/certs/serviceaccount.key")),
        ("talos", Some("KubeServiceAccountConfig")),
        ("talos-1.12", Some("cluster.serviceAccount.key")),
        ("eks", Some("provider")),
        ("gke", Some("provider")),
        ("vcluster", None),
        ("k3d", None),
    ] {
        let found = key_files(&facts(&fixture(distro)));
        assert_eq!(found.is_some(), file.is_some(), "{distro}");
        assert!(file.is_none_or(|file| found.unwrap().contains(file)), "{found:?}");
    }
}
