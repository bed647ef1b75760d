//! `keyless setup`: from a stored key to short-lived tokens, in one plan.
//!
//! ```text
//!  observe ─► settle ─► plan ─► show, ask ─► documents ─► provider ─► objects ─► walk ─► store ─► old key
//! ```
//!
//! Each step is safe to repeat, and each is planned from what is there: stopped anywhere and started again, it
//! goes on where it was.

mod issuer_rollout;
mod plan;
mod retire;
mod settings_file;
mod watch;

use std::{io, pin::pin};

use futures::future::{Either, select};

pub(super) use self::retire::remember_old_key;
use self::{
    plan::{Documents, GivenKey, Plan},
    retire::Retirement,
    settings_file::SettingsFile,
};
use super::{
    Exit, changes, issuer,
    objects::{self, Sight, find_store},
    prompt, provider, publish,
    settle::{Settled, settle_asking},
    store::Present,
    walk::walk,
};
use crate::{
    cli::{Output, PublishArgs, SetupArgs},
    cluster::{
        Cluster, Observed,
        snapshot::{Estate, Store},
    },
    config::Settings,
    error::Result,
    federation::{Federation, Keys, Trust, TrustedIssuer, gcp::Gcp},
    http::Http,
    publication::live,
    relying_party::{UNREAD, warn_of_unread},
    report::{Report, Warning},
    secret_store::{self, obstacles_of_a_move},
};

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &SetupArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;

    // Observe.
    let Sight { cluster, estate, observed, cluster_id } = Sight::take(settings, report).await?;
    live::refuse_unpublishable_signer(&observed)?;
    let replaced = match replacing(&estate, settings) {
        Some(store) => retire::replaced(&cluster, &estate, store).await?,
        None => None,
    };
    let settled = settle_asking(settings, args.to, &estate, replaced, &cluster_id, report)?;
    report.about_account(settled.account());
    let google = settled.google.as_ref().map(|google| Gcp::connect(google, &http)).transpose()?;
    let provider = provider::connect(settled.provider, &settled, &http)?;
    let provider = provider.as_ref();
    let issuer = issuer::trusted(settings, &settled, &observed, &http).await?;
    let staged = live::from_files(settings)?;
    // A key that only a silent server serves may sign: one server's silence takes nothing away.
    let kept = match settled.uploads_keys() && !observed.unreachable.is_empty() {
        true => provider.keys().await?,
        false => Keys::Fetched,
    };
    let trust = settled.trust(issuer.clone(), cluster_id, &observed, staged.as_ref(), kept.given())?;
    provider.rules().check(&trust)?;

    // Decide.
    let retirement = async {
        match (&settled.old_key, &google) {
            (Some(key), Some(google)) => Retirement::plan(google, key, args.retire_key).await.map(Some),
            _ => Ok(None),
        }
    };
    let planning = decide(settings, &settled, &cluster, &estate, &observed, provider, &trust, now);
    // Of several refusals always the same is said, whichever came first.
    let (plan, retirement) = futures::join!(planning, retirement);
    let mut plan = plan?;
    plan.retirement = retirement?;
    let file = SettingsFile::plan(settings, &settled, issuer.published(), &trust.cluster_id)?;
    plan.show(&issuer, report);
    file.show(report);
    let mut shown = plan.to_json(&issuer, args.dry_run);
    shown["settings"] = file.to_json();
    report.json("setup", shown);
    let pending = plan.pending();
    if pending == 0 && !plan.waits() {
        if !args.dry_run {
            file.write(report);
        }
        report.line("\nnothing to do");
        return Ok(Exit::Clean);
    }
    if args.dry_run || args.yes {
        report.line(format_args!("\nto do: {}", prompt::things(pending)));
    }
    if args.dry_run {
        return Ok(Exit::Found);
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
    file.write(report);

    // Act, in the order in which nothing ever points at what is not there yet.
    if plan.documents.as_ref().is_some_and(|documents| documents.pending) {
        // The plan has shown what is published, and the API servers' own step is told at the end.
        let mut sink = io::sink();
        publish::run(
            &publish_args(false),
            settings,
            now,
            &mut report.step(&["issuer-not-signed", UNREAD], &mut sink),
        )
        .await?;
    }
    meanwhile(provider.approach(), changes::apply(provider, &plan.changes, report)).await?;
    let (store, others) = objects::split(&plan.objects.objects);
    objects::apply(&cluster, &others, args.manifests.as_deref(), report).await?;
    if plan.waits() {
        return say_what_the_api_servers_need(&cluster, &issuer, &plan, observed.servers.len(), report).await;
    }
    if objects::written_as_files(&others, args.manifests.as_deref()) {
        report.line("\nCommit these manifests. Once they are applied, run setup again: it walks the new path, then turns to the store.");
        return Ok(Exit::Found);
    }
    walk(&cluster, provider, &settled.workload, &settled.secrets, &settled.properties, report).await?;
    let before = watch::users(&cluster, &settled.store).await?;
    objects::apply(&cluster, &store, args.manifests.as_deref(), report).await?;
    if objects::written_as_files(&store, args.manifests.as_deref()) {
        report.line("\nThe new path works. Commit the store's manifest; once it is applied, run setup again: it goes on with the old key.");
        return Ok(Exit::Found);
    }
    watch::until_ready(&cluster, &settled.store, report).await?;
    // An earlier run may have ended right after it changed the store: readiness alone may be older than that.
    let touches_the_key = plan.retirement.as_ref().is_some_and(Retirement::touches_the_key);
    if touches_the_key || store.iter().any(|object| object.changes_something()) {
        for later in watch::until_refreshed(&cluster, &settled.store, &before, report).await? {
            report.progress(format_args!("{later} follows within its own refreshInterval"));
        }
    }
    if let (Some(retirement), Some(google)) = (&plan.retirement, &google) {
        retirement.run(&cluster, google, &settled.store, args.watch_for, report).await?;
    }
    report.line(format_args!(
        "\nThe store {} logs in with short-lived tokens. {}",
        settled.store.name(),
        match &plan.retirement {
            Some(retirement) if retirement.leaves_the_key() =>
                "Its old key is disabled; delete it: keyless setup --retire-key",
            _ => "See what is left: keyless audit",
        }
    ));
    Ok(Exit::Clean)
}

/// Does the work, and beside it something that is given up when the work is done.
async fn meanwhile<T>(aside: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    match select(pin!(work), pin!(aside)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => work.await,
    }
}

/// The store whose former key an earlier run did not see to the end.
fn replacing<'a>(estate: &'a Estate, settings: &Settings) -> Option<&'a Store> {
    let named = |store: &&Store| settings.store.name.as_deref().is_none_or(|name| store.0.name() == name);
    estate.stores.iter().filter(named).find(|store| retire::is_pending(store))
}

#[expect(clippy::too_many_arguments, reason = "everything that was observed, decided upon once")]
async fn decide(
    settings: &Settings,
    settled: &Settled,
    cluster: &Cluster,
    estate: &Estate,
    observed: &Observed,
    provider: &dyn Federation,
    trust: &Trust,
    now: fn() -> u64,
) -> Result<Plan> {
    let documents = async {
        if settled.uploads_keys() { Ok(None) } else { pending_documents(settings, now).await.map(Some) }
    };
    let (documents, changes, access, present) = futures::join!(
        documents,
        provider.plan(trust),
        provider.access(),
        Present::observe(cluster, estate, &settled.store, &settled.workload)
    );
    let (documents, changes, access, present) = (documents?, changes?, access?, present?);
    let mut objects = secret_store::plan(
        &secret_store::Want {
            access: &access,
            workload: &settled.workload,
            store: &settled.store,
            namespaces: &[],
        },
        &present.have(),
    )?;
    remember_old_key(&mut objects, settled);
    if documents.as_ref().is_some_and(|documents| documents.pending) {
        objects.warnings.extend(warn_of_unread(trust.keys.iter()));
    }
    objects.warnings.extend(observed.unreachable.iter().filter(|_| settled.uploads_keys()).map(|(address, error)| {
        let why = format!(
            "API server {address} did not answer ({}): keys that only it serves are not uploaded, and none is taken away",
            error.code
        );
        Warning::new("server-unreachable", why)
    }));
    let signs_otherwise: Vec<_> = observed
        .servers
        .iter()
        .filter(|server| server.token.claims().issuer != *trust.issuer.signed())
        .map(|server| (server.address.clone(), server.token.claims().issuer.clone()))
        .collect();
    let (later, changes) =
        changes.into_iter().partition(|change| !signs_otherwise.is_empty() && change.moves_issuer());
    Ok(Plan {
        documents,
        provider: provider.to_string(),
        keys: given_keys(trust),
        changes,
        objects,
        later,
        signs_otherwise,
        obstacles: find_store(estate, &settled.store)
            .map(|store| obstacles_of_a_move(estate.users(store), store, &access))
            .unwrap_or_default(),
        servers: observed.servers.len(),
        retirement: None,
    })
}

/// The keys that a provider is given, and what each is there for.
fn given_keys(trust: &Trust) -> Vec<GivenKey> {
    let given = trust.keys.iter().filter(|_| trust.issuer.published().is_none());
    given
        .map(|key| GivenKey { kid: key.kid().to_owned(), kind: key.describe(), role: trust.role(key) })
        .collect()
}

/// A dry run of publishing, with its words.
async fn pending_documents(settings: &Settings, now: fn() -> u64) -> Result<Documents> {
    let (mut data, mut talk) = (Vec::new(), Vec::new());
    let mut quiet = Report::new(Output::Text, false, &mut data, &mut talk);
    let exit = publish::run(&publish_args(true), settings, now, &mut quiet).await?;
    let pending = exit == Exit::Found;
    Ok(Documents { pending, lines: String::from_utf8_lossy(&data).into_owned() })
}

fn publish_args(dry_run: bool) -> PublishArgs {
    PublishArgs { create: true, dry_run, same_cluster: false }
}

/// What only the owner of the control plane can do. Everything else up to here is done.
async fn say_what_the_api_servers_need(
    cluster: &Cluster,
    issuer: &TrustedIssuer,
    plan: &Plan,
    servers: usize,
    report: &mut Report<'_>,
) -> Result<Exit> {
    report.line("");
    issuer_rollout::tell(cluster, issuer, &plan.signs_otherwise, servers, report).await?;
    report.line(format_args!(
        "Once every API server signs as {issuer}, run setup again: it goes on from here."
    ));
    Ok(Exit::Found)
}
