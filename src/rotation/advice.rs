//! PURE. When a key may sign, when it may go, and what to do next.

use super::{Entry, KeyId, Look, Policy};

/// What is safe to do with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// From when on every relying party has it; `None`: it is not public.
    pub(crate) sign_after: Option<u64>,
    /// From when on it may be taken from the API servers, or leaves the published set; `None`: not yet.
    pub(crate) drop_after: Option<u64>,
    pub(crate) next: Next,
}

/// The one next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: it signs, and every server knows it.
    Nothing,
    /// Bring every API server back, so that all can be asked.
    AskEveryServer,
    /// Publish it.
    Publish,
    /// Serve it from every API server, before any signs with it.
    ServeEverywhere,
    /// Wait until relying parties have it.
    WaitToSign,
    /// It may sign now.
    MaySign,
    /// Wait until its tokens have expired.
    WaitToRemove,
    /// It may be taken from the API servers now.
    MayRemove,
    /// It leaves by itself.
    Leaves,
}

/// What to do with this key. Whatever it takes every API server to know is not advised on less.
pub(crate) fn advise(id: &KeyId, entry: &Entry, look: &Look, policy: &Policy) -> Advice {
    let serving = look.serving.get(id).copied().unwrap_or_default();
    let signs = look.signing.contains(id);
    let sign_after = entry.public_since.map(|since| since.saturating_add(policy.cache));
    let is_present = serving > 0 || signs;
    let drop_after = match is_present {
        true => entry
            .idle_since
            .map(|since| since.saturating_add(policy.longest_token).saturating_add(policy.skew)),
        false => entry.absent_since.map(|since| since.saturating_add(policy.retention())),
    };
    let reached = |time: Option<u64>| time.is_some_and(|time| time <= look.earliest);
    let next = match () {
        () if !is_present && entry.seen_since.is_some() => Next::Leaves,
        () if !look.whole => Next::AskEveryServer,
        () if signs && serving == look.servers => Next::Nothing,
        () if sign_after.is_none() => Next::Publish,
        () if entry.signed && !signs && reached(drop_after) => Next::MayRemove,
        () if entry.signed && !signs => Next::WaitToRemove,
        // With one server, serving and signing may be one restart.
        () if serving < look.servers && look.servers > 1 => Next::ServeEverywhere,
        () if reached(sign_after) => Next::MaySign,
        () => Next::WaitToSign,
    };
    Advice { sign_after, drop_after, next }
}
