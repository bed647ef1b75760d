//! Reading: one object, or all of a kind, page by page.

use std::collections::BTreeSet;

use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Look, Object, Resource, Unseen,
    pages::{Items, name_of},
};
use crate::{
    cluster::{Cluster, is_path_segment, requests::Question},
    error::{Code, Error, Result},
};

/// The largest object that etcd takes is 1.5 MiB; JSON on the wire is larger than what is stored.
pub(super) const MAX_ANSWER: usize = 8 << 20;

impl Cluster {
    /// One object, or `None` when there is none, or no such kind.
    pub(crate) async fn get_object(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Object>> {
        // A name that is no segment of a path names no object, and would ask for something else.
        if !is_path_segment(name) || namespace.is_some_and(|namespace| !is_path_segment(namespace)) {
            return Ok(None);
        }
        let right = resource.right("get", namespace, Some(name));
        match self.ask_objects(Method::GET, &resource.path(namespace, Some(name)), None, &right).await {
            Ok(value) => {
                let object =
                    Object::answered(value).map_err(no_object(&resource.path(namespace, Some(name))))?;
                object.remember_secrets();
                Ok(Some(object))
            }
            Err(error) if error.code == Code::ClusterNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind, of one namespace or of all; `None` when the API has no such kind.
    pub(crate) async fn list_objects(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> Result<Option<Vec<Object>>> {
        let mut objects = Collected::new(resource);
        match self.each_object(resource, namespace, "", &mut objects).await {
            Ok(()) => {}
            Err(error) if error.code == Code::ClusterNotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        if !objects.broken.is_empty() {
            let path = resource.path(namespace, None);
            return Err(Error::failed(
                Code::ClusterAnswer,
                format!("GET {path}: an item of the list is no object"),
            )
            .hint("something in between changes the API server's answers"));
        }
        Ok(Some(objects.objects))
    }

    /// One object, for those who only report: a refusal is a thing not seen, and absence is what the API server
    /// itself says of this very name.
    pub(crate) async fn look_at(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Look<Object>> {
        self.look_at_as(resource, namespace, name, |object| Object::answered(object).ok()).await
    }

    /// Like [`Self::look_at`], for those who want only a part of the object: what has not its form is not seen.
    pub(crate) async fn look_at_as<T: DeserializeOwned, U>(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        part: impl FnOnce(T) -> Option<U>,
    ) -> Result<Look<U>> {
        let place = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
        let (what, right) =
            (format!("{} {place}", resource.kind), resource.right("get", namespace, Some(name)));
        let path = resource.path(namespace, Some(name));
        let body = match self.whole(&path, Some(name), &right).await {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(Look::Absent),
            Err(error) => return unseen_or_error(error, what, right).map(Look::Unseen),
        };
        let this_one = serde_json::from_slice::<Named>(&body)
            .is_ok_and(|it| it.kind == resource.kind && it.metadata.name == name);
        let seen = this_one.then(|| serde_json::from_slice(&body).ok()).flatten().and_then(part);
        Ok(seen.map_or_else(
            || {
                let why = format!("GET {path}: the answer is not this object");
                Look::Unseen(Unseen { what, right, why })
            },
            Look::Seen,
        ))
    }

    /// Like [`Self::list_objects`], for those who only report: a list that was not read to its end is not seen.
    pub(crate) async fn look_for(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> Result<Look<Vec<Object>>> {
        let right = resource.right("list", namespace, None);
        match self.list_objects(resource, namespace).await {
            Ok(Some(objects)) => Ok(Look::Seen(objects)),
            Ok(None) => Ok(Look::Absent),
            Err(error) => unseen_or_error(error, resource.name(), right).map(Look::Unseen),
        }
    }

    /// The body of an object, for those who read it themselves.
    pub(crate) async fn body_of(
        &self,
        resource: &Resource,
        (namespace, name): &(String, String),
    ) -> Result<Look<Vec<u8>>> {
        let right = resource.right("get", Some(namespace), Some(name));
        let path = resource.path(Some(namespace), Some(name));
        Ok(match self.whole(&path, Some(name), &right).await {
            Ok(Some(body)) => Look::Seen(body),
            Ok(None) => Look::Absent,
            Err(error) => {
                Look::Unseen(unseen_or_error(error, format!("{} {namespace}/{name}", resource.kind), right)?)
            }
        })
    }

    /// What the API server says of itself.
    pub(crate) async fn document(&self, path: &str, right: &str) -> Result<Vec<u8>> {
        self.whole(path, None, right).await.map(Option::unwrap_or_default)
    }

    pub(in crate::cluster) async fn ask_objects(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        right: &str,
    ) -> Result<Value> {
        let content_type = "application/json";
        let question = Question { method, path, content_type, body, limit: MAX_ANSWER, object: true, right };
        let answer = self.ask_one(&self.by_kubeconfig(), question).await?;
        parse(&answer.body, path)
    }
}

/// The refusal of an answer, for this reason.
pub(super) fn no_object(path: &str) -> impl FnOnce(&'static str) -> Error {
    move |why| {
        Error::failed(
            Code::ClusterAnswer,
            format!("{path}: the API server answers with something else than an object"),
        )
        .caused_by(why)
        .hint("something in between changes the API server's answers")
    }
}

/// The parser's own message would quote the answer, which may be a Secret.
pub(super) fn parse(body: &[u8], path: &str) -> Result<Value> {
    serde_json::from_slice(body).map_err(|_| {
        Error::failed(Code::ClusterAnswer, format!("{path}: the API server's answer is not JSON"))
            .hint("something in between changes the API server's answers")
    })
}

/// Whether this is what the API server itself answered, and not trouble on the way to it.
pub(crate) fn is_answer(code: Code) -> bool {
    matches!(
        code,
        Code::ClusterAnswer
            | Code::ClusterBusy
            | Code::ClusterConflict
            | Code::ClusterForbidden
            | Code::ClusterGone
            | Code::ClusterInvalid
            | Code::ClusterNotFound
            | Code::ClusterRefused
            | Code::ClusterRequest
            | Code::ClusterUnauthorized
            | Code::ClusterUnverified
    )
}

/// What was refused is not seen; a cluster that cannot be reached at all, or accepts no login, is an error.
pub(super) fn unseen_or_error(error: Error, what: String, right: String) -> Result<Unseen> {
    match error.code {
        Code::ClusterUnauthorized
        | Code::Connect
        | Code::Dns
        | Code::Proxy
        | Code::ProxySetting
        | Code::Tls
        | Code::Http => Err(error),
        Code::ClusterForbidden => Ok(Unseen { what, right, why: "this right is missing".into() }),
        _ => Ok(Unseen { what, right, why: error.message }),
    }
}

/// What tells one object from another.
#[derive(Deserialize)]
struct Named {
    kind: String,
    metadata: NamedMetadata,
}

#[derive(Deserialize)]
struct NamedMetadata {
    name: String,
}

/// The objects of a list, whole. The items of a list do not say what they are.
pub(crate) struct Collected<'a> {
    resource: &'a Resource,
    pub(crate) objects: Vec<Object>,
    /// Items that were no objects of the kind: their names, if they have one.
    pub(crate) broken: BTreeSet<Option<String>>,
}

impl<'a> Collected<'a> {
    pub(crate) fn new(resource: &'a Resource) -> Self {
        Self { resource, objects: Vec::new(), broken: BTreeSet::new() }
    }
}

impl Items for Collected<'_> {
    fn begin(&mut self) {
        self.objects.clear();
        self.broken.clear();
    }

    fn take(&mut self, json: &[u8]) {
        match Object::listed(self.resource, json).and_then(|object| Object::answered(object.0).ok()) {
            Some(object) => {
                object.remember_secrets();
                self.objects.push(object);
            }
            None => drop(self.broken.insert(name_of(json))),
        }
    }
}
