//! The controllers of External Secrets Operator: where they run, as whom, in which version, and what of their own
//! surroundings they could log in with.

use std::fmt;

use serde_json::Value;

use super::pod::{EnvVar, Mount, Source};
use crate::cluster::{
    ServiceAccount,
    objects::{Look, Object},
};

/// One Deployment of the controller itself, not of its webhook or certificate controller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Controller {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) service_account: ServiceAccount,
    /// Of the image or, failing that, of the labels; `None` when neither tells it.
    pub(crate) version: Option<Version>,
    pub(crate) image: String,
    /// What begins with `--`.
    pub(crate) flags: Vec<String>,
    pub(crate) environment: Vec<EnvVar>,
    /// It takes further variables from whole objects, so `environment` is not all of it.
    pub(crate) environment_is_open: bool,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) minting: Look<Minting>,
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
    pub(super) fn of(deployment: &Object) -> Option<Self> {
        let pod = deployment.0.pointer("/spec/template/spec")?;
        let containers = pod.get("containers")?.as_array()?;
        let container = containers.iter().find(|container| is_controller(container))?;
        let image = container["image"].as_str().unwrap_or_default().to_owned();
        let namespace = deployment.namespace().to_owned();
        let words = |name: &str| {
            container.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        };
        let account = ["serviceAccountName", "serviceAccount"].iter().find_map(|name| pod[*name].as_str());
        let variables = container["env"].as_array().into_iter().flatten();
        let mounts = Mount::all(container, pod);
        Some(Self {
            service_account: ServiceAccount {
                namespace: namespace.clone(),
                name: account.unwrap_or("default").to_owned(),
            },
            version: version(deployment, &image),
            flags: words("command")
                .chain(words("args"))
                .filter(|word| word.starts_with("--"))
                .map(str::to_owned)
                .collect(),
            environment: variables.filter_map(|variable| EnvVar::of(&namespace, variable, &mounts)).collect(),
            environment_is_open: container["envFrom"].as_array().is_some_and(|sources| !sources.is_empty()),
            mounts,
            name: deployment.name().to_owned(),
            namespace,
            image,
            minting: Look::Absent,
        })
    }

    pub(crate) fn describe(&self) -> String {
        let version = self.version.map(|version| format!(" {version}")).unwrap_or_default();
        format!("External Secrets Operator{version} ({}/{})", self.namespace, self.name)
    }

    /// `Deployment external-secrets/external-secrets`.
    pub(crate) fn deployment(&self) -> String {
        format!("Deployment {}/{}", self.namespace, self.name)
    }

    /// Where a file comes from that the controller reads.
    pub(crate) fn file(&self, path: &str) -> Source {
        Mount::source(&self.mounts, &self.namespace, path)
    }

    /// Whether these rules of a ClusterRole let it mint for every ServiceAccount.
    pub(super) fn mints_every(role: &Object) -> bool {
        let rules = role.0.get("rules").and_then(Value::as_array);
        rules.into_iter().flatten().any(|rule| {
            let has = |name: &str, wanted: &[&str]| {
                let listed = rule.get(name).and_then(Value::as_array).into_iter().flatten();
                listed.filter_map(Value::as_str).any(|word| word == "*" || wanted.contains(&word))
            };
            let named = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
            !named
                && has("apiGroups", &[""])
                && has("resources", &["serviceaccounts/token", "*/token"])
                && has("verbs", &["create"])
        })
    }
}

/// The image `…/external-secrets` without the command of one of its other parts.
fn is_controller(container: &Value) -> bool {
    let image = container["image"].as_str().unwrap_or_default();
    let name = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let arguments =
        ["command", "args"].iter().flat_map(|list| container[*list].as_array().into_iter().flatten());
    name.split(':').next() == Some("external-secrets")
        && !arguments.filter_map(Value::as_str).any(|word| matches!(word, "webhook" | "certcontroller"))
}

fn version(deployment: &Object, image: &str) -> Option<Version> {
    let tag = image.split('@').next()?.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag);
    tag.and_then(Version::parse)
        .or_else(|| deployment.label("app.kubernetes.io/version").and_then(Version::parse))
        .or_else(|| {
            deployment.label("helm.sh/chart")?.rsplit_once('-').and_then(|(_, tag)| Version::parse(tag))
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
