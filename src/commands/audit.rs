//! `keyless audit`: count what does not expire and still opens a cloud, a secret store or the platform.

use super::Exit;
use crate::{
    audit::{Outcome, judge},
    cli::AuditArgs,
    config::Settings,
    error::{Code, Result},
    report::Report,
    target,
    warning::Warning,
};

/// Runs the command.
pub(crate) async fn run(args: &AuditArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let cluster = target::require_look(settings, report).await?;
    let inventory = cluster.inventory(args.mode).await?;
    if let Some(message) = inventory.preflight.message(args.mode) {
        report.warning(&Warning::new(Code::ClusterForbidden, message));
    }
    let verdict = judge(&inventory).through(args.gate);
    for line in verdict.lines() {
        report.line(line);
    }
    report.json("audit", verdict.to_json());
    Ok(match verdict.outcome() {
        Outcome::Zero => Exit::Clean,
        Outcome::Found { .. } => Exit::Found,
        Outcome::Incomplete | Outcome::NothingToJudge => Exit::Incomplete,
    })
}
