//! What teardown would do, before it does anything.

use serde_json::{Value, json};

use super::documents::Documents;
use crate::{
    cluster::snapshot::{Estate, Store},
    error::Code,
    federation::{After, Federation, Withdrawn},
    plan::{self, Act, Action, Step, Target},
    report::{Line, Report, Tone},
    secret_store::{Planned, StoreLogin, relies_on},
    warning::Warning,
};

pub(super) struct Plan<'p> {
    pub(super) withdrawals: Vec<Withdrawal<'p>>,
    pub(super) objects: Vec<Planned>,
    pub(super) orphans: Vec<Orphan>,
    /// The bucket by name, and what lies in it.
    pub(super) bucket: Option<Bucket>,
    pub(super) warnings: Vec<Warning>,
}

/// The way back at one provider.
pub(super) struct Withdrawal<'p> {
    pub(super) provider: &'p dyn Federation,
    pub(super) parts: Vec<Withdrawn<Box<dyn Act + 'p>>>,
    /// What a store that relies on it says.
    pub(super) login: Box<dyn StoreLogin>,
    pub(super) shared: Shared,
}

/// What becomes of what every store logs in by: pool and provider, auth method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    Goes,
    /// These stores go on logging in by it.
    UsedBy(Vec<String>),
    /// Only logins of single stores are taken away.
    NotAskedFor,
}

impl Shared {
    /// `users`: the stores that go on logging in by it.
    pub(super) fn of(users: Vec<String>) -> Self {
        if users.is_empty() { Self::Goes } else { Self::UsedBy(users) }
    }

    /// Why it stays.
    pub(super) fn why_it_stays(&self) -> Option<String> {
        match self {
            Self::Goes => None,
            Self::UsedBy(users) => Some(format!("{} logs in by it, and is not named", users.join(", "))),
            Self::NotAskedFor => Some("--unused removes the logins of single stores only".to_owned()),
        }
    }

    fn goes_for(&self, store: &Store) -> bool {
        match self {
            Self::Goes => true,
            Self::UsedBy(users) => !users.contains(&store.0.describe()),
            Self::NotAskedFor => false,
        }
    }
}

impl<'p> Withdrawal<'p> {
    pub(super) fn new(
        provider: &'p dyn Federation,
        parts: Vec<Withdrawn<Box<dyn Act + 'p>>>,
        login: Box<dyn StoreLogin>,
        shared: Shared,
    ) -> Self {
        let parts = match shared.why_it_stays() {
            Some(why) => parts.into_iter().map(|part| part.keep_shared(&why)).collect(),
            None => parts,
        };
        Self { provider, parts, login, shared }
    }

    fn pending(&self) -> usize {
        self.parts.iter().filter(|part| part.change.is_pending()).count()
    }
}

pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) documents: Documents,
    pub(super) is_ours: bool,
    /// Why all of it stays.
    pub(super) kept: Option<String>,
}

impl Bucket {
    fn steps(&self) -> Vec<Step> {
        if let Some(why) = &self.kept {
            let all = self.documents.ours.iter().map(|(name, _)| name).chain(&self.documents.others);
            let all = all.map(|name| Step::no_op(Target::Document, name, why));
            return all.chain([Step::no_op(Target::Bucket, "the bucket itself", why)]).collect();
        }
        let ours = self.documents.ours.iter().map(|(name, _)| {
            Step::new(Target::Document, Action::Delete, name, "its bytes are those that keyless writes")
        });
        let others = self.documents.others.iter().map(|name| {
            let why = "its bytes are not those that keyless writes, so it is not known whose it is; remove it by hand";
            Step::no_op(Target::Document, name, why)
        });
        let itself = match self.is_ours {
            true => {
                Step::new(Target::Bucket, Action::Delete, "the bucket itself", "if nothing else is in it")
            }
            false => Step::no_op(Target::Bucket, "the bucket itself", "keyless did not make it"),
        };
        ours.chain(others).chain([itself]).collect()
    }
}

/// A store that stays, and does not get anything afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Orphan {
    pub(super) store: String,
    /// What will not be refreshed any more.
    pub(super) users: Vec<String>,
}

impl Orphan {
    /// Every store that relies on what is withdrawn, and does not go with it.
    pub(super) fn all(estate: &Estate, withdrawals: &[Withdrawal<'_>], objects: &[Planned]) -> Vec<Self> {
        let withdrawn = || withdrawals.iter().filter(|withdrawal| withdrawal.pending() > 0);
        let goes = |store: &Store| {
            let name = store.0.describe();
            objects.iter().any(|object| object.changes_something() && object.object() == name)
        };
        let stores = estate.stores.iter().filter(|store| {
            let orphans =
                |it: &Withdrawal<'_>| relies_on(store, it.login.as_ref()) && it.shared.goes_for(store);
            !goes(store) && withdrawn().any(orphans)
        });
        stores.map(|store| Self { store: store.0.describe(), users: users(estate, store) }).collect()
    }

    fn warning(&self) -> Warning {
        Warning::new(
            Code::StoreOrphaned,
            format!(
                "{} stays, as keyless did not make it, but what it logs in by is withdrawn: {}. Before that: keyless setup --to another provider, or name one in it by hand",
                self.store,
                stop(&self.users)
            ),
        )
    }
}

/// What reads or writes through a store.
pub(super) fn users(estate: &Estate, store: &Store) -> Vec<String> {
    let mut users: Vec<_> = estate.users(store).map(|user| user.describe()).collect();
    users.sort();
    users
}

/// In words, which of them stop.
pub(super) fn stop(users: &[String]) -> String {
    match users {
        [] => "nothing reads through it now".into(),
        [one] => format!("{one} is not refreshed any more"),
        many => format!("{} are not refreshed any more", many.join(", ")),
    }
}

impl Plan<'_> {
    /// Every step, in the order in which they are done.
    pub(super) fn steps(&self) -> Vec<Step> {
        let at_providers =
            self.withdrawals.iter().flat_map(|it| &it.parts).map(|part| part.change.step.clone());
        let objects = self.objects.iter().map(|object| object.step.clone());
        let in_bucket = self.bucket.iter().flat_map(Bucket::steps);
        at_providers.chain(objects).chain(in_bucket).collect()
    }

    /// All of it, for a program.
    pub(super) fn whole(&self) -> plan::Plan {
        plan::Plan { steps: self.steps(), notes: self.warnings() }
    }

    pub(super) fn show(&self, report: &mut Report<'_>) {
        for withdrawal in &self.withdrawals {
            report.line(Line::whole(Tone::Title, withdrawal.provider));
            withdrawal.parts.iter().for_each(|part| report.lines(part.change.step.lines()));
            report.line("");
        }
        if !self.objects.is_empty() || !self.orphans.is_empty() {
            report.line(Line::whole(Tone::Title, "cluster"));
        }
        for object in &self.objects {
            let name = object.object();
            if self.orphans.iter().all(|orphan| orphan.store != name) {
                report.lines(object.step.lines());
            }
        }
        for orphan in &self.orphans {
            report.line(format_args!(
                "! keep    {}: keyless did not make it; it stays, and cannot log in any more: {}",
                orphan.store,
                stop(&orphan.users)
            ));
        }
        if let Some(bucket) = &self.bucket {
            report.line(Line::whole(Tone::Title, format_args!("\n{}", bucket.name)));
            bucket.steps().iter().for_each(|step| report.lines(step.lines()));
        }
        for warning in self.warnings() {
            report.warning(&warning);
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        self.orphans.iter().map(Orphan::warning).chain(self.warnings.iter().cloned()).collect()
    }

    pub(super) fn to_json(&self, issuer: &str, dry_run: bool) -> Value {
        json!({
            "issuer": issuer,
            "dryRun": dry_run,
            "plan": self.whole(),
            "orphans": self.orphans.iter().map(|orphan| json!({
                "store": orphan.store, "users": orphan.users,
            })).collect::<Vec<_>>(),
            "bucket": self.bucket.as_ref().map(|bucket| &bucket.name),
        })
    }
}

/// Stores and their users that could not be looked at, and so are not named.
pub(super) fn not_seen(estate: &Estate) -> Option<Warning> {
    let unseen: Vec<_> = estate.unseen.iter().map(|unseen| unseen.right.as_str()).collect();
    let message = format!(
        "whether more relies on what is withdrawn is not known: missing right: {}",
        unseen.join("; ")
    );
    (!unseen.is_empty()).then(|| Warning::new(Code::ClusterNotSeen, message))
}

/// Trust that outlives the documents: the next owner of the bucket's name could then speak for this cluster.
pub(super) fn dangling(withdrawals: &[Withdrawal<'_>], signed: &str, issuer: &str) -> Vec<Warning> {
    let left = withdrawals.iter().flat_map(|it| &it.parts);
    let left = left.filter(|part| !matches!(part.after, After::Gone | After::Used));
    let mut warnings: Vec<Warning> = left
        .map(|part| &part.change.step)
        .map(|step| Warning::new(Code::TrustLeft, format!("{} stays: {}", step.name, step.reason)))
        .collect();
    if signed == issuer && withdrawals.iter().all(|it| it.shared == Shared::Goes) {
        warnings.push(Warning::new(
            Code::StillSigning,
            format!("the API servers still sign as {issuer}: other relying parties, if there are any, will refuse their tokens once the documents are gone; let the old issuer sign again first: keyless render issuer --help"),
        ));
    }
    warnings
}
