//! The controllers of External Secrets Operator: where they run, as whom, in which version, and what of their own
//! surroundings they could log in with.

use std::fmt;

use serde_json::Value;

use super::SecretKey;
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
    pub(crate) minting: Look<Minting>,
}

/// A variable of the controller's environment. Its value is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvVar {
    pub(crate) name: String,
    /// Where its value comes from, or, for the name of a file, where that file lies.
    pub(crate) secret: Option<SecretKey>,
    /// It names a file that does not come from a Secret.
    pub(crate) elsewhere: bool,
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
            environment: variables
                .filter_map(|variable| env_var(&namespace, variable, container, pod))
                .collect(),
            environment_is_open: container["envFrom"].as_array().is_some_and(|sources| !sources.is_empty()),
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

fn env_var(namespace: &str, variable: &Value, container: &Value, pod: &Value) -> Option<EnvVar> {
    let name = variable["name"].as_str()?.to_owned();
    let secret_key = |reference: &Value| {
        let text = |member: &str| reference[member].as_str().map(str::to_owned);
        Some(SecretKey { namespace: namespace.to_owned(), name: text("name")?, key: text("key") })
    };
    if let Some(reference) = variable.pointer("/valueFrom/secretKeyRef") {
        return Some(EnvVar { name, secret: secret_key(reference), elsewhere: false });
    }
    // GOOGLE_APPLICATION_CREDENTIALS and its like name a file: which volume is it in?
    let file = variable["value"].as_str().filter(|value| value.starts_with('/'));
    let secret = file.and_then(|file| mounted(namespace, file, container, pod));
    Some(EnvVar { name, elsewhere: file.is_some() && secret.is_none(), secret })
}

fn mounted(namespace: &str, file: &str, container: &Value, pod: &Value) -> Option<SecretKey> {
    let mounts = container["volumeMounts"].as_array()?.iter();
    let (mount, rest) = mounts
        .filter_map(|mount| {
            let path = mount["mountPath"].as_str()?.trim_end_matches('/');
            let rest = file.strip_prefix(path)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((mount, rest.trim_start_matches('/')))
        })
        .max_by_key(|(mount, _)| mount["mountPath"].as_str().map_or(0, str::len))?;
    let volume = pod["volumes"].as_array()?.iter().find(|volume| volume["name"] == mount["name"])?;
    let sources = volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten();
    let (secret, name) = std::iter::once(&volume["secret"])
        .map(|secret| (secret, &secret["secretName"]))
        .chain(sources.map(|source| (&source["secret"], &source["secret"]["name"])))
        .find(|(_, name)| name.is_string())?;
    let file = if rest.is_empty() { mount["subPath"].as_str().unwrap_or_default() } else { rest };
    let items = secret["items"].as_array().into_iter().flatten();
    let key = items.filter(|item| item["path"] == file).find_map(|item| item["key"].as_str()).unwrap_or(file);
    Some(SecretKey {
        namespace: namespace.to_owned(),
        name: name.as_str()?.to_owned(),
        key: Some(key.to_owned()),
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
