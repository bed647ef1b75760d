//! What a publisher does, and what must hold after it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        super::{Judged, KeyId, Ledger, Look, Policy, Scene, Seen, State, judge},
        keys::decided,
    },
    FOREIGN, World, id,
};

impl World {
    /// `keyless keys revoke`, of a key that no server has.
    pub(super) fn revokes(&mut self, key: KeyId) -> Result<(), String> {
        let (look, _) = self.look();
        let (stored, copies) = (self.bucket.clone(), self.document().keys);
        let before = self.judge(self.ledger.as_ref(), &look, &stored, &copies, None);
        let is_live = matches!(before.states.get(&key), Some(State::Live | State::RevokedLive) | None);
        if look.serving.is_empty() || !look.whole || is_live || self.staged.contains(&key) {
            return Ok(());
        }
        let judged = self.judge(self.ledger.as_ref(), &look, &stored, &copies, Some(key));
        self.ledger = Some(judged.ledger);
        self.ledger_version += 1;
        self.seen.retain(|(_, seen, _)| *seen != key);
        self.returned.remove(&key);
        self.write(&judged.states, &look, stored, &copies, self.bucket_version)?;
        match self.bucket.contains(&key) {
            true => Err(format!("key {} is revoked, and public", key.0[0])),
            false => Ok(()),
        }
    }

    /// Judges, and writes the ledger over the version that was read before the look.
    pub(super) fn note(
        &mut self,
        mut ledger: Option<Ledger>,
        version: u32,
        mut look: Look,
        stored: &BTreeSet<KeyId>,
        copies: &BTreeSet<KeyId>,
    ) -> BTreeMap<KeyId, State> {
        if version != self.ledger_version {
            (ledger, look.whole) = (self.ledger.clone(), false);
        }
        let judged = self.judge(ledger.as_ref(), &look, stored, copies, None);
        if ledger.as_ref() != Some(&judged.ledger) {
            self.ledger = Some(judged.ledger);
            self.ledger_version += 1;
        }
        self.judged = judged.policy;
        judged.states
    }

    fn judge(
        &self,
        ledger: Option<&Ledger>,
        look: &Look,
        stored: &BTreeSet<KeyId>,
        copies: &BTreeSet<KeyId>,
        revoke: Option<KeyId>,
    ) -> Judged {
        let (public, lost) = (stored.intersection(copies).copied().collect(), BTreeSet::new());
        let scene = Scene {
            ledger,
            look,
            staged: &self.staged,
            stored,
            public: Some(&public),
            copies,
            served: Some(self.cache),
            is_given: false,
            unread: false,
            tokens: None,
            most_token: u64::MAX,
            lost: &lost,
            vouched: false,
            revoke,
            policy: &Policy { cache: self.cache, ..self.policy },
            kid: &|_| String::new(),
        };
        judge(&scene, &self.blank)
    }

    /// What was put back is an alarm as long as no server has it and no file names it, and is never one of ours.
    pub(super) fn notices(
        &mut self,
        states: &BTreeMap<KeyId, State>,
        look: &Look,
        stored: &BTreeSet<KeyId>,
    ) -> Result<(), String> {
        let is_needed = |key: &KeyId| {
            look.serving.contains_key(key) || look.signing.contains(key) || self.staged.contains(key)
        };
        self.returned.retain(|key| !is_needed(key) && self.bucket.contains(key));
        match self
            .returned
            .iter()
            .filter(|key| stored.contains(*key))
            .find(|key| !states.get(*key).is_some_and(|state| state.is_alarm() && !state.is_ours()))
        {
            Some(key) => Err(format!("key {} was put back, and is {:?}", key.0[0], states.get(key))),
            None => Ok(()),
        }
    }

    pub(super) fn write(
        &mut self,
        states: &BTreeMap<KeyId, State>,
        look: &Look,
        mut stored: BTreeSet<KeyId>,
        copies: &BTreeSet<KeyId>,
        version: u32,
    ) -> Result<(), String> {
        if version != self.bucket_version {
            stored = self.bucket.clone();
        }
        let live = look.serving.keys().chain(&look.signing).copied().collect();
        let wanted = decided(&live, &self.staged, &stored, copies, states)?;
        let entry = |key: &KeyId| self.ledger.as_ref().and_then(|ledger| ledger.keys.get(key));
        let is_revoked = |key: &KeyId| entry(key).is_some_and(|entry| entry.revoked.is_some());
        let is_needed = |key: &KeyId| live.contains(key) || self.staged.contains(key);
        let comes = |key: &&KeyId| !self.bucket.contains(*key) && !is_needed(key);
        let brought =
            wanted.iter().filter(comes).find(|key| is_revoked(key) || **key == id(FOREIGN)).copied();
        if let Some(key) = brought {
            return Err(format!("key {} was put into the bucket: {:?}", key.0[0], states.get(&key)));
        }
        if wanted != self.bucket {
            self.bucket = wanted;
            self.bucket_version += 1;
        }
        Ok(())
    }

    /// What a run that came to its end must have brought about.
    pub(super) fn published(
        &self,
        states: &BTreeMap<KeyId, State>,
        look: &Look,
        at: u64,
    ) -> Result<(), String> {
        if let Some(key) = look.serving.keys().chain(&look.signing).find(|key| !self.bucket.contains(key)) {
            return Err(format!("key {} is live, and not public", key.0[0]));
        }
        let foreign = id(FOREIGN);
        if self.attacked.is_some_and(|attacked| attacked <= at && self.bucket.contains(&foreign)) {
            match states.get(&foreign) {
                Some(state) if state.is_alarm() && !state.is_ours() => {}
                // The bucket was read before the attack, in the same second.
                None if self.attacked == Some(at) => {}
                other => return Err(format!("the foreign key is {other:?}")),
            }
        }
        let promoted = self.ledger.as_ref().and_then(|ledger| ledger.keys.get(&foreign));
        match promoted.is_some_and(|entry| entry.seen != Seen::Never) {
            true => Err("the foreign key is taken for one of ours".into()),
            false => Ok(()),
        }
    }
}
