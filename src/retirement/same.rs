//! PURE. Compares a store's login of now with that of before, and a credential with that of another store.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Kept, Place};

/// Whether a store logs in as before. The API server may have added defaults since, but not to a login.
pub(crate) fn is_again(before: &Value, now: &Value) -> bool {
    fn covered(before: &Value, now: &Value, in_login: bool) -> bool {
        match (before, now) {
            (Value::Object(before), Value::Object(now)) => {
                let known = before.iter().all(|(name, value)| {
                    now.get(name).is_some_and(|now| covered(value, now, in_login || name == "auth"))
                });
                known && (!in_login || now.len() == before.len())
            }
            (before, now) => before == now,
        }
    }
    let one = |provider: &Value| provider.as_object().map(serde_json::Map::len);
    one(before) == one(now) && covered(before, now, false)
}

impl Kept {
    /// Whether both are provably one credential: by what its provider knows of it, or because they lie in one place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match self.identity.is_same(&other.identity) {
            Some(same) => same,
            None => !self.places.is_empty() && self.lies_in() == other.lies_in(),
        }
    }

    fn lies_in(&self) -> BTreeSet<(&str, &str, &str, BTreeSet<&str>)> {
        self.places.iter().map(Place::identity).collect()
    }

    /// Whether an end of one may be one of the other: as [`Self::is_same`], or some entry of a Secret is of both.
    pub(crate) fn touches(&self, other: &Self) -> bool {
        let near = |place: &Place| other.places.iter().any(|theirs| place.touches(theirs));
        self.is_same(other)
            || self.identity.is_same(&other.identity).is_none() && self.places.iter().any(near)
    }
}

impl Place {
    fn identity(&self) -> (&str, &str, &str, BTreeSet<&str>) {
        let entries = self.entries.iter().map(String::as_str).collect();
        (&self.namespace, &self.name, &self.uid, entries)
    }

    fn touches(&self, other: &Self) -> bool {
        let same = (&self.namespace, &self.name) == (&other.namespace, &other.name);
        let all = self.entries.is_empty() || other.entries.is_empty();
        same && (all || self.entries.iter().any(|entry| other.entries.contains(entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::credential::{Found, recognise};

    fn kept(path: &str, secret: &str, entries: &[&str]) -> Kept {
        let place = Place {
            namespace: "shop".into(),
            name: secret.into(),
            uid: secret.into(),
            version: "7".into(),
            entries: entries.iter().map(|&entry| entry.to_owned()).collect(),
        };
        let identity = recognise(&Found { path, value: Some(b"s.token") });
        Kept { identity, proved: false, ours: false, places: vec![place] }
    }

    /// Nothing of a token says which it is.
    #[test]
    fn token_is_same_only_by_place() {
        for path in ["vault.auth.tokenSecretRef", "aws.auth.secretRef.secretAccessKeySecretRef"] {
            let one = kept(path, "a", &["token"]);
            for (other, same, touches) in [
                (kept(path, "a", &["token"]), true, true),
                (kept(path, "b", &["token"]), false, false),
                (kept(path, "a", &["other"]), false, false),
                (kept(path, "a", &["other", "token"]), false, true),
                (kept(path, "a", &[]), false, true),
                (Kept { places: Vec::new(), ..one.clone() }, false, false),
            ] {
                assert_eq!(one.identity, other.identity);
                assert_eq!((one.is_same(&other), other.is_same(&one)), (same, same), "{other:?}");
                assert_eq!((one.touches(&other), other.touches(&one)), (touches, touches), "{other:?}");
            }
        }
    }

    #[test]
    fn key_is_same_wherever_it_lies() {
        let of = |secret: &str, id: &str, half: Option<&str>| {
            let mut key = kept("gcpsm.", secret, &["key.json"]);
            key.identity.kind =
                crate::federation::credential::Kind::Of(crate::federation::ProviderName::default());
            (key.identity.id, key.identity.public_half) = (id.to_owned(), half.map(str::to_owned));
            key
        };
        let one = of("a", "k", Some("h"));
        assert!(one.is_same(&of("b", "k", Some("h"))));
        for other in [of("a", "k", Some("i")), of("a", "l", Some("h")), of("b", "k", None)] {
            assert!(!one.is_same(&other) && !one.touches(&other), "{other:?}");
        }
        assert!(one.is_same(&of("a", "", None)), "what lies there may be it");
    }
}
