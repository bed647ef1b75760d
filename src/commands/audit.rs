//! `keyless audit`: count what does not expire and still opens a cloud, a secret store or the platform.

use std::path::Path;

use super::Exit;
use crate::{
    audit::{Exceptions, Gate, Outcome, Verdict, judge},
    cli::AuditArgs,
    cluster::Cluster,
    config::Settings,
    error::{Code, Error, Result},
    files::{self, Accept, MAX_SMALL},
    report::Report,
    target,
};

/// Runs the command.
pub(crate) async fn run(
    args: &AuditArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    // Before the cluster is looked through: that takes a while.
    let exceptions = args.exceptions.as_deref().map(exceptions).transpose()?;
    let cluster = target::require_look(settings, report).await?;
    let mut verdict = look(&cluster, args.gate).await?;
    if let Some(exceptions) = &exceptions {
        verdict = verdict.excepting(exceptions, now());
    }
    for line in verdict.lines() {
        report.line(line);
    }
    report.json("audit", verdict.to_json());
    Ok(exit(&verdict))
}

/// Looks, and judges.
pub(super) async fn look(cluster: &Cluster, gate: Gate) -> Result<Verdict> {
    Ok(judge(&cluster.inventory().await?).through(gate))
}

/// How the command ends.
pub(super) fn exit(verdict: &Verdict) -> Exit {
    match verdict.outcome() {
        Outcome::Zero | Outcome::ZeroExcept => Exit::Clean,
        Outcome::Found { .. } => Exit::Found,
        Outcome::Incomplete | Outcome::NothingToJudge => Exit::Incomplete,
    }
}

fn exceptions(path: &Path) -> Result<Exceptions> {
    let content = files::read_text(path, Accept::FileOrPipe, MAX_SMALL).map_err(|error| {
        Error::usage(Code::ExceptionsUnreadable, format!("{} cannot be read", path.display()))
            .caused_by(error)
            .hint("--exceptions names a file: docs/audit.md has an example")
    })?;
    Exceptions::parse(&content, path)
}
