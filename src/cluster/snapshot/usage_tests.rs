use serde_json::{Value, json};

use super::*;

fn usage(users: &[Value]) -> Usage {
    let mut usage = Usage::default();
    for user in users {
        usage.add(user.to_string().as_bytes(), true).unwrap();
    }
    usage
}

fn store(namespace: &str, name: &str, labels: Value) -> Object {
    Object(json!({"metadata": {"namespace": namespace, "name": name, "labels": labels}}))
}

fn of(namespace: &str, spec: Value) -> Value {
    json!({"metadata": {"namespace": namespace, "name": "user"}, "spec": spec})
}

#[test]
fn users_are_found_by_every_reference() {
    let usage = usage(&[
        of(
            "shop",
            json!({"secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"},
            "dataFrom": [{"sourceRef": {"storeRef": {"name": "gcp", "kind": "ClusterSecretStore"}}}]}),
        ),
        of(
            "bank",
            json!({"data": [{"sourceRef": {"storeRef": {"name": "gcp", "kind": "ClusterSecretStore"}}}]}),
        ),
        of("bank", json!({"secretStoreRef": {"name": "gcp"}})),
        of("bank", json!({"secretStoreRefs": [{"name": "gcp", "kind": "SecretStore"}]})),
        json!({"metadata": {"name": "all"}, "spec": {"externalSecretSpec": {"secretStoreRef": {"name": "gcp", "kind": "SecretStore"}}}}),
        of(
            "shop",
            json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "ECRAuthorizationToken", "name": "ecr"}}}]}),
        ),
        of(
            "push",
            json!({"selector": {"generatorRef": {"kind": "ClusterGenerator", "name": "db"}, "secret": {"name": "x"}}}),
        ),
    ]);
    let cluster = usage.of_store(&store("", "gcp", json!({})), true);
    assert_eq!((cluster.count, cluster.namespaces), (2, ["bank", "shop"].map(String::from).into()));
    let namespaced = usage.of_store(&store("bank", "gcp", json!({})), false);
    assert_eq!((namespaced.count, namespaced.namespaces.len()), (3, 1));
    assert_eq!(usage.of_store(&store("shop", "gcp", json!({})), false).count, 1);
    assert_eq!(usage.of_generator("ECRAuthorizationToken", "shop", "ecr").count, 1);
    assert_eq!(usage.of_generator("ECRAuthorizationToken", "bank", "ecr").count, 0);
    assert_eq!(usage.of_generator("ClusterGenerator", "", "db").namespaces.len(), 1);
}

#[test]
fn labels_select_stores() {
    let select = |selector: Value| {
        let usage = usage(&[of(
            "push",
            json!({"secretStoreRefs": [{"kind": "ClusterSecretStore", "labelSelector": selector}]}),
        )]);
        usage.of_store(&store("", "gcp", json!({"team": "a", "tier": "1"})), true)
    };
    let one = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "team", "operator": operator, "values": values}]});
    for yes in [
        json!({}),
        json!({"matchLabels": {"team": "a"}}),
        json!({"matchLabels": {"team": "a", "tier": "1"}}),
        one("In", json!(["b", "a"])),
        one("NotIn", json!(["b"])),
        one("Exists", json!(null)),
        one("Newer", json!([])),
    ] {
        let used = select(yes.clone());
        assert_eq!((used.count, used.namespaces), (1, ["push".to_owned()].into()), "{yes}");
    }
    for no in [
        json!({"matchLabels": {"team": "b"}}),
        json!({"matchLabels": {"team": "a", "x": "y"}}),
        one("In", json!(["b"])),
        one("NotIn", json!(["a"])),
        one("DoesNotExist", json!([])),
    ] {
        assert_eq!(select(no.clone()).count, 0, "{no}");
    }
}

#[test]
fn what_is_no_user_is_refused() {
    let mut usage = Usage::default();
    for item in [
        "3",
        "null",
        "[]",
        "\"x\"",
        "{}",
        r#"{"metadata":{},"spec":3}"#,
        r#"{"metadata":{},"spec":{"secretStoreRef":"gcp"}}"#,
        r#"{"metadata":{},"spec":{"data":{}}}"#,
        r#"{"metadata":{"namespace":1}}"#,
        r#"{"metadata":{},"spec":{"dataFrom":[3]}}"#,
    ] {
        assert_eq!(usage.add(item.as_bytes(), true), None, "{item}");
    }
    assert_eq!(usage.add(br#"{"metadata":{},"spec":null}"#, true), Some(()));
    let mut read = UsersRead::new(&crate::cluster::snapshot::EXTERNAL_SECRETS, false);
    read.take(br#"{"metadata":{"name":"broken","namespace":"shop"},"spec":[]}"#);
    read.take(b"[]");
    let named: Vec<_> = read.unseen.iter().map(|unseen| unseen.what.as_str()).collect();
    assert_eq!(named, ["ExternalSecret shop/broken", "an item of externalsecrets.external-secrets.io"]);
}

#[test]
fn newest_claimed_refresh_is_kept() {
    let mut usage = Usage::default();
    for status in [
        json!({"refreshTime": "2026-11-26T10:00:00Z"}),
        json!({"refreshTime": "2026-11-26T12:00:00+01:00"}),
        json!({"refreshTime": "soon"}),
        json!({"refreshTime": 5}),
        json!({}),
        json!("ready"),
        json!(null),
    ] {
        let user = json!({
            "metadata": {"namespace": "shop", "name": "a"}, "status": status,
            "spec": {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "gcp"}},
        });
        assert_eq!(usage.add(user.to_string().as_bytes(), true), Some(()), "{user}");
    }
    let used = usage.named(Kind::ClusterStore, "", "gcp");
    assert_eq!((used.count, used.refreshed), (7, "2026-11-26T11:00:00Z".parse().ok()));
}
