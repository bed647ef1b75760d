//! The old key's last days: disabled, watched, and only when it is asked for, deleted. Nothing here signs with it.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use super::watch::{self, Vigil};
use crate::{
    cluster::{
        Cluster,
        objects::Object,
        snapshot::{Credential, Estate, Manager, Public, SECRETS, SecretKey, Store, manager},
    },
    commands::settle::{OldKey, Settled},
    error::{Error, Result},
    federation::gcp::{Gcp, KeyState, ServiceAccountKey},
    report::Report,
    secret_store::{Doing, Plan, StoreName},
};

/// On a store whose provider was changed: the Secret that it named before, and the key in it as Google calls it, until
/// both are gone. So an interrupted run, or one without --retire-key, is gone on with, wherever it ended.
const REPLACES: &str = "keyless/replaces";
const REPLACED_KEY: &str = "keyless/replaced-key";

/// What is left to do with the old key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retirement {
    pub(super) key: OldKey,
    /// What Google says of it.
    pub(super) state: KeyState,
    pub(super) disable: bool,
    /// With --retire-key.
    pub(super) delete: bool,
}

impl Retirement {
    /// From what Google says of the key. A key that others use stays as it is.
    pub(super) async fn plan(google: &Gcp, key: &OldKey, retire_key: bool) -> Result<Self> {
        let state = google.key_state(&ServiceAccountKey::new(&key.email, &key.id)?).await?;
        let free = key.other_stores.is_empty();
        let disable = free && state == KeyState::Enabled;
        Ok(Self { key: key.clone(), state, disable, delete: free && retire_key })
    }

    pub(super) fn pending(&self) -> usize {
        let at_google = usize::from(self.state != KeyState::Absent);
        let deleted = if self.delete { at_google + self.key.places.len() } else { 0 };
        usize::from(self.disable) + deleted + usize::from(self.only_the_note_is_left())
    }

    fn only_the_note_is_left(&self) -> bool {
        self.delete && self.key.noted && self.state == KeyState::Absent && self.key.places.is_empty()
    }

    /// Whether the key is touched, and so whatever still needs it.
    pub(super) fn touches_the_key(&self) -> bool {
        self.disable || (self.delete && !self.only_the_note_is_left())
    }

    /// It is useless by now, but there.
    pub(super) fn leaves_the_key(&self) -> bool {
        !self.delete && self.key.other_stores.is_empty() && self.state != KeyState::Absent
    }

    pub(super) fn show(&self, report: &mut Report<'_>) {
        let OldKey { id, email, places, other_stores, .. } = &self.key;
        report.line("\nold key");
        if !other_stores.is_empty() {
            report.line(format_args!("= key {id} of {email} stays: {} use it too", other_stores.join(", ")));
            return;
        }
        report.line(match self.state {
            KeyState::Absent => format!("= {id} of {email} is deleted at Google"),
            KeyState::Disabled => format!("= {id} of {email} is disabled"),
            KeyState::Enabled => {
                format!(
                    "- disable {id} of {email}, once the new path has read a secret; then watch the store"
                )
            }
        });
        if self.state != KeyState::Absent {
            report.line(if self.delete {
                format!("- delete {id} of {email} at Google")
            } else {
                format!("= keep {id} of {email} at Google, until --retire-key")
            });
        }
        for place in places {
            report.line(if self.delete {
                format!("- delete {place}")
            } else {
                format!("= keep {place}, until --retire-key")
            });
        }
        if self.only_the_note_is_left() {
            report.line("- take the note of it off the store");
        }
    }

    /// Does it. The new path has read a secret and the store is ready.
    pub(super) async fn run(
        &self,
        cluster: &Cluster,
        google: &Gcp,
        store: &StoreName,
        watch_for: Duration,
        report: &mut Report<'_>,
    ) -> Result<()> {
        if self.only_the_note_is_left() {
            return forget(cluster, store, report).await;
        }
        let key = ServiceAccountKey::new(&self.key.email, &self.key.id)?;
        let broken = watch::not_ready(cluster, store).await?;
        if self.disable {
            report.progress(format_args!("disabling key {} of {}", key.id(), key.email()));
            google
                .disable_key(&key)
                .await
                .map_err(|error| error.hint(format!("this step needs {}", key.needs("disable"))))?;
        }
        if self.disable || self.delete {
            let watched = watch::stays_ready(cluster, store, &broken, Vigil::of(watch_for), report).await;
            if watched.is_err() && self.disable {
                report.progress(format_args!("enabling key {} of {} again", key.id(), key.email()));
                google.enable_key(&key).await?;
            }
            watched?;
        }
        if !self.delete {
            return Ok(());
        }
        let mut secrets = Vec::new();
        for place in &self.key.places {
            secrets.extend(only_the_key(cluster, place).await?);
        }
        // At Google first: what is refused there leaves the Secret, which a person may still want to look at.
        report.progress(format_args!("deleting key {} of {} at Google", key.id(), key.email()));
        google
            .delete_key(&key)
            .await
            .map_err(|error| error.hint(format!("this step needs {}", key.needs("delete"))))?;
        for secret in &secrets {
            if let Some(Manager::PutsBack { by }) = manager(secret) {
                report.progress(format_args!(
                    "Secret {}/{} is kept by {by}, and holds nothing but a key that is deleted: take it out where {by} reads it",
                    secret.namespace(),
                    secret.name()
                ));
                continue;
            }
            report.progress(format_args!("deleting Secret {}/{}", secret.namespace(), secret.name()));
            cluster.delete_object(&SECRETS, secret).await?;
        }
        forget(cluster, store, report).await
    }
}

/// Takes the note of the old key away. Whoever keeps the store's manifest takes it away there: it names what is gone.
async fn forget(cluster: &Cluster, name: &StoreName, report: &mut Report<'_>) -> Result<()> {
    let Some(store) = watch::read(cluster, name).await? else { return Ok(()) };
    if let Some(Manager::PutsBack { by }) = manager(&store.0) {
        report.progress(format_args!(
            "the annotation {REPLACES} of {} has done its work: take it out where {by} reads it",
            name.name()
        ));
        return Ok(());
    }
    let forget = json!({ "metadata": { "annotations": { REPLACES: null, REPLACED_KEY: null } } });
    cluster.merge_patch(name.resource(), name.namespace(), name.name(), &forget, false).await?;
    Ok(())
}

/// Writes into the store, in the same change as its new provider, which key in which Secret it named before.
pub(in crate::commands) fn remember_old_key(plan: &mut Plan, settled: &Settled) {
    let Some(key) = &settled.old_key else { return };
    let Some(place) = key.places.first() else { return };
    let notes = [(REPLACES, mark(place)), (REPLACED_KEY, mark_key(key))];
    let stores = plan.objects.iter_mut().filter(|object| object.manifest.kind().ends_with("SecretStore"));
    for object in stores.filter(|object| object.changes_something()) {
        for (name, value) in &notes {
            object.manifest.0["metadata"]["annotations"][*name] = json!(value);
            if let Doing::Patch(patch) = &mut object.doing {
                patch["metadata"]["annotations"][*name] = json!(value);
            }
        }
    }
}

/// The key that the store named before its provider was changed, with what is left of it.
pub(super) async fn replaced(cluster: &Cluster, estate: &Estate, store: &Store) -> Result<Option<OldKey>> {
    let place = store.0.annotation(REPLACES).and_then(parse);
    let key = store.0.annotation(REPLACED_KEY).and_then(parse_key);
    let (Some(place), Some((project, email, id))) = (place, key) else { return Ok(None) };
    let secret = cluster.get_object(&SECRETS, Some(&place.namespace), &place.name).await?;
    let held = secret.as_ref().and_then(|secret| Credential::of(secret, place.key.as_deref()));
    let mut key = OldKey::find(estate, store, project, email, id);
    // By now the Secret may hold something else.
    let same = held.is_some_and(
        |held| matches!(held.public, Public::GoogleKey { private_key_id, .. } if private_key_id == key.id),
    );
    if same && !key.places.contains(&place) {
        let others: BTreeSet<String> =
            key.other_stores.into_iter().chain(estate.others_naming(&place, store)).collect();
        key.other_stores = others.into_iter().collect();
        key.places.push(place);
    }
    key.noted = !matches!(manager(&store.0), Some(Manager::PutsBack { .. }));
    Ok(Some(key))
}

/// Whether an earlier run did not see this store's former key to its end.
pub(super) fn is_pending(store: &Store) -> bool {
    store.0.annotation(REPLACES).is_some()
}

/// `namespace/name/key`.
fn mark(place: &SecretKey) -> String {
    format!("{}/{}/{}", place.namespace, place.name, place.key.as_deref().unwrap_or_default())
}

/// The name that Google's API has for the key.
fn mark_key(key: &OldKey) -> String {
    format!("projects/{}/serviceAccounts/{}/keys/{}", key.project, key.email, key.id)
}

/// Project, e-mail address, ID.
fn parse_key(text: &str) -> Option<(String, String, String)> {
    match text.split('/').collect::<Vec<_>>()[..] {
        ["projects", project, "serviceAccounts", email, "keys", id] => {
            Some((project.to_owned(), email.to_owned(), id.to_owned()))
        }
        _ => None,
    }
}

fn parse(text: &str) -> Option<SecretKey> {
    let mut parts = text.splitn(3, '/').map(str::to_owned);
    let (namespace, name, key) = (parts.next()?, parts.next()?, parts.next()?);
    Some(SecretKey { namespace, name, key: Some(key).filter(|key| !key.is_empty()) })
}

/// The Secret, if it is there and holds nothing but the key.
async fn only_the_key(cluster: &Cluster, place: &SecretKey) -> Result<Option<Object>> {
    let secret = cluster.get_object(&SECRETS, Some(&place.namespace), &place.name).await?;
    if secret.as_ref().is_some_and(|secret| values(secret) > 1) {
        return Err(Error::failed(
            "secret-holds-more",
            format!("Secret {}/{} holds more than the key", place.namespace, place.name),
        )
        .hint("take the other values out of it, or delete the key's own by hand, then start again")
        .hint("the key is disabled and nothing uses it"));
    }
    Ok(secret)
}

fn values(secret: &Object) -> usize {
    secret.0.get("data").and_then(serde_json::Value::as_object).map_or(0, serde_json::Map::len)
}
