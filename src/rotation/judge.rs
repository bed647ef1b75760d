//! PURE. (ledger, look, published set, policy) → ledger, and the state of each key.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, KeyId, Ledger, LongestFound, Policy, Seen, Source, ledger::MAX_KID};

/// What the API servers answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// How many there are.
    pub(crate) servers: u32,
    /// Each was asked by its own address, and each answered everything.
    pub(crate) whole: bool,
    /// How many serve each key.
    pub(crate) serving: BTreeMap<KeyId, u32>,
    /// Keys that made the test token of a server.
    pub(crate) signing: BTreeSet<KeyId>,
    /// The earliest and the latest of all clocks: what expires goes by the one, what is noted by the other.
    pub(crate) earliest: u64,
    pub(crate) latest: u64,
}

/// What is judged.
pub(crate) struct Scene<'a> {
    /// `None`: there is none, or it is lost.
    pub(crate) ledger: Option<&'a Ledger>,
    pub(crate) look: &'a Look,
    /// Keys from files.
    pub(crate) staged: &'a BTreeSet<KeyId>,
    /// Keys in the bucket.
    pub(crate) stored: &'a BTreeSet<KeyId>,
    /// Keys that anonymous readers get wherever they may read; `None`: it could not be read.
    pub(crate) public: Option<&'a BTreeSet<KeyId>>,
    /// Keys that anonymous readers get somewhere.
    pub(crate) copies: &'a BTreeSet<KeyId>,
    /// The cache time of the documents as they are served; `None`: they could not be read.
    pub(crate) served: Option<u64>,
    /// There are no documents, and nothing that caches them: a provider is given the keys.
    pub(crate) is_given: bool,
    /// Of several providers, the keys of one could not be read: what the others have is known.
    pub(crate) unread: bool,
    /// `None`: it was not looked up.
    pub(crate) tokens: Option<&'a LongestFound>,
    /// What is found counts up to so many seconds.
    pub(crate) most_token: u64,
    /// Entries of the ledger that are lost.
    pub(crate) lost: &'a BTreeSet<KeyId>,
    /// `--same-cluster`.
    pub(crate) vouched: bool,
    /// `keyless keys revoke`.
    pub(crate) revoke: Option<KeyId>,
    pub(crate) policy: &'a Policy,
    /// The `kid` of a key.
    pub(crate) kid: &'a dyn Fn(&KeyId) -> String,
}

/// What is known of a key now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// An API server has it.
    Live,
    /// The same, although it was revoked.
    RevokedLive,
    Staged,
    /// No longer live, and kept until then; `None`: as long as not every API server answers.
    Retained {
        until: Option<u64>,
    },
    /// One API server had it in one look and did not sign with it; now none has it. Kept like a retained key.
    ShownOnce {
        until: Option<u64>,
    },
    /// Not to be published any more.
    Leaving,
    /// It was taken out of the published set, and it is in the bucket again. `leaves`: this look allows to take it out.
    Returned {
        leaves: bool,
    },
    /// It has to be public, and it is not in the bucket, or not at every provider: someone else took it out.
    Missing,
    /// Published when there was no ledger, and never seen live.
    Unknown,
    /// Published, never seen live, never staged.
    Foreign,
}

impl State {
    /// Whether a person has to look at it.
    pub(crate) fn is_alarm(self) -> bool {
        match self {
            Self::RevokedLive
            | Self::ShownOnce { .. }
            | Self::Returned { .. }
            | Self::Missing
            | Self::Unknown
            | Self::Foreign => true,
            Self::Live | Self::Staged | Self::Retained { .. } | Self::Leaving => false,
        }
    }

    /// Whether it is known to be a key of this cluster.
    pub(crate) fn is_ours(self) -> bool {
        match self {
            Self::Live
            | Self::RevokedLive
            | Self::Staged
            | Self::Retained { .. }
            | Self::Leaving
            | Self::Missing => true,
            Self::ShownOnce { .. } | Self::Returned { .. } | Self::Unknown | Self::Foreign => false,
        }
    }

    /// Whether this run takes it out of the published set.
    pub(crate) fn leaves(self) -> bool {
        matches!(self, Self::Leaving | Self::Returned { leaves: true })
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) ledger: Ledger,
    /// Of every key that is published, live, staged or missing.
    pub(crate) states: BTreeMap<KeyId, State>,
    /// With the cache time by which was judged.
    pub(crate) policy: Policy,
}

/// Judges every key by itself. `blank` is what a lost ledger is replaced by.
pub(crate) fn judge(scene: &Scene<'_>, blank: &Ledger) -> Judged {
    let mut ledger = scene.ledger.unwrap_or(blank).clone();
    let look = scene.look;
    let mut current: BTreeSet<KeyId> = scene.stored.iter().chain(scene.staged).copied().collect();
    current.extend(look.serving.keys().chain(&look.signing));
    current.extend(scene.copies);
    let is_new = scene.is_given || scene.stored.is_empty() && scene.copies.is_empty();
    let cache = ledger.note_cache(scene.served, is_new, look).max(scene.policy.cache);
    let longest_token =
        ledger.note_tokens(scene.tokens, scene.most_token, look).max(scene.policy.longest_token);
    let policy = &Policy { cache, longest_token, ..*scene.policy };
    let keys: BTreeSet<KeyId> = current.iter().chain(ledger.keys.keys()).copied().collect();
    let mut states = BTreeMap::new();
    for id in keys {
        let one = One { id, scene, policy };
        let mut entry = match ledger.keys.remove(&id) {
            Some(entry) => entry,
            None => one.enters(),
        };
        one.update(&mut entry);
        if current.contains(&id) {
            let state = one.state(&entry);
            let was_dropped = entry.dropped.is_some();
            entry.dropped = match state {
                _ if one.is_needed() => None,
                // Written by every run that takes it out, so that two publishers cannot pass each other.
                state if state.leaves() && scene.stored.contains(&id) => Some(look.latest),
                state if state.leaves() => entry.dropped.or(Some(look.latest)),
                // Putting it back does not make it one of ours again.
                _ => entry.dropped,
            };
            entry.lingers = scene.is_given && entry.dropped.is_some() && (entry.lingers || !was_dropped);
            states.insert(id, state);
        } else {
            // A provider that could not be read may have it yet.
            entry.lingers &= scene.unread;
            one.is_missing(&entry).then(|| states.insert(id, State::Missing));
        }
        // Other clusters do not have it: the issuer at which it is read is this one's.
        ledger.own |= one.is_present() && one.is_public();
        ledger.keys.insert(id, entry);
    }
    ledger.bound(&current);
    Judged { ledger, states, policy: *policy }
}

/// One key in this scene.
struct One<'a> {
    id: KeyId,
    scene: &'a Scene<'a>,
    policy: &'a Policy,
}

impl One<'_> {
    fn serving(&self) -> u32 {
        self.scene.look.serving.get(&self.id).copied().unwrap_or_default()
    }

    fn is_signing(&self) -> bool {
        self.scene.look.signing.contains(&self.id)
    }

    fn is_present(&self) -> bool {
        self.serving() > 0 || self.is_signing()
    }

    fn is_staged(&self) -> bool {
        self.scene.staged.contains(&self.id)
    }

    fn is_stored(&self) -> bool {
        self.scene.stored.contains(&self.id)
    }

    fn is_public(&self) -> bool {
        self.scene.public.is_some_and(|public| public.contains(&self.id))
    }

    /// Whether this look can show that no API server has the key: each answered, and none is missing that was there
    /// when the key was.
    fn is_whole(&self, entry: &Entry) -> bool {
        self.scene.look.whole && self.scene.look.servers >= entry.servers
    }

    fn enters(&self) -> Entry {
        let source = match self.scene.ledger {
            _ if self.is_present() => Source::Server,
            _ if self.is_staged() => Source::Staged,
            _ if !self.is_stored() => Source::Copy,
            Some(_) if !self.scene.lost.contains(&self.id) => Source::Foreign,
            _ => Source::Unknown,
        };
        let kid: String = (self.scene.kid)(&self.id).chars().take(MAX_KID).collect();
        Entry::new(kid, self.scene.look.latest, source)
    }

    fn update(&self, entry: &mut Entry) {
        let (scene, look) = (self.scene, self.scene.look);
        let whole = self.is_whole(entry);
        if entry.source == Source::Copy && self.is_stored() {
            entry.source = Source::Foreign;
        }
        if self.is_staged() {
            if !self.is_present() {
                stages(entry, whole);
            }
            entry.source = Source::Staged;
            entry.revoked = None;
        } else if scene.vouched && self.is_vouchable(entry) {
            entry.source = Source::Vouched;
        }
        if scene.revoke == Some(self.id) {
            entry.revoked.get_or_insert(look.latest);
        }
        if self.is_present() {
            entry.seen = self.seen(entry);
            entry.seen_since.get_or_insert(look.latest);
            // Never less: a server that is no longer listed may still have it.
            entry.servers = entry.servers.max(look.servers);
            entry.absent_since = None;
            // What it did before the ledger began is not known.
            entry.signed |= scene.ledger.is_none()
                || matches!(entry.source, Source::Unknown | Source::Vouched | Source::Copy);
        } else if whole && !self.is_staged() {
            entry.absent_since.get_or_insert(look.latest);
        } else if entry.dropped.is_none() && entry.revoked.is_none() {
            entry.absent_since = None;
        }
        if self.is_signing() {
            entry.signed = true;
            entry.idle_since = None;
        } else if entry.signed && whole {
            entry.idle_since.get_or_insert(look.latest);
        } else {
            entry.idle_since = None;
        }
        match scene.public {
            // That it was gone is not forgotten when it comes back.
            Some(_) if self.is_public() && entry.dropped.is_some() && !self.is_needed() => {}
            // Of the one that could not be read, it is not known.
            Some(_) if self.is_public() && scene.unread => {}
            Some(_) if self.is_public() => entry.is_public(look.latest, self.policy.cache),
            Some(_) => (entry.public_since, entry.cache) = (None, None),
            None => {}
        }
    }

    /// Only what the administrator can have looked at.
    fn is_vouchable(&self, entry: &Entry) -> bool {
        self.is_stored() && entry.seen == Seen::Never && entry.source != Source::Staged
    }

    /// Whether it is public whatever the ledger holds.
    fn is_needed(&self) -> bool {
        self.is_present() || self.is_staged()
    }

    /// A key that one server shows in one look counts as seen once: it takes a second look, all of several servers,
    /// or a signature.
    fn seen(&self, entry: &Entry) -> Seen {
        let look = self.scene.look;
        let everywhere = look.whole && look.servers > 1 && self.serving() == look.servers;
        let again = entry.seen == Seen::Once
            && entry
                .seen_since
                .is_some_and(|first| look.latest >= first.saturating_add(self.policy.between_sights));
        match entry.seen {
            Seen::Live => Seen::Live,
            _ if self.is_signing() || everywhere || again => Seen::Live,
            _ => Seen::Once,
        }
    }

    /// When nothing that it signed is valid any more; `None`: that is not known.
    fn until(&self, entry: &Entry) -> Option<u64> {
        entry.absent_since.map(|since| since.saturating_add(self.policy.retention()))
    }

    fn is_expired(&self, entry: &Entry) -> bool {
        let is_former = entry.seen != Seen::Never || entry.source == Source::Vouched;
        is_former && self.until(entry).is_some_and(|until| until <= self.scene.look.earliest)
    }

    /// Whether someone else put it back into the bucket: it was seen to be gone, or was taken out so long ago that it is no
    /// matter of an interruption or a cache. A provider may refuse for long to let it go: there only the first counts.
    fn is_returned(&self, entry: &Entry) -> bool {
        let (scene, policy) = (self.scene, self.policy);
        let is_long_ago = |dropped: u64| {
            dropped.saturating_add(policy.cache).saturating_add(policy.skew) <= scene.look.latest
        };
        let was_gone = |dropped| match scene.is_given {
            true => !entry.lingers,
            false => entry.public_since.is_none() || is_long_ago(dropped),
        };
        scene.revoke != Some(self.id) && entry.dropped.is_some_and(was_gone)
    }

    /// Whether a provider has it, and another one that was read has not.
    fn is_partial(&self) -> bool {
        self.scene.is_given && self.is_stored() && self.scene.public.is_some() && !self.is_public()
    }

    /// Of a key that is nowhere: whether it has to be public. One that was shown once may not be ours.
    fn is_missing(&self, entry: &Entry) -> bool {
        let is_wanted = match (entry.seen, entry.source) {
            (Seen::Never, Source::Staged) => true,
            (Seen::Live, _) | (Seen::Once, Source::Staged) | (Seen::Never, Source::Vouched) => {
                !self.is_expired(entry)
            }
            _ => false,
        };
        is_wanted && entry.revoked.is_none() && entry.dropped.is_none()
    }

    fn state(&self, entry: &Entry) -> State {
        let scene = self.scene;
        if self.is_present() {
            return if entry.revoked.is_some() { State::RevokedLive } else { State::Live };
        }
        if self.is_staged() {
            return State::Staged;
        }
        let until = self.until(entry);
        let is_revoked = entry.revoked.is_some();
        // Who revokes a key knows that a server which is no longer listed is gone.
        let leaves = self.is_whole(entry) && self.is_expired(entry) || is_revoked && scene.look.whole;
        let is_stored = self.is_stored();
        match () {
            // Out of the bucket already: a copy that still shows it does not bring it back.
            () if (is_revoked || entry.dropped.is_some()) && !is_stored => return State::Leaving,
            () if self.is_returned(entry) => return State::Returned { leaves },
            () if leaves => return State::Leaving,
            // Whatever it was: it is not to be public, and not yet known to be at no server.
            () if is_revoked => return State::Returned { leaves: false },
            () => {}
        }
        let is_known = entry.seen == Seen::Live || matches!(entry.source, Source::Vouched | Source::Staged);
        if is_known && self.is_partial() {
            return State::Missing;
        }
        match (entry.seen, entry.source) {
            (Seen::Live, _) | (_, Source::Vouched) => State::Retained { until },
            (Seen::Once, Source::Staged) => State::Retained { until },
            (Seen::Once, _) => State::ShownOnce { until },
            (Seen::Never, Source::Staged) => State::Staged,
            (Seen::Never, Source::Unknown) => State::Unknown,
            (Seen::Never, Source::Foreign | Source::Copy | Source::Server) => State::Foreign,
        }
    }
}

/// A key that is published before it signs, whatever it was before. `whole`: no API server has it.
fn stages(entry: &mut Entry, whole: bool) {
    let is_absent =
        whole || entry.absent_since.is_some() || entry.revoked.is_some() || entry.dropped.is_some();
    entry.seen = Seen::Never;
    entry.seen_since = None;
    entry.servers = 0;
    entry.absent_since = None;
    entry.idle_since = None;
    entry.dropped = None;
    // Otherwise a server that does not answer may sign with it.
    entry.signed &= !is_absent;
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
