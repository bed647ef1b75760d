//! Objects of any kind, through the same client: read, list, apply, patch, delete.
//!
//! Whatever is written goes in under one field manager with strict validation: a field that the installed
//! schema does not know is refused instead of silently dropped.

use std::{borrow::Cow, fmt};

use http::Method;
use serde_json::{Value, json};

use super::{Cluster, calls::Question};
use crate::error::{Error, Result};

/// Whose fields they are that this program writes.
pub(crate) const FIELD_MANAGER: &str = "keyless";
/// On every object that this program made, and on no other.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "keyless");

/// Objects per page: the API server's cost of a page grows with it.
const PAGE: usize = 100;
/// How often a list is begun again when it changed too fast to be read to its end.
const RESTARTS: usize = 3;
/// The largest object that etcd takes is 1.5 MiB; a page of ordinary ones stays far below.
const MAX_ANSWER: usize = 32 << 20;

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

    fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api/" } else { "/apis/" };
        let namespace = namespace.filter(|_| self.namespaced);
        let namespace = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        let name = name.map(|name| format!("/{name}")).unwrap_or_default();
        format!("{root}{}{namespace}/{}{name}", self.api_version(), self.plural)
    }
}

impl Object {
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

impl Cluster {
    /// One object, or `None` when there is none, or no such kind.
    pub(crate) async fn get_object(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Object>> {
        let right = resource.right("get", namespace, Some(name));
        match self.ask_objects(Method::GET, &resource.path(namespace, Some(name)), None, &right).await {
            Ok(value) => Ok(Some(Object(value))),
            Err(error) if error.code == "cluster-not-found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind, of one namespace or of all, page by page; `None` when the API has no such kind.
    pub(crate) async fn list_objects(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> Result<Option<Vec<Object>>> {
        let right = resource.right("list", namespace, None);
        let path = resource.path(namespace, None);
        let mut restarts = 0;
        'list: loop {
            let mut objects = Vec::new();
            let mut page = format!("{path}?limit={PAGE}");
            loop {
                let mut answer = match self.ask_objects(Method::GET, &page, None, &right).await {
                    Ok(answer) => answer,
                    Err(error) if error.code == "cluster-not-found" => return Ok(None),
                    // The list's snapshot is gone from etcd. What was read so far may no longer be true.
                    Err(error) if error.code == "cluster-gone" && restarts < RESTARTS => {
                        restarts += 1;
                        continue 'list;
                    }
                    Err(error) => return Err(error),
                };
                let Some(Value::Array(items)) = answer.get_mut("items").map(Value::take) else {
                    return Err(Error::failed(
                        "cluster-answer",
                        format!("GET {path}: the answer is no list"),
                    )
                    .hint("something in between changes the API server's answers"));
                };
                // The items of a list do not say what they are.
                objects.extend(items.into_iter().map(|mut item| {
                    item["apiVersion"] = json!(resource.api_version());
                    item["kind"] = json!(resource.kind);
                    Object(item)
                }));
                match answer.pointer("/metadata/continue").and_then(Value::as_str) {
                    Some(token) if !token.is_empty() => {
                        let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
                        page = format!("{path}?limit={PAGE}&continue={token}");
                    }
                    _ => return Ok(Some(objects)),
                }
            }
        }
    }

    /// Like [`Self::get_object`], for those who only report: a refusal is a thing not seen.
    pub(crate) async fn look_at(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Look<Object>> {
        let place = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
        let right = resource.right("get", namespace, Some(name));
        look(self.get_object(resource, namespace, name).await, format!("{} {place}", resource.kind), right)
    }

    /// Like [`Self::list_objects`], for those who only report: a refusal is a thing not seen.
    pub(crate) async fn look_for(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> Result<Look<Vec<Object>>> {
        let right = resource.right("list", namespace, None);
        look(self.list_objects(resource, namespace).await, resource.name(), right)
    }

    /// Server-side apply: the fields of `manifest` become ours, others stay as they are.
    pub(crate) async fn apply(
        &self,
        resource: &Resource,
        manifest: &Value,
        options: ApplyOptions,
    ) -> Result<Object> {
        let object = Object(manifest.clone());
        let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict&force={}{}",
            resource.path(namespace, Some(object.name())),
            options.force,
            dry(options.dry_run)
        );
        let right = resource.right("patch and create", namespace, Some(object.name()));
        self.write(Method::PATCH, &path, "application/apply-patch+yaml", manifest, &right)
            .await
            .map_err(|error| said_by_writer(error, &object.describe()))
    }

    /// JSON merge patch (RFC 7386): what is `null` goes. With `metadata.resourceVersion` in it, only if nobody
    /// has changed the object since.
    pub(crate) async fn merge_patch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        dry_run: bool,
    ) -> Result<Object> {
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{}",
            resource.path(namespace, Some(name)),
            dry(dry_run)
        );
        let right = resource.right("patch", namespace, Some(name));
        self.write(Method::PATCH, &path, "application/merge-patch+json", patch, &right)
            .await
            .map_err(|error| said_by_writer(error, &format!("{} {name}", resource.kind)))
    }

    /// Deletes this very object, not one that has its name by then. `false`: it was gone already.
    pub(crate) async fn delete_object(&self, resource: &Resource, object: &Object) -> Result<bool> {
        let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
        let right = resource.right("delete", namespace, Some(object.name()));
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": { "uid": object.uid() },
        });
        let path = resource.path(namespace, Some(object.name()));
        match self.ask_objects(Method::DELETE, &path, Some(&options), &right).await {
            Ok(_) => Ok(true),
            Err(error) if error.code == "cluster-not-found" => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: &Value,
        right: &str,
    ) -> Result<Object> {
        let question = Question { method, path, content_type, body: Some(body), limit: MAX_ANSWER, right };
        let answer = self.ask_one(&self.by_kubeconfig(), question).await?;
        parse(&answer.body, path).map(Object)
    }

    async fn ask_objects(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        right: &str,
    ) -> Result<Value> {
        let content_type = "application/json";
        let question = Question { method, path, content_type, body, limit: MAX_ANSWER, right };
        let answer = self.ask_one(&self.by_kubeconfig(), question).await?;
        parse(&answer.body, path)
    }
}

/// The parser's own message would quote the answer, which may be a Secret.
fn parse(body: &[u8], path: &str) -> Result<Value> {
    serde_json::from_slice(body).map_err(|_| {
        Error::failed("cluster-answer", format!("{path}: the API server's answer is not JSON"))
            .hint("something in between changes the API server's answers")
    })
}

fn dry(run: bool) -> &'static str {
    if run { "&dryRun=All" } else { "" }
}

/// What was refused is not seen; a cluster that cannot be reached at all, or knows nobody, is an error.
fn look<T>(answer: Result<Option<T>>, what: String, right: String) -> Result<Look<T>> {
    match answer {
        Ok(Some(value)) => Ok(Look::Seen(value)),
        Ok(None) => Ok(Look::Absent),
        Err(error) if matches!(error.code, "cluster-unauthorized" | "connect" | "dns" | "tls" | "http") => {
            Err(error)
        }
        Err(error) if error.code == "cluster-forbidden" => {
            Ok(Look::Unseen(Unseen { what, right, why: "this right is missing".into() }))
        }
        Err(error) => Ok(Look::Unseen(Unseen { what, right, why: error.message })),
    }
}

/// Names what stands against a write: another manager, or a field that the schema does not have.
fn said_by_writer(error: Error, object: &str) -> Error {
    let said = error.causes.join("\n");
    match error.code {
        "cluster-conflict" if said.contains("conflict with \"") => {
            let manager = said.split("conflict with \"").nth(1).and_then(|rest| rest.split('"').next());
            let manager = manager.unwrap_or_default();
            let hint = match super::snapshot::GITOPS.iter().find(|(name, _)| *name == manager) {
                Some((_, by)) => format!("{by} would put it back: change it where {by} reads it"),
                None => {
                    format!("somebody wrote these fields as `{manager}`: settle with them whose they are")
                }
            };
            let message = format!("{object}: some of its fields belong to the field manager `{manager}`");
            Error { code: "apply-conflict", message, hints: vec![hint], ..error }
        }
        "cluster-conflict" => Error {
            code: "apply-raced",
            message: format!("{object} was changed by somebody else meanwhile"),
            ..error
        },
        "cluster-invalid" => Error { code: "apply-invalid", ..error }.at(object),
        _ => error,
    }
}
