//! Which kinds the cluster knows: the built-in ones, and those of the CustomResourceDefinitions.

use serde_json::{Map, Value, json};

/// One resource in one version
#[derive(Clone)]
pub(crate) struct Kind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) namespaced: bool,
    /// It has the subresource `status`
    pub(crate) status: bool,
    /// `metadata.generation` counts its changes
    pub(crate) generation: bool,
    /// It comes from a CustomResourceDefinition
    pub(crate) custom: bool,
    pub(crate) schema: Value,
}

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }
}

/// `v1`, `apps/v1`
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The inverse of [`api_version`]
pub(crate) fn group_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

pub(crate) const CRDS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

/// Group, version, plural, kind, namespaced, generation and status, short names, members beside
/// `apiVersion`, `kind` and `metadata`
type Row = (&'static str, &'static str, &'static str, &'static str, bool, bool, &'static str, &'static str);

const BUILT_IN: [Row; 23] = [
    ("", "v1", "configmaps", "ConfigMap", true, false, "cm", "data binaryData immutable"),
    ("", "v1", "namespaces", "Namespace", false, false, "ns", "spec status"),
    ("", "v1", "nodes", "Node", false, false, "no", "spec status"),
    ("", "v1", "persistentvolumes", "PersistentVolume", false, false, "pv", "spec status"),
    ("", "v1", "pods", "Pod", true, true, "po", "spec status"),
    ("", "v1", "secrets", "Secret", true, false, "", "data stringData type immutable"),
    (
        "",
        "v1",
        "serviceaccounts",
        "ServiceAccount",
        true,
        false,
        "sa",
        "secrets imagePullSecrets automountServiceAccountToken",
    ),
    ("", "v1", "services", "Service", true, false, "svc", "spec status"),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
        true,
        "crd crds",
        "spec status",
    ),
    ("apps", "v1", "daemonsets", "DaemonSet", true, true, "ds", "spec status"),
    ("apps", "v1", "deployments", "Deployment", true, true, "deploy", "spec status"),
    ("apps", "v1", "replicasets", "ReplicaSet", true, true, "rs", "spec status"),
    ("apps", "v1", "statefulsets", "StatefulSet", true, true, "sts", "spec status"),
    ("batch", "v1", "cronjobs", "CronJob", true, true, "cj", "spec status"),
    ("batch", "v1", "jobs", "Job", true, true, "", "spec status"),
    ("coordination.k8s.io", "v1", "leases", "Lease", true, false, "", "spec"),
    (
        "discovery.k8s.io",
        "v1",
        "endpointslices",
        "EndpointSlice",
        true,
        true,
        "",
        "addressType endpoints ports",
    ),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", false, true, "", "spec"),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        false,
        false,
        "",
        "roleRef subjects",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterroles",
        "ClusterRole",
        false,
        false,
        "",
        "rules aggregationRule",
    ),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true, false, "", "roleRef subjects"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", true, false, "", "rules"),
    (
        "storage.k8s.io",
        "v1",
        "storageclasses",
        "StorageClass",
        false,
        false,
        "sc",
        "provisioner parameters reclaimPolicy mountOptions allowVolumeExpansion volumeBindingMode allowedTopologies",
    ),
];

/// All kinds that the cluster knows
pub(crate) struct Kinds {
    all: Vec<Kind>,
}

impl Kinds {
    pub(crate) fn built_in() -> Self {
        Self { all: BUILT_IN.iter().map(built_in).collect() }
    }

    pub(crate) fn all(&self) -> &[Kind] {
        &self.all
    }

    pub(crate) fn by_path(&self, group: &str, version: &str, plural: &str) -> Option<&Kind> {
        self.all.iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
    }

    pub(crate) fn by_kind(&self, api_version: &str, name: &str) -> Option<&Kind> {
        let (group, version) = group_version(api_version);
        self.all.iter().find(|kind| kind.group == group && kind.version == version && kind.kind == name)
    }

    /// Take over a CustomResourceDefinition, also in place of an older one
    pub(crate) fn define(&mut self, crd: &Value) {
        self.undefine(crd);
        let (spec, text) = (&crd["spec"], |value: &Value| value.as_str().unwrap_or_default().to_owned());
        let names = &spec["names"];
        let list = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        for version in spec["versions"].as_array().into_iter().flatten().filter(|v| v["served"] == true) {
            let kind = text(&names["kind"]);
            let singular = names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned);
            self.all.push(Kind {
                group: text(&spec["group"]),
                version: text(&version["name"]),
                plural: text(&names["plural"]),
                singular,
                list_kind: names["listKind"].as_str().map_or(format!("{kind}List"), str::to_owned),
                kind,
                short_names: list(&names["shortNames"]),
                namespaced: spec["scope"] == "Namespaced",
                status: version["subresources"].get("status").is_some(),
                generation: true,
                custom: true,
                schema: version["schema"]["openAPIV3Schema"].clone(),
            });
        }
    }

    /// Forget the kinds of a CustomResourceDefinition
    pub(crate) fn undefine(&mut self, crd: &Value) {
        let (group, plural) = (crd["spec"]["group"].as_str(), crd["spec"]["names"]["plural"].as_str());
        self.all.retain(|kind| Some(kind.group.as_str()) != group || Some(kind.plural.as_str()) != plural);
    }
}

fn built_in(row: &Row) -> Kind {
    let (group, version, plural, kind, namespaced, generation, short_names, members) = *row;
    Kind {
        group: group.into(),
        version: version.into(),
        plural: plural.into(),
        singular: kind.to_lowercase(),
        kind: kind.into(),
        list_kind: format!("{kind}List"),
        short_names: short_names.split_whitespace().map(str::to_owned).collect(),
        namespaced,
        status: members.ends_with("status"),
        generation,
        custom: false,
        schema: shallow(members),
    }
}

/// A schema that knows the members of the first level only
fn shallow(members: &str) -> Value {
    let member = |name: &str| match name {
        "data" | "stringData" | "binaryData" => {
            json!({"type": "object", "additionalProperties": {"type": "string"}})
        }
        "type" | "addressType" => json!({"type": "string"}),
        "immutable" | "automountServiceAccountToken" => json!({"type": "boolean"}),
        "subjects" | "rules" | "endpoints" | "ports" => json!({"type": "array", "items": open()}),
        "roleRef" => json!({
            "type": "object", "x-kubernetes-map-type": "atomic", "x-kubernetes-preserve-unknown-fields": true,
        }),
        "secrets" => json!({
            "type": "array", "items": open(),
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        }),
        "imagePullSecrets" => json!({
            "type": "array", "items": open(),
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        }),
        _ => open(),
    };
    let properties: Map<String, Value> =
        members.split_whitespace().map(|name| (name.to_owned(), member(name))).collect();
    json!({"type": "object", "properties": properties})
}

fn open() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}
