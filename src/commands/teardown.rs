//! `keyless teardown`: take trust away first, then what it relied on. Only what is marked as ours.

use serde_json::json;

use super::{
    Exit, ask, changes,
    objects::{self, Sight},
    place::Place,
    provider,
    settle::settle_asking,
    store::Present,
};
use crate::{
    bucket::{self, Bucket},
    cli::TeardownArgs,
    config::Settings,
    error::Result,
    federation::{Trust, Verb},
    http::Http,
    oidc::{DISCOVERY_PATH, JWKS_PATH},
    report::{Report, Warning},
    secret_store::{self, Planned},
};

/// Runs the command.
pub(crate) async fn run(args: &TeardownArgs, settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    let Sight { cluster, estate, observed, cluster_id } = Sight::take(settings).await?;
    let settled = settle_asking(settings, None, &estate, None, &cluster_id, report)?;
    let bucket = match &settings.bucket {
        Some(bucket) => Some(bucket::connect(bucket, &http).await?),
        None => None,
    };
    let place = match &bucket {
        Some(bucket) => Some(Place::settle(settings, bucket.public_url().as_deref())?),
        None => None,
    };
    let signed =
        observed.servers.first().map(|server| server.token.claims().issuer.clone()).unwrap_or_default();
    let issuer = match &place {
        Some(place) => place.issuer.clone(),
        None => settings.issuer.clone().map_or_else(|| signed.parse(), Ok)?,
    };
    let trust = Trust {
        issuer: issuer.clone(),
        cluster_id,
        keys: observed.live()?,
        workload: settled.workload.clone(),
        secrets: settled.secrets.clone(),
    };

    // Everything that may trust the issuer, whichever provider the store names now.
    let mut withdrawals = Vec::new();
    for name in settings.providers() {
        let provider = provider::connect(name, settled.google.as_ref(), settings, &http)?;
        let changes = provider.withdraw(&trust).await?;
        withdrawals.push((provider, changes));
    }
    let present = Present::observe(&cluster, &estate, &settled.store, &settled.workload).await?;
    let planned = secret_store::withdraw(&present.have());
    let documents = match (&bucket, &place) {
        (Some(bucket), Some(place)) => ours(bucket.as_ref(), place).await?,
        _ => Vec::new(),
    };
    let bucket_is_ours = match &bucket {
        Some(bucket) => bucket.is_ours().await?,
        None => false,
    };

    for (provider, changes) in &withdrawals {
        report.line(provider);
        changes::show(report, changes);
    }
    report.line("cluster");
    for object in &planned {
        let mark = if object.verb == Verb::Remove { '-' } else { '=' };
        report.line(format_args!("{mark} {}: {}", object.object(), object.why));
    }
    if let Some(bucket) = &bucket {
        report.line(bucket);
        documents.iter().for_each(|(name, _)| report.line(format_args!("- remove  {name}")));
        if bucket_is_ours {
            report.line("- remove  the bucket itself, if nothing else is in it");
        } else {
            report.line("= leave   the bucket itself: keyless did not make it");
        }
    }
    let pending = withdrawals.iter().map(|(_, changes)| changes::pending(changes)).sum::<usize>()
        + planned.iter().filter(|object| object.changes_something()).count()
        + documents.len()
        + usize::from(bucket_is_ours);
    let dangling = dangling(
        &withdrawals.iter().flat_map(|(_, changes)| changes.iter()).collect::<Vec<_>>(),
        &signed,
        issuer.as_str(),
    );
    for warning in &dangling {
        report.warning(warning);
    }
    report.json(
        "teardown",
        json!({
            "issuer": issuer.as_str(),
            "pending": pending,
            "dryRun": args.dry_run,
            "warnings": dangling.iter().map(Warning::to_json).collect::<Vec<_>>(),
        }),
    );
    if pending == 0 {
        report.line("nothing to remove");
        return Ok(Exit::Clean);
    }
    if args.dry_run {
        return Ok(Exit::Found);
    }
    ask::confirm(report, args.yes, &format!("Remove these {pending} things"))?;

    for (provider, changes) in &withdrawals {
        changes::apply(provider.as_ref(), changes, report).await?;
    }
    objects::apply(&cluster, &planned.iter().collect::<Vec<&Planned>>(), None, report).await?;
    if let Some(bucket) = &bucket {
        for (name, version) in &documents {
            report.progress(format_args!("removing {bucket}/{name}"));
            bucket.remove(name, version).await?;
        }
        if bucket_is_ours {
            report.progress(format_args!("removing {bucket}"));
            if !bucket.remove_bucket().await? {
                report.warning(&Warning::new(
                    "bucket-not-empty",
                    format!("{bucket} stays: something else is in it"),
                ));
            }
        }
    }
    report.line(format_args!("removed: nothing trusts {issuer} through keyless any more"));
    Ok(Exit::Clean)
}

/// The documents of this issuer, discovery first: a key set that nothing points at harms nobody.
async fn ours(bucket: &dyn Bucket, place: &Place) -> Result<Vec<(String, bucket::Version)>> {
    let mut found = Vec::new();
    let discovery = match bucket.read(&place.object(DISCOVERY_PATH)).await {
        Err(error) if error.code == "bucket-missing" => return Ok(found),
        read => read?,
    };
    let is_ours = discovery.as_ref().is_none_or(|stored| {
        let issuer = format!("\"issuer\":\"{}\"", place.issuer);
        String::from_utf8_lossy(&stored.body).contains(&issuer)
    });
    if !is_ours {
        return Ok(found);
    }
    let jwks = bucket.read(&place.object(JWKS_PATH)).await?;
    found.extend(discovery.map(|stored| (place.object(DISCOVERY_PATH), stored.version)));
    found.extend(jwks.map(|stored| (place.object(JWKS_PATH), stored.version)));
    Ok(found)
}

/// Trust that outlives the documents: whoever gets hold of the bucket's name could then speak for this cluster.
fn dangling(changes: &[&crate::federation::Change], signed: &str, issuer: &str) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = changes
        .iter()
        .filter(|change| change.verb == Verb::Leave)
        .map(|change| Warning::new("trust-left", format!("{} stays: {}", change.object, change.why)))
        .collect();
    if signed == issuer {
        warnings.push(Warning::new(
            "still-signing",
            format!("the API servers still sign as {issuer}: other relying parties, if there are any, will refuse their tokens once the documents are gone"),
        ));
    }
    warnings
}
