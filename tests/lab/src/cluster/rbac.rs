//! What Roles and ClusterRoles give, and to whom (kubernetes/kubernetes pkg/registry/rbac/validation/rule.go,
//! pkg/apis/rbac/v1/evaluation_helpers.go).

use serde_json::Value;

use super::objects::{Objects, Target};

const GROUP: &str = "rbac.authorization.k8s.io";

/// One rule of a Role or ClusterRole as it holds for one user
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    rule: Value,
    /// That of a RoleBinding; `None`: everywhere
    namespace: Option<String>,
}

impl Grant {
    /// Everything that bindings give to this user, in the order of their names
    pub(crate) fn of(objects: &Objects, user: &str) -> Vec<Self> {
        let mut grants = Vec::new();
        for binding in objects.of_group(GROUP) {
            let namespace = match binding["kind"].as_str() {
                Some("ClusterRoleBinding") => None,
                Some("RoleBinding") => Some(binding["metadata"]["namespace"].as_str().unwrap_or_default()),
                _ => continue,
            };
            let subjects = binding["subjects"].as_array().into_iter().flatten();
            if !subjects.into_iter().any(|subject| is(user, subject)) {
                continue;
            }
            let role = objects.of_group(GROUP).find(|role| {
                let metadata = &role["metadata"];
                role["kind"] == binding["roleRef"]["kind"]
                    && metadata["name"] == binding["roleRef"]["name"]
                    && (role["kind"] == "ClusterRole" || metadata["namespace"].as_str() == namespace)
            });
            let rules = role.and_then(|role| role["rules"].as_array()).into_iter().flatten();
            let namespace = namespace.map(str::to_owned);
            grants.extend(rules.map(|rule| Self { rule: rule.clone(), namespace: namespace.clone() }));
        }
        grants
    }

    /// Whether it allows a verb on a resource
    pub(crate) fn covers(&self, verb: &str, target: &Target) -> bool {
        let any_of = |member: &str, matches: &dyn Fn(&str) -> bool| {
            self.rule[member].as_array().into_iter().flatten().filter_map(Value::as_str).any(matches)
        };
        let resource = target.qualified();
        // A rule with names is about those alone: a list and a new object have none.
        let named = self.rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
        self.namespace.as_ref().is_none_or(|namespace| *namespace == target.namespace)
            && any_of("verbs", &|it| it == "*" || it == verb)
            && any_of("apiGroups", &|it| it == "*" || it == target.group)
            && any_of("resources", &|it| {
                it == "*"
                    || it == resource
                    || it.strip_prefix("*/").is_some_and(|sub| sub == target.subresource)
            })
            && (!named || any_of("resourceNames", &|it| it == target.name))
    }

    /// Whether it allows a verb on a path that is no resource
    pub(crate) fn covers_path(&self, verb: &str, path: &str) -> bool {
        let any_of = |member: &str, matches: &dyn Fn(&str) -> bool| {
            self.rule[member].as_array().into_iter().flatten().filter_map(Value::as_str).any(matches)
        };
        self.namespace.is_none()
            && any_of("verbs", &|it| it == "*" || it == verb)
            && any_of("nonResourceURLs", &|it| {
                it == path || it.strip_suffix('*').is_some_and(|start| path.starts_with(start))
            })
    }
}

fn is(user: &str, subject: &Value) -> bool {
    let text = |member: &str| subject[member].as_str().unwrap_or_default();
    let account = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    match (text("kind"), account) {
        ("User", _) => user == text("name"),
        ("ServiceAccount", Some((namespace, name))) => (namespace, name) == (text("namespace"), text("name")),
        ("Group", account) => {
            let of_account = account.is_some_and(|(namespace, _)| {
                text("name") == "system:serviceaccounts"
                    || text("name").strip_prefix("system:serviceaccounts:") == Some(namespace)
            });
            of_account || text("name") == "system:authenticated" && user != "system:anonymous"
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const USER: &str = "system:serviceaccount:apps:reader";

    fn objects(rule: Value, role: &str, binding: &str, subject: Value) -> Objects {
        let mut objects = Objects::new("2026-01-01T00:00:00Z");
        let api = format!("{GROUP}/v1");
        let metadata = |kind: &str| match kind.starts_with("Cluster") {
            true => json!({"name": "it"}),
            false => json!({"name": "it", "namespace": "apps"}),
        };
        for (kind, mut object) in [
            (role, json!({"rules": [rule]})),
            (
                binding,
                json!({"roleRef": {"apiGroup": GROUP, "kind": role, "name": "it"}, "subjects": [subject]}),
            ),
        ] {
            (object["apiVersion"], object["kind"]) = (json!(api), json!(kind));
            object["metadata"] = metadata(kind);
            let kind = objects.kind(&api, kind);
            let key = kind.key("apps", "it");
            objects.commit(&kind, &key, object, "2026-01-01T00:00:00Z");
        }
        objects
    }

    fn may(objects: &Objects, verb: &str, path: &str) -> bool {
        let target = Target::of(path).unwrap();
        Grant::of(objects, USER).iter().any(|grant| grant.covers(verb, &target))
    }

    fn account() -> Value {
        json!({"kind": "ServiceAccount", "name": "reader", "namespace": "apps"})
    }

    #[test]
    fn names_bind_a_rule_to_objects() {
        let rule = json!({"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["probe"], "verbs": ["create"]});
        let objects = objects(rule, "Role", "RoleBinding", account());
        let token = |namespace: &str, name: &str| {
            format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token")
        };
        assert!(may(&objects, "create", &token("apps", "probe")));
        for (verb, path) in [
            ("create", token("apps", "reader")),
            ("create", token("apps", "default")),
            ("create", token("other", "probe")),
            ("get", token("apps", "probe")),
            ("create", "/api/v1/namespaces/apps/serviceaccounts".into()),
            ("get", "/api/v1/namespaces/apps/serviceaccounts/probe".into()),
            ("create", "/api/v1/namespaces/apps/pods/probe/token".into()),
        ] {
            assert!(!may(&objects, verb, &path), "{verb} {path}");
        }
    }

    #[test]
    fn lists_have_no_names() {
        let rule = json!({"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["a"], "verbs": ["*"]});
        let objects = objects(rule, "ClusterRole", "ClusterRoleBinding", account());
        assert!(may(&objects, "get", "/apis/apps/v1/namespaces/x/deployments/a"));
        for (verb, path) in [
            ("list", "/apis/apps/v1/namespaces/x/deployments"),
            ("create", "/apis/apps/v1/namespaces/x/deployments"),
            ("get", "/apis/apps/v1/namespaces/x/deployments/b"),
            ("get", "/api/v1/namespaces/x/deployments/a"),
        ] {
            assert!(!may(&objects, verb, path), "{verb} {path}");
        }
    }

    #[test]
    fn binding_holds_for_its_subjects() {
        let rule = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]});
        let path = "/api/v1/namespaces/apps/secrets/s";
        for (subject, yes) in [
            (account(), true),
            (json!({"kind": "User", "name": USER}), true),
            (json!({"kind": "Group", "name": "system:serviceaccounts"}), true),
            (json!({"kind": "Group", "name": "system:serviceaccounts:apps"}), true),
            (json!({"kind": "Group", "name": "system:authenticated"}), true),
            (json!({"kind": "ServiceAccount", "name": "reader", "namespace": "other"}), false),
            (json!({"kind": "ServiceAccount", "name": "reader"}), false),
            (json!({"kind": "User", "name": "reader"}), false),
            (json!({"kind": "Group", "name": "system:serviceaccounts:app"}), false),
            (json!({"kind": "Group", "name": "system:masters"}), false),
        ] {
            let objects = objects(rule.clone(), "ClusterRole", "RoleBinding", subject.clone());
            assert_eq!(may(&objects, "get", path), yes, "{subject}");
            assert!(!may(&objects, "get", "/api/v1/namespaces/other/secrets/s"), "{subject}");
        }
    }

    #[test]
    fn paths_are_for_cluster_roles() {
        let rule = json!({"nonResourceURLs": ["/openid/v1/jwks", "/metrics/*"], "verbs": ["get"]});
        let reads = |binding: &str, role: &str, path: &str| {
            let objects = objects(rule.clone(), role, binding, account());
            Grant::of(&objects, USER).iter().any(|grant| grant.covers_path("get", path))
        };
        assert!(reads("ClusterRoleBinding", "ClusterRole", "/openid/v1/jwks"));
        assert!(reads("ClusterRoleBinding", "ClusterRole", "/metrics/slis"));
        assert!(!reads("ClusterRoleBinding", "ClusterRole", "/openid/v1/jwks/"));
        assert!(!reads("RoleBinding", "ClusterRole", "/openid/v1/jwks"));
    }
}
