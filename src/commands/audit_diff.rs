//! `keyless audit diff`: two results of the audit beside each other. Asks no one and reads no settings.

use std::path::Path;

use super::Exit;
use crate::{
    audit::{Answer, MAX_REPORT, Saved, difference},
    cli::DiffArgs,
    error::{Code, Error, Result},
    files::{self, Accept},
    report::Report,
};

pub(crate) fn run(args: &DiffArgs, report: &mut Report<'_>) -> Result<Exit> {
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    after.is_of(before.uid(), &args.after, &args.before.display().to_string())?;
    if let (Some(first), Some(second)) = (before.started(), after.started())
        && second < first
    {
        return Err(out_of_order(&args.after, &format!("it was made before {}", args.before.display())));
    }
    let difference = difference(&before, &after);
    report.lines(difference.lines(&before, &after));
    report.json("audit diff", difference.to_json(&before, &after));
    Ok(match difference.answer() {
        Answer::NothingNew => Exit::Clean,
        Answer::New => Exit::Found,
        Answer::NotEstablished => Exit::Incomplete,
    })
}

/// A result of the audit that was saved.
pub(super) fn read(path: &Path) -> Result<Saved> {
    let content = files::read_text(path, Accept::FileOrPipe, MAX_REPORT).map_err(|error| {
        Error::usage(Code::AuditReportUnreadable, format!("{} cannot be read", path.display()))
            .caused_by(error)
            .hint("name a file that `keyless audit --report json=FILE` has written")
    })?;
    Saved::parse(&content, path)
}

pub(super) fn out_of_order(path: &Path, why: &str) -> Error {
    Error::usage(Code::AuditReportOrder, format!("{} is not the result that it is given for", path.display()))
        .caused_by(why)
        .hint("give the earlier result first; if a clock was wrong, make the audit again")
}
