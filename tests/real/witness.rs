//! A workload that logs in five times a second by a token of its own, at one API server after the other, and keeps what it was
//! answered. What cannot be asked, because an API server restarts, is no answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::check::{Checked, check};
use crate::openbao;
use crate::tokens::kid;
use crate::world::{ACCOUNT, RELYING_AUDIENCE, World};

const PAUSE: Duration = Duration::from_millis(200);

/// One login.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) kid: String,
    /// Who refused it, and how.
    pub(crate) refusals: Vec<String>,
}

/// Ends with the value.
pub(crate) struct Witness {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

/// What it asks.
struct Asks {
    anyone: Client,
    admin: Client,
    servers: Vec<String>,
    relying_party: Option<String>,
    external_secret: Option<String>,
}

impl Witness {
    /// Logs in to OpenBao, and with `all` to the other API server too; it also looks at the ExternalSecret
    /// `NAMESPACE/NAME`.
    pub(crate) fn start(world: &World, all: Option<(&str, &str)>) -> Checked<Self> {
        let servers = world.servers()?;
        let external_secret = all.map(|(namespace, name)| {
            format!("/apis/external-secrets.io/v1/namespaces/{namespace}/externalsecrets/{name}")
        });
        let asks = Asks {
            anyone: world.anyone.clone(),
            admin: servers[0].admin(),
            servers: servers.iter().map(|server| server.url("")).collect(),
            relying_party: all.map(|_| world.relying_party().map(|party| party.url(""))).transpose()?,
            external_secret,
        };
        let seen = Arc::default();
        let task = tokio::spawn(watch(asks, Arc::clone(&seen)));
        Ok(Self { seen, task })
    }

    /// What it has seen so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails if one login was refused, or if there were fewer than `least` by a token of this key.
    pub(crate) fn none_refused(&self, kid: &str, least: usize) -> Checked {
        let seen = self.seen();
        let refused: Vec<&Seen> = seen.iter().filter(|one| !one.refusals.is_empty()).collect();
        check!(
            refused.is_empty(),
            "{} of {} logins were refused, the first: {:?}",
            refused.len(),
            seen.len(),
            refused[0]
        );
        let by_key = seen.iter().filter(|one| one.kid == kid).count();
        check!(by_key >= least, "only {by_key} of {} logins were by a token of {kid}", seen.len());
        Ok(())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(asks: Asks, seen: Arc<Mutex<Vec<Seen>>>) {
    for turn in 0.. {
        if let Ok(token) = asks.token(&asks.servers[turn % asks.servers.len()]).await {
            let one = Seen {
                at: Instant::now(),
                kid: kid(&token).unwrap_or_default(),
                refusals: asks.refusals(&token).await,
            };
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }
        sleep(PAUSE).await;
    }
}

impl Asks {
    async fn token(&self, server: &str) -> Checked<String> {
        let (namespace, name) = ACCOUNT.split_once('/').unwrap_or_default();
        let url = format!("{server}/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": [openbao::AUDIENCE, RELYING_AUDIENCE], "expirationSeconds": 600},
        });
        let answer = self.admin.post(url).json(&request).timeout(Duration::from_secs(2)).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        Ok(answer["status"]["token"].as_str().unwrap_or_default().to_owned())
    }

    async fn refusals(&self, token: &str) -> Vec<String> {
        let mut refusals = Vec::new();
        match openbao::login(&self.anyone, token).await {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => refusals.push(format!("OpenBao: {refusal}")),
            Err(failure) => refusals.push(format!("OpenBao: {failure}")),
        }
        if let Some(url) = &self.relying_party {
            let url = format!("{url}/apis/authentication.k8s.io/v1/selfsubjectreviews");
            let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
            match self.anyone.post(url).bearer_auth(token).json(&review).send().await {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => refusals.push(format!("the other API server: {}", answer.status())),
                Err(error) => refusals.push(format!("the other API server: {error}")),
            }
        }
        refusals.extend(self.refused_operator().await);
        refusals
    }

    /// What OpenBao refused to External Secrets Operator. An API server that restarts is no refusal.
    async fn refused_operator(&self) -> Option<String> {
        let path = self.external_secret.as_ref()?;
        for server in &self.servers {
            let request = self.admin.get(format!("{server}{path}")).timeout(Duration::from_secs(2));
            let Ok(answer) = request.send().await else { continue };
            let Ok(object) = answer.json::<Value>().await else { continue };
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let refused = conditions.iter().find(|one| {
                one["status"] == "False"
                    && one["message"].as_str().is_some_and(|text| text.contains("Code: 4"))
            });
            return refused.map(|one| format!("External Secrets Operator: {one}"));
        }
        None
    }
}
