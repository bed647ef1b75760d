//! PURE. What each provider is to have: decided from the cluster, the files and the keys of this provider alone. No key gets
//! from one provider to another.

use std::collections::{BTreeMap, BTreeSet};

use super::History;
use crate::{
    error::Result,
    federation::Rules,
    oidc::{KeySet, PublicKey},
    rotation::{self, Copies, Decision, Former, Inputs, KeyId, KeyStatus, Limit, Place, PublishedSet},
};

/// What one provider is to have. `set`: what it has.
pub(super) fn decide(
    live: &KeySet,
    files: Option<&KeySet>,
    set: &PublishedSet,
    rules: &Rules,
    history: Option<&History>,
) -> Result<Decision> {
    let states = history.map(|history| history.judged.states.clone()).unwrap_or_default();
    let keys = &rules.keys;
    let limit = keys.most.map(|most| Limit { most, code: keys.codes[1], without: keys.without_limit });
    rotation::decide(&Inputs {
        live: Some(live),
        files,
        published: std::slice::from_ref(set),
        former: Former::Unknown,
        states: &states,
        copies: Copies::IfOurs,
        // The ledger knows it from elsewhere.
        is_own: false,
        place: Place::Provider { name: &set.name, limit },
    })
}

/// One decision for each provider for which there is one, in their order.
#[derive(Debug)]
pub(super) struct Decisions<'a>(pub(super) Vec<&'a Decision>);

impl<'a> Decisions<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a Decision> + '_ {
        self.0.iter().copied()
    }

    /// The keys of any provider, each once, by `kid`. For people: no provider is to have all of them.
    pub(super) fn keys(&self) -> Vec<&'a PublicKey> {
        once(self.iter().flat_map(|decision| decision.keys.iter()))
    }

    /// The keys of every provider: the cluster's own at least.
    pub(super) fn in_every(&self) -> Result<KeySet> {
        let ids = in_every(self.iter().map(|decision| decision.keys.iter()));
        KeySet::new(self.keys().into_iter().filter(|key| ids.contains(&KeyId::of(key))).cloned())
    }

    /// As the first provider has it that is to have it.
    pub(super) fn status(&self, key: &PublicKey) -> KeyStatus {
        let has = |decision: &&Decision| decision.keys.iter().any(|one| one.same_key(key));
        self.iter().find(has).map_or(KeyStatus::Published, |decision| decision.status(key))
    }

    pub(super) fn has_not_served(&self) -> bool {
        self.iter().any(|decision| !decision.not_served().is_empty())
    }

    /// Those that a provider is to have no longer.
    pub(super) fn leaving(&self) -> Vec<&'a PublicKey> {
        once(self.iter().flat_map(|decision| &decision.leaving))
    }

    /// Those for which a provider has no room.
    pub(super) fn left_out(&self) -> Vec<&'a PublicKey> {
        once(self.iter().flat_map(|decision| &decision.left_out))
    }
}

/// The keys that are in each of these sets.
pub(super) fn in_every<'a, S: IntoIterator<Item = &'a PublicKey>>(
    sets: impl IntoIterator<Item = S>,
) -> BTreeSet<KeyId> {
    sets.into_iter()
        .map(ids)
        .reduce(|one, other| one.intersection(&other).copied().collect())
        .unwrap_or_default()
}

/// For each key that one of these has, the others that lack it, by name.
pub(super) fn lacking(sets: &[&PublishedSet]) -> BTreeMap<KeyId, Vec<String>> {
    let all: Vec<_> = sets.iter().map(|set| (set.name.clone(), ids(&set.keys))).collect();
    let each: BTreeSet<KeyId> = all.iter().flat_map(|(_, ids)| ids).copied().collect();
    let without = |id: &KeyId| -> Vec<String> {
        all.iter().filter(|(_, ids)| !ids.contains(id)).map(|(name, _)| name.clone()).collect()
    };
    each.into_iter().map(|id| (id, without(&id))).filter(|(_, names)| !names.is_empty()).collect()
}

/// Which keys these are, whatever their order and their `kid`s: Vault keeps none.
pub(super) fn ids<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> BTreeSet<KeyId> {
    keys.into_iter().map(KeyId::of).collect()
}

fn once<'a>(keys: impl Iterator<Item = &'a PublicKey>) -> Vec<&'a PublicKey> {
    let by_id: BTreeMap<_, _> = keys.map(|key| ((key.kid(), KeyId::of(key)), key)).collect();
    by_id.into_values().collect()
}

#[cfg(test)]
mod tests {
    use lab::{Curve, SigningKey};

    use super::{super::history::tests::server, *};

    #[test]
    fn only_keys_of_each_are_public() {
        let all: Vec<_> = ["a", "b", "c"].map(|kid| server(&SigningKey::ec(Curve::P256), &[kid]).keys).into();
        let keys: Vec<PublicKey> = all.iter().flat_map(KeySet::iter).cloned().collect();
        let sets = [&keys[..2], &keys[1..]];
        assert_eq!(in_every(sets), BTreeSet::from([KeyId::of(&keys[1])]));
        assert_eq!(in_every([&keys[..1], &keys[1..]]), BTreeSet::new());
        assert_eq!(in_every([&keys]), ids(&keys));
        let named = |name: &str, keys: &[PublicKey]| PublishedSet {
            name: name.to_owned(),
            keys: keys.to_vec(),
            copy: false,
        };
        let (one, other) = (named("one", &keys[..2]), named("other", &keys[1..]));
        let lacks = |key: &PublicKey, name: &str| (KeyId::of(key), vec![name.to_owned()]);
        assert_eq!(lacking(&[&one, &other]), [lacks(&keys[0], "other"), lacks(&keys[2], "one")].into());
        assert_eq!(lacking(&[&one]), BTreeMap::new());
    }
}
