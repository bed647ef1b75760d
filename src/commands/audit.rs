//! `keyless audit`: count what does not expire and still opens a cloud, a secret store or the platform.

use std::path::Path;

use super::Exit;
use crate::{
    audit::{Evidence, Exceptions, Gate, Outcome, Verdict, judge, judge_with},
    cli::{AuditArgs, ReportFile},
    cluster::{
        Cluster,
        snapshot::{Inventory, Mode},
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::cloud::{self, CloudLook, Scope},
    files::{self, Accept, MAX_SMALL},
    http::Http,
    redact,
    report::Report,
    target,
    warning::Warning,
};

/// Runs the command. `now`: seconds since 1970.
pub(crate) async fn run(
    args: &AuditArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    // Before the cluster is looked through: that takes a while.
    let exceptions = args.exceptions.as_deref().map(exceptions).transpose()?;
    let cluster = target::require_look(settings, report).await?;
    let inventory = cluster.inventory(args.mode).await?;
    let at_providers = match args.cloud {
        true => Some(ask(&cluster, &inventory, settings).await?),
        false => None,
    };
    let mut verdict = judge_with(&inventory, at_providers.as_ref()).through(args.gate);
    if let Some(missing) = inventory.preflight.message(args.mode) {
        report.warning(&Warning::new(Code::ClusterForbidden, missing));
    }
    let now = now();
    if let Some(exceptions) = &exceptions {
        verdict = verdict.excepting(exceptions, now);
    }
    let json = format!("{}\n", report.json_text("audit", verdict.to_json()));
    let version = env!("CARGO_PKG_VERSION");
    let evidence = Evidence::new(&verdict, json, report.target(), version, now, &redact::line);
    // Before the result is printed: where one cannot be written, stdout holds nothing but the error.
    for file in &args.report {
        write(file, &evidence, report)?;
    }
    for line in verdict.lines() {
        report.line(line);
    }
    report.json("audit", verdict.to_json());
    report.form(|format| (format.write)(&evidence));
    Ok(exit(&verdict))
}

/// Asks the providers for what they issued to the identities that the cluster names.
async fn ask(cluster: &Cluster, inventory: &Inventory, settings: &Settings) -> Result<CloudLook> {
    let http = Http::new(&settings.additional_roots)?;
    let accounts = cluster.named_accounts(inventory).await?;
    Ok(cloud::look(&Scope { inventory, accounts: &accounts }, &settings.providers, &http).await)
}

/// Looks, and judges. With the rights that are missing for that, in words.
pub(super) async fn look(cluster: &Cluster, mode: Mode, gate: Gate) -> Result<(Verdict, Option<String>)> {
    let inventory = cluster.inventory(mode).await?;
    Ok((judge(&inventory).through(gate), inventory.preflight.message(mode)))
}

/// How the command ends.
pub(super) fn exit(verdict: &Verdict) -> Exit {
    match verdict.outcome() {
        Outcome::Zero | Outcome::ZeroExcept => Exit::Clean,
        Outcome::Found { .. } => Exit::Found,
        Outcome::Incomplete | Outcome::NothingToJudge => Exit::Incomplete,
    }
}

fn exceptions(path: &Path) -> Result<Exceptions> {
    let content = files::read_text(path, Accept::FileOrPipe, MAX_SMALL).map_err(|error| {
        Error::usage(Code::ExceptionsUnreadable, format!("{} cannot be read", path.display()))
            .caused_by(error)
            .hint("--exceptions names a file: docs/audit.md has an example")
    })?;
    Exceptions::parse(&content, path)
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
