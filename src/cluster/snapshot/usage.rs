//! Who uses which store and which generator: of twenty thousand ExternalSecrets only the names that they use are kept.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    cluster::objects::{Items, Object, Resource, Strict, Unseen, broken_item, name_of},
    credentials::{Same, ownership},
};

/// How often something is used, and from which namespaces. A ClusterExternalSecret makes its ExternalSecrets in
/// namespaces of its own choice and counts without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) count: usize,
    pub(crate) namespaces: BTreeSet<String>,
    /// When the operator last refreshed one of its users, as they claim.
    pub(crate) refreshed: Option<Timestamp>,
}

/// Every use of a store or generator, by the name of what is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// Kind, namespace (empty: of the whole cluster, or of any namespace), name.
    by_name: HashMap<(Kind, String, String), Use>,
    by_labels: Vec<ByLabels>,
    /// Which Secrets the ExternalSecrets own that there are.
    owned: BTreeSet<Same>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    ClusterStore,
    Store,
    Generator(String),
}

impl Kind {
    fn is_of_cluster(&self) -> bool {
        match self {
            Self::ClusterStore => true,
            Self::Store => false,
            Self::Generator(kind) => kind == "ClusterGenerator",
        }
    }
}

/// A PushSecret may name its stores by their labels.
#[derive(Clone, Debug)]
struct ByLabels {
    cluster: bool,
    namespace: String,
    labels: Selector,
}

/// `metav1.LabelSelector`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Selector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Requirement>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Requirement {
    key: String,
    operator: String,
    #[serde(default)]
    values: Option<Vec<String>>,
}

impl Selector {
    /// Whether an object with these labels is meant. What this program cannot evaluate may mean every object.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        let labels = self.match_labels.iter().flatten();
        let all = labels.into_iter().all(|(name, value)| object.label(name) == Some(value));
        let expressions = self.match_expressions.iter().flatten();
        all && expressions.into_iter().all(|requirement| {
            let label = object.label(&requirement.key);
            let named = || {
                let values = requirement.values.iter().flatten();
                label.is_some_and(|label| values.into_iter().any(|value| value == label))
            };
            match requirement.operator.as_str() {
                "In" => named(),
                "NotIn" => !named(),
                "Exists" => label.is_some(),
                "DoesNotExist" => label.is_none(),
                _ => true,
            }
        })
    }
}

/// An ExternalSecret or PushSecret, or the cluster-wide kind of either, as far as it names stores and generators.
#[derive(Deserialize)]
struct User<'a> {
    #[serde(borrow)]
    metadata: Strict<Metadata<'a>>,
    #[serde(borrow)]
    spec: Option<Strict<Spec<'a>>>,
    #[serde(borrow, default)]
    status: Option<Status<'a>>,
}

/// Nothing depends on it: one of another form is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Status<'a> {
    Refreshed {
        #[serde(borrow, rename = "refreshTime")]
        time: Cow<'a, str>,
    },
    Other(#[allow(dead_code, reason = "it is only skipped")] IgnoredAny),
}

impl Status<'_> {
    fn refreshed(&self) -> Option<Timestamp> {
        match self {
            Self::Refreshed { time } => time.parse().ok(),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    uid: Option<Cow<'a, str>>,
    deletion_timestamp: Option<IgnoredAny>,
}

/// `spec.target` of an ExternalSecret.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Written<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    creation_policy: Option<Cow<'a, str>>,
    /// It writes an object of another kind.
    manifest: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    #[serde(borrow)]
    external_secret_spec: Option<Box<Strict<Self>>>,
    #[serde(borrow)]
    push_secret_spec: Option<Box<Strict<Self>>>,
    #[serde(borrow)]
    secret_store_ref: Option<Strict<Named<'a>>>,
    #[serde(borrow)]
    secret_store_refs: Option<Vec<Strict<Named<'a>>>>,
    #[serde(borrow)]
    data: Option<Vec<Strict<Entry<'a>>>>,
    #[serde(borrow)]
    data_from: Option<Vec<Strict<Entry<'a>>>>,
    #[serde(borrow)]
    selector: Option<Strict<Source<'a>>>,
    #[serde(borrow)]
    target: Option<Strict<Written<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry<'a> {
    #[serde(borrow)]
    source_ref: Option<Strict<Source<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source<'a> {
    #[serde(borrow)]
    store_ref: Option<Strict<Named<'a>>>,
    #[serde(borrow)]
    generator_ref: Option<Strict<Named<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Named<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    label_selector: Option<Strict<Selector>>,
}

impl Usage {
    /// Adds what one user names; `None` for what is no user.
    pub(super) fn add(&mut self, json: &[u8], is_external_secret: bool) -> Option<()> {
        let User { metadata, spec, status } = serde_json::from_slice::<Strict<_>>(json).ok()?.0;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let Spec {
            external_secret_spec,
            push_secret_spec,
            secret_store_ref,
            secret_store_refs,
            data,
            data_from,
            selector,
            target,
        } = spec.unwrap_or_default().0;
        if is_external_secret {
            self.owned.extend(owned(&metadata.0, target.map(|target| target.0).unwrap_or_default()));
        }
        let refreshed = status.as_ref().and_then(Status::refreshed);
        // Each object that it uses counts once, however often it names it.
        let mut used = BTreeSet::new();
        let specs = [
            Some(Spec { secret_store_ref, secret_store_refs, data, data_from, selector, ..Spec::default() }),
            external_secret_spec.map(|spec| spec.0),
            push_secret_spec.map(|spec| spec.0),
        ];
        for spec in specs.into_iter().flatten() {
            let entries = spec.data.into_iter().flatten().chain(spec.data_from.into_iter().flatten());
            let sources = entries.filter_map(|entry| entry.0.source_ref).chain(spec.selector);
            let (stores, generators): (Vec<_>, Vec<_>) =
                sources.map(|source| (source.0.store_ref, source.0.generator_ref)).unzip();
            let stores = stores.into_iter().flatten();
            for store in spec
                .secret_store_ref
                .into_iter()
                .chain(spec.secret_store_refs.into_iter().flatten())
                .chain(stores)
            {
                let cluster = store.kind.as_deref() == Some("ClusterSecretStore");
                let Strict(store) = store;
                if let Some(Strict(labels)) = store.label_selector {
                    self.by_labels.push(ByLabels { cluster, namespace: namespace.to_owned(), labels });
                }
                let Some(name) = store.name.filter(|name| !name.is_empty()) else { continue };
                used.insert((if cluster { Kind::ClusterStore } else { Kind::Store }, name.into_owned()));
            }
            for generator in generators.into_iter().flatten() {
                let (Some(kind), Some(name)) = (generator.0.kind, generator.0.name) else { continue };
                used.insert((Kind::Generator(kind.into_owned()), name.into_owned()));
            }
        }
        for (kind, name) in used {
            let place = if kind.is_of_cluster() { "" } else { namespace };
            let found = self.by_name.entry((kind, place.to_owned(), name)).or_default();
            found.count += 1;
            found.refreshed = found.refreshed.max(refreshed);
            if !namespace.is_empty() && !found.namespaces.contains(namespace) {
                found.namespaces.insert(namespace.to_owned());
            }
        }
        Some(())
    }

    /// How many of these Secrets are owned by an ExternalSecret that there is.
    pub(super) fn count_owned(&self, claimed: &BTreeSet<Same>) -> usize {
        self.owned.intersection(claimed).count()
    }

    /// How a store is used.
    pub(super) fn of_store(&self, store: &Object, cluster: bool) -> Use {
        let kind = if cluster { Kind::ClusterStore } else { Kind::Store };
        let mut used = self.named(kind, if cluster { "" } else { store.namespace() }, store.name());
        let by_labels = self.by_labels.iter().filter(|by| {
            by.cluster == cluster
                && (cluster || by.namespace.is_empty() || by.namespace == store.namespace())
                && by.labels.matches(store)
        });
        for by in by_labels {
            used.count += 1;
            if !by.namespace.is_empty() {
                used.namespaces.insert(by.namespace.clone());
            }
        }
        used
    }

    /// How a generator is used; a ClusterGenerator is of no namespace.
    pub(super) fn of_generator(&self, kind: &str, namespace: &str, name: &str) -> Use {
        self.named(Kind::Generator(kind.to_owned()), namespace, name)
    }

    fn named(&self, kind: Kind, namespace: &str, name: &str) -> Use {
        let found = |kind: Kind, namespace: &str| {
            self.by_name.get(&(kind, namespace.to_owned(), name.to_owned())).cloned().unwrap_or_default()
        };
        let mut used = found(kind.clone(), namespace);
        if !namespace.is_empty() {
            // By a user that has no namespace itself.
            let by_cluster = found(kind, "");
            used.count += by_cluster.count;
            used.refreshed = used.refreshed.max(by_cluster.refreshed);
        }
        used
    }
}

/// Reads the users of a list.
pub(super) struct UsersRead<'a> {
    resource: &'a Resource,
    pub(super) usage: Usage,
    /// The objects whole, for those who change them.
    pub(super) objects: Option<Vec<Object>>,
    pub(super) unseen: BTreeSet<Unseen>,
}

impl<'a> UsersRead<'a> {
    pub(super) fn new(resource: &'a Resource, whole: bool) -> Self {
        Self { resource, usage: Usage::default(), objects: whole.then(Vec::new), unseen: BTreeSet::new() }
    }
}

impl Items for UsersRead<'_> {
    fn begin(&mut self) {
        *self = Self::new(self.resource, self.objects.is_some());
    }

    fn take(&mut self, json: &[u8]) {
        let whole = match &mut self.objects {
            Some(objects) => Object::listed(self.resource, json).map(|object| objects.push(object)),
            None => Some(()),
        };
        if self.usage.add(json, self.resource.kind == "ExternalSecret").and(whole).is_none() {
            self.unseen.insert(broken_item(self.resource, name_of(json).as_deref()));
        }
    }
}

impl Usage {
    pub(super) fn merge(&mut self, other: Self) {
        self.by_labels.extend(other.by_labels);
        self.owned.extend(other.owned);
        if self.by_name.is_empty() {
            self.by_name = other.by_name;
            return;
        }
        for (key, found) in other.by_name {
            let used = self.by_name.entry(key).or_default();
            used.count += found.count;
            used.refreshed = used.refreshed.max(found.refreshed);
            used.namespaces.extend(found.namespaces);
        }
    }
}

/// The Secret that an ExternalSecret owns: with another policy than `Owner` it sets itself as the owner of none.
fn owned(metadata: &Metadata<'_>, target: Written<'_>) -> Option<Same> {
    if metadata.deletion_timestamp.is_some()
        || target.manifest.is_some()
        || target.creation_policy.is_some_and(|policy| policy != "Owner")
    {
        return None;
    }
    let own = metadata.name.as_deref().unwrap_or_default();
    let secret = target.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(own);
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    ownership(&text(&metadata.namespace), secret, own, &text(&metadata.uid))
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
