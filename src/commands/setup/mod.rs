//! `keyless setup`: from a stored key to short-lived tokens, in one plan.
//!
//! ```text
//!  observe ─► resolve ─► rights ─► plan ─► show, ask ─► documents ─► provider ─► objects ─► probe ─► store ─► old credential
//! ```
//!
//! Each step is safe to repeat, and each is planned from what is there: stopped anywhere and started again, it
//! goes on where it was.

mod act;
mod found;
mod hands;
mod issuer_rollout;
mod outcome;
mod plan;
mod retire;
mod retire_shown;
mod retire_steps;
mod settings_file;
mod undo;
mod watch;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::{
    act::Act,
    outcome::Farewell,
    plan::{Documents, GivenKey, Plan},
    retire::{Context, Retirement},
    settings_file::SettingsFile,
};
use super::{
    Exit, issuer,
    objects::{Sight, find_store},
    prompt,
    resolve::{Settled, settle_asking},
    rights::{Rights, refuse_another_place},
    saved,
    store::Present,
};
use crate::{
    cli::SetupArgs,
    cluster::{Cluster, FailedServer, Failure, Observed, snapshot::Estate},
    config::Settings,
    error::{Code, Result},
    federation::{self, Federation, Impossible, Keys, Naming, Purpose, Trust, Workload},
    http::Http,
    plan::Gate,
    publication::{
        Options, Publication, PublicationPlan,
        live::{self, Silence},
    },
    report::Report,
    rotation::Former,
    secret_store::{self, StoreLogin, obstacles_of_a_move},
    waiting::Waiting,
    warning::Warning,
};

/// With --retire-key, where nothing is known of a credential that the store used before.
const NONE_NOTED: &str = "No replaced credential is noted for this store. If one is left, name its Secret: keyless setup --retire-key --replaced NAMESPACE/SECRET";

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &SetupArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    if args.undo {
        return undo::run(args, settings, now, report).await;
    }
    let http = Http::new(&settings.additional_roots)?;

    // Observe.
    let Sight { cluster, estate, observed, cluster_id } = Sight::take(settings, report).await?;
    live::refuse_doubts(&observed, Silence::Accepted)?;
    let settled = settle_asking(settings, args.to, &estate, &cluster_id, report)?;
    if !settled.uploads_keys() {
        live::refuse_doubts(&observed, Silence::Refused)?;
    }
    report.about_account(Some(settled.provider.account()));
    let provider = settled.provider.connect(&http, Purpose::Apply)?;
    let provider = provider.as_ref();
    let issuer = issuer::trusted(settings, &settled, &observed, &http).await?;
    let staged = live::from_files(settings)?;
    // A key that only a silent server serves may sign: one server's silence takes nothing away.
    let kept = match settled.uploads_keys() && silent(&observed).next().is_some() {
        true => provider.keys().await?,
        false => Keys::Fetched,
    };
    let trust =
        settled.trust(issuer.clone(), cluster_id.clone(), &observed, staged.as_ref(), kept.given())?;
    provider.rules().check(&trust)?;
    let login = provider.store_login().await?;
    let login = login.as_ref();
    refuse_another_place(&estate, &settled.store, login)?;
    let mut rights = Rights::resolve(&cluster, &estate, settings, &settled, provider, login).await?;
    rights.ask_for_one(provider, report)?;
    if args.revoke_unused {
        rights.revoke_unused();
    }
    let shows_only = args.dry_run || args.plan.is_saved();
    rights.confirm(args.accept_new_secrets, !args.yes && !shows_only, report)?;
    let workload = Workload::new(settled.workload.clone(), Naming::AsSet);
    let trust = trust.of([workload.granting(rights.granted().clone(), rights.revoked().clone())]);

    let skew = skew(&observed, now);
    let clock = || now().saturating_add_signed(skew);
    let command = command(args, settings);
    let farewell = Farewell {
        provider: Some(provider.to_string()),
        command: &command,
        retire: args.retire_key,
        undoes: true,
    };

    // Decide.
    let publication = match settled.uploads_keys() {
        true => None,
        false => Some(Publication::connect(settings, &http).await?),
    };
    let Decided { mut plan, impossible, present, documents } =
        decide(publication.as_ref(), &settled, &cluster, &estate, &observed, provider, login, &trust, now)
            .await?;
    rights.leave_out(impossible);
    plan.keep_store(rights.would_break());
    if let (Some(store), Some(planned)) = (present.store(), plan.store()) {
        let context = Context {
            cluster: &cluster,
            cluster_id: &cluster_id,
            estate: &estate,
            store: &settled.store,
            providers: &settings.providers,
            http: &http,
            now: clock(),
        };
        plan.retirement = Retirement::plan(&context, store, planned, args, &farewell).await?;
    }
    let file =
        SettingsFile::plan(settings, &settled, issuer.published(), &trust.cluster_id, rights.to_list())?;
    plan.settings = file.step();
    plan.show(&issuer, report);
    rights.show(report);
    if let Some(step) = &plan.settings {
        report.line("\nsettings file");
        report.lines(step.lines());
    }
    let whole = plan.whole();
    let mut shown = plan.to_json(&issuer, &whole, shows_only);
    shown["rights"] = rights.to_json();
    saved::save_or_check(&args.plan, &whole, report)?;
    let pending = plan::pending(&whole);
    if pending == 0 && !plan.waits() {
        if !shows_only {
            file.write(report)?;
        }
        report.line("\nnothing to do");
        if args.retire_key && plan.retirement.is_none() {
            report.line(NONE_NOTED);
        }
        let exit = match &plan.retirement {
            Some(retirement) if !plan.keeps_store() => retirement.nothing_to_do(&farewell, report)?,
            _ => Exit::Clean,
        };
        let exit = with_rights(exit, &rights, report);
        return Ok(ended(shown, exit, report));
    }
    report.line(format_args!("\n{}", whole.summary()));
    if shows_only {
        return Ok(ended(shown, Exit::Found, report));
    }
    if !plan.obstacles.is_empty() && args.to.is_some() && !args.yes {
        report.progress("What is marked with ! reads something else, or nothing, after the change.");
    }
    prompt::confirm(
        report,
        args.yes || pending == 0,
        &format!("Do {} ({})", prompt::these(pending), report.target()),
    )?;
    // Before anything else: an interrupted run goes on with the same answers.
    file.write(report)?;

    let act = Act {
        args,
        documents: publication.as_ref().zip(documents.as_ref()),
        settled: &settled,
        cluster: &cluster,
        provider,
        issuer: &issuer,
        servers: observed.servers.len(),
        clock: &clock,
        farewell: &farewell,
    };
    let exit = act.run(plan, present, &mut rights, report).await?;
    let exit = with_rights(exit, &rights, report);
    Ok(ended(shown, exit, report))
}

/// Everything was done; whether everything was asked for that is needed is another matter.
fn with_rights(exit: Exit, rights: &Rights, report: &mut Report<'_>) -> Exit {
    if exit != Exit::Clean || !rights.are_incomplete() {
        return exit;
    }
    rights.say_what_is_missing(report);
    Exit::Found
}

/// One object for a program, with how it ended.
fn ended(mut shown: Value, exit: Exit, report: &mut Report<'_>) -> Exit {
    shown["outcome"] = json!(match exit {
        Exit::Clean => "done",
        Exit::Found => "pending",
        Exit::Incomplete => "incomplete",
    });
    report.json("setup", shown);
    exit
}

/// How far the cluster's clock is ahead of this machine's, in seconds.
fn skew(observed: &Observed, now: fn() -> u64) -> i64 {
    let clock = observed.servers.iter().find_map(|server| server.clock);
    clock.map_or(0, |clock| i64::try_from(i128::from(clock) - i128::from(now())).unwrap_or(0))
}

/// The command by which this run is gone on with.
fn command(args: &SetupArgs, settings: &Settings) -> String {
    let mut command = "keyless setup".to_owned();
    if settings.file.as_path() != std::path::Path::new("keyless.yaml") {
        command.push_str(&format!(" --config {}", settings.file.display()));
    }
    if args.retire_key {
        command.push_str(" --retire-key");
    }
    command
}

/// The API servers that did not answer.
fn silent(observed: &Observed) -> impl Iterator<Item = &FailedServer> {
    observed.failed.iter().filter(|server| server.failure == Failure::Unreachable)
}

/// What is to be done, and what it was decided from.
struct Decided<'p> {
    plan: Plan<'p>,
    impossible: Vec<Impossible>,
    present: Present,
    documents: Option<PublicationPlan<'p>>,
}

#[expect(clippy::too_many_arguments, reason = "everything that was observed, decided upon once")]
async fn decide<'p>(
    publication: Option<&'p Publication<'_>>,
    settled: &Settled,
    cluster: &Cluster,
    estate: &Estate,
    observed: &Observed,
    provider: &'p dyn Federation,
    login: &dyn StoreLogin,
    trust: &Trust,
    now: fn() -> u64,
) -> Result<Decided<'p>> {
    let documents = async {
        let Some(publication) = publication else { return Ok(None) };
        let options = Options { create: true, former: Former::Unknown };
        let asked = std::future::ready(Ok(Some(observed.clone())));
        let observation = publication.observe(&options, asked, &Waiting::default()).await?;
        publication.plan(&options, observation, now()).await.map(Some)
    };
    let (documents, changes, present) = futures::join!(
        documents,
        provider.plan(trust),
        Present::observe(cluster, estate, &settled.store, &settled.workload)
    );
    let (documents, federation::Plan { changes, impossible }, present) = (documents?, changes?, present?);
    let mut objects = secret_store::plan(
        &secret_store::Want { login, workload: &settled.workload, store: &settled.store, namespaces: &[] },
        &present.have(),
    )?;
    objects.warnings.extend(silent(observed).filter(|_| settled.uploads_keys()).map(|server| {
        let (address, code) = (&server.address, server.error.code);
        let why = format!(
            "API server {address} did not answer ({code}): keys that only it serves are not uploaded, and none is taken away"
        );
        Warning::new(Code::ServerUnreachable, why)
    }));
    let signs_otherwise: Vec<_> = observed
        .servers
        .iter()
        .filter(|server| server.token.claims().issuer != *trust.issuer.signed())
        .map(|server| (server.address.clone(), server.token.claims().issuer.clone()))
        .collect();
    let waits = !signs_otherwise.is_empty();
    let (mut changes, later): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| !waits || change.step.gate != Some(Gate::AfterIssuerSwitch));
    // The gate is open.
    changes.iter_mut().for_each(|change| change.step.gate = None);
    let plan = Plan {
        documents: publication
            .zip(documents.as_ref())
            .map(|(publication, documents)| Documents::of(publication, documents)),
        provider: provider.to_string(),
        keys: given_keys(trust),
        changes,
        objects,
        later,
        signs_otherwise,
        obstacles: find_store(estate, &settled.store)
            .map(|store| obstacles_of_a_move(estate.users(store), store, login))
            .unwrap_or_default(),
        servers: observed.servers.len(),
        retirement: None,
        store_kept_for: BTreeSet::new(),
        settings: None,
    };
    Ok(Decided { plan, impossible, present, documents })
}

/// The keys that a provider is given, and what each is there for.
fn given_keys(trust: &Trust) -> Vec<GivenKey> {
    let given = trust.keys.iter().filter(|_| trust.issuer.published().is_none());
    given
        .map(|key| GivenKey { kid: key.kid().to_owned(), kind: key.describe(), role: trust.role(key) })
        .collect()
}
