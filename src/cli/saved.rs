//! Arguments about plans in files.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use super::{Cli, Command};
use crate::plan::SavedPlan;

/// Where a plan goes to, or comes from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PlanFile {
    /// Show the plan as --dry-run does, and save it: keyless apply FILE does exactly what it shows
    #[arg(long, value_name = "FILE", conflicts_with = "yes")]
    pub(crate) out: Option<PathBuf>,

    /// What `keyless apply` was given: nothing but this is done.
    #[arg(skip)]
    pub(crate) saved: Option<SavedPlan>,

    /// The command line without the program's name, for the file.
    #[arg(skip)]
    pub(crate) arguments: Vec<String>,
}

impl PlanFile {
    /// A plan is only shown, and saved.
    pub(crate) fn is_saved(&self) -> bool {
        self.out.is_some()
    }
}

/// The arguments that every command with a plan has.
pub(crate) struct Planned<'a> {
    pub(crate) yes: &'a mut bool,
    pub(crate) dry_run: &'a mut bool,
    pub(crate) plan: &'a mut PlanFile,
}

impl Command {
    /// `None`: the command makes no plan.
    pub(crate) fn planned(&mut self) -> Option<Planned<'_>> {
        let (yes, dry_run, plan) = match self {
            Self::Setup(args) => (&mut args.yes, &mut args.dry_run, &mut args.plan),
            Self::Publish(args) => (&mut args.yes, &mut args.dry_run, &mut args.plan),
            Self::Teardown(args) => (&mut args.yes, &mut args.dry_run, &mut args.plan),
            _ => return None,
        };
        Some(Planned { yes, dry_run, plan })
    }
}

impl Cli {
    /// Keeps the command line for a plan that is to be saved. What is not text is replaced, and refused when it is read.
    pub(crate) fn remember<'a>(&mut self, arguments: impl Iterator<Item = &'a OsString>) {
        let Some(planned) = self.command.planned() else { return };
        planned.plan.arguments = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    }
}

/// Do exactly what a saved plan shows
///
/// Reads a file that --out has saved, makes the same plan again from what is there now, and compares the two. When they
/// are equal, it is applied without asking; when anything has changed since, nothing is done, and the differences are
/// named. The file holds no credential; run the command in the folder where the plan was saved, with the same
/// credentials.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    keyless setup --out plan.json\n  \
    keyless apply plan.json")]
pub(crate) struct ApplyArgs {
    /// A plan that setup, publish or teardown saved with --out
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}
