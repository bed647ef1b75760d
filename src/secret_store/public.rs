//! PURE. Which fields of an object are known to hold no secret. Objects are written by others, so of every other field a
//! plan shows no value, whatever its name is.

use serde_json::Value;

use crate::federation::{account_annotations, public_fields};

/// Fields of a store's settings at one provider that hold names, addresses and options, as External Secrets Operator
/// defines them. A field that is not named here may hold a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicFields {
    /// Below the provider's member, e.g. `projectID`.
    pub(crate) values: &'static [&'static str],
    /// Each names a Secret, a ConfigMap or a ServiceAccount: [`REFERENCE`].
    pub(crate) references: &'static [&'static str],
}

/// The fields of a reference.
const REFERENCE: [&str; 5] = ["name", "namespace", "key", "audiences", "type"];
/// Fields of a store beside its provider.
const OF_STORE: [&str; 4] = ["controller", "conditions", "refreshInterval", "retrySettings"];

impl PublicFields {
    fn have(self, path: &str) -> bool {
        let is_reference = |(reference, field): (&str, &str)| {
            self.references.contains(&reference) && REFERENCE.contains(&field)
        };
        self.values.contains(&path) || path.rsplit_once('.').is_some_and(is_reference)
    }
}

/// Whether a field of an object is known to hold no secret, by its path.
pub(super) type IsPublic = fn(&str) -> bool;

pub(super) fn of_store(path: &str) -> bool {
    let Some(path) = path.strip_prefix("spec.") else { return false };
    match path.strip_prefix("provider.") {
        Some(path) => of_provider(path),
        None => path.split('.').next().is_some_and(|step| OF_STORE.contains(&step)),
    }
}

/// From the provider's member on.
pub(super) fn of_provider(path: &str) -> bool {
    path.split_once('.').is_some_and(|(member, path)| public_fields(member).is_some_and(|it| it.have(path)))
}

pub(super) fn of_account(path: &str) -> bool {
    let annotation = path.strip_prefix("metadata.annotations.");
    path == "automountServiceAccountToken"
        || annotation.is_some_and(|name| account_annotations().any(|known| known == name))
}

/// Of a Role or a RoleBinding.
pub(super) fn of_rights(path: &str) -> bool {
    ["rules", "subjects", "roleRef"].contains(&path)
        || path.split_once('.').is_some_and(|(step, _)| step == "roleRef")
}

/// Whether a value holds no address that may open something by itself: one with a login, or with a query.
pub(super) fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => match text.split_once("://") {
            Some((_, rest)) => !rest.contains(['@', '?']),
            None => true,
        },
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(members) => members.values().all(is_plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
#[path = "public_tests.rs"]
mod tests;
