//! Making a cloud or secret store believe the cluster's tokens. One folder per provider, one line in [`registry`].
//!
//! Each provider observes what is believed now, compares it with what is wanted (a pure function), and gives
//! back the differences as [`Change`]s: a dry run shows exactly what is done afterwards.

mod ahead;
mod audience;
pub(crate) mod aws;
pub(crate) mod cloud;
pub(crate) mod credential;
mod documents;
pub(crate) mod entra;
#[cfg(test)]
mod example;
pub(crate) mod gcp;
mod holding;
mod issuer;
mod judged;
mod key_role;
pub(crate) mod lacks;
mod logins;
mod own_issuer;
mod property;
mod provider;
mod refusal;
mod registry;
mod resource;
mod rights;
mod rules;
mod subject;
pub(crate) mod vault;
mod workload;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use async_trait::async_trait;

pub(crate) use self::{
    audience::test_audience,
    documents::{Documents, PublisherLogin, Publishes},
    holding::Holding,
    issuer::TrustedIssuer,
    key_role::KeyRole,
    lacks::Lack,
    logins::{Login, Logins},
    own_issuer::{OwnIssuer, Setting as IssuerSetting},
    provider::{Configured, CredentialFile, Known, Provider, Purpose, Section, Source},
    registry::{ProviderName, Sections, account_annotations, is_stored_key, public_fields},
    rights::{Find, FindBy, RIGHT_KINDS, Reading, Right, RightKind, Trial},
    rules::{IssuerForm, IssuerRules, KeyRules, Rules},
    subject::Subject,
    workload::{Naming, Workload},
};
#[cfg(test)]
pub(crate) use self::{
    rights::{reading, reads},
    workload::tests::{further, workload},
};
use crate::{
    cluster::{ServiceAccount, snapshot::Store},
    error::{Code, Error, Result},
    oidc::{KeySet, PublicKey, Token},
    plan::{self, Act, Say},
    relying_party::Finding,
    secret_store::StoreLogin,
    warning::Warning,
};

/// A provider that can be told to believe a cluster's tokens.
#[async_trait]
pub(crate) trait Federation: Display + Send + Sync {
    /// What it takes as an issuer and as keys. What it does not take is refused before anything is planned.
    fn rules(&self) -> &'static Rules;

    /// Whether the other side can do what the settings ask of it. An error means that what was planned would be done
    /// elsewhere, or is not known to be done there; every plan asks this first.
    async fn suits(&self) -> Result<()> {
        Ok(())
    }

    /// Asks everything at the same time that [`Self::plan_each`] will ask, if it can be foreseen that it does: the next plan
    /// takes the answers, errors among them. `want` is what can be foreseen of what will be wanted.
    async fn look_ahead(&self, want: &Trust) {
        let _ = want;
    }

    /// What must change, in the order in which it must be done. What is right already is in it as
    /// [`Action::NoOp`](crate::plan::Action), and so is what another owner has made, with the reason. A workload that cannot
    /// be given its login is left out of it: see [`Plan::refused`]. An error is about what all of them share.
    async fn plan_each<'p>(&'p self, want: &Trust) -> Result<Plan<'p>>;

    /// The same where no workload may be left out.
    #[cfg(test)]
    async fn plan<'p>(&'p self, want: &Trust) -> Result<Plan<'p>> {
        let mut plan = self.plan_each(want).await?;
        match plan.refused.is_empty() {
            true => Ok(plan),
            false => Err(plan.refused.remove(0).1),
        }
    }

    /// Of these rights, those that the workload was given before: by what is ours there, as far as it can be seen.
    async fn held(&self, workload: &Workload, cluster_id: &str, of: &BTreeSet<Right>) -> BTreeSet<Right> {
        let _ = (workload, cluster_id, of);
        BTreeSet::new()
    }

    /// The way back: bindings first, then what they name. Only what is marked as ours.
    async fn withdraw<'p>(&'p self, want: &Trust) -> Result<Vec<Withdrawn<Box<dyn Act + 'p>>>>;

    /// The logins that workloads have there by what is ours, whether or not anything uses them. Of `want`, issuer and cluster
    /// count. `named`: the rights that tell where to look.
    async fn logins(&self, want: &Trust, named: &BTreeSet<Right>) -> Result<Logins>;

    /// What a token for this provider must carry as its only audience.
    async fn audience(&self) -> Result<String>;

    /// What a secret store must say to reach this provider.
    async fn store_login(&self) -> Result<Box<dyn StoreLogin>>;

    /// The same connection as this workload logs in through it, where it has a login of its own there, e.g. a role.
    /// `None`: all workloads log in alike.
    fn login_of(&self, _workload: &Workload) -> Option<Box<dyn Federation>> {
        None
    }

    /// How it comes to the cluster's keys now.
    async fn keys(&self) -> Result<Keys> {
        Ok(Keys::Fetched)
    }

    /// The one step that brings the keys of a provider up to date which is there already and has been given keys; nothing
    /// else of it is changed. Of `want`, issuer, cluster and keys count, and the kids that sign.
    ///
    /// Errors: `provider-not-set-up` where `setup` has to do more; another cluster's is refused.
    async fn plan_keys<'p>(&'p self, want: &Trust) -> Result<Change<'p>> {
        let _ = want;
        Err(not_set_up(&self.to_string(), "it is not given keys"))
    }

    /// The right as this provider names it; `None`: it takes no right of its own here. Refused is what the provider
    /// cannot name, before it gets into anything that is built from names.
    fn named(&self, right: &Right) -> Result<Option<Right>>;

    /// What the operator puts before every key that is named through this store, once the store is at this provider. What
    /// it says at another one does not stay.
    fn key_prefix<'s>(&self, _store: &'s Store) -> &'s str {
        ""
    }

    /// What the publisher's pods log in by once this workload has its rights. Without values, it takes no publisher.
    async fn publisher_login(&self, _workload: &Workload) -> Result<PublisherLogin> {
        Ok(PublisherLogin::default())
    }

    /// The secrets that a search finds now, asked with the administrator's credential.
    async fn find(&self, find: &Find) -> Result<BTreeSet<String>>;

    /// Opens the connections that [`Self::probe`] needs and that nothing before it needs. Whether that worked, the probe
    /// tells.
    async fn approach(&self) {}

    /// Tries one thing with a real token, one finding a step: exchange, impersonation, what is tried. What could not be
    /// established is skipped, never passed. `say` gets the reasons of waiting.
    async fn probe(&self, token: &Token, trial: &Trial, say: Say<'_>) -> Vec<Finding>;
}

/// The refusal of those who create nothing: `why` it cannot be given keys as it is.
pub(crate) fn not_set_up(object: &str, why: &str) -> Error {
    Error::failed(Code::ProviderNotSetUp, format!("the {object} cannot be given the cluster's keys: {why}"))
        .hint("run `keyless setup`: it shows what it would change, and asks; nothing was changed here")
}

/// One planned difference at a provider.
pub(crate) type Change<'p> = plan::Change<Box<dyn Act + 'p>>;

/// What must change at a provider.
#[derive(Debug, Default)]
pub(crate) struct Plan<'p> {
    pub(crate) changes: Vec<Change<'p>>,
    /// Rights that cannot be given; everything else can.
    pub(crate) impossible: Vec<Impossible>,
    /// Whose the changes are that concern one workload alone, by the names of their steps. They come after those that
    /// concern all.
    pub(crate) own: BTreeMap<String, ServiceAccount>,
    /// Workloads that cannot be given their login, and why. Nothing of what is planned is for them.
    pub(crate) refused: Vec<(ServiceAccount, Error)>,
    /// What is not known, or stays although nothing wanted it to.
    pub(crate) notes: Vec<Warning>,
    /// What the login is known to lack for these changes.
    pub(crate) lacking: Vec<Lack>,
}

/// One part of the way back.
pub(crate) struct Withdrawn<A> {
    pub(crate) change: plan::Change<A>,
    pub(crate) after: After,
    /// Every workload of the cluster logs in by it.
    is_shared: bool,
}

/// What is there once trust is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing, or something that is on its way out.
    Gone,
    /// It is marked for another cluster, and stays.
    OfAnotherCluster,
    /// It stays, for the reason that its step gives.
    Stays,
    /// Other stores log in by it, so it stays with everything that it relies on.
    Used,
}

#[cfg(test)]
pub(crate) fn changes<A>(withdrawn: Vec<Withdrawn<A>>) -> Vec<plan::Change<A>> {
    withdrawn.into_iter().map(|one| one.change).collect()
}

impl<A> Withdrawn<A> {
    /// This goes now.
    fn goes(step: plan::Step, act: A) -> Self {
        Self { change: plan::Change::new(step, act), after: After::Gone, is_shared: false }
    }

    /// Nothing is done about this.
    fn left(after: After, name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            change: plan::Change::no_op(plan::Target::ProviderResource, name, reason),
            after,
            is_shared: false,
        }
    }

    /// What [`plan::decide`] says of one that shall not be there. `gone`: why nothing has to be done; `stays`: why nothing
    /// is done.
    fn decided(
        decision: std::result::Result<plan::Action, plan::Obstacle>,
        step: plan::Step,
        act: A,
        gone: &str,
        stays: impl FnOnce(plan::Obstacle) -> String,
    ) -> Self {
        match decision {
            Ok(plan::Action::NoOp) => Self::left(After::Gone, step.name, gone),
            Ok(_) => Self::goes(step, act),
            Err(plan::Obstacle::OtherCluster) => {
                Self::left(After::OfAnotherCluster, step.name, stays(plan::Obstacle::OtherCluster))
            }
            Err(obstacle) => Self::left(After::Stays, step.name, stays(obstacle)),
        }
    }

    /// Marks what every workload of the cluster logs in by.
    fn shared(self) -> Self {
        Self { is_shared: true, ..self }
    }

    /// What every workload logs in by stays, for this reason.
    pub(crate) fn keep_shared(self, why: &str) -> Self {
        match self.is_shared && self.change.is_pending() {
            true => Self::left(After::Used, self.change.step.name, why),
            false => self,
        }
    }

    fn map<B>(self, act: impl FnOnce(A) -> B) -> Withdrawn<B> {
        Withdrawn { change: self.change.map(act), after: self.after, is_shared: self.is_shared }
    }
}

/// A right that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Impossible {
    pub(crate) right: Right,
    pub(crate) why: String,
    /// An imperative.
    pub(crate) remedy: String,
}

/// How a provider comes to the cluster's keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Keys {
    /// It is not there, or has not been told anything yet.
    Absent,
    /// It reads the public documents.
    Fetched,
    /// It has been given these, and reads nothing.
    Given(KeySet),
}

impl Keys {
    pub(crate) fn given(&self) -> Option<&KeySet> {
        match self {
            Self::Given(keys) => Some(keys),
            Self::Absent | Self::Fetched => None,
        }
    }
}

/// What a provider is told to believe.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    pub(crate) issuer: TrustedIssuer,
    /// What tells the cluster from every other: the UID of its namespace `kube-system`.
    pub(crate) cluster_id: String,
    /// Every key that a token of the cluster may be signed with, now or soon: what the API servers serve, and what is
    /// staged. Providers that fetch nothing are given these.
    pub(crate) keys: KeySet,
    /// What proves that something with a mark which names no cluster is this cluster's: keys that were not read from a
    /// provider. `None`: `keys`.
    pub(crate) proof: Option<KeySet>,
    /// The `kid`s that sign now, one or more API servers each.
    pub(crate) signing: Vec<String>,
    /// The `kid`s that no API server serves yet: they come from files, and sign after the next rotation.
    pub(crate) staged: Vec<String>,
    /// The `kid`s that no API server serves any more, and whose tokens may still be valid.
    pub(crate) former: Vec<String>,
    /// Whose tokens, each ServiceAccount once.
    pub(crate) workloads: Vec<Workload>,
}

impl Trust {
    /// The keys by which something is known to be this cluster's.
    pub(crate) fn proof(&self) -> &KeySet {
        self.proof.as_ref().unwrap_or(&self.keys)
    }

    pub(crate) fn role(&self, key: &PublicKey) -> KeyRole {
        let among = |kids: &[String]| kids.iter().any(|kid| kid == key.kid());
        match () {
            () if among(&self.signing) => KeyRole::Signing,
            () if among(&self.staged) => KeyRole::Staged,
            () if among(&self.former) => KeyRole::Former,
            () => KeyRole::Served,
        }
    }

    /// The same trust, for these workloads.
    pub(crate) fn of(self, workloads: impl IntoIterator<Item = Workload>) -> Self {
        Self { workloads: Workload::merged(workloads), ..self }
    }

    /// `sub` of each workload's tokens.
    pub(crate) fn subjects(&self) -> Result<Vec<Subject>> {
        self.workloads.iter().map(Workload::subject).collect()
    }

    /// What the publisher writes, if it is one of them.
    pub(crate) fn documents(&self) -> Option<&Documents> {
        self.workloads.iter().find_map(Workload::documents)
    }

    /// What any of them may do.
    pub(crate) fn rights(&self) -> BTreeSet<&Right> {
        self.workloads.iter().flat_map(|workload| &workload.rights).collect()
    }

    /// What any of them may do, or must not be able to do any more.
    pub(crate) fn named(&self) -> BTreeSet<&Right> {
        let revoked = self.workloads.iter().flat_map(|workload| &workload.revoked);
        self.rights().into_iter().chain(revoked).collect()
    }

    /// With other secrets that the only workload reads.
    #[cfg(test)]
    pub(crate) fn reading(mut self, secrets: &[&str]) -> Self {
        self.workloads[0].rights = reads(secrets);
        self
    }
}
