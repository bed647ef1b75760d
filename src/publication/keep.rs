//! Keeps the ledger: observed with the cluster, written before the documents, and once they are read back.

use std::collections::BTreeSet;

use futures::channel::oneshot;

use super::{
    History, Observation, Options, Outcome, Publication, PublicationPlan,
    found::{Found, Readers},
    ledger::{Book, Opened, not_kept},
    live,
};
use crate::{
    cluster::{Cluster, OutsideTokens},
    error::{Code, Error, Result},
    relying_party::{Fetched, max_age},
    report::Report,
    rotation::{Copies, Former, KeyId, LongestFound, PublishedSet},
    waiting::Waiting,
    warning::Warning,
};

/// How often another publisher may write the ledger in between.
const ATTEMPTS: usize = 5;

/// How long relying parties may keep what this URL serves, in seconds; `None`: it serves no document.
pub(crate) fn served(fetched: &Fetched) -> Option<Option<u64>> {
    let answer = fetched.answer.as_ref().ok().filter(|answer| answer.status == 200)?;
    let all = answer.headers.get_all(http::header::CACHE_CONTROL).iter().filter_map(|it| it.to_str().ok());
    Some(max_age(&all.collect::<Vec<_>>().join(", ")))
}

impl Publication<'_> {
    /// [`Publication::observe`], with the ledger. It must be read before the look at the cluster ends: what another publisher
    /// writes after that is then noticed when this one writes. Both run at the same time; a look that the ledger was too
    /// late for is made again.
    pub(crate) async fn observe_with_ledger(
        &self,
        options: &Options,
        cluster: Option<&Cluster>,
        now: fn() -> u64,
        waiting: &Waiting,
    ) -> Result<Observation> {
        let (read, mut is_read) = oneshot::channel();
        let ledger = async {
            let opened = Opened::read(cluster, &self.settings.ledger).await;
            // No caller waits for it when the look has failed.
            read.send(()).ok();
            opened
        };
        let look = async {
            let observed = live::observe(cluster, self.settings, waiting).await;
            if !matches!(is_read.try_recv(), Ok(None)) {
                return observed;
            }
            is_read.await.ok();
            live::observe(cluster, self.settings, waiting).await
        };
        let tokens = async {
            match cluster.filter(|_| self.looks_up_tokens) {
                Some(cluster) => Some(cluster.outside_tokens().await),
                None => None,
            }
        };
        let (opened, observation, tokens) =
            futures::join!(ledger, self.observe(options, look, waiting), tokens);
        let mut observation = observation?;
        observation.tokens = tokens;
        self.take_ledger(&mut observation, opened, options, now());
        Ok(observation)
    }

    /// Judges what was observed by the ledger, which was read before the look at the cluster ended.
    pub(crate) fn take_ledger(
        &self,
        observation: &mut Observation,
        opened: Opened,
        options: &Options,
        now: u64,
    ) {
        match opened {
            Opened::NotAsked => {}
            Opened::NotKept => {
                observation.unreadable = not_kept(&self.settings.ledger);
                // Where the usual place does not exist, no key was ever revoked.
                if observation.unreadable.is_none() {
                    observation.copies = Copies::Kept;
                }
            }
            Opened::Unreadable(note) => observation.unreadable = Some(note),
            Opened::Kept(book) => {
                observation.history = self.history(observation, book, options, now);
                observation.is_own = self.is_own(observation);
            }
        }
    }

    fn history(&self, observation: &Observation, book: Book, options: &Options, now: u64) -> Option<History> {
        let observed = observation.observed.as_ref()?;
        let sets = &observation.published.sets;
        let in_sets = |copy: bool| sets.iter().filter(move |set| set.copy == copy).flat_map(|set| &set.keys);
        let documents = [&observation.seen.0, &observation.seen.1];
        let is_read = observation.seen.1.answer.is_ok() && !observation.copy.is_partial;
        let readers = Readers::Fetch {
            copies: in_sets(true).collect(),
            public: is_read.then(|| in_every(sets)),
            ages: documents.into_iter().filter_map(served).collect(),
            is_served: documents.into_iter().all(shows_what_is_served),
        };
        let found = Found {
            observed,
            files: observation.files.as_ref(),
            stored: in_sets(false).collect(),
            readers,
            tokens: observation.tokens.as_ref(),
            vouched: options.former == Former::SameCluster,
        };
        Some(History::of(found, book, self.location.issuer.as_str(), self.settings, now))
    }

    /// Whether this cluster is known to publish under this issuer: its API servers sign as it, and the ledger holds that a key
    /// of it was read there. `cluster.uid` in the settings is no proof: it says which cluster, and not whose the issuer is.
    fn is_own(&self, observation: &Observation) -> bool {
        let Some(observed) = &observation.observed else { return false };
        let signed = self.location.issuer.signed();
        let mut servers = observed.servers.iter();
        let signs =
            !observed.servers.is_empty() && servers.all(|server| server.token.claims().issuer == *signed);
        signs && observation.history.as_ref().is_some_and(History::is_own)
    }

    /// Writes the ledger, before the documents. When another publisher has written it since it was read, nothing is
    /// removed in this run. A ledger that cannot be written is a doubt: the keys are published all the same, and none is removed.
    ///
    /// Errors: `apply-raced` when another publisher was faster and a key was to be revoked. Nothing is written then.
    pub(crate) async fn note_seen(
        &self,
        plan: &mut PublicationPlan<'_>,
        cluster: Option<&Cluster>,
        report: &mut Report<'_>,
    ) -> Result<()> {
        let Some(cluster) = cluster else { return Ok(()) };
        let Some(history) = plan.observation.history.as_mut().filter(|history| history.is_pending()) else {
            return Ok(());
        };
        plan.doubts.extend(write_ledger(history, cluster, report).await?);
        let live = plan.observation.observed.as_ref().map(|observed| observed.live()).transpose()?;
        plan.decision = self.decide(&plan.observation, live.as_ref(), plan.former)?;
        Ok(())
    }

    /// Writes since when anonymous readers have each key, if they were seen to get it. What another publisher does
    /// meanwhile, the next look finds.
    pub(crate) async fn note_public(
        &self,
        plan: &mut PublicationPlan<'_>,
        outcome: &Outcome,
        cluster: Option<&Cluster>,
        now: u64,
    ) {
        let (Some(cluster), true) = (cluster, outcome.read_back) else { return };
        // Readers that hold the former document read another key set yet.
        if plan.observation.published.jwks_uri.is_some() {
            return;
        }
        let Some(history) = &mut plan.observation.history else { return };
        // Not what could not be written before.
        if history.is_left_alone() || history.is_pending() || !history.is_public(&outcome.decision.keys, now)
        {
            return;
        }
        match history.book.write(cluster, &history.judged.ledger).await {
            Ok(()) => history.is_written(),
            Err(error) if error.code == Code::ApplyRaced => {}
            Err(error) => {
                let note = unwritten(&history.book, &error);
                plan.doubts.push(note);
            }
        }
    }
}

/// Writes the ledger over the version that was read, and gives back why it could not be written: then nothing is removed.
///
/// Errors: the same, where a key is to be revoked.
pub(super) async fn write_ledger(
    history: &mut History,
    cluster: &Cluster,
    report: &mut Report<'_>,
) -> Result<Option<Warning>> {
    report.progress(format_args!("writing {}", history.book.name()));
    let mut written = Err(raced(&history.book));
    for _ in 0..ATTEMPTS {
        written = history.book.write(cluster, &history.judged.ledger).await;
        match &written {
            // What the other publisher saw decides whether it may be revoked.
            Err(error) if error.code == Code::ApplyRaced && history.is_revoking() => break,
            Err(error) if error.code == Code::ApplyRaced => {
                report.detail("another publisher wrote the ledger in between: reading again");
                // The keys are published whatever becomes of the ledger.
                if let Err(error) = history.book.read_again(cluster).await {
                    written = Err(error);
                    break;
                }
                history.overtaken();
                if history.is_left_alone() {
                    written = Err(raced(&history.book));
                    break;
                }
            }
            _ => break,
        }
    }
    match written {
        Ok(()) => {
            history.is_written();
            Ok(None)
        }
        Err(error) if history.is_revoking() => Err(error),
        Err(error) => {
            history.keep_all();
            Ok(Some(unwritten(&history.book, &error)))
        }
    }
}

/// What the ledger notes of the tokens that were found.
pub(super) fn longest_found(tokens: &OutsideTokens) -> LongestFound {
    LongestFound {
        seconds: tokens.longest.as_ref().map_or(0, |(seconds, _)| *seconds),
        by: tokens.longest.as_ref().map(|(_, by)| by.clone()),
        is_complete: tokens.unseen.is_empty(),
    }
}

/// The keys of every key set that relying parties may be led to.
fn in_every(sets: &[PublishedSet]) -> BTreeSet<KeyId> {
    // Of the bucket alone nothing is known to be public.
    if !sets.iter().any(|set| set.copy) {
        return BTreeSet::new();
    }
    let ids = sets.iter().map(|set| set.keys.iter().map(KeyId::of).collect::<BTreeSet<_>>());
    ids.reduce(|one, other| one.intersection(&other).copied().collect()).unwrap_or_default()
}

/// Whether it is known how this document is served, or that it is not.
fn shows_what_is_served(fetched: &Fetched) -> bool {
    fetched.answer.as_ref().is_ok_and(|answer| answer.status == 200 || answer.shows_nothing())
}

fn raced(book: &Book) -> Error {
    Error::failed(Code::ApplyRaced, format!("{} is written by others all the time", book.name()))
}

fn unwritten(book: &Book, error: &Error) -> Warning {
    Warning {
        code: Code::LedgerUnwritten,
        message: format!(
            "{} could not be written ({}: {}): the keys are published, and none is removed; hint: apply deploy/base, which has the \
             ConfigMap and the right to {}",
            book.name(),
            error.code,
            error.message,
            book.right()
        ),
    }
}
