//! An API server of a cluster with very many objects, made up page by page.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ca::Ca;
use crate::crowd_releases::release;
use crate::crowd_secrets::secret;
use crate::wire::{Faults, Handler, Reply, Request, Server};

/// How many objects of each kind there are
#[derive(Clone, Copy, Debug, Default)]
pub struct CrowdSize {
    /// ExternalSecrets, spread over the namespaces of the stores
    pub external_secrets: usize,
    /// SecretStores, each in a namespace of its own
    pub stores: usize,
    /// Deployments; the first is the operator's
    pub deployments: usize,
    /// Pods, none of them the operator's
    pub pods: usize,
    /// Secrets, none of which holds a long-lived credential of a known kind; about 4 KB each
    pub secrets: usize,
    /// How many of the Secrets are releases of Helm, a megabyte each once unpacked; they come first
    pub releases: usize,
}

/// A cluster that External Secrets Operator serves, for measuring how a program reads it.
///
/// Faithful: `/version`, the groups, the definitions and their absence, lists in pages with `limit` and
/// `continue`, objects as large as real ones (status, `managedFields`, what kubectl applied).
/// Not faithful: it is read only, knows no users, no selectors and no watch, and objects of a kind differ in their names alone, or
/// in little more.
pub struct Crowd {
    ca: Ca,
    server: Server,
    faults: Faults,
}

struct Site(CrowdSize);

/// Plural, kind, version
type Kind = (&'static str, &'static str, &'static str);

const WORKLOADS: [Kind; 4] = [
    ("daemonsets", "DaemonSet", "v1"),
    ("deployments", "Deployment", "v1"),
    ("replicasets", "ReplicaSet", "v1"),
    ("statefulsets", "StatefulSet", "v1"),
];
const KINDS: [Kind; 6] = [
    ("clusterexternalsecrets", "ClusterExternalSecret", "v1"),
    ("clusterpushsecrets", "ClusterPushSecret", "v1alpha1"),
    ("clustersecretstores", "ClusterSecretStore", "v1"),
    ("externalsecrets", "ExternalSecret", "v1"),
    ("pushsecrets", "PushSecret", "v1alpha1"),
    ("secretstores", "SecretStore", "v1"),
];

impl Crowd {
    /// Start the server
    pub fn start(ca: &Ca, size: CrowdSize) -> Self {
        let faults = Faults::default();
        let tls = ca.certificate(&["127.0.0.1", "kubernetes.default.svc"]).server_config();
        Self {
            ca: ca.clone(),
            server: Server::start(Some(tls), Arc::new(Site(size)), faults.clone()),
            faults,
        }
    }

    /// Its address
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Write a kubeconfig for it into `dir`
    pub fn kubeconfig(&self, dir: &Path) -> PathBuf {
        let ca = STANDARD.encode(self.ca.pem());
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: crowd\n\
             clusters:\n- name: lab\n  cluster:\n    server: https://{}\n    certificate-authority-data: {ca}\n\
             users:\n- name: crowd\n  user: {{token: crowd}}\n\
             contexts:\n- name: crowd\n  context: {{cluster: lab, user: crowd}}\n",
            self.addr()
        );
        let path = dir.join("crowd.kubeconfig");
        fs::write(&path, text).expect("write a kubeconfig");
        path
    }
}

impl Handler for Site {
    fn handle(&self, request: &Request) -> Reply {
        let steps: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match steps.as_slice() {
            ["version"] => Reply::json(200, &json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3"})),
            ["api"] => Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
            ["api", "v1"] => Reply::json(200, &resources("", "v1", &[("secrets", "Secret", "v1")])),
            ["apis"] => Reply::json(200, &groups()),
            ["apis", "external-secrets.io", version] => {
                let kinds = KINDS.iter().filter(|(_, _, of)| of == version);
                Reply::json(200, &resources("external-secrets.io", version, kinds))
            }
            ["apis", "apps", version] => Reply::json(200, &resources("apps", version, &WORKLOADS)),
            ["api", "v1", "namespaces", name @ "kube-system"] => Reply::json(
                200,
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, "", 0)}),
            ),
            ["apis", "apiextensions.k8s.io", "v1", "customresourcedefinitions", name] => definition(name),
            ["apis", _, version, plural] => self.list(request, version, plural),
            ["api", version, plural] => self.list(request, version, plural),
            ["api", version, "namespaces", namespace, plural] => {
                self.of_namespace(version, namespace, plural)
            }
            [.., plural, name] => not_found(plural, name),
            _ => Reply::new(404, "text/plain; charset=utf-8", "404 page not found\n"),
        }
    }
}

impl Site {
    fn list(&self, request: &Request, version: &str, plural: &str) -> Reply {
        let (count, kind): (usize, &str) = match plural {
            "externalsecrets" => (self.0.external_secrets, "ExternalSecret"),
            "secretstores" => (self.0.stores, "SecretStore"),
            "deployments" => (self.0.deployments, "Deployment"),
            "pods" => (self.0.pods, "Pod"),
            "secrets" => (self.0.secrets, "Secret"),
            other => (0, other),
        };
        let number = |name: &str| request.query(name).and_then(|text| text.parse::<usize>().ok());
        let (from, limit) = (number("continue").unwrap_or(0), number("limit").unwrap_or(usize::MAX));
        let to = count.min(from.saturating_add(limit));
        let mut metadata = json!({"resourceVersion": "1"});
        if to < count {
            metadata["continue"] = json!(to.to_string());
            metadata["remainingItemCount"] = json!(count - to);
        }
        // As text, so that nothing but the items of this page is held.
        let items = (from..to).map(|number| match plural {
            "secrets" if number < self.0.releases => release(number),
            "secrets" => secret(number),
            "externalsecrets" => external_secret(number, number % self.0.stores.max(1)).to_string(),
            "secretstores" => store(number).to_string(),
            "deployments" => workload(number, "Deployment").to_string(),
            _ => workload(number, "Pod").to_string(),
        });
        let items: Vec<String> = items.collect();
        let body = format!(
            "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":{metadata},\"items\":[{}]}}",
            items.join(",")
        );
        Reply::new(200, "application/json", body)
    }

    fn of_namespace(&self, version: &str, namespace: &str, plural: &str) -> Reply {
        let items = match plural {
            "secrets" => vec![
                json!({"metadata": metadata("db", namespace, 0), "type": "Opaque", "data": {"password": "aHVudGVyMg=="}}),
            ],
            _ => Vec::new(),
        };
        Reply::json(
            200,
            &json!({"kind": "SecretList", "apiVersion": version, "metadata": {}, "items": items}),
        )
    }
}

fn groups() -> Value {
    let group = |name: &str, versions: &[&str]| {
        let versions: Vec<_> = versions
            .iter()
            .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
            .collect();
        json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
    };
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [
        group("apps", &["v1"]), group("apiextensions.k8s.io", &["v1"]), group("external-secrets.io", &["v1", "v1alpha1"])]})
}

fn resources<'k>(group: &str, version: &str, kinds: impl IntoIterator<Item = &'k Kind>) -> Value {
    let kinds = kinds.into_iter().map(|(plural, kind, _)| {
        json!({"name": plural, "kind": kind, "namespaced": !kind.starts_with("Cluster"), "singularName": "", "verbs": ["list"]})
    });
    let group_version = format!("{group}/{version}");
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version.trim_start_matches('/'),
        "resources": kinds.collect::<Vec<_>>()})
}

fn definition(name: &str) -> Reply {
    let known = KINDS.iter().find(|(plural, ..)| format!("{plural}.external-secrets.io") == name);
    let Some((plural, kind, version)) = known else { return not_found("customresourcedefinitions", name) };
    Reply::json(
        200,
        &json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
            "spec": {"group": "external-secrets.io", "names": {"plural": plural, "kind": kind},
                "versions": [{"name": version, "served": true, "storage": true}]}}),
    )
}

fn not_found(plural: &str, name: &str) -> Reply {
    Reply::json(
        404,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "NotFound",
            "message": format!("{plural} \"{name}\" not found"), "details": {"name": name, "kind": plural}, "code": 404}),
    )
}

fn metadata(name: &str, namespace: &str, number: usize) -> Value {
    let fields = json!({"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}},
        "f:labels": {".": {}, "f:app.kubernetes.io/instance": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/part-of": {}}},
        "f:spec": {".": {}, "f:data": {}, "f:refreshInterval": {}, "f:secretStoreRef": {".": {}, "f:kind": {}, "f:name": {}},
            "f:target": {".": {}, "f:creationPolicy": {}, "f:deletionPolicy": {}, "f:name": {}}}});
    json!({
        "name": name, "namespace": namespace, "uid": format!("11111111-2222-4333-8444-{number:012}"),
        "resourceVersion": format!("{}", 1_000_000 + number), "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"annotations\":{},\"name\":\"x\",\"namespace\":\"y\"},\"spec\":{\"a\":\"\\\"quoted\\\"\",\"b\":[1,2,3]}}\n"},
        "managedFields": [
            {"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "manager": "kubectl-client-side-apply", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
            {"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {".": {}, "f:binding": {".": {}, "f:name": {}}, "f:conditions": {}, "f:refreshTime": {}, "f:syncedResourceVersion": {}}},
             "manager": "external-secrets", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:00:00Z"},
        ],
    })
}

fn external_secret(number: usize, store: usize) -> Value {
    let entry = |name: &str| {
        json!({"secretKey": name, "remoteRef": {"key": format!("shop-{number}"), "property": name,
            "conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}})
    };
    json!({
        "metadata": metadata(&format!("es-{number}"), &format!("team-{store}"), number),
        "spec": {"refreshInterval": "1h", "secretStoreRef": {"name": "gcp", "kind": "SecretStore"},
            "target": {"name": format!("es-{number}"), "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": [entry("username"), entry("password"), entry("host")]},
        "status": {"binding": {"name": format!("es-{number}")}, "refreshTime": "2026-01-01T00:00:00Z",
            "syncedResourceVersion": "1-abcdef0123456789", "conditions": [
            {"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    })
}

fn store(number: usize) -> Value {
    json!({
        "metadata": metadata("gcp", &format!("team-{number}"), number),
        "spec": {"provider": {"gcpsm": {"projectID": "acme-prod", "auth": {"workloadIdentityFederation": {
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c",
            "serviceAccountRef": {"name": "eso", "audiences": ["https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c"]}}}}}},
        "status": {"capabilities": "ReadWrite", "conditions": [
            {"type": "Ready", "status": "True", "reason": "Valid", "message": "store validated", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    })
}

/// A Deployment or a pod of an application; the first Deployment is the operator
fn workload(number: usize, kind: &str) -> Value {
    let is_operator = number == 0 && kind == "Deployment";
    let (name, image) = match is_operator {
        true => {
            ("external-secrets".to_owned(), "ghcr.io/external-secrets/external-secrets:v2.9.0".to_owned())
        }
        false => (
            format!("app-{number}"),
            format!("registry.acme.example/shop/app-{number}:1.2.3@sha256:{number:064}"),
        ),
    };
    let env: Vec<_> = (0..8)
        .map(|at| match at % 2 {
            0 => json!({"name": format!("SETTING_{at}"), "value": "https://service.shop.svc.cluster.local:8443/api"}),
            _ => json!({"name": format!("SETTING_{at}"), "valueFrom": {"secretKeyRef": {"name": format!("es-{number}"), "key": "password"}}}),
        })
        .collect();
    let container = json!({"name": "app", "image": image, "imagePullPolicy": "IfNotPresent",
        "env": if is_operator { Vec::new() } else { env },
        "args": ["--listen=:8443", "--log-level=info"], "ports": [{"containerPort": 8443, "name": "https", "protocol": "TCP"}],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "https", "scheme": "HTTPS"}, "periodSeconds": 10},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"});
    let pod = json!({"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": true}, "serviceAccountName": "app", "terminationGracePeriodSeconds": 30});
    let namespace =
        if is_operator { "external-secrets".to_owned() } else { format!("team-{}", number % 500) };
    let status = json!({"availableReplicas": 2, "conditions": [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability.", "lastUpdateTime": "2026-01-01T00:00:00Z"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "ReplicaSet has successfully progressed.", "lastUpdateTime": "2026-01-01T00:00:00Z"}],
        "observedGeneration": 3, "readyReplicas": 2, "replicas": 2, "updatedReplicas": 2});
    let spec = match kind {
        "Pod" => pod,
        _ => {
            json!({"replicas": 2, "selector": {"matchLabels": {"app": name}}, "strategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod}})
        }
    };
    json!({"metadata": metadata(&name, &namespace, number), "spec": spec, "status": status})
}
