//! `keyless audit`: count what still opens the secret stores and does not expire.

use super::Exit;
use crate::{audit::judge, config::Settings, error::Result, report::Report, target};

/// Runs the command.
pub(crate) async fn run(settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let cluster = target::require(settings, report).await?;
    let verdict = judge(&cluster.estate().await?);
    for line in verdict.lines() {
        report.line(line);
    }
    report.json("audit", verdict.to_json());
    Ok(if verdict.found() {
        Exit::Found
    } else if verdict.is_complete() {
        Exit::Clean
    } else {
        Exit::Incomplete
    })
}
