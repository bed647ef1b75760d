//! PURE. What `keyless publish --watch` decides between its looks.
//!
//! ```text
//!  look ─► Ended ─┬─► pace: when the next look begins
//!                 ├─► board: readiness, metrics (text)
//!                 └─► notice: whether it is worth a line
//!  Lease × local clock ─► lease: who writes
//! ```
//!
//! Times on the local clock are durations since the process began; only what is shown is seconds since 1970.

pub(crate) mod board;
mod facts;
pub(crate) mod lease;
mod metrics;
mod notice;
mod pace;

pub(crate) use self::{
    board::Board,
    facts::{Facts, state_name},
    notice::Notice,
    pace::Pace,
};

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Nothing was to be done.
    Unchanged,
    /// Something was published.
    Changed,
    /// Something is to be published, and this process does not hold the lease.
    Pending,
    /// What is known is published; a person has to look at a key.
    Found,
    /// What is known is published; something could not be established, e.g. because an API server is sick.
    Incomplete,
    /// It came to no end.
    Failed,
}

impl Outcome {
    pub(crate) const ALL: [Self; 6] =
        [Self::Unchanged, Self::Changed, Self::Pending, Self::Found, Self::Incomplete, Self::Failed];

    /// As JSON and metrics have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Pending => "pending",
            Self::Found => "found",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }

    /// Whether everything was established: the documents hold what they must, and each API server answered.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, Self::Unchanged | Self::Changed | Self::Found)
    }
}

/// What one look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// Whether it changed what is published, whatever else came of it.
    pub(crate) changed: bool,
}
