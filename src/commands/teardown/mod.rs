//! `keyless teardown`: take trust away first, then what it relied on. Only what is marked as ours.

mod documents;
mod given;
mod named;
mod others;
mod plan;
mod publisher;
mod unused;
mod whose;

use self::{
    documents::Documents,
    given::{Found, Scene},
    plan::{Orphan, Plan},
};
use super::{
    Exit, issuer,
    objects::{self, Sight},
    prompt::{self, Offer},
    resolve::{self, Resolved},
    saved,
    stores::Stores,
    undecided::{Undecided, of_documents, of_store},
};
use crate::{
    bucket::{self, Bucket},
    cli::TeardownArgs,
    cluster::{Cluster, snapshot::Estate},
    config::Settings,
    error::{Code, Result},
    federation::Purpose,
    http::Http,
    plan::apply,
    publication::{Kept, location::DocumentLocation},
    report::{Line, Report, Tone},
    secret_store::Planned,
    warning::Warning,
};

/// Runs the command.
pub(crate) async fn run(args: &TeardownArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let Sight { cluster, estate, observed, cluster_id, .. } = Sight::take(settings, report).await?;
    let stores = match args.unused {
        // They complete the settings, and lose nothing.
        true => Stores::of_settings(settings, &estate),
        false => Stores::naming(&args.store),
    };
    let resolved = resolved(&stores, settings, &estate, &cluster_id, report)?;
    if let Some(resolved) = &resolved {
        report.about_account(Some(resolved.provider.account()));
    }
    let bucket = match &settings.bucket {
        Some(bucket) if !args.unused => Some(bucket::connect(bucket, &http).await?),
        _ => None,
    };
    let place = match &bucket {
        Some(bucket) => Some(DocumentLocation::resolve(settings, bucket.as_ref())?),
        None => None,
    };
    let signed = issuer::signed(&observed)?;
    let issuer = issuer::removed(settings, place.as_ref(), &observed)?;

    let mut providers = Vec::new();
    if let Some(resolved) = &resolved {
        for provider in resolved.providers() {
            providers.push(provider.connect(&http, Purpose::Apply)?);
        }
    }
    let mut found = Found::default();
    if let Some(resolved) = &resolved {
        let trust = resolved.trust(issuer.clone(), cluster_id, &observed, None, &Kept::default())?;
        let trust = trust.of([]);
        let publisher = publisher::of(settings, bucket.as_deref(), place.as_ref());
        let scene = Scene {
            cluster: &cluster,
            estate: &estate,
            stores: &stores,
            settings,
            resolved,
            trust: &trust,
            providers: &providers,
            publisher: publisher.as_ref(),
        };
        found = match args.unused {
            true => unused::plan(&scene).await?,
            false => named::plan(&scene).await?,
        };
    }
    let Found { withdrawals, objects, warnings: left, is_whole } = found;
    let undecided = publisher::undecided(settings).filter(|_| !args.unused && settings.bucket.is_some());
    undecided.iter().for_each(|text| report.progress(text));
    // What was asked for is not known to be done.
    let done = if is_whole && undecided.is_none() { Exit::Clean } else { Exit::Incomplete };
    let in_bucket = match (&bucket, &place) {
        (Some(bucket), Some(place)) => Some(plan::Bucket {
            name: bucket.to_string(),
            documents: Documents::read(bucket.as_ref(), place, settings.kid_rule).await?,
            is_ours: bucket.is_ours().await?,
            kept: others::keep_documents(&withdrawals),
        }),
        _ => None,
    };
    let named_store = resolved.as_ref().filter(|_| args.store.is_empty() && !args.unused);
    let mut of_file: Vec<_> =
        named_store.and_then(|resolved| of_store(settings, &estate, &resolved.store)).into_iter().collect();
    if in_bucket.is_some() {
        of_file.extend(of_documents(settings, &observed, issuer.signed()));
    }
    let mut warnings = plan::dangling(&withdrawals, signed.as_str(), issuer.as_str());
    warnings.extend(left);
    warnings.extend(plan::not_seen(&estate));
    let orphans = match args.unused {
        true => Vec::new(),
        false => Orphan::all(&estate, &withdrawals, &objects.0),
    };
    let plan = Plan { withdrawals, objects: objects.0, orphans, bucket: in_bucket, warnings };

    plan.show(report);
    let is_named = settings.cluster.as_ref().is_some_and(|access| access.uid.is_some());
    if !is_named || settings.undecided.names_cluster() {
        whose::refuse_another_cluster(&plan, &observed.live()?, &cluster.target(), &settings.file)?;
    }
    report.json("teardown", plan.to_json(issuer.as_str(), args.dry_run));
    let whole = plan.whole();
    let summary = whole.summary();
    let pending = summary.pending();
    let by_file = Undecided::cluster(settings).and(of_file);
    by_file.show(report);
    if pending > 0 {
        by_file.refuse_unasked(args.yes, args.dry_run, &args.plan)?;
    }
    saved::save_or_check(&args.plan, &whole, report)?;
    if pending == 0 {
        report.result("nothing to remove");
        return Ok(done);
    }
    let summary = Line::marked(Tone::Title, format_args!("\n{summary}"));
    if args.dry_run || args.plan.is_saved() {
        report.result(summary);
        return Ok(Exit::Found);
    }
    report.line(summary);
    prompt::confirm(report, args.yes, &format!("Remove {} ({})", prompt::these(pending), report.target()))?;
    act(plan, &cluster, bucket.as_deref(), report).await?;
    match args.unused {
        true => report.result("removed: what no store uses any more is gone; what stays is named above"),
        false => report.result(format_args!(
            "removed: what keyless made for {issuer} is gone; what stays is named above"
        )),
    }
    Ok(done)
}

/// Trust first, then what relied on it.
async fn act(
    plan: Plan<'_>,
    cluster: &Cluster,
    bucket: Option<&dyn Bucket>,
    report: &mut Report<'_>,
) -> Result<()> {
    for withdrawal in plan.withdrawals {
        let changes: Vec<_> = withdrawal.parts.into_iter().map(|part| part.change).collect();
        apply(&changes, report).await?;
    }
    objects::apply(cluster, &plan.objects.iter().collect::<Vec<&Planned>>(), None, report).await?;
    let (Some(bucket), Some(planned)) = (bucket, &plan.bucket) else { return Ok(()) };
    if planned.kept.is_some() {
        return Ok(());
    }
    for (name, version) in &planned.documents.ours {
        report.progress(format_args!("removing {bucket}/{name}"));
        bucket.remove(name, version).await?;
    }
    if planned.is_ours {
        report.progress(format_args!("removing {bucket}"));
        if !bucket.remove_bucket().await? {
            report.warning(&Warning::new(
                Code::BucketNotEmpty,
                format!("{bucket} stays: something else is in it"),
            ));
        }
    }
    Ok(())
}

/// What was set up; `None` where it was only documents. An operator that is gone by now keeps nothing from being
/// taken away, and neither does a store that an earlier run took away.
fn resolved(
    stores: &Stores,
    settings: &Settings,
    estate: &Estate,
    cluster_id: &str,
    report: &mut Report<'_>,
) -> Result<Option<Resolved>> {
    if !settings.names_a_provider() && estate.stores.is_empty() {
        return Ok(None);
    }
    let Some(settings) = &stores.first(settings, estate) else { return Ok(None) };
    // A name that is mistyped takes nothing away.
    if let Some(error) = stores.named.iter().flatten().find_map(|store| resolve::unknown_store(estate, store))
    {
        return Err(error.hint("nothing was removed"));
    }
    // An earlier run may have taken it away.
    let unknown = match &stores.named {
        Some(_) => None,
        None => resolve::named_store_unknown(settings, estate)?,
    };
    if let Some(error) = unknown {
        let there = error.causes.join("; ");
        let text = format!("{}; {there}: what was made for another store is not looked at", error.message);
        report.warning(&Warning::new(error.code, text));
    }
    let mut ask =
        |setting: &str, text: &str, offer: Offer<'_>| prompt::question(report, setting, text, offer);
    resolve::resolve(settings, None, estate, cluster_id, &mut ask).map(Some)
}
