//! The distributions, each in one line. Each has a file of its own beside it, or shares one with its relatives.

use std::fmt;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::{Serialize, Serializer};

use super::{
    ClusterFacts, IssuerChange, Note, Rollout, Stage, cluster_api, k0s, k3d, k3s, keys::KeyChange, kind,
    kops, kubeadm, kubespray, managed, microk8s, minikube, old_issuer::Present, talos, vcluster,
};
use crate::{error::Result, oidc::SignedIssuer};

/// What a cluster was built with.
pub(crate) struct Distribution {
    /// As `--distro` takes it.
    pub(crate) id: &'static str,
    /// As people write it.
    pub(crate) title: &'static str,
    /// Whether a cluster is one of these.
    pub(super) detect: fn(&ClusterFacts) -> bool,
    /// How its API servers are told which issuer they sign as.
    pub(super) issuer: IssuerGuide,
    /// How its signing key is replaced.
    pub(super) keys: KeyChange,
}

/// How the API servers of a distribution are told which issuer they sign as.
pub(super) enum IssuerGuide {
    /// By its files.
    Files(Guide),
    /// Not by its user: the provider of the cluster publishes the documents.
    Managed(Managed),
}

/// API servers of a provider.
pub(super) struct Managed {
    /// What to do instead of publishing.
    pub(super) instead: &'static str,
    /// Whether an issuer is one of the provider's own. The tokens say it, so nothing has to be read for it.
    pub(super) signs_as: fn(&str) -> bool,
}

/// The files, and what is in them.
pub(super) struct Guide {
    pub(super) default_issuer: DefaultIssuer,
    /// How many issuers its API servers can accept.
    pub(super) accepts: Accepts,
    pub(super) audiences: Audiences,
    /// What the cluster's own configuration says now.
    pub(super) present: fn(&IssuerChange) -> Result<Present>,
    /// `given`: the old issuers that were named by a person.
    pub(super) rollout: fn(&IssuerChange, given: &[SignedIssuer], &Present, Stage) -> Result<Rollout>,
    /// What goes wrong most often.
    pub(super) notes: fn(&IssuerChange) -> Vec<Note>,
}

/// What the API servers of a distribution sign as where nothing is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultIssuer {
    /// `https://kubernetes.default.svc.DOMAIN`, with the domain of the cluster's services.
    OfDomain,
    Fixed(&'static str),
    /// It differs from cluster to cluster, e.g. its address.
    Unknown,
}

/// What its API servers take for their own audiences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audiences {
    /// They need no change: all issuers where nothing is set, or values that the distribution pins itself.
    Kept,
    /// The first issuer alone, unless the file names them: it names every issuer.
    Named,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// The first signs, all are accepted.
    Several,
    /// The last that is named replaces the others.
    One,
}

/// The first that fits is taken: relatives come before the one that they are made of.
static ALL: [Distribution; 19] = [
    vcluster::DISTRIBUTION,
    k3d::DISTRIBUTION,
    k3s::K3S,
    k3s::RKE2,
    k0s::DISTRIBUTION,
    managed::EKS,
    managed::GKE,
    managed::AKS,
    managed::OPENSHIFT,
    microk8s::DISTRIBUTION,
    kops::DISTRIBUTION,
    minikube::DISTRIBUTION,
    talos::TALOS,
    talos::TALOS_1_13,
    talos::TALOS_1_12,
    kind::DISTRIBUTION,
    cluster_api::DISTRIBUTION,
    kubespray::DISTRIBUTION,
    kubeadm::DISTRIBUTION,
];

/// Which distribution a cluster is; `None`: none that is known.
pub(crate) fn detect(facts: &ClusterFacts) -> Option<&'static Distribution> {
    ALL.iter().find(|distribution| (distribution.detect)(facts))
}

/// The distribution whose provider signs as this issuer.
pub(crate) fn of_issuer(issuer: &str) -> Option<&'static Distribution> {
    ALL.iter().find(|distribution| distribution.signs_as(issuer))
}

/// Takes the IDs of the distributions.
pub(crate) fn parser() -> impl TypedValueParser<Value = &'static Distribution> {
    let values = ALL.iter().map(|it| PossibleValue::new(it.id).help(it.title));
    PossibleValuesParser::new(values).map(move |id| ALL.iter().find(|it| it.id == id).unwrap_or(&ALL[0]))
}

impl Distribution {
    /// How its API servers are told; `None`: its user cannot tell them.
    pub(super) fn guide(&self) -> Option<&Guide> {
        match &self.issuer {
            IssuerGuide::Files(guide) => Some(guide),
            IssuerGuide::Managed(_) => None,
        }
    }

    /// What to do instead, where the provider of the cluster publishes the documents.
    pub(crate) fn instead(&self) -> Option<&'static str> {
        match &self.issuer {
            IssuerGuide::Files(_) => None,
            IssuerGuide::Managed(managed) => Some(managed.instead),
        }
    }

    /// Whether its provider signs as this issuer.
    fn signs_as(&self, issuer: &str) -> bool {
        matches!(&self.issuer, IssuerGuide::Managed(managed) if (managed.signs_as)(issuer))
    }

    #[cfg(test)]
    pub(super) fn all() -> &'static [Self] {
        &ALL
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
