//! PURE. What an audit comes to as a whole.

/// The one thing that a verdict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was found, everything was seen, and all of it is known.
    Zero,
    /// The same, but for credentials that an exception covers.
    ZeroExcept,
    /// Credentials or findings; `complete`: and nothing is unknown or unseen.
    Found { complete: bool },
    /// Nothing was found, and not everything was seen or is known.
    Incomplete,
    /// There is nothing of External Secrets Operator: nothing was judged.
    NothingToJudge,
}

impl Outcome {
    /// For scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::ZeroExcept => "zero-except",
            Self::Found { .. } => "found",
            Self::Incomplete => "incomplete",
            Self::NothingToJudge => "nothing-to-judge",
        }
    }

    /// Whether everything was looked at and could be judged.
    pub(crate) fn is_complete(self) -> bool {
        matches!(self, Self::Zero | Self::ZeroExcept | Self::Found { complete: true })
    }
}
