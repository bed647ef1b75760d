//! `keyless audit`: count what does not expire and still opens a cloud, a secret store or the platform.

use super::Exit;
use crate::{
    audit::{Evidence, Outcome, judge},
    cli::{AuditArgs, ReportFile},
    config::Settings,
    error::{Code, Error, Result},
    files, redact,
    report::Report,
    target,
};

/// Runs the command. `now`: seconds since 1970.
pub(crate) async fn run(
    args: &AuditArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let cluster = target::require_look(settings, report).await?;
    let verdict = judge(&cluster.inventory().await?).through(args.gate);
    let json = format!("{}\n", report.json_text("audit", verdict.to_json()));
    let version = env!("CARGO_PKG_VERSION");
    let evidence = Evidence::new(&verdict, json, report.target(), version, now(), &redact::line);
    // Before the result is printed: where one cannot be written, stdout holds nothing but the error.
    for file in &args.report {
        write(file, &evidence, report)?;
    }
    for line in verdict.lines() {
        report.line(line);
    }
    report.json("audit", verdict.to_json());
    report.form(|format| (format.write)(&evidence));
    Ok(match verdict.outcome() {
        Outcome::Zero => Exit::Clean,
        Outcome::Found { .. } => Exit::Found,
        Outcome::Incomplete | Outcome::NothingToJudge => Exit::Incomplete,
    })
}

fn write(
    ReportFile { format, file }: &ReportFile,
    evidence: &Evidence,
    report: &mut Report<'_>,
) -> Result<()> {
    let name = file.display();
    // As `Report::form` prints it.
    let text = redact::document(&(format.write)(evidence));
    files::replace(file, text.as_bytes()).map_err(|error| {
        Error::failed(Code::ReportUnwritable, format!("the report {name} cannot be written"))
            .caused_by(error)
            .hint("name a file in a folder that exists and may be written: --report FORMAT=FILE")
    })?;
    report.detail(format_args!("Wrote {name}: {}", format.summary));
    Ok(())
}
