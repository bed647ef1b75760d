//! The ledger, in a ConfigMap beside the job: read before the cluster is looked at, written over the very version that
//! was read.

use serde_json::json;

use crate::{
    cluster::{
        Cluster,
        objects::{MANAGED_BY, Object, Resource},
    },
    config::LedgerPlace,
    error::{Code, Error, Result},
    rotation::Ledger,
    warning::Warning,
};

const ENTRY: &str = "ledger.json";
static NAMESPACES: Resource = Resource::new("", "v1", "namespaces", "Namespace", false);
static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);

/// What is known of the ledger before the look.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    /// No cluster is asked: there may be one.
    NotAsked,
    /// There is no place for one: its namespace does not exist.
    NotKept,
    /// There may be one, and it cannot be read.
    Unreadable(Warning),
    Kept(Book),
}

/// The ConfigMap, as it was last read or written.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    place: LedgerPlace,
    held: Option<Object>,
    /// UID of the namespace `kube-system`.
    pub(super) cluster: String,
}

impl Opened {
    pub(crate) async fn read(cluster: Option<&Cluster>, place: &LedgerPlace) -> Self {
        let Some(cluster) = cluster else { return Self::NotAsked };
        match Book::read(cluster, place).await {
            Ok(Some(book)) => Self::Kept(book),
            Ok(None) => Self::NotKept,
            Err(error) => Self::Unreadable(unreadable(place, &error)),
        }
    }
}

fn unreadable(place: &LedgerPlace, error: &Error) -> Warning {
    let causes: String = error.causes.iter().map(|cause| format!(": {cause}")).collect();
    Warning {
        code: Code::LedgerUnreadable,
        message: format!(
            "the ledger ConfigMap {place} could not be read ({}: {}{causes}): no key is removed, and former keys cannot be distinguished \
             from foreign ones; hint: apply deploy/base, which has the ConfigMap and the right to read and write it",
            error.code, error.message
        ),
    }
}

/// The settings name a place at which there is none. Nothing, where it is the usual one.
pub(crate) fn not_kept(place: &LedgerPlace) -> Option<Warning> {
    place.is_set.then(|| {
        Warning::new(
            Code::LedgerMissing,
            format!(
                "there is no ledger at {place}: the namespace {} does not exist; no key is removed, and former keys cannot be \
                 distinguished from foreign ones; hint: correct cluster.ledger, or create the namespace",
                place.namespace
            ),
        )
    })
}

/// What a ConfigMap holds.
pub(super) enum Content<'a> {
    Nothing,
    Ledger(&'a str),
    /// No ledger, but something else.
    Other,
}

impl Book {
    /// `None`: its namespace does not exist.
    async fn read(cluster: &Cluster, place: &LedgerPlace) -> Result<Option<Self>> {
        let uid = cluster.uid()?.to_owned();
        let held = cluster.get_object(&CONFIG_MAPS, Some(&place.namespace), &place.name).await;
        let has_namespace = || async {
            cluster.get_object(&NAMESPACES, None, &place.namespace).await.map(|found| found.is_some())
        };
        let held = match held {
            Ok(Some(held)) => Some(held),
            Ok(None) if has_namespace().await? => None,
            Ok(None) => return Ok(None),
            // Without the namespace there is no ledger that could be read.
            Err(_) if has_namespace().await.is_ok_and(|there| !there) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self { place: place.clone(), held, cluster: uid }))
    }

    pub(super) fn content(&self) -> Content<'_> {
        let Some(Object(object)) = &self.held else { return Content::Nothing };
        let is_empty = |member: &str| {
            object[member].as_object().is_none_or(|entries| entries.keys().all(|name| name == ENTRY))
        };
        match object["data"][ENTRY].as_str() {
            Some(text) if !text.is_empty() => Content::Ledger(text),
            _ if is_empty("data") && is_empty("binaryData") => Content::Nothing,
            _ => Content::Other,
        }
    }

    /// The settings name the place, and nothing is there.
    pub(super) fn is_missing(&self) -> bool {
        self.place.is_set && self.held.is_none()
    }

    pub(super) fn place(&self) -> &LedgerPlace {
        &self.place
    }

    /// Whether the ConfigMap is there.
    pub(super) fn is_there(&self) -> bool {
        self.held.is_some()
    }

    pub(super) fn name(&self) -> String {
        format!("ConfigMap {}", self.place)
    }

    /// What it takes to write it.
    pub(super) fn right(&self) -> String {
        let verb = if self.is_there() { "patch" } else { "create" };
        CONFIG_MAPS.right(
            verb,
            Some(&self.place.namespace),
            self.is_there().then_some(self.place.name.as_str()),
        )
    }

    /// Errors: `apply-raced` when another publisher wrote it since it was read.
    pub(super) async fn write(&mut self, cluster: &Cluster, ledger: &Ledger) -> Result<()> {
        let data = json!({ ENTRY: ledger.to_text() });
        let (namespace, name) = (&self.place.namespace, &self.place.name);
        let written = match &self.held {
            None => {
                let manifest = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": name,
                        "namespace": namespace,
                        "labels": { MANAGED_BY.0: MANAGED_BY.1, "app.kubernetes.io/name": "keyless" },
                    },
                    "data": data,
                });
                cluster.create(&CONFIG_MAPS, &manifest).await
            }
            Some(held) => {
                let version = held.text("/metadata/resourceVersion");
                let patch =
                    json!({ "metadata": { "uid": held.uid(), "resourceVersion": version }, "data": data });
                cluster.merge_patch(&CONFIG_MAPS, Some(namespace), name, &patch, false).await
            }
        };
        self.held = Some(written?);
        Ok(())
    }

    /// After another publisher wrote it.
    pub(super) async fn read_again(&mut self, cluster: &Cluster) -> Result<()> {
        self.held = cluster.get_object(&CONFIG_MAPS, Some(&self.place.namespace), &self.place.name).await?;
        Ok(())
    }
}
