//! Which kinds of External Secrets Operator the API server has, and in which version each is read. That a kind is not
//! there is proved twice: by the API server's own list of groups, and by the definition that does not exist.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::kinds::OF_OTHERS;
use crate::cluster::objects::{Look, Resource, Unseen};

/// What the API server says of itself (`GET /version`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerVersion {
    git_version: String,
}

impl ServerVersion {
    /// `v1.36.3`, if this is how an API server answers.
    pub(super) fn read(body: &[u8]) -> Option<String> {
        let version = serde_json::from_slice::<Self>(body).ok()?.git_version;
        version.starts_with('v').then_some(version)
    }
}

/// `APIGroupList`, of `GET /apis`.
#[derive(Deserialize)]
pub(super) struct Groups {
    kind: String,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
}

/// Groups of workloads, and of the lease by which one of several controllers leads. A control plane without nodes may
/// have only some of their kinds.
const RUN_AS: [&str; 3] = ["apps", "batch", "coordination.k8s.io"];

fn is_eso(group: &str) -> bool {
    group == "external-secrets.io" || group.ends_with(".external-secrets.io")
}

/// Groups that every API server has on which External Secrets Operator can run.
const ALWAYS: [&str; 2] = ["apiextensions.k8s.io", "apps"];

impl Groups {
    /// `None` for what is not the list of an API server that knows custom resources.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let groups: Self = serde_json::from_slice(body).ok()?;
        let has = |name: &&str| groups.groups.iter().any(|group| group.name == **name);
        (groups.kind == "APIGroupList" && ALWAYS.iter().all(has)).then_some(groups)
    }

    /// Group and version of everything that belongs to External Secrets Operator, or that its controllers run as.
    pub(super) fn wanted(&self) -> Vec<(String, String)> {
        let is_wanted = |group: &&Group| {
            let name = group.name.as_str();
            is_eso(name) || RUN_AS.contains(&name) || OF_OTHERS.iter().any(|(group, _)| *group == name)
        };
        let groups = self.groups.iter().filter(is_wanted);
        groups
            .flat_map(|group| {
                group.versions.iter().map(|version| (group.name.clone(), version.version.clone()))
            })
            .collect()
    }
}

/// `APIResourceList`, of `GET /apis/GROUP/VERSION`.
#[derive(Deserialize)]
pub(super) struct Resources {
    kind: String,
    resources: Vec<Listed>,
}

#[derive(Clone, Debug, Deserialize)]
struct Listed {
    name: String,
    kind: String,
    namespaced: bool,
}

impl Resources {
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let resources: Self = serde_json::from_slice(body).ok()?;
        (resources.kind == "APIResourceList").then_some(resources)
    }
}

/// What the API server itself says that it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Discovered {
    /// By the name of the kind, `clustersecretstores.external-secrets.io`: its kind, whether it is namespaced, and its
    /// versions in the server's order.
    kinds: BTreeMap<String, (String, bool, Vec<String>)>,
}

impl Discovered {
    pub(super) fn add(&mut self, group: &str, version: &str, resources: Resources) {
        // `secretstores/status` is a part of a kind.
        for listed in resources.resources.into_iter().filter(|listed| !listed.name.contains('/')) {
            let name = format!("{}.{group}", listed.name);
            let kind = self.kinds.entry(name).or_insert((listed.kind, listed.namespaced, Vec::new()));
            kind.2.push(version.to_owned());
        }
    }

    fn versions(&self, resource: &Resource) -> &[String] {
        self.kinds.get(&resource.name()).map_or(&[], |(_, _, versions)| versions)
    }

    /// Whether the API server has this kind.
    pub(super) fn has(&self, resource: &Resource) -> bool {
        !self.versions(resource).is_empty()
    }

    /// A kind of this name, as it can be listed.
    pub(super) fn listed(&self, group: &str, plural: &str) -> Option<Resource> {
        let (kind, namespaced, versions) = self.kinds.get(&format!("{plural}.{group}"))?;
        Some(Resource {
            group: group.to_owned().into(),
            version: best(versions)?.into(),
            plural: plural.to_owned().into(),
            kind: kind.clone().into(),
            namespaced: *namespaced,
        })
    }

    /// Kinds of External Secrets Operator beside these, as they can be listed.
    pub(super) fn others(&self, known: &[Resource]) -> Vec<Resource> {
        let others = self.kinds.iter().filter(|(name, _)| {
            name.split_once('.').is_some_and(|(_, group)| is_eso(group))
                && known.iter().all(|known| known.name() != **name)
        });
        others
            .filter_map(|(name, _)| {
                name.split_once('.').and_then(|(plural, group)| self.listed(group, plural))
            })
            .collect()
    }
}

/// The versions that a CustomResourceDefinition serves.
#[derive(Deserialize)]
pub(super) struct Definition {
    spec: DefinitionSpec,
}

#[derive(Deserialize)]
struct DefinitionSpec {
    versions: Vec<DefinitionVersion>,
}

#[derive(Deserialize)]
struct DefinitionVersion {
    name: String,
    #[serde(default)]
    served: bool,
}

impl Definition {
    pub(super) fn served(self) -> Vec<String> {
        self.spec.versions.into_iter().filter(|version| version.served).map(|version| version.name).collect()
    }
}

/// Whether and in which version a kind is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Presence {
    /// It is there: its list must be answered.
    Read(Resource),
    /// Neither the API server's groups nor the definitions have it.
    Absent,
    Unseen(Unseen),
}

/// Decides it for one kind. `discovered` is `None` when the API server did not say what it has.
pub(super) fn presence(
    resource: &Resource,
    definition: &Look<Vec<String>>,
    discovered: Option<&Discovered>,
) -> Presence {
    let listed = discovered.map(|discovered| discovered.versions(resource));
    match definition {
        Look::Seen(served) => match best(served) {
            Some(version) => Presence::Read(resource.at_version(&version)),
            None => Presence::Unseen(Unseen {
                what: resource.name(),
                right: resource.right("list", None, None),
                why: "its custom resource definition serves no version".into(),
            }),
        },
        Look::Absent | Look::Unseen(_) if listed.is_some_and(|versions| !versions.is_empty()) => {
            let version = listed.and_then(best);
            Presence::Read(version.map_or_else(|| resource.clone(), |version| resource.at_version(&version)))
        }
        // Without the groups it is not known whether this is what the API server says, or what is left of it.
        Look::Absent if listed.is_some() => Presence::Absent,
        Look::Absent => Presence::Unseen(Unseen {
            what: resource.name(),
            right: "get the non-resource URL `/apis`".into(),
            why: "whether there is such a kind is not proved".into(),
        }),
        Look::Unseen(unseen) => Presence::Unseen(unseen.clone()),
    }
}

/// A stable version before a beta before an alpha, the later before the earlier.
fn best(versions: &[String]) -> Option<String> {
    let rank = |version: &String| {
        let rest = version.strip_prefix('v').unwrap_or_default();
        let digits =
            |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>();
        let major = digits(rest).unwrap_or(0);
        let stage = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let (stability, minor) = match (stage.strip_prefix("beta"), stage.strip_prefix("alpha")) {
            (Some(minor), _) => (1, minor),
            (_, Some(minor)) => (0, minor),
            _ if stage.is_empty() => (2, ""),
            _ => (0, ""),
        };
        (stability, major, digits(minor).unwrap_or(0))
    };
    versions.iter().max_by_key(|version| rank(version)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    static STORES: Resource = Resource::new("external-secrets.io", "v1", "secretstores", "SecretStore", true);

    fn versions(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn unseen() -> Look<Vec<String>> {
        Look::Unseen(Unseen { what: "a".into(), right: "b".into(), why: "c".into() })
    }

    fn discovered(names: &[&str]) -> Discovered {
        let mut discovered = Discovered::default();
        for version in names {
            let body = br#"{"kind":"APIResourceList","resources":[{"name":"secretstores","kind":"SecretStore","namespaced":true},{"name":"secretstores/status","kind":"SecretStore","namespaced":true},{"name":"providerstores","kind":"ProviderStore","namespaced":true}]}"#;
            discovered.add("external-secrets.io", version, Resources::of(body).unwrap());
        }
        discovered
    }

    #[test]
    fn best_version_is_stable_and_latest() {
        for (names, wanted) in [
            (&["v1alpha1", "v1", "v1beta1"][..], Some("v1")),
            (&["v1", "v2"], Some("v2")),
            (&["v1", "v2alpha1"], Some("v1")),
            (&["v1alpha1", "v1beta1"], Some("v1beta1")),
            (&["v1beta1", "v1beta2"], Some("v1beta2")),
            (&[], None),
        ] {
            assert_eq!(best(&versions(names)).as_deref(), wanted, "{names:?}");
        }
    }

    #[test]
    fn absence_needs_both_proofs() {
        let read = |version: &str| Presence::Read(STORES.at_version(version));
        let (none, some) = (Discovered::default(), discovered(&["v1beta1"]));
        for (definition, discovered, wanted) in [
            (Look::Seen(versions(&["v1"])), Some(&none), read("v1")),
            (Look::Seen(versions(&["v1beta1"])), None, read("v1beta1")),
            (Look::Absent, Some(&some), read("v1beta1")),
            (unseen(), Some(&some), read("v1beta1")),
            (Look::Absent, Some(&none), Presence::Absent),
        ] {
            assert_eq!(presence(&STORES, &definition, discovered), wanted, "{definition:?}");
        }
        for (definition, discovered) in [
            (Look::Absent, None),
            (unseen(), Some(&none)),
            (unseen(), None),
            (Look::Seen(Vec::new()), Some(&none)),
        ] {
            let decided = presence(&STORES, &definition, discovered);
            assert!(matches!(decided, Presence::Unseen(_)), "{definition:?}: {decided:?}");
        }
    }

    #[test]
    fn kinds_beside_known_ones_are_named() {
        let others = discovered(&["v1", "v2alpha1"]).others(std::slice::from_ref(&STORES));
        assert_eq!(others.len(), 1);
        assert_eq!(
            (others[0].name().as_str(), &*others[0].version),
            ("providerstores.external-secrets.io", "v1")
        );
    }

    #[test]
    fn only_an_api_server_is_believed() {
        assert_eq!(
            ServerVersion::read(br#"{"major":"1","gitVersion":"v1.36.3"}"#).as_deref(),
            Some("v1.36.3")
        );
        for body in ["", "{}", "ok", "<html>", r#"{"gitVersion":""}"#, r#"{"gitVersion":1}"#, "[]"] {
            assert!(ServerVersion::read(body.as_bytes()).is_none(), "{body}");
        }
        let group = |name: &str| format!(r#"{{"name":"{name}","versions":[{{"version":"v1"}}]}}"#);
        let groups = |kind: &str, names: &[&str]| {
            let groups: Vec<_> = names.iter().map(|name| group(name)).collect();
            format!(r#"{{"kind":"{kind}","groups":[{}]}}"#, groups.join(","))
        };
        let all = [
            "apps",
            "apiextensions.k8s.io",
            "external-secrets.io",
            "generators.external-secrets.io",
            "other",
        ];
        let wanted = Groups::of(groups("APIGroupList", &all).as_bytes()).unwrap().wanted();
        assert_eq!(wanted.len(), 3);
        for body in [groups("APIGroupList", &["apps"]), groups("Status", &all), "{}".into(), String::new()] {
            assert!(Groups::of(body.as_bytes()).is_none(), "{body}");
        }
    }
}
