//! What an audit keeps of how it looked: who it was for the API server, which lists it read to their ends, and in which
//! state. It decides nothing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cluster, objects::Resource};

/// The most groups of a user that are kept.
const MOST_GROUPS: usize = 100;

/// Which lists were read to their ends, the last time that they were.
#[derive(Debug, Default)]
pub(crate) struct Facts(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    version: Option<String>,
    lists: BTreeMap<(String, String, String), Listed>,
}

/// A list that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    /// `secrets`, `deployments.apps`.
    pub(crate) resource: String,
    /// `None`: all of them.
    pub(crate) namespace: Option<String>,
    /// A query such as `labelSelector=a%3Db`; empty: every object.
    pub(crate) selector: String,
    /// Of the list; `None`: the server did not tell, or its pages were of several.
    pub(crate) version: Option<String>,
    pub(crate) objects: usize,
}

/// Who asks, as the API server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

#[derive(Deserialize)]
struct Review {
    kind: String,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    user_info: UserInfo,
}

#[derive(Deserialize)]
struct UserInfo {
    username: String,
    #[serde(default)]
    groups: Vec<String>,
}

impl Facts {
    pub(super) fn take_version(&self, version: &str) {
        self.kept(|kept| kept.version = Some(version.to_owned()));
    }

    pub(super) fn take_list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: &str,
        (version, objects): (Option<String>, usize),
    ) {
        let key = (resource.name(), namespace.unwrap_or_default().to_owned(), selector.to_owned());
        let listed = Listed {
            resource: resource.name(),
            namespace: namespace.map(str::to_owned),
            selector: selector.to_owned(),
            // It is opaque, and short: nothing else gets into a report by it.
            version: version.filter(|it| {
                (1..=64).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }),
            objects,
        };
        self.kept(|kept| drop(kept.lists.insert(key, listed)));
    }

    /// `gitVersion` of the API server that was asked first.
    pub(super) fn version(&self) -> Option<String> {
        self.kept(|kept| kept.version.clone())
    }

    /// By their names.
    pub(super) fn lists(&self) -> Vec<Listed> {
        self.kept(|kept| kept.lists.values().cloned().collect())
    }

    fn kept<T>(&self, with: impl FnOnce(&mut Kept) -> T) -> T {
        // A poisoned lock is harmless: each entry is put in whole or not at all.
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cluster {
    /// Who asks, by a SelfSubjectReview (`authentication.k8s.io/v1`, Kubernetes 1.28). `Err`: why that is not known.
    pub(super) async fn user(&self) -> Result<User, String> {
        const PATH: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        const RIGHT: &str = "create selfsubjectreviews.authentication.k8s.io";
        let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
        let answer = self.ask_objects(Method::POST, PATH, Some(&review), RIGHT).await;
        let answer = answer.map_err(|error| error.message)?;
        user(answer).ok_or_else(|| "the answer to a SelfSubjectReview names no user".to_owned())
    }
}

fn user(answer: Value) -> Option<User> {
    let Review { kind, status: Status { user_info } } = serde_json::from_value(answer).ok()?;
    let UserInfo { username, mut groups } = user_info;
    groups.truncate(MOST_GROUPS);
    let fits = |text: &String| !text.is_empty() && text.len() <= 1000;
    let is_user = kind == "SelfSubjectReview" && fits(&username) && groups.iter().all(fits);
    is_user.then_some(User { name: username, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_review_names_the_user() {
        let of = |kind: &str, info: Value| user(json!({"kind": kind, "status": {"userInfo": info}}));
        let found = of("SelfSubjectReview", json!({"username": "jane", "groups": ["a", "b"], "uid": "1"}));
        assert_eq!(found, Some(User { name: "jane".into(), groups: vec!["a".into(), "b".into()] }));
        assert!(of("SelfSubjectReview", json!({"username": "jane"})).is_some());
        for (kind, info) in [
            ("Status", json!({"username": "jane"})),
            ("SelfSubjectReview", json!({})),
            ("SelfSubjectReview", json!({"username": ""})),
            ("SelfSubjectReview", json!({"username": "x".repeat(1001)})),
            ("SelfSubjectReview", json!({"username": 1})),
            ("SelfSubjectReview", json!({"username": "jane", "groups": "a"})),
            ("SelfSubjectReview", json!({"username": "jane", "groups": [""]})),
        ] {
            assert_eq!(of(kind, info.clone()), None, "{kind} {info}");
        }
    }

    #[test]
    fn last_reading_of_a_list_counts() {
        let facts = Facts::default();
        let pods = Resource::new("", "v1", "pods", "Pod", true);
        facts.take_list(&pods, None, "", (Some("7".into()), 1));
        facts.take_list(&pods, None, "", (Some("9".into()), 2));
        facts.take_list(&pods, Some("a"), "", (Some("a b\n".into()), 1));
        let lists = facts.lists();
        assert_eq!(lists.len(), 2);
        assert_eq!((lists[0].version.as_deref(), lists[0].objects), (Some("9"), 2));
        assert_eq!((lists[1].version.as_deref(), lists[1].namespace.as_deref()), (None, Some("a")));
    }
}
