//! PURE. (live set, files, published sets, states) → the key set to publish, and what is known of each key.
//!
//! Keys are only added, except those that [`State::leaves`] names: a key that an API server no longer serves may still
//! have signed tokens that live. Ours always fit in, whatever others have put beside them; live keys and those of files
//! are published whatever state they are in.

use std::collections::{BTreeMap, BTreeSet};

use super::{KeyId, State, place::Place};
use crate::{
    error::{Code, Error, Result},
    oidc::{KeySet, MAX_KEYS, PublicKey},
};

/// What is decided upon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    /// What the API servers serve; `None` when none was asked.
    pub(crate) live: Option<&'a KeySet>,
    /// Keys that are to be public before they sign.
    pub(crate) files: Option<&'a KeySet>,
    /// What is public, the bucket's own copy first.
    pub(crate) published: &'a [PublishedSet],
    pub(crate) former: Former,
    /// What is known of each key; empty without a ledger.
    pub(crate) states: &'a BTreeMap<KeyId, State>,
    pub(crate) copies: Copies,
    /// The issuer is known to be this cluster's: what others put there is named, and keeps nothing out.
    pub(crate) is_own: bool,
    pub(crate) place: Place<'a>,
}

/// What becomes of keys that anonymous readers get, and that are not in the bucket although a key set is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copies {
    /// They are kept. Only where no ledger is kept, in which one could have been revoked.
    Kept,
    /// Those are kept that the ledger knows as keys of this cluster. Caches may hold a revoked key, and what is between the
    /// bucket and its readers is not the cluster.
    IfOurs,
}

/// One key set that is public now, key by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedSet {
    /// Names it for people, e.g. `s3://acme-oidc/keys.json`.
    pub(crate) name: String,
    pub(crate) keys: Vec<PublicKey>,
    /// A copy that anonymous readers see, which may lag behind what is stored.
    pub(crate) copy: bool,
}

/// What the user says of published keys that the cluster does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Former {
    /// Nothing.
    Unknown,
    /// `--same-cluster`: they are former keys of this very cluster.
    SameCluster,
    /// `--restore`: whatever is published is put right; what the cluster serves wins.
    Restore,
}

/// What is to be published, key by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Never empty.
    pub(crate) keys: KeySet,
    /// Published keys for which there is no room, as ours come first.
    pub(crate) left_out: Vec<PublicKey>,
    /// Published keys that are no longer to be.
    pub(crate) leaving: Vec<PublicKey>,
    /// Published keys that give way to one of ours under the same `kid`, and where they were.
    pub(crate) replaced: Vec<(PublicKey, String)>,
    /// Keys that anonymous readers see and that are not stored in the bucket.
    pub(crate) only_public: Vec<PublicKey>,
    /// Those of them that are not to be stored there.
    pub(crate) not_stored: Vec<PublicKey>,
    statuses: BTreeMap<String, KeyStatus>,
    new: BTreeSet<String>,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyStatus {
    /// Live, not published until now.
    Added,
    /// Live and published.
    Kept,
    /// From a file: published before any API server signs with it.
    Staged,
    /// Published, and served by no API server: a former key of this cluster, or a foreign one.
    NotServed,
    /// A former key, kept until its tokens have expired.
    Retained,
    /// Live once, at one API server, without a signature.
    ShownOnce,
    /// Live, although it was revoked.
    Revoked,
    /// Published, never seen live, never staged.
    Foreign,
    /// Taken out before, and published again.
    Returned,
    /// A provider has it, and another one has not.
    Missing,
    /// Published; no API server was asked.
    Published,
}

impl KeyStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Kept => "kept",
            Self::Staged => "staged",
            Self::NotServed => "not-served",
            Self::Retained => "retained",
            Self::ShownOnce => "shown-once",
            Self::Revoked => "revoked",
            Self::Foreign => "foreign",
            Self::Returned => "returned",
            Self::Missing => "missing",
            Self::Published => "published",
        }
    }
}

/// Decides what to publish: everything live, everything from files, everything published.
///
/// Refused when the cluster serves none of the keys of a published set, and the issuer is not known to be its own: then it
/// probably is another cluster's, and merging the two would let each impersonate the other's workloads. Refused as well
/// when another key is published under the `kid` of one of ours. `former` overrules the first, [`Former::Restore`] both.
pub(crate) fn decide(inputs: &Inputs<'_>) -> Result<Decision> {
    let ours = ours(inputs)?;
    let mut published = Published::default();
    for set in inputs.published {
        if let (Some(live), Former::Unknown, false) = (inputs.live, inputs.former, inputs.is_own) {
            refuse_another_cluster(live, set, &published, inputs)?;
        }
        published.merge(set, ours.as_ref(), inputs.former, inputs.place)?;
    }
    let Published { keys: mut room_for, replaced, mut only_public } = published;
    let state = |key: &PublicKey| inputs.states.get(&KeyId::of(key)).copied();
    let has_stored = inputs.published.iter().any(|set| !set.copy && !set.keys.is_empty());
    let is_left = |key: &mut PublicKey| {
        let is_kept = inputs.copies == Copies::Kept || state(key).is_some_and(|state| state.is_ours());
        has_stored && !is_kept && ours.as_ref().is_none_or(|ours| ours.get(key.kid()).is_none())
    };
    let not_stored: Vec<PublicKey> = only_public.extract_if(.., is_left).collect();
    not_stored.iter().for_each(|key| drop(room_for.remove(key.kid())));
    let was_published: BTreeSet<String> = room_for.keys().cloned().collect();
    if let Some(ours) = &ours {
        room_for.retain(|kid, _| ours.get(kid).is_none());
    }
    let room = MAX_KEYS - ours.as_ref().map_or(0, KeySet::len);
    let (leaving, mut others): (Vec<_>, Vec<_>) =
        room_for.into_values().partition(|key| state(key).is_some_and(State::leaves));
    let room = inputs.place.room(room, ours.as_ref(), &mut others, inputs)?;
    let left_out = others.split_off(room.min(others.len()));
    let all = ours.iter().flat_map(KeySet::iter).cloned().chain(others);
    let keys = match all.collect::<Vec<_>>() {
        none if none.is_empty() => {
            return Err(Error::usage(
                Code::NoKeySource,
                "there is no key to publish: no cluster is asked and no file is given",
            )
            .hint("leave out --no-cluster, or give --public-key FILE"));
        }
        all => KeySet::new(all)?,
    };
    let held = |set: Option<&KeySet>, key: &PublicKey| set.is_some_and(|set| set.get(key.kid()).is_some());
    let status = |key: &PublicKey| {
        let is_published = was_published.contains(key.kid());
        match (held(inputs.live, key), held(inputs.files, key)) {
            (true, _) if state(key) == Some(State::RevokedLive) => KeyStatus::Revoked,
            (true, _) if is_published => KeyStatus::Kept,
            (true, _) => KeyStatus::Added,
            (false, true) => KeyStatus::Staged,
            (false, false) if inputs.live.is_none() => KeyStatus::Published,
            (false, false) => match state(key) {
                Some(State::Retained { .. }) => KeyStatus::Retained,
                Some(State::ShownOnce { .. }) => KeyStatus::ShownOnce,
                Some(State::Staged) => KeyStatus::Staged,
                Some(State::Foreign) => KeyStatus::Foreign,
                Some(State::Returned { .. }) => KeyStatus::Returned,
                Some(State::Missing) => KeyStatus::Missing,
                // A key that signs, and that no server serves, is named by itself.
                Some(State::Unknown | State::Live | State::RevokedLive | State::Leaving) | None => {
                    KeyStatus::NotServed
                }
            },
        }
    };
    let statuses = keys.iter().map(|key| (key.kid().to_owned(), status(key))).collect();
    let kids = keys.iter().map(|key| key.kid().to_owned());
    let new = kids.filter(|kid| !was_published.contains(kid)).collect();
    Ok(Decision { keys, left_out, leaving, replaced, only_public, not_stored, statuses, new })
}

/// What must be public, whatever else is.
fn ours(inputs: &Inputs<'_>) -> Result<Option<KeySet>> {
    match (inputs.live, inputs.files) {
        (Some(live), Some(files)) => live.union(files).map(Some),
        (one, other) => Ok(one.or(other).cloned()),
    }
}

fn refuse_another_cluster(
    live: &KeySet,
    set: &PublishedSet,
    before: &Published,
    inputs: &Inputs<'_>,
) -> Result<()> {
    let is_known = |key: &PublicKey| inputs.states.get(&KeyId::of(key)).is_some_and(|state| state.is_ours());
    let is_ours = |key: &PublicKey| live.get(key.kid()).is_some() || is_known(key);
    // An older copy of what is stored is no other cluster's.
    let is_stored = |key: &PublicKey| before.keys.get(key.kid()).is_some_and(|known| known.same_key(key));
    if set.keys.is_empty() || set.keys.iter().any(is_ours) || set.copy && set.keys.iter().all(is_stored) {
        return Ok(());
    }
    let kids =
        |keys: &mut dyn Iterator<Item = &PublicKey>| shown(&keys.map(PublicKey::kid).collect::<Vec<_>>());
    let error = Error::failed(
        Code::IssuerOfAnotherCluster,
        format!(
            "none of the keys published in {} is served by this cluster: they are another cluster's, or all its keys were replaced at once",
            set.name
        ),
    )
    .caused_by(format_args!("published: {}", kids(&mut set.keys.iter())))
    .caused_by(format_args!("live:      {}", kids(&mut live.iter())));
    Err(inputs.place.if_of_another_cluster().iter().fold(error, |error, hint| error.hint(*hint)))
}

/// The first few of a list that others may have made long.
fn shown(kids: &[&str]) -> String {
    const SHOWN: usize = 5;
    let mut text =
        kids.iter().take(SHOWN).map(|kid| kid.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
    if kids.len() > SHOWN {
        text += &format!(" and {} more", kids.len() - SHOWN);
    }
    text
}

/// All published sets together.
#[derive(Default)]
struct Published {
    keys: BTreeMap<String, PublicKey>,
    replaced: Vec<(PublicKey, String)>,
    only_public: Vec<PublicKey>,
}

impl Published {
    fn merge(
        &mut self,
        set: &PublishedSet,
        ours: Option<&KeySet>,
        former: Former,
        place: Place<'_>,
    ) -> Result<()> {
        for key in &set.keys {
            let other_than = |known: Option<&PublicKey>| known.is_some_and(|known| !known.same_key(key));
            let squats = other_than(ours.and_then(|ours| ours.get(key.kid())));
            let stored = self.keys.get(key.kid());
            if squats && former != Former::Restore && !(set.copy && stored.is_some()) {
                return Err(taken(key, &set.name, place));
            }
            if squats {
                self.replaced.push((key.clone(), set.name.clone()));
            } else if stored.is_none() {
                if set.copy {
                    self.only_public.push(key.clone());
                }
                self.keys.insert(key.kid().to_owned(), key.clone());
            } else if other_than(stored) && former == Former::Restore {
                self.replaced.push((key.clone(), set.name.clone()));
            } else if other_than(stored) && !set.copy {
                return Err(twice(key, &set.name));
            }
        }
        Ok(())
    }
}

fn taken(key: &PublicKey, name: &str, place: Place<'_>) -> Error {
    Error::failed(
        Code::KidTaken,
        format!(
            "another key is published under the kid `{}` in {name} than the one that this cluster serves or a file holds under it",
            key.kid().escape_debug()
        ),
    )
    .caused_by(format_args!("published there: {}", key.describe()))
    .hint("the holder of that key can sign as every workload: find out who wrote it there")
    .hint(place.if_taken())
}

fn twice(key: &PublicKey, name: &str) -> Error {
    Error::failed(
        Code::JwkDuplicateKid,
        format!("two different keys are published under the kid `{}`, one of them in {name}", key.kid().escape_debug()),
    )
    .hint("relying parties refuse such a set: find out which one is right, and remove the other by hand; `keyless publish --restore` keeps the first")
}

impl Decision {
    pub(crate) fn status(&self, key: &PublicKey) -> KeyStatus {
        self.statuses.get(key.kid()).copied().unwrap_or(KeyStatus::Published)
    }

    /// Keys that a former copy of the published set may hold.
    pub(crate) fn gone(&self) -> Vec<PublicKey> {
        self.leaving.iter().chain(&self.not_stored).cloned().collect()
    }

    /// Whether relying parties cannot read it yet.
    pub(crate) fn is_new(&self, key: &PublicKey) -> bool {
        self.new.contains(key.kid())
    }

    /// Published keys that no API server serves.
    pub(crate) fn not_served(&self) -> Vec<&PublicKey> {
        let not_served = |key: &&PublicKey| self.status(key) == KeyStatus::NotServed;
        self.keys.iter().filter(not_served).chain(&self.left_out).collect()
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
