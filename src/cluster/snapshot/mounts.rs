//! PURE. Which volume a file of a container lies in, as the kubelet mounts it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    ConfigMapKey, SecretKey,
    container::{Source, is_written_by_hand},
    file_path::{below, normal},
};

/// A volume, where it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Normal: absolute, without a trailing slash.
    path: String,
    sub_path: SubPath,
    volume: Volume,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SubPath {
    None,
    Path(String),
    /// Made of the container's variables.
    Expression,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Volume {
    /// Secrets, ConfigMaps and tokens, in the order in which they are written.
    Parts(Vec<Part>),
    /// Empty at the start, and no other container of the pod has it.
    Empty,
    /// What lies in it is not seen.
    Unseen(&'static str),
}

/// One source of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Secret {
        name: String,
        items: Items,
    },
    ConfigMap {
        name: String,
        items: Items,
    },
    /// A projected token, in this file.
    Token(String),
    /// The pod's own metadata.
    Downward,
    /// Something else in this file.
    Other(String, &'static str),
}

/// File and key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Items {
    /// Every key is a file of its own name.
    All,
    Named(Vec<(String, String)>),
}

/// Where the API server mounts the pod's own token without being asked.
pub(crate) const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// A token that is valid for longer is as good as a stored one. Seven days, in seconds.
const LONGEST_TOKEN: u64 = 7 * 86_400;
/// Folders below the home in which the vendors' libraries look without being told.
const WELL_KNOWN: [&str; 9] = [
    "/.aws",
    "/.azure",
    "/.config/gcloud",
    "/.oci",
    "/.kube",
    "/.alibabacloud",
    "/.aliyun",
    "/.volc",
    "/.bluemix",
];

/// Something that lies where the vendors' libraries look without being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WellKnown {
    pub(crate) path: String,
    pub(crate) source: Source,
}

impl Mount {
    /// The volumes of this container of a pod.
    pub(super) fn all(container: &Value, pod: &Value) -> Vec<Self> {
        let volumes = pod["volumes"].as_array().map_or(&[][..], Vec::as_slice);
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let mount = |mount: &Value| {
            let name = mount["name"].as_str()?;
            let volume = volumes.iter().find(|volume| volume["name"] == name);
            let sub_path = match (mount["subPathExpr"].as_str(), mount["subPath"].as_str()) {
                (Some(text), _) if !text.is_empty() => SubPath::Expression,
                (_, Some(text)) if !text.is_empty() => SubPath::Path(text.trim_matches('/').to_owned()),
                _ => SubPath::None,
            };
            let path = mount["mountPath"].as_str()?;
            let path = normal(path).unwrap_or_else(|| path.to_owned());
            Some(Self {
                path: if path == "/" { String::new() } else { path },
                sub_path,
                volume: volume.map_or(Volume::Unseen("a volume that the pod does not name"), |volume| {
                    Volume::of(volume, || is_shared(name, container, pod))
                }),
            })
        };
        mounts.filter_map(mount).collect()
    }

    /// Where this file comes from.
    pub(super) fn source(mounts: &[Self], namespace: &str, file: &str) -> Source {
        let Some(file) = normal(file) else {
            return Source::Elsewhere("a path that is relative to something not seen");
        };
        let nearest = mounts
            .iter()
            .filter_map(|mount| Some((mount, below(&file, &mount.path)?)))
            .max_by_key(|(mount, _)| mount.path.len());
        let Some((mount, rest)) = nearest else {
            let own = Some(&file) == normal(OWN_TOKEN).as_ref();
            return if own { Source::Token } else { Source::Elsewhere("the image, or nothing") };
        };
        let file = match (&mount.sub_path, rest) {
            (SubPath::Expression, _) => {
                return Source::Elsewhere("a part of a volume that a variable names (subPathExpr)");
            }
            (SubPath::Path(sub_path), "") => sub_path.clone(),
            (SubPath::Path(sub_path), rest) => format!("{sub_path}/{rest}"),
            (SubPath::None, rest) => rest.to_owned(),
        };
        match &mount.volume {
            Volume::Unseen(what) => Source::Elsewhere(what),
            Volume::Empty => Source::Elsewhere("an emptyDir, which is empty until something writes into it"),
            Volume::Parts(parts) => of_parts(parts, namespace, &file),
        }
    }

    /// What lies, or may lie, where the vendors' libraries look by themselves. `homes` are the folders that may be
    /// the home of the user that the container runs as.
    pub(super) fn well_known(&self, namespace: &str, homes: &[String]) -> Vec<WellKnown> {
        let found = |path: String, source: Source| WellKnown { path, source };
        let whole = |why| vec![found(self.path.clone(), Source::Elsewhere(why))];
        let homes: Vec<_> = homes.iter().filter_map(|home| normal(home)).collect();
        let in_home = self.may_hold_home()
            || homes
                .iter()
                .any(|home| below(home, &self.path).is_some() || self.path == format!("{home}/.config"));
        match (&self.volume, &self.sub_path) {
            (Volume::Empty, _) => Vec::new(),
            (Volume::Unseen(what), _) if in_home || is_well_known(&self.path) => whole(what),
            (Volume::Parts(_), SubPath::Expression) if in_home || is_well_known(&self.path) => {
                whole("a part of a volume that a variable names (subPathExpr)")
            }
            (Volume::Unseen(_), _) | (Volume::Parts(_), SubPath::Expression) => Vec::new(),
            (Volume::Parts(parts), SubPath::Path(sub_path)) => {
                let files = parts.iter().flat_map(|part| part.below(namespace, sub_path));
                let at = |(file, source): (String, Source)| {
                    let path =
                        if file.is_empty() { self.path.clone() } else { format!("{}/{file}", self.path) };
                    found(path, source)
                };
                files.map(at).filter(|found| is_well_known(&found.path)).collect()
            }
            (Volume::Parts(parts), SubPath::None) => {
                let files = parts.iter().flat_map(|part| part.below(namespace, ""));
                let at = |(file, source): (String, Source)| found(format!("{}/{file}", self.path), source);
                files.map(at).filter(|found| is_well_known(&found.path)).collect()
            }
        }
    }

    /// Whether it is a home folder by custom, or holds home folders.
    fn may_hold_home(&self) -> bool {
        let steps: Vec<_> = self.path.split('/').skip(1).collect();
        matches!(
            steps[..],
            [] | ["root" | "home" | ".config"] | ["root", ".config"] | ["home", _] | ["home", _, ".config"]
        )
    }

    /// Whether it is the projected token that the API server mounts into every pod.
    pub(super) fn is_own_token(&self) -> bool {
        let Some(folder) = OWN_TOKEN.strip_suffix("/token").and_then(normal) else { return false };
        let Volume::Parts(parts) = &self.volume else { return false };
        let named = |part: &Part| match part {
            Part::Token(path) => path == "token",
            Part::ConfigMap { items: Items::Named(items), .. } => {
                items.iter().all(|(path, _)| path == "ca.crt")
            }
            Part::Downward => true,
            Part::ConfigMap { .. } | Part::Secret { .. } | Part::Other(..) => false,
        };
        self.path == folder && self.sub_path == SubPath::None && parts.iter().all(named)
    }
}

/// The last part that writes this file, as the kubelet does it.
fn of_parts(parts: &[Part], namespace: &str, file: &str) -> Source {
    // The kubelet's own links: `..data/key.json` is `key.json`.
    let file = file.strip_prefix("..data/").unwrap_or(file);
    let mut source = None;
    for part in parts {
        match part {
            Part::Token(path) if path == file => source = Some(Source::Token),
            Part::Other(path, what) if path == file => source = Some(Source::Elsewhere(what)),
            Part::Token(_) | Part::Downward | Part::Other(..) => {}
            Part::Secret { name, items } => {
                if let Some(key) = items.key(file) {
                    let (namespace, name) = (namespace.to_owned(), name.clone());
                    source = Some(Source::Secret(SecretKey { namespace, name, key: Some(key) }));
                }
            }
            Part::ConfigMap { name, items } => {
                if let Some(key) = items.key(file) {
                    let (namespace, name) = (namespace.to_owned(), name.clone());
                    source = Some(Source::ConfigMap(ConfigMapKey { namespace, name, key: Some(key) }));
                }
            }
        }
    }
    source.unwrap_or(Source::Elsewhere("a volume that does not hold this file"))
}

impl Volume {
    fn of(volume: &Value, is_shared: impl Fn() -> bool) -> Self {
        let Some(members) = volume.as_object() else { return Self::Unseen("a volume of no known kind") };
        let kinds = members.iter().filter(|(name, value)| *name != "name" && !value.is_null());
        let kinds: BTreeSet<_> = kinds.map(|(name, _)| name.as_str()).collect();
        // A volume has one source.
        match kinds.into_iter().collect::<Vec<_>>()[..] {
            ["secret"] => Self::parts(Part::secret(&volume["secret"], "secretName")),
            ["configMap"] => Self::parts(Part::config_map(&volume["configMap"])),
            ["downwardAPI"] => Self::Parts(Part::downward(&volume["downwardAPI"])),
            ["projected"] => {
                let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
                let parts = sources.into_iter().flatten().map(Part::projected).collect::<Option<Vec<_>>>();
                let parts = parts.map(|parts| parts.into_iter().flatten().collect());
                parts.map_or(Self::Unseen("a projected volume with a source of no known kind"), Self::Parts)
            }
            ["emptyDir"] | [] if is_shared() => {
                Self::Unseen("an emptyDir that another container of the pod can write into")
            }
            ["emptyDir"] | [] => Self::Empty,
            ["hostPath"] => Self::Unseen("a folder of the node (hostPath)"),
            ["csi"] => Self::Unseen("a CSI volume"),
            ["persistentVolumeClaim"] => Self::Unseen("a persistent volume"),
            ["image"] => Self::Unseen("an image that is mounted as volume"),
            _ => Self::Unseen("a volume of no known kind"),
        }
    }

    fn parts(part: Option<Part>) -> Self {
        part.map_or(Self::Unseen("a volume that names nothing"), |part| Self::Parts(vec![part]))
    }
}

/// Whether another container of the pod has the volume too.
fn is_shared(name: &str, container: &Value, pod: &Value) -> bool {
    let lists = ["containers", "initContainers", "ephemeralContainers"].iter();
    let others = lists.flat_map(|list| pod[*list].as_array().into_iter().flatten());
    let mut others = others.filter(|other| !std::ptr::eq(*other, container));
    others.any(|other| {
        other["volumeMounts"].as_array().into_iter().flatten().any(|mount| mount["name"] == name)
    })
}

impl Part {
    fn secret(source: &Value, member: &str) -> Option<Self> {
        Some(Self::Secret { name: source[member].as_str()?.to_owned(), items: Items::of(source)? })
    }

    fn config_map(source: &Value) -> Option<Self> {
        Some(Self::ConfigMap { name: source["name"].as_str()?.to_owned(), items: Items::of(source)? })
    }

    /// Metadata of the pod, of which annotations and labels may say anything.
    fn downward(source: &Value) -> Vec<Self> {
        let items = source["items"].as_array().into_iter().flatten();
        let by_hand = items.filter(|item| is_written_by_hand(item)).map(|item| {
            let path = item["path"].as_str().unwrap_or_default();
            Self::Other(path.trim_start_matches("./").to_owned(), "an annotation or a label of the pod")
        });
        std::iter::once(Self::Downward).chain(by_hand).collect()
    }

    /// One of a projected volume's sources.
    fn projected(source: &Value) -> Option<Vec<Self>> {
        let kinds = source.as_object()?.iter().filter(|(_, value)| !value.is_null());
        let part = match kinds.collect::<Vec<_>>()[..] {
            [(kind, value)] => match kind.as_str() {
                "secret" => Self::secret(value, "name"),
                "configMap" => Self::config_map(value),
                "serviceAccountToken" => {
                    let path = value["path"].as_str()?.to_owned();
                    let is_long =
                        value["expirationSeconds"].as_u64().is_some_and(|seconds| seconds > LONGEST_TOKEN);
                    Some(match is_long {
                        true => Self::Other(path, "a projected token that is valid for more than seven days"),
                        false => Self::Token(path),
                    })
                }
                "downwardAPI" => return Some(Self::downward(value)),
                "clusterTrustBundle" => Some(Self::Downward),
                _ => None,
            },
            _ => None,
        };
        part.map(|part| vec![part])
    }

    /// Files below this folder of the volume, relative to it, and where each comes from. A part that writes every key
    /// gives one file, without a name of its own; a folder that is a file itself gives the empty name.
    fn below(&self, namespace: &str, folder: &str) -> Vec<(String, Source)> {
        let (name, items, is_secret) = match self {
            Self::Secret { name, items } => (name, items, true),
            Self::ConfigMap { name, items } => (name, items, false),
            Self::Token(_) | Self::Downward => return Vec::new(),
            Self::Other(path, what) => {
                let rest = if folder.is_empty() { Some(path.as_str()) } else { below(path, folder) };
                let found = rest.map(|rest| (rest.to_owned(), Source::Elsewhere(what)));
                return found.into_iter().collect();
            }
        };
        let source = |key: Option<String>| {
            let (namespace, name) = (namespace.to_owned(), name.clone());
            if is_secret {
                Source::Secret(SecretKey { namespace, name, key })
            } else {
                Source::ConfigMap(ConfigMapKey { namespace, name, key })
            }
        };
        match items {
            Items::All if folder.is_empty() => vec![("*".to_owned(), source(None))],
            Items::All => vec![(String::new(), source(Some(folder.to_owned())))],
            Items::Named(items) => items
                .iter()
                .filter_map(|(path, key)| {
                    let rest = if folder.is_empty() { path.as_str() } else { below(path, folder)? };
                    Some((rest.to_owned(), source(Some(key.clone()))))
                })
                .collect(),
        }
    }
}

impl Items {
    /// `None` for items that are no list of files and keys.
    fn of(source: &Value) -> Option<Self> {
        let Some(items) = source.get("items").filter(|items| !items.is_null()) else {
            return Some(Self::All);
        };
        let items = items.as_array()?.iter();
        let items = items.map(|item| {
            let path = item["path"].as_str()?.trim_start_matches("./").to_owned();
            Some((path, item["key"].as_str()?.to_owned()))
        });
        let items = items.collect::<Option<Vec<_>>>()?;
        Some(if items.is_empty() { Self::All } else { Self::Named(items) })
    }

    /// The key that lies in this file.
    fn key(&self, file: &str) -> Option<String> {
        match self {
            Self::All => (!file.is_empty() && !file.contains('/')).then(|| file.to_owned()),
            Self::Named(items) => {
                let mut files = items.iter().filter(|(path, _)| path == file);
                files.next_back().map(|(_, key)| key.clone())
            }
        }
    }
}

/// Whether a file is one that the vendors' libraries look for by themselves.
fn is_well_known(path: &str) -> bool {
    WELL_KNOWN.iter().any(|folder| path.ends_with(folder) || path.contains(&format!("{folder}/")))
}

#[cfg(test)]
#[path = "mounts_tests.rs"]
mod tests;
