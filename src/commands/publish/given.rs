//! `keyless publish` where a provider is given the keys, and no bucket is named: the same run without documents.

use super::{Exit, Intent, saved};
use crate::{
    config::Settings,
    error::{Code, Error, Result},
    http::Http,
    publication::{Given, GivenPlan},
    report::Report,
    rotation::Former,
    target,
    waiting::Waiting,
};

/// Whether these settings name no documents, and a provider that is given the keys.
pub(super) fn is_meant(settings: &Settings) -> bool {
    settings.bucket.is_none() && settings.providers.give_keys()
}

pub(super) async fn run(
    intent: &Intent<'_>,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    if intent.options.create || intent.options.former != Former::Unknown {
        return Err(Error::usage(
            Code::KeysUploaded,
            "--create, --restore and --same-cluster are about documents, and the settings name no bucket",
        )
        .hint("leave them out: the keys of the provider are brought up to date"));
    }
    let http = Http::new(&settings.additional_roots)?;
    let given = Given::connect(settings, &http)?;
    let cluster = target::require(settings, report).await?;
    let waiting = Waiting::default();
    let mut plan = waiting.tell(report, given.plan(&cluster, now, &waiting)).await?;
    let shown = plan.doubts.len();
    report.lines(plan.plan.lines());
    plan.notes().for_each(|note| report.warning(note));
    if plan.plan.pending() > 0 {
        report.line(format_args!("\n{}", plan.plan.summary()));
    }
    saved::save_or_check(&intent.plan, &plan.plan, report)?;
    let applies = !intent.dry_run && !intent.plan.is_saved();
    if applies {
        given.apply(&mut plan, &cluster, now, report).await?;
        plan.doubts[shown..].iter().for_each(|note| report.warning(note));
    }
    report.json(intent.name, plan.to_json(applies));
    report.line(plan.last_line());
    Ok(exit(&plan, !applies && plan.plan.pending() > 0))
}

/// As for documents.
pub(super) fn exit(plan: &GivenPlan<'_>, pending: bool) -> Exit {
    match () {
        () if !plan.doubts.is_empty() => Exit::Incomplete,
        () if pending || plan.alarms() => Exit::Found,
        () => Exit::Clean,
    }
}
