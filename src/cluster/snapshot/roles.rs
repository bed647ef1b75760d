//! PURE. What the rules of a ClusterRole allow (kubernetes/kubernetes pkg/apis/rbac/v1/evaluation_helpers.go).

use serde_json::Value;

use crate::cluster::objects::Object;

/// Whether one rule allows one of these verbs on one of these resources, whatever the object is called. A rule with
/// `resourceNames` is about those objects alone.
pub(super) fn allows(role: &Object, group: &str, resources: &[&str], verbs: &[&str]) -> bool {
    let rules = role.0.get("rules").and_then(Value::as_array);
    rules.into_iter().flatten().any(|rule| {
        let has = |name: &str, wanted: &[&str]| {
            let listed = rule.get(name).and_then(Value::as_array).into_iter().flatten();
            listed.filter_map(Value::as_str).any(|word| word == "*" || wanted.contains(&word))
        };
        let named = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
        !named && has("apiGroups", &[group]) && has("resources", resources) && has("verbs", verbs)
    })
}
