//! The controllers of External Secrets Operator: where they run, as whom, in which version, which stores they serve,
//! and what of their own surroundings they could log in with.

use std::fmt;

use serde_json::Value;

use super::{
    Store,
    container::{Container, Source},
    recognise::Recognised,
    roles::allows,
};
use crate::cluster::{
    ServiceAccount,
    objects::{Look, Object},
};

/// One workload (or a pod of its own) that runs the controller itself, not its webhook or certificate controller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Controller {
    /// `Deployment`.
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) service_account: ServiceAccount,
    /// Of the image or, failing that, of the labels; `None` when neither tells it.
    pub(crate) version: Option<Version>,
    pub(crate) image: String,
    /// What begins with `--`.
    pub(crate) flags: Vec<String>,
    /// It serves only the stores of this class, and those without one.
    pub(crate) class: Class,
    /// It serves only the stores of this namespace.
    pub(crate) scope: Option<String>,
    pub(crate) container: Container,
    /// The other containers of the pod, by name: what they hold lies in the operator's own pod as well.
    pub(crate) beside: Vec<(String, Container)>,
    pub(crate) minting: Look<Minting>,
    /// Whether an administrator has installed it, and not a tenant something that looks like it.
    pub(crate) installed: Look<bool>,
}

/// The flag `--controller-class`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Named(String),
    /// It is made of variables.
    Unknown,
}

/// Whose tokens the controller may mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Minting {
    /// Every ServiceAccount's: the chart's default.
    Every,
    /// Only where a Role says so.
    Named,
}

/// `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u16, pub(crate) u16, pub(crate) u16);

impl Controller {
    /// From a workload or a pod; `None` if it does not run the controller.
    #[cfg(test)]
    pub(crate) fn of(workload: &Object) -> Option<Self> {
        let recognised = Recognised::of(workload.0.to_string().as_bytes())??;
        Self::recognised(workload, &recognised)
    }

    /// From the workload that was recognised.
    pub(super) fn recognised(workload: &Object, recognised: &Recognised) -> Option<Self> {
        let pod = workload.0.pointer("/spec/template/spec").or_else(|| workload.0.get("spec"))?;
        let container = pod.get("containers")?.get(recognised.container)?;
        let image = container["image"].as_str().unwrap_or_default().to_owned();
        let namespace = workload.namespace().to_owned();
        let words = |name: &str| {
            container.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        };
        let words: Vec<_> = words("command").chain(words("args")).collect();
        let account = ["serviceAccountName", "serviceAccount"].iter().find_map(|name| pod[*name].as_str());
        Some(Self {
            kind: workload.kind().to_owned(),
            service_account: ServiceAccount {
                namespace: namespace.clone(),
                name: account.unwrap_or("default").to_owned(),
            },
            version: version(workload, &image),
            class: match flag(&words, "--controller-class") {
                None => Class::Named("default".into()),
                Some(class) if class.contains("$(") => Class::Unknown,
                Some(class) => Class::Named(class),
            },
            scope: flag(&words, "--namespace").filter(|namespace| !namespace.is_empty()),
            flags: words.into_iter().filter(|word| word.starts_with("--")).map(str::to_owned).collect(),
            container: Container::of(&namespace, container, pod),
            beside: ["initContainers", "containers", "ephemeralContainers"]
                .iter()
                .flat_map(|list| pod[*list].as_array().into_iter().flatten())
                .filter(|other| !std::ptr::eq(*other, container))
                .map(|other| {
                    let name = other["name"].as_str().unwrap_or_default().to_owned();
                    (name, Container::of(&namespace, other, pod))
                })
                .filter(|(_, other)| other.may_hold_login())
                .collect(),
            name: workload.name().to_owned(),
            namespace,
            image,
            minting: Look::Absent,
            installed: Look::Absent,
        })
    }

    /// From a pod that holds the lease of the leader, whatever else it is called.
    pub(super) fn leader(pod: &Object) -> Option<Self> {
        let json = pod.0.to_string();
        let recognised = Recognised::of(json.as_bytes()).flatten().unwrap_or(Recognised { container: 0 });
        Self::recognised(pod, &recognised)
    }

    pub(crate) fn describe(&self) -> String {
        let version = self.version.map(|version| format!(" {version}")).unwrap_or_default();
        format!("External Secrets Operator{version} ({}/{})", self.namespace, self.name)
    }

    /// `Deployment external-secrets/external-secrets`.
    pub(crate) fn workload(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// Whether this pod says no more than its workload.
    pub(super) fn is_like(&self, pod: &Self) -> bool {
        self.container.is_like(&pod.container)
            && pod.beside.iter().all(|(_, it)| self.beside.iter().any(|(_, own)| own.is_like(it)))
    }

    /// Where a file comes from that the controller reads.
    pub(crate) fn file(&self, path: &str) -> Source {
        self.container.file(path)
    }

    /// Whether this store is this controller's to serve.
    pub(crate) fn serves(&self, store: &Store) -> bool {
        let class = store.0.text("/spec/controller");
        self.serves_class(class) && (store.is_cluster() || self.serves_namespace(store.0.namespace()))
    }

    /// Whether objects of this class are its own; an empty one means every controller's.
    pub(crate) fn serves_class(&self, class: &str) -> bool {
        class.is_empty() || matches!(&self.class, Class::Named(own) if own == class)
    }

    pub(crate) fn serves_namespace(&self, namespace: &str) -> bool {
        self.scope.as_deref().is_none_or(|scope| scope == namespace)
    }

    /// Whether these rules of a ClusterRole let it mint for every ServiceAccount.
    pub(super) fn mints_every(role: &Object) -> bool {
        allows(role, "", &["serviceaccounts/token", "*/token"], &["create"])
    }
}

/// `--name=value` or `--name value`; the last one counts.
fn flag(words: &[&str], name: &str) -> Option<String> {
    let mut value = None;
    for (at, word) in words.iter().enumerate() {
        let Some(rest) = word.strip_prefix(name) else { continue };
        match rest.strip_prefix('=') {
            Some(rest) => value = Some(rest.to_owned()),
            None if rest.is_empty() => value = words.get(at + 1).map(|next| (*next).to_owned()),
            None => {}
        }
    }
    value
}

fn version(workload: &Object, image: &str) -> Option<Version> {
    let tag = image.split('@').next()?.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag);
    tag.and_then(Version::parse)
        .or_else(|| workload.label("app.kubernetes.io/version").and_then(Version::parse))
        .or_else(|| {
            workload.label("helm.sh/chart")?.rsplit_once('-').and_then(|(_, tag)| Version::parse(tag))
        })
}

impl Version {
    /// `v0.20.4`, `2.9.0-ubi`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.splitn(3, '.');
        let (major, minor, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let patch = rest.split(|character: char| !character.is_ascii_digit()).next()?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?, patch.parse().ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}
