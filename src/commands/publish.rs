//! `keyless publish`: bring the public documents up to date with the cluster's keys.

mod given;
mod revoke;
mod watch;

use std::borrow::Cow;

pub(crate) use self::watch::run as watch;
use super::{Exit, prompt, saved};
use crate::{
    cli::{PlanFile, PublishArgs, RevokeArgs},
    cluster::Cluster,
    config::Settings,
    error::Result,
    http::Http,
    publication::{Options, Outcome, Publication, PublicationPlan},
    report::Report,
    rotation::Former,
    target,
    waiting::Waiting,
};

/// What this run is for.
pub(crate) struct Intent<'a> {
    /// The command, as JSON names it.
    name: &'static str,
    options: Options,
    dry_run: bool,
    yes: bool,
    plan: Cow<'a, PlanFile>,
    /// The `kid` of a key to take out.
    revoke: Option<&'a str>,
}

impl<'a> From<&'a PublishArgs> for Intent<'a> {
    fn from(args: &'a PublishArgs) -> Self {
        let former = match (args.restore, args.same_cluster) {
            (true, _) => Former::Restore,
            (false, true) => Former::SameCluster,
            (false, false) => Former::Unknown,
        };
        Self {
            options: Options { create: args.create, former },
            dry_run: args.dry_run,
            yes: args.yes,
            plan: Cow::Borrowed(&args.plan),
            ..Self::bare("publish")
        }
    }
}

impl<'a> Intent<'a> {
    fn bare(name: &'static str) -> Self {
        let options = Options { create: false, former: Former::Unknown };
        Self { name, options, dry_run: false, yes: false, plan: Cow::default(), revoke: None }
    }

    /// The keys of files, as the settings name them.
    pub(super) fn adds(dry_run: bool) -> Self {
        Self { dry_run, ..Self::bare("keys add") }
    }

    pub(super) fn revokes(args: &'a RevokeArgs) -> Self {
        let revoke = Some(args.kid.as_str());
        Self { dry_run: args.dry_run, yes: args.yes, revoke, ..Self::bare("keys revoke") }
    }
}

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    intent: &Intent<'_>,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    if given::is_meant(settings) && intent.revoke.is_none() {
        return given::run(intent, settings, now, report).await;
    }
    let http = Http::new(&settings.additional_roots)?;
    let publication = Publication::connect(settings, &http).await?;
    let options = intent.options;
    let cluster = target::resolve(settings, report).await?;
    let waiting = Waiting::default();
    let observe = publication.observe_with_ledger(&options, cluster.as_ref(), now, &waiting);
    let mut observation = waiting.tell(report, observe).await?;
    if let Some(kid) = intent.revoke {
        revoke::begin(kid, &mut observation, settings, report)?;
    }
    let plan = async {
        let _wait = waiting.on("the bucket");
        publication.plan(&options, observation, now()).await
    };
    let mut plan = waiting.tell(report, plan).await?;

    let shown = plan.doubts.len();
    plan.lines().iter().for_each(|line| report.line(line));
    plan.notes().for_each(|note| report.warning(note));
    if plan.plan.pending() > 0 {
        report.line(format_args!("\n{}", plan.plan.summary()));
    }
    saved::save_or_check(&intent.plan, &plan.plan, report)?;
    if intent.dry_run || intent.plan.is_saved() {
        report.json(intent.name, plan.to_json(&publication, None));
        report.line(match plan.is_pending() {
            true => plan.pending_line(&publication),
            false => plan.unchanged_line(&publication),
        });
        return Ok(exit(&plan, plan.plan.pending() > 0));
    }
    if plan.replaces() && plan.is_pending() {
        prompt::confirm(
            report,
            intent.yes,
            &format!("Replace what is published as shown ({})", report.target()),
        )?;
    }
    if let Some(kid) = intent.revoke {
        let question = format!("Revoke {} ({})", kid.escape_debug(), report.target());
        prompt::confirm(report, intent.yes, &question)?;
    }
    let outcome = apply(&publication, &mut plan, cluster.as_ref(), now, report).await?;
    plan.doubts[shown..].iter().for_each(|note| report.warning(note));
    outcome.notes.iter().for_each(|note| report.warning(note));
    report.json(intent.name, plan.to_json(&publication, Some(&outcome)));
    report.line(match plan.is_pending() {
        true => plan.published_line(&publication, &outcome),
        false => plan.unchanged_line(&publication),
    });
    Ok(exit(&plan, false))
}

/// Does what was planned: the ledger, the documents, what anonymous readers get, the ledger.
async fn apply(
    publication: &Publication<'_>,
    plan: &mut PublicationPlan<'_>,
    cluster: Option<&Cluster>,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Outcome> {
    publication.note_seen(plan, cluster, report).await?;
    revoke::check(plan)?;
    let outcome = publication.apply(plan, report).await?;
    publication.note_public(plan, &outcome, cluster, now()).await;
    Ok(outcome)
}

/// What is known is published, and a run is no success all the same while something is not.
fn exit(plan: &PublicationPlan<'_>, pending: bool) -> Exit {
    match () {
        () if !plan.doubts.is_empty() => Exit::Incomplete,
        () if pending || plan.leaves_keys_out() || plan.alarms() => Exit::Found,
        () => Exit::Clean,
    }
}
