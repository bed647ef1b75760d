//! PURE. Secrets by what lies outside of their values: type, number of keys, names of keys, labels, annotations, age. An API
//! server gives them as rows of a `Table`, and no value with them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Finds, Holder, kinds, object::of_annotations, sightings::Sightings};
use crate::{
    cluster::objects::{Items, Unseen},
    guard::caught,
};

/// What the metadata of all Secrets comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outside {
    /// How many Secrets there are.
    pub(crate) secrets: usize,
    /// How many there are of each type that Kubernetes or Helm has; `other`: of all others.
    pub(crate) types: BTreeMap<&'static str, usize>,
    /// How many keys they have.
    pub(crate) keys: usize,
    /// Of how many all keys are known by name, from `managedFields`.
    pub(crate) named: usize,
    /// Secrets with a label by which Argo CD takes a login from them.
    pub(crate) argo_cd: usize,
    /// When the oldest was made.
    pub(crate) oldest: Option<String>,
}

/// The types that are told apart. What else is written there is not repeated.
const TYPES: [&str; 9] = [
    "Opaque",
    "bootstrap.kubernetes.io/token",
    "helm.sh/release.v1",
    "kubernetes.io/basic-auth",
    "kubernetes.io/dockercfg",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/service-account-token",
    "kubernetes.io/ssh-auth",
    "kubernetes.io/tls",
];
const ARGO_CD: &str = "argocd.argoproj.io/secret-type";

/// Reads the rows of a `Table` of Secrets.
#[derive(Debug, Default)]
pub(crate) struct OutsideReader {
    sightings: Sightings,
    outside: Outside,
}

impl OutsideReader {
    pub(crate) fn ended(self) -> (Sightings, Outside) {
        (self.sightings, self.outside)
    }

    fn read(&mut self, json: &[u8]) -> Option<()> {
        let row: Value = serde_json::from_slice(json).ok()?;
        let (cells, object) = (row.get("cells")?.as_array()?, row.get("object")?);
        let (kind, keys) = (cells.get(1)?.as_str()?, cells.get(2)?.as_u64()?);
        // Whatever else came with it was not asked for.
        if object.get("kind")?.as_str()? != "PartialObjectMetadata" || object.get("data").is_some() {
            return None;
        }
        let holder = Holder::of_type("Secret", object, kind)?;
        let mut finds = Finds::default();
        let named = names_of_keys(object);
        let all_named = u64::try_from(named.len()).is_ok_and(|count| count == keys);
        finds.begin("data");
        if keys > 0 {
            kinds::by_type(&holder, all_named.then_some(&named), &mut finds);
        }
        if !of_annotations(&holder, object, "", &mut finds) {
            self.sightings.unseen.insert(Unseen {
                what: format!("the annotations of Secret {}/{}", holder.namespace, holder.name),
                right: format!("a way to look into Secret {}/{}", holder.namespace, holder.name),
                why: "they hold something packed that is broken, too large, too deep or of a form that is not unpacked"
                    .into(),
            });
        }
        self.count(kind, keys, all_named, &holder, object);
        // Its values were not looked through: it counts as another kind of thing.
        self.sightings.add_outside(&holder, finds.ended());
        Some(())
    }

    fn count(&mut self, kind: &str, keys: u64, all_named: bool, holder: &Holder, object: &Value) {
        let Outside { secrets, types, keys: all, named, argo_cd, oldest } = &mut self.outside;
        *secrets += 1;
        let known = TYPES.into_iter().find(|known| *known == kind).unwrap_or("other");
        *types.entry(known).or_default() += 1;
        *all = all.saturating_add(usize::try_from(keys).unwrap_or(usize::MAX));
        *named += usize::from(all_named);
        *argo_cd += usize::from(holder.label(ARGO_CD).is_some());
        let created = object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
        // RFC 3339 in UTC, as the API server writes it: the order of texts is the order of times.
        if let Some(created) = created.filter(|text| is_time(text))
            && oldest.as_deref().is_none_or(|oldest| created < oldest)
        {
            *oldest = Some(created.to_owned());
        }
    }
}

impl Items for OutsideReader {
    fn begin(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, json: &[u8]) {
        if caught(|| self.read(json)).is_none() {
            self.sightings.unseen.insert(Unseen {
                what: "a row of secrets".into(),
                right: "list secrets in all namespaces".into(),
                why: "it has not the form of the metadata of a Secret".into(),
            });
        }
    }
}

/// The keys of `data` that have an owner. Others may have none: objects that were made long ago, or whose `managedFields` were
/// taken away.
fn names_of_keys(object: &Value) -> BTreeSet<&str> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let fields = entries.into_iter().flatten().filter_map(|entry| entry.get("fieldsV1")?.get("f:data"));
    let names = fields.filter_map(Value::as_object).flat_map(|fields| fields.keys());
    names.filter_map(|name| name.strip_prefix("f:")).collect()
}

fn is_time(text: &str) -> bool {
    text.len() == 20
        && text.ends_with('Z')
        && text.bytes().all(|b| b.is_ascii_digit() || b"-:TZ".contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(kind: &str, keys: &[&str], metadata: Value) -> Value {
        let mut metadata = metadata;
        metadata["name"] = json!("it");
        metadata["namespace"] = json!("shop");
        let fields: serde_json::Map<_, _> = keys.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
        metadata["managedFields"] = json!([{"manager": "a", "fieldsV1": {"f:data": fields, "f:type": {}}}]);
        json!({"cells": ["it", kind, keys.len(), "3d"],
            "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}})
    }

    fn read(rows: &[Value]) -> (Sightings, Outside) {
        let mut reader = OutsideReader::default();
        reader.begin();
        rows.iter().for_each(|row| reader.take(row.to_string().as_bytes()));
        reader.ended()
    }

    fn codes(rows: &[Value]) -> Vec<&'static str> {
        read(rows).0.distinct().iter().map(|sighting| sighting.kind.code).collect()
    }

    #[test]
    fn type_alone_tells_stored_tokens() {
        let token = "kubernetes.io/service-account-token";
        assert_eq!(codes(&[row(token, &["token", "ca.crt"], json!({}))]), ["KL141"]);
        let mut unnamed = row(token, &["token"], json!({}));
        unnamed["object"]["metadata"]["managedFields"] = json!(null);
        assert_eq!(codes(&[unnamed]), ["KL141"]);
        assert!(codes(&[row(token, &[], json!({})), row(token, &["ca.crt"], json!({}))]).is_empty());
    }

    #[test]
    fn bootstrap_token_needs_all_key_names() {
        let kind = "bootstrap.kubernetes.io/token";
        assert_eq!(codes(&[row(kind, &["token-id", "token-secret"], json!({}))]), ["KL144"]);
        assert!(codes(&[row(kind, &["token-id", "token-secret", "expiration"], json!({}))]).is_empty());
        // A key more than those that have an owner: it may be the expiry.
        let mut more = row(kind, &["token-id", "token-secret"], json!({}));
        more["cells"][2] = json!(3);
        assert!(codes(&[more]).is_empty());
    }

    #[test]
    fn annotations_are_looked_through() {
        let secret = json!({"kind": "Secret", "metadata": {"name": "a"}, "data": {}, "stringData": {
            "id": format!("AK{}{}", "IA", "IOSFODNN7EXAMPLE"), "key": "kanarienvogelkanarienvogelkanarienvogel1"}});
        let applied =
            json!({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": secret.to_string()}});
        assert_eq!(codes(&[row("Opaque", &["id", "key"], applied)]), ["KL111"]);
    }

    #[test]
    fn inventory_counts_types_and_keys() {
        let labels = json!({"labels": {"argocd.argoproj.io/secret-type": "repository"},
            "creationTimestamp": "2024-01-02T03:04:05Z"});
        let (_, outside) = read(&[
            row("helm.sh/release.v1", &["release"], json!({"creationTimestamp": "2025-01-02T03:04:05Z"})),
            row("Opaque", &["a", "b"], labels),
            row("acme.example/secret", &[], json!({"creationTimestamp": "<b>"})),
        ]);
        assert_eq!((outside.secrets, outside.keys, outside.named, outside.argo_cd), (3, 3, 3, 1));
        assert_eq!(outside.types, [("Opaque", 1), ("helm.sh/release.v1", 1), ("other", 1)].into());
        assert_eq!(outside.oldest.as_deref(), Some("2024-01-02T03:04:05Z"));
    }

    #[test]
    fn what_is_no_row_is_unseen() {
        let good = row("Opaque", &["a"], json!({}));
        for (path, value) in [
            ("/cells", json!(null)),
            ("/cells/1", json!(7)),
            ("/cells/2", json!("1")),
            ("/object", json!(null)),
            ("/object/kind", json!("Secret")),
            ("/object/metadata", json!([])),
            ("/object/metadata/name", json!(null)),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap() = value;
            let (sightings, outside) = read(&[bad]);
            assert_eq!((sightings.unseen.len(), outside.secrets), (1, 0), "{path}");
        }
        let mut whole = good.clone();
        whole["object"]["data"] = json!({"a": "Yg=="});
        assert_eq!(read(&[whole]).0.unseen.len(), 1);
        assert!(read(&[good]).0.unseen.is_empty());
    }
}
