//! Arguments of the commands about the program itself, which read no settings and ask no one; and of `keyless status`.

use std::path::PathBuf;

use clap::Args;

/// Explain a code or a setting: its meaning, and what to do
///
/// Errors and warnings have a code in brackets, e.g. error[bucket-forbidden], and so has each failed check of verify. Settings go by
/// their path in keyless.yaml, or by their environment variable; a section means all its settings. Without a name, lists
/// everything. Reads no settings and sends no requests.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyless explain\n  keyless explain bucket-forbidden\n  \
                        keyless explain cluster.maxTokenSeconds\n  \
                        keyless explain -o json | jq -r '.codes[].name'")]
pub(crate) struct ExplainArgs {
    /// The code in the message's brackets, or the path of a setting, e.g. cluster.maxTokenSeconds
    #[arg(value_name = "NAME")]
    pub(crate) code: Option<String>,
}

/// Print a script that completes commands and flags in a shell
///
/// Commands, flags and the values of a flag that has a list of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    source <(keyless completions bash)\n  \
    keyless completions zsh >\"${fpath[1]}/_keyless\"\n  \
    keyless completions fish >~/.config/fish/completions/keyless.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page, or write one page for each command
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless man | man -l -\n  \
    keyless man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Folder for keyless.1 and a page for each command, e.g. keyless-setup.1; made if missing
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

/// Print the version, and how this binary was built
///
/// The commit is that which the build was told; a build from a source archive knows none.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless version\n  \
    keyless version -o json | jq -r .commit")]
pub(crate) struct VersionArgs {}

/// Show the state of the cluster on one screen
///
/// The cluster, its issuer and whether the published documents match it, the keys, each store and how its settings log it in, the
/// long-lived credentials that are seen without a look into Secrets, and the command that comes next. What could not be read is
/// `unknown`. The count of credentials is what was seen (`audit --mode refs`): it is no proof of zero. Nothing is changed; as for
/// `keys`, each API server is asked for a test token.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything that the page is about was read · 3 something could not be read, and is unknown\n\n\
    For scripts: -o json has `documents`, `keys`, `stores`, `credentials`, `next` and `complete`\n\n\
    Examples:\n  \
    keyless status\n  \
    keyless status -o json | jq -r .next.command"
)]
pub(crate) struct StatusArgs {}
