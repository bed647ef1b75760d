//! PURE. Whose tokens a provider believes, as a type that cannot hold more than a name: conditions, member strings and
//! roles are built from it.

use std::fmt;

use crate::{
    cluster::{ServiceAccount, is_label, is_subdomain},
    error::{Code, Error, Result},
};

/// `sub` of a workload's tokens: `system:serviceaccount:NAMESPACE:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject(String);

impl Subject {
    pub(crate) fn of(account: &ServiceAccount) -> Result<Self> {
        let ServiceAccount { namespace, name } = account;
        if is_label(namespace) && is_subdomain(name) {
            return Ok(Self(format!("system:serviceaccount:{namespace}:{name}")));
        }
        Err(Error::usage(
            Code::ServiceAccount,
            format!("`{}` cannot be the name of a ServiceAccount", account.to_string().escape_debug()),
        )
        .hint("set store.serviceAccount to NAMESPACE/NAME of one that exists, or correct the store that names it"))
    }

    /// Whose tokens have this `sub`; `None`: it is no ServiceAccount's.
    pub(crate) fn account_of(text: &str) -> Option<ServiceAccount> {
        let (namespace, name) = text.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        let account = ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() };
        Self::of(&account).is_ok().then_some(account)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(namespace: &str, name: &str) -> Result<Subject> {
        Subject::of(&ServiceAccount { namespace: namespace.into(), name: name.into() })
    }

    #[test]
    fn subject_names_its_account() {
        let account = |text| Subject::account_of(text).map(|account| account.to_string());
        assert_eq!(account("system:serviceaccount:shop:eso.reader").as_deref(), Some("shop/eso.reader"));
        for text in
            ["", "shop:eso", "system:serviceaccount:shop", "system:serviceaccount::eso", "system:node:a:b"]
        {
            assert_eq!(account(text), None, "{text}");
        }
        assert_eq!(account("system:serviceaccount:shop:a:b"), None);
    }

    #[test]
    fn name_with_quotes_is_no_subject() {
        assert_eq!(subject("shop", "eso.reader").unwrap().as_str(), "system:serviceaccount:shop:eso.reader");
        for (namespace, name) in [
            ("shop", "a'] || true || assertion.sub in ['"),
            ("shop", "a\" || true"),
            ("shop", "*"),
            ("shop", "a:b"),
            ("shop", "a/b"),
            ("shop", ".."),
            ("shop", ""),
            ("", "a"),
            ("shop:x", "a"),
            ("sh.op", "a"),
            ("shop", "a\nb"),
        ] {
            assert_eq!(
                subject(namespace, name).unwrap_err().code,
                Code::ServiceAccount,
                "{namespace:?} {name:?}"
            );
        }
    }
}
