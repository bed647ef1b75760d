//! Which objects use a store, and what they do through it: from this the rights of its identity follow.
//!
//! ```text
//!  objects ─► may it use the store (admission)? ─► what does it do (acts)? ─► uses
//!                 │ no, or not known                  │ not known
//!                 └────────────► left out, by name ◄──┘
//! ```
//!
//! Everything here is what tenants write. It says what is asked for; what is granted is decided in `grants`.

mod acts;
mod admission;
mod selector;

use serde_json::Value;

pub(super) use self::acts::entries;
pub(crate) use self::{
    acts::Act,
    admission::{Namespaces, asks_for_labels},
};
use self::{
    acts::{of_external_secret, of_push_secret},
    admission::{Admission, Admitted, chosen},
};
use crate::cluster::{
    objects::{Look, Object},
    snapshot::Store,
};

/// What uses a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) uses: Vec<Use>,
    pub(crate) left_out: Vec<LeftOut>,
    /// What is left out because it is not known whether the object may use the store.
    pub(crate) unsure: Vec<Act>,
}

/// One thing that one object does through the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// `ExternalSecret shop/db`.
    pub(crate) object: String,
    /// `data[0].remoteRef`.
    pub(crate) field: String,
    pub(crate) act: Act,
    /// What the operator says of the object now.
    pub(crate) state: UseState,
}

/// What the operator says of an object that uses the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UseState {
    /// It does not work, or the operator has no word of it yet.
    NotReady,
    /// It works, but what it says now may not be what was done.
    Ready,
    /// It was really read: the operator says so of this very generation of the object.
    Read,
}

/// An object, or a part of it, for which nothing is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// `ExternalSecret shop/db`, or with the part: `ExternalSecret shop/db data[0].find`.
    pub(crate) object: String,
    pub(crate) why: String,
    /// The operator refuses it, too: nothing is lost.
    pub(crate) is_refused: bool,
    /// It works now, by whatever the store logs in with.
    pub(crate) works: bool,
}

/// Whether the labels of namespaces are needed to tell who uses this store.
pub(crate) fn needs_namespaces<'a>(users: impl IntoIterator<Item = &'a Object>, store: &Store) -> bool {
    let chooses = |user: &&Object| {
        is_of_the_cluster(user)
            && ["namespaceSelector", "namespaceSelectors"].iter().any(|it| user.0["spec"].get(*it).is_some())
            && !told(user, store).is_empty()
    };
    asks_for_labels(store) || users.into_iter().any(|user| chooses(&user))
}

/// What these objects do through this store. `prefix`: what the operator puts before every key that they name.
pub(crate) fn usage<'a>(
    users: impl IntoIterator<Item = &'a Object>,
    store: &Store,
    prefix: &str,
    namespaces: &Look<Namespaces>,
) -> Usage {
    let admission = Admission { store, namespaces };
    let since = written_at(store);
    let mut usage = Usage::default();
    for user in users {
        let told: Vec<_> = told(user, store)
            .into_iter()
            .map(|(place, act)| (place, act.and_then(|act| act.below(prefix))))
            .collect();
        if told.is_empty() || means_another(user, store) {
            continue;
        }
        let object = user.describe();
        let state = state(user, since);
        let works = state >= UseState::Ready;
        let mut leave = |why: String, is_refused| {
            usage.left_out.push(LeftOut { object: object.clone(), why, is_refused, works });
        };
        if !user.text("/metadata/deletionTimestamp").is_empty() {
            leave("it is being deleted".to_owned(), true);
            continue;
        }
        match admitted(user, &admission, namespaces) {
            Admitted::Yes => {}
            Admitted::No(why) => {
                leave(why, true);
                continue;
            }
            Admitted::Unknown(why) => {
                leave(why, false);
                usage.unsure.extend(told.into_iter().filter_map(|(_, act)| act.ok()));
                continue;
            }
        }
        for (field, act) in told {
            match act {
                Ok(act) => usage.uses.push(Use { object: object.clone(), field, act, state }),
                Err(why) => usage.left_out.push(LeftOut {
                    object: format!("{object} {field}"),
                    why,
                    is_refused: false,
                    works,
                }),
            }
        }
    }
    usage
}

fn told(user: &Object, store: &Store) -> Vec<acts::Told> {
    match user.kind().ends_with("PushSecret") {
        true => of_push_secret(user, store),
        false => of_external_secret(user, store),
    }
}

/// A SecretStore of this name in another namespace is another store.
fn means_another(user: &Object, store: &Store) -> bool {
    !store.is_cluster() && !is_of_the_cluster(user) && user.namespace() != store.0.namespace()
}

/// Kinds that make copies of themselves in namespaces of their choice.
fn is_of_the_cluster(user: &Object) -> bool {
    user.kind().starts_with("Cluster")
}

fn admitted(user: &Object, admission: &Admission<'_>, namespaces: &Look<Namespaces>) -> Admitted {
    if !is_of_the_cluster(user) {
        return admission.of(user.namespace());
    }
    let chosen = match chosen(&user.0["spec"], namespaces) {
        Ok(chosen) => chosen,
        Err(unsure) => return Admitted::Unknown(unsure.why()),
    };
    let mut refused = Admitted::No("it chooses no namespace that there is".to_owned());
    for namespace in chosen {
        match admission.of(&namespace) {
            Admitted::Yes => return Admitted::Yes,
            Admitted::Unknown(why) => refused = Admitted::Unknown(why),
            no @ Admitted::No(_) if matches!(refused, Admitted::No(_)) => refused = no,
            Admitted::No(_) => {}
        }
    }
    refused
}

/// `syncedResourceVersion` begins with the generation that was read. `since` is when the store was written: what was read
/// before that may have been read elsewhere.
fn state(user: &Object, since: Option<&str>) -> UseState {
    if user.is_ready() != Some(true) {
        return UseState::NotReady;
    }
    let reason = user.ready_condition().and_then(|ready| ready["reason"].as_str());
    let synced = user.text("/status/syncedResourceVersion").split('-').next().unwrap_or_default();
    let generation = user.0.pointer("/metadata/generation").and_then(Value::as_i64);
    let is_this = generation.is_some_and(|generation| synced == generation.to_string());
    let at = user.text("/status/refreshTime");
    let is_fresh = !at.is_empty() && since.is_none_or(|since| at >= since);
    match reason == Some("SecretSynced") && is_this && is_fresh {
        true => UseState::Read,
        false => UseState::Ready,
    }
}

/// When anyone wrote a SecretStore last (RFC 3339): those who have it can write it, and turn it to secrets that they
/// have never read. A ClusterSecretStore is written by administrators only; but where each namespace logs in with what it
/// has of its own, what one has read no other has, and the one identity of the store reads for all of them.
fn written_at(store: &Store) -> Option<&str> {
    if store.is_cluster() {
        return logs_in_by_namespace(store).then_some(NEVER);
    }
    let fields = store.0.0.pointer("/metadata/managedFields").and_then(Value::as_array);
    let of_the_store = |entry: &&Value| entry["subresource"].as_str().is_none_or(str::is_empty);
    let times = fields.into_iter().flatten().filter(of_the_store).filter_map(|it| it["time"].as_str());
    // Where nothing says when, nothing counts as read since.
    Some(times.max().unwrap_or(NEVER))
}

/// Later than any time: nothing counts as read since.
const NEVER: &str = "9999";

/// Whether a ClusterSecretStore takes its login from the namespace of whatever uses it.
pub(crate) fn logs_in_by_namespace(store: &Store) -> bool {
    let mut logins = store.references().into_iter().filter(|reference| !reference.is_authority());
    store.is_cluster() && logins.any(|reference| reference.namespace.is_none())
}

#[cfg(test)]
mod tests;
