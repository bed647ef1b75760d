//! Carries out a plan, in the order in which nothing ever points at what is not there yet.

use std::{convert::identity, pin::pin};

use futures::future::{Either, select};
use serde_json::Value;

use super::{
    NONE_NOTED,
    hands::{Forward, SetupHands},
    issuer_rollout,
    outcome::{Farewell, stopped},
    plan::Plan,
    retire::{self, Retirement},
    watch,
};
use crate::{
    cli::SetupArgs,
    cluster::Cluster,
    commands::{Exit, objects, probe::probe, resolve::Resolved, rights::Rights, store::Present},
    error::{Error, Result},
    federation::{Federation, TrustedIssuer},
    plan,
    publication::{Publication, PublicationPlan},
    report::Report,
    retirement::{
        Observed, State, StoreId,
        run::{Outcome, Run},
    },
    secret_store::Planned,
};

/// Everything that is needed to carry out a plan.
pub(super) struct Act<'a> {
    pub(super) args: &'a SetupArgs,
    /// The public documents, unless the provider is given the keys.
    pub(super) documents: Option<(&'a Publication<'a>, &'a PublicationPlan<'a>)>,
    pub(super) resolved: &'a Resolved,
    pub(super) cluster: &'a Cluster,
    pub(super) provider: &'a dyn Federation,
    pub(super) issuer: &'a TrustedIssuer,
    pub(super) servers: usize,
    pub(super) clock: &'a dyn Fn() -> u64,
    pub(super) farewell: &'a Farewell<'a>,
}

/// How far it came before the store is turned to.
enum Prepared {
    /// Everything that is granted was tried with the new login.
    Probed,
    /// Another person has to do something first.
    Ended(Exit),
}

impl Act<'_> {
    /// In the order in which nothing ever points at what is not there yet.
    pub(super) async fn run(
        &self,
        mut plan: Plan<'_>,
        present: Present,
        rights: &mut Rights,
        report: &mut Report<'_>,
    ) -> Result<Exit> {
        let farewell = self.farewell;
        let retirement = plan.retirement.take();
        let early = |error: Error| match (&retirement, present.store()) {
            (Some(retirement), _) if !retirement.shelf.is_empty() => {
                let words = farewell.words_of(&retirement.state, None);
                stopped(error, words)
            }
            (Some(retirement), _) => stopped(error, farewell.early_words(&retirement.state)),
            (None, Some(store)) => {
                let state = State::new("", StoreId::of(store), None, Value::Null);
                stopped(error, farewell.early_words(&state))
            }
            (None, None) => stopped(error, format!("To go on: {}.", farewell.command)),
        };
        // What state things are in is the last word of a run, also of one that a signal ends.
        let interrupt = report.interrupt().clone();
        let _hold = interrupt.hold();
        match interrupt
            .unless(self.prepare(&plan, retirement.as_ref(), rights, report))
            .await
            .and_then(identity)
            .map_err(early)?
        {
            Prepared::Ended(exit) => return Ok(exit),
            Prepared::Probed => {}
        }
        let Some(planned) = plan.store() else { return Ok(Exit::Clean) };
        let (Some(before), true) = (present.store(), retirement.is_some() || planned.changes_something())
        else {
            return self.new_or_unchanged(planned, report).await;
        };

        let switch = planned.changes_something();
        let is_new = retirement.as_ref().is_some_and(|retirement| retirement.is_new);
        let mut seen = Observed { probed: true, ..Observed::default() };
        let (shelf, state, connected, options) = match retirement {
            Some(retirement) => {
                let options = retirement.options((self.clock)());
                // What the plan was made from counts as long as it is fresh.
                seen.keys = Some((retirement.now, retirement.keys));
                seen.elsewhere = Some((retirement.now, retirement.elsewhere));
                (Some(retirement.shelf), retirement.state, retirement.connected, options)
            }
            None => {
                let after = planned.manifest.0["spec"]["provider"].clone();
                let state = State::new("", StoreId::of(before), None, after);
                (None, state, Vec::new(), retire::options(self.args, switch, (self.clock)()))
            }
        };
        let mut run =
            Run::new(self.cluster, &self.resolved.store, shelf, state, connected, options, self.clock);
        run.desired = Some(planned.manifest.0["spec"]["provider"].clone());
        run.is_new = is_new;
        run.seen = seen;
        let outcome = {
            let mut hands = SetupHands {
                cluster: self.cluster,
                store: &self.resolved.store,
                forward: Some(Forward { provider: self.provider, resolved: self.resolved, rights, planned }),
                folder: self.args.manifests.as_deref(),
                yes: self.args.yes,
                report,
            };
            interrupt.unless(run.go_on(&mut hands)).await.and_then(identity)
        };
        match outcome {
            Ok(Outcome::End(end)) => farewell.conclude(&end, &run.state, &farewell.words(&run), report),
            Ok(Outcome::LeftToFile) => {
                report.line("\nThe new login works. Commit the store's manifest; once it is applied, run setup again: it goes on with the old credential.");
                Ok(Exit::Found)
            }
            Err(error) => Err(stopped(error, farewell.words(&run))),
        }
    }

    /// Everything that must be there before the store turns to it.
    async fn prepare(
        &self,
        plan: &Plan<'_>,
        retirement: Option<&Retirement>,
        rights: &mut Rights,
        report: &mut Report<'_>,
    ) -> Result<Prepared> {
        let (resolved, folder) = (self.resolved, self.args.manifests.as_deref());
        if let Some((publication, documents)) = self.documents
            && documents.is_pending()
        {
            let outcome = publication.apply(documents, report).await?;
            outcome.notes.iter().for_each(|note| report.warning(note));
        }
        meanwhile(self.provider.approach(), plan::apply(&plan.changes, report)).await?;
        let (store, others) = objects::split(&plan.objects.objects);
        objects::apply(self.cluster, &others, folder, report).await?;
        if plan.waits() {
            return say_what_the_api_servers_need(self.cluster, self.issuer, plan, self.servers, report)
                .await
                .map(Prepared::Ended);
        }
        if objects::written_as_files(&others, folder) {
            report.line("\nCommit these manifests. Once they are applied, run setup again: it probes the new login, then turns to the store.");
            return Ok(Prepared::Ended(Exit::Found));
        }
        let read = probe(self.cluster, self.provider, &resolved.workload, rights, report).await?;
        let would_break = plan.keeps_store() || !rights.would_break().is_empty();
        let switches = objects::change_something(&store);
        if switches && would_break || !read && (switches || retirement.is_some_and(Retirement::goes_forward))
        {
            let why = match switches && would_break {
                true => "what works now would not work any more",
                false => "nothing was read through the new login",
            };
            let what = if switches { "The store" } else { "What is left of the old credential of" };
            report.line(format_args!("\n{what} {} is left as it is: {why}.", resolved.store.name()));
            rights.say_what_is_missing(report);
            return Ok(Prepared::Ended(Exit::Found));
        }
        Ok(Prepared::Probed)
    }

    /// A store that was not there, or that is as desired and has no past.
    async fn new_or_unchanged(&self, planned: &Planned, report: &mut Report<'_>) -> Result<Exit> {
        let folder = self.args.manifests.as_deref();
        objects::apply(self.cluster, &[planned], folder, report).await?;
        if objects::written_as_files(&[planned], folder) {
            report.line(
                "\nThe new login works. Commit the store's manifest; once it is applied, run setup again.",
            );
            return Ok(Exit::Found);
        }
        watch::until_ready(self.cluster, &self.resolved.store, report).await?;
        report.line(format_args!(
            "\nThe store {} logs in with short-lived tokens. See what is left: keyless audit",
            self.resolved.store.name()
        ));
        if self.args.retire_key {
            report.line(NONE_NOTED);
        }
        Ok(Exit::Clean)
    }
}

/// Does the work, and beside it something that is given up when the work is done.
async fn meanwhile<T>(aside: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    match select(pin!(work), pin!(aside)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => work.await,
    }
}

/// What only the owner of the control plane can do. Everything else up to here is done.
async fn say_what_the_api_servers_need(
    cluster: &Cluster,
    issuer: &TrustedIssuer,
    plan: &Plan<'_>,
    servers: usize,
    report: &mut Report<'_>,
) -> Result<Exit> {
    report.line("");
    issuer_rollout::tell(cluster, issuer, &plan.signs_otherwise, servers, report).await?;
    report.line(format_args!(
        "Once every API server signs as {issuer}, run setup again: it goes on from here."
    ));
    Ok(Exit::Found)
}
