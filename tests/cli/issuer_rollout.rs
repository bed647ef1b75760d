//! What `setup` tells the owner of the API servers: the old issuers are those of the tokens, whatever the defaults are.

use std::fs;

use lab::{Curve, Fault, SigningKey};
use serde_json::json;

use crate::{
    estate::{Estate, SETUP},
    ledger,
    world::{ISSUER, Ran},
};

/// A cluster that signs as these issuers, one for each API server, and whose documents lie in a folder.
fn estate(issuers: &[&str]) -> Estate {
    let estate = Estate::with_servers(issuers.len());
    for (number, issuer) in issuers.iter().enumerate() {
        estate.world.cluster.server(number).change(|server| server.issuers = vec![(*issuer).to_owned()]);
    }
    estate.google.resolve("oidc.lab.test", estate.world.web.addr());
    estate.settings(&format!("issuer: {ISSUER}\nbucket: {{url: 'file://{}'}}", estate.world.www.display()));
    estate
}

fn told(estate: &Estate) -> Ran {
    let ran = estate.run(&SETUP).ends(1);
    assert!(!format!("{}{}", ran.out, ran.err).contains("ASSUMED"), "{ran:?}");
    ran
}

fn node(version: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"},
        "status": {"nodeInfo": {"kubeletVersion": version}}})
}

#[test]
fn old_issuers_are_read_from_tokens() {
    for (issuers, kept) in [
        (
            &["https://kubernetes.default.svc.corp.local"][..],
            &["https://kubernetes.default.svc.corp.local"][..],
        ),
        (&["https://10.5.0.2:6443/"], &["https://10.5.0.2:6443/"]),
        // In the middle of another change: pods hold tokens of both.
        (
            &["https://old.lab.test", "https://older.lab.test"],
            &["https://old.lab.test", "https://older.lab.test"],
        ),
        // One signs as the new issuer already.
        (&[ISSUER, "https://old.lab.test"], &["https://old.lab.test"]),
    ] {
        let estate = estate(issuers);
        estate.world.cluster.put_object(node("v1.36.1+k3s1"));
        let ran = told(&estate);
        if kept == ["https://10.5.0.2:6443/"] {
            estate.run(&["setup", "--dry-run"]).ends(1).snapshot("plan-issuer-not-signed");
        }
        let last = ran.out.split("signs with the new issuer").nth(1).unwrap();
        let mut flags =
            last.lines().filter_map(|line| line.trim().strip_prefix("- \"service-account-issuer="));
        assert_eq!(flags.next(), Some(&*format!("{ISSUER}\"")), "{}", ran.out);
        let kept: Vec<_> = kept.iter().map(|issuer| format!("{issuer}\"")).collect();
        assert_eq!(flags.collect::<Vec<_>>(), kept, "{}", ran.out);
    }
}

#[test]
fn signing_cluster_is_planned_whole() {
    let estate = estate(&[ISSUER]);
    estate.run(&["setup", "--dry-run"]).ends(1).snapshot("plan-google-documents");
    assert_eq!(estate.google.federation(), Vec::<String>::new());
}

/// The same as `publish` ends with, although the store has its new login.
#[test]
fn unreadable_ledger_leaves_setup_incomplete() {
    let estate = estate(&[ISSUER]);
    let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keyless-system"}});
    estate.world.cluster.put_object(system);
    let path = "/api/v1/namespaces/keyless-system/configmaps/keyless-ledger";
    estate.world.cluster.server(0).faults().always("GET", path, Fault::status(500));
    // Every published key is served: nothing depends on the ledger.
    estate.run(&["publish"]).ends(0).says("warning[ledger-unreadable]");
    let old = SigningKey::rsa(2048);
    ledger::add_to_bucket(&estate.world, &old);
    estate.run(&["publish"]).ends(3).says("warning[ledger-unreadable]");
    let ran = estate.run(&SETUP).ends(3).says("warning[ledger-unreadable]");
    assert!(estate.store_is_keyless(), "{}", ran.out);
    let ran = estate.run(&["setup", "--dry-run", "-o", "json"]).ends(3);
    assert_eq!(ran.json()["outcome"], "incomplete");
}

#[test]
fn pinned_kubeadm_audiences_are_warned_of() {
    let estate = estate(&["https://kubernetes.default.svc.corp.local"]);
    estate.world.cluster.put_object(node("v1.36.1"));
    let configuration = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking: {dnsDomain: corp.local}\n\
                         apiServer: {extraArgs: [{name: api-audiences, value: api.corp}]}\n";
    estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kubeadm-config", "namespace": "kube-system"}, "data": {"ClusterConfiguration": configuration}}));
    let ran = told(&estate);
    assert!(ran.err.contains("warning[api-audiences-pinned]") && ran.err.contains("api.corp"), "{}", ran.err);
    assert!(ran.out.contains("https://kubernetes.default.svc.corp.local"), "{}", ran.out);
}

/// Where nothing is published, the API servers are told of no key set either.
#[test]
fn disagreeing_servers_need_no_documents() {
    let estate = Estate::with_servers(2);
    estate.world.cluster.server(0).change(|server| server.issuers = vec!["https://10.5.0.2:6443".into()]);
    let ran = told(&estate);
    assert!(ran.out.contains("--service-account-issuer=https://10.5.0.2:6443"), "{}", ran.out);
    assert!(!ran.out.contains("jwks-uri") && !ran.out.contains("keyless publish"), "{}", ran.out);
}

#[test]
fn unread_key_is_in_setup_plan() {
    let estate = estate(&["https://old.lab.test"]);
    let odd = SigningKey::ec(Curve::P521);
    estate.world.cluster.change_servers(|server| server.key_files.push((&odd).into()));
    for arguments in [&["setup", "--dry-run"][..], &SETUP] {
        let ran = estate.run(arguments).ends(1);
        let warnings = ran
            .err
            .lines()
            .filter(|line| line.starts_with("warning[key-not-read-by-all]"))
            .collect::<Vec<_>>();
        assert!(warnings.len() == 1 && warnings[0].contains(&odd.kid()), "{warnings:?}");
    }
    let published = fs::read_to_string(estate.world.jwks()).unwrap();
    assert!(published.contains(&odd.kid()));
}

/// Its API servers never sign as another issuer, so documents of another one are of no use.
#[test]
fn documents_of_managed_cluster_are_refused() {
    for (issuer, title) in MANAGED {
        let estate = estate(&[issuer]);
        for flags in [&["setup", "--dry-run"][..], &SETUP] {
            let ran = estate.run(flags).ends(3);
            assert!(ran.err.contains("error[distro-managed]"), "{ran:?}");
            assert!(ran.err.contains(&format!("the API servers of {title} cannot")), "{ran:?}");
            assert!(!ran.out.contains("Plan: "), "{ran:?}");
        }
        assert_eq!(estate.google.federation(), Vec::<String>::new());
        assert!(!estate.world.www.join("openid").exists());
    }
}

/// The provider changes its key by itself. A publisher in the cluster can keep up, so it is no refusal.
#[test]
fn uploaded_keys_of_managed_warn() {
    for (issuer, title) in MANAGED {
        let estate = estate(&[issuer]);
        estate.settings("");
        let ran = estate.run(&["setup", "--dry-run"]).ends(1);
        assert!(ran.err.contains("warning[distro-managed]"), "{ran:?}");
        assert!(ran.err.contains(&format!("the issuer of {title}")), "{ran:?}");
    }
}

const MANAGED: [(&str, &str); 6] = [
    ("https://container.googleapis.com/v1/projects/acme/locations/europe-west1/clusters/a", "GKE"),
    ("https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF", "EKS"),
    ("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/0123456789ABCDEF0123456789ABCDEF", "EKS"),
    ("https://oidc-eks.eu-central-1.api.aws/id/0123456789ABCDEF0123456789ABCDEF", "EKS"),
    ("https://westeurope.oic.prod-aks.azure.com/6f1c/9b2e/", "AKS"),
    ("https://oidc.prod-aks.azure.com/6f1c/", "AKS"),
];

/// Who writes a node can forge its labels: they warn, and stop nothing.
#[test]
fn managed_label_warns_in_plan() {
    for (label, title) in [
        ("cloud.google.com/gke-nodepool", "GKE"),
        ("kubernetes.azure.com/cluster", "AKS"),
        ("node.openshift.io/os_id", "OpenShift"),
    ] {
        let estate = estate(&["https://kubernetes.default.svc"]);
        let mut node = node("v1.36.1");
        node["metadata"]["labels"] = json!({label: "a"});
        estate.world.cluster.put_object(node);
        let ran = estate.run(&["setup", "--dry-run"]).ends(1);
        assert!(ran.err.contains("warning[distro-managed]"), "{ran:?}");
        assert!(ran.err.contains(&format!("this is {title}")), "{ran:?}");
    }
}

#[test]
fn issuer_like_managed_is_planned() {
    for issuer in [
        "https://oidc.eks.example.com/id/a",
        "https://evil.test/oidc.eks.eu-central-1.amazonaws.com",
        "https://container.googleapis.com.example.com/v1/projects/a",
        "https://oic.prod-aks.azure.com.example.com/a",
    ] {
        let estate = estate(&[issuer]);
        let ran = estate.run(&["setup", "--dry-run"]).ends(1);
        assert!(ran.out.contains("Plan: "), "{ran:?}");
        assert!(!ran.err.contains("distro-managed"), "{ran:?}");
    }
}
