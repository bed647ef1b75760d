//! PURE. Whether a value is a credential, or holds it in any form.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::wrapped::{any_within, private_keys};
use crate::oidc::keys_from_pem;

/// What a credential is recognised by, wherever it lies. It cannot be printed.
#[derive(Clone, Default)]
pub(crate) struct Needle {
    /// Its ID, in the clear in every copy of its file.
    id: Option<String>,
    /// `kid` of its public half.
    public_half: Option<String>,
    /// SHA-256 of the values that hold it.
    values: BTreeSet<Vec<u8>>,
    /// Whether a word may be it, by its form.
    may_be: Option<Arc<MayBe>>,
}

type MayBe = dyn Fn(&[u8]) -> bool + Send + Sync;

/// In every private key that is text.
const PRIVATE: &[u8] = b"PRIVATE KEY-----";
/// A shorter ID is a part of other texts by chance.
const SHORTEST_ID: usize = 20;
/// How long a word is that may be a credential.
const WORD: RangeInclusive<usize> = 30..=128;

impl Needle {
    pub(crate) fn new(id: Option<&str>, public_half: Option<&str>) -> Self {
        Self {
            id: id.filter(|id| id.len() >= SHORTEST_ID).map(str::to_owned),
            public_half: public_half.map(str::to_owned),
            values: BTreeSet::new(),
            may_be: None,
        }
    }

    /// Also finds what may be it by its form: what has no ID of its own is found in no other way where it lies among text.
    pub(crate) fn that_may_be(self, may_be: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { may_be: Some(Arc::new(may_be)), ..self }
    }

    /// A value that holds it.
    pub(crate) fn add_value(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        if !value.is_empty() {
            self.values.insert(digest(&SHA256, value).as_ref().to_vec());
        }
    }

    /// Whether a value is it, or holds it in any form: in base64 once more, in JSON, among other text.
    pub(super) fn is_in(&self, value: &[u8]) -> bool {
        any_within(value, &mut |part| self.is_key(part)) || self.is_value_in(value)
    }

    /// The same of a text, by what tells the key itself.
    pub(super) fn is_written_in(&self, text: &str) -> bool {
        any_within(text.as_bytes(), &mut |part| self.is_key(part))
    }

    fn is_key(&self, value: &[u8]) -> bool {
        // An ID alone is a mention, as in a report.
        // The secret half of an access key is no PEM: it lies beside the ID.
        let is_pair = |id: &String| id.starts_with("AKIA") && has_secret_word(value);
        let is_copy =
            |id: &String| contains(value, id.as_bytes()) && (contains(value, PRIVATE) || is_pair(id));
        self.id.as_ref().is_some_and(is_copy) || self.is_public_half_of(value) || self.may_be_in(value)
    }

    fn may_be_in(&self, value: &[u8]) -> bool {
        let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_~.-".contains(byte);
        let mut words = value.split(|byte| !in_word(byte)).filter(|word| WORD.contains(&word.len()));
        self.may_be.as_ref().is_some_and(|may_be| words.any(|word| may_be(word)))
    }

    /// What has no form of its own is the same as a whole: a word in a document may be anything.
    fn is_value_in(&self, value: &[u8]) -> bool {
        if self.values.is_empty() {
            return false;
        }
        self.values.contains(digest(&SHA256, value.trim_ascii()).as_ref())
            || logins(value).iter().any(|login| self.is_value_in(login))
            || encoded(value).is_some_and(|inner| self.is_value_in(&inner))
    }

    fn is_public_half_of(&self, value: &[u8]) -> bool {
        let Some(public_half) = self.public_half.as_deref().filter(|_| contains(value, PRIVATE)) else {
            return false;
        };
        private_keys(value).iter().any(|pem| {
            keys_from_pem(pem.as_bytes(), "it")
                .is_ok_and(|keys| keys.iter().any(|key| key.kid() == public_half))
        })
    }
}

/// Whether it holds what has the form of the secret half of an access key: 40 characters of base64 that are no checksum.
fn has_secret_word(value: &[u8]) -> bool {
    // A digest in the alphabet of URLs is one word as well, and longer.
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let is_hex = |word: &[u8]| word.iter().all(u8::is_ascii_hexdigit);
    value.split(|byte| !is_of_word(byte)).any(|word| word.len() == 40 && !is_hex(word))
}

/// What is in base64 once more, as people write it who encode what `stringData` would have encoded for them.
fn encoded(value: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok().filter(|inner| !inner.is_empty())
}

/// The passwords in a pull secret (`.dockerconfigjson`, `.dockercfg`), decoded.
fn logins(value: &[u8]) -> Vec<Vec<u8>> {
    if !contains(value, b"\"auth\"") && !contains(value, b"\"password\"") {
        return Vec::new();
    }
    let Ok(Value::Object(file)) = serde_json::from_slice::<Value>(value) else { return Vec::new() };
    let hosts = file.get("auths").and_then(Value::as_object).unwrap_or(&file);
    let mut found = Vec::new();
    for host in hosts.values() {
        found.extend(host["password"].as_str().map(|password| password.as_bytes().to_vec()));
        let auth = host["auth"].as_str().and_then(|auth| STANDARD.decode(auth).ok());
        // `user:password`
        found.extend(auth.map(|auth| match auth.iter().position(|byte| *byte == b':') {
            Some(colon) => auth[colon + 1..].to_vec(),
            None => auth,
        }));
    }
    found
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else { return false };
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(part) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has neither ID nor public half: known by its form alone.
    #[test]
    fn word_of_same_form_is_found() {
        let form = |tail: &str| format!("aB38Q~{tail}");
        let word = form(&"x".repeat(34));
        let begins = |word: &[u8]| word.starts_with(b"aB38Q~");
        let needle = Needle::new(Some("aB3"), None).that_may_be(begins);
        let json = serde_json::json!({"clientSecret": word}).to_string();
        for holds in [word.clone(), format!("AZURE_CLIENT_SECRET={word}\n"), json, STANDARD.encode(&word)] {
            assert!(needle.is_in(holds.as_bytes()), "{holds}");
        }
        assert!(needle.is_written_in(&format!("--secret={word}")));
        // Three characters are in other texts by chance: in a private key as well.
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIaB3\n-----END PRIVATE KEY-----\n".to_owned();
        for other in ["aB3".to_owned(), form("short"), form(&"x".repeat(200)), pem] {
            assert!(!needle.is_in(other.as_bytes()), "{other}");
        }
    }
}
