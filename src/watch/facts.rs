//! PURE. What a look found out, as numbers.

use std::collections::BTreeMap;

use crate::rotation::State;

/// What a look knows of the keys and of the API servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// How many keys are in each state; a state that is not here has none.
    pub(crate) keys: BTreeMap<&'static str, u64>,
    /// API servers that are listed.
    pub(crate) servers: u64,
    /// Those of them that did not answer, refused, gave a bad answer, or whose token does not verify.
    pub(crate) sick: u64,
    /// Until every key that an API server signs with is public, in seconds; 0 when it is.
    pub(crate) signer_wait: u64,
}

/// The states of keys, each with a name that stays.
pub(super) const STATES: [&str; 10] = [
    "live",
    "revoked-live",
    "staged",
    "retained",
    "shown-once",
    "leaving",
    "returned",
    "missing",
    "unknown",
    "foreign",
];

/// One of [`STATES`].
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::RevokedLive => "revoked-live",
        State::Staged => "staged",
        State::Retained { .. } => "retained",
        State::ShownOnce { .. } => "shown-once",
        State::Leaving => "leaving",
        State::Returned { .. } => "returned",
        State::Missing => "missing",
        State::Unknown => "unknown",
        State::Foreign => "foreign",
    }
}

impl Facts {
    pub(crate) fn count(&self, state: &str) -> u64 {
        self.keys.get(state).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_name() {
        let states = [
            State::Live,
            State::RevokedLive,
            State::Staged,
            State::Retained { until: None },
            State::ShownOnce { until: None },
            State::Leaving,
            State::Returned { leaves: false },
            State::Missing,
            State::Unknown,
            State::Foreign,
        ];
        assert_eq!(states.map(state_name), STATES);
    }
}
