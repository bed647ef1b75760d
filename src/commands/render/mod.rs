//! `keyless render`: write what another tool applies, changing nothing. One file for each thing that is written.

mod chart_values;
mod credentials;
mod cron_job;
mod image;
mod issuer;
mod manifests;
mod named;
mod rbac;
pub(crate) mod rights;
mod rotation;
mod store;

use clap::{Args, Subcommand};

use self::{
    chart_values::ChartValuesArgs, credentials::CredentialsArgs, cron_job::CronJobArgs, issuer::IssuerArgs,
    rbac::RbacArgs, rotation::RotationArgs, store::StoreArgs,
};
use super::Exit;
use crate::{config::Settings, error::Result, report::Report};

/// Write what another tool applies, changing nothing
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    #[command(subcommand)]
    pub(crate) what: What,
}

/// What to write.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    Issuer(IssuerArgs),
    Rotation(RotationArgs),
    Store(StoreArgs),
    Credentials(CredentialsArgs),
    #[command(name = "cronjob")]
    CronJob(CronJobArgs),
    Rbac(RbacArgs),
    ChartValues(ChartValuesArgs),
}

/// Runs the command.
pub(crate) async fn run(args: &RenderArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    match &args.what {
        What::ChartValues(args) => chart_values::run(args, settings, report),
        What::CronJob(args) => cron_job::run(args, settings, report),
        What::Rotation(args) => rotation::run(args, report),
        What::Rbac(args) => rbac::run(args, report),
        What::Credentials(args) => credentials::run(args, settings, report).await,
        What::Issuer(args) => issuer::run(args, settings, report).await,
        What::Store(args) => store::run(args, settings, report).await,
    }
}
