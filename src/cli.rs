//! Arguments. Parsing only checks their form; `config` resolves what they mean together.

mod about;
mod audit_diff;
mod config;
mod coupling;
mod keys;
mod output;
#[cfg(test)]
mod pages_tests;
mod refused;
mod saved;
mod setup;
mod several;
mod stores;
mod taken;
mod visible;
mod watch;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

pub(crate) use self::{
    about::{CompletionsArgs, ExplainArgs, ManArgs, StatusArgs, VersionArgs},
    audit_diff::{AuditCommand, DiffArgs},
    config::{ConfigArgs, ConfigCommand, SchemaArgs, SchemaOf, ViewArgs},
    coupling::{CouplingArgs, DoctorArgs},
    keys::{KeysArgs, KeysCommand, RevokeArgs, WaitArgs},
    output::{Output, ReportFile},
    refused::refused,
    saved::{ApplyArgs, PlanFile},
    setup::{SetupArgs, TeardownArgs},
    stores::{StoreFlags, VerifyStores},
    watch::{LeaseFlag, WatchArgs, parse_poll},
};
use crate::{
    audit::Gate,
    bucket::Addressing,
    cluster::{ServiceAccount, snapshot::Mode},
    commands::render::RenderArgs,
    redact,
    report::When,
};

/// Let a self-managed Kubernetes cluster log in to clouds with its own short-lived tokens
///
/// A cluster signs service-account tokens. Clouds accept them in place of a stored key once they can read the
/// cluster's public keys. keyless publishes those keys as two static documents in a public bucket, while the
/// API server stays private, and verifies them as a relying party does: anonymously.
#[derive(Debug, Parser)]
#[command(name = "keyless", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) common: Common,
}

const EXIT_CODES: &str = "Exit codes: 0 done and clean · 1 found something (a failed check, a pending change) · \
                          2 usage or settings · 3 failed, or could not be established · 101 a bug · 130, 143 stopped by SIGINT, SIGTERM\n\n\
                          Results go to stdout, messages to stderr. Flags override KEYLESS_… variables, and both override keyless.yaml. `keyless explain CODE` \
                          explains an error and what to do about it.";

/// The command. Its help is the documentation of its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Setup(SetupArgs),
    Apply(ApplyArgs),
    Publish(PublishArgs),
    Verify(VerifyArgs),
    Keys(KeysArgs),
    Audit(AuditArgs),
    Coupling(CouplingArgs),
    Doctor(DoctorArgs),
    Status(StatusArgs),
    Teardown(TeardownArgs),
    Config(ConfigArgs),
    Explain(ExplainArgs),
    Render(RenderArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    Version(VersionArgs),
}

impl Command {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Audit(args) => args.name(),
            Self::Completions(_) => "completions",
            Self::Config(_) => "config",
            Self::Coupling(_) => "coupling",
            Self::Doctor(_) => "doctor",
            Self::Explain(_) => "explain",
            Self::Keys(args) => args.name(),
            Self::Man(_) => "man",
            Self::Publish(_) => "publish",
            Self::Render(_) => "render",
            Self::Setup(_) => "setup",
            Self::Status(_) => "status",
            Self::Teardown(_) => "teardown",
            Self::Verify(_) => "verify",
            Self::Version(_) => "version",
        }
    }
}

/// Count the long-lived credentials of the cluster
///
/// Reads every store and generator of External Secrets Operator and the operator's own pods, and determines by each
/// provider's order of precedence which login takes effect. Then looks for credentials of every known kind in all Secrets,
/// ConfigMaps, workloads, releases of Helm, and applications of Argo CD and Flux, whatever names them. Credentials that
/// setup has replaced and not retired yet count as well. Counts distinct credentials: one key in twelve Secrets is one. For
/// each it shows where it is stored, what it opens, and the change that removes it. Only the public half is shown: whose
/// key it is and which one. No credential that is found is ever used.
///
/// The verdict is ZERO only when nothing was found, everything was read, and all of it is known to be keyless. The verdict
/// is INCOMPLETE when something could not be read, or a login is of an unknown kind: the report names it, and the missing
/// right. Without External Secrets Operator there is NOTHING TO JUDGE.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 ZERO, or NONE BUT EXCEPTIONS, or with --baseline nothing new and everything was looked at · 1 something was found (the verdict says INCOMPLETE as well, if it is) · \
    3 INCOMPLETE or NOTHING TO JUDGE\n\n\
    For scripts: -o json gives `verdict` (zero, zero-except, found, incomplete, nothing-to-judge) and `count`, which is 0 only where \
    the verdict is zero, and null where it is not known\n\n\
    Needs: what deploy/auditor grants, and with --mode refs or --mode metadata what deploy/auditor-refs or \
    deploy/auditor-metadata grants (keyless render rbac --for audit --mode MODE): get /version and /apis; list on external-secrets.io, \
    generators.external-secrets.io, workloads, pods, leases, clusterrolebindings, and the applications of Argo CD and \
    Flux; get on clusterroles, the operator's customresourcedefinitions, and the ServiceAccounts that stores name; get and \
    list on Secrets and ConfigMaps; with --cloud rights to read at the provider: docs/audit.md\n\n\
    Examples:\n  \
    keyless audit\n  \
    keyless audit --gate platform\n  \
    keyless audit --exceptions exceptions.yaml\n  \
    keyless audit --baseline last-week.json\n  \
    keyless audit --context prod --context test   # one report over both\n  \
    keyless audit --mode refs   # reads no Secret\n  \
    keyless audit --cloud   # also the keys that lie elsewhere\n  \
    keyless audit --context prod -o json | jq .verdict\n  \
    keyless audit -o sarif >audit.sarif\n  \
    keyless audit --report html=audit.html --report json=audit.json\n  \
    keyless audit >audit.txt || exit 1   # a gate"
)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,

    /// An earlier result of `keyless audit -o json` of this cluster. What was found and is in it is no reason for exit code 1;
    /// the verdict stays what it is, and INCOMPLETE stays exit code 3
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// What must be zero for exit code 0
    #[arg(long, value_enum, default_value_t = Gate::Mission, value_name = "GATE")]
    pub(crate) gate: Gate,

    /// Credentials for which someone answers, each with a reason, an owner and a last day (docs/audit.md). They are listed by
    /// themselves; an entry that has expired, or is about nothing that was seen, is a finding
    #[arg(long, value_name = "FILE")]
    pub(crate) exceptions: Option<PathBuf>,

    /// Write the result to a file as well, in one of the formats of --output but text, e.g. html=audit.html; may be repeated.
    /// The cluster is read once
    #[arg(long, value_parser = output::parse_report, value_name = "FORMAT=FILE")]
    pub(crate) report: Vec<ReportFile>,

    /// Audit the cluster of every context in the kubeconfig, in one report, as several --context do
    #[arg(long, conflicts_with_all = ["context", "baseline"])]
    pub(crate) all_contexts: bool,

    /// Also ask the providers, with the login of the user who runs this, which long-lived credentials they have issued to
    /// the identities that the cluster names. No credential that is found is used
    #[arg(long)]
    pub(crate) cloud: bool,

    /// How far to look into Secrets. With refs and metadata the verdict is never ZERO
    #[arg(long, value_enum, default_value_t = Mode::Deep, value_name = "MODE")]
    pub(crate) mode: Mode,
}

/// Update the public documents with the cluster's keys
///
/// Reads the key set of every API server, adds new keys to the published ones, writes the key set first and the
/// discovery document second, and reads both back without credentials over their public URL. When nothing has changed,
/// nothing is written. Safe to repeat, to interrupt, and to run twice at the same time. A former key is removed once no
/// API server has it and no token that it signed can still be valid; without a ledger, none is (docs/rotation.md).
///
/// Each API server is judged by itself: if one fails or is unsound, the keys of the others are published, the exit code
/// is 3, and the message names that server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless publish --bucket s3://acme-oidc --region eu-central-1 --create\n  \
    keyless publish --bucket gs://acme-oidc --issuer https://storage.googleapis.com/acme-oidc/prod\n  \
    keyless publish --bucket az://acmeoidc/keys --create\n  \
    keyless publish --bucket s3://acme-oidc --endpoint https://fsn1.your-objectstorage.com --dry-run\n  \
    keyless publish --bucket file:///srv/www --issuer https://oidc.example.com --no-cluster --public-key sa.pub\n  \
    keyless publish --watch --metrics-address 0.0.0.0:9102 --lease")]
pub(crate) struct PublishArgs {
    /// Create the bucket if it is missing, and make exactly the two documents public
    #[arg(long)]
    pub(crate) create: bool,

    /// Show the plan key by key and stop; exit code 1 if there are changes
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Take published keys that no API server has for former keys of this cluster. Shows them, and asks
    #[arg(long, conflicts_with = "restore")]
    pub(crate) same_cluster: bool,

    /// Repair published documents that are damaged, empty, or hold another key under one of the cluster's key IDs: writes
    /// the cluster's keys and every other key that can be read. Shows what it replaces, and asks
    #[arg(long)]
    pub(crate) restore: bool,

    /// Record the longest token that pods, CSI drivers and stores ask for: former keys stay that long. Takes the right to list
    /// them
    #[arg(long, conflicts_with = "watch")]
    pub(crate) look_up_tokens: bool,

    /// Do not ask about what --restore replaces or --same-cluster takes
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) plan: PlanFile,

    #[command(flatten)]
    pub(crate) watch: WatchArgs,
}

/// Check everything as a relying party, then exchange a token and read the secrets
///
/// Fetches both documents without credentials, checks everything that a strict relying party checks, mints a token on
/// every API server and verifies it from the public documents alone. If the keys are uploaded to the provider, compares
/// them with the live keys instead. Then does what the secret store does: mints a token of the store's ServiceAccount,
/// exchanges it, reads every secret at its version and property, labels and searches. Rights to write are queried, not
/// used. Last come the conditions that External Secrets Operator reports; verify waits for an ExternalSecret that refreshes
/// every minute or more often. Nothing is written. Each failed check shows what was seen, the likely cause and the remedy.
/// The last line counts: `N passed, N failed`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless verify\n  \
    keyless verify --issuer https://storage.googleapis.com/acme-oidc/prod\n  \
    keyless verify --issuer https://oidc.example.com --public-only\n  \
    keyless verify --all\n  \
    keyless verify --config keyless.yaml -o json")]
pub(crate) struct VerifyArgs {
    /// Audience of the test token; nothing may trust it
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,

    /// Check the documents only; send no requests to the cluster
    #[arg(long, conflicts_with_all = ["store", "all"])]
    pub(crate) public_only: bool,

    #[command(flatten)]
    pub(crate) stores: VerifyStores,
}

/// Flags of more than one command: `taken` lists which takes what.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Settings file; by default ./keyless.yaml, if there is one
    #[arg(long, value_name = "FILE", global = true, help_heading = "General")]
    pub(crate) config: Option<PathBuf>,

    /// Output format
    #[arg(short, long, value_parser = Output::parser(output::Forms::Taken), default_value = "text", value_name = "FORMAT", global = true, help_heading = "General")]
    pub(crate) output: Output,

    /// Print more messages on stderr; twice for traces of the libraries
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "General")]
    pub(crate) verbose: u8,

    /// Color of the text; JSON and files hold none
    #[arg(long, value_enum, default_value_t = When::Auto, value_name = "WHEN", global = true, help_heading = "General")]
    pub(crate) color: When,

    /// Issuer: `iss`, byte for byte; by default the bucket's public URL and prefix, else the issuer that the cluster signs
    #[arg(long, value_name = "URL", global = true, help_heading = "Issuer and bucket")]
    pub(crate) issuer: Option<String>,

    /// Where the documents are stored: s3://NAME[/PREFIX], gs://NAME[/PREFIX], az://ACCOUNT/CONTAINER[/PREFIX] or file:///FOLDER
    #[arg(long, value_name = "URL", global = true, help_heading = "Issuer and bucket")]
    pub(crate) bucket: Option<String>,

    /// Base URL of the store's API, e.g. `https://fsn1.your-objectstorage.com`; by default AWS's, Google's or that of the Azure storage account
    #[arg(long, value_name = "URL", global = true, help_heading = "Issuer and bucket")]
    pub(crate) endpoint: Option<String>,

    /// Region of an S3 bucket
    #[arg(long, value_name = "REGION", global = true, help_heading = "Issuer and bucket")]
    pub(crate) region: Option<String>,

    /// How S3 requests name the bucket; by default `virtual` on AWS and `path` elsewhere
    #[arg(long, value_enum, value_name = "STYLE", global = true, help_heading = "Issuer and bucket")]
    pub(crate) addressing: Option<Addressing>,

    /// Public URL of the bucket's root, if it has a domain or path of your own
    #[arg(long, value_name = "URL", global = true, help_heading = "Issuer and bucket")]
    pub(crate) public_url: Option<String>,

    /// Google project in which `--create` creates a gs:// bucket
    #[arg(long, value_name = "PROJECT", global = true, help_heading = "Issuer and bucket")]
    pub(crate) project: Option<String>,

    /// Certificate authorities to trust in addition to the public ones, PEM
    #[arg(long, value_name = "FILE", global = true, help_heading = "Issuer and bucket")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Path of the kubeconfig; by default $KUBECONFIG, ~/.kube/config, or the pod's own credentials
    #[arg(long, value_name = "FILE", global = true, help_heading = "Cluster")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig; `audit` takes several
    #[arg(long, value_name = "NAME", global = true, help_heading = "Cluster")]
    pub(crate) context: Vec<String>,

    /// ServiceAccount to mint test tokens for; nothing should trust it. By default keyless-probe in a pod's own namespace,
    /// else default/default
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = parse_service_account, global = true, help_heading = "Cluster")]
    pub(crate) service_account: Option<ServiceAccount>,

    /// Staged public keys to publish, or to upload to the provider, in addition; PEM, as for the API server's
    /// --service-account-key-file; may be repeated
    #[arg(long, value_name = "FILE", global = true, help_heading = "Cluster")]
    pub(crate) public_key: Vec<PathBuf>,

    /// Send no requests to a cluster: publish the keys of --public-key, e.g. before the cluster exists
    #[arg(long, global = true, help_heading = "Cluster")]
    pub(crate) no_cluster: bool,

    /// The cluster signs with an external signer (KEP-740), which names its keys freely
    #[arg(long, global = true, help_heading = "Cluster")]
    pub(crate) external_signer: bool,

    /// Print only errors and how the run ended. A question still shows what it is about
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "General")]
    pub(crate) quiet: bool,

    /// Stop after this time, as by SIGTERM, with exit code 3, e.g. 30s, 10m, 1h30m; by default there is no limit
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, global = true, help_heading = "General")]
    pub(crate) timeout: Option<Duration>,
}

impl Cli {
    /// When the command is stopped. `keys wait` ends by itself at its own `--timeout`, with what it knows by then.
    pub(crate) fn time_limit(&self) -> Option<Duration> {
        match &self.command {
            Command::Keys(KeysArgs { command: Some(KeysCommand::Wait(_)), .. }) => None,
            _ => self.common.timeout,
        }
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match setup::parse_time(text)? {
        Duration::ZERO => Err("it is no time: leave the flag out for no limit".to_owned()),
        limit => Ok(limit),
    }
}

fn parse_service_account(text: &str) -> Result<ServiceAccount, String> {
    text.parse().map_err(|error: crate::error::Error| {
        format!("{}; {}", redact::message(&error.message), error.hints.join("; "))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn arguments_are_consistent() {
        super::Cli::definition().debug_assert();
    }
}
