//! Waiting for External Secrets Operator: until a store can log in, and until an ExternalSecret was read anew.

use std::time::Duration;

use crate::{
    cluster::{
        Cluster,
        objects::{Look, Object},
        snapshot::{EXTERNAL_SECRETS, Store, store_references},
    },
    commands::{objects::condition, refresh::Rhythm},
    error::{Error, Result},
    report::Report,
    secret_store::StoreName,
};

/// How long a store may take until it is ready. The operator looks at once, then every five minutes.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_secs(1);

/// Waits until the operator says of this generation of the store that it can log in.
pub(super) async fn until_ready(cluster: &Cluster, name: &StoreName, report: &mut Report<'_>) -> Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        let store = read(cluster, name).await?;
        if store.as_ref().and_then(Store::is_ready) == Some(true) {
            return Ok(());
        }
        if waited >= PATIENCE {
            let said = store.as_ref().map(|store| condition(&store.0)).unwrap_or_else(|| "it is gone".into());
            return Err(Error::failed("store-not-ready", format!("the store {} does not get ready", name.name()))
                .caused_by(said)
                .hint("`keyless verify` walks the same way and names the hop that fails; started again, setup goes on from here"));
        }
        if waited.is_zero() {
            report.progress(format_args!(
                "waiting until External Secrets Operator says that {} is ready",
                name.name()
            ));
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// Waits until every ExternalSecret of the store that is read often enough was read anew, after `before` was
/// listed. Gives back those whose own interval is longer than the patience: they follow by themselves. Nothing is
/// written to an ExternalSecret, not even to hurry it.
pub(super) async fn until_refreshed(
    cluster: &Cluster,
    name: &StoreName,
    before: &[Object],
    report: &mut Report<'_>,
) -> Result<Vec<String>> {
    let (soon, later): (Vec<_>, Vec<_>) =
        before.iter().partition(|user| Rhythm::of(user).every().is_some_and(|wait| wait <= PATIENCE));
    let mut waited = Duration::ZERO;
    loop {
        let now = users(cluster, name).await?;
        let pending = soon.iter().find(|before| {
            !now.iter().any(|after| after.uid() == before.uid() && is_refreshed(before, after))
        });
        let Some(first) = pending else { return Ok(later.into_iter().map(Object::describe).collect()) };
        if waited >= PATIENCE {
            let after = now.iter().find(|after| after.uid() == first.uid());
            return Err(Error::failed(
                "external-secret-stale",
                format!("{} was not read anew", first.describe()),
            )
            .caused_by(after.map(condition).unwrap_or_else(|| "it is gone".into()))
            .hint("its status and the operator's log say why; started again, setup goes on from here"));
        }
        if waited.is_zero() {
            report.progress(format_args!(
                "waiting until everything that is read through {} was read by the new path ({} in all)",
                name.name(),
                soon.len()
            ));
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// Watches the store and what uses it; the first that is not ready any more is an error.
pub(super) async fn stays_ready(
    cluster: &Cluster,
    name: &StoreName,
    watch_for: Duration,
    report: &mut Report<'_>,
) -> Result<()> {
    report.progress(format_args!(
        "watching {} for {} s with the old key disabled",
        name.name(),
        watch_for.as_secs()
    ));
    let mut waited = Duration::ZERO;
    loop {
        let store = read(cluster, name).await?;
        let users = users(cluster, name).await?;
        let broken = store
            .iter()
            .map(|store| &store.0)
            .chain(&users)
            .find(|object| object.is_ready() == Some(false))
            .map(|object| (object.describe(), condition(object)));
        if let Some((object, said)) = broken {
            return Err(Error::failed("broke-without-key", format!("{object} is not ready any more"))
                .caused_by(said)
                .hint("nothing was deleted; started again, setup goes on from here"));
        }
        if waited >= watch_for {
            return Ok(());
        }
        let pause = PAUSE.min(watch_for - waited);
        tokio::time::sleep(pause).await;
        waited += pause;
    }
}

/// The store as it is now.
pub(super) async fn read(cluster: &Cluster, name: &StoreName) -> Result<Option<Store>> {
    Ok(cluster.get_object(name.resource(), name.namespace(), name.name()).await?.map(Store))
}

/// The ExternalSecrets that read through the store.
pub(super) async fn users(cluster: &Cluster, name: &StoreName) -> Result<Vec<Object>> {
    let all = match cluster.look_for(&EXTERNAL_SECRETS, name.namespace()).await? {
        Look::Seen(all) => all,
        Look::Absent => Vec::new(),
        Look::Unseen(unseen) => {
            return Err(Error::failed("cluster-forbidden", format!("missing right: {}", unseen.right))
                .caused_by(unseen.why));
        }
    };
    let kind = if name.is_cluster() { "ClusterSecretStore" } else { "SecretStore" };
    let uses = |user: &Object| {
        store_references(user).any(|reference| {
            reference["name"] == name.name() && reference["kind"].as_str().unwrap_or("SecretStore") == kind
        })
    };
    Ok(all.into_iter().filter(uses).collect())
}

fn is_refreshed(before: &Object, after: &Object) -> bool {
    let time = |object: &Object| object.text("/status/refreshTime").to_owned();
    after.is_ready() == Some(true) && !time(after).is_empty() && time(after) > time(before)
}
