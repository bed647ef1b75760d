//! PURE. What a key of the cluster is there for.

use std::fmt::{self, Display};

/// What a key of the cluster is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyRole {
    /// An API server signs with it.
    Signing,
    /// Tokens that it signed may still live.
    Served,
    /// Given before any API server signs with it.
    Staged,
    /// No API server serves it any more: tokens that it signed may still live.
    Former,
}

impl KeyRole {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Signing => "signs now",
            Self::Served => "served, does not sign now",
            Self::Staged => "staged",
            Self::Former => "former, kept until its tokens have expired",
        }
    }
}

impl Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
