//! A real token, all the way to a fresh read of every secret: before anything depends on it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, StreamExt, stream};

use crate::{
    cluster::{Cluster, ServiceAccount},
    error::{Error, Result},
    federation::Federation,
    oidc::Token,
    relying_party::{Finding, Outcome},
    report::{Report, SharedTalk},
};

/// How many secrets are read at the same time.
const AT_ONCE: usize = 32;

/// Reads each of the secrets as the store will, and what `properties` says is read out of it. The first goes ahead: what fails for it as for all is said once.
pub(super) async fn walk(
    cluster: &Cluster,
    provider: &dyn Federation,
    workload: &ServiceAccount,
    secrets: &[String],
    properties: &BTreeMap<String, Vec<String>>,
    report: &mut Report<'_>,
) -> Result<()> {
    let audience = provider.audience().await?;
    let token = cluster.token(workload, &audience).await?;
    report.progress(format_args!("reading through the new path, with a token of {workload}"));
    let (first, others) = secrets.split_at(secrets.len().min(1));
    let mut said = BTreeSet::new();
    for some in [first, others] {
        read(provider, &token, some, properties, &mut said, report).await?;
    }
    Ok(())
}

/// The way to each of the secrets, and to what `properties` says is read out of it, several at the same time; what
/// was found comes in their order. `say` gets the reasons of waiting.
pub(super) fn to_each<'a>(
    provider: &'a dyn Federation,
    token: &'a Token,
    secrets: &'a [String],
    properties: &'a BTreeMap<String, Vec<String>>,
    say: &'a (dyn Fn(&str) + Sync),
) -> impl Stream<Item = (&'a str, Vec<Finding>)> {
    let one = async move |secret: &'a String| {
        let members = properties.get(secret).map(Vec::as_slice).unwrap_or_default();
        let findings = provider.walk_to(token, secret, members, &mut |line| say(line)).await;
        (secret.as_str(), findings)
    };
    stream::iter(secrets).map(one).buffered(AT_ONCE)
}

async fn read(
    provider: &dyn Federation,
    token: &Token,
    secrets: &[String],
    properties: &BTreeMap<String, Vec<String>>,
    said: &mut BTreeSet<String>,
    report: &mut Report<'_>,
) -> Result<()> {
    let talk = SharedTalk::new(report);
    let say = |line: &str| talk.progress(format_args!("  {line}"));
    let mut walks = Box::pin(to_each(provider, token, secrets, properties, &say));
    let mut unread = None;
    while let Some((secret, findings)) = walks.next().await {
        // The login is the same for all.
        let new = findings.iter().map(Finding::to_lines).filter(|lines| said.insert(lines.join("\n")));
        new.flatten().for_each(|line| say(&line));
        if findings.is_empty() || findings.iter().any(Finding::is_failed) {
            unread.get_or_insert_with(|| refused(secret, &findings));
        }
    }
    unread.map_or(Ok(()), Err)
}

/// The hop that failed, with its cause and its remedy.
fn refused(secret: &str, findings: &[Finding]) -> Error {
    let error = Error::failed("new-path", format!("{secret} cannot be read through the new path"));
    let failed = findings.iter().find_map(|finding| match &finding.outcome {
        Outcome::Failed { seen, cause, remedy } => Some((&finding.subject, seen, cause, remedy)),
        Outcome::Passed(_) | Outcome::Skipped(_) => None,
    });
    let error = match failed {
        Some((subject, seen, cause, remedy)) => {
            error.caused_by(format_args!("{subject}: {seen}")).caused_by(cause).hint(remedy)
        }
        None => error,
    };
    error.hint("nothing uses it yet: the store and its key are as they were; mend it and start again")
}
