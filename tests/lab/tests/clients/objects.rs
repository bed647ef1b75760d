use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lab::{Ca, Cluster, Curve, EsoStandIn, SigningKey};
use serde_json::{Value, json};

use crate::{Output, client, curl, run};

const ISSUER: &str = "https://issuer.example.com/lab";
const STORES: &str = "/apis/external-secrets.io/v1/clustersecretstores";

fn crds(version: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/crds/eso-{version}-min.yaml"));
    std::fs::read_to_string(file).unwrap()
}

fn cluster(version: &str) -> (tempfile::TempDir, Ca, Cluster) {
    let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
    let cluster = Cluster::start(&ca, 2, ISSUER, &SigningKey::ec(Curve::P256));
    cluster.load_crds(&crds(version));
    (dir, ca, cluster)
}

fn store(name: &str, provider: Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": name}, "spec": {"provider": provider}})
}

fn federated() -> Value {
    json!({"gcpsm": {"projectID": "acme-prod", "auth": {"workloadIdentityFederation": {
        "audience": "//iam.googleapis.com/x", "serviceAccountRef": {"name": "eso", "audiences": ["a"]}}}}})
}

struct Kubectl {
    config: PathBuf,
    dir: PathBuf,
}

impl Kubectl {
    fn new(dir: &Path, config: PathBuf) -> Option<Self> {
        client("kubectl").map(|_| Self { config, dir: dir.to_owned() })
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut kubectl = client("kubectl").unwrap();
        // The cache of discovery must not outlive the cluster.
        kubectl.arg("--cache-dir").arg(self.dir.join("cache")).arg("--kubeconfig").arg(&self.config);
        run(kubectl.args(args))
    }

    fn apply(&self, object: &Value, args: &[&str]) -> Output {
        let file = self.dir.join("object.json");
        std::fs::write(&file, object.to_string()).unwrap();
        self.run(&[&["apply", "--server-side", "-f", file.to_str().unwrap()], args].concat())
    }
}

#[test]
fn kubectl_applies_gets_and_deletes() {
    let (dir, _, cluster) = cluster("0.20.4");
    let Some(kubectl) = Kubectl::new(dir.path(), cluster.kubeconfig(dir.path())) else { return };

    let output = kubectl.apply(&store("gcp", federated()), &["--field-manager", "keyless"]);
    assert_eq!(output.out, "clustersecretstore.external-secrets.io/gcp serverside-applied\n", "{output}");
    let object = cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp").unwrap();
    assert_eq!(object["spec"]["provider"]["gcpsm"]["secretVersionSelectionPolicy"], "LatestOrFail");
    let manager = &object["metadata"]["managedFields"][0];
    assert_eq!((&manager["manager"], &manager["operation"]), (&json!("keyless"), &json!("Apply")));

    // The same again is nothing; another one's field is a conflict, by force it changes hands.
    let version = object["metadata"]["resourceVersion"].clone();
    assert!(kubectl.apply(&store("gcp", federated()), &["--field-manager", "keyless"]).ok);
    let again = cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp").unwrap();
    assert_eq!(again["metadata"]["resourceVersion"], version);
    let other = store("gcp", json!({"gcpsm": {"projectID": "other"}}));
    let output = kubectl.apply(&other, &["--field-manager", "argocd-controller"]);
    let words = r#"Apply failed with 1 conflict: conflict with "keyless": .spec.provider.gcpsm.projectID"#;
    assert!(!output.ok && output.err.contains(words), "{output}");
    let output = kubectl.apply(&other, &["--field-manager", "argocd-controller", "--force-conflicts"]);
    assert!(output.ok, "{output}");
    let output = kubectl.run(&["get", "css", "gcp", "-o", "jsonpath={.spec.provider.gcpsm.projectID}"]);
    assert_eq!(output.out, "other", "{output}");

    for args in [&["get", "ns"][..], &["get", "secrets", "-A"], &["get", "clustersecretstores"]] {
        assert!(kubectl.run(args).ok);
    }
    assert!(kubectl.run(&["get", "css"]).out.contains("gcp"));
    // `kubectl create namespace` would speak protobuf.
    let object =
        |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
    let output = kubectl.apply(&object("Namespace", "shop"), &[]);
    assert!(output.ok, "{output}");
    let mut secret = object("Secret", "db");
    secret["stringData"] = json!({"a": "b"});
    let output = kubectl.apply(&secret, &["-n", "shop"]);
    assert!(output.ok, "{output}");
    let secret = cluster.object("v1", "Secret", Some("shop"), "db").unwrap();
    assert_eq!((&secret["data"]["a"], &secret["type"]), (&json!("Yg=="), &json!("Opaque")));
    let output = kubectl.run(&["label", "secret", "db", "-n", "shop", "app=x"]);
    assert!(output.ok, "{output}");
    assert!(
        kubectl.run(&["get", "secret", "-n", "shop", "-l", "app=x", "-o", "name"]).out.contains("secret/db")
    );
    let output = kubectl.run(&["delete", "css", "gcp", "--wait=false"]);
    assert!(output.ok, "{output}");
    assert_eq!(cluster.objects("ClusterSecretStore"), Vec::<Value>::new());
}

#[test]
fn kubectl_reports_fields_outside_schema() {
    let (dir, _, cluster) = cluster("0.19");
    let Some(kubectl) = Kubectl::new(dir.path(), cluster.kubeconfig(dir.path())) else { return };
    let file = dir.path().join("store.json");
    std::fs::write(&file, store("gcp", federated()).to_string()).unwrap();

    let output = kubectl.run(&["create", "-f", file.to_str().unwrap()]);
    let words =
        r#"strict decoding error: unknown field "spec.provider.gcpsm.auth.workloadIdentityFederation""#;
    assert!(!output.ok && output.err.contains(words), "{output}");
    let output = kubectl.apply(&store("gcp", federated()), &[]);
    let words = "failed to create typed patch object (/gcp; external-secrets.io/v1, Kind=ClusterSecretStore): \
                 .spec.provider.gcpsm.auth.workloadIdentityFederation: field not declared in schema";
    assert!(!output.ok && output.err.contains(words), "{output}");

    let output = kubectl.run(&["create", "--validate=false", "-f", file.to_str().unwrap()]);
    assert!(output.ok, "{output}");
    let object = cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp").unwrap();
    assert_eq!(object["spec"]["provider"]["gcpsm"], json!({"projectID": "acme-prod", "auth": {}}));
    let two = store("two", json!({"gcpsm": {}, "vault": {"server": "x", "auth": {}}}));
    let output = kubectl.apply(&two, &[]);
    assert!(output.err.contains("spec.provider: Too many: 2: must have at most 1 item"), "{output}");

    cluster.load_crds(&crds("2.5"));
    let output = kubectl.apply(&store("gcp", federated()), &["--force-conflicts"]);
    assert!(output.ok, "{output}");
}

#[test]
fn each_right_can_be_taken_away() {
    let (dir, _, cluster) = cluster("0.20.4");
    cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"}, "data": {"a": "Yg=="}}));
    let Some(kubectl) = Kubectl::new(dir.path(), cluster.kubeconfig(dir.path())) else { return };
    let refused = |args: &[&str], words: &str| {
        let output = kubectl.run(args);
        assert!(!output.ok && output.err.contains(words), "{output}");
    };

    cluster.deny("admin", "list", "secrets");
    let words = r#"secrets is forbidden: User "admin" cannot list resource "secrets" in API group "" at the cluster scope"#;
    refused(&["get", "secrets", "-A"], words);
    assert!(kubectl.run(&["get", "secret", "s", "-n", "shop"]).ok);
    cluster.forgive("admin");
    cluster.deny_in("admin", "shop", "get", "secrets");
    let words = r#"secrets "s" is forbidden: User "admin" cannot get resource "secrets" in API group "" in the namespace "shop""#;
    refused(&["get", "secret", "s", "-n", "shop"], words);
    cluster.deny("admin", "create", "clustersecretstores.external-secrets.io");
    let words = r#"clustersecretstores.external-secrets.io "gcp" is forbidden: User "admin" cannot create resource "clustersecretstores" in API group "external-secrets.io" at the cluster scope"#;
    let output = kubectl.apply(&store("gcp", federated()), &[]);
    assert!(!output.ok && output.err.contains(words), "{output}");
    cluster.deny("admin", "create", "serviceaccounts/token");
    refused(&["create", "token", "default"], r#"cannot create resource "serviceaccounts/token""#);

    cluster.add_user("jane", &[]);
    cluster.allow_in("jane", "shop", "list", "secrets");
    let jane = Kubectl::new(dir.path(), cluster.kubeconfig_as(dir.path(), "jane")).unwrap();
    assert!(jane.run(&["get", "secrets", "-n", "shop"]).ok);
    let output = jane.run(&["get", "secrets", "-n", "default"]);
    assert!(output.err.contains(r#"User "jane" cannot list resource "secrets""#), "{output}");
    let review = |namespace: &str| {
        let attributes = json!({"verb": "list", "resource": "secrets", "namespace": namespace});
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}});
        std::fs::write(dir.path().join("review.json"), review.to_string()).unwrap();
        let raw = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let file = dir.path().join("review.json");
        let output = jane.run(&["create", "--raw", raw, "-f", file.to_str().unwrap()]);
        serde_json::from_str::<Value>(&output.out).unwrap()["status"]["allowed"].clone()
    };
    assert_eq!((review("shop"), review("default")), (json!(true), json!(false)));
}

/// A review says what the request itself meets, for rights of every origin.
#[test]
fn reviews_answer_as_requests_do() {
    let (dir, ca, cluster) = cluster("0.20.4");
    let ca_file = ca.write(dir.path());
    let Some(_) = curl(&ca_file) else { return };
    let rbac = "rbac.authorization.k8s.io";
    cluster.add_user("jane", &[lab::Right::Jwks, lab::Right::EndpointSlices]);
    cluster.allow_in("jane", "shop", "list", "secrets");
    cluster.allow("jane", "list", "pods");
    cluster.deny_in("jane", "shop", "list", "pods");
    cluster.put_object(
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": "it"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["get"]},
            {"nonResourceURLs": ["/version"], "verbs": ["get"]}]}),
    );
    cluster.put_object(
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "it"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "it"},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": "jane"}]}),
    );
    let bearer = format!("Authorization: Bearer {}", cluster.token_of("jane"));
    let ask = |path: &str, body: Option<Value>| {
        let mut curl = curl(&ca_file).unwrap();
        let url = format!("{}{path}", cluster.server(1).url());
        curl.args(["-H", &bearer, "-H", "Content-Type: application/json", &url]);
        if let Some(body) = body {
            curl.args(["--data-binary", &body.to_string()]);
        }
        let output = run(&mut curl).out;
        let (head, body) = output.split_once("\r\n\r\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str::<Value>(body).unwrap_or_default())
    };
    let review = |spec: Value| {
        let body =
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec});
        ask("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Some(body))
    };
    let of = |verb: &str, group: &str, resource: &str, namespace: &str, name: &str| json!({"resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name}});
    let path = |path: &str| json!({"nonResourceAttributes": {"verb": "get", "path": path}});
    let slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    for (spec, request, allowed) in [
        (of("list", "", "secrets", "shop", ""), "/api/v1/namespaces/shop/secrets", true),
        (of("list", "", "secrets", "", ""), "/api/v1/secrets", false),
        (of("list", "", "pods", "", ""), "/api/v1/pods", false),
        (of("list", "", "pods", "default", ""), "/api/v1/namespaces/default/pods", true),
        (of("get", "", "configmaps", "shop", "a"), "/api/v1/namespaces/shop/configmaps/a", true),
        (of("get", "", "configmaps", "shop", ""), "/api/v1/namespaces/shop/configmaps/b", false),
        (of("get", "discovery.k8s.io", "endpointslices", "default", "kubernetes"), slice, true),
        (path("/openid/v1/jwks"), "/openid/v1/jwks", true),
        (path("/version"), "/version", true),
        (path("/.well-known/openid-configuration"), "/.well-known/openid-configuration", false),
        (path("/apis"), "/apis", true),
        (path("/metrics"), "/metrics", false),
    ] {
        let (status, answer) = review(spec.clone());
        assert_eq!((status, &answer["status"]["allowed"]), (201, &json!(allowed)), "{spec}");
        assert_eq!(ask(request, None).0 != 403, allowed, "{request}");
    }
    let both = json!({"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"verb": "get"}});
    for spec in [both, json!({})] {
        let (status, answer) = review(spec);
        assert_eq!((status, &answer["reason"]), (422, &json!("Invalid")), "{answer}");
    }
}

#[test]
fn curl_sees_pages_versions_and_preconditions() {
    let (dir, ca, cluster) = cluster("0.20.4");
    let ca_file = ca.write(dir.path());
    let Some(_) = curl(&ca_file) else { return };
    let bearer = format!("Authorization: Bearer {}", cluster.token_of("admin"));
    let ask = |method: &str, path: &str, kind: &str, body: Option<Value>| {
        let url = format!("{}{path}", cluster.server(1).url());
        let mut curl = curl(&ca_file).unwrap();
        curl.args(["-X", method, "-H", &bearer, "-H", &format!("Content-Type: {kind}"), &url]);
        if let Some(body) = body {
            curl.args(["--data-binary", &body.to_string()]);
        }
        let output = run(&mut curl).out;
        let (head, body) = output.split_once("\r\n\r\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str::<Value>(body).unwrap_or_default(), head.to_owned())
    };
    let json = "application/json";
    for name in ["a", "b", "c"] {
        let (status, ..) = ask("POST", STORES, json, Some(store(name, federated())));
        assert_eq!(status, 201);
    }
    let (_, first, _) = ask("GET", &format!("{STORES}?limit=2"), json, None);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    assert_eq!(first["kind"], "ClusterSecretStoreList");
    let next = first["metadata"]["continue"].as_str().unwrap();
    let (_, second, _) = ask("GET", &format!("{STORES}?limit=2&continue={next}"), json, None);
    assert_eq!(second["items"][0]["metadata"]["name"], "c");
    let (_, one, _) = ask("GET", &format!("{STORES}?fieldSelector=metadata.name%3Db"), json, None);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);

    let (_, mut a, _) = ask("GET", &format!("{STORES}/a"), json, None);
    a["spec"]["controller"] = json!("x");
    let (status, changed, _) = ask("PUT", &format!("{STORES}/a"), json, Some(a.clone()));
    assert_eq!((status, &changed["metadata"]["generation"]), (200, &json!(2)));
    let (status, conflict, _) = ask("PUT", &format!("{STORES}/a"), json, Some(a));
    assert_eq!((status, &conflict["reason"]), (409, &json!("Conflict")));
    assert!(conflict["message"].as_str().unwrap().contains("the object has been modified"));
    let (status, exists, _) = ask("POST", STORES, json, Some(store("a", federated())));
    let words = r#"clustersecretstores.external-secrets.io "a" already exists"#;
    assert_eq!((status, &exists["message"]), (409, &json!(words)));

    let warned = format!("{STORES}?fieldValidation=Warn");
    let (status, _, head) = ask("POST", &warned, json, Some(store("w", json!({"gcpsm": {"x": 1}}))));
    assert!(status == 201 && head.contains(r#"299 - "unknown field \"spec.provider.gcpsm.x\"""#), "{head}");

    let apply = format!("{STORES}/d?fieldManager=keyless&dryRun=All");
    let (status, ..) = ask("PATCH", &apply, "application/apply-patch+yaml", Some(store("d", federated())));
    assert_eq!(
        (status, cluster.object("external-secrets.io/v1", "ClusterSecretStore", None, "d")),
        (201, None)
    );
    let status_path = format!("{STORES}/a/status");
    let ready =
        json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"controller": "y"}});
    let (_, after, _) = ask("PATCH", &status_path, "application/merge-patch+json", Some(ready));
    assert_eq!(after["status"]["conditions"][0]["type"], "Ready");
    assert_eq!((&after["spec"]["controller"], &after["metadata"]["generation"]), (&json!("x"), &json!(2)));

    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "x"}});
    let (status, reply, _) = ask("DELETE", &format!("{STORES}/a"), json, Some(options));
    assert!(status == 409 && reply["message"].as_str().unwrap().contains("the UID in the precondition (x)"));
    assert_eq!(ask("DELETE", &format!("{STORES}/a"), json, None).0, 200);
    let crd =
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/clustersecretstores.external-secrets.io";
    assert_eq!(ask("DELETE", crd, json, None).0, 200);
    assert_eq!(ask("GET", STORES, json, None).0, 404);
}

#[test]
fn eso_stand_in_writes_like_eso() {
    let (dir, _, cluster) = cluster("0.20.4");
    let value = Arc::new(Mutex::new(Ok(r#"{"password":"one"}"#.to_owned())));
    let answer = value.clone();
    let eso = EsoStandIn::start(&cluster, move |store, key| {
        assert_eq!(store["spec"]["provider"]["gcpsm"]["projectID"], "acme-prod");
        assert!(key.is_empty() || key == "db");
        answer.lock().unwrap().clone().map(String::into_bytes)
    });
    let mut gcp = store("gcp", federated());
    gcp["spec"]["conditions"] = json!([{"namespaces": ["shop"]}]);
    cluster.put_object(gcp.clone());
    let external = |namespace: &str| {
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "db", "namespace": namespace}, "spec": {"refreshInterval": "50ms",
                "secretStoreRef": {"kind": "ClusterSecretStore", "name": "gcp"},
                "data": [{"secretKey": "pw", "remoteRef": {"key": "db", "property": "password"}}]}})
    };
    cluster.put_object(external("shop"));
    cluster.put_object(external("other"));
    let ready = |kind: &str, namespace: Option<&str>, name: &str| {
        let object = cluster.object("external-secrets.io/v1", kind, namespace, name).unwrap_or_default();
        let condition = &object["status"]["conditions"][0];
        format!("{} {}", condition["status"], condition["reason"]).replace('"', "")
    };
    let becomes = |what: &dyn Fn() -> String, wanted: &str| {
        let end = Instant::now() + Duration::from_secs(10);
        while what() != wanted {
            assert!(Instant::now() < end, "{} instead of {wanted}", what());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    becomes(&|| ready("ClusterSecretStore", None, "gcp"), "True Valid");
    becomes(&|| ready("ExternalSecret", Some("shop"), "db"), "True SecretSynced");
    becomes(&|| ready("ExternalSecret", Some("other"), "db"), "False SecretSyncedError");
    let secret = || cluster.object("v1", "Secret", Some("shop"), "db").unwrap();
    assert_eq!(secret()["data"], json!({"pw": "b25l"}));
    assert_eq!(secret()["metadata"]["ownerReferences"][0]["kind"], "ExternalSecret");
    let manager = &secret()["metadata"]["managedFields"][0];
    assert_eq!(manager["manager"], "externalsecrets.external-secrets.io/db");
    assert!(manager["fieldsV1"]["f:data"].get("f:pw").is_some(), "{manager}");

    *value.lock().unwrap() = Ok(r#"{"password":"two"}"#.to_owned());
    becomes(&|| secret()["data"].to_string(), r#"{"pw":"dHdv"}"#);
    assert!(cluster.remove_object("v1", "Secret", Some("shop"), "db"));
    becomes(&|| cluster.object("v1", "Secret", Some("shop"), "db").is_some().to_string(), "true");
    *value.lock().unwrap() = Err("no".into());
    becomes(&|| ready("ExternalSecret", Some("shop"), "db"), "False SecretSyncedError");
    gcp["spec"]["controller"] = json!("");
    cluster.put_object(gcp);
    becomes(&|| ready("ClusterSecretStore", None, "gcp"), "False InvalidProviderConfig");
    assert!(eso.exchanges() > 3);
    if let Some(kubectl) = Kubectl::new(dir.path(), cluster.kubeconfig(dir.path())) {
        let output = kubectl.run(&["get", "es", "-n", "shop", "db", "-o", "jsonpath={.status.binding.name}"]);
        assert_eq!(output.out, "db", "{output}");
    }
}
