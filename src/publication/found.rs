//! PURE. What one look found of the keys: which there are, and where. It is put together here, for every command.

use std::collections::{BTreeMap, BTreeSet};

use super::keep::longest_found;
use crate::{
    cluster::{Observed, OutsideTokens, Reached},
    oidc::{KeySet, MAX_AGE, PublicKey},
    relying_party::prove,
    rotation::{KeyId, LongestFound, Look, Policy},
};

/// What was found, as it was read.
pub(crate) struct Found<'a> {
    pub(crate) observed: &'a Observed,
    /// From files: staged keys.
    pub(crate) files: Option<&'a KeySet>,
    /// What is kept at the place that is written.
    pub(crate) stored: Vec<&'a PublicKey>,
    pub(crate) readers: Readers<'a>,
    /// `None`: it was not looked up.
    pub(crate) tokens: Option<&'a OutsideTokens>,
    /// `--same-cluster`.
    pub(crate) vouched: bool,
}

/// What relying parties have.
pub(crate) enum Readers<'a> {
    /// They fetch public documents.
    Fetch {
        /// What anonymous readers get somewhere.
        copies: Vec<&'a PublicKey>,
        /// What they get wherever they may read; `None`: it could not be read.
        public: Option<BTreeSet<KeyId>>,
        /// The cache times of the documents that are served.
        ages: Vec<Option<u64>>,
        /// Whether each answer shows what is served.
        is_served: bool,
    },
    /// Providers are given the keys.
    Given {
        /// What each of them has; `None`: not every one was asked.
        public: Option<BTreeSet<KeyId>>,
        /// The keys of one could not be read, or were not asked for.
        unread: bool,
        /// Providers that lack a key that another one has.
        lacking: BTreeMap<KeyId, Vec<String>>,
    },
}

impl Found<'_> {
    pub(super) fn look(&self, now: u64) -> Look {
        let copies = match &self.readers {
            Readers::Fetch { copies, .. } => copies.as_slice(),
            Readers::Given { .. } => &[],
        };
        let files = self.files.iter().flat_map(|keys| keys.iter());
        let others: Vec<_> = self.stored.iter().chain(copies).copied().chain(files).collect();
        look(self.observed, &others, now)
    }

    pub(super) fn policy(&self, longest_token: u64) -> Policy {
        let ages = match &self.readers {
            Readers::Fetch { ages, .. } => ages.as_slice(),
            Readers::Given { .. } => &[],
        };
        Policy::new(ages, MAX_AGE, longest_token)
    }

    /// `most_token`: what is found counts up to so many seconds. `cache`: the cache time of the documents.
    pub(super) fn keys(self, most_token: u64, cache: u64) -> Keys {
        let mut keys = Keys {
            vouched: self.vouched,
            tokens: self.tokens.map(longest_found),
            most_token,
            ..Keys::default()
        };
        keys.of(self.observed.key_sets().flat_map(|(_, keys)| keys.iter()));
        keys.staged = keys.of(self.files.iter().flat_map(|keys| keys.iter()));
        keys.stored = keys.of(self.stored);
        match self.readers {
            Readers::Fetch { copies, public, is_served, .. } => {
                keys.copies = keys.of(copies);
                keys.public = public;
                keys.served = is_served.then_some(cache);
            }
            Readers::Given { public, unread, lacking } => {
                (keys.is_given, keys.public, keys.unread, keys.lacking) = (true, public, unread, lacking);
            }
        }
        keys
    }
}

/// Whose keys are where.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) staged: BTreeSet<KeyId>,
    pub(super) stored: BTreeSet<KeyId>,
    /// Those that anonymous readers get wherever they may read; `None`: it could not be read.
    pub(super) public: Option<BTreeSet<KeyId>>,
    /// Those that anonymous readers get somewhere.
    pub(super) copies: BTreeSet<KeyId>,
    /// The cache time of the documents as they are served; `None`: they could not be read.
    pub(super) served: Option<u64>,
    /// There are no documents: a provider is given the keys.
    pub(super) is_given: bool,
    /// The keys of one provider could not be read.
    pub(super) unread: bool,
    /// Providers that lack a key that another one has.
    pub(super) lacking: BTreeMap<KeyId, Vec<String>>,
    /// The longest token with an audience outside the cluster; `None`: it was not looked up.
    pub(super) tokens: Option<LongestFound>,
    /// What is found counts up to so many seconds.
    pub(super) most_token: u64,
    /// `--same-cluster`.
    pub(super) vouched: bool,
    pub(super) revoke: Option<KeyId>,
    pub(super) known: BTreeMap<KeyId, PublicKey>,
}

impl Keys {
    /// The IDs of these keys, each remembered.
    pub(super) fn of<'a>(&mut self, keys: impl IntoIterator<Item = &'a PublicKey>) -> BTreeSet<KeyId> {
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
pub(super) fn look(observed: &Observed, others: &[&PublicKey], now: u64) -> Look {
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
        let candidates = live.iter().chain(others).copied().filter(|key| Some(key.kid()) == kid);
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
