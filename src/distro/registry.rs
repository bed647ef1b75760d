//! The distributions, each in one line. One whose change can be told has a file of its own beside it.

use std::fmt;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::{Serialize, Serializer};

use super::{ClusterFacts, IssuerChange, Note, Rollout, Stage, k3s, kubeadm, old_issuer::Present};
use crate::{error::Result, oidc::SignedIssuer};

/// What a cluster was built with.
pub(crate) struct Distribution {
    /// As `--distro` takes it.
    pub(crate) id: &'static str,
    /// As people write it.
    pub(crate) title: &'static str,
    /// Whether a cluster is one of these.
    pub(super) detect: fn(&ClusterFacts) -> bool,
    /// How its API servers are told; `None`: it is known by name only.
    pub(super) guide: Option<Guide>,
}

/// How the API servers of a distribution are told which issuer they sign as.
pub(super) struct Guide {
    /// What the cluster's own configuration says now.
    pub(super) present: fn(&IssuerChange) -> Result<Present>,
    /// `given`: the old issuers that were named by a person.
    pub(super) rollout: fn(&IssuerChange, given: &[SignedIssuer], &Present, Stage) -> Result<Rollout>,
    /// What goes wrong most often.
    pub(super) notes: fn(&IssuerChange) -> Vec<Note>,
}

/// The first that fits is taken. The kubelet's version is the surest sign: it is compiled in.
static ALL: [Distribution; 11] = [
    k3s::DISTRIBUTION,
    by_name("rke2", "RKE2", |it| {
        it.has_version("+rke2") || it.has_label("node.kubernetes.io/instance-type", "rke2")
    }),
    by_name("k0s", "k0s", |it| it.has_version("+k0s")),
    by_name("eks", "EKS", |it| it.has_version("-eks-") || it.has_label_of("eks.amazonaws.com/")),
    by_name("gke", "GKE", |it| it.has_version("-gke.") || it.has_label_of("cloud.google.com/gke-")),
    by_name("aks", "AKS", |it| it.has_label_of("kubernetes.azure.com/")),
    by_name("openshift", "OpenShift", |it| it.has_label_of("node.openshift.io/")),
    by_name("microk8s", "MicroK8s", |it| it.has_label_of("microk8s.io/")),
    by_name("kops", "kOps", |it| it.has_label_of("kops.k8s.io/")),
    by_name("minikube", "minikube", |it| it.has_label_of("minikube.k8s.io/")),
    // Others that are made by kubeadm have its ConfigMap as well.
    kubeadm::DISTRIBUTION,
];

const fn by_name(id: &'static str, title: &'static str, detect: fn(&ClusterFacts) -> bool) -> Distribution {
    Distribution { id, title, detect, guide: None }
}

/// Which distribution a cluster is; `None`: none that is known.
pub(crate) fn detect(facts: &ClusterFacts) -> Option<&'static Distribution> {
    ALL.iter().find(|distribution| (distribution.detect)(facts))
}

/// Takes the IDs of the distributions whose change can be told.
pub(crate) fn parser() -> impl TypedValueParser<Value = &'static Distribution> {
    let guided = || ALL.iter().filter(|it| it.is_guided());
    let values = guided().map(|it| PossibleValue::new(it.id).help(it.title));
    PossibleValuesParser::new(values).map(move |id| guided().find(|it| it.id == id).unwrap_or(&ALL[0]))
}

impl Distribution {
    /// Whether its change can be told.
    pub(crate) fn is_guided(&self) -> bool {
        self.guide.is_some()
    }
}

impl PartialEq for Distribution {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Distribution {}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// As its ID.
impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

impl ClusterFacts {
    /// Whether the version of a node's kubelet has this mark.
    pub(super) fn has_version(&self, mark: &str) -> bool {
        self.kubelet_versions.iter().any(|version| version.contains(mark))
    }

    pub(super) fn has_label(&self, key: &str, value: &str) -> bool {
        self.labels.iter().any(|(k, v)| k == key && v == value)
    }

    /// Whether the key of a node's label begins with this.
    fn has_label_of(&self, prefix: &str) -> bool {
        self.labels.iter().any(|(key, _)| key.starts_with(prefix))
    }
}
