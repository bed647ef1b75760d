//! Where this cluster's distribution keeps the key files of its API servers.

use crate::{
    cluster::{Cluster, objects::Look},
    commands::distribution,
    distro,
};

/// `None`: the distribution is not known, or could not be looked up.
pub(super) async fn of_keys(cluster: &Cluster) -> Option<&'static str> {
    let (nodes, kubeadm) = distribution::look(cluster).await;
    // A failed look shows as little as an absent object.
    let facts = distribution::facts(&nodes.unwrap_or(Look::Absent), &kubeadm.unwrap_or(Look::Absent));
    distro::key_files(&facts)
}
