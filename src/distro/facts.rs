//! PURE. What tells distributions apart: what the nodes say of themselves, and what kubeadm keeps.

use serde_json::Value;

/// What was read in a cluster. A writer of nodes can forge it: it chooses which instructions are shown, and nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClusterFacts {
    pub(crate) nodes: Vec<NodeFacts>,
    /// `data.ClusterConfiguration` of the ConfigMap `kube-system/kubeadm-config`, if there is one.
    pub(crate) cluster_configuration: Option<String>,
}

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeFacts {
    pub(crate) name: String,
    /// `status.nodeInfo.kubeletVersion`, e.g. `v1.36.1+k3s1`. It is compiled in: the surest sign.
    pub(crate) kubelet_version: String,
    /// `status.nodeInfo.osImage`, e.g. `Talos (v1.14.0)`.
    pub(crate) os_image: String,
    /// `spec.providerID`, e.g. `kind://docker/kind/kind-control-plane`.
    pub(crate) provider_id: String,
    pub(crate) labels: Vec<(String, String)>,
    /// Keys of the annotations.
    pub(crate) annotations: Vec<String>,
}

impl NodeFacts {
    /// Of a Node object. What is missing is empty.
    pub(crate) fn of(node: &Value) -> Self {
        let text =
            |pointer: &str| node.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let members = |pointer: &str| node.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
        Self {
            name: text("/metadata/name"),
            kubelet_version: text("/status/nodeInfo/kubeletVersion"),
            os_image: text("/status/nodeInfo/osImage"),
            provider_id: text("/spec/providerID"),
            labels: members("/metadata/labels")
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            annotations: members("/metadata/annotations").map(|(key, _)| key.clone()).collect(),
        }
    }
}

impl ClusterFacts {
    /// Whether the version of a node's kubelet has this mark.
    pub(super) fn has_version(&self, mark: &str) -> bool {
        self.nodes.iter().any(|node| node.kubelet_version.contains(mark))
    }

    pub(super) fn has_label(&self, key: &str, value: &str) -> bool {
        self.nodes.iter().flat_map(|node| &node.labels).any(|(k, v)| k == key && v == value)
    }

    /// Whether the key of a node's label begins with this.
    pub(super) fn has_label_of(&self, prefix: &str) -> bool {
        self.nodes.iter().flat_map(|node| &node.labels).any(|(key, _)| key.starts_with(prefix))
    }

    /// Whether kubeadm made the control plane, by itself or for Cluster API.
    pub(super) fn is_made_by_kubeadm(&self) -> bool {
        self.cluster_configuration.is_some() || self.has_annotation("cluster.x-k8s.io/cluster-name")
    }

    pub(super) fn has_annotation(&self, key: &str) -> bool {
        self.nodes.iter().flat_map(|node| &node.annotations).any(|it| it == key)
    }

    pub(super) fn has_node_of(&self, prefix: &str) -> bool {
        self.nodes.iter().any(|node| node.name.starts_with(prefix))
    }

    pub(super) fn has_provider_of(&self, prefix: &str) -> bool {
        self.nodes.iter().any(|node| node.provider_id.starts_with(prefix))
    }

    /// The lowest minor version among nodes whose image is `NAME (v1.MINOR…)`; `None`: there is none of that name.
    pub(super) fn image_minor(&self, name: &str) -> Option<u32> {
        let minor = |node: &NodeFacts| {
            let version = node.os_image.strip_prefix(name)?.trim_start().strip_prefix("(v1.")?;
            version.split(['.', '-', ')']).next()?.parse().ok()
        };
        self.nodes.iter().filter_map(minor).min()
    }
}
