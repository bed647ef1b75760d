//! `keyless publish`: bring the public documents up to date with the cluster's keys.

mod given;
mod revoke;
mod watch;

use std::{borrow::Cow, time::Duration};

pub(crate) use self::watch::run as watch;
use super::{Exit, prompt, saved, undecided::Undecided};
use crate::{
    cli::{PlanFile, PublishArgs, RevokeArgs},
    cluster::Cluster,
    config::Settings,
    error::{Code, Result},
    http::Http,
    plan::Plan,
    publication::{Given, Options, Outcome, Publication, PublicationPlan},
    report::{Line, Report, Tone},
    retry::{Attempts, Backoff},
    rotation::Former,
    target,
    waiting::Waiting,
};

/// How often a revocation that was overtaken looks again.
const LOOKS: u32 = 5;

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
    /// A person runs it, who may see more than the CronJob: what is found is recorded for it.
    looks_up_tokens: bool,
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
            looks_up_tokens: args.look_up_tokens,
            ..Self::bare("publish")
        }
    }
}

impl<'a> Intent<'a> {
    fn bare(name: &'static str) -> Self {
        let options = Options { create: false, former: Former::Unknown };
        Self {
            name,
            options,
            dry_run: false,
            yes: false,
            plan: Cow::default(),
            revoke: None,
            looks_up_tokens: false,
        }
    }

    /// The keys of files, as the settings name them.
    pub(super) fn adds(dry_run: bool) -> Self {
        Self { dry_run, looks_up_tokens: true, ..Self::bare("keys add") }
    }

    pub(super) fn revokes(args: &'a RevokeArgs) -> Self {
        let revoke = Some(args.kid.as_str());
        Self {
            dry_run: args.dry_run,
            yes: args.yes,
            revoke,
            looks_up_tokens: true,
            ..Self::bare("keys revoke")
        }
    }
}

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    intent: &Intent<'_>,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    if !intent.dry_run {
        Undecided::key_set(settings).refuse()?;
    }
    if Given::is_meant(settings) {
        return given::run(intent, settings, now, report).await;
    }
    let http = Http::new(&settings.additional_roots)?;
    let publication = Publication::connect(settings, &http).await?;
    let publication = publication.looking_up_tokens(intent.looks_up_tokens);
    let cluster = target::resolve(settings, report).await?;
    let mut attempts = Attempts::begin(Backoff::conflict(Duration::from_millis(100), LOOKS));
    let mut shown = None;
    loop {
        let looked =
            look(intent, settings, &publication, cluster.as_ref(), now, shown.as_ref(), report).await?;
        let mut plan = match looked {
            Looked::Done(exit) => return Ok(exit),
            Looked::Confirmed(plan) => *plan,
        };
        match publication.note_seen(&mut plan, cluster.as_ref(), report).await {
            // What was confirmed rests on a look that is out of date. Nothing was written.
            Err(error) if error.code == Code::ApplyRaced && intent.revoke.is_some() => {
                if !attempts.pause(None).await {
                    return Err(revoke::overtaken());
                }
                report.progress("another publisher wrote the ledger in between: looking again");
                shown = Some(plan.plan);
                continue;
            }
            noted => noted?,
        }
        return finish(intent, plan, &publication, cluster.as_ref(), now, report).await;
    }
}

/// What came of a look.
enum Looked<'p> {
    /// Nothing more is to be done.
    Done(Exit),
    /// To be applied.
    Confirmed(Box<PublicationPlan<'p>>),
}

/// Looks, shows what would be done, and asks. `shown`: what was confirmed in an earlier look.
async fn look<'p>(
    intent: &Intent<'_>,
    settings: &Settings,
    publication: &'p Publication<'_>,
    cluster: Option<&Cluster>,
    now: fn() -> u64,
    shown: Option<&Plan>,
    report: &mut Report<'_>,
) -> Result<Looked<'p>> {
    let options = intent.options;
    let waiting = Waiting::default();
    let observe = publication.observe_with_ledger(&options, cluster, now, &waiting);
    let mut observation = waiting.tell(report, observe).await?;
    if let Some(kid) = intent.revoke {
        revoke::begin(kid, observation.history.as_mut(), settings, false, report)?;
    }
    let plan = async {
        let _wait = waiting.on("the bucket");
        publication.plan(&options, observation, now()).await
    };
    let mut plan = waiting.tell(report, plan).await?;
    plan.shown_doubts = plan.doubts.len();
    if shown.is_some_and(|shown| shown.steps == plan.plan.steps) {
        return Ok(Looked::Confirmed(Box::new(plan)));
    }
    report.lines(plan.lines());
    plan.notes().for_each(|note| report.warning(note));
    if plan.plan.pending() > 0 {
        report.line(Line::marked(Tone::Title, format_args!("\n{}", plan.plan.summary())));
    }
    let vouched = PublicationPlan::kids_of(&plan.vouched());
    if !vouched.is_empty() {
        for key in plan.vouched() {
            let (kid, algorithm, kind) = (key.kid().escape_debug(), key.algorithm().name(), key.describe());
            report.line(format_args!(
                "taken for a former key of this cluster, whose holder can sign as every workload: {kid}  {algorithm} {kind}"
            ));
        }
    }
    saved::save_or_check(&intent.plan, &plan.plan, report)?;
    if intent.dry_run || intent.plan.is_saved() {
        report.json(intent.name, plan.to_json(publication, None));
        report.result(match plan.is_pending() {
            true => plan.pending_line(publication),
            false if plan.is_ledger_only() => plan.pending_line(publication),
            false => plan.unchanged_line(publication),
        });
        return Ok(Looked::Done(exit(&plan, plan.plan.pending() > 0)));
    }
    if !vouched.is_empty() {
        let question = format!("Take for former keys of this cluster: {vouched} ({})", report.target());
        prompt::confirm(report, intent.yes, &question)?;
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
    Ok(Looked::Confirmed(Box::new(plan)))
}

/// Applies what was confirmed.
async fn finish(
    intent: &Intent<'_>,
    mut plan: PublicationPlan<'_>,
    publication: &Publication<'_>,
    cluster: Option<&Cluster>,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let outcome = write(intent.revoke, publication, &mut plan, cluster, now, report).await?;
    plan.doubts[plan.shown_doubts..].iter().for_each(|note| report.warning(note));
    outcome.notes.iter().for_each(|note| report.warning(note));
    report.json(intent.name, plan.to_json(publication, Some(&outcome)));
    report.result(match plan.is_pending() {
        true => plan.published_line(publication, &outcome),
        false => plan.unchanged_line(publication),
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
    write(None, publication, plan, cluster, now, report).await
}

/// The same without the ledger's first part.
async fn write(
    revoked: Option<&str>,
    publication: &Publication<'_>,
    plan: &mut PublicationPlan<'_>,
    cluster: Option<&Cluster>,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Outcome> {
    revoke::check(plan)?;
    let outcome = publication.apply(plan, report).await?;
    if let Some(kid) = revoked {
        revoke::check_gone(kid, plan, &outcome)?;
    }
    publication.note_public(plan, &outcome, cluster, now()).await;
    Ok(outcome)
}

/// What is known is published, and a run is no success all the same while something is not.
pub(super) fn exit(plan: &PublicationPlan<'_>, pending: bool) -> Exit {
    match () {
        () if !plan.doubts.is_empty() => Exit::Incomplete,
        () if pending || plan.leaves_keys_out() || plan.alarms() => Exit::Found,
        () => Exit::Clean,
    }
}
