//! A set of public keys (RFC 7517 §5), as it may be published.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    body::json_object,
    key::{Algorithm, KidRule, PublicKey, shown},
};
use crate::error::{Code, Error, Result};

/// The most keys that every relying party keeps: AWS 100 of each type, Entra the first 100.
pub(crate) const MAX_KEYS: usize = 100;

/// Members that hold private or symmetric key material (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
/// Members that make a relying party refuse the key: Google's upload the first three, AWS the last.
const FOREIGN_MEMBERS: [&str; 5] = ["x5c", "x5t", "x5t#S256", "x5u", "key_ops"];

/// One to [`MAX_KEYS`] public keys, each `kid` once, in the order of their `kid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySet(BTreeMap<String, PublicKey>);

/// A well-formed public key of a type that relying parties cannot read yet: left out of what is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) kid: String,
    pub(crate) kty: String,
}

/// One entry of a key set, judged by itself.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Key(PublicKey),
    Unreadable(Unreadable),
    /// It must not be published, for this reason.
    Refused(Error),
}

impl Entry {
    /// Every entry in the body of a JWKS answer, in its order. As many as a body can hold.
    pub(crate) fn all(body: &[u8], what: &str, rule: KidRule) -> Result<Vec<Self>> {
        let object = json_object(body, what)?;
        let Some(Value::Array(keys)) = object.get("keys") else {
            return Err(Error::failed(Code::KeySetMalformed, format!("{what} has no array `keys`"))
                .hint("RFC 7517 §5: a key set is {\"keys\": […]}; something else is served there"));
        };
        let place = |position: usize, key: &Value, error: Error| {
            let kid = key.get("kid").and_then(Value::as_str).map(|kid| format!(" (`{}`)", shown(kid)));
            error.at(format_args!("key {}{} of {what}", position + 1, kid.unwrap_or_default()))
        };
        let one = |(position, key)| {
            Self::read(key, rule).unwrap_or_else(|error| Self::Refused(place(position, key, error)))
        };
        Ok(keys.iter().enumerate().map(one).collect())
    }

    fn read(key: &Value, rule: KidRule) -> Result<Self> {
        let Some(jwk) = key.as_object() else {
            return Err(Error::failed(Code::JwkMalformed, "it is not an object").hint("RFC 7517 §4"));
        };
        refuse_members(jwk)?;
        match jwk.get("kty").and_then(Value::as_str) {
            Some(kty @ ("OKP" | "AKP")) => {
                let kid = jwk.get("kid").and_then(Value::as_str).unwrap_or("without kid");
                Ok(Self::Unreadable(Unreadable { kid: shown(kid), kty: kty.to_owned() }))
            }
            _ => Ok(Self::Key(PublicKey::from_jwk(jwk, rule)?)),
        }
    }
}

impl KeySet {
    /// Reads the body of a JWKS answer; `what` names it in a refusal. One bad key refuses the whole set:
    /// a set that was tampered with or damaged is not a source of good keys.
    pub(crate) fn parse(body: &[u8], what: &str, rule: KidRule) -> Result<(Self, Vec<Unreadable>)> {
        let entries = Entry::all(body, what, rule)?;
        if entries.len() > MAX_KEYS {
            return Err(Error::failed(Code::KeySetTooLarge, format!("{what} has {} keys", entries.len()))
                .hint(format!(
                    "relying parties keep {MAX_KEYS}; a cluster has one or two: find out who adds keys"
                )));
        }
        let mut readable = Vec::new();
        let mut unreadable = Vec::new();
        for entry in entries {
            match entry {
                Entry::Key(key) => readable.push(key),
                Entry::Unreadable(key) => unreadable.push(key),
                Entry::Refused(error) => return Err(error),
            }
        }
        if readable.is_empty() {
            let mut error =
                Error::failed(Code::KeySetEmpty, format!("{what} has no key that relying parties can read"));
            for key in &unreadable {
                error = error.caused_by(format_args!("{} is an {} key", key.kid, key.kty));
            }
            return Err(
                error.hint("no relying party can verify a token with it; the cluster needs an RSA or EC key")
            );
        }
        Ok((Self::new(readable).map_err(|error| error.at(what))?, unreadable))
    }

    /// A set of these keys; the same key twice counts once, as API servers may serve it twice.
    pub(crate) fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self> {
        let mut set = BTreeMap::new();
        for key in keys {
            insert(&mut set, key)?;
        }
        match set.len() {
            0 => {
                Err(Error::failed(Code::KeySetEmpty, "there is no key")
                    .hint("a key set needs at least one key"))
            }
            1..=MAX_KEYS => Ok(Self(set)),
            more => Err(Error::failed(Code::KeySetTooLarge, format!("together there are {more} keys"))
                .hint(format!("relying parties keep {MAX_KEYS}"))),
        }
    }

    /// All keys of both.
    pub(crate) fn union(&self, other: &Self) -> Result<Self> {
        Self::new(self.iter().chain(other.iter()).cloned())
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.0.get(kid)
    }

    /// In the order of their `kid`.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains_all(&self, other: &Self) -> bool {
        other.iter().all(|key| self.get(key.kid()).is_some_and(|mine| mine.same_key(key)))
    }

    /// Sorted, each once.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms: Vec<_> = self.iter().map(PublicKey::algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms
    }

    /// The published bytes: compact, sorted by `kid`, fixed order of members. Equal sets give equal bytes.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::from(r#"{"keys":["#);
        for (position, key) in self.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            key.write_jwk(&mut out);
        }
        out.push_str("]}");
        out
    }
}

fn insert(set: &mut BTreeMap<String, PublicKey>, key: PublicKey) -> Result<()> {
    match set.get(key.kid()) {
        Some(known) if !known.same_key(&key) => Err(Error::failed(
            Code::JwkDuplicateKid,
            format!("two different keys under the kid `{}`", key.kid()),
        )
        .caused_by(format_args!("{} and {}", known.describe(), key.describe()))
        .hint("six of the verifiers tried refuse such a set; give each key a kid of its own")),
        Some(_) => Ok(()),
        None => {
            set.insert(key.kid().to_owned(), key);
            Ok(())
        }
    }
}

fn refuse_members(jwk: &Map<String, Value>) -> Result<()> {
    // Some verifiers, Go's encoding/json among them, read members whatever their case.
    let has = |member: &&&str| jwk.keys().any(|name| name.eq_ignore_ascii_case(member));
    if let Some(member) = PRIVATE_MEMBERS.iter().find(has) {
        return Err(Error::failed(Code::JwkPrivateMember, format!("it holds the private member `{member}`")).hint(
            "everyone who reads it can sign as every workload: find out where it was served, and replace the key",
        ));
    }
    if let Some(member) = FOREIGN_MEMBERS.iter().find(has) {
        return Err(Error::failed(Code::JwkForeignMember, format!("it holds the member `{member}`"))
            .hint("Google and AWS refuse such a key, and an API server never serves it: remove the member at its source"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "key_set_tests.rs"]
mod tests;
