//! PURE. The arguments as help shows them, for completions and manual pages: their generators list what is hidden as well.

use clap::Command;

use super::Cli;

impl Cli {
    /// The definition without what is hidden.
    pub(crate) fn visible() -> Command {
        visible(&Self::definition(), true)
    }
}

fn visible(command: &Command, is_root: bool) -> Command {
    let mut copy = Command::new(command.get_name().to_owned());
    if let Some(version) = command.get_version().filter(|_| is_root) {
        copy = copy.version(version.to_owned()).propagate_version(true);
    }
    if let Some(about) = command.get_about() {
        copy = copy.about(about.clone());
    }
    if let Some(about) = command.get_long_about() {
        copy = copy.long_about(about.clone());
    }
    if let Some(after) = command.get_after_help() {
        copy = copy.after_help(after.clone());
    }
    // Each command has its own copy of a common flag.
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    copy = copy.args(shown.map(|argument| argument.clone().global(is_root && argument.is_global_set())));
    copy.subcommands(command.get_subcommands().map(|below| visible(below, false)))
        .subcommand_required(command.is_subcommand_required_set())
}
