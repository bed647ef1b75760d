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

use super::KeyId;

const VERSION: u64 = 1;
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
    pub(crate) keys: BTreeMap<KeyId, Entry>,
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
    /// Anonymous readers have got it since then without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_since: Option<u64>,
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
    Damaged,
    TooLarge,
    /// A time in it is ahead of the clock.
    Future,
    /// Of another cluster or issuer.
    Other,
}

impl Lost {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "there is none yet",
            Self::Version => "it has a form that this version of keyless does not know",
            Self::Damaged => "it is damaged",
            Self::TooLarge => "it is larger than any ledger",
            Self::Future => "it holds a time that is ahead of the clock",
            Self::Other => "it belongs to another cluster or issuer",
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Ledger {
    pub(crate) fn new(cluster: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self { version: VERSION, cluster: cluster.into(), issuer: issuer.into(), keys: BTreeMap::new() }
    }

    /// `now` in seconds since 1970. What is odd in any way is not read in part.
    pub(crate) fn parse(text: &str, cluster: &str, issuer: &str, now: u64) -> Result<Self, Lost> {
        if text.len() > MAX_TEXT {
            return Err(Lost::TooLarge);
        }
        let version: Value = serde_json::from_str(text).map_err(|_| Lost::Damaged)?;
        match version.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(_) => return Err(Lost::Version),
            None => return Err(Lost::Damaged),
        }
        let ledger: Self = serde_json::from_str(text).map_err(|_| Lost::Damaged)?;
        if ledger.keys.len() > MAX_ENTRIES {
            return Err(Lost::TooLarge);
        }
        if ledger.cluster != cluster || ledger.issuer != issuer {
            return Err(Lost::Other);
        }
        if ledger.keys.values().any(|entry| entry.kid.chars().count() > MAX_KID) {
            return Err(Lost::Damaged);
        }
        let latest = now.saturating_add(AHEAD);
        let is_ahead = ledger.keys.values().flat_map(Entry::times).any(|time| time > latest);
        if is_ahead { Err(Lost::Future) } else { Ok(ledger) }
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
            absent_since: None,
            signed: false,
            idle_since: None,
            revoked: None,
            dropped: None,
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
