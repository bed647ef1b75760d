//! Who may use a store, as External Secrets Operator decides it (`shouldProcessSecret` of its client manager): a
//! SecretStore is for its own namespace, a ClusterSecretStore for those that one of its conditions admits.

use std::collections::BTreeMap;

use serde_json::Value;

use super::selector::{Labels, matches};
use crate::{
    cluster::{
        objects::{Look, Object},
        snapshot::Store,
    },
    pattern::Pattern,
};

/// Every namespace with its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespaces(BTreeMap<String, Labels>);

impl Namespaces {
    pub(crate) fn of<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let labels = |object: &Object| {
            let labels = object.0.pointer("/metadata/labels").and_then(Value::as_object);
            let texts = labels.into_iter().flatten();
            texts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        Self(objects.into_iter().map(|object| (object.name().to_owned(), labels(object))).collect())
    }
}

/// Whether objects of a namespace may use a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    Yes,
    /// The operator refuses them, for this reason.
    No(String),
    /// It cannot be established, for this reason.
    Unknown(String),
}

pub(super) struct Admission<'a> {
    pub(super) store: &'a Store,
    pub(super) namespaces: &'a Look<Namespaces>,
}

/// Whether the labels of namespaces decide who may use this store.
pub(crate) fn asks_for_labels(store: &Store) -> bool {
    let conditions = store.0.0.pointer("/spec/conditions").and_then(Value::as_array);
    let selects = |condition: &Value| condition.get("namespaceSelector").is_some_and(|it| !it.is_null());
    store.is_cluster() && conditions.is_some_and(|conditions| conditions.iter().any(selects))
}

impl Admission<'_> {
    pub(super) fn of(&self, namespace: &str) -> Admitted {
        let store = &self.store.0;
        if !self.store.is_cluster() {
            let own = store.namespace();
            return match namespace == own {
                true => Admitted::Yes,
                false => Admitted::No(format!("a SecretStore is for its own namespace, {own}")),
            };
        }
        let conditions = match store.0.pointer("/spec/conditions") {
            None | Some(Value::Null) => return Admitted::Yes,
            Some(Value::Array(conditions)) if conditions.is_empty() => return Admitted::Yes,
            Some(Value::Array(conditions)) => conditions,
            Some(_) => return Admitted::Unknown("the conditions of the store are no list".to_owned()),
        };
        let mut unknown = None;
        for condition in conditions {
            match self.holds(condition, namespace) {
                Ok(true) => return Admitted::Yes,
                Ok(false) => {}
                Err(Unsure::Labels(why)) => drop(unknown.get_or_insert(why)),
                // The operator may stop here, and admit none.
                Err(Unsure::Form(why)) => return Admitted::Unknown(why),
            }
        }
        match unknown {
            Some(why) => Admitted::Unknown(why),
            None => {
                Admitted::No(format!("no condition of {} admits the namespace {namespace}", store.describe()))
            }
        }
    }

    /// In the operator's order: by labels, by name, by pattern.
    fn holds(&self, condition: &Value, namespace: &str) -> Result<bool, Unsure> {
        let mut labels_unknown = None;
        if let Some(selector) = condition.get("namespaceSelector").filter(|it| !it.is_null()) {
            match selected(selector, namespace, self.namespaces) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(why @ Unsure::Form(_)) => return Err(why),
                Err(why) => labels_unknown = Some(why),
            }
        }
        if texts(condition, "namespaces")?.contains(&namespace) {
            return Ok(true);
        }
        for text in texts(condition, "namespaceRegexes")? {
            let pattern = Pattern::parse(text).map_err(|why| {
                Unsure::Form(format!("the store admits namespaces like `{}`: {why}", text.escape_debug()))
            })?;
            if pattern.matches(namespace) {
                return Ok(true);
            }
        }
        labels_unknown.map_or(Ok(false), Err)
    }
}

/// Why it is not known whether something holds.
#[derive(Debug)]
pub(super) enum Unsure {
    /// The labels of the namespaces were not seen.
    Labels(String),
    /// It is written in a form that is not understood.
    Form(String),
}

impl Unsure {
    pub(super) fn why(self) -> String {
        match self {
            Self::Labels(why) | Self::Form(why) => why,
        }
    }
}

fn texts<'a>(condition: &'a Value, member: &str) -> Result<Vec<&'a str>, Unsure> {
    match condition.get(member) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => {
            list.as_array().and_then(|list| list.iter().map(Value::as_str).collect()).ok_or_else(|| {
                Unsure::Form(format!("`{member}` in the conditions of the store is no list of texts"))
            })
        }
    }
}

/// Whether a selector means this namespace.
pub(super) fn selected(
    selector: &Value,
    namespace: &str,
    namespaces: &Look<Namespaces>,
) -> Result<bool, Unsure> {
    match namespaces {
        Look::Seen(Namespaces(all)) => match all.get(namespace) {
            Some(labels) => matches(selector, labels).map_err(Unsure::Form),
            None => Ok(false),
        },
        Look::Absent => Ok(false),
        Look::Unseen(unseen) => Err(Unsure::Labels(format!(
            "the labels of namespaces could not be read (needed: {})",
            unseen.right
        ))),
    }
}

/// The namespaces that a ClusterExternalSecret or ClusterPushSecret makes its objects in.
pub(super) fn chosen(spec: &Value, namespaces: &Look<Namespaces>) -> Result<Vec<String>, Unsure> {
    let one = spec.get("namespaceSelector").filter(|selector| !selector.is_null());
    let many = spec.get("namespaceSelectors").and_then(Value::as_array).into_iter().flatten();
    let selectors: Vec<_> = one.into_iter().chain(many).collect();
    let names = texts(spec, "namespaces")?;
    let mut chosen: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    if selectors.is_empty() {
        return Ok(chosen);
    }
    let all = match namespaces {
        Look::Seen(Namespaces(all)) => all.keys().collect(),
        Look::Absent => Vec::new(),
        // The reason is the same whichever is asked for.
        Look::Unseen(_) => return selected(&Value::Null, "", namespaces).map(|_| Vec::new()),
    };
    for namespace in all {
        for selector in &selectors {
            if selected(selector, namespace, namespaces)? && !chosen.contains(namespace) {
                chosen.push(namespace.clone());
            }
        }
    }
    Ok(chosen)
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
