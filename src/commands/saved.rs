//! Plans in files: `--out FILE`, and `keyless apply FILE`.

use std::{env, path::Path};

use crate::{
    cli::{ApplyArgs, Cli, Common, PlanFile},
    error::{Code, Error, Result},
    files::{self, Accept, foreign_writer},
    plan::{Plan, SavedPlan},
    report::{Report, printable},
};

/// A plan of some thousand steps.
const MAX_PLAN: usize = 16 << 20;

/// Saves the plan where the arguments say so, or refuses it where it is not the one that `keyless apply` was given.
pub(super) fn save_or_check(args: &PlanFile, plan: &Plan, report: &mut Report<'_>) -> Result<()> {
    let target = report.target().to_json();
    if let Some(saved) = &args.saved {
        return saved.check(&target, plan);
    }
    let Some(path) = &args.out else { return Ok(()) };
    let unwritable = || Error::failed(Code::PlanUnwritable, format!("{} cannot be written", path.display()));
    let directory = env::current_dir().map_err(|error| unwritable().caused_by(error))?;
    let directory = directory.display().to_string();
    let saved = SavedPlan::new(args.arguments.clone(), directory, target, plan);
    let text = printable(&path.display().to_string(), saved.to_text())?;
    files::replace(path, text.as_bytes()).map_err(|error| unwritable().caused_by(error))?;
    report.progress(format_args!("Saved the plan. To apply it: keyless apply {}", path.display()));
    Ok(())
}

/// The command line of a saved plan, with what makes it do nothing else.
pub(crate) fn load(args: &ApplyArgs, common: &Common) -> Result<Cli> {
    if common.config.is_some() {
        return Err(Error::usage(
            Code::PlanConfig,
            "apply takes no settings file: the saved plan names its own",
        )
        .hint("to apply other settings, save a plan by them: keyless setup --config FILE --out PLAN"));
    }
    let path = args.file.as_path();
    let name = path.display().to_string();
    let unreadable = || {
        Error::usage(Code::PlanUnreadable, format!("{name} cannot be read"))
            .hint("save a plan: keyless setup --out FILE")
    };
    let text =
        files::read_text(path, Accept::File, MAX_PLAN).map_err(|error| unreadable().caused_by(error))?;
    let user = rustix::process::geteuid().as_raw();
    if let Some(why) = foreign_writer(path, user).map_err(|error| unreadable().caused_by(error))? {
        return Err(Error::usage(Code::PlanUntrusted, format!("{name} is not applied: {why}"))
            .hint("save the plan again in a folder that only you can write"));
    }
    let saved = SavedPlan::parse(&text, &name)?;
    in_its_directory(&saved)?;
    let unusable = || {
        Error::usage(Code::PlanFile, format!("{name} holds a command line that this version does not take"))
            .hint("save the plan again")
    };
    let arguments = ["keyless".to_owned()].into_iter().chain(saved.arguments.iter().cloned());
    // The parser's own words would quote the file.
    let mut cli = Cli::read(arguments.map(Into::into)).map_err(|_| unusable())?;
    let Some(planned) = cli.command.planned() else { return Err(unusable()) };
    (*planned.yes, *planned.dry_run) = (true, false);
    *planned.plan = PlanFile { saved: Some(saved), ..PlanFile::default() };
    // It says how long a run may take, not what it does.
    cli.common.timeout = common.timeout;
    Ok(cli)
}

/// Relative paths would mean other files elsewhere.
fn in_its_directory(saved: &SavedPlan) -> Result<()> {
    let here = env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    let there = Path::new(&saved.directory).canonicalize().ok();
    if here.is_some() && here == there {
        return Ok(());
    }
    let hint = format!("run it there: cd {}", crate::shell::quote(&saved.directory));
    Err(Error::usage(Code::PlanDirectory, "the plan was saved in another folder").hint(hint))
}
