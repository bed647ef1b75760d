//! PURE. Where a distribution keeps the keys of ServiceAccount tokens, in one line.

use super::{ClusterFacts, detect};

/// `None`: it is not known.
pub(crate) fn key_files(facts: &ClusterFacts) -> Option<&'static str> {
    Some(match detect(facts)?.id {
        // cmd/kubeadm: `sa.pub` and `sa.key` in the certificates' folder, equal on all control plane nodes.
        "kubeadm" => {
            "kubeadm: the flags are in /etc/kubernetes/manifests/kube-apiserver.yaml of each control plane node, or in \
             apiServer.extraArgs; the keys are /etc/kubernetes/pki/sa.pub and sa.key, equal on all of them"
        }
        // pkg/daemons/control/deps: one file with all keys, and the current one.
        "k3s" => {
            "k3s: the keys are in /var/lib/rancher/k3s/server/tls/service.key of each server; set other files by kube-apiserver-arg in \
             /etc/rancher/k3s/config.yaml, and restart k3s"
        }
        "eks" | "gke" | "aks" | "openshift" => {
            "the provider rotates the keys of this cluster's API servers: nothing is to be done by hand"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_distributions_name_their_files() {
        let of = |version: &str, kubeadm: bool| {
            let facts = ClusterFacts {
                kubelet_versions: vec![version.to_owned()],
                cluster_configuration: kubeadm.then(|| "kind: ClusterConfiguration".to_owned()),
                ..ClusterFacts::default()
            };
            key_files(&facts)
        };
        for (version, kubeadm, file) in [
            ("v1.36.1", true, Some("/etc/kubernetes/pki/sa.pub")),
            ("v1.36.1+k3s1", false, Some("/var/lib/rancher/k3s/server/tls/service.key")),
            ("v1.36.1-eks-1", false, Some("provider")),
            ("v1.36.1+k0s", false, None),
            ("v1.36.1", false, None),
        ] {
            let found = of(version, kubeadm);
            assert_eq!(found.is_some(), file.is_some(), "{version}");
            assert!(file.is_none_or(|file| found.unwrap().contains(file)), "{found:?}");
        }
    }
}
