//! Arguments of the commands about the program itself. They read no settings and ask no one.

use std::path::PathBuf;

use clap::Args;

/// Explain a code: its meaning, its causes, and what to do
///
/// Errors and warnings have a code in brackets, e.g. error[bucket-forbidden], and so has each failed check of verify.
/// Without a code, lists all of them. Reads no settings and sends no requests.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyless explain\n  keyless explain bucket-forbidden\n  \
                        keyless explain -o json | jq -r '.codes[].name'")]
pub(crate) struct ExplainArgs {
    /// The code in the message's brackets
    #[arg(value_name = "CODE")]
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
    /// Folder for keyless.1 and a page for each command, e.g. keyless-setup.1; it must exist
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
