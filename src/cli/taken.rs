//! PURE. Which common flag is taken by which command. The flags are global for the parser, so that `keyless --context x
//! audit` is as good as `keyless audit --context x`; a command that has no use for one refuses it and does not show it.

use std::ffi::OsString;

use clap::{
    ArgMatches, Command, CommandFactory, Error, FromArgMatches,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use super::{Cli, output, several, watch};

/// Flags by their IDs, and the commands that have a use for them, with their subcommands. What is not listed is taken by
/// every command.
const TAKEN_BY: [(&[&str], &[&str]); 9] = [
    (
        &["timeout"],
        &[
            "setup",
            "apply",
            "publish",
            "verify",
            "doctor",
            "status",
            "keys",
            "audit",
            "coupling",
            "teardown",
            "render issuer",
            "render store",
            "render credentials",
        ],
    ),
    (
        &["quiet"],
        &["setup", "apply", "publish", "verify", "doctor", "keys wait", "keys revoke", "audit", "teardown"],
    ),
    (
        &["issuer", "bucket", "endpoint", "region", "addressing", "public_url"],
        &[
            "setup",
            "publish",
            "verify",
            "doctor",
            "status",
            "keys",
            "teardown",
            "render issuer",
            "config view",
        ],
    ),
    (&["project"], &["setup", "publish", "status", "keys", "config view"]),
    (
        &["ca_file"],
        &[
            "setup",
            "publish",
            "verify",
            "doctor",
            "status",
            "keys",
            "audit",
            "teardown",
            "render issuer",
            "render store",
            "render credentials",
            "config view",
        ],
    ),
    (
        &["kubeconfig", "context"],
        &[
            "setup",
            "publish",
            "verify",
            "doctor",
            "status",
            "keys",
            "audit",
            "coupling",
            "teardown",
            "render store",
            "render credentials",
            "config view",
        ],
    ),
    (
        &["service_account", "external_signer"],
        &["setup", "publish", "verify", "doctor", "status", "keys", "teardown", "config view"],
    ),
    (&["public_key"], &["setup", "publish", "verify", "doctor", "status", "keys", "config view"]),
    (&["no_cluster"], &["publish", "verify", "render credentials", "config view"]),
];

/// They send no requests, whatever the command that they belong to takes.
const TAKES_NONE: [&str; 1] = ["audit diff"];

impl Cli {
    /// The arguments of the program, its name first.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut command = Self::definition();
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let contexts = several::given(&arguments);
        let mut matches =
            command.try_get_matches_from_mut(arguments).map_err(|error| named(error, &Self::definition()))?;
        let words = words(&matches);
        if let Some((flag, takers)) = misplaced(&command, &matches, &words.join(" ")) {
            command.build();
            let message = format!(
                "`keyless {}` has no use for {flag}: it is a flag of {}",
                words.join(" "),
                listed(&takers)
            );
            return Err(leaf(&mut command, &words).error(ErrorKind::UnknownArgument, message));
        }
        if let Some((kind, message)) = output::refused(&matches, &words.join(" ")) {
            command.build();
            return Err(leaf(&mut command, &words).error(kind, message));
        }
        if let Some(message) = several::refused(&matches, &words.join(" "), contexts) {
            command.build();
            return Err(leaf(&mut command, &words).error(ErrorKind::ArgumentConflict, message));
        }
        if let Some(message) = watch::refused(&matches) {
            command.build();
            return Err(leaf(&mut command, &words).error(ErrorKind::ArgumentConflict, message));
        }
        Self::from_arg_matches_mut(&mut matches)
    }

    /// What the derive macros give, with each common flag shown by the commands that take it.
    pub(crate) fn definition() -> Command {
        let command = Self::command();
        let common: Vec<_> =
            command.get_arguments().filter(|it| takers(it.get_id().as_str()).is_some()).cloned().collect();
        let output = command.get_arguments().find(|it| it.get_id() == "output").cloned();
        let names: Vec<_> = common.iter().map(|it| it.get_id().clone()).collect();
        let command = names.iter().fold(command, |command, name| command.mut_arg(name, |it| it.hide(true)));
        shown(command, "", &common, output.as_ref())
    }
}

/// The commands that take a flag; `None`: every command does.
fn takers(id: &str) -> Option<&'static [&'static str]> {
    TAKEN_BY.iter().find(|(ids, _)| ids.contains(&id)).map(|(_, takers)| *takers)
}

/// Whether a command is one of these, or a subcommand of one.
fn is_among(path: &str, commands: &[&str]) -> bool {
    let is_below = |command: &&str| {
        path.strip_prefix(command).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    !TAKES_NONE.contains(&path) && commands.iter().any(is_below)
}

/// A copy of its own for each command: the parser keeps it in place of the global one.
fn shown(mut command: Command, path: &str, common: &[clap::Arg], output: Option<&clap::Arg>) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for name in names {
        let path = format!("{path} {name}").trim().to_owned();
        command = command.mut_subcommand(name, |it| shown(it, &path, common, output));
    }
    if path.is_empty() {
        return command;
    }
    let taken = |id: &str| takers(id).is_some_and(|takers| is_among(path, takers));
    // What a command declares itself means something of its own there.
    let own: Vec<_> = command.get_arguments().map(|it| it.get_id().clone()).collect();
    let common = common.iter().filter(|it| !own.contains(it.get_id()));
    let command = command.args(common.map(|it| it.clone().hide(!taken(it.get_id().as_str()))));
    output.into_iter().fold(command, |command, it| output::with_formats(command, path, it))
}

/// The names of the command that is to be run: `["render", "store"]`.
fn words(matches: &ArgMatches) -> Vec<String> {
    let mut words = Vec::new();
    let mut next = matches.subcommand();
    while let Some((name, below)) = next {
        words.push(name.to_owned());
        next = below.subcommand();
    }
    words
}

fn leaf<'a>(command: &'a mut Command, words: &[String]) -> &'a mut Command {
    match words {
        [first, rest @ ..] if command.find_subcommand(first).is_some() => {
            leaf(command.find_subcommand_mut(first).expect("it was found"), rest)
        }
        _ => command,
    }
}

/// The first flag that was given to a command which has no use for it, and those that have.
fn misplaced(command: &Command, matches: &ArgMatches, path: &str) -> Option<(String, Vec<String>)> {
    command.get_arguments().find_map(|it| {
        let id = it.get_id().as_str();
        let takers = takers(id).filter(|takers| !is_among(path, takers))?;
        let given = matches.value_source(id) == Some(ValueSource::CommandLine);
        given.then(|| {
            (format!("--{}", it.get_long().unwrap_or(id)), takers.iter().map(|it| (*it).to_owned()).collect())
        })
    })
}

/// A flag that one command does not know may be one of another.
fn named(mut error: Error, definition: &Command) -> Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    let name = flag.trim_start_matches("--").split('=').next().unwrap_or_default().to_owned();
    if error.kind() != ErrorKind::UnknownArgument || !flag.starts_with("--") {
        return error;
    }
    let takers = owners(definition, "", &name);
    if !takers.is_empty() {
        let tip = StyledStr::from(format!("--{name} is a flag of {}", listed(&takers)));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// The commands with a flag of this name of their own.
fn owners(command: &Command, path: &str, name: &str) -> Vec<String> {
    let own = command.get_arguments().any(|it| it.get_long() == Some(name) && !it.is_hide_set());
    let own = own.then(|| path.to_owned()).into_iter();
    let below = command.get_subcommands().flat_map(|it| {
        let path = format!("{path} {}", it.get_name());
        owners(it, path.trim(), name)
    });
    own.chain(below).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
#[path = "taken_tests.rs"]
mod tests;
