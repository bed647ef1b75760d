//! The API servers' own step: they must sign as the public issuer, and only their owner can make them.

use crate::{
    cluster::{Cluster, objects::Resource},
    distro::{self, Detected},
    error::Result,
    oidc::Issuer,
    report::Report,
};

/// The exact change of the API servers' flags, for the distribution that runs here.
pub(super) async fn tell(
    cluster: &Cluster,
    issuer: &Issuer,
    signs_otherwise: &[(String, String)],
    servers: usize,
    report: &mut Report<'_>,
) -> Result<()> {
    static NODES: Resource = Resource::new("", "v1", "nodes", "Node", false);
    static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);
    let (nodes, kubeadm) = futures::try_join!(
        cluster.look_for(&NODES, None),
        cluster.look_at(&CONFIG_MAPS, Some("kube-system"), "kubeadm-config")
    )?;
    let nodes = nodes.seen().cloned().unwrap_or_default();
    let labels = nodes.iter().filter_map(|node| node.0.pointer("/metadata/labels")?.as_object()).flatten();
    let facts = distro::Facts {
        kubelet_versions: nodes
            .iter()
            .map(|node| node.text("/status/nodeInfo/kubeletVersion").to_owned())
            .collect(),
        labels: labels
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        cluster_configuration: kubeadm
            .seen()
            .map(|found| found.text("/data/ClusterConfiguration").to_owned()),
    };
    let wish = distro::Wish {
        issuer: issuer.clone(),
        accepted: signs_otherwise.first().map(|(_, signs_as)| signs_as.clone()).into_iter().collect(),
        servers,
        cluster_configuration: facts.cluster_configuration.clone(),
        minor: None,
    };
    match distro::detect(&facts) {
        Detected::Known(distro) => report.line(distro::guide(Some(distro), &wish)?.to_text()),
        Detected::Other(name) => {
            report.line(format_args!(
                "This is {name}: these are the flags; where they are written is its own."
            ));
            report.line(distro::guide(None, &wish)?.to_text());
        }
        Detected::Unknown => {
            report.line("What this cluster was built with cannot be told: these are the flags.");
            report.line(distro::guide(None, &wish)?.to_text());
        }
    }
    Ok(())
}
