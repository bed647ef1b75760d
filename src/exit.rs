//! PURE. How a command that could be carried out ended.

/// How a command that could be carried out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing to do, and everything was looked at.
    Clean,
    /// A failed check, or a pending change.
    Found,
    /// Nothing was found, but not everything could be looked at.
    Incomplete,
}

impl Exit {
    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Found => 1,
            Self::Incomplete => 3,
        }
    }
}
