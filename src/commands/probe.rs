//! A real token, used for everything that the store is to use it for: before anything depends on it.

use std::collections::BTreeSet;

use futures::{Stream, StreamExt, stream};

use super::rights::Rights;
use crate::{
    cluster::{Cluster, ServiceAccount},
    error::{Code, Error, Result},
    federation::{Federation, Right, Trial},
    oidc::Token,
    relying_party::{Finding, Outcome},
    report::{Report, SharedReport},
};

/// How many things are tried at the same time.
const AT_ONCE: usize = 32;

/// Tries everything that is granted. What fails for reasons of its own, and was broken before, is left out by name;
/// everything else that fails ends it. `true`: something was really read.
pub(super) async fn probe(
    cluster: &Cluster,
    provider: &dyn Federation,
    workload: &ServiceAccount,
    rights: &mut Rights,
    report: &mut Report<'_>,
) -> Result<bool> {
    let trials = rights.trials(provider);
    if trials.is_empty() {
        return Ok(false);
    }
    let audience = provider.audience().await?;
    let token = cluster.token(workload, &audience).await?;
    report.progress(format_args!("probing the new login, with a token of {workload}"));
    // The first goes ahead: what fails for it as for all is shown once.
    let (first, others) = trials.split_at(1);
    let mut shown = BTreeSet::new();
    let (mut broken, mut read) = (Vec::new(), false);
    for some in [first, others] {
        read |= some_of(provider, &token, some, &mut shown, &mut broken, rights, report).await?;
    }
    for (right, why) in broken {
        rights.note_broken(&right, &why);
    }
    Ok(read)
}

/// The outcome of each trial, several at the same time; what was found comes in their order. `say` gets the reasons of
/// waiting.
pub(super) fn each<'a>(
    provider: &'a dyn Federation,
    token: &'a Token,
    trials: &'a [Trial],
    say: &'a (dyn Fn(&str) + Sync),
) -> impl Stream<Item = (&'a Trial, Vec<Finding>)> {
    let one = async move |trial: &'a Trial| {
        let findings = provider.probe(token, trial, &mut |line| say(line)).await;
        (trial, findings)
    };
    stream::iter(trials).map(one).buffered(AT_ONCE)
}

async fn some_of(
    provider: &dyn Federation,
    token: &Token,
    trials: &[Trial],
    shown: &mut BTreeSet<String>,
    broken: &mut Vec<(Right, String)>,
    rights: &Rights,
    report: &mut Report<'_>,
) -> Result<bool> {
    let messages = SharedReport::new(report);
    let say = |line: &str| messages.progress(format_args!("  {line}"));
    let mut tried = Box::pin(each(provider, token, trials, &say));
    let (mut failed, mut read) = (None, false);
    while let Some((trial, findings)) = tried.next().await {
        // The login is the same for all.
        let new = findings.iter().filter(|finding| shown.insert(finding.to_text()));
        new.flat_map(Finding::lines).for_each(|line| say(line.text()));
        let failure = findings.iter().find(|finding| finding.is_failed());
        let (Some(failure), false) = (failure, findings.is_empty()) else {
            // No finding is no proof.
            if findings.is_empty() {
                failed.get_or_insert_with(|| refused(trial, &findings));
            }
            read |= matches!(trial, Trial::Read { .. }) && !findings.is_empty();
            continue;
        };
        let right = trial.right();
        let right = provider.named(&right)?.unwrap_or(right);
        // It is as broken where the store reads now, or no object relied on it.
        let is_lost = !rights.works_for(&right).is_empty() && !rights.is_the_same_place();
        if failure.is_of_the_thing && !is_lost {
            let Outcome::Failed { seen, cause, .. } = &failure.outcome else { continue };
            broken.push((right, format!("{seen}: {cause}")));
        } else {
            failed.get_or_insert_with(|| refused(trial, &findings));
        }
    }
    failed.map_or(Ok(read), Err)
}

/// The step that failed, with its cause and its remedy.
fn refused(trial: &Trial, findings: &[Finding]) -> Error {
    let error = Error::failed(Code::NewPath, format!("the new login may not {}", trial.right()));
    let failed = findings.iter().find_map(|finding| match &finding.outcome {
        Outcome::Failed { seen, cause, remedy } => Some((&finding.subject, seen, cause, remedy)),
        Outcome::Passed(_) | Outcome::Skipped(_) | Outcome::Warned { .. } => None,
    });
    let error = match failed {
        Some((subject, seen, cause, remedy)) => {
            error.caused_by(format_args!("{subject}: {seen}")).caused_by(cause).hint(remedy)
        }
        None => error,
    };
    error.hint("nothing uses it yet: the store and its key are as they were; run setup again after that")
}
