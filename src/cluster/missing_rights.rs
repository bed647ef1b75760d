//! Which rights of some roles this login lacks, asked once one of them was found missing: all of them at once, so that one
//! answer names them all. It decides nothing.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{Cluster, review::IN_FLIGHT};

/// A verb on what a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    verb: String,
    /// In words: ``configmaps `keyless-ledger` in the namespace `keyless-system` ``.
    on: String,
    /// `spec` of the review.
    spec: Value,
}

/// Every right that these roles grant, once. Of a rule that names several objects, the first is asked about.
fn asked(roles: &[Value]) -> Vec<Asked> {
    let mut all = Vec::new();
    for role in roles {
        let namespace = role["metadata"]["namespace"].as_str();
        for rule in role["rules"].as_array().into_iter().flatten() {
            for verb in texts(&rule["verbs"]) {
                all.extend(texts(&rule["nonResourceURLs"]).filter(|path| !path.contains('*')).map(|path| {
                    let spec = json!({ "nonResourceAttributes": { "verb": verb, "path": path } });
                    Asked { verb: verb.to_owned(), on: path.to_owned(), spec }
                }));
                let group = texts(&rule["apiGroups"]).next().unwrap_or_default();
                let name = texts(&rule["resourceNames"]).next();
                all.extend(
                    texts(&rule["resources"]).map(|resource| on_kind(verb, group, resource, name, namespace)),
                );
            }
        }
    }
    let mut once: Vec<Asked> = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

fn on_kind(verb: &str, group: &str, resource: &str, name: Option<&str>, namespace: Option<&str>) -> Asked {
    let (kind, below) = resource.split_once('/').unwrap_or((resource, ""));
    let mut on = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
    let mut attributes = json!({ "verb": verb, "group": group, "resource": kind });
    if !below.is_empty() {
        attributes["subresource"] = json!(below);
    }
    if let Some(name) = name {
        attributes["name"] = json!(name);
        on += &format!(" `{name}`");
    }
    if let Some(namespace) = namespace {
        attributes["namespace"] = json!(namespace);
        on += &format!(" in the namespace `{namespace}`");
    }
    Asked { verb: verb.to_owned(), on, spec: json!({ "resourceAttributes": attributes }) }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// `get and list pods`, each kind once.
fn in_words(missing: &[Asked]) -> Vec<String> {
    let mut verbs = BTreeMap::<&str, Vec<&str>>::new();
    for one in missing {
        verbs.entry(&one.on).or_default().push(&one.verb);
    }
    verbs.into_iter().map(|(on, verbs)| format!("{} {on}", verbs.join("/"))).collect()
}

impl Cluster {
    /// What this login may not do of what these roles grant, in words. A review that has no answer names nothing.
    pub(crate) async fn missing_rights(&self, roles: &[Value]) -> Vec<String> {
        let reviews = asked(roles).into_iter().map(|asked| async move {
            let answer = self.review(&asked.spec).await;
            (answer == Some(false)).then_some(asked)
        });
        let answers: Vec<_> = stream::iter(reviews).buffered(IN_FLIGHT).collect().await;
        in_words(&answers.into_iter().flatten().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_become_reviews() {
        let role = json!({"kind": "Role", "metadata": {"namespace": "a"}, "rules": [
            {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["p", "q"], "verbs": ["create"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}]});
        let paths = json!({"kind": "ClusterRole", "metadata": {}, "rules": [
            {"nonResourceURLs": ["/version", "/apis/*"], "verbs": ["get"]}]});
        let all = asked(&[role.clone(), paths, role]);
        let words: Vec<_> = all.iter().map(|it| format!("{} {}", it.verb, it.on)).collect();
        let wanted = [
            "create serviceaccounts/token `p` in the namespace `a`",
            "get deployments.apps in the namespace `a`",
            "list deployments.apps in the namespace `a`",
            "get /version",
        ];
        assert_eq!(words, wanted);
        let token = json!({"resourceAttributes": {"verb": "create", "group": "", "resource": "serviceaccounts",
            "subresource": "token", "name": "p", "namespace": "a"}});
        assert_eq!(all[0].spec, token);
        let grouped = [
            "get /version",
            "get/list deployments.apps in the namespace `a`",
            "create serviceaccounts/token `p` in the namespace `a`",
        ];
        assert_eq!(in_words(&all), grouped);
    }
}
