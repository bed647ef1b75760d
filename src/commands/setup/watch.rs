//! Waiting for External Secrets Operator: until a store can log in, and until an ExternalSecret was read anew.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep};

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
/// Between the first two looks; each time half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often somebody who watches is told that all is well.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Waits until the operator says of the store that it can log in. It does not say of which generation: a store that
/// was ready before counts at once, and what is read through it next tells the rest.
pub(super) async fn until_ready(cluster: &Cluster, name: &StoreName, report: &mut Report<'_>) -> Result<()> {
    let mut waiting = Waiting::begin();
    loop {
        let store = read(cluster, name).await?;
        if store.as_ref().and_then(Store::is_ready) == Some(true) {
            return Ok(());
        }
        if waiting.is_over(PATIENCE) {
            let said = store.as_ref().map(|store| condition(&store.0)).unwrap_or_else(|| "it is gone".into());
            return Err(Error::failed("store-not-ready", format!("the store {} does not get ready", name.name()))
                .caused_by(said)
                .hint("`keyless verify` walks the same way and names the hop that fails; started again, setup goes on from here"));
        }
        if waiting.is_new() {
            report.progress(format_args!(
                "waiting until External Secrets Operator says that {} is ready",
                name.name()
            ));
        }
        waiting.pause(PATIENCE).await;
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
    let (ready, broken): (Vec<_>, Vec<_>) = before.iter().partition(|user| user.is_ready() == Some(true));
    for user in broken {
        report.progress(format_args!(
            "{} was not ready before, and is not waited for: {}",
            user.describe(),
            condition(user)
        ));
    }
    let (soon, later): (Vec<&Object>, Vec<_>) =
        ready.into_iter().partition(|user| Rhythm::of(user).every().is_some_and(|wait| wait <= PATIENCE));
    let mut waiting = Waiting::begin();
    loop {
        let now = users(cluster, name).await?;
        let pending = soon.iter().find(|before| {
            !now.iter().any(|after| after.uid() == before.uid() && is_refreshed(before, after))
        });
        let Some(first) = pending else { return Ok(later.into_iter().map(Object::describe).collect()) };
        if waiting.is_over(PATIENCE) {
            let after = now.iter().find(|after| after.uid() == first.uid());
            return Err(Error::failed(
                "external-secret-stale",
                format!("{} was not read anew", first.describe()),
            )
            .caused_by(after.map(condition).unwrap_or_else(|| "it is gone".into()))
            .hint("its status and the operator's log say why; started again, setup goes on from here"));
        }
        if waiting.is_new() {
            let all = match soon.len() {
                1 => soon.iter().map(|user| user.describe()).collect(),
                several => format!("{several} ExternalSecrets"),
            };
            report.progress(format_args!("waiting until External Secrets Operator has read {all} anew"));
        }
        waiting.pause(PATIENCE).await;
    }
}

/// What uses the store and is not ready, by its UID: whatever the reason, the old key is not.
pub(super) async fn not_ready(cluster: &Cluster, name: &StoreName) -> Result<BTreeSet<String>> {
    let users = users(cluster, name).await?;
    Ok(users.iter().filter(|user| user.is_ready() == Some(false)).map(|user| user.uid().to_owned()).collect())
}

/// How long the watch is, and how long something may be not ready in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vigil {
    pub(super) watch_for: Duration,
    /// An operator that was cut off from its API server goes on with the store as it knew it, fails once with the
    /// disabled key, and comes right by itself. What it has read stays where it is meanwhile.
    pub(super) grace: Duration,
}

impl Vigil {
    pub(super) fn of(watch_for: Duration) -> Self {
        Self { watch_for, grace: Duration::from_secs(60) }
    }
}

/// Watches the store and what uses it, but for what was not ready before. What is not ready any more, and does not
/// get ready again, is an error.
pub(super) async fn stays_ready(
    cluster: &Cluster,
    name: &StoreName,
    but: &BTreeSet<String>,
    Vigil { watch_for, grace }: Vigil,
    report: &mut Report<'_>,
) -> Result<()> {
    report.progress(format_args!(
        "watching {} for {} s with the old key disabled",
        name.name(),
        watch_for.as_secs()
    ));
    let (mut waiting, mut told) = (Waiting::begin(), Duration::ZERO);
    let mut broken_since: Option<Instant> = None;
    loop {
        let store = read(cluster, name).await?;
        let users = users(cluster, name).await?;
        let broken = store
            .iter()
            .map(|store| &store.0)
            .chain(users.iter().filter(|user| !but.contains(user.uid())))
            .find(|object| object.is_ready() == Some(false))
            .map(|object| (object.describe(), condition(object)));
        if let Some((object, said)) = broken {
            let since = *broken_since.get_or_insert_with(|| {
                report.progress(format_args!("  {object} is not ready: {said}"));
                Instant::now()
            });
            if since.elapsed() >= grace {
                return Err(Error::failed("broke-without-key", format!("{object} is not ready any more"))
                    .caused_by(said)
                    .hint("nothing was deleted; started again, setup goes on from here"));
            }
            sleep(LONGEST_PAUSE.min(grace)).await;
            continue;
        }
        if broken_since.take().is_some() {
            report.progress("  all is ready again");
        }
        if waiting.is_over(watch_for) {
            return Ok(());
        }
        let waited = waiting.since.elapsed();
        if waited >= told + TOLD_EVERY {
            told = waited;
            let left = watch_for.saturating_sub(waited).as_secs();
            report.progress(format_args!("  all is ready; {left} s left"));
        }
        waiting.pause(watch_for).await;
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

/// Looks at growing distances, so that a quick operator costs no second. What was waited is what the clock says: a
/// look takes its time, too.
struct Waiting {
    since: Instant,
    pause: Duration,
}

impl Waiting {
    fn begin() -> Self {
        Self { since: Instant::now(), pause: FIRST_PAUSE }
    }

    /// Nothing was waited for yet.
    fn is_new(&self) -> bool {
        self.pause == FIRST_PAUSE
    }

    fn is_over(&self, patience: Duration) -> bool {
        self.since.elapsed() >= patience
    }

    /// Until the next look: the last is at the end of the patience.
    async fn pause(&mut self, patience: Duration) {
        sleep(self.pause.min(patience.saturating_sub(self.since.elapsed()))).await;
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

fn is_refreshed(before: &Object, after: &Object) -> bool {
    let time = |object: &Object| object.text("/status/refreshTime").to_owned();
    after.is_ready() == Some(true) && !time(after).is_empty() && time(after) > time(before)
}

#[cfg(test)]
mod tests {
    use lab::{Ca, SigningKey};
    use serde_json::{Value, json};

    use super::*;
    use crate::{cli::Output, cluster::Settings};

    const AT_ONCE: Vigil = Vigil { watch_for: Duration::ZERO, grace: Duration::ZERO };
    const CRDS: &str = include_str!("../../../tests/lab/fixtures/crds/eso-0.20.4-min.yaml");

    #[tokio::test]
    async fn pauses_grow_and_end_with_the_patience() {
        let mut waiting = Waiting::begin();
        assert!(waiting.is_new() && waiting.is_over(Duration::ZERO));
        waiting.pause(Duration::ZERO).await;
        assert!(!waiting.is_new());
        assert!(waiting.since.elapsed() < FIRST_PAUSE, "nothing is waited for without patience");
        assert_eq!(waiting.pause, FIRST_PAUSE * 3 / 2);
        waiting.pause = LONGEST_PAUSE;
        let patience = waiting.since.elapsed() + Duration::from_millis(20);
        waiting.pause(patience).await;
        assert!(waiting.is_over(patience));
        assert_eq!(waiting.pause, LONGEST_PAUSE);
    }

    /// A store of which the operator says this.
    fn store(ready: &str) -> Value {
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "gcp"},
            "spec": {"provider": {"gcpsm": {"projectID": "acme-prod"}}},
            "status": {"conditions": [{"type": "Ready", "status": ready, "reason": "Valid", "message": "as told"}]}})
    }

    struct World {
        lab: lab::Cluster,
        cluster: Cluster,
        _dir: tempfile::TempDir,
    }

    async fn world(ready: &str) -> World {
        let dir = tempfile::TempDir::new().unwrap();
        let lab = lab::Cluster::start(&Ca::new(), 1, "https://oidc.lab.test", &SigningKey::rsa(2048));
        lab.load_crds(CRDS);
        lab.put_object(store(ready));
        let settings = Settings { kubeconfig: Some(lab.kubeconfig(dir.path())), ..Settings::default() };
        let cluster = Cluster::connect(&settings).await.unwrap();
        World { lab, cluster, _dir: dir }
    }

    #[tokio::test]
    async fn a_quick_operator_costs_no_second() {
        let world = world("False").await;
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        let mut report = Report::new(Output::Text, false, &mut data, &mut talk);
        let started = Instant::now();
        let name = StoreName::Cluster("gcp".into());
        let quick = async {
            sleep(Duration::from_millis(100)).await;
            world.lab.put_object(store("True"));
        };
        let (ready, ()) = futures::join!(until_ready(&world.cluster, &name, &mut report), quick);
        ready.unwrap();
        assert!(started.elapsed() < LONGEST_PAUSE, "it took {:?}", started.elapsed());
        let talk = String::from_utf8(talk).unwrap();
        assert_eq!(talk.matches("waiting until External Secrets Operator").count(), 1, "{talk}");
    }

    #[tokio::test]
    async fn watching_for_no_time_looks_once() {
        let world = world("True").await;
        let name = StoreName::Cluster("gcp".into());
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        let mut report = Report::new(Output::Text, false, &mut data, &mut talk);
        stays_ready(&world.cluster, &name, &BTreeSet::new(), AT_ONCE, &mut report).await.unwrap();
        let looks = || {
            let requests = world.lab.server(0).faults().requests();
            requests.iter().filter(|call| call.path.ends_with("/clustersecretstores/gcp")).count()
        };
        assert_eq!(looks(), 1);

        world.lab.put_object(store("False"));
        let broken =
            stays_ready(&world.cluster, &name, &BTreeSet::new(), AT_ONCE, &mut report).await.unwrap_err();
        assert_eq!((broken.code, looks()), ("broke-without-key", 2));
        assert!(broken.causes.iter().any(|cause| cause.contains("as told")), "{broken}");
    }

    /// An ExternalSecret that asks for what there is not says nothing about the way to its store.
    #[tokio::test]
    async fn what_was_broken_before_is_neither_waited_for_nor_blamed_on_the_key() {
        let world = world("True").await;
        let name = StoreName::Cluster("gcp".into());
        let external = |ready: &str| {
            json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                "metadata": {"name": "typo", "namespace": "shop"},
                "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"}},
                "status": {"conditions": [{"type": "Ready", "status": ready, "message": "no such property"}]}})
        };
        world.lab.put_object(external("False"));
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        let mut report = Report::new(Output::Text, false, &mut data, &mut talk);
        let before = users(&world.cluster, &name).await.unwrap();
        let later = until_refreshed(&world.cluster, &name, &before, &mut report).await.unwrap();
        assert!(later.is_empty());
        let broken = not_ready(&world.cluster, &name).await.unwrap();
        stays_ready(&world.cluster, &name, &broken, AT_ONCE, &mut report).await.unwrap();
        let blamed = stays_ready(&world.cluster, &name, &BTreeSet::new(), AT_ONCE, &mut report).await;
        assert_eq!(blamed.unwrap_err().code, "broke-without-key");
        let talk = String::from_utf8(talk).unwrap();
        assert!(
            talk.contains("ExternalSecret shop/typo was not ready before")
                && talk.contains("no such property"),
            "{talk}"
        );
    }

    /// What it read before the key was disabled is still there: one failure that mends itself harms nobody.
    #[tokio::test]
    async fn what_comes_right_by_itself_is_no_failure() {
        let world = world("False").await;
        let name = StoreName::Cluster("gcp".into());
        let (mut data, mut talk) = (Vec::new(), Vec::new());
        let mut report = Report::new(Output::Text, false, &mut data, &mut talk);
        let vigil = Vigil { grace: Duration::from_secs(20), ..AT_ONCE };
        let none = BTreeSet::new();
        let mends = async {
            sleep(Duration::from_millis(100)).await;
            world.lab.put_object(store("True"));
        };
        let (watched, ()) =
            futures::join!(stays_ready(&world.cluster, &name, &none, vigil, &mut report), mends);
        watched.unwrap();
        let talk = String::from_utf8(talk).unwrap();
        assert!(talk.contains("as told") && talk.contains("all is ready again"), "{talk}");
    }
}
