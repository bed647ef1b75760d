//! Arguments of `keyless audit diff`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AuditArgs;

/// What is done with results of the audit.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    Diff(DiffArgs),
}

/// Compare two results of the audit: what is new, gone, or moved
///
/// Reads two results of `keyless audit -o json` of one cluster, and sends no requests. A credential is known again by its
/// public ID, else by its place and kind. It is `gone` only if the later audit looked at everything; else it is `not seen`.
/// A credential that is in both results and lies in a further place, opens more than before, or is no longer excepted, got
/// worse.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the later audit looked at everything, and nothing is new · 1 something is new, or got worse · \
    2 a file cannot be used, or the two are about different clusters · 3 nothing new was seen, but the later audit is incomplete\n\n\
    For scripts: -o json has `answer` (nothing-new, new, not-established), `new`, `gone`, `moved` and `notSeen`\n\n\
    Examples:\n  \
    keyless audit diff monday.json tuesday.json\n  \
    keyless audit diff monday.json tuesday.json -o json | jq '.new[].id'"
)]
pub(crate) struct DiffArgs {
    /// The earlier result
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,

    /// The later result
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
}

impl AuditArgs {
    pub(super) fn name(&self) -> &'static str {
        match self.command {
            None => "audit",
            Some(AuditCommand::Diff(_)) => "audit diff",
        }
    }
}
