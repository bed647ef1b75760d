//! PURE. What the API servers answered, judged singly and against each other.

use std::collections::HashSet;

use crate::{
    error::{Code, Error, Result},
    oidc::{Discovery, KeySet, MAX_KEYS, PublicKey, Token, Unreadable},
};

/// What the API servers answered, server by server.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) reached: Reached,
    /// Those of which everything is known, in the order of the EndpointSlice.
    pub(crate) servers: Vec<ApiServer>,
    /// Those of which something is not, each with its reason.
    pub(crate) failed: Vec<FailedServer>,
}

/// An API server that is listed, and of which something could not be established.
#[derive(Clone, Debug)]
pub(crate) struct FailedServer {
    pub(crate) address: String,
    pub(crate) error: Error,
    pub(crate) failure: Failure,
    /// Its key set, if that is known all the same.
    pub(crate) keys: Option<KeySet>,
}

/// What kind of trouble a server is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It did not answer, or not to the end.
    Unreachable,
    /// It answered with another status than success.
    Refused,
    /// What it answered cannot be understood, or must not be published.
    BadAnswer,
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
        KeySet::new(self.key_sets().flat_map(|(_, keys)| keys.iter().cloned())).map_err(|error| {
            let addresses: Vec<_> = self.key_sets().map(|(address, _)| address).collect();
            error.at(format_args!("the keys of the API servers {}", addresses.join(", ")))
        })
    }

    /// Each server whose key set is known, and the set.
    pub(crate) fn key_sets(&self) -> impl Iterator<Item = (&str, &KeySet)> {
        let healthy = self.servers.iter().map(|server| (server.address.as_str(), &server.keys));
        let failed =
            self.failed.iter().filter_map(|server| Some((server.address.as_str(), server.keys.as_ref()?)));
        healthy.chain(failed)
    }

    /// How many servers serve this key.
    pub(crate) fn serving(&self, key: &PublicKey) -> usize {
        let serves = |keys: &KeySet| keys.get(key.kid()).is_some_and(|other| other.same_key(key));
        self.key_sets().filter(|(_, keys)| serves(keys)).count()
    }

    /// How many servers there are, whatever is known of them.
    pub(crate) fn listed(&self) -> usize {
        self.servers.len() + self.failed.len()
    }
}

impl FailedServer {
    pub(super) fn new(address: impl Into<String>, error: Error, keys: Option<KeySet>) -> Self {
        let failure = match error.code {
            Code::Connect
            | Code::Timeout
            | Code::Tls
            | Code::Dns
            | Code::Proxy
            | Code::ProxySetting
            | Code::BodyCut
            | Code::Http => Failure::Unreachable,
            Code::ClusterBusy
            | Code::ClusterForbidden
            | Code::ClusterNotFound
            | Code::ClusterRefused
            | Code::ClusterUnauthorized
            | Code::IssuerEndpointsMissing
            | Code::ServiceAccountMissing => Failure::Refused,
            _ => Failure::BadAnswer,
        };
        Self { address: address.into(), error, failure, keys }
    }
}

impl Observed {
    /// With an external signer one server can serve another key under a `kid` than all the others. It must not keep
    /// theirs from being published.
    pub(super) fn set_conflicts_aside(&mut self) {
        let votes = |servers: &[ApiServer], key: &PublicKey| {
            let of_kid = servers.iter().filter_map(|server| server.keys.get(key.kid()));
            let (same, other): (Vec<_>, Vec<_>) = of_kid.partition(|other| other.same_key(key));
            (same.len(), other.len())
        };
        let outvoted = |servers: &[ApiServer], server: &ApiServer| {
            let mut keys = server.keys.iter();
            keys.find(|key| matches!(votes(servers, key), (same, other) if same < other)).cloned()
        };
        let all = std::mem::take(&mut self.servers);
        let judged: Vec<_> = all.iter().map(|server| outvoted(&all, server)).collect();
        for (server, outvoted) in all.into_iter().zip(judged) {
            let Some(key) = outvoted else {
                self.servers.push(server);
                continue;
            };
            let error = Error::failed(
                Code::JwkDuplicateKid,
                format!("it serves another key under the kid `{}` than most servers", key.kid().escape_debug()),
            )
            .hint("the holder of that key can sign as every workload: compare `kubectl get --raw /openid/v1/jwks` of both, and find out who changed it");
            self.failed.push(FailedServer::new(server.address, error, None));
        }
    }

    /// One server that serves far more keys than the others must not take the room of theirs.
    pub(super) fn set_crowds_aside(&mut self) {
        let kids = |servers: &[ApiServer]| {
            servers
                .iter()
                .flat_map(|server| server.keys.iter().map(PublicKey::kid))
                .collect::<HashSet<_>>()
                .len()
        };
        while self.servers.len() > 1 && kids(&self.servers) > MAX_KEYS {
            let most = (0..self.servers.len()).max_by_key(|index| self.servers[*index].keys.len());
            let crowd = self.servers.remove(most.unwrap_or_default());
            let count = crowd.keys.len();
            let error = Error::failed(
                Code::KeySetTooLarge,
                format!(
                    "it serves {count} keys; with those of the other servers there are more than {MAX_KEYS}"
                ),
            );
            let hint = format!(
                "relying parties keep {MAX_KEYS} keys, and a cluster has one or two: find out who adds keys to it"
            );
            self.failed.push(FailedServer::new(crowd.address, error.hint(hint), None));
        }
    }

    /// What a server serves of which something else failed must fit in with what the others serve.
    pub(super) fn set_failed_aside(&mut self) {
        let mut all: Vec<PublicKey> =
            self.servers.iter().flat_map(|server| server.keys.iter().cloned()).collect();
        for server in &mut self.failed {
            let Some(keys) = &server.keys else { continue };
            let more = [all.as_slice(), &keys.iter().cloned().collect::<Vec<_>>()].concat();
            match KeySet::new(more.iter().cloned()) {
                Ok(_) => all = more,
                Err(error) => {
                    server
                        .error
                        .causes
                        .push(format!("its keys do not fit in with those of the others: {}", error.message));
                    server.keys = None;
                }
            }
        }
    }

    /// A credential that another server accepts has not expired, and what another server allows is granted.
    pub(super) fn explain_refusals(&mut self) {
        let Some(other) = self.servers.first().map(|server| server.address.clone()) else { return };
        for server in &mut self.failed {
            let error = &mut server.error;
            match error.code {
                Code::ClusterUnauthorized => {
                    error.hints = vec![
                        format!("API server {other} accepted the same credential: the servers hold different keys or authorities"),
                        "compare --client-ca-file, --service-account-key-file and --service-account-signing-key-file of both, and restart the one that a rotation has not reached".to_owned(),
                    ];
                }
                Code::ClusterForbidden => {
                    error.hints = vec![format!(
                        "API server {other} allowed the same request: the servers authorize differently; compare --authorization-mode and --authorization-config of both"
                    )];
                }
                _ => {}
            }
        }
    }
}

/// None of the servers is known: the first one's reason, and those of the others.
pub(super) fn no_server(failed: Vec<FailedServer>) -> Error {
    let mut all = failed.into_iter();
    let Some(first) = all.next() else {
        return Error::failed(Code::ClusterAnswer, "the cluster lists no API server")
            .hint("compare with `kubectl get endpointslice kubernetes -o yaml`");
    };
    let error = first.error.at(format_args!("API server {}", first.address));
    all.fold(error, |error, other| {
        error.caused_by(format_args!("API server {}: {}", other.address, other.error.message))
    })
}
