//! What a container could log in with: its variables, and the files that its volumes hold.

use serde_json::Value;

use super::{ConfigMapKey, SecretKey};

/// A variable of a container's environment. Its value is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvVar {
    pub(crate) name: String,
    /// Where its value comes from, or, for the name of a file, where that file lies.
    pub(crate) source: Source,
}

/// Where something comes from that a container reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// It stands in the pod's own manifest.
    Literal,
    Secret(SecretKey),
    ConfigMap(ConfigMapKey),
    /// A projected token, which the kubelet renews.
    Token,
    /// A file of the image, of the node, or of another kind of volume.
    Elsewhere,
}

/// A volume, where it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    path: String,
    sub_path: Option<String>,
    parts: Vec<Part>,
}

/// What a volume is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    kind: Kind,
    name: String,
    /// File and key; empty where every key is a file of its own name.
    items: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Secret,
    ConfigMap,
    /// `name` is its file.
    Token,
}

/// Where the API server mounts the pod's own token without being asked.
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl EnvVar {
    pub(super) fn of(namespace: &str, variable: &Value, mounts: &[Mount]) -> Option<Self> {
        let name = variable["name"].as_str()?.to_owned();
        let text = |reference: &Value, member: &str| reference[member].as_str().map(str::to_owned);
        if let Some(from) = variable.get("valueFrom").filter(|from| !from.is_null()) {
            let (secret, config_map) = (&from["secretKeyRef"], &from["configMapKeyRef"]);
            let source = if let Some(name) = text(secret, "name") {
                Source::Secret(SecretKey { namespace: namespace.to_owned(), name, key: text(secret, "key") })
            } else if let Some(name) = text(config_map, "name") {
                let key = text(config_map, "key");
                Source::ConfigMap(ConfigMapKey { namespace: namespace.to_owned(), name, key })
            } else {
                Source::Elsewhere
            };
            return Some(Self { name, source });
        }
        // GOOGLE_APPLICATION_CREDENTIALS and its like name a file: which volume is it in?
        let file = variable["value"].as_str().filter(|value| value.starts_with('/'));
        let source = file.map_or(Source::Literal, |file| Mount::source(mounts, namespace, file));
        Some(Self { name, source })
    }
}

impl Mount {
    pub(super) fn all(container: &Value, pod: &Value) -> Vec<Self> {
        let volumes = pod["volumes"].as_array().map_or(&[][..], Vec::as_slice);
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let mount = |mount: &Value| {
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
            Some(Self {
                path: mount["mountPath"].as_str()?.trim_end_matches('/').to_owned(),
                sub_path: mount["subPath"].as_str().filter(|path| !path.is_empty()).map(str::to_owned),
                parts: volume.map(Part::all).unwrap_or_default(),
            })
        };
        mounts.filter_map(mount).collect()
    }

    /// Where this file comes from.
    pub(super) fn source(mounts: &[Self], namespace: &str, file: &str) -> Source {
        let below = |mount: &'_ Self| {
            let rest = file.strip_prefix(mount.path.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
        };
        let nearest = mounts
            .iter()
            .filter_map(|mount| Some((mount, below(mount)?)))
            .max_by_key(|(mount, _)| mount.path.len());
        let Some((mount, rest)) = nearest else {
            return if file == OWN_TOKEN { Source::Token } else { Source::Elsewhere };
        };
        let file = match (&mount.sub_path, rest.as_str()) {
            (Some(sub_path), "") => sub_path.clone(),
            (Some(sub_path), rest) => format!("{sub_path}/{rest}"),
            (None, rest) => rest.to_owned(),
        };
        let named = mount.parts.iter().find_map(|part| part.named(namespace, &file));
        let whole = || mount.parts.iter().find_map(|part| part.whole(namespace, &file));
        named.or_else(whole).unwrap_or(Source::Elsewhere)
    }

    /// Whether something stored lies where the vendors' own tools look without being told.
    pub(crate) fn is_well_known(&self) -> bool {
        let stored = self.parts.iter().any(|part| part.kind != Kind::Token);
        stored && ["/.aws", "/.azure", "/.config/gcloud"].iter().any(|place| self.path.contains(place))
    }

    /// Whether the volume takes anything from this Secret.
    pub(super) fn is_of_secret(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.kind == Kind::Secret && part.name == name)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl Part {
    fn all(volume: &Value) -> Vec<Self> {
        let part = |kind, source: &Value, member: &str| {
            let items = source["items"].as_array().into_iter().flatten();
            let item =
                |item: &Value| Some((item["path"].as_str()?.to_owned(), item["key"].as_str()?.to_owned()));
            Some(Self {
                kind,
                name: source[member].as_str()?.to_owned(),
                items: items.filter_map(item).collect(),
            })
        };
        let mut parts: Vec<_> = [
            part(Kind::Secret, &volume["secret"], "secretName"),
            part(Kind::ConfigMap, &volume["configMap"], "name"),
        ]
        .into_iter()
        .flatten()
        .collect();
        for source in volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten() {
            parts.extend(part(Kind::Secret, &source["secret"], "name"));
            parts.extend(part(Kind::ConfigMap, &source["configMap"], "name"));
            parts.extend(part(Kind::Token, &source["serviceAccountToken"], "path"));
        }
        parts
    }

    /// If it is known to hold this file.
    fn named(&self, namespace: &str, file: &str) -> Option<Source> {
        match self.kind {
            Kind::Token => (self.name == file).then_some(Source::Token),
            Kind::Secret | Kind::ConfigMap => {
                let (_, key) = self.items.iter().find(|(path, _)| path == file)?;
                Some(self.key(namespace, key))
            }
        }
    }

    /// If it may hold this file, under its own name.
    fn whole(&self, namespace: &str, file: &str) -> Option<Source> {
        (self.kind != Kind::Token && self.items.is_empty()).then(|| self.key(namespace, file))
    }

    fn key(&self, namespace: &str, key: &str) -> Source {
        let (namespace, name, key) = (namespace.to_owned(), self.name.clone(), Some(key.to_owned()));
        match self.kind {
            Kind::ConfigMap => Source::ConfigMap(ConfigMapKey { namespace, name, key }),
            Kind::Secret | Kind::Token => Source::Secret(SecretKey { namespace, name, key }),
        }
    }
}
