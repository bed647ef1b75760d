//! Keys that a provider is given, where there are no documents: the same decision, another place.
//!
//! ```text
//!  API servers, ledger ─┐
//!  files ───────────────┼─► rotation::decide ─► Federation::plan_keys ─► apply ─► read back ─► ledger
//!  provider: its keys ──┘   once per provider: what one refuses stops none of the others
//! ```
//!
//! A key that one provider has, and neither the cluster nor a file, never gets to another. ([`super::each`])
//! Nothing is created at a provider, and nothing but its keys is changed.

mod apply;
mod kept;
mod lockouts;
mod place;
mod show;

use std::collections::BTreeSet;

pub(crate) use self::kept::{Kept, Known};
use self::place::{Place, all_failed, all_unread};
use super::{
    History,
    each::{Decisions, in_every, lacking},
    found::{Found, Readers},
    guard::Guarded,
    ledger::{Book, Opened},
    live,
};
use crate::{
    cluster::{Cluster, Observed, OutsideTokens},
    config::Settings,
    error::{Code, Error, Result},
    federation::{Federation, Purpose, Trust, TrustedIssuer},
    http::Http,
    oidc::{KeySet, PublicKey, SignedIssuer},
    plan::{Act, Plan},
    rotation::PublishedSet,
    waiting::Waiting,
    warning::Warning,
};

/// The providers that are given the keys.
pub(crate) struct Given<'a> {
    settings: &'a Settings,
    providers: Vec<Box<dyn Federation>>,
    /// Whether each look asks the cluster for the longest token: it takes the right to list pods.
    looks_up_tokens: bool,
}

/// One look.
pub(crate) struct Seen<'p> {
    observed: Observed,
    live: KeySet,
    files: Option<KeySet>,
    issuer: SignedIssuer,
    places: Vec<Place<'p>>,
    /// What the ledger says of the keys; `None`: none is kept.
    pub(crate) history: Option<History>,
    /// Why the ledger could not be read.
    pub(crate) unreadable: Option<Warning>,
    /// `None`: it was not looked up.
    pub(crate) tokens: Option<OutsideTokens>,
}

/// What is shown, and what it takes to apply it.
pub(crate) struct GivenPlan<'p> {
    pub(crate) plan: Plan,
    /// What keeps the run from being a success, although what is known is given.
    pub(crate) doubts: Vec<Warning>,
    seen: Seen<'p>,
    /// API servers whose keys or signature could not be established.
    sick: usize,
}

impl<'a> Given<'a> {
    /// Whether these settings name no documents, and a provider that is given the keys.
    pub(crate) fn is_meant(settings: &Settings) -> bool {
        settings.bucket.is_none() && settings.providers.give_keys()
    }

    /// Those whose settings say that they are given the keys. Nothing is sent yet.
    ///
    /// Errors: settings that leave something to the cluster or to a person.
    pub(crate) fn connect(settings: &'a Settings, http: &Http) -> Result<Self> {
        let mut providers = Vec::new();
        for section in settings.providers.iter().filter(|section| section.gives_keys()) {
            let configured = section.complete_alone(false)?.ok_or_else(|| {
                Error::usage(
                    Code::SettingMissing,
                    format!("the settings do not say where {} is given the keys", section.provider()),
                )
                .hint("run `keyless setup`, which writes what it resolved into keyless.yaml, or add it there: docs/settings.md")
            })?;
            providers.push(configured.connect(http, Purpose::Apply)?);
        }
        Ok(Self { settings, providers, looks_up_tokens: false })
    }

    /// Each look asks the cluster for the longest token as well.
    pub(crate) fn looking_up_tokens(self, yes: bool) -> Self {
        Self { looks_up_tokens: yes, ..self }
    }

    /// Asks the cluster, the ledger and the providers. Nothing is written.
    ///
    /// Errors: as well where no provider could be read.
    pub(crate) async fn observe(
        &self,
        cluster: &Cluster,
        now: fn() -> u64,
        waiting: &Waiting,
    ) -> Result<Seen<'_>> {
        let files = live::from_files(self.settings)?;
        // Before the look ends: what another publisher writes after that is noticed.
        let opened = Opened::read(Some(cluster), &self.settings.ledger).await;
        let looks = cluster.look(&self.settings.audience, self.settings.kid_rule, waiting);
        let places =
            futures::future::join_all(self.providers.iter().map(|provider| Place::read(provider.as_ref())));
        let tokens = async {
            match self.looks_up_tokens {
                true => Some(cluster.outside_tokens().await),
                false => None,
            }
        };
        let (observed, places, tokens) = futures::join!(looks, places, tokens);
        let observed = observed?;
        live::refuse_unpublishable_signer(&observed)?;
        let live = observed.live()?;
        let issuer = self.issuer(&observed)?;
        let mut seen =
            Seen { observed, live, files, issuer, places, history: None, unreadable: None, tokens };
        seen.name_keys();
        match opened {
            Opened::NotAsked | Opened::NotKept => seen.decide(),
            Opened::Unreadable(note) => {
                seen.unreadable = Some(note);
                seen.decide();
            }
            Opened::Kept(book) => seen.judge(&book, now(), self.settings),
        }
        match all_unread(&seen.places) {
            Some(error) => Err(error),
            None => Ok(seen),
        }
    }

    /// What is to be done. Nothing is written.
    pub(crate) async fn plan<'p>(&'p self, mut seen: Seen<'p>, cluster: &Cluster) -> Result<GivenPlan<'p>> {
        seen.decide();
        self.changes(&mut seen, cluster).await?;
        if let Some(error) = all_failed(&seen.places) {
            return Err(error);
        }
        let mut plan = Plan::default();
        let history = seen.history.as_ref();
        history.iter().filter_map(|history| history.step()).for_each(|step| plan.then(step));
        seen.places.iter().filter_map(Place::pending).for_each(|change| plan.then(change.step.clone()));
        let issuer = &seen.issuer;
        plan.notes = seen
            .observed
            .servers
            .iter()
            .filter(|server| server.token.claims().issuer != *issuer)
            .map(|server| {
                let signs = &server.token.claims().issuer;
                let message =
                    format!("{} signs as `{signs}`: the provider believes {issuer} only", server.address);
                Warning::new(Code::IssuerNotSigned, message)
            })
            .collect();
        plan.notes.extend(history.iter().flat_map(|history| history.notes()));
        let decisions = seen.decisions();
        let mut doubts = live::doubts(&seen.observed, &decisions.in_every()?);
        let sick = doubts.len();
        match decisions.has_not_served() {
            false => plan.notes.extend(seen.unreadable.clone()),
            true => doubts.extend(seen.unreadable.clone()),
        }
        doubts.extend(seen.failures());
        Ok(GivenPlan { plan, doubts, seen, sick })
    }

    /// What the settings name, else what the cluster signs as.
    fn issuer(&self, observed: &Observed) -> Result<SignedIssuer> {
        let signed = || observed.servers.first().map(|server| server.token.claims().issuer.clone());
        self.settings.issuer.clone().or_else(signed).ok_or_else(|| {
            Error::failed(
                Code::IssuerMissing,
                "no API server shows what the cluster signs as, and no issuer is named",
            )
            .hint("name it: issuer in keyless.yaml")
        })
    }

    /// The change of each provider for which it was decided.
    async fn changes<'p>(&'p self, seen: &mut Seen<'p>, cluster: &Cluster) -> Result<()> {
        let kids = seen.observed.servers.iter().filter_map(|server| server.token.claims().kid.clone());
        let signing: BTreeSet<_> = kids.collect();
        let cluster_id = cluster.uid()?;
        let (issuer, live) = (&seen.issuer, &seen.live);
        let planned = seen.places.iter().map(|place| {
            let decided = place.decided().map(|(set, decision)| {
                let want = Trust {
                    issuer: TrustedIssuer::Signed(issuer.clone()),
                    cluster_id: cluster_id.to_owned(),
                    keys: decision.keys.clone(),
                    // What the provider has itself proves nothing.
                    proof: Some(live.clone()),
                    signing: signing.iter().cloned().collect(),
                    staged: Vec::new(),
                    former: Vec::new(),
                    // Keys are given whichever workload logs in with their tokens.
                    workloads: Vec::new(),
                };
                (want, set.keys.clone())
            });
            let provider = place.provider;
            async move {
                let Some((want, seen)) = decided else { return Ok(None) };
                let change = provider.plan_keys(&want).await?;
                let change = change.map(|_| Box::new(Guarded { provider, want, seen }) as Box<dyn Act>);
                Ok(Some(change))
            }
        });
        let planned: Vec<Result<_>> = futures::future::join_all(planned).await;
        for (place, planned) in seen.places.iter_mut().zip(planned) {
            match planned {
                Ok(change) => place.change = change,
                Err(error) => place.failed = Some(error),
            }
        }
        Ok(())
    }
}

impl Seen<'_> {
    /// A provider that keeps no `kid`s has the cluster's keys under the names that the cluster gives them: with an external
    /// signer, nothing else shows them.
    fn name_keys(&mut self) {
        let known: Vec<PublicKey> =
            self.live.iter().chain(self.files.iter().flat_map(KeySet::iter)).cloned().collect();
        for place in self.places.iter_mut().filter(|place| !place.provider.rules().keys.by_kid) {
            for key in place.set.iter_mut().flat_map(|set| &mut set.keys) {
                if let Some(named) = known.iter().find(|one| one.same_key(key)) {
                    *key = named.clone();
                }
            }
        }
    }

    /// Judges by this ledger, without providers whose keys are another cluster's: those say nothing of this one's.
    fn judge(&mut self, book: &Book, now: u64, settings: &Settings) {
        loop {
            self.history = Some(self.judged(book.clone(), now, settings));
            self.decide();
            let foreign = |place: &&mut Place<'_>| {
                place.set.is_some()
                    && place.failed.as_ref().is_some_and(|error| error.code == Code::IssuerOfAnotherCluster)
            };
            let mut is_same = true;
            for place in self.places.iter_mut().filter(foreign) {
                (place.set, is_same) = (None, false);
            }
            if is_same {
                return;
            }
        }
    }

    fn judged(&self, book: Book, now: u64, settings: &Settings) -> History {
        let sets: Vec<&PublishedSet> = self.places.iter().filter_map(|place| place.set.as_ref()).collect();
        let readers = Readers::Given {
            public: Some(in_every(sets.iter().map(|set| &set.keys))),
            unread: sets.len() < self.places.len(),
            lacking: lacking(&sets),
        };
        let found = Found {
            observed: &self.observed,
            files: self.files.as_ref(),
            stored: sets.iter().flat_map(|set| &set.keys).collect(),
            readers,
            tokens: self.tokens.as_ref(),
            vouched: false,
        };
        History::of(found, book, self.issuer.as_str(), settings, now)
    }

    /// Decides for each provider that could be read, by what is judged now.
    fn decide(&mut self) {
        for place in &mut self.places {
            place.decide(&self.live, self.files.as_ref(), self.history.as_ref());
        }
    }

    fn decisions(&self) -> Decisions<'_> {
        Decisions(
            self.places.iter().filter_map(|place| place.decided()).map(|(_, decision)| decision).collect(),
        )
    }

    /// Of each provider that refuses, or could not be asked: why.
    pub(crate) fn failures(&self) -> Vec<Warning> {
        self.places.iter().filter_map(Place::failure).collect()
    }

    /// The first of them, as an error.
    pub(crate) fn failed(&self) -> Option<Error> {
        self.places.iter().find_map(|place| place.failed.clone())
    }
}
