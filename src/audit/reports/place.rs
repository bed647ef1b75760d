//! PURE. An object that a report names, in the parts that other programs want.

use super::escape::segment;
use crate::cluster::snapshot::{ConfigMapKey, SecretKey};

/// `Deployment shop/api (spec.template.spec.containers.app.env)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) kind: String,
    /// `None`: of the whole cluster, or not known.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// Where in the object.
    pub(super) path: Option<String>,
}

/// `apiVersion`s of kinds that are found most; the others are named without one.
const API_VERSIONS: &[(&str, &str)] = &[
    ("ConfigMap", "v1"),
    ("CronJob", "batch/v1"),
    ("DaemonSet", "apps/v1"),
    ("Deployment", "apps/v1"),
    ("Job", "batch/v1"),
    ("Pod", "v1"),
    ("ReplicaSet", "apps/v1"),
    ("Secret", "v1"),
    ("ServiceAccount", "v1"),
    ("StatefulSet", "apps/v1"),
];

impl Place {
    /// Out of the text that names an object. What is not of that form is a name as a whole.
    pub(super) fn read(text: &str) -> Self {
        let (object, path) = match text.split_once(" (") {
            Some((object, path)) => (object, Some(path.strip_suffix(')').unwrap_or(path).to_owned())),
            None => (text, None),
        };
        let is_kind = |kind: &str| {
            kind.starts_with(|it: char| it.is_ascii_uppercase())
                && kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let Some((kind, name)) = object.split_once(' ').filter(|(kind, _)| is_kind(kind)) else {
            return Self { kind: "Object".into(), namespace: None, name: text.to_owned(), path: None };
        };
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) if is_label(namespace) => (Some(namespace.to_owned()), name),
            _ => (None, name),
        };
        Self { kind: kind.to_owned(), namespace, name: name.to_owned(), path }
    }

    pub(super) fn of_secret(key: &SecretKey) -> Self {
        Self::in_namespace("Secret", &key.namespace, &key.name, key.key.as_deref())
    }

    pub(super) fn of_config_map(key: &ConfigMapKey) -> Self {
        Self::in_namespace("ConfigMap", &key.namespace, &key.name, key.key.as_deref())
    }

    fn in_namespace(kind: &str, namespace: &str, name: &str, key: Option<&str>) -> Self {
        Self {
            kind: kind.into(),
            namespace: Some(namespace.into()),
            name: name.into(),
            path: key.map(str::to_owned),
        }
    }

    /// The same object, wherever in it.
    pub(super) fn whole(&self) -> Self {
        Self { path: None, ..self.clone() }
    }

    pub(super) fn api_version(&self) -> Option<&'static str> {
        API_VERSIONS.iter().find(|(kind, _)| *kind == self.kind).map(|(_, version)| *version)
    }

    /// A relative URI (RFC 3986) that no file of a repository has.
    pub(super) fn uri(&self) -> String {
        let namespace = self.namespace.as_deref().map_or_else(|| "_cluster".to_owned(), segment);
        format!("k8s/{namespace}/{}/{}", segment(&self.kind), segment(&self.name))
    }

    /// The object with its place in it, e.g. `shop/Secret/db/password`.
    pub(super) fn qualified(&self) -> String {
        let namespace = self.namespace.iter().map(String::as_str);
        let parts = namespace.chain([self.kind.as_str(), self.name.as_str()]);
        parts.chain(self.path.as_deref()).collect::<Vec<_>>().join("/")
    }
}

/// Whether a text can be the name of a namespace (RFC 1123 label).
pub(super) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let namespace = self.namespace.as_ref().map(|it| format!("{it}/")).unwrap_or_default();
        write!(f, "{} {namespace}{}", self.kind, self.name)?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, " ({path})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_in_parts() {
        for (text, wanted, uri) in [
            (
                "ClusterSecretStore gcp",
                (None, "ClusterSecretStore", "gcp", None),
                "k8s/_cluster/ClusterSecretStore/gcp",
            ),
            (
                "Deployment shop/api (spec.a)",
                (Some("shop"), "Deployment", "api", Some("spec.a")),
                "k8s/shop/Deployment/api",
            ),
            (
                "lower shop/api",
                (None, "Object", "lower shop/api", None),
                "k8s/_cluster/Object/lower%20shop%2Fapi",
            ),
            ("Secret ../x", (None, "Secret", "../x", None), "k8s/_cluster/Secret/..%2Fx"),
            ("Secret a/..", (Some("a"), "Secret", "..", None), "k8s/a/Secret/%2E%2E"),
            ("", (None, "Object", "", None), "k8s/_cluster/Object/_"),
        ] {
            let it = Place::read(text);
            let parts = (it.namespace.as_deref(), it.kind.as_str(), it.name.as_str(), it.path.as_deref());
            assert_eq!((parts, it.uri().as_str()), (wanted, uri), "{text}");
        }
    }
}
