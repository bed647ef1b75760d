//! Arguments of `keyless keys`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

/// Show every key: where it is live, where it signs, since when it is public, and what is safe next
///
/// Asks every API server, the bucket and the ledger, and writes nothing. A key is safe to sign with once relying parties
/// have it: when it has been public for the cache time of the documents. It is safe to drop once the longest token that it
/// can have signed has expired. Exit code 1: a key is published that a person has to look at. Exit code 3: not every API
/// server answered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless keys\n  \
    keyless keys add new.pub\n  \
    keyless keys wait")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: Option<KeysCommand>,
}

/// What is done with the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    Add(AddArgs),
    Revoke(RevokeArgs),
    Wait(WaitArgs),
}

/// Publish a key before an API server signs with it
///
/// The same as `keyless publish --public-key FILE`. It stays published without the file from then on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless keys add new.pub")]
pub(crate) struct AddArgs {
    /// Public key, PEM, as --service-account-key-file takes it
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Show what would change and stop; exit code 1 when something would
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Take a key out of the published set at once
///
/// Tokens that it signed are refused from then on by every relying party that reads the key set again. A key that an API
/// server still has is not revoked: the next run would publish it again. Takes an answer of every API server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless keys revoke 2bFqmVmFgr9gdfvVNyEzqWqDTT5EyEYzTT2EFvS8VJk")]
pub(crate) struct RevokeArgs {
    /// Its `kid`
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    pub(crate) kid: String,

    /// Show what would change and stop; exit code 1 when something would
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Wait until the next step of a rotation is safe
///
/// Stays until a key may sign, or, where none is on its way to that, until one may be taken from the API servers: exit code 0.
/// Exit code 1: the time is over, a person has to look at a key, or no key is being rotated. API servers that do not
/// answer are waited for; when they still do not at the end, the exit code is 3.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless keys wait\n  \
    keyless keys wait --timeout 10m")]
pub(crate) struct WaitArgs {
    /// Wait for this key only
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    pub(crate) kid: Option<String>,

    /// Wait no longer than this, e.g. 10m
    #[arg(long, value_name = "TIME", value_parser = super::setup::parse_wait)]
    pub(crate) timeout: Option<Duration>,
}

impl KeysArgs {
    pub(super) fn name(&self) -> &'static str {
        match self.command {
            None => "keys",
            Some(KeysCommand::Add(_)) => "keys add",
            Some(KeysCommand::Revoke(_)) => "keys revoke",
            Some(KeysCommand::Wait(_)) => "keys wait",
        }
    }
}
