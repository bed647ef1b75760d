//! One file per rule. A new rule is a file here, a line in `RULES`, and a folder of fixtures.

pub(super) mod external_account;
pub(super) mod generator_credential;
pub(super) mod leftover_credential;
pub(super) mod legacy_token;
pub(super) mod minting_power;
pub(super) mod missing_secret;
pub(super) mod pod_credential;
pub(super) mod stored_credential;
pub(super) mod token_audience;
pub(super) mod unknown_login;

use std::collections::BTreeSet;

use super::{Identity, Stored, login::is_public};
use crate::cluster::{
    objects::Look,
    snapshot::{ConfigMapKey, Credential, Estate, Public, SecretKey, Store, Target},
};

/// The credentials that these references of a store come to; several for a store that means the namespaces of
/// whatever uses it. What is not there, or holds no secret, is none.
fn credentials(estate: &Estate, store: &Store, paths: &[String]) -> Vec<Stored> {
    let references: Vec<_> = store
        .references()
        .into_iter()
        .filter(|reference| reference.target == Target::Secret && paths.contains(&reference.path))
        .collect();
    let keys: BTreeSet<_> =
        references.iter().flat_map(|reference| estate.secret_keys(store, reference)).collect();
    // An access key's id lies beside it, in a reference of its own.
    let beside: BTreeSet<_> = store
        .references()
        .iter()
        .filter(|reference| reference.target == Target::Secret && is_public(&reference.path))
        .flat_map(|reference| estate.secret_keys(store, reference))
        .collect();
    // References of a ClusterSecretStore without a namespace mean another credential in each.
    if store.is_cluster() && references.iter().any(|reference| reference.namespace.is_none()) {
        let namespaces: BTreeSet<_> = keys.iter().map(|key| &key.namespace).collect();
        let within = |keys: &BTreeSet<SecretKey>, namespace: &String| {
            keys.iter().filter(|key| key.namespace == *namespace).cloned().collect()
        };
        let together = |namespace| stored(estate, &within(&keys, namespace), &within(&beside, namespace));
        return namespaces.into_iter().filter_map(together).collect();
    }
    stored(estate, &keys, &beside).into_iter().collect()
}

/// One credential out of the values that make it up; `None` when none of them is there.
fn stored(estate: &Estate, keys: &BTreeSet<SecretKey>, beside: &BTreeSet<SecretKey>) -> Option<Stored> {
    let looks = |keys: &BTreeSet<SecretKey>| -> Vec<(SecretKey, Look<Credential>)> {
        let unread = |key: &SecretKey| estate.credentials.get(key).cloned().unwrap_or(Look::Absent);
        keys.iter().map(|key| (key.clone(), unread(key))).collect()
    };
    let found: Vec<_> = looks(keys)
        .into_iter()
        .filter(|(_, look)| match look {
            Look::Seen(credential) => !matches!(credential.public, Public::ExternalAccount { .. }),
            Look::Absent => false,
            Look::Unseen(_) => true,
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    let beside = looks(beside);
    let public = found
        .iter()
        .chain(&beside)
        .filter_map(|(_, look)| Some(&look.seen()?.public))
        .find(|public| !matches!(public, Public::Opaque));
    let identity = public.and_then(name);
    let secrets: BTreeSet<_> = found.iter().map(|(key, _)| key.clone()).collect();
    let values: Option<Vec<_>> = found.iter().map(|(_, look)| Some(look.seen()?.same.clone())).collect();
    let identity = identity.unwrap_or_else(|| match values {
        Some(mut values) => {
            values.sort();
            Identity::Equal(values)
        }
        None => Identity::At(secrets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    });
    let unread = found.iter().any(|(_, look)| matches!(look, Look::Unseen(_)));
    let what = match public {
        Some(public) => public.to_string(),
        None if unread => "a stored credential that could not be looked at".into(),
        None => Public::Opaque.to_string(),
    };
    Some(Stored { identity, what, secrets, config_maps: BTreeSet::new() })
}

/// A credential that lies in a ConfigMap.
fn in_config_map(key: &ConfigMapKey, credential: &Credential) -> Stored {
    Stored {
        identity: name(&credential.public).unwrap_or_else(|| Identity::Equal(vec![credential.same.clone()])),
        what: credential.public.to_string(),
        secrets: BTreeSet::new(),
        config_maps: BTreeSet::from([key.clone()]),
    }
}

/// By its public name, where it has one.
fn name(public: &Public) -> Option<Identity> {
    match public {
        Public::GoogleKey { private_key_id, .. } if !private_key_id.is_empty() => {
            Some(Identity::Named(format!("google:{private_key_id}")))
        }
        Public::AwsAccessKey { id } => Some(Identity::Named(format!("aws:{id}"))),
        _ => None,
    }
}

/// How a store is used, in words: a store that nobody uses opens the secrets all the same.
fn use_of(estate: &Estate, store: &Store) -> String {
    match estate.users(store).count() {
        0 => "nothing uses this store, but its credential opens the secrets all the same".into(),
        1 => "1 object reads or writes through it".into(),
        users => format!("{users} objects read or write through it"),
    }
}
