//! `keyless publish`: bring the public documents up to date with the cluster's keys.

use super::{Exit, prompt, saved};
use crate::{
    cli::PublishArgs,
    config::Settings,
    error::Result,
    http::Http,
    publication::{Options, Publication, PublicationPlan},
    report::{Report, Warning},
    rotation::Former,
    target,
    waiting::Waiting,
};

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &PublishArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let publication = Publication::connect(settings, &http).await?;
    let former = match (args.restore, args.same_cluster) {
        (true, _) => Former::Restore,
        (false, true) => Former::SameCluster,
        (false, false) => Former::Unknown,
    };
    let options = Options { create: args.create, former };

    let cluster = target::resolve(settings, report).await?;
    let waiting = Waiting::default();
    let observe = publication.observe_with_ledger(&options, cluster.as_ref(), now, &waiting);
    let observation = waiting.tell(report, observe).await?;
    let plan = async {
        let _wait = waiting.on("the bucket");
        publication.plan(&options, observation, now()).await
    };
    let mut plan = waiting.tell(report, plan).await?;

    let shown = plan.doubts.len();
    plan.lines().iter().for_each(|line| report.line(line));
    plan.notes().for_each(|note| report.warning(&Warning::from(note)));
    if plan.plan.pending() > 0 {
        report.line(format_args!("\n{}", plan.plan.summary()));
    }
    saved::save_or_check(&args.plan, &plan.plan, report)?;
    if args.dry_run || args.plan.is_saved() {
        report.json("publish", plan.to_json(&publication, None));
        report.line(match plan.is_pending() {
            true => plan.pending_line(&publication),
            false => plan.unchanged_line(&publication),
        });
        return Ok(exit(&plan, plan.plan.pending() > 0));
    }
    if plan.replaces() && plan.is_pending() {
        prompt::confirm(
            report,
            args.yes,
            &format!("Replace what is published as shown ({})", report.target()),
        )?;
    }
    publication.note_seen(&mut plan, cluster.as_ref(), report).await?;
    let outcome = publication.apply(&plan, report).await?;
    publication.note_public(&mut plan, &outcome, cluster.as_ref(), now()).await;
    plan.doubts[shown..].iter().for_each(|note| report.warning(&Warning::from(note)));
    outcome.notes.iter().for_each(|note| report.warning(&Warning::from(note)));
    report.json("publish", plan.to_json(&publication, Some(&outcome)));
    report.line(match plan.is_pending() {
        true => plan.published_line(&publication, &outcome),
        false => plan.unchanged_line(&publication),
    });
    Ok(exit(&plan, false))
}

/// What is known is published, and a run is no success all the same while something is not.
fn exit(plan: &PublicationPlan<'_>, pending: bool) -> Exit {
    match () {
        () if !plan.doubts.is_empty() => Exit::Incomplete,
        () if pending || plan.leaves_keys_out() || plan.alarms() => Exit::Found,
        () => Exit::Clean,
    }
}
