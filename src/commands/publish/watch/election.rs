//! Keeps the Lease: reads it, writes it over the version that was read, and says until when this process may write.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::server::Shared;
use crate::{
    cluster::{
        Cluster,
        objects::{MANAGED_BY, Object, Resource},
    },
    error::{Code, Error, Result},
    retry,
    rfc3339::rfc3339,
    watch::{
        board::Lead,
        lease::{Election, RENEW_DEADLINE, RETRY_PERIOD, Record, Step},
    },
};

static LEASES: Resource = Resource::new("coordination.k8s.io", "v1", "leases", "Lease", true);

/// For one attempt: two fit into the time that a holder has for a renewal.
const ATTEMPT: Duration = RENEW_DEADLINE.checked_div(2).expect("not zero");

/// Who may write.
#[derive(Clone, Debug)]
pub(super) enum Leads {
    /// This process: there is no Lease to hold.
    Always,
    /// This process, until then.
    Until(Instant),
    /// Another one, if it is known which.
    No { holder: Option<String> },
    /// It is not known: the Lease cannot be read or written.
    Unknown(Error),
}

impl Leads {
    pub(super) fn now(&self) -> bool {
        match self {
            Self::Always => true,
            Self::Until(end) => Instant::now() < *end,
            Self::No { .. } | Self::Unknown(_) => false,
        }
    }
}

/// Waits until this process may no longer write.
pub(super) async fn lost(mut leads: watch::Receiver<Leads>) {
    loop {
        let end = match &*leads.borrow_and_update() {
            Leads::Always => None,
            Leads::Until(end) => Some(*end),
            Leads::No { .. } | Leads::Unknown(_) => return,
        };
        let ended = async {
            match end {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ended => return,
            changed = leads.changed() => if changed.is_err() { return },
        }
    }
}

/// The Lease, and this process's part in it.
pub(super) struct Keeper<'a> {
    namespace: String,
    name: String,
    election: Election,
    /// As it was last read or written; `None`: it has to be read.
    held: Option<Object>,
    shared: &'a Shared,
    now: fn() -> u64,
    leads: watch::Sender<Leads>,
    clusters: watch::Receiver<Option<Arc<Cluster>>>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(
        (namespace, name): (String, String),
        shared: &'a Shared,
        now: fn() -> u64,
        leads: watch::Sender<Leads>,
        clusters: watch::Receiver<Option<Arc<Cluster>>>,
    ) -> Self {
        let election = Election::new(identity());
        Self { namespace, name, election, held: None, shared, now, leads, clusters }
    }

    /// Attempts for ever.
    pub(super) async fn run(&mut self) -> std::convert::Infallible {
        loop {
            // Where the looks have found the cluster that the settings name.
            if self.clusters.wait_for(Option::is_some).await.is_err() {
                std::future::pending::<()>().await;
            }
            let cluster = self.clusters.borrow().clone();
            let Some(cluster) = cluster else { continue };
            let attempt = match timeout(ATTEMPT, self.attempt(&cluster)).await {
                Ok(attempt) => attempt,
                Err(_) => Err(Error::failed(
                    Code::Timeout,
                    format!("the API server did not answer within {} s", ATTEMPT.as_secs()),
                )),
            };
            if attempt.is_err() {
                // What became of a write is not known.
                self.held = None;
            }
            self.tell(attempt.err());
            // As client-go: up to a fifth longer, so that processes do not attempt together.
            let longer = RETRY_PERIOD.mul_f64(f64::from(retry::random()) / f64::from(u32::MAX) / 5.0);
            sleep(RETRY_PERIOD + longer).await;
        }
    }

    async fn attempt(&mut self, cluster: &Cluster) -> Result<()> {
        let clock = || self.shared.clock();
        let leads = self.election.leads_until().is_some_and(|until| clock() < until);
        if !leads || self.held.is_none() {
            self.held = cluster.get_object(&LEASES, Some(&self.namespace), &self.name).await?;
            let record = self.held.as_ref().map(|lease| Record::read(&lease.0["spec"]));
            self.election.observe(record, clock());
        }
        let (began, time) = (clock(), self.time());
        let written = match self.election.step(began, &time) {
            Step::Wait => return Ok(()),
            Step::Create(spec) => cluster.create(&LEASES, &self.manifest(spec)).await,
            Step::Update(spec) => cluster.replace(&LEASES, &self.manifest(spec)).await,
        };
        match written {
            Ok(written) => {
                self.election.written(Record::read(&written.0["spec"]), began, clock());
                self.held = Some(written);
                Ok(())
            }
            // Another process was faster, or wrote something else into it: the next attempt reads it.
            Err(error) if matches!(error.code, Code::ApplyRaced | Code::ClusterNotFound) => {
                self.held = None;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// With everything that others have put on it.
    fn manifest(&self, spec: Value) -> Value {
        match &self.held {
            Some(held) => {
                let mut manifest = held.0.clone();
                if let Some(metadata) = manifest["metadata"].as_object_mut() {
                    metadata.remove("managedFields");
                }
                manifest["spec"] = spec;
                manifest
            }
            None => json!({
                "apiVersion": LEASES.api_version(),
                "kind": LEASES.kind,
                "metadata": {
                    "name": self.name,
                    "namespace": self.namespace,
                    "labels": { MANAGED_BY.0: MANAGED_BY.1, "app.kubernetes.io/name": "keyless" },
                },
                "spec": spec,
            }),
        }
    }

    fn tell(&self, failed: Option<Error>) {
        let leads = match (self.election.leads_until(), failed) {
            // An attempt that failed changes nothing before the deadline.
            (Some(until), _) if self.shared.clock() < until => {
                self.shared.board().leads(Lead::Until(until));
                Leads::Until(self.shared.instant(until))
            }
            (_, Some(error)) => {
                self.shared.board().leads(Lead::Unknown);
                Leads::Unknown(self.unavailable(error))
            }
            _ => {
                let holder = self.election.other().map(str::to_owned);
                self.shared.board().leads(if holder.is_some() { Lead::Another } else { Lead::Unknown });
                Leads::No { holder }
            }
        };
        self.leads.send_replace(leads);
    }

    fn unavailable(&self, error: Error) -> Error {
        let place = format!("{}/{}", self.namespace, self.name);
        let mut unavailable = Error::failed(
            Code::LeaseUnavailable,
            format!("the Lease {place} cannot be kept: nothing is written"),
        )
        .caused_by(format_args!("{}: {}", error.code, error.message));
        unavailable.causes.extend(error.causes);
        unavailable.hint(format!(
            "grant get and update on leases.coordination.k8s.io `{}` in the namespace `{}`, and create there, as long as there is none",
            self.name, self.namespace
        ))
    }

    fn time(&self) -> String {
        // Kubernetes demands the microseconds.
        rfc3339((self.now)()).replace('Z', ".000000Z")
    }

    /// Gives the Lease up, so that another process need not wait for it to run out.
    pub(super) async fn release(&mut self) {
        let cluster = self.clusters.borrow().clone();
        let (Some(cluster), Some(spec)) = (cluster, self.election.release(&self.time())) else { return };
        if self.held.is_none() {
            return;
        }
        let manifest = self.manifest(spec);
        let release = cluster.replace(&LEASES, &manifest);
        // If it fails, the Lease runs out.
        drop(timeout(Duration::from_secs(1), release).await);
    }
}

/// What tells this process from every other one: the name of its host, which in a pod is the pod's, and a random number.
fn identity() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).take(64).collect();
    format!("{host}_{:08x}{:08x}", retry::random(), retry::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_differ() {
        let (one, other) = (identity(), identity());
        assert_ne!(one, other);
        assert!(one.len() >= 17 && one.is_ascii(), "{one}");
    }

    #[tokio::test]
    async fn lost_follows_renewals() {
        let soon = || Instant::now() + Duration::from_millis(200);
        let (sender, receiver) = watch::channel(Leads::Until(soon()));
        let ended = lost(receiver.clone());
        tokio::pin!(ended);
        assert!(timeout(Duration::from_millis(50), &mut ended).await.is_err());
        sender.send_replace(Leads::Until(Instant::now() + Duration::from_secs(60)));
        assert!(timeout(Duration::from_millis(400), &mut ended).await.is_err());
        sender.send_replace(Leads::No { holder: None });
        assert!(timeout(Duration::from_secs(5), &mut ended).await.is_ok());
        sender.send_replace(Leads::Until(soon()));
        assert!(timeout(Duration::from_secs(5), lost(receiver)).await.is_ok());
    }
}
