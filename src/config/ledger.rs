//! PURE. Where the ledger of the keys is, and how long tokens live.

use std::fmt;

use crate::{
    cluster::{is_label, is_subdomain},
    error::{Code, Error, Result},
    redact,
    rotation::LONGEST_TOKEN,
};

/// Namespace and name of a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerPlace {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The settings name it: it may be mistyped.
    pub(crate) is_set: bool,
}

/// That of `deploy/base`.
const DEFAULT: (&str, &str) = ("keyless-system", "keyless-ledger");
/// The shortest life that TokenRequest grants.
const SHORTEST: u32 = 600;

impl LedgerPlace {
    pub(super) fn resolve(text: Option<&str>) -> Result<Self> {
        let is_set = text.is_some();
        let (namespace, name) = match text {
            None => DEFAULT,
            Some(text) => match text.split_once('/') {
                Some((namespace, name)) if is_label(namespace) && is_subdomain(name) => (namespace, name),
                _ => {
                    return Err(Error::usage(
                        Code::ConfigMalformed,
                        format!("cluster.ledger: `{}` does not name a ConfigMap", redact::given(text)),
                    )
                    .hint("write NAMESPACE/NAME, e.g. keyless-system/keyless-ledger"));
                }
            },
        };
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned(), is_set })
    }
}

impl fmt::Display for LedgerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

pub(super) fn longest_token(seconds: Option<u32>) -> Result<u64> {
    match seconds {
        None => Ok(LONGEST_TOKEN),
        Some(seconds) if seconds < SHORTEST => Err(Error::usage(
            Code::ConfigMalformed,
            format!("cluster.longestTokenSeconds: {seconds} is below {SHORTEST}"),
        )
        .hint("it is the longest expirationSeconds of any token with an audience outside the cluster; no token lives for less")),
        Some(seconds) => Ok(u64::from(seconds)),
    }
}

/// What tenants ask for counts up to this: otherwise one pod could keep every former key for ever.
const MOST_TOKEN: u32 = 30 * 24 * 3600;

/// `longest`: what is set as the longest; it is never above the most.
pub(super) fn most_token(seconds: Option<u32>, longest: Option<u32>) -> Result<u64> {
    match (seconds, longest) {
        (Some(most), _) if most < SHORTEST => Err(Error::usage(
            Code::ConfigMalformed,
            format!("cluster.maxTokenSeconds: {most} is below {SHORTEST}"),
        )
        .hint("it is the longest life that the API servers grant a token; no token lives for less")),
        (Some(most), Some(longest)) if most < longest => Err(Error::usage(
            Code::ConfigMalformed,
            format!("cluster.maxTokenSeconds: {most} is below cluster.longestTokenSeconds: {longest}"),
        )
        .hint(
            "leave one of them out, or correct it: a token cannot live longer than the most that is granted",
        )),
        (most, _) => Ok(u64::from(most.unwrap_or(MOST_TOKEN))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_namespace_and_name() {
        assert_eq!(LedgerPlace::resolve(None).unwrap().to_string(), "keyless-system/keyless-ledger");
        assert_eq!(LedgerPlace::resolve(Some("a/b.c")).unwrap().to_string(), "a/b.c");
        for text in ["", "a", "a/", "/b", "a/b/c", "A/b", "a.b/c", "a/../b", "a/b?x=y", "a/b c"] {
            assert!(LedgerPlace::resolve(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn tokens_live_at_least_ten_minutes() {
        assert_eq!(longest_token(None).unwrap(), 86_400);
        assert_eq!(longest_token(Some(600)).unwrap(), 600);
        assert!(longest_token(Some(599)).is_err() && longest_token(Some(0)).is_err());
    }

    #[test]
    fn most_token_is_at_least_longest() {
        assert_eq!(most_token(None, None).unwrap(), 30 * 86_400);
        assert_eq!(most_token(Some(3600), None).unwrap(), 3600);
        assert_eq!(most_token(Some(3600), Some(3600)).unwrap(), 3600);
        assert_eq!(most_token(None, Some(90 * 86_400)).unwrap(), 30 * 86_400);
        assert!(most_token(Some(599), None).is_err() && most_token(Some(3600), Some(3601)).is_err());
    }
}
