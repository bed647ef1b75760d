//! `keyless audit`: count what still opens the secret stores and does not expire.

use super::Exit;
use crate::{
    audit::judge,
    cluster::Cluster,
    config::Settings,
    error::{Error, Result},
    report::Report,
};

/// Runs the command.
pub(crate) async fn run(settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let access = settings.cluster.as_ref().ok_or_else(|| {
        Error::usage("no-cluster", "audit looks at a cluster, and none is to be asked")
            .hint("leave out --no-cluster, and `cluster.enabled: false` in keyless.yaml")
    })?;
    let verdict = judge(&Cluster::connect(access).await?.estate().await?);
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
