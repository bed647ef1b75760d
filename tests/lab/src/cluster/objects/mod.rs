//! The objects of the cluster and what its API does with them.

mod apply;
mod decode;
mod defaults;
mod discovery;
mod fields;
mod kinds;
mod list;
mod patch;
mod rest;
mod schema;
mod store;
mod write;

use serde_json::Value;

pub(crate) use rest::{Target, handle};
pub(crate) use store::Objects;

use super::access::Rule;
use super::{Cluster, ClusterSettings};
use crate::clock;

impl Cluster {
    /// Create or replace an object, as if another client had done it before the test. Its namespace is
    /// created too; nothing is validated, `status` is kept as given, `managedFields` too when the object is new.
    pub fn put_object(&self, object: Value) {
        self.lock().put_object(object, "lab", "");
    }

    /// An object as the API serves it
    pub fn object(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Value> {
        let shared = self.lock();
        let kind = shared.objects.kind(api_version, kind);
        shared.objects.get(&kind.key(namespace.unwrap_or_default(), name)).cloned()
    }

    /// [`Cluster::object`] for another thread, e.g. for what an operator's stand-in reads
    pub fn reader(
        &self,
    ) -> impl Fn(&str, &str, Option<&str>, &str) -> Option<Value> + Send + Sync + 'static + use<> {
        let shared = self.shared.clone();
        move |api_version, kind, namespace, name| {
            let shared = shared.lock().expect("no test panics while it holds the cluster");
            let kind = shared.objects.kind(api_version, kind);
            shared.objects.get(&kind.key(namespace.unwrap_or_default(), name)).cloned()
        }
    }

    /// All objects of a kind, in all versions and namespaces, by namespace and name
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.lock().objects.of_kind(kind)
    }

    /// Remove an object, finalizers or not; `false` when there was none
    pub fn remove_object(&self, api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> bool {
        let mut shared = self.lock();
        let Some(kind) = shared.objects.kinds.by_kind(api_version, kind).cloned() else { return false };
        shared.objects.remove(&kind, &kind.key(namespace.unwrap_or_default(), name)).is_some()
    }

    /// Install CustomResourceDefinitions: YAML of any number of documents, or JSON. Documents of
    /// other kinds are put in like any object.
    pub fn load_crds(&self, text: &str) {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("read YAML: {error}"));
        documents.into_iter().for_each(|document| self.put_object(document));
    }

    /// Take a right on a resource from a user. `verb` as RBAC has it, or `*`; `resource` is a
    /// plural name (`secrets`, `serviceaccounts/token`), also with its group
    /// (`clustersecretstores.external-secrets.io`), or `*`.
    pub fn deny(&self, user: &str, verb: &str, resource: &str) {
        self.with_user(user, |user| user.denied.push(Rule::new(verb, resource, None)));
    }

    /// The same in one namespace only; then a list over all namespaces is refused as well
    pub fn deny_in(&self, user: &str, namespace: &str, verb: &str, resource: &str) {
        self.with_user(user, |user| user.denied.push(Rule::new(verb, resource, Some(namespace))));
    }

    /// Give a right on a resource to a user; `admin` has them all. What is denied stays denied.
    pub fn allow(&self, user: &str, verb: &str, resource: &str) {
        self.with_user(user, |user| user.allowed.push(Rule::new(verb, resource, None)));
    }

    /// The same in one namespace only
    pub fn allow_in(&self, user: &str, namespace: &str, verb: &str, resource: &str) {
        self.with_user(user, |user| user.allowed.push(Rule::new(verb, resource, Some(namespace))));
    }

    /// Forget everything that was denied to a user
    pub fn forgive(&self, user: &str) {
        self.with_user(user, |user| user.denied.clear());
    }
}

impl ClusterSettings {
    /// Create or replace an object in the name of this manager
    pub(crate) fn put_object(&mut self, object: Value, manager: &str, subresource: &str) {
        let now = clock::rfc3339(clock::now(0));
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let kind = self.objects.kind(&text("apiVersion"), &text("kind"));
        let metadata = &object["metadata"];
        let namespace = match (kind.namespaced, metadata["namespace"].as_str()) {
            (true, namespace) => namespace.unwrap_or("default").to_owned(),
            (false, _) => String::new(),
        };
        let key =
            kind.key(&namespace, metadata["name"].as_str().unwrap_or_else(|| panic!("no name: {object}")));
        if kind.namespaced {
            self.objects.ensure_namespace(&namespace, &now);
        }
        let old = self.objects.get(&key).cloned();
        let mut object = object;
        if old.is_some() || object["metadata"].get("managedFields").is_none() {
            let manager = fields::Manager {
                name: manager.into(),
                operation: "Update".into(),
                api_version: kind.api_version(),
                subresource: subresource.into(),
                time: now.clone(),
                fields: fields::Fields::new(),
            };
            defaults::before(&kind, &mut object);
            apply::update(&kind.schema, old.as_ref(), &mut object, manager);
        }
        defaults::before(&kind, &mut object);
        defaults::after(&kind, &mut object);
        self.objects.commit(&kind, &key, object, &now);
    }
}
