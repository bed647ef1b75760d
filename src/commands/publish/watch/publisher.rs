//! What is published where: documents in a bucket, or keys at a provider. Each look goes through the functions that a
//! single run of `publish` goes through.

use serde_json::Value;

use super::super::{self as publish, given};
use crate::{
    cluster::Cluster,
    commands::Exit,
    error::Result,
    publication::{Given, GivenPlan, Options, Outcome as Written, Publication, PublicationPlan},
    report::{Line, Report},
    rotation::Former,
    waiting::Waiting,
    warning::Warning,
    watch::{Ended, Facts, Outcome},
};

/// Nothing that takes a person's decision.
const OPTIONS: Options = Options { create: false, former: Former::Unknown };

/// What a look came to, as it is told.
pub(super) struct Looked {
    pub(super) facts: Facts,
    pub(super) ended: Ended,
    pub(super) notes: Vec<Warning>,
    /// The plan.
    pub(super) lines: Vec<Line>,
    pub(super) json: Value,
    pub(super) last_line: String,
    /// A part of it failed: the next look logs in again, as after a failure of the whole.
    pub(super) reconnects: bool,
}

/// Where keys are published.
pub(super) trait Publisher {
    type Plan<'p>
    where
        Self: 'p;
    /// What came of a plan.
    type Applied;

    /// Observes and decides. Nothing is written.
    async fn plan(&self, cluster: &Cluster, now: fn() -> u64) -> Result<Self::Plan<'_>>;

    /// Does what was planned.
    async fn apply<'p>(
        &'p self,
        plan: &mut Self::Plan<'p>,
        cluster: &Cluster,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<Self::Applied>;

    /// `applied`: `None` as long as nothing was written.
    fn facts(&self, plan: &Self::Plan<'_>, applied: Option<&Self::Applied>) -> Facts;

    fn looked(&self, plan: &Self::Plan<'_>, applied: Option<&Self::Applied>) -> Looked;
}

impl Publisher for Publication<'_> {
    type Plan<'p>
        = PublicationPlan<'p>
    where
        Self: 'p;
    type Applied = Written;

    async fn plan(&self, cluster: &Cluster, now: fn() -> u64) -> Result<PublicationPlan<'_>> {
        let waiting = Waiting::default();
        let observation = self.observe_with_ledger(&OPTIONS, Some(cluster), now, &waiting).await?;
        self.plan(&OPTIONS, observation, now()).await
    }

    async fn apply<'p>(
        &'p self,
        plan: &mut PublicationPlan<'p>,
        cluster: &Cluster,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<Written> {
        publish::apply(self, plan, Some(cluster), now, report).await
    }

    fn facts(&self, plan: &PublicationPlan<'_>, applied: Option<&Written>) -> Facts {
        plan.facts(applied)
    }

    fn looked(&self, plan: &PublicationPlan<'_>, applied: Option<&Written>) -> Looked {
        let changed = applied.is_some_and(|applied| plan.is_pending() || !applied.written.is_empty());
        let waits = applied.is_none() && plan.is_pending();
        let last_line = match applied {
            Some(applied) if changed => plan.published_line(self, applied),
            None if waits => plan.pending_line(self),
            Some(_) | None => plan.unchanged_line(self),
        };
        Looked {
            facts: plan.facts(applied),
            ended: ended(publish::exit(plan, false), changed, waits),
            notes: plan.notes().chain(applied.into_iter().flat_map(|it| &it.notes)).cloned().collect(),
            lines: plan.lines(),
            json: plan.to_json(self, applied),
            last_line,
            reconnects: false,
        }
    }
}

impl Publisher for Given<'_> {
    type Plan<'p>
        = GivenPlan<'p>
    where
        Self: 'p;
    type Applied = ();

    async fn plan(&self, cluster: &Cluster, now: fn() -> u64) -> Result<GivenPlan<'_>> {
        let seen = self.observe(cluster, now, &Waiting::default()).await?;
        self.plan(seen, cluster).await
    }

    async fn apply<'p>(
        &'p self,
        plan: &mut GivenPlan<'p>,
        cluster: &Cluster,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<()> {
        self.apply(plan, cluster, now, report).await
    }

    fn facts(&self, plan: &GivenPlan<'_>, _: Option<&()>) -> Facts {
        plan.facts()
    }

    fn looked(&self, plan: &GivenPlan<'_>, applied: Option<&()>) -> Looked {
        let waits = applied.is_none() && plan.is_pending();
        Looked {
            facts: plan.facts(),
            ended: ended(given::exit(plan, false), plan.has_written(), waits),
            notes: plan.notes().cloned().collect(),
            lines: plan.plan.lines(),
            json: plan.to_json(applied.is_some()),
            last_line: plan.last_line(),
            reconnects: plan.has_failures(),
        }
    }
}

/// `waits`: something is to be done, and this process does not lead.
fn ended(exit: Exit, changed: bool, waits: bool) -> Ended {
    let outcome = match exit {
        Exit::Incomplete => Outcome::Incomplete,
        // Nothing is published, whatever a person has to look at besides.
        Exit::Found | Exit::Clean if waits => Outcome::Pending,
        Exit::Found => Outcome::Found,
        Exit::Clean if changed => Outcome::Changed,
        Exit::Clean => Outcome::Unchanged,
    };
    Ended { outcome, changed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_look_is_no_success() {
        for (exit, changed, waits, outcome) in [
            (Exit::Found, false, true, Outcome::Pending),
            (Exit::Clean, false, true, Outcome::Pending),
            (Exit::Incomplete, false, true, Outcome::Incomplete),
            (Exit::Found, false, false, Outcome::Found),
            (Exit::Found, true, false, Outcome::Found),
            (Exit::Clean, true, false, Outcome::Changed),
            (Exit::Clean, false, false, Outcome::Unchanged),
        ] {
            let ended = ended(exit, changed, waits);
            assert_eq!(ended, Ended { outcome, changed });
            assert!(!waits || !ended.outcome.is_success());
        }
    }
}
