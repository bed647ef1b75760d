//! PURE. What setup noted of credentials that it has replaced and that are not gone yet. A note may be written by others
//! than this program: it can add to what is counted, and takes nothing away.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::Value;

use super::{SecretKey, Store};

/// A credential that a store used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// In words that open nothing.
    pub(crate) what: String,
    /// The id of a key of a Google service account.
    pub(crate) google_key: Option<String>,
    /// Where it lay.
    pub(crate) places: Vec<SecretKey>,
    /// The object that holds the note.
    pub(crate) noted: String,
}

/// The annotations of earlier versions: `namespace/name/key`, and the key's name at Google.
const REPLACES: &str = "keyless/replaces";
const REPLACED_KEY: &str = "keyless/replaced-key";
/// Where the notes are kept otherwise.
pub(super) const NAMESPACE: &str = "keyless-system";
/// Of the ConfigMaps that this program keeps.
pub(super) const SELECTOR: &str = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dkeyless";

#[derive(Deserialize)]
struct ConfigMap<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    data: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// What is read of a note; it holds more.
#[derive(Deserialize)]
struct Note {
    credentials: Vec<Noted>,
}

#[derive(Deserialize)]
struct Noted {
    identity: Identity,
    #[serde(default)]
    places: Vec<Place>,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    shown: String,
}

#[derive(Deserialize)]
struct Place {
    namespace: String,
    name: String,
    #[serde(default)]
    entries: Vec<String>,
}

impl Replaced {
    /// From the annotations of a store.
    pub(super) fn of_store(store: &Store) -> Option<Self> {
        let place = store.0.annotation(REPLACES).and_then(parse_place);
        let key = store.0.annotation(REPLACED_KEY);
        if store.0.annotation(REPLACES).is_none() && key.is_none() {
            return None;
        }
        let google_key = key.and_then(google_key);
        Some(Self {
            what: match &google_key {
                Some((email, id)) => format!("key {id} of the Google service account {email}"),
                None => "the credential that the store used before".into(),
            },
            google_key: google_key.map(|(_, id)| id),
            places: place.into_iter().collect(),
            noted: store.0.describe(),
        })
    }

    /// From a ConfigMap of this program's; `None` when it cannot be read. Other notes than these hold none.
    pub(super) fn of_config_map(json: &[u8]) -> Option<Vec<Self>> {
        let ConfigMap { metadata, data } = serde_json::from_slice(json).ok()?;
        let noted = format!("ConfigMap {NAMESPACE}/{}", metadata.name);
        let mut found = Vec::new();
        for text in data.into_iter().flatten().map(|(_, text)| text) {
            let Ok(value) = serde_json::from_str::<Value>(&text) else { continue };
            if value.get("credentials").is_none() {
                continue;
            }
            let note: Note = serde_json::from_value(value).ok()?;
            found.extend(note.credentials.into_iter().map(|credential| credential.replaced(&noted)));
        }
        Some(found)
    }
}

impl Noted {
    fn replaced(self, noted: &str) -> Replaced {
        let Identity { kind, id, shown } = self.identity;
        let id = id.rsplit('/').next().unwrap_or_default();
        let google_key = (kind == "google-key" && is_key_id(id)).then(|| id.to_owned());
        let places = self.places.into_iter().flat_map(|place| {
            let entries = match place.entries.as_slice() {
                [] => vec![None],
                entries => entries.iter().cloned().map(Some).collect(),
            };
            entries.into_iter().map(move |key| SecretKey {
                namespace: place.namespace.clone(),
                name: place.name.clone(),
                key,
            })
        });
        Replaced {
            what: if shown.is_empty() { "a credential that a store used before".into() } else { shown },
            google_key,
            places: places.collect(),
            noted: noted.to_owned(),
        }
    }
}

/// E-mail address and id, of `projects/…/serviceAccounts/EMAIL/keys/ID`.
fn google_key(text: &str) -> Option<(String, String)> {
    let ["projects", _, "serviceAccounts", email, "keys", id] = text.split('/').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let is_email =
        email.len() <= 320 && email.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.@_:".contains(&b));
    (is_email && is_key_id(id)).then(|| (email.to_owned(), id.to_owned()))
}

fn is_key_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn parse_place(text: &str) -> Option<SecretKey> {
    let mut parts = text.splitn(3, '/').map(str::to_owned);
    let (namespace, name, key) = (parts.next()?, parts.next()?, parts.next());
    let is_name = |name: &str| {
        (1..=253).contains(&name.len())
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
    };
    let is_key = |key: &String| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    (is_name(&namespace) && is_name(&name)).then(|| SecretKey {
        namespace,
        name,
        key: key.filter(|key| !key.is_empty() && is_key(key)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::objects::Object;

    fn config_map(text: &str) -> Option<Vec<Replaced>> {
        let config_map = json!({"metadata": {"name": "retirement-gcp"}, "data": {"state": text}});
        Replaced::of_config_map(config_map.to_string().as_bytes())
    }

    #[test]
    fn notes_name_what_was_replaced() {
        let found = config_map(
            r#"{"version": 1, "credentials": [{"identity": {"kind": "google-key", "id": "projects/p/serviceAccounts/e@x/keys/0a1b", "shown": "key 0a1b of e@x"},
             "proved": true, "places": [{"namespace": "eso", "name": "gcp-key", "uid": "u", "entries": ["key.json"]}]},
             {"identity": {"kind": "by-hand", "shown": "a Vault token"}, "places": [{"namespace": "eso", "name": "v", "entries": []}]}], "stage": {"name": "saved"}}"#,
        );
        let found = found.unwrap();
        assert_eq!(found[0].google_key.as_deref(), Some("0a1b"));
        assert_eq!(found[0].places[0].to_string(), "Secret eso/gcp-key (key.json)");
        assert_eq!((found[1].what.as_str(), found[1].places[0].key.as_deref()), ("a Vault token", None));
        for (text, wanted) in [
            ("{}", Some(0)),
            ("not JSON", Some(0)),
            (r#"{"credentials": 3}"#, None),
            (r#"{"credentials": [{}]}"#, None),
        ] {
            assert_eq!(config_map(text).map(|found| found.len()), wanted, "{text}");
        }
        assert_eq!(Replaced::of_config_map(b"[]"), None);
    }

    #[test]
    fn annotations_name_what_was_replaced() {
        let of = |annotations: Value| {
            Replaced::of_store(&Store(Object(
                json!({"kind": "ClusterSecretStore", "metadata": {"name": "gcp", "annotations": annotations}}),
            )))
        };
        let found = of(
            json!({"keyless/replaces": "eso/gcp-key/key.json", "keyless/replaced-key": "projects/p/serviceAccounts/e@x/keys/0a1b"}),
        );
        let found = found.unwrap();
        assert_eq!((found.google_key.as_deref(), found.places.len()), (Some("0a1b"), 1));
        assert_eq!(of(json!({})), None);
        // What cannot be read is counted all the same.
        let found =
            of(json!({"keyless/replaced-key": "projects/\u{1b}[31m/serviceAccounts/x/keys/\n"})).unwrap();
        assert_eq!(
            (found.google_key, found.what.as_str()),
            (None, "the credential that the store used before")
        );
        assert_eq!(of(json!({"keyless/replaces": "../x"})).unwrap().places, []);
    }
}
