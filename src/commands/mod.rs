//! One file per command: observe, decide, show, act.

pub(crate) mod audit;
mod completions;
pub(crate) mod config;
pub(crate) mod coupling;
mod distribution;
pub(crate) mod doctor;
mod explain;
mod issuer;
pub(crate) mod keys;
mod man;
mod naming;
mod new_path;
#[cfg(test)]
mod new_provider_tests;
mod objects;
mod operator;
mod probe;
mod prompt;
pub(crate) mod publish;
mod refresh;
pub(crate) mod render;
mod resolve;
mod rights;
pub(crate) mod saved;
pub(crate) mod setup;
pub(crate) mod status;
pub(crate) mod store;
mod stores;
pub(crate) mod teardown;
pub(crate) mod verify;
mod version;

use crate::{
    cli::{Command, Common},
    error::Result,
    report::Report,
};

/// How a command that could be carried out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Exit code 0.
    Clean,
    /// Exit code 1: a failed check, or a pending change.
    Found,
    /// Exit code 3: nothing was found, but not everything could be looked at.
    Incomplete,
}

/// The commands that read no settings and ask no one; `None`: it is none of them.
pub(crate) fn without_settings(
    command: &Command,
    common: &Common,
    report: &mut Report<'_>,
) -> Option<Result<Exit>> {
    Some(match command {
        Command::Completions(args) => completions::run(args, report),
        Command::Config(args) => return config::without_settings(args, common, report),
        Command::Explain(args) => explain::run(args, report),
        Command::Man(args) => man::run(args, report),
        Command::Version(_) => Ok(version::run(report)),
        _ => return None,
    })
}
