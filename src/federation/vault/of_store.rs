//! PURE. What a store in the cluster says of its server. Tenants may have written it: it completes what an
//! administrator has named, and names no server that an administrator's token goes to.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::Settings;

/// What `spec.provider.vault` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfStore {
    pub(crate) address: String,
    /// Of the server. Not trusted with an administrator's token.
    pub(crate) ca_pem: Option<String>,
    mount: Option<String>,
    role: Option<String>,
    kv: Option<String>,
    namespace: Option<String>,
}

/// Which settings an administrator has set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetByName {
    pub(crate) mount: bool,
    pub(crate) role: bool,
    pub(crate) kv: bool,
    pub(crate) namespace: bool,
}

impl OfStore {
    /// `None`: it names no server.
    pub(super) fn read(spec: &Value) -> Option<Self> {
        let text = |pointer: &str| {
            spec.pointer(pointer)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let bundle = text("/caBundle").and_then(|bundle| STANDARD.decode(bundle).ok());
        let address = text("/server")?;
        Some(Self {
            address: address.trim_end_matches('/').to_owned(),
            ca_pem: bundle.and_then(|pem| String::from_utf8(pem).ok()),
            mount: text("/auth/jwt/path"),
            role: text("/auth/jwt/role"),
            kv: text("/path"),
            namespace: text("/namespace"),
        })
    }

    pub(crate) fn is_at(&self, address: &str) -> bool {
        self.address == address.trim_end_matches('/')
    }

    /// Fills in what no setting says.
    pub(crate) fn complete(&self, named: Settings, set: &SetByName) -> Settings {
        let pick = |set: bool, own: &Option<String>, named: String| match own {
            Some(own) if !set => own.clone(),
            _ => named,
        };
        Settings {
            mount_from_store: !set.mount && self.mount.is_some(),
            mount: pick(set.mount, &self.mount, named.mount),
            role: pick(set.role, &self.role, named.role),
            kv: pick(set.kv, &self.kv, named.kv),
            namespace: if set.namespace {
                named.namespace
            } else {
                self.namespace.clone().or(named.namespace)
            },
            ..named
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::plan::tests::settings, *};

    fn spec() -> Value {
        json!({"server": "https://bao.example:8200/", "path": "team-kv", "namespace": "team",
            "caBundle": STANDARD.encode("-----BEGIN CERTIFICATE-----"),
            "auth": {"jwt": {"path": "k3s", "role": "reader"}}})
    }

    #[test]
    fn store_completes_only_what_nobody_set() {
        let store = OfStore::read(&spec()).unwrap();
        assert!(store.is_at("https://bao.example:8200") && !store.is_at("https://bao.example"));
        let all = store.complete(settings(), &SetByName::default());
        assert_eq!(
            (all.mount.as_str(), all.role.as_str(), all.kv.as_str(), all.namespace.as_deref()),
            ("k3s", "reader", "team-kv", Some("team"))
        );
        assert!(all.mount_from_store);
        // Neither the address nor the authority is the store's to say.
        assert_eq!((all.address, all.ca_pem), (settings().address, None));
        let set = SetByName { mount: true, role: true, kv: true, namespace: true };
        let none = store.complete(settings(), &set);
        assert_eq!((none.mount.as_str(), none.role.as_str(), none.kv.as_str()), ("keyless", "eso", "kv"));
        assert!(!none.mount_from_store && none.namespace.is_none());
    }

    #[test]
    fn store_without_a_server_says_nothing() {
        for spec in [json!({}), json!({"server": ""}), json!({"server": 1}), json!(null)] {
            assert_eq!(OfStore::read(&spec), None, "{spec}");
        }
    }
}
