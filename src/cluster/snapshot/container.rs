//! PURE. What a container could log in with: its variables, and the files that its volumes hold. Values are not kept.

use serde_json::Value;

use super::{
    ConfigMapKey, SecretKey,
    environment::Variable,
    mounts::{Mount, WellKnown},
};

/// The agent of EKS Pod Identity
/// (<https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html>).
const PLATFORM: [&str; 2] = ["http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"];

/// The surroundings of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) environment: Vec<EnvVar>,
    pub(crate) environment_from: Vec<EnvFrom>,
    /// Why what it runs may hold a login of its own.
    pub(crate) runs: Option<&'static str>,
    mounts: Vec<Mount>,
    namespace: String,
}

/// A variable of a container's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvVar {
    pub(crate) name: String,
    /// Where its value comes from, or, for the path of a file, where that file lies.
    pub(crate) source: Source,
    /// The value, if it is the path of a file.
    pub(crate) file: Option<String>,
}

/// Further variables: every key of an object, with this in front of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvFrom {
    pub(crate) prefix: String,
    pub(crate) source: Source,
}

/// Where something comes from that a container reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The pod's own manifest gives an empty value.
    Nothing,
    /// The pod's own manifest gives a switch or a small number, or the value is of the pod's metadata.
    Plain,
    /// The pod's own manifest gives the address of a server, and nothing but that.
    Address,
    /// The pod's own manifest gives the address at which the platform hands out its own short-lived credentials.
    Platform,
    /// It is in the pod's own manifest.
    Literal,
    Secret(SecretKey),
    ConfigMap(ConfigMapKey),
    /// A projected token, which the kubelet renews.
    Token,
    /// What is there is not seen; this is where it lies.
    Elsewhere(&'static str),
}

impl Container {
    pub(super) fn of(namespace: &str, container: &Value, pod: &Value) -> Self {
        let list = |name: &str| container[name].as_array().into_iter().flatten();
        let mounts = Mount::all(container, pod);
        Self {
            environment: list("env")
                .filter_map(|variable| EnvVar::of(namespace, variable, &mounts))
                .collect(),
            environment_from: list("envFrom").map(|from| EnvFrom::of(namespace, from)).collect(),
            runs: runs(container),
            mounts,
            namespace: namespace.to_owned(),
        }
    }

    /// Where a file comes from that the container reads.
    pub(crate) fn file(&self, path: &str) -> Source {
        Mount::source(&self.mounts, &self.namespace, path)
    }

    /// What lies, or may lie, where the vendors' libraries look without being told.
    pub(crate) fn well_known(&self) -> Vec<WellKnown> {
        let home = self.environment.iter().filter(|variable| variable.name == "HOME");
        let homes: Vec<String> = home.filter_map(|variable| variable.file.clone()).collect();
        self.mounts.iter().flat_map(|mount| mount.well_known(&self.namespace, &homes)).collect()
    }

    /// Whether anything that it says may be a login.
    pub(super) fn may_hold_login(&self) -> bool {
        let is_login = |variable: &EnvVar| {
            !matches!(
                Variable::of(&variable.name),
                Variable::Harmless | Variable::Address | Variable::Identifier | Variable::Unknown
            )
        };
        self.environment.iter().any(is_login)
            || !self.environment_from.is_empty()
            || !self.well_known().is_empty()
    }

    /// Whether it has the same surroundings. The pod's own token, which the API server mounts by itself, is not
    /// declared by the workload.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let declared = |mounts: &[Mount]| -> Vec<Mount> {
            mounts.iter().filter(|mount| !mount.is_own_token()).cloned().collect()
        };
        self.namespace == other.namespace
            && self.environment == other.environment
            && self.environment_from == other.environment_from
            && self.runs == other.runs
            && declared(&self.mounts) == declared(&other.mounts)
    }
}

impl EnvVar {
    fn of(namespace: &str, variable: &Value, mounts: &[Mount]) -> Option<Self> {
        let name = variable["name"].as_str()?.to_owned();
        let text = |reference: &Value, member: &str| reference[member].as_str().map(str::to_owned);
        if let Some(from) = variable.get("valueFrom").filter(|from| !from.is_null()) {
            let (secret, config_map) = (&from["secretKeyRef"], &from["configMapKeyRef"]);
            let namespace = namespace.to_owned();
            let source = if let Some(name) = text(secret, "name") {
                Source::Secret(SecretKey { namespace, name, key: text(secret, "key") })
            } else if let Some(name) = text(config_map, "name") {
                Source::ConfigMap(ConfigMapKey { namespace, name, key: text(config_map, "key") })
            } else if is_written_by_hand(from) {
                Source::Elsewhere("an annotation or a label of the pod")
            } else if from.get("fieldRef").is_some() || from.get("resourceFieldRef").is_some() {
                Source::Plain
            } else {
                Source::Elsewhere("a source of no known kind")
            };
            return Some(Self { name, source, file: None });
        }
        let value = variable["value"].as_str().unwrap_or_default();
        // GOOGLE_APPLICATION_CREDENTIALS and its like name a file: which volume is it in?
        if value.starts_with('/') && !value.contains("$(") {
            let source = Mount::source(mounts, namespace, value);
            return Some(Self { name, source, file: Some(value.to_owned()) });
        }
        let source = if value.contains("$(") {
            Source::Elsewhere("other variables")
        } else if value.is_empty() {
            Source::Nothing
        } else if is_plain(value) {
            Source::Plain
        } else if PLATFORM.contains(&value) {
            Source::Platform
        } else if is_address(value) {
            Source::Address
        } else {
            Source::Literal
        };
        Some(Self { name, source, file: None })
    }
}

impl EnvFrom {
    fn of(namespace: &str, from: &Value) -> Self {
        let prefix = from["prefix"].as_str().unwrap_or_default().to_owned();
        let namespace = namespace.to_owned();
        let source = match (from["secretRef"]["name"].as_str(), from["configMapRef"]["name"].as_str()) {
            (Some(name), None) => Source::Secret(SecretKey { namespace, name: name.to_owned(), key: None }),
            (None, Some(name)) => {
                Source::ConfigMap(ConfigMapKey { namespace, name: name.to_owned(), key: None })
            }
            _ => Source::Elsewhere("a source of no known kind"),
        };
        Self { prefix, source }
    }
}

/// Whether metadata of a pod, a `fieldRef` of this, is free text.
pub(super) fn is_written_by_hand(from: &Value) -> bool {
    let path = from.pointer("/fieldRef/fieldPath").and_then(Value::as_str).unwrap_or_default();
    ["metadata.annotations", "metadata.labels"].iter().any(|text| path.starts_with(text))
}

/// Why a container may run something else than the image's program with the program's own flags. What a shell is told
/// may be a login, and what runs beside the program may write one.
fn runs(container: &Value) -> Option<&'static str> {
    let words = |name: &str| container[name].as_array().into_iter().flatten();
    let program = words("command").next();
    let is_own = |word: &Value| {
        let name = word.as_str().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
        name == "manager" || name.contains("external-secrets") && !name.contains(char::is_whitespace)
    };
    if program.is_some_and(|program| !is_own(program)) {
        return Some("a command of its own, in which a login may be written or looked up");
    }
    let mut after_flag = false;
    for word in words("command").skip(1).chain(words("args")) {
        let word = word.as_str().unwrap_or_default();
        let is_flag = word.starts_with('-');
        if !is_flag && (!after_flag || word.contains(char::is_whitespace)) {
            return Some("arguments that are none of External Secrets Operator's");
        }
        if word.trim_start_matches('-').split('=').next() == Some("kubeconfig") {
            return Some("a kubeconfig of its own (--kubeconfig)");
        }
        after_flag = is_flag && !word.contains('=');
    }
    let hooks =
        ["/lifecycle/postStart", "/lifecycle/preStop", "/livenessProbe", "/readinessProbe", "/startupProbe"];
    let has_command = |hook: &&str| {
        container.pointer(hook).is_some_and(|it| it.get("exec").is_some_and(|it| !it.is_null()))
    };
    hooks.iter().any(has_command).then_some("a command that runs beside it (lifecycle or probe)")
}

/// A switch or a small number.
fn is_plain(value: &str) -> bool {
    matches!(value, "true" | "false") || value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is the address of a server, and nothing that could be a login: no path, no query, no user.
pub(crate) fn is_address(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && matches!(url.path(), "" | "/")
        // The parser takes `https:///a@b`, tabs and backslashes for something else than is written there.
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_no_room_for_login() {
        for yes in [
            "https://vault.acme.example",
            "https://vault.acme.example:8200/",
            "http://10.0.0.1:3128",
            "https://[::1]:8200",
        ] {
            assert!(is_address(yes), "{yes}");
        }
        for no in [
            "",
            "vault.acme.example",
            "https://",
            "https://u:p@v.example",
            "https://token@v.example",
            "https://v.example/?t=x",
            "https://v.example/#x",
            "https://v.example/T00/B00/xyz",
            "ftp://v.example",
            "file:///etc/x",
            "https://v.example\\@x",
            "https://v.example/\t",
            "https:///u@v",
            "https://v.example/{{ .x }}",
        ] {
            assert!(!is_address(no), "{no}");
        }
    }
}
