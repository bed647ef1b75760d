//! PURE. When a key may sign, when it may go, and what to do next.

use super::{Entry, KeyId, Look, Policy, Source, State};

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
    /// Leave it where it is: it may be a former key, and was not staged as the next one.
    Keep,
    /// It leaves by itself.
    Leaves,
    /// There were so many API servers when it was live, and there are fewer: those that are missing may have it.
    FewerServers { before: u32 },
    /// Find out who published it, or who took it out.
    FindOut,
}

/// What to do with this key. Whatever it takes every API server to know is not advised on less.
pub(crate) fn advise(id: &KeyId, state: State, entry: &Entry, look: &Look, policy: &Policy) -> Advice {
    let serving = look.serving.get(id).copied().unwrap_or_default();
    let signs = look.signing.contains(id);
    let cache = entry.cache.unwrap_or(policy.cache);
    let sign_after = entry.public_since.map(|since| since.saturating_add(cache));
    let is_present = serving > 0 || signs;
    let drop_after = match is_present {
        true => entry
            .idle_since
            .map(|since| since.saturating_add(policy.longest_token).saturating_add(policy.skew)),
        false => entry.absent_since.map(|since| since.saturating_add(policy.retention())),
    };
    let reached = |time: Option<u64>| time.is_some_and(|time| time <= look.earliest);
    let is_former = matches!(state, State::Retained { .. } | State::ShownOnce { .. });
    let is_returned = matches!(state, State::Returned { leaves: false });
    let next = match () {
        () if (is_former || is_returned) && look.whole && look.servers < entry.servers => {
            Next::FewerServers { before: entry.servers }
        }
        () if is_former || state == State::Leaving => Next::Leaves,
        () if matches!(state, State::Returned { .. } | State::Missing | State::Unknown | State::Foreign) => {
            Next::FindOut
        }
        () if !look.whole => Next::AskEveryServer,
        () if sign_after.is_none() => Next::Publish,
        () if signs && serving == look.servers => Next::Nothing,
        () if entry.signed && !signs && reached(drop_after) => Next::MayRemove,
        () if entry.signed && !signs => Next::WaitToRemove,
        // Served before it was staged: it may be the old key as well as the new one.
        () if !entry.signed && entry.source != Source::Staged => Next::Keep,
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
            let mut entry = Entry::new(String::new(), 0, Source::Staged);
            let state = if serving > 0 || signs { State::Live } else { State::Staged };
            (entry.public_since, entry.idle_since, entry.signed) = (public, idle, signs || idle.is_some());
            let look = Look {
                servers,
                whole: true,
                serving: [(id, serving)].into(),
                signing: signs.then_some(id).into_iter().collect(),
                earliest: now,
                latest: now,
            };
            assert_eq!(
                advise(&id, state, &entry, &look, &POLICY).next,
                next,
                "{serving} of {servers} at {now}"
            );
            let part = Look { whole: false, ..look };
            assert_eq!(advise(&id, state, &entry, &part, &POLICY).next, Next::AskEveryServer);
        }
    }

    fn look(servers: u32, serving: u32) -> Look {
        let serving = [(KeyId([1; 32]), serving)].into();
        Look { servers, whole: true, serving, signing: [].into(), earliest: 900, latest: 900 }
    }

    /// Caches hold what they got as long as it was allowed then, whatever the documents say by now.
    #[test]
    fn cache_time_of_before_counts() {
        let mut entry = Entry::new(String::new(), 0, Source::Staged);
        for (cache, next) in
            [(None, Next::MaySign), (Some(900), Next::MaySign), (Some(901), Next::WaitToSign)]
        {
            (entry.public_since, entry.cache) = (Some(0), cache);
            let look = look(1, 1);
            assert_eq!(advise(&KeyId([1; 32]), State::Live, &entry, &look, &POLICY).next, next, "{cache:?}");
        }
    }

    #[test]
    fn only_staged_keys_may_sign() {
        for (source, signed, next) in [
            (Source::Staged, false, Next::MaySign),
            (Source::Server, false, Next::Keep),
            (Source::Unknown, false, Next::Keep),
            (Source::Vouched, false, Next::Keep),
            (Source::Foreign, false, Next::Keep),
            (Source::Staged, true, Next::WaitToRemove),
        ] {
            let mut entry = Entry::new(String::new(), 0, source);
            (entry.public_since, entry.signed) = (Some(0), signed);
            let id = KeyId([1; 32]);
            for serving in [1, 2] {
                let advised = advise(&id, State::Live, &entry, &look(2, serving), &POLICY).next;
                let next = match (next, serving) {
                    (Next::MaySign, 1) => Next::ServeEverywhere,
                    _ => next,
                };
                assert_eq!(advised, next, "{source:?} {signed} {serving}");
            }
        }
    }

    #[test]
    fn fewer_servers_have_their_step() {
        let mut entry = Entry::new(String::new(), 0, Source::Server);
        (entry.servers, entry.public_since) = (4, Some(0));
        let id = KeyId([1; 32]);
        let retained = State::Retained { until: None };
        for (state, servers, next) in [
            (retained, 3, Next::FewerServers { before: 4 }),
            (State::Returned { leaves: false }, 3, Next::FewerServers { before: 4 }),
            (State::ShownOnce { until: None }, 3, Next::FewerServers { before: 4 }),
            (retained, 4, Next::Leaves),
            (State::Leaving, 3, Next::Leaves),
            (State::Returned { leaves: true }, 4, Next::FindOut),
            (State::Missing, 3, Next::FindOut),
            (State::Foreign, 4, Next::FindOut),
        ] {
            assert_eq!(advise(&id, state, &entry, &look(servers, 0), &POLICY).next, next, "{state:?}");
        }
        let part = Look { whole: false, ..look(3, 0) };
        assert_eq!(advise(&id, retained, &entry, &part, &POLICY).next, Next::Leaves);
    }
}
