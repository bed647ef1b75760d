//! PURE. What is kept of the objects of a cluster: values, without the objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::{
    objects::{Object, Unseen},
    snapshot::Store,
};

/// The objects of a kind, and what of them could not be read.
#[derive(Clone, Debug)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) unseen: Vec<Unseen>,
}

/// Everything that a verdict is made from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: List<Node>,
    /// ClusterSecretStores and SecretStores.
    pub(crate) stores: List<Store>,
    pub(crate) storage_classes: List<StorageClass>,
    pub(crate) volumes: List<Volume>,
    /// Services of the type LoadBalancer.
    pub(crate) load_balancers: List<LoadBalancer>,
    pub(crate) ingress_classes: List<IngressClass>,
    pub(crate) daemon_sets: List<Workload>,
    pub(crate) deployments: List<Workload>,
    pub(crate) cluster_policies: List<ClusterPolicy>,
    /// The ConfigMaps that ClusterPolicies name for the device plugin.
    pub(crate) device_configs: List<DeviceConfig>,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) provider_id: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// Names of the resources of which the node has some.
    pub(crate) allocatable: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct StorageClass {
    pub(crate) name: String,
    pub(crate) provisioner: String,
    pub(crate) is_default: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) name: String,
    /// Empty: none.
    pub(crate) class: String,
    /// The CSI driver; of other volumes the member that says what they are.
    pub(crate) driver: String,
    pub(crate) is_bound: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct LoadBalancer {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) class: Option<String>,
    pub(crate) finalizers: Vec<String>,
    /// Names of the annotations.
    pub(crate) annotations: Vec<String>,
    /// Types of the conditions that are true.
    pub(crate) conditions: Vec<String>,
    /// Addresses and host names that a controller gave it.
    pub(crate) addresses: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct IngressClass {
    pub(crate) name: String,
    pub(crate) controller: String,
}

/// A DaemonSet or Deployment.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Of its own and of its pods.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) images: Vec<String>,
    /// Kinds of its owners.
    pub(crate) owners: Vec<String>,
}

/// What NVIDIA's GPU Operator is told (`nvidia.com/v1`).
#[derive(Clone, Debug)]
pub(crate) struct ClusterPolicy {
    pub(crate) name: String,
    /// Where the operator is installed, as it reports it.
    pub(crate) namespace: Option<String>,
    pub(crate) device_plugin: bool,
    pub(crate) driver: bool,
    /// The ConfigMap of the device plugin, and the part of it that nodes without a label use.
    pub(crate) config: Option<(String, Option<String>)>,
    /// `spec.mig.strategy`
    pub(crate) mig: Option<String>,
}

/// One of the parts of the device plugin's ConfigMap.
#[derive(Clone, Debug)]
pub(crate) struct DeviceConfig {
    /// `ConfigMap gpu-operator/time-slicing-config`
    pub(crate) object: String,
    pub(crate) part: String,
    /// What it shares: `time-slicing` or `mps`, the resource and into how many. `None`: it cannot be read.
    pub(crate) shares: Option<Vec<(&'static str, String, u64)>>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), unseen: Vec::new() }
    }
}

impl<T> List<T> {
    /// Whether all of it was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.unseen.is_empty()
    }
}

impl Seen {
    pub(super) fn workloads(&self) -> impl Iterator<Item = &Workload> {
        self.daemon_sets.items.iter().chain(&self.deployments.items)
    }
}

fn texts(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let members = object.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn list<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

impl Node {
    pub(crate) fn of(object: &Object) -> Option<Self> {
        let has_some = |amount: &Value| match amount {
            Value::String(text) => text != "0",
            Value::Number(number) => number.as_f64() != Some(0.0),
            _ => false,
        };
        let allocatable =
            object.0.pointer("/status/allocatable").and_then(Value::as_object).into_iter().flatten();
        Some(Self {
            name: object.name().to_owned(),
            provider_id: object.text("/spec/providerID").to_owned(),
            labels: texts(&object.0, "/metadata/labels"),
            allocatable: allocatable
                .filter(|(_, amount)| has_some(amount))
                .map(|(name, _)| name.clone())
                .collect(),
        })
    }
}

impl StorageClass {
    /// `None` for what has no provisioner: it is no StorageClass.
    pub(crate) fn of(object: &Object) -> Option<Self> {
        const DEFAULT: [&str; 2] = [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ];
        let provisioner = object.text("/provisioner");
        (!provisioner.is_empty()).then(|| Self {
            name: object.name().to_owned(),
            provisioner: provisioner.to_owned(),
            is_default: DEFAULT.iter().any(|name| object.annotation(name) == Some("true")),
        })
    }
}

impl Volume {
    /// Members of the specification that say what a volume is, as they were before there were CSI drivers.
    const SOURCES: [&str; 18] = [
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "glusterfs",
        "hostPath",
        "iscsi",
        "local",
        "nfs",
        "portworxVolume",
        "rbd",
        "storageos",
        "vsphereVolume",
    ];

    pub(crate) fn of(object: &Object) -> Option<Self> {
        let spec = object.0.get("spec")?.as_object()?;
        let driver = match spec.get("csi").filter(|csi| !csi.is_null()) {
            Some(csi) => csi.get("driver")?.as_str()?.to_owned(),
            None => {
                let given = |name: &&&str| spec.get(**name).is_some_and(|value| !value.is_null());
                Self::SOURCES
                    .iter()
                    .find(given)
                    .map_or_else(|| "a source".to_owned(), |name| (*name).to_owned())
            }
        };
        Some(Self {
            name: object.name().to_owned(),
            class: object.text("/spec/storageClassName").to_owned(),
            driver,
            is_bound: object.text("/status/phase") == "Bound",
        })
    }
}

impl LoadBalancer {
    /// Whether this is a Service of the type LoadBalancer.
    pub(crate) fn is_one(object: &Object) -> bool {
        object.text("/spec/type") == "LoadBalancer"
    }

    pub(crate) fn of(object: &Object) -> Option<Self> {
        let address = |ingress: &Value| {
            let text =
                |name: &str| ingress.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            text("hostname").or_else(|| text("ip"))
        };
        let condition =
            |it: &Value| (it["status"] == "True").then(|| it["type"].as_str().map(str::to_owned)).flatten();
        Some(Self {
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            class: Some(object.text("/spec/loadBalancerClass"))
                .filter(|it| !it.is_empty())
                .map(str::to_owned),
            finalizers: list(&object.0, "/metadata/finalizers")
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect(),
            annotations: texts(&object.0, "/metadata/annotations").into_keys().collect(),
            conditions: list(&object.0, "/status/conditions").filter_map(condition).collect(),
            addresses: list(&object.0, "/status/loadBalancer/ingress").filter_map(address).collect(),
        })
    }

    pub(super) fn describe(&self) -> String {
        format!("Service {}/{}", self.namespace, self.name)
    }
}

impl IngressClass {
    pub(crate) fn of(object: &Object) -> Option<Self> {
        Some(Self { name: object.name().to_owned(), controller: object.text("/spec/controller").to_owned() })
    }
}

impl Workload {
    pub(crate) fn of(object: &Object) -> Option<Self> {
        let mut labels = texts(&object.0, "/spec/template/metadata/labels");
        labels.extend(texts(&object.0, "/metadata/labels"));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let containers = list(&object.0, "/spec/template/spec/containers");
        Some(Self {
            kind: object.kind().to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            labels,
            images: containers.filter_map(|it| text(&it["image"])).collect(),
            owners: list(&object.0, "/metadata/ownerReferences").filter_map(|it| text(&it["kind"])).collect(),
        })
    }

    pub(super) fn describe(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl ClusterPolicy {
    pub(crate) fn of(object: &Object) -> Option<Self> {
        let text = |pointer: &str| Some(object.text(pointer)).filter(|it| !it.is_empty()).map(str::to_owned);
        // Absent means enabled: `IsEnabled` in the operator's api/nvidia/v1/clusterpolicy_types.go.
        let is_enabled = |pointer: &str| object.0.pointer(pointer) != Some(&Value::Bool(false));
        Some(Self {
            name: object.name().to_owned(),
            namespace: text("/status/namespace"),
            device_plugin: is_enabled("/spec/devicePlugin/enabled"),
            driver: is_enabled("/spec/driver/enabled"),
            config: text("/spec/devicePlugin/config/name")
                .map(|name| (name, text("/spec/devicePlugin/config/default"))),
            mig: text("/spec/mig/strategy"),
        })
    }

    pub(super) fn describe(&self) -> String {
        format!("ClusterPolicy {}", self.name)
    }
}

impl DeviceConfig {
    /// The parts of a ConfigMap of the device plugin.
    pub(crate) fn all_of(object: &Object) -> Vec<Self> {
        let one = |(part, text): (String, String)| Self {
            object: object.describe(),
            part,
            shares: serde_saphyr::from_str::<Value>(&text).ok().map(|config| shares(&config)),
        };
        texts(&object.0, "/data").into_iter().map(one).collect()
    }
}

/// What a configuration of NVIDIA's device plugin shares (api/config/v1/sharing.go and replicas.go).
fn shares(config: &Value) -> Vec<(&'static str, String, u64)> {
    let mut shares = Vec::new();
    for (member, how) in [("timeSlicing", "time-slicing"), ("mps", "mps")] {
        for resource in list(config, &format!("/sharing/{member}/resources")) {
            let name = resource["name"].as_str().unwrap_or("a resource without a name").to_owned();
            let replicas = resource["replicas"].as_u64().unwrap_or(0);
            shares.push((how, name, replicas));
        }
    }
    shares
}
