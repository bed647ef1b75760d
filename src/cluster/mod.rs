//! The cluster's side: what every API server says of its issuer and keys, and what it really signs with.
//!
//! Behind a load balancer each question may reach another API server, and during a rollout their answers
//! differ. So each is asked by its own address, all at the same time.

mod connect;
mod connector;
mod dial;
mod endpoints;
mod exec;
mod identity;
pub(crate) mod kubeconfig;
mod login;
pub(crate) mod objects;
pub(crate) mod proxy;
mod requests;
mod server;
pub(crate) mod snapshot;
mod tls;
mod unreachable;

use std::{fmt, str::FromStr};

use futures::future::join_all;

pub(crate) use self::connect::{Cluster, Configured};
use self::requests::Server;
use crate::{
    error::{Error, Result},
    oidc::{Discovery, KeySet, KidRule, PublicKey, Token, Unreadable},
    redact,
};

/// How to reach the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) kubeconfig: Option<std::path::PathBuf>,
    pub(crate) context: Option<String>,
    /// The UID of the namespace `kube-system` of the cluster that the settings are for; `None`: any cluster.
    pub(crate) uid: Option<String>,
    /// Whom test tokens are minted for; `None` is `keyless-probe` in a pod's own namespace, or `default/default` outside a
    /// pod.
    pub(crate) service_account: Option<ServiceAccount>,
    /// Where kubeconfigs are, if none is named.
    pub(crate) environment: kubeconfig::Environment,
    pub(crate) proxies: proxy::Environment,
}

/// `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceAccount {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What the cluster said, server by server.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) reached: Reached,
    /// At least one; in the order of the EndpointSlice.
    pub(crate) servers: Vec<ApiServer>,
    /// Servers that are listed but did not answer.
    pub(crate) unreachable: Vec<(String, Error)>,
}

/// By which way the API servers were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Each by its own address.
    Each,
    /// Through the kubeconfig's address, for this reason. Behind it may stand one server or many.
    Kubeconfig { why: String },
}

/// One API server: what it publishes, and a token that it signed.
#[derive(Clone, Debug)]
pub(crate) struct ApiServer {
    pub(crate) address: String,
    pub(crate) keys: KeySet,
    pub(crate) unreadable: Vec<Unreadable>,
    pub(crate) discovery: Discovery,
    pub(crate) token: Token,
    /// Seconds since 1970 by the server's own clock (`Date` of its answer).
    pub(crate) clock: Option<u64>,
}

impl Observed {
    /// The live set: every key that some API server serves now.
    pub(crate) fn live(&self) -> Result<KeySet> {
        KeySet::new(self.servers.iter().flat_map(|server| server.keys.iter().cloned()))
    }

    /// The addresses of the servers that serve this key.
    pub(crate) fn serving(&self, key: &PublicKey) -> usize {
        self.servers
            .iter()
            .filter(|server| server.keys.get(key.kid()).is_some_and(|other| other.same_key(key)))
            .count()
    }
}

impl Cluster {
    /// Asks every API server for its keys, its discovery document and a test token for this audience.
    pub(crate) async fn observe(&self, audience: &str, rule: KidRule) -> Result<Observed> {
        let (servers, why) = match self.api_servers().await? {
            Ok(servers) => (servers, None),
            Err(why) => (vec![self.by_kubeconfig()], Some(why)),
        };
        let mut observed = self.ask_all(&servers, audience, rule).await?;
        if observed.servers.is_empty() && why.is_none() {
            let unreachable = observed.unreachable;
            let why = format!(
                "none of the {} API servers can be reached by its own address ({})",
                unreachable.len(),
                unreachable.first().map(|(_, error)| error.code).unwrap_or_default()
            );
            observed = self.ask_all(&[self.by_kubeconfig()], audience, rule).await?;
            observed.reached = Reached::Kubeconfig { why };
        } else if let Some(why) = why {
            observed.reached = Reached::Kubeconfig { why };
        }
        if observed.servers.is_empty() {
            let (address, error) = observed.unreachable.remove(0);
            return Err(error.at(format_args!("API server {address}")));
        }
        Ok(observed)
    }

    async fn ask_all(&self, servers: &[Server], audience: &str, rule: KidRule) -> Result<Observed> {
        let answers = join_all(servers.iter().map(|server| self.ask(server, audience, rule))).await;
        let mut observed = Observed { reached: Reached::Each, servers: Vec::new(), unreachable: Vec::new() };
        for (server, answer) in servers.iter().zip(answers) {
            match answer {
                Ok(answer) => observed.servers.push(answer),
                // Not reaching a server says nothing of its keys. A refusal or a bad key set is an answer.
                Err(error)
                    if matches!(
                        error.code,
                        "connect" | "timeout" | "tls" | "dns" | "proxy" | "body-cut" | "http"
                    ) =>
                {
                    observed.unreachable.push((server.address.clone(), error));
                }
                Err(error) => return Err(error.at(format_args!("API server {}", server.address))),
            }
        }
        Ok(observed)
    }

    async fn ask(&self, server: &Server, audience: &str, rule: KidRule) -> Result<ApiServer> {
        let (jwks, discovery, token) =
            futures::try_join!(self.jwks(server), self.discovery(server), self.mint(server, audience))?;
        let (keys, unreadable) = KeySet::parse(&jwks.body, "the key set that it serves", rule)?;
        Ok(ApiServer {
            address: server.address.clone(),
            keys,
            unreadable,
            discovery: Discovery::parse(&discovery.body, "the discovery document that it serves")?,
            token,
            clock: jwks.clock,
        })
    }
}

impl FromStr for ServiceAccount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let label = |part: &str| {
            !part.is_empty()
                && part.len() <= 253
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        };
        match text.split_once('/') {
            Some((namespace, name)) if label(namespace) && label(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(Error::usage(
                "service-account",
                format!("`{}` does not name a ServiceAccount", redact::given(text)),
            )
            .hint("write NAMESPACE/NAME, e.g. --service-account default/default")),
        }
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
