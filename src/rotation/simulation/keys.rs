//! The keys of the worlds as real ones, so that [`decide`] has its say. `decide` is that of the program.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use lab::{Curve, SigningKey};
use serde_json::json;

use super::{
    super::{Copies, Decision, Former, Inputs, KeyId, PublishedSet, State, decide},
    world::id,
};
use crate::oidc::{KeySet, KidRule, PublicKey};

/// Each with its own ID.
static KEYS: LazyLock<BTreeMap<KeyId, (PublicKey, KeyId)>> = LazyLock::new(|| {
    let key = |number: u8| {
        let mut jwk = SigningKey::ec(Curve::P256).jwk();
        jwk["kid"] = json!(number.to_string());
        let set = json!({ "keys": [jwk] }).to_string();
        let set = KeySet::parse(set.as_bytes(), "test", KidRule::External).unwrap().0;
        let key = set.iter().next().unwrap().clone();
        let own = KeyId::of(&key);
        (id(number), (key, own))
    };
    (1..=101).chain([200, 201]).map(key).collect()
});

fn real(keys: &BTreeSet<KeyId>) -> Vec<PublicKey> {
    keys.iter().map(|key| KEYS[key].0.clone()).collect()
}

/// The keys to publish, as the program decides.
pub(super) fn decided(
    live: &BTreeSet<KeyId>,
    staged: &BTreeSet<KeyId>,
    stored: &BTreeSet<KeyId>,
    copies: &BTreeSet<KeyId>,
    states: &BTreeMap<KeyId, State>,
) -> Result<BTreeSet<KeyId>, String> {
    let set = |keys: &BTreeSet<KeyId>| (!keys.is_empty()).then(|| KeySet::new(real(keys)).unwrap());
    let (live, files) = (set(live), set(staged));
    let published = [(stored, false), (copies, true)].into_iter().filter(|(keys, _)| !keys.is_empty());
    let published: Vec<_> =
        published.map(|(keys, copy)| PublishedSet { name: "set".into(), keys: real(keys), copy }).collect();
    let states = states.iter().map(|(key, state)| (KEYS[key].1, *state)).collect();
    let inputs = Inputs {
        live: live.as_ref(),
        files: files.as_ref(),
        published: &published,
        former: Former::Unknown,
        states: &states,
        copies: Copies::IfOurs,
        is_own: true,
        place: crate::rotation::Place::Documents,
    };
    let Decision { keys, .. } = decide(&inputs).map_err(|error| error.to_string())?;
    Ok(keys.iter().map(|key| id(key.kid().parse().unwrap())).collect())
}
