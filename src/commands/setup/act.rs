//! Carries out a plan, in the order in which nothing ever points at what is not there yet.

use std::{collections::BTreeSet, convert::identity};

use super::{
    NONE_NOTED,
    hands::{Forward, SetupHands},
    issuer_rollout,
    members::{Member, ends_all},
    outcome::stopped,
    plan::Plan,
    retire::{self, Retirement},
    seat::{Begun, Keys, Moving, Prepared, Seat},
    several::left,
    watch, with_rights,
};
use crate::{
    cli::SetupArgs,
    cluster::{Cluster, ServiceAccount},
    commands::{Exit, objects, probe::probe},
    error::{Error, Result},
    federation::{Federation, TrustedIssuer},
    http::meanwhile,
    plan,
    publication::{Publication, PublicationPlan},
    report::Report,
    retirement::{
        Observed, Options, State, StoreId,
        run::{Outcome, Run},
    },
    secret_store::{Planned, StoreName, identity_name},
};

/// Everything that is needed to carry out a plan.
pub(super) struct Act<'a> {
    pub(super) args: &'a SetupArgs,
    /// The flags that name the settings file and the cluster.
    pub(super) again: &'a str,
    /// The public documents, unless the provider is given the keys.
    pub(super) publication: Option<&'a Publication<'a>>,
    pub(super) cluster: &'a Cluster,
    pub(super) provider: &'a dyn Federation,
    pub(super) issuer: &'a TrustedIssuer,
    pub(super) servers: usize,
    pub(super) clock: &'a dyn Fn() -> u64,
}

impl Act<'_> {
    /// In the order in which nothing ever points at what is not there yet. How it ended for each store.
    pub(super) async fn run(
        &self,
        plan: &Plan<'_>,
        keys: Keys<'_, '_>,
        seats: &mut [Seat],
        report: &mut Report<'_>,
    ) -> Result<Vec<Exit>> {
        // What state things are in is the last word of a run, also of one that a signal ends.
        let interrupt = report.interrupt().clone();
        let _hold = interrupt.hold();
        let prepare = meanwhile(self.provider.approach(), self.prepare(plan, keys, seats, report));
        let prepared = interrupt.unless(prepare).await.and_then(identity);
        let prepared = prepared.map_err(|error| {
            let words: Vec<_> = seats.iter().map(Seat::early_words).collect();
            words.into_iter().fold(error, stopped)
        });
        if let Prepared::Ended(exit) = prepared? {
            let all = seats.iter_mut().map(|seat| match seat.failed.take() {
                Some(error) => left(&seat.member.store, error.hint(seat.early_words()), report),
                None => with_rights(exit, &seat.member.rights, &seat.farewell.flags, report),
            });
            return Ok(all.collect());
        }
        match seats {
            [seat] if !plan.are_several => Ok(vec![self.one(seat, report).await?]),
            seats => self.several(seats, report).await,
        }
    }

    async fn one(&self, seat: &mut Seat, report: &mut Report<'_>) -> Result<Exit> {
        let interrupt = report.interrupt().clone();
        let proved = interrupt.unless(self.prove(seat, report)).await.and_then(identity);
        let proved = proved.map_err(|error| stopped(error, seat.early_words()))?;
        let store = seat.member.store.clone();
        let exit = match proved {
            Prepared::Ended(exit) => exit,
            Prepared::Probed => match self.begin(seat, true) {
                Begun::Nothing => Exit::Clean,
                Begun::Unmoved(planned) => self.new_or_unchanged(&store, planned, report).await?,
                Begun::Moving(mut moving) => match self.go_on(&mut moving, report).await {
                    Ok(outcome) => moving.conclude(&outcome, report)?,
                    Err(error) => return Err(stopped(error, moving.farewell.words(&moving.run))),
                },
            },
        };
        Ok(with_rights(exit, &seat.member.rights, &seat.farewell.flags, report))
    }

    /// Everything that must be there before a store turns to it.
    async fn prepare(
        &self,
        plan: &Plan<'_>,
        Keys { documents, kept }: Keys<'_, '_>,
        seats: &mut [Seat],
        report: &mut Report<'_>,
    ) -> Result<Prepared> {
        let folder = self.args.manifests.as_deref();
        if let (Some(publication), Some(documents)) = (self.publication, documents)
            && documents.is_pending()
        {
            self.publish(publication, documents, report).await?;
        }
        if plan.ledger.is_some() {
            kept.note_seen(self.cluster, report).await?;
        }
        // What is for later has a gate that the applier does not open.
        let shared = || plan.changes.iter().chain(&plan.later);
        // What the only store has for itself need not wait for all of it.
        let own = plan.of_workloads.iter().filter(|_| !plan.are_several).map(|(_, change)| change);
        let mut done = BTreeSet::new();
        let applied = plan::apply_noting(shared().chain(own), &mut done, report).await;
        let is_given = shared().all(|it| !it.step.is_of_this_run() || done.contains(&it.step.name));
        if plan.ledger.is_some() && is_given {
            let noted = kept.note_given(self.provider, self.cluster, (self.clock)(), report).await;
            applied.and(noted)?;
        } else {
            applied?;
        }
        self.give_logins(plan, seats, report).await?;
        let others: Vec<_> =
            seats.iter().flat_map(|seat| objects::split(&seat.part.objects.objects).1).collect();
        if plan.waits() {
            return say_what_the_api_servers_need(self.cluster, self.issuer, plan, self.servers, report)
                .await
                .map(Prepared::Ended);
        }
        if objects::written_as_files(&others, folder) {
            report.result("\nCommit these manifests. Once they are applied, run setup again: it probes the new login, then turns to the store.");
            return Ok(Prepared::Ended(Exit::Found));
        }
        Ok(Prepared::Probed)
    }

    /// The ledger, the documents, what anonymous readers get, the ledger: as `keyless publish` does.
    async fn publish(
        &self,
        publication: &Publication<'_>,
        documents: &mut PublicationPlan<'_>,
        report: &mut Report<'_>,
    ) -> Result<()> {
        publication.note_seen(documents, Some(self.cluster), report).await?;
        let outcome = publication.apply(documents, report).await?;
        outcome.notes.iter().for_each(|note| report.warning(note));
        publication.note_public(documents, &outcome, Some(self.cluster), (self.clock)()).await;
        documents.doubts[documents.shown_doubts..].iter().for_each(|note| report.warning(note));
        Ok(())
    }

    /// What each ServiceAccount has for itself: at the provider, unless it is the only one, then in the cluster. Of several
    /// stores, one that cannot have it holds up those alone that share its account.
    async fn give_logins(&self, plan: &Plan<'_>, seats: &mut [Seat], report: &mut Report<'_>) -> Result<()> {
        let folder = self.args.manifests.as_deref();
        let mut failed: Vec<(ServiceAccount, Error)> = Vec::new();
        let mut given: Vec<&ServiceAccount> = Vec::new();
        for (account, _) in plan.of_workloads.iter().filter(|_| plan.are_several) {
            if given.contains(&account) {
                continue;
            }
            given.push(account);
            let own = plan.of_workloads.iter().filter(|(of, _)| of == account).map(|(_, change)| change);
            match plan::apply(own, report).await {
                Err(error) if !ends_all(&error) => failed.push((account.clone(), error)),
                done => done?,
            }
        }
        for seat in seats {
            let why = failed.iter().find(|(account, _)| *account == seat.member.account);
            let done = match why {
                Some((_, error)) => Err(error.clone()),
                None => {
                    self.name_identity(seat).await?;
                    let objects = objects::split(&seat.part.objects.objects).1;
                    objects::apply(self.cluster, &objects, folder, report).await
                }
            };
            match done {
                Err(error) if plan.are_several && !ends_all(&error) => {
                    failed.push((seat.member.account.clone(), error.clone()));
                    seat.failed = Some(error);
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// What only the provider names, it names once its part is done.
    async fn name_identity(&self, seat: &mut Seat) -> Result<()> {
        let Member { own, login, .. } = &mut seat.member;
        let Some((open, None)) = login.given_name() else { return Ok(()) };
        *login = own.as_deref().unwrap_or(self.provider).store_login().await?;
        identity_name(login.as_ref())?.iter().for_each(|name| seat.part.objects.fill(open, name));
        Ok(())
    }

    /// Tries the new login of a store.
    pub(super) async fn prove(&self, seat: &mut Seat, report: &mut Report<'_>) -> Result<Prepared> {
        let Seat { member, part, farewell, .. } = seat;
        let provider = member.own.as_deref().unwrap_or(self.provider);
        let rights = &mut member.rights;
        let read = probe(self.cluster, provider, &member.account, rights, report).await?;
        let would_break = part.keeps_store() || !rights.would_break().is_empty();
        let switches = objects::change_something(&objects::split(&part.objects.objects).0);
        let retires = part.retirement.as_ref().is_some_and(Retirement::goes_forward);
        if switches && would_break || !read && (switches || retires) {
            let why = match switches && would_break {
                true => "what works now would not work any more",
                false => "nothing was read through the new login",
            };
            let what = if switches { "The store" } else { "What is left of the old credential of" };
            report.result(format_args!("\n{what} {} is left as it is: {why}.", member.store.name()));
            rights.say_what_is_missing(&farewell.flags, report);
            return Ok(Prepared::Ended(Exit::Found));
        }
        Ok(Prepared::Probed)
    }

    /// `is_alone`: what the plan was made from counts as long as it is fresh, as no other store of the run is left out
    /// of it.
    pub(super) fn begin<'a>(&'a self, seat: &'a mut Seat, is_alone: bool) -> Begun<'a> {
        let Seat { member, part, farewell, remaining, .. } = seat;
        let shown = part.bounds();
        let retirement = part.retirement.take();
        let Some(planned) = part.store() else { return Begun::Nothing };
        let switch = planned.changes_something();
        let before = member.present.as_ref().and_then(|present| present.store());
        let (Some(before), true) = (before, retirement.is_some() || switch) else {
            return Begun::Unmoved(planned);
        };
        let is_new = retirement.as_ref().is_some_and(|retirement| retirement.is_new);
        let mut seen = Observed { probed: true, ..Observed::default() };
        let (shelf, state, connected, options) = match retirement {
            Some(retirement) => {
                let options = retirement.options((self.clock)(), shown);
                if is_alone {
                    seen.keys = Some((retirement.looked, retirement.keys));
                    seen.elsewhere = Some((retirement.looked, retirement.elsewhere));
                }
                (Some(retirement.shelf), retirement.state, retirement.connected, options)
            }
            None => {
                let after = planned.manifest.0["spec"]["provider"].clone();
                let state = State::new("", StoreId::of(before), None, after);
                let options = retire::options(self.args, switch, (self.clock)());
                (None, state, Vec::new(), Options { shown, ..options })
            }
        };
        let mut run = Run::new(self.cluster, &member.store, shelf, state, connected, options, self.clock);
        run.desired = Some(planned.manifest.0["spec"]["provider"].clone());
        run.is_new = is_new;
        run.seen = seen;
        Begun::Moving(Box::new(Moving {
            store: &member.store,
            run,
            farewell,
            rights: &mut member.rights,
            provider: member.own.as_deref().unwrap_or(self.provider),
            account: &member.account,
            planned,
            remaining,
        }))
    }

    pub(super) async fn go_on(&self, moving: &mut Moving<'_>, report: &mut Report<'_>) -> Result<Outcome> {
        let interrupt = report.interrupt().clone();
        let (run, mut hands) = self.hands(moving, report);
        interrupt.unless(run.go_on(&mut hands)).await.and_then(identity)
    }

    /// The same until it has to wait: `None`.
    pub(super) async fn until_it_waits(
        &self,
        moving: &mut Moving<'_>,
        report: &mut Report<'_>,
    ) -> Result<Option<Outcome>> {
        let interrupt = report.interrupt().clone();
        let (run, mut hands) = self.hands(moving, report);
        let (outcome, _) = interrupt.unless(run.until_it_waits(&mut hands)).await.and_then(identity)?;
        Ok(outcome)
    }

    fn hands<'m, 'a, 'r>(
        &'m self,
        moving: &'m mut Moving<'a>,
        report: &'m mut Report<'r>,
    ) -> (&'m mut Run<'a>, SetupHands<'m, 'r>) {
        let Moving { store, run, rights, provider, account, planned, .. } = moving;
        let hands = SetupHands {
            cluster: self.cluster,
            store,
            forward: Some(Forward { provider: *provider, account, rights, planned }),
            folder: self.args.manifests.as_deref(),
            yes: self.args.yes,
            report,
        };
        (run, hands)
    }

    /// A store that was not there, or that is as desired and has no past.
    pub(super) async fn new_or_unchanged(
        &self,
        store: &StoreName,
        planned: &Planned,
        report: &mut Report<'_>,
    ) -> Result<Exit> {
        let folder = self.args.manifests.as_deref();
        objects::apply(self.cluster, &[planned], folder, report).await?;
        if objects::written_as_files(&[planned], folder) {
            report.result(
                "\nThe new login works. Commit the store's manifest; once it is applied, run setup again.",
            );
            return Ok(Exit::Found);
        }
        watch::until_ready(self.cluster, store, report).await?;
        report.result(format_args!(
            "\nThe store {} logs in with short-lived tokens. See what is left: keyless audit{}",
            store.name(),
            self.again
        ));
        if self.args.retire_key {
            report.result(NONE_NOTED);
        }
        Ok(Exit::Clean)
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
    report.result(format_args!(
        "Once every API server signs as {issuer}, run setup again: it goes on from here."
    ));
    Ok(Exit::Found)
}
