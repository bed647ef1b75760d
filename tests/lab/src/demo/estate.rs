//! What lies in the cluster before: nodes, the operator, a stored key, a store that uses it, and who reads
//! through the store.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use lab::{Cluster, PROJECT_ID};

pub(crate) const STORE: &str = "app-secrets";
pub(crate) const SHOP: &str = "shop";
pub(crate) const SECRET: &str = "db";
const OPERATOR: &str = "external-secrets";
const KEY: &str = "google-key";
const STORES: &str = "external-secrets.io/v1";
/// Where `keyless` or its user may write
const KINDS: [&str; 5] = ["ClusterSecretStore", "ExternalSecret", "ServiceAccount", "Role", "RoleBinding"];
const CRDS: &str = include_str!("../../fixtures/crds/eso-0.20.4-min.yaml");

/// Puts it there; `key` is the file of a Google service account's key
pub(crate) fn put(cluster: &Cluster, key: &Value) {
    cluster.load_crds(CRDS);
    cluster.put_object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}));
    for name in ["cp-1", "cp-2"] {
        cluster.put_object(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"nodeInfo": {"kubeletVersion": "v1.33.4+k3s1"}},
        }));
    }
    cluster.put_object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": OPERATOR, "namespace": OPERATOR},
        "spec": {"template": {"spec": {"serviceAccountName": OPERATOR, "containers": [
            {"name": OPERATOR, "image": "ghcr.io/external-secrets/external-secrets:v0.20.4"},
        ]}}},
    }));
    let rbac = "rbac.authorization.k8s.io";
    cluster.put_object(json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": OPERATOR},
        "rules": [{"apiGroups": ["external-secrets.io"], "verbs": ["get", "patch", "update"],
            "resources": ["externalsecrets", "externalsecrets/status", "clustersecretstores/status"]}],
    }));
    cluster.put_object(json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": OPERATOR},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": OPERATOR}],
    }));
    cluster.put_object(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": KEY, "namespace": OPERATOR},
        "data": {"key.json": STANDARD.encode(key.to_string())},
    }));
    cluster.put_object(json!({
        "apiVersion": STORES, "kind": "ClusterSecretStore", "metadata": {"name": STORE},
        "spec": {"provider": {"gcpsm": {"projectID": PROJECT_ID, "auth": {"secretRef": {
            "secretAccessKeySecretRef": {"name": KEY, "namespace": OPERATOR, "key": "key.json"},
        }}}}},
    }));
    cluster.put_object(json!({
        "apiVersion": STORES, "kind": "ExternalSecret", "metadata": {"name": SECRET, "namespace": SHOP},
        "spec": {
            "refreshInterval": "1s",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
            "target": {"name": SECRET},
            "data": [{"secretKey": "password", "remoteRef": {"key": SECRET, "property": "password"}}],
        },
    }));
}

/// What the application sees: the password in the Secret that the operator writes
pub(crate) fn password(cluster: &Cluster) -> Option<String> {
    let secret = cluster.object("v1", "Secret", Some(SHOP), SECRET)?;
    String::from_utf8(STANDARD.decode(secret["data"]["password"].as_str()?).ok()?).ok()
}

/// Whether the store names a Secret to log in with
pub(crate) fn logs_in_with_a_key(cluster: &Cluster) -> bool {
    let store = cluster.object(STORES, "ClusterSecretStore", None, STORE).unwrap_or_default();
    store["spec"]["provider"]["gcpsm"]["auth"]["secretRef"].is_object()
}

/// Everything that people and `keyless` write, without what the API server and the operator note on it
pub(crate) fn objects(cluster: &Cluster) -> BTreeMap<String, Value> {
    let all = KINDS.iter().flat_map(|kind| cluster.objects(kind));
    all.map(|mut object| {
        let metadata = &object["metadata"];
        let namespace = metadata["namespace"].as_str().map(|namespace| format!("{namespace}/"));
        let name =
            format!("{} {}{}", text(&object["kind"]), namespace.unwrap_or_default(), text(&metadata["name"]));
        if let Some(members) = object.as_object_mut() {
            members.remove("status");
        }
        if let Some(members) = object["metadata"].as_object_mut() {
            members.retain(|member, _| !["managedFields", "resourceVersion"].contains(&member.as_str()));
        }
        (name, object)
    })
    .collect()
}

/// The objects that `keyless` made
pub(crate) fn made(cluster: &Cluster) -> Vec<String> {
    let ours = |object: &Value| object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "keyless";
    objects(cluster).into_iter().filter(|(_, object)| ours(object)).map(|(name, _)| name).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
