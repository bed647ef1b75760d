//! The objects of a world.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{At, Needs, Place, Pod, Way, WayTruth};
use crate::cluster::objects::Object;

pub(super) const HOME: &str = "external-secrets";
pub(super) const TEAM: &str = "shop";

pub(super) fn is_generator(way: &Way) -> bool {
    way.kind.starts_with(|c: char| c.is_ascii_uppercase())
}

pub(super) fn applies(way: &Way, place: &Place) -> bool {
    match place.needs {
        Some(Needs::Address) => way.address.is_some(),
        Some(Needs::Headers) => way.headers,
        Some(Needs::Store) => !is_generator(way),
        None => true,
    }
}

pub(super) fn google_key() -> String {
    json!({"type": "service_account", "project_id": "acme-prod", "private_key_id": "0123456789abcdef",
        "private_key": "-----BEGIN PRIVATE KEY-----\nCANARY-PRIVATE-HALF\n", "client_email": "eso@acme-prod.iam.gserviceaccount.com"})
    .to_string()
}

pub(super) fn account(source: Value) -> String {
    json!({"type": "external_account", "audience": "a", "credential_source": source}).to_string()
}

pub(super) fn holder(kind: &str, namespace: &str, name: &str, values: &BTreeMap<String, String>) -> Object {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let data: BTreeMap<_, _> = values
        .iter()
        .map(|(key, value)| (key, if kind == "Secret" { STANDARD.encode(value) } else { value.clone() }))
        .collect();
    Object(
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "data": data}),
    )
}

pub(super) fn values(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The keys that these settings name of the Secret `cred`.
pub(super) fn keys_of_cred(settings: &Value, keys: &mut BTreeMap<String, String>) {
    match settings {
        Value::Object(members) if members.get("name").is_some_and(|name| name == "cred") => {
            let key = members.get("key").and_then(Value::as_str).unwrap_or("value");
            keys.insert(key.to_owned(), format!("CANARY-PRIVATE-HALF-{key}"));
        }
        Value::Object(members) => members.values().for_each(|value| keys_of_cred(value, keys)),
        Value::Array(items) => items.iter().for_each(|item| keys_of_cred(item, keys)),
        _ => {}
    }
}

pub(super) fn set(settings: &mut Value, path: &str, value: Value) {
    let mut at = settings;
    for step in path.split('.') {
        at = &mut at[step];
    }
    *at = value;
}

/// The store or generator, changed by the places that are within it.
pub(super) fn principal(way: &Way, places: &[&Place]) -> Vec<Object> {
    let (mut settings, mut spec) = (way.settings.clone(), json!({}));
    let within = if way.kind == "VaultDynamicSecret" { "provider." } else { "" };
    for place in places.iter().filter(|place| place.at == At::Login) {
        let address = |text: &str| {
            let path = way.address.as_deref().unwrap();
            (path.to_owned(), json!(text))
        };
        let header = |name: &str, value: &str| (format!("{within}headers"), json!({ name: value }));
        let (path, value) = match place.name.as_str() {
            "member-beside-the-login" => (format!("{within}brandnew"), json!("CANARY-PRIVATE-HALF")),
            "member-within-auth" => (format!("{within}auth"), {
                let auth = if within.is_empty() { &settings["auth"] } else { &settings["provider"]["auth"] };
                let mut auth = if auth.is_object() { auth.clone() } else { json!({}) };
                auth["brandnew"] = json!({"token": "CANARY-PRIVATE-HALF"});
                auth
            }),
            "address-with-user" => address("https://u:CANARY-PRIVATE-HALF@a.example"),
            "address-with-query" => address("https://a.example/?key=CANARY-PRIVATE-HALF"),
            "address-with-path" => address("https://a.example/T00/B00/CANARY-PRIVATE-HALF"),
            "address-with-fragment" => address("https://a.example/#CANARY-PRIVATE-HALF"),
            "header-that-logs-in" => header("X-Vault-Token", "CANARY-PRIVATE-HALF"),
            "header-of-another-name" => header("X-Acme", "CANARY-PRIVATE-HALF"),
            "header-of-a-harmless-name" => header("Content-Type", "application/json"),
            "second-provider" => {
                spec["provider"]["other"] = json!({"token": "CANARY-PRIVATE-HALF"});
                continue;
            }
            "member-beside-the-provider" => {
                spec["brandnew"] = json!("CANARY-PRIVATE-HALF");
                continue;
            }
            "class-that-nothing-serves" if is_generator(way) => ("controller".to_owned(), json!("blue")),
            "class-that-nothing-serves" => {
                spec["controller"] = json!("blue");
                continue;
            }
            other => panic!("{other} is not known"),
        };
        set(&mut settings, &path, value);
    }
    let mut keys = BTreeMap::new();
    keys_of_cred(&settings, &mut keys);
    let namespace = if is_generator(way) { TEAM } else { HOME };
    let mut found = vec![if is_generator(way) {
        Object(json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": way.kind,
            "metadata": {"name": "it", "namespace": namespace}, "spec": settings}))
    } else {
        spec["provider"][&way.kind] = settings;
        Object(
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "it"}, "spec": spec}),
        )
    }];
    if !keys.is_empty() {
        found.push(holder("Secret", namespace, "cred", &keys));
    }
    if way.truth == WayTruth::Account {
        let file = account(json!({"file": "/tokens/token"}));
        found.push(holder("ConfigMap", namespace, "account", &values(&[("account.json", &file)])));
    }
    found
}

pub(super) fn workload(kind: &str, name: &str, pod: &Pod) -> Object {
    // The file by which some ways log in.
    let mut mounts = vec![json!({"name": "tokens", "mountPath": "/tokens"})];
    let mut volumes = vec![
        json!({"name": "tokens", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}),
    ];
    mounts.extend(pod.mounts.iter().cloned());
    volumes.extend(pod.volumes.iter().cloned());
    let spec = json!({"serviceAccountName": "external-secrets", "volumes": volumes, "initContainers": pod.init_containers,
        "containers": [{"name": "external-secrets", "image": "ghcr.io/external-secrets/external-secrets:v2.9.0",
            "env": pod.env, "envFrom": pod.env_from, "volumeMounts": mounts}]});
    let metadata = json!({"name": name, "namespace": HOME});
    Object(match kind {
        "Pod" => json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}),
        _ => {
            json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": {"spec": spec}}})
        }
    })
}

/// What the controller's pod can take things from.
pub(super) fn of_the_pod() -> Vec<Object> {
    let account_file = account(json!({"file": "/var/run/account/token"}));
    let program = account(json!({"executable": {"command": "/bin/login"}}));
    let profile =
        "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = CANARY-PRIVATE-HALF\n";
    let key = google_key();
    vec![
        // The key is in it only where something looks for it: a Secret with a key would be counted by itself.
        holder(
            "ConfigMap",
            HOME,
            "pod",
            &values(&[
                ("opaque", "CANARY-PRIVATE-HALF"),
                ("key.json", &key),
                ("account.json", &account_file),
                ("program.json", &program),
            ]),
        ),
        holder("ConfigMap", HOME, "plain", &values(&[("LOG_LEVEL", "debug"), ("AWS_REGION", "r")])),
        holder("Secret", HOME, "environment", &values(&[("AWS_SECRET_ACCESS_KEY", "CANARY-PRIVATE-HALF")])),
        holder(
            "Secret",
            HOME,
            "pod",
            &values(&[("opaque", "CANARY-PRIVATE-HALF"), ("token", "CANARY-PRIVATE-HALF")]),
        ),
        holder("Secret", HOME, "pod-with-keys", &values(&[("key.json", &key), ("credentials", profile)])),
    ]
}

/// Everything in the cluster, and whether a list of it was refused.
pub(super) fn world(way: &Way, places: &[&Place], beside: &[Object]) -> (Vec<Object>, bool) {
    let mut all = principal(way, places);
    let mut pod = Pod::default();
    let mut refused = false;
    let mut controller = true;
    for place in places {
        if place.at == At::Pod {
            let more = place.pod.clone();
            // Two places may call their volumes by the same name.
            let renamed = |mut value: Value| {
                value["name"] = json!(format!("{}-{}", place.name, value["name"].as_str().unwrap()));
                value
            };
            pod.env.extend(more.env);
            pod.env_from.extend(more.env_from);
            pod.mounts.extend(more.mounts.into_iter().map(renamed));
            pod.volumes.extend(more.volumes.into_iter().map(renamed));
            pod.init_containers.extend(more.init_containers.into_iter().map(|mut container| {
                for mount in container["volumeMounts"].as_array_mut().into_iter().flatten() {
                    *mount = renamed(mount.clone());
                }
                container
            }));
        }
        let key = google_key();
        let with_key = Pod {
            env: vec![json!({"name": "AWS_SECRET_ACCESS_KEY", "value": "CANARY-PRIVATE-HALF"})],
            ..Pod::default()
        };
        match place.name.as_str() {
            "key-in-a-secret-beside" => all.push(holder("Secret", HOME, "old", &values(&[("key.json", &key)]))),
            "other-secret-beside" => all.push(holder("Secret", HOME, "other", &values(&[("password", "hunter2")]))),
            "key-that-setup-replaced" => all.push(Object(json!({
                "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
                "metadata": {"name": "moved", "annotations": {"keyless/replaces": "external-secrets/gone/key.json",
                    "keyless/replaced-key": "projects/p/serviceAccounts/a@b/keys/0a1b"}},
                "spec": {"provider": {"gcpsm": {"auth": {"workloadIdentity": {"serviceAccountRef": {"name": "a", "namespace": "b"}}}}}},
            }))),
            "note-of-a-replaced-token" => {
                let note = json!({"credentials": [{"identity": {"kind": "by-hand", "shown": "a Vault token"}, "places": []}]});
                let mut map = holder("ConfigMap", "keyless-system", "note", &values(&[("state", &note.to_string())]));
                map.0["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "keyless"});
                all.push(map);
            }
            "list-refused" => refused = true,
            "object-of-a-new-kind" => {}
            "no-controller" => controller = false,
            "second-controller-with-a-key" => all.push(workload("StatefulSet", "second", &with_key)),
            "second-controller-without" => all.push(workload("DaemonSet", "second", &Pod::default())),
            "pod-with-an-injected-key" => all.push(workload("Pod", "external-secrets-6d5f8-x2x4k", &with_key)),
            _ => {}
        }
    }
    if controller {
        all.push(workload("Deployment", "external-secrets", &pod));
    }
    all.extend(beside.iter().cloned());
    (all, refused)
}
