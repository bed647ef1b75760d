//! Waiting until External Secrets Operator says of a store that it can log in.

use std::time::Duration;

use crate::{
    cluster::{Cluster, snapshot::Store},
    error::{Code, Error, Result},
    report::Report,
    retry::{Attempts, Backoff},
    secret_store::StoreName,
};

/// How long a store may take until it is ready. The operator looks at once, then every five minutes.
const PATIENCE: Duration = Duration::from_secs(180);
/// Quick at first, so that a quick operator costs no second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Waits until the operator says of the store that it can log in. It does not say of which generation: a store that
/// was ready before counts at once, and what is read through it next tells the rest.
pub(super) async fn until_ready(cluster: &Cluster, name: &StoreName, report: &mut Report<'_>) -> Result<()> {
    let mut attempts = Attempts::begin(Backoff::poll(FIRST_PAUSE, LONGEST_PAUSE, PATIENCE));
    loop {
        let store = cluster.get_object(name.resource(), name.namespace(), name.name()).await?.map(Store);
        if store.as_ref().and_then(Store::is_ready) == Some(true) {
            return Ok(());
        }
        let is_new = attempts.attempt() == 1;
        let say = |_| {
            if is_new {
                report.progress(format_args!(
                    "waiting until External Secrets Operator says that {} is ready",
                    name.name()
                ));
            }
        };
        if !attempts.pause_saying(None, say).await {
            let says = store.map(|store| store.0.condition_text()).unwrap_or_else(|| "it is gone".into());
            return Err(Error::failed(Code::StoreNotReady, format!("the store {} does not get ready", name.name()))
                .caused_by(says)
                .hint("`keyless verify` goes the same way and names the step that fails; started again, setup goes on from here"));
        }
    }
}

#[cfg(test)]
mod tests {
    use lab::{Ca, SigningKey};
    use serde_json::{Value, json};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::{cli::Output, cluster::Settings};

    const CRDS: &str = include_str!("../../../tests/lab/fixtures/crds/eso-0.20.4-min.yaml");

    /// A store of which the operator says this.
    fn store(ready: &str) -> Value {
        json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "gcp"},
            "spec": {"provider": {"gcpsm": {"projectID": "acme-prod"}}},
            "status": {"conditions": [{"type": "Ready", "status": ready, "reason": "Valid", "message": "as told"}]}})
    }

    #[tokio::test]
    async fn a_quick_operator_costs_no_second() {
        let dir = tempfile::TempDir::new().unwrap();
        let lab = lab::Cluster::start(&Ca::new(), 1, "https://oidc.lab.test", &SigningKey::rsa(2048));
        lab.load_crds(CRDS);
        lab.put_object(store("False"));
        let settings = Settings { kubeconfig: Some(lab.kubeconfig(dir.path())), ..Settings::default() };
        let cluster = Cluster::connect(&settings).await.unwrap();
        let (mut data, mut messages) = (Vec::new(), Vec::new());
        let mut report = Report::new(Output::Text, false, &mut data, &mut messages);
        let started = Instant::now();
        let name = StoreName::Cluster("gcp".into());
        let looked = || {
            let requests = lab.server(0).faults().requests();
            requests.iter().any(|call| call.path.ends_with("/clustersecretstores/gcp"))
        };
        let quick = async {
            while !looked() {
                sleep(Duration::from_millis(10)).await;
            }
            // The look has its answer by then.
            sleep(Duration::from_millis(100)).await;
            lab.put_object(store("True"));
        };
        let (ready, ()) = futures::join!(until_ready(&cluster, &name, &mut report), quick);
        ready.unwrap();
        assert!(started.elapsed() < LONGEST_PAUSE, "it took {:?}", started.elapsed());
        let messages = String::from_utf8(messages).unwrap();
        assert_eq!(messages.matches("waiting until External Secrets Operator").count(), 1, "{messages}");
    }
}
