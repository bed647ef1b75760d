//! PURE. What is shown of a run that gives providers their keys: lines, JSON, numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{GivenPlan, Place};
use crate::{
    oidc::{KeySet, MAX_AGE, PublicKey},
    publication::{
        History,
        facts::{Trusted, each_verifies},
        show::{failed, server},
    },
    rfc3339::rfc3339,
    rotation::{KeyStatus, State},
    warning::Warning,
    watch::{Facts, state_name},
};

impl GivenPlan<'_> {
    /// Whether a provider's keys would be changed: the ledger by itself does not count.
    pub(crate) fn is_pending(&self) -> bool {
        self.seen.places.iter().any(|place| place.pending().is_some())
    }

    /// Whether this run has changed them.
    pub(crate) fn has_written(&self) -> bool {
        self.seen.places.iter().any(|place| place.written)
    }

    /// Whether a provider refused, or could not be asked.
    pub(crate) fn has_failures(&self) -> bool {
        self.seen.places.iter().any(|place| place.failed.is_some())
    }

    /// Providers that may have a key yet that is to be taken out everywhere.
    pub(crate) fn refusing(&self) -> Vec<&str> {
        let places = self.seen.places.iter().filter(|place| place.failed.is_some());
        places.map(|place| place.name.as_str()).collect()
    }

    /// Whether a key is there that a person has to look at, or for which there was no room.
    pub(crate) fn alarms(&self) -> bool {
        self.seen.history.as_ref().is_some_and(History::alarms)
            || !self.seen.decisions().left_out().is_empty()
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = &Warning> {
        self.plan.notes.iter().chain(&self.doubts)
    }

    /// With several providers, what became of each; the last line of all.
    pub(crate) fn place_lines(&self) -> Vec<String> {
        let places = self.seen.places.iter().filter(|_| self.seen.places.len() > 1);
        places.map(|place| format!("  {:9}  {}", place.outcome(), place.name)).collect()
    }

    pub(crate) fn last_line(&self) -> String {
        let count = self.seen.decisions().keys().len();
        let keys = format!("{count} {}", if count == 1 { "key" } else { "keys" });
        let what = match (self.has_written(), self.is_pending()) {
            (true, _) => "given",
            (false, true) => "pending",
            (false, false) => "unchanged",
        };
        let of = |has_failed: bool| {
            let places = self.seen.places.iter().filter(|place| place.failed.is_some() == has_failed);
            places.map(|place| place.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let failed = if self.has_failures() { format!("; failed: {}", of(true)) } else { String::new() };
        format!("{what}: {keys} of {} at {}{failed}", self.seen.issuer, of(false))
    }

    pub(crate) fn facts(&self) -> Facts {
        let mut keys = BTreeMap::new();
        let decisions = self.seen.decisions();
        match &self.seen.history {
            Some(history) => {
                let states = history.judged.states.values();
                states.for_each(|state| *keys.entry(state_name(*state)).or_default() += 1);
            }
            None => {
                for key in decisions.keys() {
                    let name = match decisions.status(key) {
                        KeyStatus::Added | KeyStatus::Kept => state_name(State::Live),
                        KeyStatus::Staged => state_name(State::Staged),
                        _ => state_name(State::Unknown),
                    };
                    *keys.entry(name).or_default() += 1;
                }
            }
        }
        // What each provider has now.
        let has = |place: &Place<'_>| {
            let keys = match place.decided().filter(|_| place.written) {
                Some((_, decision)) => Some(decision.keys.clone()),
                None => place.set.as_ref().and_then(|set| KeySet::new(set.keys.iter().cloned()).ok()),
            };
            Trusted { keys, by_kid: place.provider.rules().keys.by_kid }
        };
        let given: Vec<_> = self.seen.places.iter().map(has).collect();
        let is_given = each_verifies(&self.seen.observed.servers, &given);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Facts {
            keys,
            servers: count(self.seen.observed.listed()),
            sick: count(self.sick),
            signer_wait: if is_given { 0 } else { MAX_AGE },
        }
    }

    /// `applied`: whether it was more than a dry run.
    pub(crate) fn to_json(&self, applied: bool) -> Value {
        let (seen, decisions) = (&self.seen, self.seen.decisions());
        let key = |key: &PublicKey| {
            let entry = seen.history.as_ref().and_then(|history| history.entry(key));
            json!({
                "kid": key.kid(),
                "algorithm": key.algorithm().name(),
                "kind": key.describe(),
                "status": decisions.status(key).name(),
                "servedBy": seen.observed.serving(key),
                "firstNoticed": entry.map(|entry| rfc3339(entry.noticed)),
                "publicSince": entry.and_then(|entry| entry.public_since).map(rfc3339),
            })
        };
        let outcome = |place: &Place<'_>| {
            json!({
                "provider": place.name,
                "outcome": place.outcome(),
                "code": place.failed.as_ref().map(|error| error.code),
                "message": place.failed.as_ref().map(|error| &error.message),
            })
        };
        json!({
            "issuer": seen.issuer.as_str(),
            "providers": seen.places.iter().map(|place| &place.name).collect::<Vec<_>>(),
            "outcomes": seen.places.iter().map(outcome).collect::<Vec<_>>(),
            "changed": self.is_pending() || self.has_written(),
            "dryRun": !applied,
            "plan": self.plan,
            "servers": seen.observed.servers.iter().map(server).collect::<Vec<_>>(),
            "failedServers": seen.observed.failed.iter().map(failed).collect::<Vec<_>>(),
            "keys": decisions.keys().into_iter().map(key).collect::<Vec<_>>(),
            "ledger": seen.history.is_some(),
            "removed": decisions.leaving().into_iter().map(PublicKey::kid).collect::<Vec<_>>(),
            "leftOut": decisions.left_out().into_iter().map(PublicKey::kid).collect::<Vec<_>>(),
            "complete": self.doubts.is_empty(),
            "warnings": self.notes().collect::<Vec<_>>(),
        })
    }
}
