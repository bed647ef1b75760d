//! Arguments of `setup` and `teardown`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{PlanFile, StoreFlags, parse_service_account, stores::parse_store};
use crate::{
    cluster::ServiceAccount, commands::setup::publisher::ACCOUNT, federation::ProviderName,
    go_duration::GoDuration, secret_store::StoreName,
};

/// Replace the stored key of a cluster's secret store by short-lived tokens
///
/// Reads the cluster, the bucket, the provider and the store, shows one plan, asks, and applies it: the public documents,
/// the provider's trust, the ServiceAccount and its rights. Then it reads everything that the store is used for with a
/// real token, switches the store to the new login, waits until every object that reads through it has used the new login,
/// and retires the old credential in stages: disabled, watched, and deleted only with --retire-key. Safe to repeat and to
/// interrupt: the next run continues. --undo restores the former login, as long as the key is not deleted.
///
/// Settings are derived where possible: the store that uses a key names its project. The first setup grants what was
/// really read through the store, and lists it in keyless.yaml. What ExternalSecrets and PushSecrets request later is
/// shown separately and needs --accept-new-secrets; without the flag it is left out and the exit code is 1. The state of a
/// retirement is kept in a ConfigMap in the namespace keyless-system; it holds no secret.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless setup --dry-run\n  \
    keyless setup --yes --retire-key --force-sync\n  \
    keyless setup --undo\n  \
    keyless setup --to vault\n  \
    keyless setup --store gcp --store shop/gcp\n  \
    keyless setup --bucket gs://acme-oidc --publisher")]
pub(crate) struct SetupArgs {
    /// Show the plan and stop; exit code 1 if there are changes
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Apply the plan without asking; new rights need --accept-new-secrets as well
    #[arg(long)]
    pub(crate) yes: bool,

    /// Grant what ExternalSecrets and PushSecrets request beyond the list in keyless.yaml, and add it to the list
    #[arg(long)]
    pub(crate) accept_new_secrets: bool,

    /// Revoke what the list in keyless.yaml grants and no object uses, and remove it from the list; also what was granted
    /// beyond it
    #[arg(long)]
    pub(crate) revoke_unused: bool,

    /// Delete the replaced key and its Secret at the end, after the watch with the key disabled
    #[arg(long)]
    pub(crate) retire_key: bool,

    /// Restore the store's former login: enable the key again, then write the saved provider into the store
    #[arg(long, conflicts_with_all = ["retire_key", "to", "replaced", "publisher"])]
    pub(crate) undo: bool,

    /// How long to watch the store after the old key is disabled, e.g. 30s, 10m, 1h30m; at most 168h; by default 10m
    #[arg(long, value_name = "TIME", value_parser = parse_wait)]
    pub(crate) watch_for: Option<Duration>,

    /// How long to wait until every object that reads through the store has used the new login
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_wait)]
    pub(crate) wait_for: Duration,

    /// Refresh every object that reads through the store now: writes the annotation force-sync on these ExternalSecrets
    /// and PushSecrets
    #[arg(long)]
    pub(crate) force_sync: bool,

    /// Disable the key although some ExternalSecrets never refresh, and so have not used the new login
    #[arg(long)]
    pub(crate) accept_unrefreshed: bool,

    /// Disable the key although some possible users of it could not be read
    #[arg(long)]
    pub(crate) accept_unseen_users: bool,

    /// With --retire-key, delete the Secret of a replaced credential that keyless cannot revoke: revoke it first
    #[arg(long, requires = "retire_key")]
    pub(crate) delete_secret: bool,

    /// The Secret that the store used before, if no earlier run has recorded it: NAMESPACE/NAME[/ENTRY]
    #[arg(long, value_name = "SECRET")]
    pub(crate) replaced: Option<String>,

    /// Switch the store to this provider
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub(crate) to: Option<ProviderName>,

    /// Give the publisher in the cluster its rights, without a stored key: NAMESPACE/NAME of its ServiceAccount, by default
    /// keyless-system/keyless
    #[arg(long, value_name = "NAMESPACE/NAME", num_args = 0..=1, default_missing_value = ACCOUNT, value_parser = parse_service_account)]
    pub(crate) publisher: Option<ServiceAccount>,

    /// Write the Kubernetes manifests into this folder instead of applying them, for GitOps
    #[arg(long, value_name = "FOLDER")]
    pub(crate) manifests: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) stores: StoreFlags,

    #[command(flatten)]
    pub(crate) plan: PlanFile,
}

/// Remove the trust, then the documents, then the bucket
///
/// Removes only what keyless created and marked: the provider's grants, provider and pool (or role, policy and auth
/// method), the ServiceAccount and its rights, the two documents. What others created or changed is named and kept.
#[derive(Debug, Args)]
pub(crate) struct TeardownArgs {
    /// Show the plan and stop; exit code 1 if there is something to remove
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Apply the plan without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// Remove what was made for this store instead of the one in keyless.yaml: NAME of a ClusterSecretStore, NAMESPACE/NAME
    /// of a SecretStore; may be repeated
    #[arg(long, value_name = "STORE", value_parser = parse_store)]
    pub(crate) store: Vec<StoreName>,

    /// Remove only what was made for ServiceAccounts that no store logs in with any more; everything else stays
    #[arg(long, conflicts_with = "store")]
    pub(crate) unused: bool,

    #[command(flatten)]
    pub(crate) plan: PlanFile,
}

/// The longest wait or watch: to wait longer, `setup` is started again later.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A Go duration, or a whole number of seconds, up to [`LONGEST_WAIT`].
pub(super) fn parse_wait(text: &str) -> Result<Duration, String> {
    let wait = parse_time(text)?;
    if wait > LONGEST_WAIT {
        return Err("it is longer than 168h (7 days): run `keyless setup` again later instead".to_owned());
    }
    Ok(wait)
}

/// Seconds, or a duration as Go writes it.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let write = "write a number and s, m or h, e.g. 30s, 10m, 1h30m";
    match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => match text.parse::<GoDuration>() {
            Ok(duration) => duration.not_negative().ok_or_else(|| format!("it is negative; {write}")),
            Err(why) => Err(format!("{why}; {write}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_times_are_go_durations() {
        for (text, seconds) in
            [("0", 0), ("0s", 0), ("20", 20), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("168h", 604_800)]
        {
            assert_eq!(parse_wait(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_wait("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn unusable_wait_times_name_the_form() {
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
            let why = parse_wait(text).unwrap_err();
            assert!(why.contains("10m") || why.contains("168h"), "{text}: {why}");
        }
    }
}
