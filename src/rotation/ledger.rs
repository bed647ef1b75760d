//! PURE. What was seen of each key, and when.
//!
//! The ledger is kept where others may write. It is a clock: a published key that it does not know is not removed, and
//! a key that an API server has is published whatever the ledger holds. Nothing in it can add a key, as it holds none.
//!
//! It changes only when something happens, so that a look at an unchanged cluster writes nothing: instead of when a key
//! was last seen, it holds since when it has not been.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    KeyId,
    lasting::{Lasting, MAX_BY, MAX_LASTING},
};

/// Raised with each change of the form, a new member included: a version that does not know a member must neither take the
/// ledger for damaged nor drop the member. An older program leaves a newer ledger as it is, and removes nothing.
const VERSION: u64 = 2;
/// The first version: what it holds, every later one holds too.
const FIRST: u64 = 1;
/// The most that is read.
const MAX_TEXT: usize = 256 << 10;
/// The most keys that are remembered: twice what can be published.
pub(super) const MAX_ENTRIES: usize = 200;
/// A `kid` is kept for people only.
pub(super) const MAX_KID: usize = 128;
/// A time may be ahead of the clock by this many seconds.
const AHEAD: u64 = 300;

/// Every key that was seen under one issuer of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Ledger {
    version: u64,
    /// UID of the namespace `kube-system`.
    pub(crate) cluster: String,
    pub(crate) issuer: String,
    /// A key of this cluster was read under this issuer: it is this cluster's, whatever others put there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) own: bool,
    /// The longest tokens with an audience outside the cluster, as `keyless keys` found them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tokens: Vec<Lasting>,
    /// With which cache times the documents were served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) caches: Vec<Lasting>,
    pub(crate) keys: BTreeMap<KeyId, Entry>,
}

/// What a ledger holds that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) ledger: Ledger,
    /// Entries that are lost: `kid`, and the latest time in it, which is ahead of the clock.
    pub(crate) ahead: BTreeMap<KeyId, (String, u64)>,
}

/// What is known of one key. Times are in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Entry {
    /// For people; the first characters of it.
    pub(crate) kid: String,
    /// When it was first noticed, wherever.
    pub(crate) noticed: u64,
    pub(crate) source: Source,
    pub(crate) seen: Seen,
    /// When an API server first served it or signed with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen_since: Option<u64>,
    /// The most API servers that there were when it was seen.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) servers: u32,
    /// Anonymous readers have got it since then without a break, wherever they may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_since: Option<u64>,
    /// The longest cache time, in seconds, with which documents without it may have been served until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<u64>,
    /// No API server has had it since then: every look found all servers, and it at none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) absent_since: Option<u64>,
    /// Whether an API server was seen to sign with it, or had it before the ledger began and may have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) signed: bool,
    /// No API server has signed with it since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle_since: Option<u64>,
    /// `keyless keys revoke`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<u64>,
    /// When it was last taken out of the published set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<u64>,
    /// Since then, no look at every provider has found it gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) lingers: bool,
}

/// How a key came to be known, unless an API server was seen to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// An API server had it.
    Server,
    /// From a file.
    Staged,
    /// `--same-cluster`: the administrator states that it is a former key.
    Vouched,
    /// It was published when there was no ledger.
    Unknown,
    /// It appeared in the published set.
    Foreign,
    /// It appeared in a copy of the published set that anonymous readers get, and never was in the bucket.
    Copy,
}

/// Whether API servers were seen to have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Seen {
    Never,
    /// By one server, in one look, and it did not sign.
    Once,
    Live,
}

/// Why what is kept is no ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Missing,
    /// Another version of its form.
    Version,
    /// Something else is kept in its place.
    NotALedger,
    Damaged,
    TooLarge,
    /// Every entry holds a time that is ahead of the clock; the latest of them.
    Future(u64),
    /// Of another cluster or issuer.
    Other,
}

impl Lost {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "there is none yet",
            Self::Version => "it has a form that this version of keyless does not know",
            Self::NotALedger => "the ConfigMap holds something else",
            Self::Damaged => "it is damaged",
            Self::TooLarge => "it is larger than any ledger",
            Self::Future(_) => "every time in it is ahead of the clock",
            Self::Other => "it belongs to another cluster or issuer",
        }
    }

    /// Whether what is there may be of use to others: then it is not written over.
    pub(crate) fn is_left_alone(self) -> bool {
        matches!(self, Self::Version | Self::NotALedger)
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Ledger {
    pub(crate) fn new(cluster: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            cluster: cluster.into(),
            issuer: issuer.into(),
            own: false,
            tokens: Vec::new(),
            caches: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// `now` in seconds since 1970. What is odd in any way is not read in part; an entry with a time that is ahead of the
    /// clock is left out, as the others are good.
    pub(crate) fn parse(text: &str, cluster: &str, issuer: &str, now: u64) -> Result<Read, Lost> {
        if text.len() > MAX_TEXT {
            return Err(Lost::TooLarge);
        }
        let version: Value = serde_json::from_str(text).map_err(|_| Lost::Damaged)?;
        match version.get("version").and_then(Value::as_u64) {
            Some(FIRST..=VERSION) => {}
            Some(_) => return Err(Lost::Version),
            None => return Err(Lost::Damaged),
        }
        let mut ledger: Self = serde_json::from_str(text).map_err(|_| Lost::Damaged)?;
        ledger.version = VERSION;
        if ledger.keys.len() > MAX_ENTRIES || ledger.caches.len().max(ledger.tokens.len()) > MAX_LASTING {
            return Err(Lost::TooLarge);
        }
        if ledger.cluster != cluster || ledger.issuer != issuer {
            return Err(Lost::Other);
        }
        let is_long = |text: &String| text.chars().count() > MAX_BY;
        if ledger.tokens.iter().chain(&ledger.caches).filter_map(|one| one.by.as_ref()).any(is_long) {
            return Err(Lost::Damaged);
        }
        if ledger.keys.values().any(|entry| entry.kid.chars().count() > MAX_KID) {
            return Err(Lost::Damaged);
        }
        let latest = now.saturating_add(AHEAD);
        let last = |entry: &Entry| entry.times().max().unwrap_or_default();
        let ahead: BTreeMap<_, _> = ledger
            .keys
            .extract_if(.., |_, entry| last(entry) > latest)
            .map(|(id, entry)| (id, (entry.kid.clone(), last(&entry))))
            .collect();
        match ahead.values().map(|(_, time)| *time).max().filter(|_| ledger.keys.is_empty()) {
            Some(latest) => Err(Lost::Future(latest)),
            None => Ok(Read { ledger, ahead }),
        }
    }

    /// Whether this issuer is known to be this cluster's.
    pub(crate) fn is_own(&self) -> bool {
        self.own || self.keys.values().any(|entry| entry.seen == Seen::Live && entry.public_since.is_some())
    }

    pub(crate) fn to_text(&self) -> String {
        // Maps of text, numbers and names: there is nothing that could not be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Forgets what matters least, so that what others publish cannot make it grow. `current`: published, live or
    /// staged now.
    pub(super) fn bound(&mut self, current: &BTreeSet<KeyId>) {
        let Some(over) = self.keys.len().checked_sub(MAX_ENTRIES).filter(|over| *over > 0) else { return };
        let rank = |(id, entry): (&KeyId, &Entry)| {
            // Of ours the oldest, whose tokens have expired; of others the newest, which may be a crowd.
            let age = if entry.is_ours() { entry.noticed } else { u64::MAX - entry.noticed };
            (entry.is_ours(), current.contains(id), age, *id)
        };
        let mut all: Vec<_> = self.keys.iter().map(rank).collect();
        all.sort_unstable();
        for (.., id) in all.into_iter().take(over) {
            self.keys.remove(&id);
        }
    }
}

impl Entry {
    pub(super) fn new(kid: String, noticed: u64, source: Source) -> Self {
        Self {
            kid,
            noticed,
            source,
            seen: Seen::Never,
            seen_since: None,
            servers: 0,
            public_since: None,
            cache: None,
            absent_since: None,
            signed: false,
            idle_since: None,
            revoked: None,
            dropped: None,
            lingers: false,
        }
    }

    /// Anonymous readers get it now. `cache`: how long they may hold what they got before.
    pub(crate) fn is_public(&mut self, now: u64, cache: u64) {
        if self.public_since.is_none() {
            (self.public_since, self.cache) = (Some(now), Some(cache));
        }
    }

    /// Whether it is known to be a key of this cluster.
    pub(crate) fn is_ours(&self) -> bool {
        self.seen == Seen::Live || matches!(self.source, Source::Staged | Source::Vouched)
    }

    fn times(&self) -> impl Iterator<Item = u64> {
        let times = [
            self.seen_since,
            self.public_since,
            self.absent_since,
            self.idle_since,
            self.revoked,
            self.dropped,
        ];
        std::iter::once(self.noticed).chain(times.into_iter().flatten())
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
