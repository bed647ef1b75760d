//! `keyless audit`: count what does not expire and still opens a cloud, a secret store or the platform.

use std::path::Path;

use super::{Exit, audit_diff, audit_fleet, render::rights::in_cluster};
use crate::{
    audit::{Evidence, Exceptions, Gate, NewSince, Outcome, Saved, Verdict, judge_with},
    cli::{AuditArgs, ReportFile},
    cluster::{
        Cluster,
        snapshot::{Inventory, Mode, Preflight},
    },
    config::Settings,
    error::{Code, Error, Result},
    federation::{
        IssuerSetting, OwnIssuer,
        cloud::{self, CloudLook, Scope},
    },
    files::{self, Accept, MAX_SMALL},
    http::Http,
    redact,
    report::{Line, Report, Tone},
    target,
    warning::Warning,
};

/// How far the clocks of two machines may be apart, in seconds.
const CLOCKS: u64 = 300;

/// Of the headline: green is what was proved.
fn tone(outcome: &Outcome) -> Tone {
    match outcome {
        Outcome::Zero | Outcome::ZeroExcept => Tone::Good,
        Outcome::Found { .. } => Tone::Error,
        Outcome::Incomplete | Outcome::NothingToJudge => Tone::Warning,
    }
}

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &AuditArgs,
    contexts: &[String],
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    // Once, so that all that the run decides is of one time.
    let now = now();
    if args.all_contexts || contexts.len() > 1 {
        return audit_fleet::run(args, contexts, settings, now, report).await;
    }
    // Before the cluster is looked through: that takes a while.
    let exceptions = args.exceptions.as_deref().map(exceptions).transpose()?;
    let baseline = args.baseline.as_deref().map(|path| Ok((path, audit_diff::read(path)?))).transpose()?;
    if let Some((path, baseline)) = &baseline
        && baseline.started().is_some_and(|started| started > now.saturating_add(CLOCKS))
    {
        return Err(audit_diff::out_of_order(path, "it was made in the future, by this machine's clock"));
    }
    let cluster = target::require_look(settings, report).await?;
    if let Some((path, baseline)) = &baseline {
        // Without its UID it may be any cluster.
        let uid = cluster.uid().map_err(|error| error.at("a baseline is of one cluster"))?;
        baseline.is_of(uid, path, "the one that is audited")?;
    }
    let mut verdict = judged(&cluster, args, Asked { settings, is_of_several: false }, now, report).await?;
    if let Some(exceptions) = &exceptions {
        verdict = verdict.excepting(exceptions, now);
    }
    if let Some((_, baseline)) = &baseline {
        // Both in the form of a file, so that they are compared as `audit diff` compares them.
        let current = Saved::parse(&report.json_text("audit", verdict.to_json()), Path::new("the result"))?;
        verdict = verdict.since(NewSince::of(baseline, &current));
    }
    let json = format!("{}\n", report.json_text("audit", verdict.to_json()));
    let version = env!("CARGO_PKG_VERSION");
    let evidence = Evidence::new(&verdict, json, report.target(), version, now, &redact::line);
    // Before the result is printed: where one cannot be written, stdout holds nothing but the error.
    for file in &args.report {
        write(file, &(file.format.write)(&evidence), report)?;
    }
    show(&verdict.outcome(), verdict.lines(), report);
    report.json("audit", verdict.to_json());
    report.form(|format| (format.write)(&evidence));
    Ok(verdict.exit())
}

/// The headline, and what is below it.
pub(super) fn show(outcome: &Outcome, lines: Vec<String>, report: &mut Report<'_>) {
    let mut lines = lines.into_iter();
    report.result(Line::whole(tone(outcome), lines.next().unwrap_or_default()));
    report.lines(lines);
}

/// How the providers are asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) settings: &'a Settings,
    /// About other clusters, too, in the same run.
    pub(super) is_of_several: bool,
}

/// What one cluster comes to, without exceptions. The rights that are missing for it are warnings.
pub(super) async fn judged(
    cluster: &Cluster,
    args: &AuditArgs,
    asked: Asked<'_>,
    now: u64,
    report: &mut Report<'_>,
) -> Result<Verdict> {
    let flags =
        asked.settings.cluster.as_ref().map(|access| in_cluster(access, asked.settings)).unwrap_or_default();
    let asked = args.cloud.then_some(asked);
    let (mut verdict, preflight) = look(cluster, args.mode, args.gate, asked, now).await?;
    for (code, missing) in std::mem::take(&mut verdict.record.missing) {
        report.warning(&Warning::new(code, missing));
    }
    if let Some(missing) = preflight.message(args.mode, &flags) {
        report.warning(&Warning::new(Code::ClusterForbidden, missing));
    }
    if let Some(unanswered) = preflight.unanswered_message() {
        report.warning(&Warning::new(Code::ClusterRefused, unanswered));
    }
    Ok(verdict)
}

/// Asks the providers for what they issued to the identities that the cluster names.
async fn ask(
    cluster: &Cluster,
    inventory: &Inventory,
    Asked { settings, is_of_several }: Asked<'_>,
    now: u64,
) -> Result<CloudLook> {
    let http = Http::new(&settings.additional_roots)?;
    let accounts = cluster.named_accounts(inventory).await?;
    let setting = settings
        .issuer
        .as_ref()
        .map(|issuer| IssuerSetting { issuer: issuer.as_str(), is_of_user: settings.issuer_is_decided });
    let issuer = OwnIssuer::of(setting, cluster);
    let scope = Scope { inventory, accounts: &accounts, issuer: &issuer, now, is_of_several };
    Ok(cloud::look(&scope, &settings.providers, &http).await)
}

/// Looks, and judges. `asked`: the providers too; `now`: seconds since 1970. With the rights that are missing for that.
pub(super) async fn look(
    cluster: &Cluster,
    mode: Mode,
    gate: Gate,
    asked: Option<Asked<'_>>,
    now: u64,
) -> Result<(Verdict, Preflight)> {
    let inventory = cluster.inventory(mode).await?;
    let at_providers = match asked {
        Some(asked) => Some(ask(cluster, &inventory, asked, now).await?),
        None => None,
    };
    let mut verdict = judge_with(&inventory, at_providers.as_ref()).through(gate);
    verdict.record.started = Some(now);
    verdict.record.missing = at_providers.map(|look| look.missing_rights()).unwrap_or_default();
    verdict.record.cluster = cluster.uid().ok().map(str::to_owned);
    Ok((verdict, inventory.preflight))
}

pub(super) fn exceptions(path: &Path) -> Result<Exceptions> {
    let content = files::read_text(path, Accept::FileOrPipe, MAX_SMALL).map_err(|error| {
        Error::usage(Code::ExceptionsUnreadable, format!("{} cannot be read", path.display()))
            .caused_by(error)
            .hint("--exceptions names a file: docs/audit.md has an example")
    })?;
    Exceptions::parse(&content, path)
}

pub(super) fn write(
    ReportFile { format, file }: &ReportFile,
    text: &str,
    report: &mut Report<'_>,
) -> Result<()> {
    let name = file.display();
    // As `Report::form` prints it.
    let text = redact::document(text);
    files::replace(file, text.as_bytes()).map_err(|error| {
        Error::failed(Code::ReportUnwritable, format!("the report {name} cannot be written"))
            .caused_by(error)
            .hint("name a file in a folder that exists and may be written: --report FORMAT=FILE")
    })?;
    report.detail(format_args!("Wrote {name}: {}", format.summary));
    Ok(())
}
