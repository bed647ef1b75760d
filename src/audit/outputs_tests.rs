//! Which Secrets count as outputs of an ExternalSecret: what both say, and nothing that only one of them says.

use serde_json::{Value, json};

use super::{judge, tests::cluster};
use crate::credentials::fakes::google;

fn external_secret(namespace: &str) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "db", "namespace": namespace, "uid": "es-1"},
        "spec": {"secretStoreRef": {"name": "s", "kind": "ClusterSecretStore"}, "target": {"name": "db-login"}}})
}

fn secret() -> Value {
    let owner = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "db", "uid": "es-1",
        "controller": true, "blockOwnerDeletion": true});
    json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "stringData": {"password": "hunter2"},
        "metadata": {"name": "db-login", "namespace": "shop", "ownerReferences": [owner],
            "labels": {"reconcile.external-secrets.io/managed": "true", "reconcile.external-secrets.io/created-by": "x"}}})
}

/// Outputs, unmanaged Secrets, and mission roots.
fn counted(objects: &[Value]) -> (usize, usize, usize) {
    let verdict = judge(&cluster(&objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")));
    (verdict.outputs, verdict.unmanaged, verdict.roots.len())
}

#[test]
fn output_needs_owner_that_exists() {
    type Change = fn(&mut Value, &mut Value);
    let cases: [(&str, Change, bool); 18] = [
        ("as it is", |_, _| {}, true),
        ("without labels", |secret, _| drop(secret["metadata"]["labels"].take()), true),
        (
            "target by default",
            |secret, it| {
                secret["metadata"]["name"] = json!("db");
                it["spec"]["target"] = json!({});
            },
            true,
        ),
        ("policy written out", |_, it| it["spec"]["target"]["creationPolicy"] = json!("Owner"), true),
        ("forged label alone", |secret, _| drop(secret["metadata"]["ownerReferences"].take()), false),
        ("wrong UID", |secret, _| secret["metadata"]["ownerReferences"][0]["uid"] = json!("es-2"), false),
        (
            "no UID on either side",
            |secret, it| {
                secret["metadata"]["ownerReferences"][0]["uid"] = json!("");
                it["metadata"]["uid"] = json!("");
            },
            false,
        ),
        ("wrong name", |secret, _| secret["metadata"]["ownerReferences"][0]["name"] = json!("other"), false),
        ("other namespace", |_, it| it["metadata"]["namespace"] = json!("web"), false),
        ("other target", |_, it| it["spec"]["target"]["name"] = json!("other"), false),
        (
            "owner is being deleted",
            |_, it| it["metadata"]["deletionTimestamp"] = json!("2026-11-01T00:00:00Z"),
            false,
        ),
        (
            "not the controller",
            |secret, _| secret["metadata"]["ownerReferences"][0]["controller"] = json!(false),
            false,
        ),
        (
            "another controller beside it",
            |secret, _| {
                let second = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "a", "uid": "b", "controller": true});
                secret["metadata"]["ownerReferences"].as_array_mut().unwrap().push(second);
            },
            false,
        ),
        (
            "kind of another group",
            |secret, _| secret["metadata"]["ownerReferences"][0]["apiVersion"] = json!("evil.example/v1"),
            false,
        ),
        (
            "another kind",
            |secret, _| secret["metadata"]["ownerReferences"][0]["kind"] = json!("PushSecret"),
            false,
        ),
        ("policy Merge", |_, it| it["spec"]["target"]["creationPolicy"] = json!("Merge"), false),
        ("policy Orphan", |_, it| it["spec"]["target"]["creationPolicy"] = json!("Orphan"), false),
        (
            "target of another kind",
            |_, it| it["spec"]["target"]["manifest"] = json!({"apiVersion": "v1", "kind": "ConfigMap"}),
            false,
        ),
    ];
    for (name, change, is_output) in cases {
        let (mut secret, mut it) = (secret(), external_secret("shop"));
        change(&mut secret, &mut it);
        let wanted = if is_output { (1, 0, 0) } else { (0, 1, 0) };
        assert_eq!(counted(&[secret, it]), wanted, "{name}");
    }
    assert_eq!(counted(&[secret()]), (0, 1, 0), "the owner was deleted");
    // A PushSecret, or the cluster-wide kind, of the same name and UID owns nothing.
    for kind in ["PushSecret", "ClusterExternalSecret"] {
        let mut other = external_secret("shop");
        other["kind"] = json!(kind);
        assert_eq!(counted(&[secret(), other]).0, 0, "{kind}");
    }
}

/// A key of a cloud is what it is, also in an output.
#[test]
fn output_with_cloud_key_stays_root() {
    let mut secret = secret();
    secret["stringData"] = json!({"key.json": google(&[]).to_string()});
    assert_eq!(counted(&[secret, external_secret("shop")]), (0, 0, 1));
}
