use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    audit::judge,
    cluster::{
        objects::Object,
        snapshot::{Preflight, Store},
    },
};

fn store(name: &str, auth: &Value, status: &Value) -> Store {
    Store(Object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": { "name": name },
        "spec": { "provider": { "gcpsm": { "projectID": "p", "auth": auth } } }, "status": status,
    })))
}

fn tokens() -> Value {
    json!({"workloadIdentityFederation": {"audience": "a", "serviceAccountRef": {"name": "r", "namespace": "n"}}})
}

#[test]
fn every_store_tells_its_login() {
    let key = json!({"secretRef": {"secretAccessKeySecretRef": {"name": "k", "key": "k", "namespace": "n"}}});
    let ready = json!({"conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T09:00:00+01:00"}]});
    let mut inventory = Inventory::default();
    inventory.stores = vec![
        store("b", &key, &ready),
        store("a", &tokens(), &json!({"conditions": "ready, of course"})),
        store("c", &json!({"somethingNew": {}}), &json!(5)),
    ];
    let evidence = judge(&inventory).to_json()["evidence"].take();
    let told: Vec<_> = evidence["logins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["object"].as_str().unwrap(), it["login"].as_str().unwrap(), it["claimed"].clone()))
        .collect();
    let none = json!({"ready": null, "readySince": null, "refreshedAt": null, "users": 0});
    let claimed =
        json!({"ready": true, "readySince": "2026-11-01T08:00:00Z", "refreshedAt": null, "users": 0});
    assert_eq!(
        told,
        [
            ("ClusterSecretStore a", "tokens of a ServiceAccount", none.clone()),
            ("ClusterSecretStore b", "a stored credential", claimed),
            ("ClusterSecretStore c", "it is not known", none),
        ]
    );
}

/// Whatever is claimed, denied or not answered: the verdict comes from what was looked at.
#[test]
fn record_decides_nothing() {
    let mut plain = Inventory::default();
    plain.installed = true;
    let preflight = Preflight {
        granted: BTreeSet::from(["list pods".to_owned()]),
        missing: BTreeSet::from(["list secrets".to_owned()]),
        unanswered: (0..7).map(|right| format!("get right{right}")).collect(),
    };
    let facts = Facts {
        user: Some(User { name: "system:admin".into(), groups: Vec::new() }),
        user_unknown: None,
        version: Some("v1.34.1".into()),
        lists: Vec::new(),
    };
    let mut full = plain.clone();
    (full.preflight, full.facts) = (preflight, facts);
    let (one, other) = (judge(&plain), judge(&full));
    assert_eq!((one.outcome(), one.headline()), (other.outcome(), other.headline()));
    let evidence = other.to_json()["evidence"].take();
    assert_eq!(
        evidence["rights"],
        json!({"granted": ["list pods"], "denied": ["list secrets"], "unanswered": 7})
    );
    assert_eq!(evidence["user"]["name"], "system:admin");
    // What is not known is null, and no word.
    let evidence = one.to_json()["evidence"].take();
    for member in ["startedAt", "clusterUid", "serverVersion", "user"] {
        assert_eq!(evidence[member], Value::Null, "{member}");
    }
}
