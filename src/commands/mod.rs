//! One file per command: observe, decide, show, act.

pub(crate) mod audit;
mod audit_diff;
mod audit_fleet;
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
mod undecided;
pub(crate) mod verify;
mod version;

pub(crate) use crate::exit::Exit;
use crate::{
    cli::{AuditArgs, AuditCommand, Command, Common},
    error::Result,
    report::Report,
};

/// The commands that read no settings and ask no one; `None`: it is none of them.
pub(crate) fn without_settings(
    command: &Command,
    common: &Common,
    report: &mut Report<'_>,
) -> Option<Result<Exit>> {
    Some(match command {
        Command::Audit(AuditArgs { command: Some(AuditCommand::Diff(args)), .. }) => {
            audit_diff::run(args, report)
        }
        Command::Completions(args) => completions::run(args, report),
        Command::Config(args) => return config::without_settings(args, common, report),
        Command::Explain(args) => explain::run(args, report),
        Command::Man(args) => man::run(args, report),
        Command::Version(_) => Ok(version::run(report)),
        _ => return None,
    })
}
