//! `keyless audit`: count what does not expire and still opens a cloud, a secret store or the platform.

use super::Exit;
use crate::{
    audit::{Gate, Outcome, Verdict, judge},
    cli::AuditArgs,
    cluster::Cluster,
    config::Settings,
    error::Result,
    report::Report,
    target,
};

/// Runs the command.
pub(crate) async fn run(args: &AuditArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let cluster = target::require_look(settings, report).await?;
    let verdict = look(&cluster, args.gate).await?;
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
        Outcome::Zero => Exit::Clean,
        Outcome::Found { .. } => Exit::Found,
        Outcome::Incomplete | Outcome::NothingToJudge => Exit::Incomplete,
    }
}
