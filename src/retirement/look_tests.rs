use lab::{Ca, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::cluster::Settings;

fn definition(plural: &str, kind: &str, versions: &[&str]) -> Value {
    let versions: Vec<_> = versions
        .iter()
        .map(|version| {
            json!({"name": version, "served": true, "storage": *version == versions[0],
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
        })
        .collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.external-secrets.io")},
        "spec": {"group": "external-secrets.io", "scope": "Namespaced", "versions": versions,
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")}}})
}

/// The users of a store that are found where the definitions serve these versions, each by one object.
async fn found(kinds: &[(&str, &str, &[&str])]) -> Vec<String> {
    let dir = TempDir::new().unwrap();
    let lab = lab::Cluster::start(&Ca::new(), 1, "https://oidc.lab.test", &SigningKey::rsa(2048));
    for (plural, kind, versions) in kinds {
        lab.put_object(definition(plural, kind, versions));
        let version = format!("external-secrets.io/{}", versions[0]);
        lab.put_object(json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": "db", "namespace": "shop"}, "spec": {}}));
    }
    let settings = Settings { kubeconfig: Some(lab.kubeconfig(dir.path())), ..Settings::default() };
    let cluster = Cluster::connect(&settings).await.unwrap();
    let all = users(&cluster, &StoreName::Cluster("gcp".into())).await.unwrap();
    all.iter().map(|user| format!("{} {}", user.text("/apiVersion"), user.describe())).collect()
}

/// A key is not disabled because its users are served in another version than the stores.
#[tokio::test]
async fn users_are_read_in_served_version() {
    let external = |versions| ("externalsecrets", "ExternalSecret", versions);
    let push = |versions| ("pushsecrets", "PushSecret", versions);
    for (kinds, expected) in [
        (
            vec![external(&["v1"][..]), push(&["v1alpha1"][..])],
            &["v1 ExternalSecret", "v1alpha1 PushSecret"][..],
        ),
        (
            vec![external(&["v1beta1"]), push(&["v1alpha1"])],
            &["v1beta1 ExternalSecret", "v1alpha1 PushSecret"],
        ),
        (vec![external(&["v1"]), push(&["v1"])], &["v1 ExternalSecret", "v1 PushSecret"]),
        (vec![external(&["v2", "v1beta1"])], &["v2 ExternalSecret"]),
        (vec![], &[]),
    ] {
        let expected: Vec<_> =
            expected.iter().map(|user| format!("external-secrets.io/{user} shop/db")).collect();
        assert_eq!(found(&kinds).await, expected);
    }
}
