//! `keyless render`: write what another tool applies, changing nothing. One file for each thing that is written.

mod credentials;
mod issuer;
mod store;

use clap::{Args, Subcommand};

use self::{credentials::CredentialsArgs, issuer::IssuerArgs, store::StoreArgs};
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
    Store(StoreArgs),
    Credentials(CredentialsArgs),
}

/// Runs the command.
pub(crate) async fn run(args: &RenderArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    match &args.what {
        What::Credentials(args) => credentials::run(args, settings, report).await,
        What::Issuer(args) => issuer::run(args, settings, report).await,
        What::Store(args) => store::run(args, settings, report).await,
    }
}
