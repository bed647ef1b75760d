//! Where the state of a retirement is kept: one ConfigMap for each store, in a namespace where administrators alone may
//! write. It is written only over the very version that was read.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::state::{State, StoreId, Unusable};
use crate::{
    cluster::{
        Cluster,
        objects::{Look, MANAGED_BY, Object, Resource},
    },
    error::{Code, Error, Result},
    secret_store::StoreName,
};

/// That of `deploy/base`.
pub(crate) const NAMESPACE: &str = "keyless-system";
const PREFIX: &str = "keyless-retirement-";
const ENTRY: &str = "state.json";
/// Differs from one act to the next.
const TURN: &str = "keyless/turn";
/// Marks the states of all stores.
const PART: (&str, &str) = ("app.kubernetes.io/component", "retirement");
static NAMESPACES: Resource = Resource::new("", "v1", "namespaces", "Namespace", false);
static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);

/// The ConfigMap of one store.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    name: String,
    /// As it was last read or written.
    held: Option<Object>,
}

/// What lies there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lying {
    Nothing,
    State(Box<State>),
    Unusable(Unusable),
}

/// What lies there for some store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Noted {
    /// `keyless-system/keyless-retirement-…`.
    pub(crate) place: String,
    pub(crate) record: std::result::Result<State, Unusable>,
}

impl Noted {
    pub(crate) fn is_of(&self, store: &StoreName) -> bool {
        let id = StoreId {
            kind: String::new(),
            namespace: store.namespace().unwrap_or_default().to_owned(),
            name: store.name().to_owned(),
            uid: String::new(),
        };
        self.place == format!("{NAMESPACE}/{}", name(&id))
    }
}

impl Shelf {
    /// Reads what an earlier run saved for this store.
    pub(crate) async fn open(cluster: &Cluster, cluster_id: &str, store: &StoreId) -> Result<(Self, Lying)> {
        let name = name(store);
        let held = cluster.get_object(&CONFIG_MAPS, Some(NAMESPACE), &name).await?;
        let lying = match &held {
            None => Lying::Nothing,
            Some(object) => {
                let text = object.0["data"][ENTRY].as_str().unwrap_or_default();
                State::parse(text, cluster_id, store)
                    .map_or_else(Lying::Unusable, |state| Lying::State(Box::new(state)))
            }
        };
        Ok((Self { name, held }, lying))
    }

    /// What earlier runs saved, for every store.
    pub(crate) async fn all(cluster: &Cluster, cluster_id: &str) -> Result<Look<Vec<Noted>>> {
        let all = match cluster.look_for(&CONFIG_MAPS, Some(NAMESPACE)).await? {
            Look::Seen(all) => all,
            Look::Absent => return Ok(Look::Absent),
            Look::Unseen(unseen) => return Ok(Look::Unseen(unseen)),
        };
        let noted = all.into_iter().filter(|object| object.name().starts_with(PREFIX)).map(|object| {
            let text = object.0["data"][ENTRY].as_str().unwrap_or_default();
            let record = State::parse_any(text, cluster_id).and_then(|state| match name(&state.store) {
                name if name == object.name() => Ok(state),
                _ => Err(Unusable::OtherStore { saved: state.store.uid }),
            });
            Noted { place: format!("{NAMESPACE}/{}", object.name()), record }
        });
        Ok(Look::Seen(noted.collect()))
    }

    /// `keyless-system/keyless-retirement-…`.
    pub(crate) fn place(&self) -> String {
        format!("{NAMESPACE}/{}", self.name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_none()
    }

    /// Makes its namespace, if there is none; `true` when it was made.
    pub(crate) async fn make_namespace(cluster: &Cluster) -> Result<bool> {
        if !Self::needs_namespace(cluster).await? {
            return Ok(false);
        }
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {
                    MANAGED_BY.0: MANAGED_BY.1,
                    "app.kubernetes.io/name": "keyless",
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            },
        });
        match cluster.create(&NAMESPACES, &manifest).await {
            Ok(_) => Ok(true),
            // Another run was quicker.
            Err(error) if error.code == Code::ApplyRaced => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn needs_namespace(cluster: &Cluster) -> Result<bool> {
        Ok(cluster.get_object(&NAMESPACES, None, NAMESPACE).await?.is_none())
    }

    /// Writes the state over what was read, if no other client has written since.
    pub(crate) async fn save(&mut self, cluster: &Cluster, state: &State) -> Result<()> {
        let data = json!({ ENTRY: state.to_text() });
        let written = match &self.held {
            None => cluster.create(&CONFIG_MAPS, &self.manifest(state, &data)).await,
            Some(held) => {
                let metadata =
                    json!({ "uid": held.uid(), "resourceVersion": held.text("/metadata/resourceVersion") });
                let patch = json!({ "metadata": metadata, "data": data });
                cluster.merge_patch(&CONFIG_MAPS, Some(NAMESPACE), &self.name, &patch, false).await
            }
        };
        self.held = Some(written.map_err(|error| self.refused(error))?);
        Ok(())
    }

    /// Makes sure, before something is done that cannot be written conditionally itself, that no other run is at work on
    /// the same store, and that one which is finds out.
    pub(crate) async fn take_turn(&mut self, cluster: &Cluster) -> Result<()> {
        let Some(held) = &self.held else { return Ok(()) };
        let version = held.text("/metadata/resourceVersion");
        let patch = json!({ "metadata": {
            "uid": held.uid(), "resourceVersion": version, "annotations": { TURN: version },
        }});
        let written = cluster.merge_patch(&CONFIG_MAPS, Some(NAMESPACE), &self.name, &patch, false).await;
        self.held = Some(written.map_err(|error| self.refused(error))?);
        Ok(())
    }

    /// Takes it away.
    pub(crate) async fn clear(&mut self, cluster: &Cluster) -> Result<()> {
        if let Some(held) = &self.held {
            cluster.delete_unchanged(&CONFIG_MAPS, held).await.map_err(|error| self.refused(error))?;
        }
        self.held = None;
        Ok(())
    }

    fn manifest(&self, state: &State, data: &Value) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": NAMESPACE,
                "labels": { MANAGED_BY.0: MANAGED_BY.1, PART.0: PART.1 },
                "annotations": { "keyless/store": state.store.to_string() },
            },
            "data": data,
        })
    }

    fn refused(&self, error: Error) -> Error {
        if !matches!(error.code, Code::ApplyRaced | Code::ClusterNotFound) {
            return error;
        }
        Error::failed(
            Code::RetirementRaced,
            format!(
                "ConfigMap {}: another run of keyless, or a person, has changed it meanwhile",
                self.place()
            ),
        )
        .hint("let the other run come to its end, then run setup again: it goes on from there")
    }
}

/// Where the state of this store is kept: `keyless-system/keyless-retirement-…`.
pub(super) fn place_of(store: &StoreId) -> String {
    format!("{NAMESPACE}/{}", name(store))
}

/// A namespace has no dot in its name, so two stores never share one of these.
fn name(store: &StoreId) -> String {
    let parts = match store.namespace.as_str() {
        "" => format!("clustersecretstore.{}", store.name),
        namespace => format!("secretstore.{namespace}.{}", store.name),
    };
    let name = format!("{PREFIX}{parts}");
    if name.len() <= 253 {
        return name;
    }
    let hash: String = crate::hex::hex(digest(&SHA256, parts.as_bytes()).as_ref());
    format!("{PREFIX}{hash}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_of_stores_never_collide() {
        let long = "a".repeat(253);
        let names: BTreeSet<String> = [
            ("", "gcp"),
            ("shop", "gcp"),
            ("shop", "a.b"),
            ("", "shop.gcp"),
            ("", "secretstore.shop.gcp"),
            ("shop", long.as_str()),
            ("other", long.as_str()),
        ]
        .into_iter()
        .map(|(namespace, name)| {
            super::name(&StoreId {
                kind: String::new(),
                namespace: namespace.into(),
                name: name.into(),
                uid: String::new(),
            })
        })
        .collect();
        assert_eq!(names.len(), 7, "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 253));
    }
}
