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
        () if sign_after.is_none() => Next::Publish,
        () if signs && serving == look.servers => Next::Nothing,
        () if entry.signed && !signs && reached(drop_after) => Next::MayRemove,
        () if entry.signed && !signs => Next::WaitToRemove,
        // With one server, serving and signing may be one restart.
        () if serving < look.servers && look.servers > 1 => Next::ServeEverywhere,
        () if reached(sign_after) => Next::MaySign,
        () => Next::WaitToSign,
    };
    Advice { sign_after, drop_after, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::Source;

    const POLICY: Policy = Policy { cache: 300, longest_token: 1000, skew: 60, between_sights: 30 };

    #[test]
    fn each_state_has_one_next_step() {
        let id = KeyId([1; 32]);
        // Servers that serve it of how many, whether one signs, public since, idle since, the time, and the next step.
        for (serving, servers, signs, public, idle, now, next) in [
            (1, 1, true, None, None, 100, Next::Publish),
            (1, 1, true, Some(0), None, 100, Next::Nothing),
            (0, 2, false, None, None, 100, Next::Publish),
            (0, 2, false, Some(0), None, 900, Next::ServeEverywhere),
            (1, 2, false, Some(0), None, 900, Next::ServeEverywhere),
            (1, 2, true, Some(0), None, 900, Next::ServeEverywhere),
            (2, 2, false, Some(0), None, 299, Next::WaitToSign),
            (2, 2, false, Some(0), None, 300, Next::MaySign),
            (0, 1, false, Some(0), None, 299, Next::WaitToSign),
            (0, 1, false, Some(0), None, 300, Next::MaySign),
            (2, 2, false, Some(0), Some(100), 1159, Next::WaitToRemove),
            (2, 2, false, Some(0), Some(100), 1160, Next::MayRemove),
            (1, 2, false, Some(0), Some(100), 1160, Next::MayRemove),
        ] {
            let mut entry = Entry::new(String::new(), 0, Source::Server);
            (entry.public_since, entry.idle_since, entry.signed) = (public, idle, signs || idle.is_some());
            let look = Look {
                servers,
                whole: true,
                serving: [(id, serving)].into(),
                signing: signs.then_some(id).into_iter().collect(),
                earliest: now,
                latest: now,
            };
            assert_eq!(advise(&id, &entry, &look, &POLICY).next, next, "{serving} of {servers} at {now}");
            let part = Look { whole: false, ..look };
            assert_eq!(advise(&id, &entry, &part, &POLICY).next, Next::AskEveryServer);
        }
    }
}
