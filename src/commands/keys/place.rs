//! Where this cluster's distribution keeps the key files of its API servers.

use crate::{
    cluster::{
        Cluster,
        objects::{Look, Resource},
    },
    distro::{self, ClusterFacts},
};

static NODES: Resource = Resource::new("", "v1", "nodes", "Node", false);
static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);

/// `None`: the distribution is not known, or could not be looked up.
pub(super) async fn of_keys(cluster: &Cluster) -> Option<&'static str> {
    let (nodes, kubeadm) = futures::join!(
        cluster.look_for(&NODES, None),
        cluster.look_at(&CONFIG_MAPS, Some("kube-system"), "kubeadm-config")
    );
    let (nodes, kubeadm) = (nodes.ok(), kubeadm.ok());
    let nodes = nodes.as_ref().and_then(Look::seen).map_or(&[][..], Vec::as_slice);
    let kubeadm = kubeadm.as_ref().and_then(Look::seen);
    let labels = nodes.iter().filter_map(|node| node.0["metadata"]["labels"].as_object()).flatten();
    let facts = ClusterFacts {
        kubelet_versions: nodes
            .iter()
            .map(|node| node.text("/status/nodeInfo/kubeletVersion").to_owned())
            .collect(),
        labels: labels
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        cluster_configuration: kubeadm.map(|found| found.text("/data/ClusterConfiguration").to_owned()),
    };
    distro::key_files(&facts)
}
