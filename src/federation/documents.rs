//! PURE. What the publisher keeps up to date, by a token of its own ServiceAccount.

use super::TrustedIssuer;

/// What its login is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Publishes {
    Documents(Documents),
    /// The keys that the provider is given.
    Keys,
}

/// Two objects of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Documents {
    /// The bucket by its name alone.
    pub(crate) bucket: String,
    /// The objects by their whole names, e.g. `prod/openid/v1/jwks`.
    pub(crate) objects: Vec<String>,
    /// Whether the issuer's URL is one of the store's own for these very objects, by its form alone. Otherwise it is a domain,
    /// which may show any bucket: also the one before this one.
    pub(crate) are_at_issuer: bool,
    /// Whether every API server was asked by itself. One address may have many behind it, and they may sign as another issuer
    /// still.
    pub(crate) each_was_asked: bool,
}

impl Documents {
    /// Why the right to write others must stay, though the publisher of this run does not: `former` may be what relying
    /// parties read. `None`: they read these.
    pub(crate) fn why_former_stays(&self, issuer: &TrustedIssuer, former: &str) -> Option<String> {
        match (self.are_at_issuer, self.each_was_asked) {
            (true, true) => None,
            (true, false) => Some(format!(
                "the API servers were asked by one address, and those behind it may still sign as an issuer that leads to {former}"
            )),
            (false, _) => Some(format!(
                "the issuer {issuer} is no URL of the bucket {} itself, and may still lead to {former}",
                self.bucket
            )),
        }
    }
}

impl Publishes {
    pub(crate) fn documents(&self) -> Option<&Documents> {
        match self {
            Self::Documents(documents) => Some(documents),
            Self::Keys => None,
        }
    }
}

/// Values of the chart, and what a person has to do besides.
pub(crate) type PublisherLogin = (Vec<(&'static str, String)>, Vec<String>);
