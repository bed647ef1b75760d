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
    /// What several come to together: never better than the worst of them. None at all is nothing to judge.
    pub(crate) fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        let both = |one: Self, other: Self| match (one, other) {
            (Self::Found { complete }, it) | (it, Self::Found { complete }) => {
                Self::Found { complete: complete && it.is_complete() }
            }
            (Self::Incomplete, _) | (_, Self::Incomplete) => Self::Incomplete,
            (Self::NothingToJudge, _) | (_, Self::NothingToJudge) => Self::NothingToJudge,
            (Self::ZeroExcept, _) | (_, Self::ZeroExcept) => Self::ZeroExcept,
            (Self::Zero, Self::Zero) => Self::Zero,
        };
        all.into_iter().reduce(both).unwrap_or(Self::NothingToJudge)
    }

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
