//! Which controllers an administrator has installed.
//!
//! Every tenant can run a Deployment that looks like External Secrets Operator. What a tenant cannot do is to bind its
//! ServiceAccount to the operator's own rights in the whole cluster. Without that, a controller says nothing about where
//! the store's identity is made, and who may mint its tokens.

use futures::future::join_all;

use super::{Controller, kinds::CLUSTER_ROLES, lists::Bindings, roles::allows};
use crate::{
    cluster::{
        Cluster,
        objects::{Look, Object},
    },
    error::Result,
};

impl Cluster {
    /// Whether the controller's ServiceAccount may write the status of every ExternalSecret. `Unseen`: it could not be
    /// looked at.
    pub(super) async fn installed(&self, controller: &Controller, bindings: &Bindings) -> Result<Look<bool>> {
        if let Look::Unseen(unseen) = &bindings.look {
            return Ok(Look::Unseen(unseen.clone()));
        }
        // Groups of all accounts would name those of tenants as well.
        let roles = bindings.roles_of_account(&controller.service_account);
        let mut refused = None;
        for role in join_all(roles.into_iter().map(|role| self.look_at(&CLUSTER_ROLES, None, role))).await {
            match role? {
                Look::Seen(role) if operates(&role) => return Ok(Look::Seen(true)),
                Look::Unseen(unseen) => refused = Some(unseen),
                Look::Seen(_) | Look::Absent => {}
            }
        }
        Ok(refused.map_or(Look::Seen(false), Look::Unseen))
    }
}

/// Whether the rules of a ClusterRole let its holder do the operator's work
/// (`deploy/charts/external-secrets/templates/rbac.yaml`, the role `external-secrets-controller`).
fn operates(role: &Object) -> bool {
    allows(role, "external-secrets.io", &["externalsecrets/status", "*/status"], &["patch", "update"])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::{ServiceAccount, objects::Items};

    fn role(rule: Value) -> Object {
        Object(json!({ "rules": [rule] }))
    }

    #[test]
    fn only_the_operators_own_rights_count() {
        let own = json!({"apiGroups": ["external-secrets.io"], "resources": ["externalsecrets", "externalsecrets/status"],
            "verbs": ["get", "update", "patch"]});
        assert!(operates(&role(own.clone())));
        assert!(operates(&role(json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}))));
        for (member, value) in [
            ("apiGroups", json!([""])),
            ("apiGroups", json!([])),
            ("resources", json!(["externalsecrets"])),
            ("resources", json!(["secretstores/status"])),
            ("verbs", json!(["get", "list", "watch"])),
            ("resourceNames", json!(["db"])),
        ] {
            let mut other = own.clone();
            other[member] = value;
            assert!(!operates(&role(other.clone())), "{other}");
        }
        assert!(!operates(&Object(json!({}))) && !operates(&role(json!("*"))));
    }

    #[test]
    fn groups_and_namesakes_are_not_bound() {
        let account = ServiceAccount { namespace: "external-secrets".into(), name: "operator".into() };
        let bound = |subject: Value| {
            let mut bindings = Bindings::default();
            bindings
                .take(json!({ "roleRef": {"name": "own"}, "subjects": [subject] }).to_string().as_bytes());
            !bindings.roles_of_account(&account).is_empty()
        };
        assert!(bound(
            json!({"kind": "ServiceAccount", "name": "operator", "namespace": "external-secrets"})
        ));
        for subject in [
            json!({"kind": "ServiceAccount", "name": "operator", "namespace": "team"}),
            json!({"kind": "ServiceAccount", "name": "operator"}),
            json!({"kind": "ServiceAccount", "name": "other", "namespace": "external-secrets"}),
            json!({"kind": "User", "name": "operator", "namespace": "external-secrets"}),
            json!({"kind": "Group", "name": "system:serviceaccounts"}),
            json!({"kind": "Group", "name": "system:serviceaccounts:external-secrets"}),
            json!(null),
        ] {
            assert!(!bound(subject.clone()), "{subject}");
        }
    }
}
