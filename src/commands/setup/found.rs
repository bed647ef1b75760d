//! The credential that a store logs in with, or did: what its settings name, in the Secrets where it lies.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::retire::Context;
use crate::{
    cluster::{
        Cluster,
        objects::Object,
        snapshot::{Reference, SECRETS, SecretKey, Store, Target},
    },
    error::{Code, Error, Result},
    federation::credential::{self, Found, Identity},
    retirement::{Kept, Place},
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
    let mut all = Vec::new();
    for (path, key) in left {
        collect(&mut all, it.cluster, &path, &key).await?;
    }
    Ok(all)
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
    let mut all = Vec::new();
    collect(&mut all, cluster, "", &key).await?;
    if all.is_empty() {
        return Err(Error::usage(Code::ReplacedSecret, format!("there is no {key}"))
            .hint("--replaced names the Secret that the store used before"));
    }
    Ok(all)
}

/// Adds what lies there. Entries of one Secret make one credential together, unless each tells what it is by itself.
async fn collect(all: &mut Vec<Kept>, cluster: &Cluster, path: &str, key: &SecretKey) -> Result<()> {
    let Some(secret) = cluster.get_object(&SECRETS, Some(&key.namespace), &key.name).await? else {
        return Ok(());
    };
    let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, value) in secret.0.get("data").and_then(Value::as_object).into_iter().flatten() {
        if key.key.as_ref().is_none_or(|key| key == name) {
            let value = value.as_str().and_then(|value| STANDARD.decode(value).ok()).unwrap_or_default();
            found.insert(name.clone(), value);
        }
    }
    for (entry, value) in &found {
        let identity = credential::recognise(&Found { path, value: Some(value) });
        add(all, identity, &secret, entry);
    }
    Ok(())
}

fn add(all: &mut Vec<Kept>, identity: Identity, secret: &Object, entry: &str) {
    // By what is public of it, wherever it lies; else by its Secret.
    let here = |place: &Place| place.uid == secret.uid();
    let same = all.iter_mut().find(|kept| match kept.identity.is_same(&identity) {
        Some(same) => same,
        None => {
            (kept.identity.kind, &kept.identity.id) == (identity.kind, &identity.id)
                && kept.places.iter().any(here)
        }
    });
    let place = Place {
        namespace: secret.namespace().to_owned(),
        name: secret.name().to_owned(),
        uid: secret.uid().to_owned(),
        version: secret.text("/metadata/resourceVersion").to_owned(),
        entries: vec![entry.to_owned()],
    };
    match same {
        Some(kept) => match kept.places.iter_mut().find(|place| here(place)) {
            Some(known) if known.entries.iter().any(|known| known == entry) => {}
            Some(known) => known.entries.push(entry.to_owned()),
            None => kept.places.push(place),
        },
        None => all.push(Kept { identity, proved: false, ours: false, places: vec![place] }),
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
