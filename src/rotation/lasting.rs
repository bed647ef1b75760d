//! PURE. Of the ledger: how long copies of the documents last, and tokens, as they were given out lately.

use serde::{Deserialize, Serialize};

use super::{
    Ledger, Look,
    policy::{LONGEST_CACHE, UNKNOWN_CACHE},
};

/// The most cache times, and the most lives of tokens, that are remembered.
pub(super) const MAX_LASTING: usize = 8;
/// What asks for a token is kept for people only: kind, namespace and name.
pub(super) const MAX_BY: usize = 600;

/// For how many seconds something lasts that is given out: a copy of the documents, or a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Lasting {
    pub(super) seconds: u64,
    /// It was otherwise from then on; `None`: it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<u64>,
    /// What asks for it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
}

/// The longest token with an audience outside the cluster that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LongestFound {
    pub(crate) seconds: u64,
    /// What asks for it.
    pub(crate) by: Option<String>,
    /// Everything was looked at that may ask for one: what was recorded before is no longer asked for.
    pub(crate) is_complete: bool,
}

impl Ledger {
    /// Notes the cache time with which the documents are served, and gives the longest with which a relying party may
    /// hold one. `served`: `None`, they could not be read. `is_new`: no document was there before.
    pub(super) fn note_cache(&mut self, served: Option<u64>, is_new: bool, look: &Look) -> u64 {
        if self.caches.is_empty() && !is_new {
            // How they were served before is not known.
            self.caches.push(Lasting { seconds: UNKNOWN_CACHE, until: Some(look.latest), by: None });
        }
        if let Some(seconds) = served {
            note(&mut self.caches, seconds.min(LONGEST_CACHE), look);
        }
        longest(&self.caches, look).map(|seconds| seconds.min(LONGEST_CACHE)).or(served).unwrap_or_default()
    }

    /// Notes the longest token that was found, and gives the longest that may still be valid. What tenants ask for, and what
    /// others wrote here, counts up to `most`.
    pub(super) fn note_tokens(&mut self, found: Option<&LongestFound>, most: u64, look: &Look) -> u64 {
        self.tokens.iter_mut().for_each(|one| one.seconds = one.seconds.min(most));
        if let Some(LongestFound { seconds, by, is_complete }) = found {
            let found = seconds.min(&most);
            let now = self.tokens.iter().filter(|one| one.until.is_none() && !is_complete);
            let seconds = now.map(|one| one.seconds).max().unwrap_or_default().max(*found);
            note(&mut self.tokens, seconds, look);
            if seconds == *found
                && let Some(one) = self.tokens.iter_mut().find(|one| one.until.is_none())
            {
                // Of several that ask for as much, the first stays: a look that finds another one writes nothing.
                let shown = || by.as_ref().map(|by| by.chars().take(MAX_BY).collect());
                one.by = one.by.take().or_else(shown);
            }
        }
        longest(&self.tokens, look).unwrap_or_default()
    }

    /// The longest token that was found and may still be valid: seconds, what asks for it, and until when something did.
    pub(crate) fn longest_token(&self, look: &Look) -> Option<(u64, Option<&str>, Option<u64>)> {
        let held = self.tokens.iter().filter(|one| one.is_held(look.earliest));
        held.max_by_key(|one| one.seconds).map(|one| (one.seconds, one.by.as_deref(), one.until))
    }
}

impl Lasting {
    /// Whether what was given out so may still last.
    fn is_held(&self, now: u64) -> bool {
        self.end().is_none_or(|end| end > now)
    }

    /// `None`: it is given out now.
    fn end(&self) -> Option<u64> {
        self.until.map(|until| until.saturating_add(self.seconds))
    }
}

/// What is given out from now on lasts so long.
fn note(all: &mut Vec<Lasting>, seconds: u64, look: &Look) {
    if all.iter().any(|one| one.until.is_none() && one.seconds == seconds) {
        return;
    }
    for one in all.iter_mut().filter(|one| one.until.is_none()) {
        one.until = Some(look.latest);
    }
    all.retain(|one| one.is_held(look.earliest) && one.seconds != seconds);
    all.push(Lasting { seconds, until: None, by: None });
    if all.len() > MAX_LASTING {
        // The longest counts for those that are left out: it ends no earlier than they do.
        all.sort_by_key(|one| (one.until.is_some(), std::cmp::Reverse(one.seconds)));
        let ends = all.split_off(MAX_LASTING);
        let end = ends.iter().filter_map(Lasting::end).max().unwrap_or_default();
        if let Some(longest) = all.iter_mut().find(|one| one.until.is_some()) {
            longest.until = longest.until.max(Some(end.saturating_sub(longest.seconds)));
        }
    }
}

fn longest(all: &[Lasting], look: &Look) -> Option<u64> {
    all.iter().filter(|one| one.is_held(look.earliest)).map(|one| one.seconds).max()
}
