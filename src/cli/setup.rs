//! Arguments of the commands that change a whole cluster's way to its secrets.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::config::ProviderName;

/// Take a cluster's secret store from a stored key to short-lived tokens
///
/// Looks at the cluster, the bucket, the provider and the store, shows one plan, asks, and does it: the public
/// documents, the provider's trust, the ServiceAccount and its rights, the store. Then it walks the new path with a
/// real token, watches External Secrets Operator, and retires the old key in stages: disabled, watched, and only with
/// --retire-key deleted. Safe to repeat and to interrupt: started again, it goes on.
///
/// What can be derived is not asked for: the store that uses a key names its project, the ExternalSecrets the secrets.
/// What was settled is written into keyless.yaml, and what stands there stays.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless setup --dry-run\n  \
    keyless setup --yes --retire-key\n  \
    keyless setup --to vault")]
pub(crate) struct SetupArgs {
    /// Show the plan and stop; exit code 1 when there is something to do
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// Delete the replaced key and its Secret at the end, after they were watched disabled
    #[arg(long)]
    pub(crate) retire_key: bool,

    /// How long the store is watched after the old key was disabled, e.g. 30s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration)]
    pub(crate) watch_for: Duration,

    /// Point the store at this provider
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub(crate) to: Option<ProviderName>,

    /// Write the Kubernetes manifests into this folder instead of applying them, for GitOps
    #[arg(long, value_name = "FOLDER")]
    pub(crate) manifests: Option<PathBuf>,
}

/// Take trust away first, then the documents, then the bucket
///
/// Removes only what keyless made and marked: the provider's bindings, provider and pool (or role, policy and auth
/// method), the ServiceAccount and its rights, the two documents. What somebody else made is named and left.
#[derive(Debug, Args)]
pub(crate) struct TeardownArgs {
    /// Show what would be removed and stop; exit code 1 when there is something
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write a number and s, m or h, e.g. 10m".into()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number and s, m or h, e.g. 10m".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}
