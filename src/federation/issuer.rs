//! PURE. Whose tokens a provider believes, and so how it learns the cluster's keys.

use std::fmt;

use crate::oidc::{Issuer, SignedIssuer};

/// The issuer that a provider is told to believe.
///
/// A provider that fetches the documents can only be given an issuer that keyless publishes. One that is given the
/// keys compares the text that the cluster signs as, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrustedIssuer {
    /// The provider fetches the key set from this issuer's public documents.
    Published(Issuer),
    /// The provider is given the key set, and fetches nothing.
    Signed(SignedIssuer),
}

impl TrustedIssuer {
    /// The exact text that the provider compares `iss` with.
    pub(crate) fn as_str(&self) -> &str {
        self.signed().as_str()
    }

    /// The issuer as the cluster signs it.
    pub(crate) fn signed(&self) -> &SignedIssuer {
        match self {
            Self::Published(issuer) => issuer.signed(),
            Self::Signed(issuer) => issuer,
        }
    }

    /// The issuer whose documents the provider fetches; `None`: it is given the keys.
    pub(crate) fn published(&self) -> Option<&Issuer> {
        match self {
            Self::Published(issuer) => Some(issuer),
            Self::Signed(_) => None,
        }
    }
}

impl fmt::Display for TrustedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.signed().fmt(f)
    }
}
