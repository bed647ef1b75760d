//! What a store names: Secrets, ConfigMaps and ServiceAccounts, told from the shape and place of the reference.

use serde_json::Value;

/// A named object in a store's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// From the provider's name on: `gcpsm.auth.secretRef.secretAccessKeySecretRef`.
    pub(crate) path: String,
    pub(crate) target: Target,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) key: Option<String>,
    /// Of a ServiceAccount: what its token is minted for.
    pub(crate) audiences: Vec<String>,
}

/// What kind of object is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    ConfigMap,
    Secret,
    ServiceAccount,
}

impl Reference {
    /// Whether it names the certificates of an authority.
    pub(crate) fn is_authority(&self) -> bool {
        self.path.rsplit('.').next() == Some(AUTHORITY)
    }

    /// Whether the provider may log in with a stored token of this ServiceAccount instead of a minted one.
    pub(crate) fn may_fall_back(&self) -> bool {
        FALLS_BACK.iter().any(|path| self.path.ends_with(path))
    }
}

/// Names an authority's certificates: public whatever they lie in, and no way to log in.
const AUTHORITY: &str = "caProvider";
/// Vault's and Akeyless's Kubernetes logins also take the token in a Secret that the ServiceAccount lists.
const FALLS_BACK: [&str; 2] = ["auth.kubernetes.serviceAccountRef", "kubernetesAuth.serviceAccountRef"];
/// Members that name a ServiceAccount. `auth.serviceAccount` is the one of `kubernetes` and `crd`.
const ACCOUNTS: [&str; 2] = ["serviceAccountRef", "serviceAccount"];
/// Names something at the provider.
const NAMED_ELSEWHERE: [&str; 1] = ["vault"];
/// Looks like a Secret's key, but is a ConfigMap's.
const CONFIG_MAPS: [&str; 1] = ["credConfig"];

/// Every reference in a provider's settings, in the order of their paths.
pub(crate) fn references(provider: &str, settings: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    visit(provider, provider, settings, &mut found);
    found
}

fn visit(path: &str, member: &str, value: &Value, found: &mut Vec<Reference>) {
    match value {
        Value::Object(members) => {
            if let Some(target) = target(member, value) {
                let text = |name: &str| {
                    members
                        .get(name)
                        .and_then(Value::as_str)
                        .filter(|text| !text.is_empty())
                        .map(str::to_owned)
                };
                let audiences = members.get("audiences").and_then(Value::as_array).into_iter().flatten();
                found.push(Reference {
                    path: path.to_owned(),
                    target,
                    name: text("name").unwrap_or_default(),
                    namespace: text("namespace"),
                    key: text("key"),
                    audiences: audiences.filter_map(Value::as_str).map(str::to_owned).collect(),
                });
                return;
            }
            for (name, value) in members {
                visit(&format!("{path}.{name}"), name, value, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                visit(&format!("{path}[]"), member, item, found);
            }
        }
        _ => {}
    }
}

/// What an object in these settings names, if it names something.
fn target(member: &str, value: &Value) -> Option<Target> {
    value.get("name")?.as_str()?;
    let members = value.as_object()?;
    if ACCOUNTS.contains(&member) {
        return Some(Target::ServiceAccount);
    }
    if CONFIG_MAPS.contains(&member) {
        return Some(Target::ConfigMap);
    }
    if member == AUTHORITY {
        return Some(Target::ConfigMap);
    }
    let only = members.keys().all(|name| matches!(name.as_str(), "name" | "namespace" | "key"));
    // Some selectors go without a key, which means a default one, and `awsCredentialsSecretRef` has none.
    (only && !NAMED_ELSEWHERE.contains(&member)).then_some(Target::Secret)
}
