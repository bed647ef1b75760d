//! The cluster's side: what every API server says of its issuer and keys, and what it really signs with.
//!
//! Behind a load balancer each question may reach another API server, and during a rollout their answers
//! differ. So each is asked by its own address, all at the same time.

mod connect;
mod connector;
mod dial;
mod endpoints;
mod exec;
mod facts;
mod identity;
pub(crate) mod key_users;
pub(crate) mod kubeconfig;
mod login;
mod missing_rights;
mod names;
mod needle;
pub(crate) mod objects;
mod observed;
mod outside_tokens;
pub(crate) mod proxy;
mod requests;
mod review;
mod server;
pub(crate) mod snapshot;
mod tls;
mod unreachable;
mod wrapped;

use std::{fmt, str::FromStr};

use futures::future::join_all;

#[cfg(feature = "fuzzing")]
pub(crate) use self::endpoints::addresses;
pub(crate) use self::{
    connect::{Cluster, Configured},
    facts::{Listed, User},
    names::{is_label, is_path_segment, is_subdomain},
    observed::{ApiServer, FailedServer, Failure, Observed, Reached},
    outside_tokens::OutsideTokens,
    wrapped::{Base64, base64_of, decoded, is_of_base64, of_two_bytes, private_keys},
};
use self::{
    observed::no_server,
    requests::{Bounds, Server},
};
use crate::{
    error::{Code, Error, Result},
    oidc::{Discovery, KeySet, KidRule},
    redact,
    waiting::Waiting,
};

/// No cluster has more API servers; a slice that lists more is broken, or was tampered with.
const MAX_SERVERS: usize = 64;

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

impl Cluster {
    /// The issuer that the API server names; `None`: it does not tell.
    pub(crate) async fn issuer(&self) -> Option<String> {
        let waiting = Waiting::default();
        let answer = self.discovery(&self.by_kubeconfig(), &Bounds::new(&waiting)).await.ok()?;
        Discovery::parse(&answer.body, "the discovery document that it serves").ok().map(|it| it.issuer)
    }

    /// Asks every API server for its keys, its discovery document and a test token for this audience. At least
    /// one is known completely.
    pub(crate) async fn observe(&self, audience: &str, rule: KidRule, waiting: &Waiting) -> Result<Observed> {
        let observed = self.look(audience, rule, waiting).await?;
        match observed.servers.is_empty() {
            true => Err(no_server(observed.failed)),
            false => Ok(observed),
        }
    }

    /// The same, judging each server singly: at least one key set is known. What is waited for can be told.
    pub(crate) async fn look(&self, audience: &str, rule: KidRule, waiting: &Waiting) -> Result<Observed> {
        let mut bounds = Bounds::new(waiting);
        let (mut servers, mut why) = match self.api_servers(&bounds).await? {
            Ok(servers) => (servers, None),
            Err(why) => (vec![self.by_kubeconfig()], Some(why)),
        };
        let too_many = servers.len().saturating_sub(MAX_SERVERS);
        servers.truncate(MAX_SERVERS);
        bounds.for_servers(servers.len());
        let mut observed = self.ask_all(&servers, audience, rule, &bounds).await;
        // From outside the cluster's network only the kubeconfig's address can be reached, if it is another one.
        let unreachable = observed.failed.iter().all(|server| server.failure == Failure::Unreachable);
        if observed.servers.is_empty() && unreachable && why.is_none() && !self.is_one_of(&servers).await {
            let reason = format!(
                "none of the {} API servers can be reached by its own address ({})",
                servers.len(),
                observed.failed.first().map(|server| server.error.code.name()).unwrap_or_default()
            );
            observed = self.ask_all(&[self.by_kubeconfig()], audience, rule, &bounds).await;
            why = Some(reason);
        }
        if too_many > 0 {
            observed.failed.push(FailedServer::new(
                format!("{too_many} more addresses"),
                Error::failed(
                    Code::ServersTooMany,
                    format!("the EndpointSlice default/kubernetes lists {} addresses", servers.len() + too_many),
                )
                .hint(format!("the first {MAX_SERVERS} were asked; find out what writes the others (`kubectl get endpointslice kubernetes -o yaml`)")),
                None,
            ));
        }
        if let Some(why) = why {
            observed.reached = Reached::Kubeconfig { why };
        }
        observed.set_conflicts_aside();
        observed.set_crowds_aside();
        observed.set_failed_aside();
        // What was only refused says nothing of what the cluster signs with.
        let known = |server: &FailedServer| server.failure == Failure::BadAnswer && server.keys.is_some();
        if observed.servers.is_empty() && !observed.failed.iter().any(known) {
            return Err(no_server(observed.failed));
        }
        observed.explain_refusals();
        Ok(observed)
    }

    async fn ask_all(
        &self,
        servers: &[Server],
        audience: &str,
        rule: KidRule,
        bounds: &Bounds<'_>,
    ) -> Observed {
        let answers = join_all(servers.iter().map(|server| self.ask(server, audience, rule, bounds))).await;
        let mut observed = Observed { reached: Reached::Each, servers: Vec::new(), failed: Vec::new() };
        for answer in answers {
            match answer {
                Ok(server) => observed.servers.push(server),
                Err(server) => observed.failed.push(*server),
            }
        }
        observed
    }

    async fn ask(
        &self,
        server: &Server,
        audience: &str,
        rule: KidRule,
        bounds: &Bounds<'_>,
    ) -> Result<ApiServer, Box<FailedServer>> {
        let failed = |error, keys| Box::new(FailedServer::new(&server.address, error, keys));
        let others =
            async { futures::join!(self.discovery(server, bounds), self.mint(server, audience, bounds)) };
        let (jwks, (discovery, token)) = match bounds.many {
            true => {
                let jwks = self.jwks(server, bounds).await.map_err(|error| failed(error, None))?;
                (jwks, others.await)
            }
            false => {
                let (jwks, others) = futures::join!(self.jwks(server, bounds), others);
                (jwks.map_err(|error| failed(error, None))?, others)
            }
        };
        let (keys, unreadable) = KeySet::parse(&jwks.body, "the key set that it serves", rule)
            .map_err(|error| failed(error, None))?;
        let discovery = discovery
            .and_then(|answer| Discovery::parse(&answer.body, "the discovery document that it serves"));
        match (discovery, token) {
            (Ok(discovery), Ok(token)) => Ok(ApiServer {
                address: server.address.clone(),
                keys,
                unreadable,
                discovery,
                token,
                clock: jwks.clock,
            }),
            (Err(error), _) | (_, Err(error)) => Err(failed(error, Some(keys))),
        }
    }
}

impl FromStr for ServiceAccount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((namespace, name)) if is_label(namespace) && is_subdomain(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(Error::usage(
                Code::ServiceAccount,
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
