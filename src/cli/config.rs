//! Arguments of `keyless config`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Cli, Command};

/// Show, check or begin the settings
///
/// Settings come from flags, then from environment variables, then from keyless.yaml, then from defaults. No command shows a
/// secret; the settings hold none.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a keyless.yaml with every setting in a comment; never over a file
    Init,
    /// Print the path of the settings file that is read
    Path,
    /// Print the JSON schema of keyless.yaml, for editors, or of the plans and results in JSON
    Schema(SchemaArgs),
    Validate(ValidateArgs),
    View(ViewArgs),
}

/// Check a settings file
///
/// Reads it as every command does, without flags and without the environment: syntax, names, types, and what the values
/// must be. The error names the setting and the line. No request is sent.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 no error was found · 2 the file cannot be used\n\n\
    Examples:\n  \
    keyless config validate\n  \
    keyless config validate prod/keyless.yaml")]
pub(crate) struct ValidateArgs {
    /// The file; by default the one that every command reads
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub(crate) file: Option<PathBuf>,
}

/// Show the settings that hold, each with its source
///
/// The source of a setting is a flag, an environment variable, the file, or the default. A setting that is not set is derived by
/// the command that needs it, or not used: --all lists those as well. No request is sent.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless config view\n  \
    keyless config view -o json | jq '.settings[] | select(.source == \"environment\")'")]
pub(crate) struct ViewArgs {
    /// Settings that nothing sets, too
    #[arg(long)]
    pub(crate) all: bool,
}

impl Cli {
    /// A file that `config validate` names is the settings file.
    pub(crate) fn name_settings(&mut self) {
        if let Command::Config(ConfigArgs { command: ConfigCommand::Validate(args) }) = &mut self.command
            && let Some(file) = args.file.take()
        {
            self.common.config = Some(file);
        }
    }
}

/// Which schema.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// What the schema is of
    #[arg(value_enum, default_value_t = SchemaOf::Settings, value_name = "WHAT")]
    pub(crate) of: SchemaOf,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchemaOf {
    /// keyless.yaml
    Settings,
    /// The member `plan` of the results of setup, publish and teardown
    Plan,
    /// The result of audit
    Audit,
    /// The result of audit over several clusters
    AuditFleet,
    /// The result of audit diff
    AuditDiff,
    /// The file of audit --exceptions
    Exceptions,
    /// The result of coupling
    Coupling,
}
