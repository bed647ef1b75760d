//! What `setup` leaves a provider that is given the keys: the ledger says which of them may still verify tokens.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::{Cluster, Failure, Observed},
    config::Settings,
    error::{Code, Error, Result},
    federation::{Federation, Trust},
    oidc::{KeySet, PublicKey, SignedIssuer},
    plan::Step,
    publication::{
        History,
        each::ids,
        found::{Found, Readers},
        keep::write_ledger,
        ledger::Opened,
    },
    report::Report,
    rotation::{KeyId, Lost, State},
    warning::Warning,
};

/// Keys that no API server serves, and that a provider goes on having.
#[derive(Default)]
pub(crate) struct Kept {
    /// Tokens that they signed may still be valid.
    pub(crate) former: Vec<PublicKey>,
    /// Recorded by `keyless keys add`.
    pub(crate) staged: Vec<PublicKey>,
    /// Why nothing is taken away.
    pub(crate) warning: Option<Warning>,
    /// What is known is given, and a run is no success all the same: as for `keyless publish`.
    is_doubtful: bool,
    /// What the provider has.
    has: Vec<PublicKey>,
    /// Those that leave because their tokens have expired.
    leaving: BTreeSet<KeyId>,
    /// Those that are taken away although it is not known whose they are.
    taking: BTreeSet<KeyId>,
    history: Option<History>,
}

/// What is known before a provider is asked.
pub(crate) struct Known<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) observed: &'a Observed,
    pub(crate) files: Option<&'a KeySet>,
    pub(crate) issuer: &'a SignedIssuer,
    /// Read before the look at the API servers ended.
    pub(crate) ledger: Opened,
    /// No other provider is given the keys.
    pub(crate) is_only: bool,
    pub(crate) now: u64,
}

impl Kept {
    /// Asks the provider what it has, where something may be kept. Nothing is written.
    pub(crate) async fn read(known: Known<'_>, provider: &dyn Federation) -> Result<Self> {
        // A key that only a silent server serves may sign: one server's silence takes nothing away.
        let is_silent = known.observed.failed.iter().any(|server| server.failure == Failure::Unreachable);
        if !is_silent && matches!(known.ledger, Opened::NotAsked | Opened::NotKept) {
            return Ok(Self::default());
        }
        let has = provider.keys().await?;
        Ok(Self::of(known, has.given().iter().flat_map(|keys| keys.iter()).cloned().collect(), is_silent))
    }

    fn of(known: Known<'_>, has: Vec<PublicKey>, is_silent: bool) -> Self {
        let mut kept = Self { has, is_doubtful: is_silent, ..Self::default() };
        match known.ledger.clone() {
            Opened::Kept(book) => {
                let history = kept.judged(&known, book);
                // Entries ahead of the clock are lost one by one.
                let is_damaged =
                    history.lost.is_some_and(|lost| lost != Lost::Missing) || !history.ahead.is_empty();
                kept.warning = history.notes().into_iter().find(|_| is_damaged);
                kept.history = Some(history);
            }
            Opened::Unreadable(note) => {
                // Each key that the cluster or a file has needs no ledger.
                let served = || known.observed.key_sets().flat_map(|(_, keys)| keys.iter());
                let staged = || known.files.iter().flat_map(|keys| keys.iter());
                let is_known = |key: &PublicKey| served().chain(staged()).any(|one| one.same_key(key));
                kept.is_doubtful = !kept.has.iter().all(is_known);
                kept.warning = Some(note).filter(|_| !kept.has.is_empty());
            }
            Opened::NotAsked | Opened::NotKept => {}
        }
        let keeps_all = is_silent || kept.warning.is_some();
        for key in &kept.has {
            match kept.history.as_ref().and_then(|history| history.state(key)) {
                Some(State::Staged) => kept.staged.push(key.clone()),
                Some(State::Live | State::RevokedLive | State::Retained { .. } | State::ShownOnce { .. }) => {
                    kept.former.push(key.clone());
                }
                Some(State::Leaving) => drop(kept.leaving.insert(KeyId::of(key))),
                _ if keeps_all => kept.former.push(key.clone()),
                Some(State::Returned { .. } | State::Missing | State::Unknown | State::Foreign) | None => {}
            }
        }
        kept
    }

    fn judged(&self, known: &Known<'_>, book: crate::publication::ledger::Book) -> History {
        let readers = Readers::Given {
            // Of the others it is not known what they have.
            public: known.is_only.then(|| ids(&self.has)),
            unread: !known.is_only,
            lacking: BTreeMap::new(),
        };
        let found = Found {
            observed: known.observed,
            files: known.files,
            stored: self.has.iter().collect(),
            readers,
            tokens: None,
            vouched: false,
        };
        History::of(found, book, known.issuer.as_str(), known.settings, known.now)
    }

    /// Whether something of the keys or of the ledger could not be established, or not be written.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// The step that writes the ledger.
    pub(crate) fn step(&self) -> Option<Step> {
        self.history.as_ref().and_then(History::step)
    }

    /// Names the keys that are taken away although it is not known whose they are.
    pub(crate) fn taken_away(&mut self, want: &Trust) -> Option<Warning> {
        let taken = self.has.iter().filter(|key| !want.keys.iter().any(|one| one.same_key(key)));
        let taken: Vec<_> = taken.filter(|key| !self.leaving.contains(&KeyId::of(key))).collect();
        self.taking = taken.iter().map(|key| KeyId::of(key)).collect();
        let kids: Vec<_> = taken.iter().map(|key| key.kid().escape_debug().to_string()).collect();
        (!kids.is_empty()).then(|| {
            Warning::new(
                Code::KeyNotServed,
                format!(
                    "taken away from the provider: {}: no API server serves them, and the ledger does not show that they are this cluster's; \
                     tokens that they signed are refused from then on; hint: if one is a former key of this cluster, record it first: \
                     keyless keys add FILE",
                    kids.join(", ")
                ),
            )
        })
    }

    /// Writes what was seen, before the provider is given the keys.
    ///
    /// Errors: a key was to be taken away, and by what another publisher noted, or because the ledger cannot be written, it
    /// has to stay.
    pub(crate) async fn note_seen(&mut self, cluster: &Cluster, report: &mut Report<'_>) -> Result<()> {
        let Some(history) = self.history.as_mut().filter(|history| history.is_pending()) else {
            return Ok(());
        };
        let unwritten = write_ledger(history, cluster, report).await?;
        unwritten.iter().for_each(|warning| report.warning(warning));
        self.is_doubtful |= unwritten.is_some();
        let is_ours = |id: &KeyId| {
            history.judged.states.get(id).is_some_and(|state| state.is_ours() && !state.leaves())
        };
        let stays = !self.taking.is_empty() && unwritten.is_some() || self.taking.iter().any(is_ours);
        let leaves = |id: &KeyId| history.judged.states.get(id).is_none_or(|state| state.leaves());
        match !stays && self.leaving.iter().all(leaves) {
            true => Ok(()),
            false => Err(Error::failed(
                Code::ApplyRaced,
                "the ledger does not show, or could not be written to show, that a key may leave: no key was changed",
            )
            .hint("run it again: it looks again at what is there")),
        }
    }

    /// Writes since when the provider has each key.
    pub(crate) async fn note_given(
        &mut self,
        provider: &dyn Federation,
        cluster: &Cluster,
        now: u64,
        report: &mut Report<'_>,
    ) -> Result<()> {
        let Some(history) = self.history.as_mut().filter(|history| !history.is_left_alone()) else {
            return Ok(());
        };
        // What could not be written before is not written now.
        if history.is_pending() || !history.knows_public() {
            return Ok(());
        }
        let has = provider.keys().await?;
        if let Some(keys) = has.given()
            && history.is_public(keys, now)
            && let Some(warning) = write_ledger(history, cluster, report).await?
        {
            report.warning(&warning);
            self.is_doubtful = true;
        }
        Ok(())
    }
}
