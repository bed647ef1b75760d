//! A stand-in for the APIs of Google Cloud that a workload identity needs.

mod accounts;
mod callers;
pub(crate) mod cel;
mod control;
pub(crate) mod documents;
mod error;
mod federation;
mod grpc;
mod hmac;
pub(crate) mod jose;
mod oauth;
mod operations;
mod policy;
mod project;
pub(crate) mod roles;
mod rules;
mod secrets;
mod service;
mod settings;
mod state;
mod sts;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use self::callers::Who;
use self::documents::World;
use self::service::Service;
use self::state::State;
use crate::ca::Ca;
use crate::gcs::Gcs;
use crate::wire::{Faults, Server};

pub use self::documents::Resolver;
pub use self::service::Heard;
pub use self::settings::GoogleSettings;

/// The project's id
pub const PROJECT_ID: &str = "acme-prod";
/// The project's number, which names have where requests have the id
pub const PROJECT_NUMBER: &str = "123456789012";

/// Google Cloud with one project, `acme-prod`, number `123456789012`: Resource Manager, Service
/// Usage, IAM, the token service, IAM Credentials, OAuth, Secret Manager (REST and gRPC), Storage.
///
/// One listener with TLS under all names of `*.googleapis.com`, told apart by `Host`, and one
/// without TLS for clients that take base URLs; both have the same state.
///
/// Faithful (to the discovery documents of iam v1, sts v1, iamcredentials v1, secretmanager v1, to
/// google/cloud/secretmanager/v1/*.proto, to Google's pages on limits and troubleshooting of
/// workload identity federation, and to recorded requests of gcloud):
/// - pools and providers: limits, exact masks, soft delete and undelete, names with the project's
///   number, fields with default values left out, operations that are not done at the first poll,
///   that fail or never end, and whose effect may come late
/// - uploaded keys: at most 8, their members, RSA and P-256 only
/// - the token service: form and JSON; the provider's documents over https or its uploaded keys;
///   signature, `kid`, issuer, audience, times, mapping, condition, 127 bytes; its error texts
/// - Secret Manager: global secrets, and regional ones at the endpoint of their location; versions and their states,
///   filters on `name`, `labels.KEY` and `state`, pages
/// - `testIamPermissions` of the project, of pools, service accounts and secrets: what requests there would be allowed
/// - policies: version 3, etags with 409 `ABORTED`, conditions hidden from readers of version 1,
///   unknown roles and absent service accounts refused, members that match nothing accepted; they
///   are enforced, on the resource and on the project, after a delay that can be set
/// - permissions: each can be taken away from all, or a caller has only some; refusals name the
///   permission; a disabled API refuses
/// - service-account keys that sign, disabled or deleted keys that are refused, also self-signed
///   tokens (AIP-4111); impersonation by policy; the public half of each key
///   (`publicKeyType=TYPE_RAW_PUBLIC_KEY`: PEM in base64); when Policy Analyzer says a key was used last
/// - HMAC keys: the list of a project, of one account, in pages; the effective policy about new keys (Resource Manager v1)
/// - disabling a pool cuts off tokens issued through it, disabling a provider does not
///
/// Not faithful: one project, no organisation, folders or quotas; organisation policies only as
/// settings; roles have as many permissions as the stand-in asks for, predefined ones only; a
/// binding with a condition grants nothing, on a bucket it does for the names that it says; CEL only as far as mappings and conditions for
/// Kubernetes need it, anything else is refused when it is written; a token with several audiences
/// or without the claim of a custom attribute is refused, which is open at Google; texts of
/// `INVALID_ARGUMENT` are the stand-in's own, and so is the text of Resource Manager's 403, which at
/// Google does not always name the permission; a deleted pool is never purged; a self-signed token's
/// audience is not compared with the host; gRPC has the four reads only, without
/// `grpc-status-details-bin`; `kid` may be missing in assertions; the system-managed key of an
/// account signs nothing; enabling a service takes effect at once, and the token service does not
/// ask whether its own API is enabled; of the metadata server only what leads to a token; the delay
/// of policies is the same for every grant and removal. Storage is [`Gcs`], with its own limits.
pub struct Google {
    tls: Server,
    plain: Server,
    /// Where the token service reads documents of its own storage
    _inner: Server,
    fetches: Faults,
    world: World,
    state: Arc<Mutex<State>>,
    storage: Gcs,
    faults: Faults,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// The one location that has an endpoint of its own here
const REGIONAL: &str = "secretmanager.europe-west1.rep.googleapis.com";

/// The names that certificates and routes are made for
const NAMES: [&str; 11] = [
    "iam.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "secretmanager.googleapis.com",
    REGIONAL,
    "cloudresourcemanager.googleapis.com",
    "serviceusage.googleapis.com",
    "oauth2.googleapis.com",
    "policyanalyzer.googleapis.com",
    "storage.googleapis.com",
    "*.storage.googleapis.com",
];

impl Google {
    /// Start on loopback; issuers are found as told with [`Google::resolve`]
    pub fn start(ca: &Ca) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(ca, loopback, Resolver::Told).expect("listen on loopback")
    }

    /// Start with TLS on a given address; without TLS always on loopback
    pub fn start_at(ca: &Ca, addr: SocketAddr, resolver: Resolver) -> io::Result<Self> {
        let (faults, world) = (Faults::default(), World::new(ca, resolver));
        let state = Arc::new(Mutex::new(State::new()));
        let names = ["*.googleapis.com", REGIONAL, "*.storage.googleapis.com", "127.0.0.1", "localhost"];
        let (storage, embedded) = Gcs::embedded();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let service =
            Service { state: state.clone(), storage: embedded, world: world.clone(), heard: heard.clone() };
        // What the token service reads is neither a call of the program under test nor slowed down
        // with those.
        let unheard = Service { heard: Arc::default(), ..service.clone() };
        let (service, fetches) = (Arc::new(service), Faults::default());
        let config = ca.certificate(&names).server_config();
        let tls = Server::start_at(
            (addr.ip(), addr.port()),
            Some(config.clone()),
            service.clone(),
            faults.clone(),
        )?;
        let plain = Server::start(None, service, faults.clone());
        let inner = Server::start(Some(config), Arc::new(unheard), fetches.clone());
        world.tell("*.googleapis.com", inner.addr());
        Ok(Self { tls, plain, _inner: inner, fetches, world, state, storage, faults, heard })
    }

    /// The names under which it is reached through [`crate::Internet`]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// Where it listens with TLS
    pub fn addr(&self) -> SocketAddr {
        self.tls.addr()
    }

    /// Where it listens without TLS, as a base URL without a slash at the end
    pub fn http_url(&self) -> String {
        format!("http://{}", self.plain.addr())
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Faults and record of what the token service reads from this project's own storage
    pub fn fetches(&self) -> &Faults {
        &self.fetches
    }

    /// Everything it was asked, with bodies, in order; without what faults kept from it
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("what was heard").clone()
    }

    /// The storage of the same project
    pub fn storage(&self) -> &Gcs {
        &self.storage
    }

    /// Change its settings
    pub fn change(&self, change: impl FnOnce(&mut GoogleSettings)) {
        change(&mut self.lock().settings);
    }

    /// Where the token service finds an issuer's host; also `*.example.com`
    pub fn resolve(&self, host: &str, addr: SocketAddr) {
        self.world.tell(host, addr);
    }

    /// Let the token service trust one more authority
    pub fn trust(&self, ca_pem: &str) {
        self.world.trust(ca_pem);
    }

    /// Forget all key sets that the token service read
    pub fn forget_documents(&self) {
        self.lock().documents = documents::Cache::default();
    }

    /// A bearer token of the project's owner
    pub fn token(&self) -> String {
        self.lock().callers[0].token.clone()
    }

    /// A bearer token with these permissions in the whole project, and no others
    pub fn caller(&self, permissions: &[&str]) -> String {
        let permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
        self.lock().admit(Who::Only(permissions), None)
    }

    /// Take a permission away from everybody
    pub fn deny(&self, permission: &str) {
        self.lock().denied.insert(permission.to_owned());
    }

    /// Undo [`Google::deny`]
    pub fn allow(&self, permission: &str) {
        self.lock().denied.remove(permission);
    }

    /// The permissions that the project's owner has needed so far
    pub fn needed(&self) -> Vec<String> {
        let mut needed = self.storage.needed();
        needed.extend(self.lock().needed.borrow().iter().cloned());
        needed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the far side")
    }
}
