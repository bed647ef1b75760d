//! Keys that a provider is given, where there are no documents: the same decision, another place.
//!
//! ```text
//!  API servers, ledger ─┐
//!  files ───────────────┼─► rotation::decide ─► Federation::plan_keys ─► apply ─► read back ─► ledger
//!  provider: its keys ──┘   once per provider
//! ```
//!
//! A key that one provider has, and neither the cluster nor a file, never gets to another. ([`super::each`])
//! Nothing is created at a provider, and nothing but its keys is changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    History,
    each::{Decisions, ids, in_every},
    facts::each_verifies,
    guard::Guarded,
    history::{self, Keys as KnownKeys},
    keep::write_ledger,
    ledger::Opened,
    live,
    show::{failed, server},
};
use crate::{
    cluster::{Cluster, Observed},
    config::Settings,
    error::{Code, Error, Result},
    federation::{Change, Federation, Keys, Purpose, Trust, TrustedIssuer, not_set_up},
    http::Http,
    oidc::{KeySet, MAX_AGE, PublicKey, SignedIssuer},
    plan::{self, Act, Plan},
    report::Report,
    rfc3339::rfc3339,
    rotation::{KeyStatus, Policy, PublishedSet, State},
    waiting::Waiting,
    warning::Warning,
    watch::{Facts, state_name},
};

/// The providers that are given the keys.
pub(crate) struct Given<'a> {
    settings: &'a Settings,
    providers: Vec<Box<dyn Federation>>,
}

/// What is shown, and what it takes to apply it.
pub(crate) struct GivenPlan<'p> {
    pub(crate) plan: Plan,
    /// What keeps the run from being a success, although what is known is given.
    pub(crate) doubts: Vec<Warning>,
    observed: Observed,
    files: Option<KeySet>,
    issuer: SignedIssuer,
    sets: Vec<PublishedSet>,
    history: Option<History>,
    decisions: Decisions,
    /// API servers whose keys or signature could not be established.
    sick: usize,
    changes: Vec<Change<'p>>,
    has_written: bool,
}

impl<'a> Given<'a> {
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
        Ok(Self { settings, providers })
    }

    /// Asks the cluster, the ledger and the providers, and decides. Nothing is written.
    pub(crate) async fn plan(
        &self,
        cluster: &Cluster,
        now: fn() -> u64,
        waiting: &Waiting,
    ) -> Result<GivenPlan<'_>> {
        let files = live::from_files(self.settings)?;
        // Before the look ends: what another publisher writes after that is noticed.
        let opened = Opened::read(Some(cluster), &self.settings.ledger).await;
        let looks = cluster.look(&self.settings.audience, self.settings.kid_rule, waiting);
        let given = futures::future::join_all(self.providers.iter().map(|provider| provider.keys()));
        let (observed, given) = futures::join!(looks, given);
        let observed = observed?;
        live::refuse_unpublishable_signer(&observed)?;
        let mut sets = Vec::new();
        for (provider, keys) in self.providers.iter().zip(given) {
            let name = provider.to_string();
            match keys? {
                Keys::Given(keys) => {
                    sets.push(PublishedSet { name, keys: keys.iter().cloned().collect(), copy: false });
                }
                Keys::Fetched => return Err(not_set_up(&name, "it fetches public documents")),
                Keys::Absent => {
                    return Err(not_set_up(&name, "it is not there, or has no keys that can be read"));
                }
            }
        }
        let issuer = self.issuer(&observed)?;
        let (history, unreadable) = match opened {
            Opened::NotAsked | Opened::NotKept => (None, None),
            Opened::Unreadable(note) => (None, Some(note)),
            Opened::Kept(book) => {
                let mut keys = KnownKeys { is_given: true, ..KnownKeys::default() };
                keys.of(observed.key_sets().flat_map(|(_, keys)| keys.iter()));
                keys.staged = keys.of(files.iter().flat_map(KeySet::iter));
                keys.stored = keys.of(sets.iter().flat_map(|set| &set.keys));
                keys.public = Some(in_every(sets.iter().map(|set| &set.keys)));
                let others: Vec<PublicKey> = sets
                    .iter()
                    .flat_map(|set| &set.keys)
                    .chain(files.iter().flat_map(KeySet::iter))
                    .cloned()
                    .collect();
                let look = history::look(&observed, &others, now());
                let policy = Policy::new(&[], MAX_AGE, self.settings.longest_token);
                (Some(History::new(book, issuer.as_str(), look, keys, policy)), None)
            }
        };
        let decisions = Decisions::new(&observed, files.as_ref(), &sets, history.as_ref())?;
        let mut plan = Plan::default();
        history.iter().filter_map(History::step).for_each(|step| plan.then(step));
        let changes = self.changes(&observed, &issuer, cluster, &sets, &decisions).await?;
        changes.iter().filter(|change| change.is_pending()).for_each(|change| plan.then(change.step.clone()));
        plan.notes = observed
            .servers
            .iter()
            .filter(|server| server.token.claims().issuer != issuer)
            .map(|server| {
                let signs = &server.token.claims().issuer;
                let message =
                    format!("{} signs as `{signs}`: the provider believes {issuer} only", server.address);
                Warning::new(Code::IssuerNotSigned, message)
            })
            .collect();
        plan.notes.extend(history.iter().flat_map(History::notes));
        let mut doubts = live::doubts(&observed, &decisions.in_every()?);
        let sick = doubts.len();
        match decisions.has_not_served() {
            false => plan.notes.extend(unreadable),
            true => doubts.extend(unreadable),
        }
        let has_written = false;
        Ok(GivenPlan {
            plan,
            doubts,
            observed,
            files,
            issuer,
            sets,
            history,
            decisions,
            sick,
            changes,
            has_written,
        })
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

    async fn changes(
        &self,
        observed: &Observed,
        issuer: &SignedIssuer,
        cluster: &Cluster,
        sets: &[PublishedSet],
        decisions: &Decisions,
    ) -> Result<Vec<Change<'_>>> {
        let signing: BTreeSet<_> =
            observed.servers.iter().filter_map(|server| server.token.claims().kid.clone()).collect();
        let cluster_id = cluster.uid()?;
        let live = observed.live()?;
        let planned =
            self.providers.iter().zip(sets).zip(decisions.iter()).map(|((provider, set), decision)| {
                let want = Trust {
                    issuer: TrustedIssuer::Signed(issuer.clone()),
                    cluster_id: cluster_id.to_owned(),
                    keys: decision.keys.clone(),
                    // What the provider has itself proves nothing.
                    proof: Some(live.clone()),
                    signing: signing.iter().cloned().collect(),
                    staged: Vec::new(),
                    // Keys are given whichever workload logs in with their tokens.
                    workloads: Vec::new(),
                };
                async move {
                    let (provider, seen) = (provider.as_ref(), set.keys.clone());
                    let change = provider.plan_keys(&want).await?;
                    Ok(change.map(|_| Box::new(Guarded { provider, want, seen }) as Box<dyn Act>))
                }
            });
        futures::future::join_all(planned).await.into_iter().collect()
    }

    /// Does what was planned: the ledger, the keys, what the provider then has, the ledger.
    pub(crate) async fn apply<'p>(
        &'p self,
        plan: &mut GivenPlan<'p>,
        cluster: &Cluster,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<()> {
        if let Some(history) = plan.history.as_mut().filter(|history| history.is_pending()) {
            plan.doubts.extend(write_ledger(history, cluster, report).await?);
            let decisions =
                Decisions::new(&plan.observed, plan.files.as_ref(), &plan.sets, plan.history.as_ref())?;
            if !decisions.are_same(&plan.decisions) {
                plan.changes =
                    self.changes(&plan.observed, &plan.issuer, cluster, &plan.sets, &decisions).await?;
            }
            plan.decisions = decisions;
        }
        plan::apply(&plan.changes, report).await?;
        plan.has_written = plan.changes.iter().any(Change::is_pending);
        if plan.has_written {
            for (provider, decision) in self.providers.iter().zip(plan.decisions.iter()) {
                let has = provider.keys().await?;
                if has.given().is_none_or(|given| ids(given.iter()) != ids(decision.keys.iter())) {
                    return Err(Error::failed(
                        Code::ReadBackDiffers,
                        format!("{provider} has other keys than it was given"),
                    )
                    .hint("another publisher may have written them at the same time: run it again"));
                }
            }
        }
        let public = plan.decisions.in_every()?;
        if let Some(history) = &mut plan.history
            && !history.is_pending()
            && history.is_public(&public, now())
        {
            plan.doubts.extend(write_ledger(history, cluster, report).await?);
        }
        Ok(())
    }
}

impl GivenPlan<'_> {
    /// Whether a provider's keys would be changed: the ledger by itself does not count.
    pub(crate) fn is_pending(&self) -> bool {
        self.changes.iter().any(Change::is_pending)
    }

    /// Whether this run has changed them.
    pub(crate) fn has_written(&self) -> bool {
        self.has_written
    }

    /// Whether a key is there that a person has to look at, or for which there was no room.
    pub(crate) fn alarms(&self) -> bool {
        self.history.as_ref().is_some_and(History::alarms) || !self.decisions.left_out().is_empty()
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = &Warning> {
        self.plan.notes.iter().chain(&self.doubts)
    }

    /// The last line.
    pub(crate) fn last_line(&self) -> String {
        let count = self.decisions.keys().len();
        let keys = format!("{count} {}", if count == 1 { "key" } else { "keys" });
        let what = match (self.has_written, self.is_pending()) {
            (true, _) => "given",
            (false, true) => "pending",
            (false, false) => "unchanged",
        };
        format!("{what}: {keys} of {} at {}", self.issuer, self.places().join(", "))
    }

    fn places(&self) -> Vec<&str> {
        self.sets.iter().map(|set| set.name.as_str()).collect()
    }

    pub(crate) fn facts(&self) -> Facts {
        let mut keys = BTreeMap::new();
        match &self.history {
            Some(history) => {
                let states = history.judged.states.values();
                states.for_each(|state| *keys.entry(state_name(*state)).or_default() += 1);
            }
            None => {
                for key in self.decisions.keys() {
                    let name = match self.decisions.status(key) {
                        KeyStatus::Added | KeyStatus::Kept => state_name(State::Live),
                        KeyStatus::Staged => state_name(State::Staged),
                        _ => state_name(State::Unknown),
                    };
                    *keys.entry(name).or_default() += 1;
                }
            }
        }
        // What each provider has now.
        let given: Vec<_> = match self.has_written {
            true => self.decisions.iter().map(|decision| Some(decision.keys.clone())).collect(),
            false => self.sets.iter().map(|set| KeySet::new(set.keys.iter().cloned()).ok()).collect(),
        };
        let is_given = each_verifies(&self.observed.servers, &given);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Facts {
            keys,
            servers: count(self.observed.listed()),
            sick: count(self.sick),
            signer_wait: if is_given { 0 } else { MAX_AGE },
        }
    }

    /// `applied`: whether it was more than a dry run.
    pub(crate) fn to_json(&self, applied: bool) -> Value {
        let key = |key: &PublicKey| {
            let entry = self.history.as_ref().and_then(|history| history.entry(key));
            json!({
                "kid": key.kid(),
                "algorithm": key.algorithm().name(),
                "kind": key.describe(),
                "status": self.decisions.status(key).name(),
                "servedBy": self.observed.serving(key),
                "firstNoticed": entry.map(|entry| rfc3339(entry.noticed)),
                "publicSince": entry.and_then(|entry| entry.public_since).map(rfc3339),
            })
        };
        json!({
            "issuer": self.issuer.as_str(),
            "providers": self.places(),
            "changed": self.is_pending(),
            "dryRun": !applied,
            "plan": self.plan,
            "servers": self.observed.servers.iter().map(server).collect::<Vec<_>>(),
            "failedServers": self.observed.failed.iter().map(failed).collect::<Vec<_>>(),
            "keys": self.decisions.keys().into_iter().map(key).collect::<Vec<_>>(),
            "ledger": self.history.is_some(),
            "removed": self.decisions.leaving().into_iter().map(PublicKey::kid).collect::<Vec<_>>(),
            "leftOut": self.decisions.left_out().into_iter().map(PublicKey::kid).collect::<Vec<_>>(),
            "complete": self.doubts.is_empty(),
            "warnings": self.notes().collect::<Vec<_>>(),
        })
    }
}
