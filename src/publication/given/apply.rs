//! Does what was planned, at each provider by itself.

use super::{Given, GivenPlan, Place, place::all_failed};
use crate::{
    cluster::Cluster,
    error::{Code, Error, Result},
    oidc::KeySet,
    plan::apply_beside,
    publication::keep::write_ledger,
    report::{Report, SharedReport},
};

impl Given<'_> {
    /// The ledger, the keys of each provider, what it then has, the ledger. What one provider refuses stops none of the
    /// others: it is in [`GivenPlan::doubts`].
    ///
    /// Errors: no provider is as it has to be; a key was to be revoked, and another publisher wrote the ledger.
    pub(crate) async fn apply<'p>(
        &'p self,
        plan: &mut GivenPlan<'p>,
        cluster: &Cluster,
        now: fn() -> u64,
        report: &mut Report<'_>,
    ) -> Result<()> {
        if let Some(history) = plan.seen.history.as_mut().filter(|history| history.is_pending()) {
            plan.doubts.extend(write_ledger(history, cluster, report).await?);
            let before = plan.keys_of_each();
            plan.seen.decide();
            if plan.keys_of_each() != before {
                self.changes(&mut plan.seen, cluster).await?;
            }
        }
        if plan.seen.history.as_ref().is_some_and(|history| history.keeps_revoked()) {
            return Err(Error::failed(
                Code::ApplyRaced,
                "another publisher wrote the ledger at the same time: no key was removed",
            )
            .hint("run it again: it looks again at what is there"));
        }
        let before = plan.seen.failures().len();
        {
            let messages = &SharedReport::new(report);
            let writes = plan.seen.places.iter().map(|place| write(place, messages));
            let done = futures::future::join_all(writes).await;
            for (place, done) in plan.seen.places.iter_mut().zip(done) {
                match done {
                    Ok(written) => place.written = written,
                    Err(error) => place.failed = Some(error),
                }
            }
        }
        if let Some(error) = all_failed(&plan.seen.places) {
            return Err(error);
        }
        let failures = plan.seen.failures();
        if failures.len() > before {
            plan.doubts
                .extend(failures.into_iter().filter(|one| !plan.doubts.contains(one)).collect::<Vec<_>>());
        }
        if plan.seen.places.iter().any(|place| place.failed.is_some()) {
            // Since when each provider has a key is known once each is asked.
            return Ok(());
        }
        let public = plan.seen.decisions().in_every()?;
        if let Some(history) = &mut plan.seen.history
            && !history.is_left_alone()
            && !history.is_pending()
            && history.is_public(&public, now())
        {
            plan.doubts.extend(write_ledger(history, cluster, report).await?);
        }
        Ok(())
    }
}

impl GivenPlan<'_> {
    fn keys_of_each(&self) -> Vec<Option<KeySet>> {
        let keys = |place: &Place<'_>| place.decided().map(|(_, decision)| decision.keys.clone());
        self.seen.places.iter().map(keys).collect()
    }
}

/// `true`: it was written, and the provider has it.
async fn write(place: &Place<'_>, messages: &SharedReport<'_, '_>) -> Result<bool> {
    let Some(change) = place.pending() else { return Ok(false) };
    apply_beside([change], messages).await.map(|()| true)
}
