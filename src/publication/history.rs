//! PURE. What the ledger and this look say of every key that is published, live or staged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ledger::Book;
use crate::{
    cluster::{Observed, Reached},
    error::Code,
    oidc::{KeySet, PublicKey},
    plan::{Action, FieldChange, Step, Target},
    relying_party::prove,
    rfc3339::rfc3339,
    rotation::{Entry, Judged, KeyId, Ledger, Look, Lost, Policy, Scene, Seen, Source, State, judge},
    warning::Warning,
};

/// The keys of one look, judged by the ledger.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(super) book: Book,
    pub(crate) look: Look,
    pub(crate) policy: Policy,
    pub(crate) judged: Judged,
    /// As it was read.
    before: Option<Ledger>,
    lost: Option<Lost>,
    issuer: String,
    keys: Keys,
}

/// Whose keys are where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) staged: BTreeSet<KeyId>,
    pub(crate) stored: BTreeSet<KeyId>,
    /// `None`: it could not be read.
    pub(crate) public: Option<BTreeSet<KeyId>>,
    /// `--same-cluster`.
    pub(crate) vouched: bool,
    pub(crate) revoke: Option<KeyId>,
    pub(crate) known: BTreeMap<KeyId, PublicKey>,
}

impl Keys {
    /// The IDs of these keys, each remembered.
    pub(crate) fn of<'a>(&mut self, keys: impl IntoIterator<Item = &'a PublicKey>) -> BTreeSet<KeyId> {
        let mut ids = BTreeSet::new();
        for key in keys {
            let id = KeyId::of(key);
            self.known.entry(id).or_insert_with(|| key.clone());
            ids.insert(id);
        }
        ids
    }
}

/// What the API servers have, as far as this look can show. `others`: keys that a server may sign with although none
/// serves them.
pub(crate) fn look(observed: &Observed, others: &[PublicKey], now: u64) -> Look {
    let mut serving: BTreeMap<KeyId, u32> = BTreeMap::new();
    for (_, keys) in observed.key_sets() {
        // An external signer may serve one key under several names.
        let ids: BTreeSet<_> = keys.iter().map(KeyId::of).collect();
        ids.into_iter().for_each(|id| *serving.entry(id).or_default() += 1);
    }
    let live: Vec<&PublicKey> = observed.key_sets().flat_map(|(_, keys)| keys.iter()).collect();
    let mut all_known = true;
    let mut signing = BTreeSet::new();
    for server in &observed.servers {
        let kid = server.token.claims().kid.as_deref();
        let candidates = live.iter().copied().chain(others).filter(|key| Some(key.kid()) == kid);
        let made_it = |key: &&PublicKey| {
            KeySet::new([(*key).clone()]).is_ok_and(|keys| prove(&server.token, &keys).is_ok())
        };
        match candidates.into_iter().find(made_it) {
            Some(key) => drop(signing.insert(KeyId::of(key))),
            None => all_known = false,
        }
    }
    let clocks = || observed.servers.iter().filter_map(|server| server.clock).chain([now]);
    Look {
        servers: u32::try_from(observed.listed()).unwrap_or(u32::MAX),
        whole: all_known && observed.failed.is_empty() && observed.reached == Reached::Each,
        serving,
        signing,
        earliest: clocks().min().unwrap_or(now),
        latest: clocks().max().unwrap_or(now),
    }
}

impl History {
    pub(crate) fn new(book: Book, issuer: &str, look: Look, keys: Keys, policy: Policy) -> Self {
        let judged = Judged { ledger: Ledger::new("", ""), states: BTreeMap::new() };
        let issuer = issuer.to_owned();
        let mut history = Self { book, look, policy, judged, before: None, lost: None, issuer, keys };
        history.judge();
        history
    }

    /// Judges by the ledger as it was last read.
    fn judge(&mut self) {
        let text = self.book.text();
        let read = match text.is_empty() {
            true => Err(Lost::Missing),
            false => Ledger::parse(text, &self.book.cluster, &self.issuer, self.look.latest),
        };
        let before = read.as_ref().ok();
        let scene = Scene {
            ledger: before,
            look: &self.look,
            staged: &self.keys.staged,
            stored: &self.keys.stored,
            public: self.keys.public.as_ref(),
            vouched: self.keys.vouched,
            policy: &self.policy,
            revoke: self.keys.revoke,
            kid: &|id| self.keys.known.get(id).map(|key| key.kid().to_owned()).unwrap_or_default(),
        };
        let judged = judge(&scene, &Ledger::new(&self.book.cluster, &self.issuer));
        (self.judged, self.lost) = (judged, read.as_ref().err().copied());
        self.before = read.ok();
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
        let mut changed = false;
        for (id, entry) in &mut self.judged.ledger.keys {
            let since = match public.contains(id) {
                // That it was gone is not forgotten when it comes back.
                true if entry.dropped.is_some() => entry.public_since,
                true => entry.public_since.or(Some(now)),
                false => None,
            };
            changed |= entry.public_since != since;
            entry.public_since = since;
        }
        changed
    }

    pub(super) fn is_written(&mut self) {
        self.before = Some(self.judged.ledger.clone());
    }

    pub(super) fn is_pending(&self) -> bool {
        self.before.as_ref() != Some(&self.judged.ledger)
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
        let reason =
            "it holds when each key was seen; written before the documents, and once they are read back";
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

    /// What a person should know, whatever else is done.
    pub(crate) fn notes(&self) -> Vec<Warning> {
        let mut notes = Vec::new();
        if let Some(lost) = self.lost.filter(|lost| *lost != Lost::Missing) {
            notes.push(Warning {
                code: Code::LedgerLost,
                message: format!(
                    "the ledger in {} is not used: {}; a new one is begun, and keys stay longer than they would have",
                    self.book.name(),
                    lost.reason()
                ),
            });
        }
        for (code, matching, what) in ALARMS {
            let of_state = self.judged.states.iter().filter(|(_, state)| matching(**state));
            let keys: Vec<_> = of_state.filter_map(|(id, _)| self.described(id)).collect();
            if !keys.is_empty() {
                notes.push(Warning { code, message: format!("{}: {what}", keys.join(", ")) });
            }
        }
        notes
    }

    /// `kid (first noticed 2026-11-26T12:00:00Z)`.
    fn described(&self, id: &KeyId) -> Option<String> {
        let entry = self.judged.ledger.keys.get(id);
        let kid = self.kid(id)?;
        let noticed = entry.map_or(self.look.latest, |entry| entry.noticed);
        Some(format!("{} (first noticed {})", kid.escape_debug(), rfc3339(noticed)))
    }

    pub(crate) fn key(&self, id: &KeyId) -> Option<&PublicKey> {
        self.keys.known.get(id)
    }

    pub(crate) fn kid(&self, id: &KeyId) -> Option<&str> {
        let noted = || self.judged.ledger.keys.get(id).map(|entry| entry.kid.as_str());
        self.key(id).map(PublicKey::kid).or_else(noted)
    }

    /// Takes a key out of the published set, whatever its tokens. Nothing is written yet.
    pub(crate) fn revoke(&mut self, kid: &str) -> Result<Revoked, Refusal> {
        let of_kid = |(id, _): &(&KeyId, &State)| self.kid(id) == Some(kid);
        let (id, state) = self
            .judged
            .states
            .iter()
            .find(of_kid)
            .map(|(id, state)| (*id, *state))
            .ok_or(Refusal::Unknown)?;
        match state {
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
            _ => Ok(Revoked { last_token: last.map(|last| last.saturating_add(self.policy.longest_token)) }),
        }
    }

    /// Whether this run is to remove a key.
    pub(super) fn is_revoking(&self) -> bool {
        self.keys.revoke.is_some()
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    Live,
    Staged,
    NotEveryServer,
}

type Alarm = (Code, fn(State) -> bool, &'static str);

const ALARMS: [Alarm; 6] = [
    (
        Code::KeyForeign,
        |state| state == State::Foreign,
        "published, and neither an API server nor a file ever had it: its holder can sign as every workload. Find out who wrote it. \
         `keyless keys revoke KID` removes it; if it is a former key of this cluster, `keyless publish --same-cluster` records that",
    ),
    (
        Code::KeyNotServed,
        |state| state == State::Unknown,
        "published before the ledger began, and no API server has it: a former key of this cluster, or a foreign one, whose holder can \
         sign as every workload. `keyless publish --same-cluster` records that it is a former key, `keyless keys revoke KID` removes it",
    ),
    (
        Code::KeyShownOnce,
        |state| matches!(state, State::ShownOnce { .. }),
        "one API server served it in one look, never signed with it, and no longer has it. If no rotation was begun and withdrawn, find \
         out who changed that server. It is kept like a former key; `keyless keys revoke KID` removes it now",
    ),
    (
        Code::KeyReturned,
        |state| matches!(state, State::Returned { .. }),
        "it was taken out of the published set, and is published again: its holder can sign as every workload. Find out who wrote it. It \
         is taken out as soon as every API server answers and none has it; `keyless keys revoke KID` takes it out where there are fewer \
         API servers than before",
    ),
    (
        Code::KeyMissing,
        |state| state == State::Missing,
        "it has to be public, and it is neither in the bucket nor at an API server: relying parties refuse its tokens. Find out who removed \
         it. `keyless keys add FILE` publishes it again; if it is of no use any more, `keyless keys revoke KID` records that",
    ),
    (
        Code::KeyRevokedLive,
        |state| state == State::RevokedLive,
        "it was revoked, and an API server has it: it is published. Take it from --service-account-key-file of every API server",
    ),
];

/// What is known of a key, without the times.
fn facts(entry: &Entry) -> Value {
    let seen = match entry.seen {
        Seen::Never => "never seen",
        Seen::Once => "seen once",
        Seen::Live => "seen",
    };
    let source = match entry.source {
        Source::Server => "from an API server",
        Source::Staged => "from a file",
        Source::Vouched => "recorded as a former key",
        Source::Unknown => "published before the ledger",
        Source::Foreign => "foreign",
    };
    let mut facts = vec![source, seen];
    let more = [
        (entry.signed, "may have signed"),
        (entry.public_since.is_some(), "public"),
        (entry.absent_since.is_some(), "absent"),
        (entry.idle_since.is_some(), "idle"),
        (entry.revoked.is_some(), "revoked"),
        (entry.dropped.is_some(), "removed"),
    ];
    facts.extend(more.into_iter().filter(|(holds, _)| *holds).map(|(_, fact)| fact));
    json!(facts.join(", "))
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
