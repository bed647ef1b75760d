//! Arguments of the commands that change a whole cluster's way to its secrets.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::{config::ProviderName, go_duration::GoDuration};

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

    /// How long the store is watched after the old key was disabled, e.g. 30s, 10m, 1h30m; at most 168h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_watch)]
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

/// The longest watch. Who wants to wait longer starts `setup` again later.
const LONGEST_WATCH: Duration = Duration::from_secs(7 * 24 * 3600);

/// A Go duration, or a whole number of seconds, up to [`LONGEST_WATCH`].
fn parse_watch(text: &str) -> Result<Duration, String> {
    let write = "write a number and s, m or h, e.g. 30s, 10m, 1h30m";
    let watch = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => match text.parse::<GoDuration>() {
            Ok(duration) => duration.not_negative().ok_or_else(|| format!("it is negative; {write}"))?,
            Err(why) => return Err(format!("{why}; {write}")),
        },
    };
    if watch > LONGEST_WATCH {
        return Err("it is longer than 168h (7 days): start `keyless setup` again later instead".to_owned());
    }
    Ok(watch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_times_are_go_durations() {
        for (text, seconds) in
            [("0", 0), ("0s", 0), ("20", 20), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("168h", 604_800)]
        {
            assert_eq!(parse_watch(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_watch("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn unusable_watch_times_name_the_form() {
        for text in [
            "",
            "-1s",
            "-5",
            "1d",
            "h",
            "1e3s",
            "169h",
            "604801",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999h",
            "10 m",
        ] {
            let why = parse_watch(text).unwrap_err();
            assert!(why.contains("10m") || why.contains("168h"), "{text}: {why}");
        }
    }
}
