//! PURE. What the publisher keeps up to date, by a token of its own ServiceAccount.

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
