//! PURE. What a look found out, as numbers.

use std::collections::BTreeMap;

use super::{Outcome, PublicationPlan, live};
use crate::{
    cluster::ApiServer,
    oidc::{KeySet, MAX_AGE, Token},
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
        // What anonymous readers were just seen to get, or each copy that they may be led to.
        let public: Vec<_> = match outcome {
            Some(outcome) if outcome.read_back => {
                vec![Trusted::document(Some(outcome.decision.keys.clone()))]
            }
            _ => {
                let copies = self.observation.published.sets.iter().filter(|set| set.copy);
                copies.map(|set| Trusted::document(KeySet::new(set.keys.iter().cloned()).ok())).collect()
            }
        };
        let is_public = observed.is_some_and(|observed| each_verifies(&observed.servers, &public));
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

/// What tokens are verified with.
#[derive(Clone, Debug)]
pub(super) struct Trusted {
    /// `None`: it is no key set, or is not known.
    pub(super) keys: Option<KeySet>,
    /// The key of a token is found by its `kid`; otherwise each is tried, and their names say nothing.
    pub(super) by_kid: bool,
}

impl Trusted {
    fn document(keys: Option<KeySet>) -> Self {
        Self { keys, by_kid: true }
    }

    fn verifies(&self, token: &Token) -> bool {
        self.keys.as_ref().is_some_and(|keys| match self.by_kid {
            true => prove(token, keys).is_ok(),
            false => keys.iter().any(|key| token.signed_by(key).is_ok()),
        })
    }
}

/// Whether each of these verifies the token of each server. What signs is not known as long as no server answers.
pub(super) fn each_verifies(servers: &[ApiServer], sets: &[Trusted]) -> bool {
    let verifies = |trusted: &Trusted| servers.iter().all(|server| trusted.verifies(&server.token));
    !servers.is_empty() && !sets.is_empty() && sets.iter().all(verifies)
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

#[cfg(test)]
mod tests {
    use lab::{Curve, SigningKey};

    use super::{super::history::tests::server, *};

    #[test]
    fn signer_waits_for_every_set() {
        let (old, new) = (SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P256));
        let servers = [server(&new, &["new"])];
        let with = Some(servers[0].keys.clone());
        let without = Some(server(&old, &["old"]).keys);
        for (sets, verifies) in [
            (vec![with.clone()], true),
            (vec![with.clone(), with.clone()], true),
            (vec![with.clone(), without.clone()], false),
            (vec![without, with.clone()], false),
            (vec![with.clone(), None], false),
            (Vec::new(), false),
        ] {
            let documents: Vec<_> = sets.iter().cloned().map(Trusted::document).collect();
            assert_eq!(each_verifies(&servers, &documents), verifies, "{sets:?}");
        }
        assert!(!each_verifies(&[], &[Trusted::document(with)]));
    }

    /// Vault keeps no `kid`s, and an external signer chooses them.
    #[test]
    fn free_kid_is_compared_by_key() {
        let (signer, other) = (SigningKey::ec(Curve::P256), SigningKey::ec(Curve::P256));
        let servers = [server(&signer, &["free"])];
        for (key, by_kid, verifies) in
            [(&signer, false, true), (&signer, true, false), (&other, false, false), (&other, true, false)]
        {
            let keys = Some(server(key, &["computed"]).keys);
            assert_eq!(each_verifies(&servers, &[Trusted { keys, by_kid }]), verifies, "{by_kid}");
        }
        // The same name is not the same key.
        let keys = Some(server(&other, &["free"]).keys);
        assert!(!each_verifies(&servers, &[Trusted { keys, by_kid: true }]));
    }
}
