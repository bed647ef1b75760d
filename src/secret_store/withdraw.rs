//! The way back: of what this program made, the store first, then what only the store needed. A store that somebody
//! else made stays, and may lead nowhere afterwards.

use serde_json::Value;

use super::{
    Access,
    plan::{Doing, Have, Planned, for_file},
};
use crate::{
    cluster::{
        objects::{Object, Resource},
        snapshot::{CLUSTER_SECRET_STORES, ROLE_BINDINGS, ROLES, SECRET_STORES, SERVICE_ACCOUNTS, Store},
    },
    federation::Verb,
};

/// What is there of everything that a store may have been given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given<'a> {
    pub(crate) store: Option<&'a Object>,
    pub(crate) account: Option<&'a Object>,
    pub(crate) role: Option<&'a Object>,
    pub(crate) role_binding: Option<&'a Object>,
}

impl<'a> From<&Have<'a>> for Given<'a> {
    fn from(have: &Have<'a>) -> Self {
        Self { store: have.store, account: have.account, role: have.role, role_binding: have.role_binding }
    }
}

/// What goes, and what stays because somebody else made it.
pub(crate) fn withdraw<'a>(given: impl Into<Given<'a>>) -> Vec<Planned> {
    let given = given.into();
    let stores = given.store.map(|store| {
        let resource = if store.kind() == "SecretStore" { &SECRET_STORES } else { &CLUSTER_SECRET_STORES };
        (resource, store)
    });
    let others =
        [(&ROLE_BINDINGS, given.role_binding), (&ROLES, given.role), (&SERVICE_ACCOUNTS, given.account)];
    let others = others.into_iter().filter_map(|(resource, object)| Some((resource, object?)));
    stores.into_iter().chain(others).map(|(resource, object)| one(resource, object)).collect()
}

fn one(resource: &'static Resource, object: &Object) -> Planned {
    let manifest = Object(for_file(object));
    let (verb, why, doing) = if object.is_ours() {
        (Verb::Remove, "it was made for the store".to_owned(), Doing::Delete(object.clone()))
    } else {
        (Verb::Leave, "somebody else made it".to_owned(), Doing::Nothing)
    };
    Planned { verb, why, resource, manifest, differences: Vec::new(), seen: Some(object.clone()), doing }
}

/// Whether a store logs in by this trust, and so leads nowhere once it is withdrawn.
pub(crate) fn relies_on(store: &Store, access: &Access) -> bool {
    let Some((provider, settings)) = store.provider() else { return false };
    let text = |pointer: &str| settings.pointer(pointer).and_then(Value::as_str);
    let is_there = |pointer: &str| settings.pointer(pointer).is_some_and(|value| !value.is_null());
    match access {
        Access::Google { audience, .. } => {
            provider == "gcpsm"
                // It would win, and lead somewhere else.
                && !is_there("/auth/secretRef")
                && text("/auth/workloadIdentityFederation/audience") == Some(audience)
        }
        Access::Vault { server, mount, namespace, .. } => {
            provider == "vault"
                && is_there("/auth/jwt/kubernetesServiceAccountToken")
                && text("/namespace").unwrap_or_default() == namespace.as_deref().unwrap_or_default()
                && text("/server").map(|it| it.trim_end_matches('/')) == Some(server.trim_end_matches('/'))
                && text("/auth/jwt/path").unwrap_or("jwt").trim_matches('/') == mount.trim_matches('/')
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_store_that_logs_in_by_this_very_trust_relies_on_it() {
        let store = |provider: Value| {
            Store(Object(json!({ "kind": "SecretStore", "spec": { "provider": provider } })))
        };
        let google = Access::Google {
            project_id: "acme-prod".into(),
            project_number: "1".into(),
            audience: "//iam.googleapis.com/a".into(),
            token_audience: "https://iam.googleapis.com/a".into(),
            impersonate: None,
        };
        let by = |audience: &str| json!({ "audience": audience, "serviceAccountRef": { "name": "a" } });
        let own = json!({ "workloadIdentityFederation": by("//iam.googleapis.com/a") });
        let key = json!({ "workloadIdentityFederation": by("//iam.googleapis.com/a"), "secretRef": {} });
        let other = json!({ "workloadIdentityFederation": by("//iam.googleapis.com/b") });
        for (auth, relies) in [(own, true), (key, false), (other, false), (json!({}), false)] {
            assert_eq!(relies_on(&store(json!({ "gcpsm": { "auth": auth } })), &google), relies, "{auth}");
        }
        let vault = Access::Vault {
            server: "https://vault.acme.example".into(),
            namespace: None,
            kv: "kv".into(),
            mount: "keyless".into(),
            role: "eso".into(),
            audience: "vault".into(),
            ca_pem: None,
        };
        let at = |server: &str, auth: Value| store(json!({ "vault": { "server": server, "auth": auth } }));
        let jwt = |path: &str| json!({ "jwt": { "path": path, "kubernetesServiceAccountToken": {} } });
        let stored = json!({ "jwt": { "path": "keyless", "secretRef": { "name": "a" } } });
        for (server, auth, relies) in [
            ("https://vault.acme.example", jwt("keyless"), true),
            ("https://vault.acme.example/", jwt("/keyless/"), true),
            ("https://vault.acme.example", jwt("jwt"), false),
            ("https://other.acme.example", jwt("keyless"), false),
            ("https://vault.acme.example", stored, false),
        ] {
            assert_eq!(relies_on(&at(server, auth.clone()), &vault), relies, "{server} {auth}");
        }
    }
}
