//! PURE. One file per distribution: its issuer flags, and where they are written.
//!
//! For tokens to be accepted outside, the API server must sign with the public issuer. The change is small and
//! breaks a running cluster when it is done in the wrong order, so it is told in full: what to write where, in
//! which order, how to see that it worked. Whatever the distribution, three things hold:
//!
//! * The first `--service-account-issuer` signs, all are accepted. The old one stays: pods hold its tokens.
//! * With several API servers, each must accept the new issuer before one of them signs with it.
//! * The address of the key set in the API server's own document does not follow from the issuer.

mod k3s;
mod kubeadm;
mod text;

use serde::Serialize;

use crate::{
    error::{Error, Result},
    oidc::Issuer,
};

/// What clusters sign with when nobody told them otherwise.
pub(crate) const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A distribution whose change can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Distro {
    K3s,
    /// kubeadm, and kind
    Kubeadm,
}

/// What tells distributions apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// `status.nodeInfo.kubeletVersion` of the nodes, e.g. `v1.36.1+k3s1`.
    pub(crate) kubelet_versions: Vec<String>,
    /// Keys and values of the nodes' labels.
    pub(crate) labels: Vec<(String, String)>,
    /// `data.ClusterConfiguration` of the ConfigMap `kube-system/kubeadm-config`, if there is one.
    pub(crate) cluster_configuration: Option<String>,
}

/// What a cluster was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detected {
    Known(Distro),
    /// Known by name, but its change cannot be told here.
    Other(&'static str),
    Unknown,
}

/// What is wanted of the API servers.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) issuer: Issuer,
    /// Issuers that stay accepted, the one that signs now first. Empty: what the distribution signs with by default.
    pub(crate) accepted: Vec<String>,
    /// How many API servers there are.
    pub(crate) servers: usize,
    /// The cluster's own configuration, which the change is put into; kubeadm only.
    pub(crate) cluster_configuration: Option<String>,
    /// Minor version of Kubernetes 1, if known.
    pub(crate) minor: Option<u32>,
}

/// The change, told in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Guide {
    pub(crate) distro: Option<Distro>,
    pub(crate) issuer: String,
    /// In this order; each on all API servers, one server after the other, before the next begins.
    pub(crate) rollouts: Vec<Rollout>,
    /// What goes wrong most often.
    pub(crate) notes: Vec<Note>,
}

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Note {
    pub(crate) text: String,
    /// Whoever makes this change must know it, however much was done before.
    #[serde(skip)]
    pub(crate) always: bool,
}

impl Note {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), always: false }
    }

    fn always(text: impl Into<String>) -> Self {
        Self { text: text.into(), always: true }
    }
}

/// One change of all API servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rollout {
    pub(crate) stage: Stage,
    /// The flags of kube-apiserver that this rollout ends with, in their order.
    pub(crate) flags: Vec<Flag>,
    /// The first is the one to be changed; others belong to it.
    pub(crate) files: Vec<File>,
    pub(crate) steps: Vec<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Every server accepts the new issuer, and signs with the old one
    Accept,
    /// Every server signs with the new issuer, and accepts the old one
    Sign,
}

/// A flag of kube-apiserver, without the two hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// A file as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) content: String,
}

/// Something to do or to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Action {
    pub(crate) what: String,
    pub(crate) commands: Vec<String>,
}

impl Rollout {
    /// What is printed when a file is asked for: the one to be changed.
    pub(crate) fn file(&self) -> &str {
        self.files.first().map_or("", |file| file.content.as_str())
    }
}

impl Guide {
    /// The rollout of this stage, or the first.
    pub(crate) fn rollout(&self, stage: Option<Stage>) -> Option<&Rollout> {
        self.rollouts.iter().find(|rollout| stage.is_none_or(|stage| rollout.stage == stage))
    }
}

/// Which distribution a cluster is. The kubelet's version is the surest sign: it is compiled in.
pub(crate) fn detect(facts: &Facts) -> Detected {
    let version = |mark: &str| facts.kubelet_versions.iter().any(|version| version.contains(mark));
    let label = |prefix: &str| facts.labels.iter().any(|(key, _)| key.starts_with(prefix));
    let named = |key: &str, value: &str| facts.labels.iter().any(|(k, v)| k == key && v == value);
    if version("+k3s") || named("node.kubernetes.io/instance-type", "k3s") {
        Detected::Known(Distro::K3s)
    } else if version("+rke2") || named("node.kubernetes.io/instance-type", "rke2") {
        Detected::Other("RKE2")
    } else if version("+k0s") {
        Detected::Other("k0s")
    } else if version("-eks-") || label("eks.amazonaws.com/") {
        Detected::Other("EKS")
    } else if version("-gke.") || label("cloud.google.com/gke-") {
        Detected::Other("GKE")
    } else if label("kubernetes.azure.com/") {
        Detected::Other("AKS")
    } else if label("node.openshift.io/") {
        Detected::Other("OpenShift")
    } else if label("microk8s.io/") {
        Detected::Other("MicroK8s")
    } else if label("kops.k8s.io/") {
        Detected::Other("kOps")
    } else if label("minikube.k8s.io/") {
        Detected::Other("minikube")
    } else if facts.cluster_configuration.is_some() {
        Detected::Known(Distro::Kubeadm)
    } else {
        Detected::Unknown
    }
}

/// The change for a distribution; `None` is one whose files are not known here: its flags only.
pub(crate) fn guide(distro: Option<Distro>, wish: &Wish) -> Result<Guide> {
    let mut wish = wish.clone();
    let (mut signs_already, mut default) = (false, DEFAULT_ISSUER.to_owned());
    if let (Some(Distro::Kubeadm), Some(text)) = (distro, &wish.cluster_configuration) {
        let now = kubeadm::signs_with(text)?;
        default = now.default;
        // Tokens tell more than a configuration that may not be rolled out yet.
        signs_already =
            wish.accepted.is_empty() && now.named.first().is_some_and(|it| it == wish.issuer.as_str());
        // What is accepted stays so, whatever else was named.
        wish.accepted.extend(now.named);
    }
    // The new issuer is accepted by itself; a value given twice keeps the server from starting.
    let mut seen = vec![wish.issuer.as_str().to_owned()];
    wish.accepted.retain(|issuer| {
        let new = !seen.contains(issuer);
        seen.push(issuer.clone());
        new
    });
    if wish.accepted.is_empty() && default != wish.issuer.as_str() {
        wish.accepted.push(default);
    }
    for issuer in &wish.accepted {
        check(issuer)?;
    }
    if let Some(minor) = wish.minor.filter(|minor| *minor < 22) {
        return Err(Error::failed("distro-too-old", format!("Kubernetes 1.{minor} knows one issuer only"))
            .hint("before 1.22, a change of the issuer is an outage for every pod: upgrade first"));
    }
    let stages = if wish.servers > 1 && !wish.accepted.is_empty() && !signs_already {
        vec![Stage::Accept, Stage::Sign]
    } else {
        vec![Stage::Sign]
    };
    let rollouts = stages.into_iter().map(|stage| match distro {
        Some(Distro::K3s) => Ok(k3s::rollout(&wish, stage)),
        Some(Distro::Kubeadm) => kubeadm::rollout(&wish, stage),
        None => Ok(flags_only(&wish, stage)),
    });
    let mut notes = notes(&wish);
    notes.extend(match distro {
        Some(Distro::K3s) => k3s::notes(),
        Some(Distro::Kubeadm) => kubeadm::notes(&wish),
        None => Vec::new(),
    });
    Ok(Guide { distro, issuer: wish.issuer.to_string(), rollouts: rollouts.collect::<Result<_>>()?, notes })
}

fn flags_only(wish: &Wish, stage: Stage) -> Rollout {
    let flags = flags(wish, stage);
    let list: Vec<_> = flags.iter().map(|flag| format!("--{}={}", flag.name, flag.value)).collect();
    let what = "Start every kube-apiserver, one after the other, with these flags in this order, by the means of your distribution:";
    let steps = vec![Action { what: format!("{what}\n    {}", list.join("\n    ")), commands: Vec::new() }];
    Rollout { stage, flags, files: Vec::new(), steps }
}

/// The flags of a stage: order is meaning.
fn flags(wish: &Wish, stage: Stage) -> Vec<Flag> {
    let issuer = |value: &str| Flag { name: ISSUER_FLAG, value: value.to_owned() };
    let (new, old) = (issuer(wish.issuer.as_str()), wish.accepted.iter().map(|old| issuer(old)));
    match stage {
        Stage::Accept => old.chain([new]).collect(),
        Stage::Sign => {
            let jwks = Flag { name: JWKS_FLAG, value: wish.issuer.jwks_url() };
            [new].into_iter().chain(old).chain([jwks]).collect()
        }
    }
}

const ISSUER_FLAG: &str = "service-account-issuer";
const JWKS_FLAG: &str = "service-account-jwks-uri";

/// An issuer that is accepted already need not be one that strangers take, only one value.
fn check(issuer: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::usage("old-issuer", format!("`{}` cannot be an issuer: {why}", issuer.escape_debug()))
            .hint(
                "it is `iss` of a token that the cluster signs now; name several by repeating --old-issuer",
            ))
    };
    if issuer.contains(',') {
        return refuse("it holds a comma, and the API server does not split at commas");
    }
    // A value without a colon is any text, with one a URL (kube-apiserver's own rule).
    if issuer.is_empty()
        || issuer.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\' | '`'))
    {
        return refuse("it is empty or holds characters that no issuer has");
    }
    Ok(())
}

fn notes(wish: &Wish) -> Vec<Note> {
    let mut notes = vec![
        Note::new(
            "Publish the documents first (`keyless publish`): tokens of the new issuer are refused until they are public.",
        ),
        Note::always(
            "Leave --api-audiences as it is: unset, it takes all issuers; set to the new issuer alone, every running pod is refused.",
        ),
        Note::new(
            "One issuer in each flag: `a,b` is one issuer of that name. A value given twice keeps the server from starting.",
        ),
        Note::always(
            "Pods get tokens of the new issuer within an hour; programs that hold a token longer, within a day.",
        ),
    ];
    if !wish.accepted.is_empty() {
        notes.push(Note::always(format!(
            "Keep {} for good: it is honoured with the cluster's own keys only, and costs nothing.",
            wish.accepted.join(" and ")
        )));
    }
    if wish.servers <= 1 {
        notes.push(Note::always(
            "With one API server, it is away while it restarts; running pods go on. With more than one, say so \
             (--servers): each must accept the new issuer before one signs with it.",
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
