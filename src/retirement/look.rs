//! Looks at what a retirement is decided from: users of the store, credentials and their Secrets, what else uses them.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::join_all;
use serde_json::Value;

use super::{Elsewhere, Kept, KeyStanding, KeyView, Place, PlaceView, State, users::others_naming};
use crate::{
    cluster::{
        Cluster,
        key_users::{Holder, Needle},
        objects::{Look, Object, Resource, Unseen},
        snapshot::{EXTERNAL_SECRETS, Manager, SECRETS, Store, Target, manager},
    },
    error::{Code, Error, Result},
    federation::credential::{self, Found, Kind, LastUse, Standing, StoredCredential},
    secret_store::StoreName,
};

pub(crate) static PUSH_SECRETS: Resource =
    Resource::new("external-secrets.io", "v1alpha1", "pushsecrets", "PushSecret", true);

/// The ExternalSecrets and PushSecrets that may use the store.
pub(crate) async fn users(cluster: &Cluster, store: &StoreName) -> Result<Vec<Object>> {
    let (mut all, pushed) = futures::try_join!(
        seen(cluster, &EXTERNAL_SECRETS, store.namespace()),
        seen(cluster, &PUSH_SECRETS, store.namespace())
    )?;
    all.extend(pushed);
    Ok(all)
}

async fn seen(cluster: &Cluster, resource: &Resource, namespace: Option<&str>) -> Result<Vec<Object>> {
    match cluster.look_for(resource, namespace).await? {
        Look::Seen(all) => return Ok(all),
        Look::Unseen(unseen) => return Err(unread(&unseen)),
        // It is not there in this version. In another it may be.
        Look::Absent => {}
    }
    let served = match cluster.served_version(resource).await? {
        Look::Seen(served) => served,
        Look::Unseen(unseen) => return Err(unread(&unseen)),
        Look::Absent => return Ok(Vec::new()),
    };
    match cluster.look_for(&served, namespace).await? {
        Look::Seen(all) => Ok(all),
        Look::Unseen(unseen) => Err(unread(&unseen)),
        Look::Absent => Err(Error::failed(
            Code::UsersNotRead,
            format!("{} is defined, and its list is not answered", served.name()),
        )
        .hint("run setup again, once the custom resource definitions are not being changed any more")),
    }
}

fn unread(unseen: &Unseen) -> Error {
    Error::failed(Code::ClusterForbidden, format!("missing right: {}", unseen.right))
        .caused_by(&unseen.why)
        .hint("deploy/setup has a ClusterRole with exactly the rights that setup needs")
}

/// Namespace and name of every Secret that a store names; the namespace is empty where it is that of its users.
pub(crate) fn secrets_named_by(store: &Store) -> BTreeSet<(String, String)> {
    let secrets = store.references().into_iter().filter(|reference| reference.target == Target::Secret);
    secrets
        .map(|reference| {
            let namespace = if store.is_cluster() {
                reference.namespace.unwrap_or_default()
            } else {
                store.0.namespace().to_owned()
            };
            (namespace, reference.name)
        })
        .collect()
}

/// What the providers say of these credentials, and what is left of them in the cluster.
pub(crate) async fn look_at(
    cluster: &Cluster,
    all: &[Kept],
    connected: &[Option<Box<dyn StoredCredential>>],
) -> Result<Vec<KeyView>> {
    let looks = all.iter().zip(connected).map(async |(kept, connected)| {
        let at_provider = async {
            match connected {
                Some(credential) => Some(credential.look().await),
                None => None,
            }
        };
        futures::join!(places_of(cluster, kept), at_provider)
    });
    let mut views = Vec::new();
    // The first that fails in this order is reported, whichever was answered first.
    for (kept, (places, at_provider)) in all.iter().zip(join_all(looks).await) {
        let places = places?;
        let there = places.iter().any(|place| place.there);
        let standing = match at_provider {
            Some(seen) => standing(seen?, kept.proved),
            None if kept.identity.kind == Kind::Unreadable && there => KeyStanding::Unproved(
                "what lies there cannot be read as the key that the store expects".into(),
            ),
            None if kept.identity.kind == Kind::Unreadable => KeyStanding::Absent,
            None => KeyStanding::ByHand,
        };
        views.push(KeyView { standing, places });
    }
    Ok(views)
}

/// What is left of a credential in the cluster.
pub(super) async fn places_of(cluster: &Cluster, kept: &Kept) -> Result<Vec<PlaceView>> {
    let mut places = Vec::new();
    for place in &kept.places {
        let secret = cluster.get_object(&SECRETS, Some(&place.namespace), &place.name).await?;
        places.push(secret.map_or_else(PlaceView::default, |secret| view_of(kept, place, &secret)));
    }
    Ok(places)
}

/// What the providers know of each one's last use; `None` where there is none to ask.
pub(crate) async fn last_uses(connected: &[Option<Box<dyn StoredCredential>>]) -> Vec<Option<LastUse>> {
    let asked = connected.iter().map(async |credential| match credential {
        Some(credential) => Some(credential.last_use().await),
        None => None,
    });
    join_all(asked).await
}

fn standing(standing: Standing, proved: bool) -> KeyStanding {
    match standing {
        Standing::Enabled => KeyStanding::Enabled,
        Standing::Disabled => KeyStanding::Disabled,
        Standing::NotProved(why) => KeyStanding::Unproved(why),
        Standing::Absent if proved => KeyStanding::Absent,
        Standing::Absent => KeyStanding::Unproved(
            "its provider knows no key of this name: it was deleted, or the Secret names another than it holds"
                .into(),
        ),
        Standing::Another => KeyStanding::Unproved(
            "its provider serves another public half for this name than that of the stored key: the Secret names another key than it holds"
                .into(),
        ),
    }
}

pub(super) fn view_of(kept: &Kept, place: &Place, secret: &Object) -> PlaceView {
    if secret.uid() != place.uid || !holds(kept, place, secret) {
        return PlaceView::default();
    }
    let entries = secret.0.get("data").and_then(Value::as_object);
    let more = entries.into_iter().flatten().any(|(name, _)| !place.entries.contains(name));
    // A key tells by itself whether it is the same.
    let changed =
        kept.identity.public_half.is_none() && secret.text("/metadata/resourceVersion") != place.version;
    let kept_by = match manager(secret) {
        Some(Manager::PutsBack { by }) => Some(by),
        _ => None,
    };
    PlaceView { there: true, changed, holds_more: more && !place.entries.is_empty(), kept_by }
}

/// Whether a Secret still holds the credential: the very key, or anything at all where that is unknown.
fn holds(kept: &Kept, place: &Place, secret: &Object) -> bool {
    let entries = secret.0.get("data").and_then(Value::as_object);
    let mut values = entries
        .into_iter()
        .flatten()
        .filter(|(name, _)| place.entries.is_empty() || place.entries.contains(name))
        .filter_map(|(_, value)| STANDARD.decode(value.as_str()?).ok());
    match &kept.identity.public_half {
        None => values.next().is_some(),
        Some(half) => values.any(|value| {
            // Also by its name: one pair may have been uploaded to two accounts.
            let found = credential::recognise(&Found { path: "", value: Some(&value) });
            found.public_half.as_ref() == Some(half) && found.id == kept.identity.id
        }),
    }
}

/// What else in the cluster has or uses these credentials, beside these stores.
pub(crate) async fn elsewhere(cluster: &Cluster, stores: &[StoreName], all: &[Kept]) -> Result<Elsewhere> {
    let mut needles = Vec::new();
    let mut places = BTreeSet::new();
    for kept in all {
        let id = kept.identity.id.rsplit('/').next().filter(|id| !id.is_empty());
        let mut needle = Needle::new(id, kept.identity.public_half.as_deref());
        if kept.identity.public_half.is_none() {
            let (kind, id) = (kept.identity.kind, kept.identity.id.clone());
            needle = needle.that_may_be(move |word| {
                let found = credential::recognise(&Found { path: "", value: Some(word) });
                found.kind == kind && !id.is_empty() && found.id == id
            });
        }
        for place in &kept.places {
            places.insert((place.namespace.clone(), place.name.clone()));
            let secret = cluster.get_object(&SECRETS, Some(&place.namespace), &place.name).await?;
            let data = secret.as_ref().and_then(|secret| secret.0.get("data")?.as_object());
            let held = data
                .into_iter()
                .flatten()
                .filter(|(name, _)| place.entries.is_empty() || place.entries.contains(name));
            let values = held.filter_map(|(_, value)| STANDARD.decode(value.as_str()?).ok());
            values.for_each(|value| needle.add_value(&value));
        }
        needles.push(needle);
    }
    let (held, estate) = futures::try_join!(cluster.holders(&needles), cluster.estate())?;
    let mut found = Elsewhere::default();
    let mut holders = held.all;
    for (namespace, name) in &places {
        holders.push(Holder {
            kind: "Secret",
            namespace: namespace.clone(),
            name: name.clone(),
            entry: String::new(),
        });
    }
    let workloads = cluster.workloads_with(&holders, &needles).await?;
    let unseen = held.unseen.iter().chain(&workloads.unseen).chain(&estate.unseen);
    found.unseen = unseen.map(|unseen| unseen.right.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let is_place = |holder: &Holder| {
        holder.kind == "Secret" && places.contains(&(holder.namespace.clone(), holder.name.clone()))
    };
    let own = stores.iter().filter_map(|store| {
        estate.store(store.is_cluster(), store.namespace().unwrap_or_default(), store.name())
    });
    let own: Vec<_> = own.map(|store| store.0.uid()).collect();
    found.users.extend(others_naming(&estate, &own, &holders));
    found.users.extend(workloads.all);
    for holder in holders.iter().filter(|holder| !is_place(holder)) {
        let Holder { kind, namespace, name, entry } = holder;
        found.users.push(copy_in(kind, namespace, name, entry));
    }
    Ok(found)
}

fn copy_in(kind: &str, namespace: &str, name: &str, entry: &str) -> String {
    format!("{kind} {namespace}/{name} ({entry}), which holds the same credential")
}

impl Elsewhere {
    /// Leaves out the copies in these places: they are another store's, which leaves them as well.
    pub(crate) fn leave_out(&mut self, places: &[Place]) {
        let one = |place: &Place| {
            let Place { namespace, name, entries, .. } = place.clone();
            entries.into_iter().map(move |entry| copy_in("Secret", &namespace, &name, &entry))
        };
        let copies: BTreeSet<_> = places.iter().flat_map(one).collect();
        self.users.retain(|user| !copies.contains(user));
    }
}

impl State {
    /// Where the credentials of another state lie that are credentials of this one.
    pub(crate) fn copies_of(&self, other: &Self) -> Vec<Place> {
        let is_shared = |kept: &&Kept| self.credentials.iter().any(|own| own.is_same(kept));
        other.credentials.iter().filter(is_shared).flat_map(|kept| kept.places.clone()).collect()
    }
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
