//! The steps that replace the cluster's signing key.

use clap::Args;
use serde_json::json;

use super::Exit;
use crate::{
    distro::{self, Distribution},
    error::Result,
    report::Report,
};

/// Write the steps that replace the cluster's signing key
///
/// A key is public before an API server signs with it, every API server accepts it before one signs with it, and the
/// former key is accepted until its last token has expired. No cluster is asked. `keyless keys` shows the next step.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless render rotation --distro k3s\n  \
    keyless render rotation --distro kubeadm -o json")]
pub(crate) struct RotationArgs {
    /// What the cluster was built with
    #[arg(long, value_parser = distro::parser(), value_name = "NAME")]
    pub(crate) distro: &'static Distribution,
}

/// Runs the command. No cluster and no bucket is asked.
pub(super) fn run(args: &RotationArgs, report: &mut Report<'_>) -> Result<Exit> {
    let instructions = distro::rotation(args.distro);
    report.text("the steps", &instructions.to_text())?;
    report.json_with("render", json!({}), ("guide", json!(instructions)))?;
    Ok(Exit::Clean)
}
