//! What the model leaves out, to see that it notices.

/// A guard of the decision that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Whether users have run is not looked at.
    Users,
    /// What else uses a credential is not looked at.
    Elsewhere,
    /// It is looked at once, long before it counts.
    StaleElsewhere,
    /// Whether the store is still by its new login is not looked at.
    Store,
    /// Whether anything breaks in the watch is not looked at.
    Trouble,
    /// The new login is not tried before the store is changed.
    Probe,
    /// The first run that is seen counts, also one that began before.
    FirstRun,
    /// What a provider says of a credential is looked at once.
    StaleKeys,
    /// The state is written without its version.
    Version,
    /// What the plan has shown does not bound the run.
    Plan,
}

impl Mutant {
    pub(super) const ALL: [Self; 10] = [
        Self::Users,
        Self::Elsewhere,
        Self::StaleElsewhere,
        Self::Store,
        Self::Trouble,
        Self::Probe,
        Self::FirstRun,
        Self::StaleKeys,
        Self::Version,
        Self::Plan,
    ];
}
