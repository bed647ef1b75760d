//! Reading: one object, or all of a kind, page by page.

use http::Method;
use serde_json::{Value, json};

use super::{Look, Object, Resource, Unseen};
use crate::{
    cluster::{Cluster, requests::Question},
    error::{Error, Result},
};

/// Objects per page: the API server's cost of a page grows with it.
const PAGE: usize = 100;
/// How often a list is begun again when it changed too fast to be read to its end.
const RESTARTS: usize = 3;
/// The largest object that etcd takes is 1.5 MiB; a page of ordinary ones stays far below.
pub(super) const MAX_ANSWER: usize = 32 << 20;

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

    pub(super) async fn ask_objects(
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

/// The parser's own message would quote the answer, which may be a Secret.
pub(super) fn parse(body: &[u8], path: &str) -> Result<Value> {
    serde_json::from_slice(body).map_err(|_| {
        Error::failed("cluster-answer", format!("{path}: the API server's answer is not JSON"))
            .hint("something in between changes the API server's answers")
    })
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
