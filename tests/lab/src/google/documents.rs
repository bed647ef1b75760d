//! What the token service reads from issuers, and how it comes to them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use serde_json::Value;

use crate::ca::Ca;
use crate::wire::runtime;

/// How the names of issuers lead to addresses
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// As the system does it; the hosts file of a test's own namespace counts
    System,
    /// What was told with [`Google::resolve`](super::Google::resolve); `*.googleapis.com` is the far
    /// side itself, and no other name exists
    Told,
}

/// The network and the trust of the token service
#[derive(Clone)]
pub(crate) struct World {
    resolver: Resolver,
    names: Names,
    anchors: Arc<Mutex<Vec<String>>>,
}

type Names = Arc<Mutex<BTreeMap<String, SocketAddr>>>;

/// Key sets read before
#[derive(Default)]
pub(crate) struct Cache {
    sets: BTreeMap<String, (Instant, Value)>,
}

/// Why there is no key set
pub(crate) enum Unread {
    /// Not reached, no TLS, not 200, not JSON
    Connection,
    /// The document says another issuer
    Issuer(String),
}

/// No issuer may keep the token service longer
const PATIENCE: Duration = Duration::from_secs(5);

impl World {
    pub(crate) fn new(ca: &Ca, resolver: Resolver) -> Self {
        let anchors = Arc::new(Mutex::new(vec![ca.pem().to_owned()]));
        Self { resolver, names: Names::default(), anchors }
    }

    pub(crate) fn tell(&self, name: &str, addr: SocketAddr) {
        lock(&self.names).insert(name.to_lowercase(), addr);
    }

    pub(crate) fn trust(&self, pem: &str) {
        lock(&self.anchors).push(pem.to_owned());
    }

    /// The key set of an issuer by discovery (OpenID Connect Discovery 1.0 §4)
    pub(crate) fn key_set(&self, issuer: &str, discovery: Option<&str>) -> Result<Value, Unread> {
        let usual = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = self.get(discovery.unwrap_or(&usual)).ok_or(Unread::Connection)?;
        if document["issuer"] != issuer {
            return Err(Unread::Issuer(document["issuer"].as_str().unwrap_or_default().to_owned()));
        }
        let jwks_uri = document["jwks_uri"].as_str().unwrap_or_default();
        self.get(jwks_uri).filter(|set| set["keys"].is_array()).ok_or(Unread::Connection)
    }

    fn get(&self, url: &str) -> Option<Value> {
        if !url.starts_with("https://") {
            return None;
        }
        let client = self.client()?;
        let read = async move {
            let answer = client.get(url).send().await.ok()?;
            if answer.status() != 200 {
                return None;
            }
            serde_json::from_slice(&answer.bytes().await.ok()?).ok()
        };
        // The handler is called from a task of the lab's runtime, which must go on meanwhile: the
        // issuer may be another far side of the same process.
        tokio::task::block_in_place(|| runtime().block_on(read))
    }

    fn client(&self) -> Option<Client> {
        let anchors = lock(&self.anchors).clone();
        let anchors = anchors.iter().map(|pem| Certificate::from_pem(pem.as_bytes()));
        let anchors = anchors.collect::<Result<Vec<_>, _>>().ok()?;
        let mut builder =
            Client::builder().tls_certs_only(anchors).no_proxy().redirect(Policy::none()).timeout(PATIENCE);
        if self.resolver == Resolver::Told {
            builder = builder.dns_resolver(Arc::new(Told(self.names.clone())));
        }
        builder.build().ok()
    }
}

impl Cache {
    pub(crate) fn get(&self, issuer: &str, longest: Duration) -> Option<Value> {
        let (since, set) = self.sets.get(issuer)?;
        (since.elapsed() < longest).then(|| set.clone())
    }

    pub(crate) fn put(&mut self, issuer: &str, set: &Value) {
        self.sets.insert(issuer.to_owned(), (Instant::now(), set.clone()));
    }
}

struct Told(Names);

impl Resolve for Told {
    fn resolve(&self, name: Name) -> Resolving {
        let names = lock(&self.0);
        let name = name.as_str().to_lowercase();
        // A port other than 0 is taken where the URL has none.
        let found = names.get(&name).or_else(|| {
            let parents = name.match_indices('.').map(|(at, _)| format!("*{}", &name[at..]));
            parents.into_iter().find_map(|parent| names.get(&parent))
        });
        let addr = found.copied().ok_or_else(|| io::Error::other(format!("no host has the name {name}")));
        Box::pin(async move { Ok(Box::new(std::iter::once(addr?)) as Addrs) })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds the world")
}
