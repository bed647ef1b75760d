//! PURE. How a store logs in, as far as a change of it depends on that.

use super::login::{By, login};
use crate::cluster::snapshot::Store;

/// How a store logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LoginKind {
    /// With a credential that is stored, in a Secret or in the store itself.
    Stored,
    /// With tokens of a ServiceAccount, and with nothing else.
    Tokens,
    /// Otherwise, or it is not known: why.
    Other(String),
}

pub(crate) fn login_kind(store: &Store) -> LoginKind {
    let Some((provider, settings)) = store.provider() else {
        return LoginKind::Other("it names no provider, or several".to_owned());
    };
    let found = login(provider, settings);
    let rest = [&found.stored, &found.headers, &found.literals];
    let by = |path: &str, what: &str| LoginKind::Other(format!("{path}: it logs in with {what}"));
    match &found.by {
        By::Stored { .. } | By::Literal { .. } => LoginKind::Stored,
        By::Tokens { path } if rest.iter().any(|paths| !paths.is_empty()) => {
            by(path, "tokens of a ServiceAccount, and names a stored credential beside it")
        }
        By::Tokens { .. } if found.doubts.is_empty() => LoginKind::Tokens,
        By::ExternalAccount { path } => by(path, "an external account"),
        By::Platform { path } => by(path, "what the platform provides"),
        By::Own { path } => by(path, "the token of the operator's own pod"),
        By::TokenFile { path, .. } => by(path, "a file of the operator's pod"),
        By::Pod => by(provider, "whatever the operator's pod has"),
        By::Nothing => LoginKind::Other("it names no login".to_owned()),
        By::Tokens { .. } | By::Unknown => LoginKind::Other(match found.doubts.as_slice() {
            [] => "how it logs in is not known".to_owned(),
            doubts => format!("how it logs in is not known: {}", doubts.join("; ")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::objects::Object;

    fn kind(provider: Value) -> LoginKind {
        login_kind(&Store(Object(
            json!({"kind": "ClusterSecretStore", "metadata": {"name": "a"}, "spec": {"provider": provider}}),
        )))
    }

    #[test]
    fn known_logins_are_stored_or_tokens() {
        let secret =
            json!({"secretRef": {"secretAccessKeySecretRef": {"name": "k", "key": "k", "namespace": "n"}}});
        let account = json!({"audience": "a", "serviceAccountRef": {"name": "r", "namespace": "n"}});
        let google = |auth: Value| kind(json!({"gcpsm": {"projectID": "p", "auth": auth}}));
        assert_eq!(google(secret.clone()), LoginKind::Stored);
        assert_eq!(google(json!({"workloadIdentityFederation": account})), LoginKind::Tokens);
        let token = json!({"tokenSecretRef": {"name": "t", "key": "t", "namespace": "n"}});
        assert_eq!(
            kind(json!({"vault": {"server": "https://v", "path": "kv", "auth": token}})),
            LoginKind::Stored
        );
        for other in [
            json!({}),
            json!({"gcpsm": {"projectID": "p"}}),
            json!({"gcpsm": {"projectID": "p", "auth": {"somethingNew": {}}}}),
            json!({"gcpsm": {"projectID": "p", "auth": secret}, "vault": {}}),
            json!({"aws": {"service": "SecretsManager", "region": "r"}}),
            json!({"unheardOf": {"token": "x"}}),
            json!({"gcpsm": "x"}),
        ] {
            let LoginKind::Other(why) = kind(other.clone()) else {
                panic!("{other}: {:?}", kind(other.clone()))
            };
            assert!(!why.is_empty());
        }
    }
}
