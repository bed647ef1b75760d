//! PURE. What the ledger and this look say of every key that is published, live or staged.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    alarms::facts,
    found::{Found, Keys},
    ledger::{Book, Content},
};
use crate::{
    config::Settings,
    oidc::{KeySet, PublicKey},
    plan::{Action, FieldChange, Step, Target},
    rotation::{Entry, Judged, KeyId, Ledger, Look, Lost, Policy, Scene, Source, State, judge},
};

/// The keys of one look, judged by the ledger.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(super) book: Book,
    pub(crate) look: Look,
    /// As this look shows it; [`Judged::policy`] is by what was judged.
    base: Policy,
    pub(crate) judged: Judged,
    /// As it was read.
    before: Option<Ledger>,
    pub(super) lost: Option<Lost>,
    /// Entries that are lost: `kid`, and the time in it that is ahead of the clock.
    pub(super) ahead: BTreeMap<KeyId, (String, u64)>,
    issuer: String,
    keys: Keys,
}

impl History {
    /// `now` in seconds since 1970.
    pub(crate) fn of(found: Found<'_>, book: Book, issuer: &str, settings: &Settings, now: u64) -> Self {
        let (look, policy) = (found.look(now), found.policy(settings.longest_token));
        Self::new(book, issuer, look, found.keys(settings.most_token, policy.cache), policy)
    }

    fn new(book: Book, issuer: &str, look: Look, keys: Keys, policy: Policy) -> Self {
        let judged = Judged { ledger: Ledger::new("", ""), states: BTreeMap::new(), policy };
        let (issuer, ahead) = (issuer.to_owned(), BTreeMap::new());
        let mut history =
            Self { book, look, base: policy, judged, before: None, lost: None, ahead, issuer, keys };
        history.judge();
        history
    }

    /// Judges by the ledger as it was last read.
    fn judge(&mut self) {
        let read = match self.book.content() {
            Content::Nothing => Err(Lost::Missing),
            Content::Other => Err(Lost::NotALedger),
            Content::Ledger(text) => Ledger::parse(text, &self.book.cluster, &self.issuer, self.look.latest),
        };
        let (before, lost) = match read {
            Ok(read) => {
                self.ahead = read.ahead;
                (Some(read.ledger), None)
            }
            Err(lost) => {
                self.ahead = BTreeMap::new();
                (None, Some(lost))
            }
        };
        let ahead: BTreeSet<KeyId> = self.ahead.keys().copied().collect();
        let scene = Scene {
            ledger: before.as_ref(),
            look: &self.look,
            staged: &self.keys.staged,
            stored: &self.keys.stored,
            public: self.keys.public.as_ref(),
            copies: &self.keys.copies,
            served: self.keys.served,
            is_given: self.keys.is_given,
            unread: self.keys.unread,
            tokens: self.keys.tokens.as_ref(),
            most_token: self.keys.most_token,
            lost: &ahead,
            vouched: self.keys.vouched,
            policy: &self.base,
            revoke: self.keys.revoke,
            kid: &|id| self.keys.known.get(id).map(|key| key.kid().to_owned()).unwrap_or_default(),
        };
        let judged = judge(&scene, &Ledger::new(&self.book.cluster, &self.issuer));
        (self.judged, self.lost, self.before) = (judged, lost, before);
    }

    /// By what was judged.
    pub(crate) fn policy(&self) -> &Policy {
        &self.judged.policy
    }

    /// What is there is of use to others, and is not written over.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.lost.is_some_and(Lost::is_left_alone)
    }

    /// Whether the ledger, as it was read, shows that the issuer is this cluster's.
    pub(super) fn is_own(&self) -> bool {
        self.before.as_ref().is_some_and(Ledger::is_own)
    }

    /// Former keys that this run records as such.
    pub(super) fn vouched(&self) -> Vec<&PublicKey> {
        let source = |ledger: &Ledger, id: &KeyId| ledger.keys.get(id).map(|entry| entry.source);
        let is_new = |id: &&KeyId| {
            source(&self.judged.ledger, id) == Some(Source::Vouched)
                && self.before.as_ref().and_then(|before| source(before, id)) != Some(Source::Vouched)
        };
        self.judged.ledger.keys.keys().filter(is_new).filter_map(|id| self.key(id)).collect()
    }

    /// After another publisher wrote the ledger: it has seen what this look has not, so this one removes nothing.
    pub(super) fn overtaken(&mut self) {
        self.look.whole = false;
        self.judge();
    }

    /// Nothing is removed in this run.
    pub(super) fn keep_all(&mut self) {
        self.judged.states.retain(|_, state| *state != State::Leaving);
        for state in self.judged.states.values_mut().filter(|state| state.leaves()) {
            *state = State::Returned { leaves: false };
        }
    }

    /// These are what anonymous readers get now. `false`: that was known.
    pub(super) fn is_public(&mut self, keys: &KeySet, now: u64) -> bool {
        let now = now.max(self.look.latest);
        let public: BTreeSet<_> = keys.iter().map(KeyId::of).collect();
        let (before, cache) = (self.judged.ledger.clone(), self.judged.policy.cache);
        for (id, entry) in &mut self.judged.ledger.keys {
            match public.contains(id) {
                // That it was gone is not forgotten when it comes back.
                true if entry.dropped.is_some() => {}
                true => entry.is_public(now, cache),
                false => (entry.public_since, entry.cache) = (None, None),
            }
            let is_live = self.look.serving.contains_key(id) || self.look.signing.contains(id);
            self.judged.ledger.own |= is_live && public.contains(id);
        }
        self.judged.ledger != before
    }

    pub(super) fn is_written(&mut self) {
        self.before = Some(self.judged.ledger.clone());
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.is_left_alone() && self.before.as_ref() != Some(&self.judged.ledger)
    }

    /// Whether this look shows what relying parties have.
    pub(super) fn knows_public(&self) -> bool {
        self.keys.public.is_some()
    }

    /// Whether providers are given the keys, and there are no documents.
    pub(super) fn is_given(&self) -> bool {
        self.keys.is_given
    }

    /// The providers that lack this key, although others have it.
    pub(super) fn lacking(&self, id: &KeyId) -> &[String] {
        self.keys.lacking.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn state(&self, key: &PublicKey) -> Option<State> {
        self.judged.states.get(&KeyId::of(key)).copied()
    }

    pub(crate) fn entry(&self, key: &PublicKey) -> Option<&Entry> {
        self.judged.ledger.keys.get(&KeyId::of(key))
    }

    /// The step that writes the ledger. It names no times: they differ between a plan that is saved and its repetition.
    pub(super) fn step(&self) -> Option<Step> {
        if !self.is_pending() {
            return None;
        }
        let action = if self.book.is_there() { Action::Update } else { Action::Create };
        let reason = match self.keys.is_given {
            true => {
                "it holds when each key was seen; written before the provider is given the keys, and once it has them"
            }
            false => {
                "it holds when each key was seen; written before the documents, and once they are read back"
            }
        };
        let mut step =
            Step::new(Target::ClusterObject, action, self.book.name(), reason).requires(self.book.right());
        let before = self.before.as_ref().map(|ledger| &ledger.keys);
        for (id, entry) in &self.judged.ledger.keys {
            let before = before.and_then(|keys| keys.get(id)).map(facts);
            let after = facts(entry);
            if before.as_ref() != Some(&after) {
                let path = format!("keys[{}]", entry.kid.escape_debug());
                step = step.fields([FieldChange::new(path, before, Some(after))]);
            }
        }
        Some(step)
    }

    /// The IDs of keys that have to be public and are not.
    pub(crate) fn missing(&self) -> Vec<&str> {
        let missing = self.judged.states.iter().filter(|(_, state)| **state == State::Missing);
        missing.filter_map(|(id, _)| self.kid(id)).collect()
    }

    pub(crate) fn key(&self, id: &KeyId) -> Option<&PublicKey> {
        self.keys.known.get(id)
    }

    pub(crate) fn kid(&self, id: &KeyId) -> Option<&str> {
        let noted = || self.judged.ledger.keys.get(id).map(|entry| entry.kid.as_str());
        self.key(id).map(PublicKey::kid).or_else(noted)
    }

    /// The one key that this names, by its `kid` or by its thumbprint: who writes the bucket may use the `kid` of another key.
    fn named(&self, name: &str) -> Result<KeyId, Refusal> {
        let all = || self.judged.states.iter().map(|(id, state)| (*id, *state));
        if let Some((id, _)) = all().find(|(id, _)| id.to_string() == name) {
            return Ok(id);
        }
        let named: Vec<_> = all().filter(|(id, _)| self.kid(id) == Some(name)).collect();
        match named[..] {
            [] => Err(Refusal::Unknown),
            [(id, _)] => Ok(id),
            _ => Err(Refusal::Several(named)),
        }
    }

    /// Takes a key out of the published set, whatever its tokens. Nothing is written yet.
    pub(crate) fn revoke(&mut self, name: &str) -> Result<Revoked, Refusal> {
        let id = self.named(name)?;
        let state = *self.judged.states.get(&id).ok_or(Refusal::Unknown)?;
        match state {
            _ if self.is_left_alone() => return Err(Refusal::LeftAlone),
            State::Live | State::RevokedLive => return Err(Refusal::Live),
            _ if self.keys.staged.contains(&id) => return Err(Refusal::Staged),
            _ if !self.look.whole => return Err(Refusal::NotEveryServer),
            _ => {}
        }
        let last = self
            .judged
            .ledger
            .keys
            .get(&id)
            .filter(|entry| entry.signed)
            .map(|entry| entry.absent_since.unwrap_or(self.look.latest));
        self.keys.revoke = Some(id);
        self.judge();
        match self.judged.states.get(&id) {
            // It may have been missing.
            Some(state) if !state.leaves() => Err(Refusal::NotEveryServer),
            _ => {
                Ok(Revoked { last_token: last.map(|last| last.saturating_add(self.policy().longest_token)) })
            }
        }
    }

    /// Whether this run is to remove a key.
    pub(super) fn is_revoking(&self) -> bool {
        self.keys.revoke.is_some()
    }

    /// Whether this is the key that is to be removed.
    pub(crate) fn revokes(&self, key: &PublicKey) -> bool {
        self.keys.revoke == Some(KeyId::of(key))
    }

    /// Whether the key that is being revoked stays after all.
    pub(crate) fn keeps_revoked(&self) -> bool {
        let state = self.keys.revoke.and_then(|id| self.judged.states.get(&id));
        state.is_some_and(|state| !state.leaves())
    }

    /// Whether there is something that a person has to look at.
    pub(crate) fn alarms(&self) -> bool {
        self.judged.states.values().any(|state| state.is_alarm())
    }
}

/// What dies with a revoked key.
pub(crate) struct Revoked {
    /// When the last token that it can have signed expires; `None`: it was not seen to sign.
    pub(crate) last_token: Option<u64>,
}

/// Why a key is not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    /// These have the same `kid`.
    Several(Vec<(KeyId, State)>),
    Live,
    Staged,
    NotEveryServer,
    /// The ledger cannot be used, and is not written over.
    LeftAlone,
}

#[cfg(test)]
#[path = "history_tests.rs"]
pub(super) mod tests;
