//! The credential that a store logs in with, or did: what its settings name, in the Secrets where it lies.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::retire::Context;
use crate::{
    cluster::{
        Cluster,
        snapshot::{Estate, Reference, SECRETS, SecretKey, Store, Target},
    },
    error::{Code, Error, Result},
    federation::{
        ProviderName,
        credential::{self, Found, Identity, Kind},
    },
    retirement::{Kept, Place, State},
    secret_store::Planned,
};

/// On a store, which Secret it named before: earlier versions wrote it. It informs, and decides nothing: users who may write
/// the store may write it.
pub(super) const REPLACES: &str = "keyless/replaces";

/// What the store names now and does not name any more as it is planned, in the Secrets where it lies.
pub(super) async fn leaves_behind(it: &Context<'_>, store: &Store, planned: &Planned) -> Result<Vec<Kept>> {
    let then = Store(planned.manifest.clone());
    let secrets = |store: &Store| -> Vec<Reference> {
        store.references().into_iter().filter(|reference| reference.target == Target::Secret).collect()
    };
    let stays: Vec<SecretKey> =
        secrets(&then).iter().flat_map(|reference| it.estate.secret_keys(&then, reference)).collect();
    let mut left = Vec::new();
    for reference in secrets(store) {
        for key in it.estate.secret_keys(store, &reference) {
            if !stays.contains(&key) {
                left.push((reference.path.clone(), key));
            }
        }
    }
    credentials_at(it.cluster, left).await
}

/// What the store names now, in the Secrets where it lies.
pub(super) async fn named_now(cluster: &Cluster, estate: &Estate, store: &Store) -> Result<Vec<Kept>> {
    let secrets = store.references().into_iter().filter(|reference| reference.target == Target::Secret);
    let named = secrets.flat_map(|reference| {
        let keys = estate.secret_keys(store, &reference).into_iter();
        keys.map(move |key| (reference.path.clone(), key)).collect::<Vec<_>>()
    });
    credentials_at(cluster, named.collect()).await
}

/// `named`: where a store names each, and where it lies.
async fn credentials_at(cluster: &Cluster, named: Vec<(String, SecretKey)>) -> Result<Vec<Kept>> {
    let (mut entries, mut clients) = (Vec::new(), Clients::default());
    for (path, key) in named {
        let here = entries_at(cluster, &path, &key).await?;
        if here.is_empty() {
            clients.add(credential::client(&Found { path: &path, value: None }));
        }
        entries.extend(here);
    }
    Ok(credentials(entries, clients))
}

/// Adds whom the former settings name beside a credential, where an earlier version has not saved that: what is not known to
/// be named is compared with nothing.
pub(super) async fn add_clients(
    cluster: &Cluster,
    estate: &Estate,
    store: &Store,
    state: &mut State,
) -> Result<()> {
    let Some(before) = &state.before else { return Ok(()) };
    let mut former = store.clone();
    former.0.0["spec"]["provider"] = before.clone();
    let mut clients = Clients::default();
    for reference in former.references().into_iter().filter(|reference| reference.target == Target::Secret) {
        let Some(unnamed) = credential::client(&Found { path: &reference.path, value: None }) else {
            continue;
        };
        if !state.credentials.iter().any(|kept| lacks_client(kept, unnamed.0)) {
            continue;
        }
        let mut here = Vec::new();
        for key in estate.secret_keys(&former, &reference) {
            here.extend(entries_at(cluster, &reference.path, &key).await?);
        }
        match here.is_empty() {
            true => clients.add(Some(unnamed)),
            false => here.into_iter().for_each(|entry| clients.add(entry.client)),
        }
    }
    for kept in &mut state.credentials {
        if let Kind::Of(provider) = kept.identity.kind
            && lacks_client(kept, provider)
        {
            kept.identity.client = clients.at(provider);
        }
    }
    Ok(())
}

fn lacks_client(kept: &Kept, provider: ProviderName) -> bool {
    kept.identity.kind == Kind::Of(provider) && kept.identity.client.is_none()
}

/// The Secret that the annotation names.
pub(super) async fn named_by_hand(cluster: &Cluster, named: &str) -> Result<Vec<Kept>> {
    let parts: Vec<_> = named.splitn(3, '/').collect();
    let [namespace, name, entry @ ..] = parts.as_slice() else {
        return Err(Error::usage(
            Code::ReplacedSecret,
            format!("`{}` names no Secret", named.escape_debug()),
        )
        .hint("write NAMESPACE/NAME or NAMESPACE/NAME/ENTRY, e.g. --replaced external-secrets/gcp-key"));
    };
    let entry = entry.first().filter(|entry| !entry.is_empty()).map(|entry| (*entry).to_owned());
    let key = SecretKey { namespace: (*namespace).to_owned(), name: (*name).to_owned(), key: entry };
    let all = credentials(entries_at(cluster, "", &key).await?, Clients::default());
    if all.is_empty() {
        return Err(Error::usage(Code::ReplacedSecret, format!("there is no {key}"))
            .hint("--replaced names the Secret that the store used before"));
    }
    Ok(all)
}

/// One entry of a Secret, by what lies in it.
struct Entry {
    identity: Identity,
    /// A credential of this provider has it as a part.
    part_of: Option<ProviderName>,
    /// Whom the store names here as the one who logs in.
    client: Option<(ProviderName, String)>,
    place: Place,
}

/// Whom the store names as the one who logs in with what lies beside it.
#[derive(Default)]
struct Clients(Vec<(ProviderName, String)>);

impl Clients {
    fn add(&mut self, client: Option<(ProviderName, String)>) {
        self.0.extend(client);
    }

    /// Several are as good as none that could be one.
    fn at(&self, provider: ProviderName) -> Option<String> {
        let mut all = self.0.iter().filter(|(of, _)| *of == provider).map(|(_, client)| client);
        let first = all.next()?;
        Some(if all.all(|other| other == first) { first.clone() } else { String::new() })
    }
}

impl Entry {
    fn of(found: &Found<'_>, place: Place) -> Self {
        let (identity, part_of) = (credential::recognise(found), credential::part_of(found));
        // Where a store names no entry, the credential itself lies at the place as well.
        let client = credential::client(found).filter(|(provider, _)| identity.kind != Kind::Of(*provider));
        Self { identity, part_of, client, place }
    }
}

/// What lies there.
async fn entries_at(cluster: &Cluster, path: &str, key: &SecretKey) -> Result<Vec<Entry>> {
    let Some(secret) = cluster.get_object(&SECRETS, Some(&key.namespace), &key.name).await? else {
        return Ok(Vec::new());
    };
    let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, value) in secret.0.get("data").and_then(Value::as_object).into_iter().flatten() {
        if key.key.as_ref().is_none_or(|key| key == name) {
            let value = value.as_str().and_then(|value| STANDARD.decode(value).ok()).unwrap_or_default();
            found.insert(name.clone(), value);
        }
    }
    let entry = |(entry, value): (String, Vec<u8>)| {
        let found = Found { path, value: Some(&value) };
        let place = Place {
            namespace: secret.namespace().to_owned(),
            name: secret.name().to_owned(),
            uid: secret.uid().to_owned(),
            version: secret.text("/metadata/resourceVersion").to_owned(),
            entries: vec![entry],
        };
        Entry::of(&found, place)
    };
    Ok(found.into_iter().map(entry).collect())
}

/// The credentials in these entries. Entries of one Secret make one credential together, unless each tells what it is by
/// itself.
fn credentials(entries: Vec<Entry>, mut clients: Clients) -> Vec<Kept> {
    let mut all = Vec::new();
    entries.iter().for_each(|entry| clients.add(entry.client.clone()));
    // A part belongs to what names it, so that has to be known.
    let (parts, whole): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.part_of.is_some());
    for Entry { identity, place, .. } in whole {
        add(&mut all, identity, place);
    }
    for Entry { identity, part_of, place, .. } in parts {
        let is_named = |kept: &&mut Kept| {
            part_of.is_some_and(|provider| kept.identity.kind == Kind::Of(provider))
                && kept.places.iter().any(|known| known.uid == place.uid)
        };
        let mut named: Vec<_> = all.iter_mut().filter(is_named).collect();
        match named.as_mut_slice() {
            [one] => add_place(one, place),
            // In another Secret than its name, or beside several, it is not known to which one it belongs.
            _ => add(&mut all, identity, place),
        }
    }
    for kept in &mut all {
        if let Kind::Of(provider) = kept.identity.kind {
            kept.identity.client = clients.at(provider);
        }
    }
    all
}

fn add(all: &mut Vec<Kept>, identity: Identity, place: Place) {
    // By what is public of it, wherever it lies; else by its Secret.
    let here = |known: &Place| known.uid == place.uid;
    let same = all.iter_mut().find(|kept| match kept.identity.is_same(&identity) {
        Some(same) => same,
        None => {
            (kept.identity.kind, &kept.identity.id) == (identity.kind, &identity.id)
                && kept.places.iter().any(here)
        }
    });
    match same {
        Some(kept) => add_place(kept, place),
        None => all.push(Kept { identity, proved: false, ours: false, places: vec![place] }),
    }
}

fn add_place(kept: &mut Kept, place: Place) {
    match kept.places.iter_mut().find(|known| known.uid == place.uid) {
        Some(known) => {
            let new = place.entries.into_iter().filter(|entry| !known.entries.contains(entry));
            known.entries.extend(new.collect::<Vec<_>>());
        }
        None => kept.places.push(place),
    }
}

/// What a store says that it used before, if that is the form of a name.
pub(super) fn only_annotated(store: &Store) -> Option<String> {
    let text = store.0.annotation(REPLACES)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let parts: Vec<_> = text.split('/').collect();
    let fits =
        parts.len() >= 2 && parts.iter().take(3).all(|part| part.len() <= 253 && part.bytes().all(plain));
    fits.then(|| parts.into_iter().take(3).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
#[path = "found_tests.rs"]
mod tests;
