//! PURE. What a look found out, as numbers.

use std::collections::BTreeMap;

use super::{Outcome, PublicationPlan, live};
use crate::{
    cluster::ApiServer,
    oidc::{KeySet, MAX_AGE},
    relying_party::prove,
    rotation::KeyStatus,
    watch::{Facts, state_name},
};

impl PublicationPlan<'_> {
    /// `outcome`: what came of it; `None` as long as nothing was written.
    pub(crate) fn facts(&self, outcome: Option<&Outcome>) -> Facts {
        let observed = self.observation.observed.as_ref();
        let decision = outcome.map_or(&self.decision, |outcome| &outcome.decision);
        let history = self.observation.history.as_ref();
        let mut keys = BTreeMap::new();
        match history {
            Some(history) => {
                let states = history.judged.states.values();
                states.for_each(|state| *keys.entry(state_name(*state)).or_default() += 1);
            }
            None => {
                let statuses = decision.keys.iter().map(|key| decision.status(key));
                statuses.for_each(|status| *keys.entry(without_ledger(status)).or_default() += 1);
            }
        }
        // A copy that anonymous readers get, or what they were just seen to get.
        let copy = || {
            let sets = self.observation.published.sets.iter().filter(|set| set.copy);
            KeySet::new(sets.flat_map(|set| set.keys.iter().cloned())).ok()
        };
        let public = match outcome {
            Some(outcome) if outcome.read_back => Some(outcome.decision.keys.clone()),
            _ => copy(),
        };
        let is_public = observed.is_some_and(|observed| {
            let proves = |server: &ApiServer| {
                public.as_ref().is_some_and(|public| prove(&server.token, public).is_ok())
            };
            // What signs is not known as long as no server answers.
            !observed.servers.is_empty() && observed.servers.iter().all(proves)
        });
        let cache = history.map_or(MAX_AGE, |history| history.policy().cache);
        let sick = observed.map_or(0, |observed| live::doubts(observed, &decision.keys).len());
        Facts {
            keys,
            servers: count(observed.map_or(0, |observed| observed.listed())),
            sick: count(sick),
            signer_wait: if is_public { 0 } else { cache },
        }
    }
}

/// Without a ledger, a former key cannot be distinguished from a foreign one.
fn without_ledger(status: KeyStatus) -> &'static str {
    match status {
        KeyStatus::Added | KeyStatus::Kept => "live",
        KeyStatus::Staged => "staged",
        KeyStatus::Revoked => "revoked-live",
        _ => "unknown",
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
