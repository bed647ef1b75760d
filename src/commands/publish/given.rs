//! `keyless publish` where providers are given the keys, and no bucket is named: the same run without documents. `keys add`
//! and `keys revoke` as well.

use std::time::Duration;

use super::{Exit, Intent, LOOKS, prompt, revoke, saved};
use crate::{
    cluster::Cluster,
    config::Settings,
    error::{Code, Error, Result},
    http::Http,
    plan::Step,
    publication::{Given, GivenPlan},
    report::{Line, Report, Tone},
    retry::{Attempts, Backoff},
    rotation::Former,
    target,
    waiting::Waiting,
};

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
        .hint("leave them out: the keys of the provider are brought up to date")
        .hint("a former key of this cluster is recorded by `keyless keys add FILE`, with its public half; `keyless setup` puts this cluster's \
               present keys in the place of all others, also of its former ones"));
    }
    let http = Http::new(&settings.additional_roots)?;
    let given = Given::connect(settings, &http)?.looking_up_tokens(intent.looks_up_tokens);
    let cluster = target::require(settings, report).await?;
    let mut attempts = Attempts::begin(Backoff::conflict(Duration::from_millis(100), LOOKS));
    let mut shown = None;
    loop {
        let mut plan = look(intent, settings, &given, &cluster, now, report).await?;
        let applies = !intent.dry_run && !intent.plan.is_saved();
        show(intent, &plan, shown.as_deref(), applies, report)?;
        let known = plan.doubts.len();
        if applies {
            match given.apply(&mut plan, &cluster, now, report).await {
                // What was confirmed rests on a look that is out of date.
                Err(error) if error.code == Code::ApplyRaced && intent.revoke.is_some() => {
                    if !attempts.pause(None).await {
                        return Err(revoke::overtaken());
                    }
                    report.progress("another publisher wrote in between: looking again");
                    shown = Some(plan.plan.steps);
                    continue;
                }
                applied => applied?,
            }
            plan.doubts[known..].iter().for_each(|note| report.warning(note));
            if let (Some(kid), true) = (intent.revoke, plan.has_failures()) {
                report.result(format_args!(
                    "{} is revoked, and may still be at {}: `keyless publish` takes it out there as soon as it can",
                    kid.escape_debug(),
                    plan.refusing().join(", ")
                ));
            }
        }
        report.json(intent.name, plan.to_json(applies));
        report.lines(plan.place_lines());
        report.result(plan.last_line());
        return Ok(exit(&plan, !applies && plan.plan.pending() > 0));
    }
}

async fn look<'p>(
    intent: &Intent<'_>,
    settings: &Settings,
    given: &'p Given<'_>,
    cluster: &Cluster,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<GivenPlan<'p>> {
    let waiting = Waiting::default();
    let mut seen = waiting.tell(report, given.observe(cluster, now, &waiting)).await?;
    if let Some(kid) = intent.revoke {
        revoke::begin(kid, seen.history.as_mut(), settings, true, report)?;
    }
    waiting.tell(report, given.plan(seen, cluster)).await
}

/// Shows what would be done, and asks where a key is revoked. `shown`: what was confirmed before.
fn show(
    intent: &Intent<'_>,
    plan: &GivenPlan<'_>,
    shown: Option<&[Step]>,
    applies: bool,
    report: &mut Report<'_>,
) -> Result<()> {
    if shown.is_some_and(|shown| shown == plan.plan.steps) {
        return Ok(());
    }
    report.lines(plan.plan.lines());
    plan.notes().for_each(|note| report.warning(note));
    if plan.plan.pending() > 0 {
        report.line(Line::marked(Tone::Title, format_args!("\n{}", plan.plan.summary())));
    }
    saved::save_or_check(&intent.plan, &plan.plan, report)?;
    match intent.revoke {
        Some(kid) if applies => {
            let question = format!("Revoke {} ({})", kid.escape_debug(), report.target());
            prompt::confirm(report, intent.yes, &question)
        }
        _ => Ok(()),
    }
}

/// As for documents.
pub(super) fn exit(plan: &GivenPlan<'_>, pending: bool) -> Exit {
    match () {
        () if !plan.doubts.is_empty() => Exit::Incomplete,
        () if pending || plan.alarms() => Exit::Found,
        () => Exit::Clean,
    }
}
