//! What shows which distribution a cluster is: its nodes, and the configuration that kubeadm keeps.

use crate::{
    cluster::{
        Cluster,
        objects::{Look, Object, Resource},
    },
    distro::{ClusterFacts, NodeFacts},
    error::Result,
};

static NODES: Resource = Resource::new("", "v1", "nodes", "Node", false);
static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);

/// The nodes, and `kube-system/kubeadm-config`. What may not be looked at is no error: see [`Look`].
pub(super) async fn look(cluster: &Cluster) -> (Result<Look<Vec<Object>>>, Result<Look<Object>>) {
    futures::join!(
        cluster.look_for(&NODES, None),
        cluster.look_at(&CONFIG_MAPS, Some("kube-system"), "kubeadm-config")
    )
}

pub(super) fn facts(nodes: &Look<Vec<Object>>, kubeadm: &Look<Object>) -> ClusterFacts {
    let nodes = nodes.seen().map_or(&[][..], Vec::as_slice);
    ClusterFacts {
        nodes: nodes.iter().map(|node| NodeFacts::of(&node.0)).collect(),
        cluster_configuration: kubeadm
            .seen()
            .map(|found| found.text("/data/ClusterConfiguration").to_owned()),
    }
}
