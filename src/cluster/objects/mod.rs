//! Objects of any kind, through the same client: read, list, apply, patch, delete.
//!
//! Whatever is written goes in under one field manager with strict validation: a field that the installed
//! schema does not know is refused instead of silently dropped.

mod list_json;
mod pages;
mod progress;
mod read;
mod shape;
mod stream;
mod strict;
mod write;

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

pub(crate) use self::{
    pages::{Items, broken_item, name_of},
    read::{Collected, is_answer},
    strict::Strict,
};

use crate::redact;

/// Whose fields they are that this program writes.
pub(crate) const FIELD_MANAGER: &str = "keyless";
/// On every object that this program made, and on no other.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "keyless");

/// A kind of object, and where the API has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Empty for the core group.
    pub(crate) group: Cow<'static, str>,
    pub(crate) version: Cow<'static, str>,
    pub(crate) plural: Cow<'static, str>,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) namespaced: bool,
}

/// One object as the API server has it. It has no `Display`, and its `Debug` shows its name only: it may be
/// a Secret.
#[derive(Clone, PartialEq)]
pub(crate) struct Object(pub(crate) Value);

/// What looking at something came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Look<T> {
    Seen(T),
    /// It is established that there is none.
    Absent,
    /// Whether there is one, and what it says, is not known.
    Unseen(Unseen),
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unseen {
    pub(crate) what: String,
    /// What one must be allowed to see it.
    pub(crate) right: String,
    pub(crate) why: String,
}

/// How an object is applied.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ApplyOptions {
    /// Take fields over from other managers.
    pub(crate) force: bool,
    /// Validate and admit it, but store nothing.
    pub(crate) dry_run: bool,
}

impl Resource {
    pub(crate) const fn new(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
        namespaced: bool,
    ) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            plural: Cow::Borrowed(plural),
            kind: Cow::Borrowed(kind),
            namespaced,
        }
    }

    /// `apiVersion` of its objects.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The same kind in another version of its group.
    pub(crate) fn at_version(&self, version: &str) -> Self {
        Self { version: Cow::Owned(version.to_owned()), ..self.clone() }
    }

    /// As RBAC and kubectl name it: `clustersecretstores.external-secrets.io`.
    pub(crate) fn name(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_string()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// As a right, in words.
    pub(crate) fn right(&self, verb: &str, namespace: Option<&str>, name: Option<&str>) -> String {
        let name = name.map(|name| format!(" `{name}`")).unwrap_or_default();
        let place = match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!(" in the namespace `{namespace}`"),
            None if self.namespaced => " in all namespaces".into(),
            None => String::new(),
        };
        format!("{verb} {}{name}{place}", self.name())
    }

    pub(super) fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api/" } else { "/apis/" };
        let namespace = namespace.filter(|_| self.namespaced);
        let namespace = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        let name = name.map(|name| format!("/{name}")).unwrap_or_default();
        format!("{root}{}{namespace}/{}{name}", self.api_version(), self.plural)
    }
}

impl Object {
    /// An object that the API server has, or what is wrong with its answer. From here on metadata, labels, annotations,
    /// spec, status and data are objects wherever they are, the name is the segment of a path, and UID and resource
    /// version are there.
    pub(crate) fn answered(object: Value) -> Result<Self, &'static str> {
        shape::check_stored(&object).map(|()| Self(object))
    }

    /// The answer to a write, which stores nothing when it is a dry run.
    fn written(object: Value) -> Result<Self, &'static str> {
        shape::check(&object).map(|()| Self(object))
    }

    /// An item of a list, which does not say itself what it is; `None` for what has not the form of one.
    pub(crate) fn listed(resource: &Resource, item: &[u8]) -> Option<Self> {
        let mut object: Value = serde_json::from_slice(item).ok()?;
        let members = object.as_object_mut()?;
        members.insert("apiVersion".into(), json!(resource.api_version()));
        members.insert("kind".into(), json!(resource.kind));
        Self::written(object).ok()
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Empty for objects of the whole cluster.
    pub(crate) fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    pub(crate) fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    pub(crate) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.0.get("metadata")?.get("labels")?.get(name)?.as_str()
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.0.get("metadata")?.get("annotations")?.get(name)?.as_str()
    }

    /// The `Ready` condition that its controller reports, if there is one yet.
    pub(crate) fn ready_condition(&self) -> Option<&Value> {
        let conditions = self.0.pointer("/status/conditions")?.as_array()?;
        conditions.iter().find(|condition| condition["type"] == "Ready")
    }

    /// Whether that condition is `True`; `None` when there is none yet.
    pub(crate) fn is_ready(&self) -> Option<bool> {
        self.ready_condition().map(|ready| ready["status"] == "True")
    }

    /// From now on, what is secret in it is left out of all output: the values of a Secret, and of a store or a
    /// generator the passwords in its URLs and the headers that carry credentials.
    fn remember_secrets(&self) {
        let api_version = self.text("/apiVersion");
        if (api_version, self.kind()) == ("v1", "Secret") {
            let values = self.0.get("data").and_then(Value::as_object).into_iter().flatten();
            for value in values.filter_map(|(_, value)| STANDARD.decode(value.as_str()?).ok()) {
                redact::remember_content(&value);
            }
        } else if api_version.contains("external-secrets.io/") {
            redact::remember_object(&self.0["spec"]);
        }
    }

    /// That condition as text.
    pub(crate) fn condition_text(&self) -> String {
        match self.ready_condition() {
            Some(ready) => format!(
                "Ready={} {}: {}",
                ready["status"].as_str().unwrap_or("?"),
                ready["reason"].as_str().unwrap_or_default(),
                ready["message"].as_str().unwrap_or_default()
            ),
            None => "the operator has not reported its state yet".into(),
        }
    }

    /// Whether this program made it.
    pub(crate) fn is_ours(&self) -> bool {
        self.label(MANAGED_BY.0) == Some(MANAGED_BY.1)
    }

    /// `ClusterSecretStore gcp` or `SecretStore shop/gcp`.
    pub(crate) fn describe(&self) -> String {
        match self.namespace() {
            "" => format!("{} {}", self.kind(), self.name()),
            namespace => format!("{} {namespace}/{}", self.kind(), self.name()),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({})", self.describe())
    }
}

impl<T> Look<T> {
    pub(crate) fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Absent | Self::Unseen(_) => None,
        }
    }

    pub(crate) fn as_ref(&self) -> Look<&T> {
        match self {
            Self::Seen(value) => Look::Seen(value),
            Self::Absent => Look::Absent,
            Self::Unseen(unseen) => Look::Unseen(unseen.clone()),
        }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Self::Seen(value) => Look::Seen(change(value)),
            Self::Absent => Look::Absent,
            Self::Unseen(unseen) => Look::Unseen(unseen),
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (needed: {})", self.what, self.why, self.right)
    }
}
