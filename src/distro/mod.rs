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
    oidc::SignedIssuer,
    report::Warning,
    shell,
};

/// The domain of a cluster's services where none is configured.
const DEFAULT_DOMAIN: &str = "cluster.local";

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
pub(crate) struct ClusterFacts {
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

/// What the API servers are to sign as.
#[derive(Clone, Debug)]
pub(crate) struct IssuerChange {
    pub(crate) issuer: SignedIssuer,
    /// The URL of its published key set; `None`: keyless publishes none for it.
    pub(crate) jwks_uri: Option<String>,
    /// Issuers that stay accepted, the one that signs now first: read from tokens, or given. Empty: nobody has asked the
    /// cluster, so they are derived from its configuration, or assumed.
    pub(crate) accepted: Vec<SignedIssuer>,
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
pub(crate) struct Instructions {
    pub(crate) distro: Option<Distro>,
    pub(crate) issuer: String,
    /// What the old issuer is taken from, if it is not known.
    pub(crate) unproven: Option<Unproven>,
    /// What can lock running pods out.
    #[serde(skip)]
    pub(crate) warnings: Vec<Warning>,
    /// In this order; each on all API servers, one server after the other, before the next begins.
    pub(crate) rollouts: Vec<Rollout>,
    /// What goes wrong most often.
    pub(crate) notes: Vec<Note>,
}

/// The old issuer was not read from a token: with a wrong one, every running pod is refused at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unproven {
    /// The issuer that is taken for the one that signs now.
    pub(crate) issuer: String,
    #[serde(skip)]
    pub(crate) new: SignedIssuer,
    pub(crate) basis: Basis,
    /// Commands that show what the cluster signs as.
    pub(crate) check: Vec<String>,
}

/// Where an issuer that nobody has seen in a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Basis {
    /// The distribution's default, for the domain `cluster.local`.
    Assumed,
    /// The ClusterConfiguration, which may not be what runs.
    Configuration,
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

impl Instructions {
    /// The rollout of this stage, or the first.
    pub(crate) fn rollout(&self, stage: Option<Stage>) -> Option<&Rollout> {
        self.rollouts.iter().find(|rollout| stage.is_none_or(|stage| rollout.stage == stage))
    }
}

/// Which distribution a cluster is. The kubelet's version is the surest sign: it is compiled in.
pub(crate) fn detect(facts: &ClusterFacts) -> Detected {
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
pub(crate) fn instructions(distro: Option<Distro>, change: &IssuerChange) -> Result<Instructions> {
    let mut change = change.clone();
    let present = match (distro, &change.cluster_configuration) {
        (Some(Distro::Kubeadm), Some(text)) => kubeadm::present(text)?,
        _ => Present::default(),
    };
    let given = change.accepted.clone();
    let known = !given.is_empty();
    // Tokens tell more than a configuration that may not be rolled out yet.
    let signs_already = !known && present.named.first() == Some(&change.issuer);
    // What is accepted stays so, whatever else was named.
    change.accepted.extend(present.named.iter().cloned());
    // The new issuer is accepted by itself; a value given twice keeps the server from starting.
    let mut seen = vec![change.issuer.clone()];
    change.accepted.retain(|issuer| {
        let new = !seen.contains(issuer);
        seen.push(issuer.clone());
        new
    });
    let mut basis = (!known).then_some(Basis::Configuration);
    if change.accepted.is_empty() {
        let domain = present.domain.as_deref().unwrap_or(DEFAULT_DOMAIN);
        basis = Some(present.domain.as_ref().map_or(Basis::Assumed, |_| Basis::Configuration));
        let default: SignedIssuer = format!("https://kubernetes.default.svc.{domain}").parse()?;
        change.accepted.extend(Some(default).filter(|default| *default != change.issuer));
    }
    let unproven = change.accepted.first().zip(basis).map(|(issuer, basis)| Unproven {
        issuer: issuer.as_str().to_owned(),
        new: change.issuer.clone(),
        basis,
        check: CHECK.iter().map(|command| (*command).to_owned()).collect(),
    });
    if let Some(minor) = change.minor.filter(|minor| *minor < 22) {
        return Err(Error::failed("distro-too-old", format!("Kubernetes 1.{minor} knows one issuer only"))
            .hint("before 1.22, a change of the issuer is an outage for every pod: upgrade first"));
    }
    let stages = if change.servers > 1 && !change.accepted.is_empty() && !signs_already {
        vec![Stage::Accept, Stage::Sign]
    } else {
        vec![Stage::Sign]
    };
    let rollouts = stages.into_iter().map(|stage| {
        let mut rollout = match distro {
            Some(Distro::K3s) => k3s::rollout(&change, stage),
            Some(Distro::Kubeadm) => kubeadm::rollout(&change, &given, &present, stage)?,
            None => flags_only(&change, stage),
        };
        if let (Some(unproven), Some(file)) = (&unproven, rollout.files.first_mut()) {
            file.content.insert_str(header(&file.content), &unproven.comment());
        }
        Ok(rollout)
    });
    let rollouts = rollouts.collect::<Result<_>>()?;
    let mut notes = notes(&change);
    notes.extend(match distro {
        Some(Distro::K3s) => k3s::notes(),
        Some(Distro::Kubeadm) => kubeadm::notes(&change),
        None => Vec::new(),
    });
    let warnings =
        unproven.iter().map(Unproven::warning).chain(pinned_audiences(&change, &present)).collect();
    Ok(Instructions {
        distro,
        issuer: change.issuer.as_str().to_owned(),
        unproven,
        warnings,
        rollouts,
        notes,
    })
}

/// What a configuration says of the API servers as they are.
#[derive(Clone, Debug, Default)]
struct Present {
    /// The signing one first. Where extraArgs is a map, others may be accepted by a patch that is not seen here.
    named: Vec<SignedIssuer>,
    /// The domain of the cluster's services, which the default issuer follows from.
    domain: Option<String>,
    /// The values of `--api-audiences`, if it is pinned.
    audiences: Vec<String>,
}

/// Show what a cluster signs as: by its own document, and by a token. The shell's `base64` misses the padding that
/// tokens leave out, and decodes all the same.
const CHECK: [&str; 2] = [
    r#"kubectl get --raw /.well-known/openid-configuration | grep -o '"issuer":"[^"]*"'"#,
    r#"kubectl create token default --duration=10m | cut -d. -f2 | tr -- '-_' '+/' | base64 -d 2>/dev/null | grep -o '"iss":"[^"]*"'"#,
];

/// Where the comment at the beginning of a file ends.
fn header(content: &str) -> usize {
    content.split_inclusive('\n').take_while(|line| line.starts_with('#')).map(str::len).sum()
}

/// `--api-audiences` that leaves the old issuer out is the other way to lock every pod out.
fn pinned_audiences(change: &IssuerChange, present: &Present) -> Option<Warning> {
    if present.audiences.is_empty() {
        return None;
    }
    let missing: Vec<_> = change
        .accepted
        .iter()
        .filter(|issuer| !present.audiences.iter().any(|audience| *issuer == audience.as_str()))
        .map(ToString::to_string)
        .collect();
    let without = match missing.is_empty() {
        true => String::new(),
        false => format!(
            "; {} is not among them, so tokens that were made before it was pinned are refused already",
            missing.join(" and ")
        ),
    };
    Some(Warning::new(
        "api-audiences-pinned",
        format!(
            "the ClusterConfiguration pins --api-audiences to {}: it stays as it is here. Pods' tokens are accepted for these \
             audiences only: add to them if you must, and take none away{without}",
            present.audiences.join(",").escape_debug()
        ),
    ))
}

fn flags_only(change: &IssuerChange, stage: Stage) -> Rollout {
    let flags = flags(change, stage);
    let list: Vec<_> =
        flags.iter().map(|flag| shell::quote(&format!("--{}={}", flag.name, flag.value))).collect();
    let what = "Start every kube-apiserver, one after the other, with these flags in this order, by the means of your distribution:";
    let steps = vec![Action { what: format!("{what}\n    {}", list.join("\n    ")), commands: Vec::new() }];
    Rollout { stage, flags, files: Vec::new(), steps }
}

/// The flags of a stage: order is meaning.
fn flags(change: &IssuerChange, stage: Stage) -> Vec<Flag> {
    let issuer = |value: &SignedIssuer| Flag { name: ISSUER_FLAG, value: value.as_str().to_owned() };
    let (new, old) = (issuer(&change.issuer), change.accepted.iter().map(issuer));
    let jwks = change.jwks_uri.as_ref().map(|url| Flag { name: JWKS_FLAG, value: url.clone() });
    match stage {
        Stage::Accept => old.chain([new]).collect(),
        Stage::Sign => [new].into_iter().chain(old).chain(jwks).collect(),
    }
}

const ISSUER_FLAG: &str = "service-account-issuer";
const JWKS_FLAG: &str = "service-account-jwks-uri";

/// A value of `--old-issuer`. What a token names is not checked like this: a cluster that signs with it has it.
pub(crate) fn old_issuer(text: &str) -> Result<SignedIssuer> {
    let refuse = |why: &str| {
        Err(Error::usage("old-issuer", format!("`{}` cannot be an issuer: {why}", text.escape_debug())).hint(
            "it is `iss` of a token that the cluster signs now; name several by repeating --old-issuer",
        ))
    };
    if text.contains(',') {
        return refuse("it holds a comma, and the API server does not split at commas");
    }
    // A value without a colon is any text, with one a URL (kube-apiserver's own rule).
    if text.is_empty() || text.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\' | '`'))
    {
        return refuse("it is empty or holds characters that no issuer has");
    }
    text.parse().map_err(Error::into_usage)
}

fn notes(change: &IssuerChange) -> Vec<Note> {
    let mut notes = Vec::new();
    if change.jwks_uri.is_some() {
        notes.push(Note::new(
            "Publish the documents first (`keyless publish`): tokens of the new issuer are refused until they are public.",
        ));
    }
    notes.extend([
        Note::always(
            "Leave --api-audiences as it is: unset, it takes all issuers; set to the new issuer alone, every running pod is refused.",
        ),
        Note::new(
            "One issuer in each flag: `a,b` is one issuer of that name. A value given twice keeps the server from starting.",
        ),
        Note::always(
            "Pods get tokens of the new issuer within an hour; programs that hold a token longer, within a day.",
        ),
        Note::always(
            "An issuer that the API servers accept beside these is not seen here: keep every --service-account-issuer that they \
             have now, after the new one.",
        ),
    ]);
    if !change.accepted.is_empty() {
        notes.push(Note::always(format!(
            "Keep {} for good: it is honoured with the cluster's own keys only, and costs nothing.",
            change.accepted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
        )));
    }
    if change.servers <= 1 {
        notes.push(Note::always(
            "With one API server, it is away while it restarts; running pods go on. With more than one, say so \
             (--servers): each must accept the new issuer before one signs with it.",
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
