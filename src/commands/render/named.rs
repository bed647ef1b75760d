//! PURE. The roles of a command for the objects that the settings name in place of those of `deploy/`.

use serde_json::{Value, json};

use super::manifests::NAMESPACE;
use crate::shell;

/// An object of `deploy/`, and the one that is used in its place.
pub(super) struct Named<'a> {
    /// As in a rule, e.g. `configmaps`.
    pub(super) resource: &'static str,
    /// Its name in `deploy/`.
    pub(super) usual: &'static str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// Roles, apart by what grants them.
pub(super) struct Roles {
    /// What `render rbac` prints grants these.
    pub(super) usual: Vec<Value>,
    /// About objects elsewhere: one rule each.
    pub(super) elsewhere: Vec<Value>,
}

impl Roles {
    pub(super) fn of(mut roles: Vec<Value>, named: &[Named<'_>]) -> Self {
        let mut elsewhere = Vec::new();
        for role in &mut roles {
            if role["metadata"]["namespace"] != NAMESPACE {
                continue;
            }
            let Some(rules) = role["rules"].as_array_mut() else { continue };
            rules.retain_mut(|rule| {
                let is = |it: &&Named<'_>| {
                    rule["resources"] == json!([it.resource]) && rule["resourceNames"] == json!([it.usual])
                };
                let Some(it) = named.iter().find(is).filter(|it| !it.is_usual()) else { return true };
                rule["resourceNames"] = json!([it.name]);
                elsewhere.push(json!({
                    "kind": "Role", "metadata": { "namespace": it.namespace, "name": it.usual },
                    "rules": [rule.take()],
                }));
                false
            });
        }
        Self { usual: roles, elsewhere }
    }
}

impl Named<'_> {
    fn is_usual(&self) -> bool {
        (self.namespace, self.name) == (NAMESPACE, self.usual)
    }
}

/// The commands that make such a role with one rule, and bind it to a user NAME. `purpose`: of the role, so that one command's
/// rights replace no other's. `flags`: of kubectl, for its cluster.
pub(super) fn grant(role: &Value, purpose: &str, flags: &str) -> String {
    let (rule, metadata) = (&role["rules"][0], &role["metadata"]);
    let texts = |value: &Value| -> String {
        let all: Vec<_> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        all.join(",")
    };
    let word = |value: &Value| shell::argument(value.as_str().unwrap_or_default(), "NAME");
    let group = texts(&rule["apiGroups"]);
    let resource = match (texts(&rule["resources"]), group.as_str()) {
        (resource, "") => resource,
        (resource, group) => format!("{resource}.{group}"),
    };
    let namespace = word(&metadata["namespace"]);
    let object = word(&rule["resourceNames"][0]);
    let name = format!("{}-{purpose}-{object}", word(&metadata["name"]));
    let apply = format!("--dry-run=client -o yaml | kubectl{flags} apply -f -");
    format!(
        "kubectl{flags} -n {namespace} create role {name} --verb={} --resource={resource} --resource-name={object} {apply}\n\
         kubectl{flags} -n {namespace} create rolebinding {name} --role={name} --user=NAME {apply}",
        texts(&rule["verbs"]),
    )
}

#[cfg(test)]
mod tests {
    use super::{
        super::manifests::{Purpose, rbac},
        *,
    };
    use crate::cluster::snapshot::Mode;

    fn roles(namespace: &str, name: &str) -> Roles {
        let ledger = Named { resource: "configmaps", usual: "keyless-ledger", namespace, name };
        Roles::of(rbac(Purpose::Keys, Mode::Deep, NAMESPACE, None), &[ledger])
    }

    #[test]
    fn usual_objects_take_usual_roles() {
        let Roles { usual, elsewhere } = roles(NAMESPACE, "keyless-ledger");
        assert_eq!(usual, rbac(Purpose::Keys, Mode::Deep, NAMESPACE, None));
        assert!(elsewhere.is_empty());
    }

    #[test]
    fn named_object_takes_own_role() {
        for (namespace, name) in [("team", "keyless-ledger"), (NAMESPACE, "keys"), ("team", "keys")] {
            let Roles { usual, elsewhere } = roles(namespace, name);
            assert!(!usual.iter().any(|role| role.to_string().contains("keyless-ledger")), "{usual:?}");
            assert!(usual.iter().any(|role| role.to_string().contains("keyless-probe")), "{usual:?}");
            assert_eq!(elsewhere.len(), 1, "{elsewhere:?}");
            let (made, bound) = (
                "--dry-run=client -o yaml | kubectl --context a apply -f -",
                format!("keyless-ledger-keys-{name}"),
            );
            let wanted = format!(
                "kubectl --context a -n {namespace} create role {bound} --verb=get --resource=configmaps --resource-name={name} {made}\n\
                 kubectl --context a -n {namespace} create rolebinding {bound} --role={bound} --user=NAME {made}"
            );
            assert_eq!(grant(&elsewhere[0], "keys", " --context a"), wanted);
        }
    }
}
