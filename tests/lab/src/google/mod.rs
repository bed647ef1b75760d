//! A stand-in for the APIs of Google Cloud that a workload identity needs.

mod accounts;
mod callers;
mod cel;
mod documents;
mod error;
mod federation;
mod grpc;
mod jose;
mod oauth;
mod operations;
mod policy;
mod project;
mod roles;
mod rules;
mod secrets;
mod service;
mod state;
mod sts;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use self::callers::Who;
use self::documents::World;
use self::error::Code;
use self::service::Service;
use self::state::State;
use crate::ca::Ca;
use crate::gcs::Gcs;
use crate::keys::random_hex;
use crate::wire::{Faults, Server};

pub use self::documents::Resolver;

/// The project's id
pub const PROJECT_ID: &str = "acme-prod";
/// The project's number, which stands in names where the id does in requests
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
/// - policies: version 3, etags with 409 `ABORTED`, conditions hidden from readers of version 1,
///   unknown roles and absent service accounts refused, members that match nothing accepted; they
///   are enforced, on the resource and on the project, after a delay that can be set
/// - permissions: each can be taken away from all, or a caller has only some; refusals name the
///   permission; a disabled API refuses
/// - service-account keys that sign, disabled or deleted keys that are refused, also self-signed
///   tokens (AIP-4111); impersonation by policy
/// - disabling a pool cuts off tokens issued through it, disabling a provider does not
///
/// Not faithful: one project, no organisation, folders or quotas; organisation policies only as
/// settings; roles have as many permissions as the stand-in asks for, predefined ones only; a
/// binding with a condition grants nothing; CEL only as far as mappings and conditions for
/// Kubernetes need it, anything else is refused when it is written; a token with several audiences
/// or without the claim of a custom attribute is refused, which is open at Google; texts of
/// `INVALID_ARGUMENT` are the stand-in's own, and so is the text of Resource Manager's 403, which at
/// Google does not always name the permission; a deleted pool is never purged; a self-signed token's
/// audience is not compared with the host; gRPC has the four reads only, without
/// `grpc-status-details-bin`; `kid` may be missing in assertions; the system-managed key of an
/// account signs nothing; enabling a service takes effect at once.
pub struct Google {
    tls: Server,
    plain: Server,
    world: World,
    state: Arc<Mutex<State>>,
    storage: Gcs,
    faults: Faults,
}

/// Settings that may change while it runs
#[derive(Clone)]
pub struct GoogleSettings {
    /// How many polls of an operation are answered "not done"
    pub operation_polls: u32,
    /// After this time an operation has taken effect even if nobody polls it
    pub operation_time: Duration,
    /// Operations stay undone for ever, and have no effect
    pub operations_never_end: bool,
    /// How long a policy that was written does not count yet
    pub propagation: Duration,
    /// How long the token service keeps a key set that it read
    pub jwks_cache: Duration,
    /// `constraints/iam.workloadIdentityPoolProviders`: the only issuers that providers may have
    pub allowed_issuers: Option<Vec<String>>,
    /// `constraints/iam.allowedPolicyMemberDomains`: no federated or public members in policies
    pub members_restricted: bool,
    /// `constraints/iam.disableServiceAccountKeyCreation`
    pub key_creation_forbidden: bool,
    /// Google's clock minus the real one, in seconds
    pub clock_offset: i64,
    refresh_token: String,
}

impl Default for GoogleSettings {
    fn default() -> Self {
        Self {
            operation_polls: 1,
            operation_time: Duration::from_secs(1),
            operations_never_end: false,
            propagation: Duration::ZERO,
            jwks_cache: Duration::ZERO,
            allowed_issuers: None,
            members_restricted: false,
            key_creation_forbidden: false,
            clock_offset: 0,
            refresh_token: String::new(),
        }
    }
}

/// The names that certificates and routes are made for
const NAMES: [&str; 9] = [
    "iam.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "secretmanager.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "serviceusage.googleapis.com",
    "oauth2.googleapis.com",
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
        let names = ["*.googleapis.com", "*.storage.googleapis.com", "127.0.0.1", "localhost"];
        let (storage, embedded) = Gcs::embedded();
        let service = Service { state: state.clone(), storage: embedded, world: world.clone() };
        let service = Arc::new(service);
        let config = ca.certificate(&names).server_config();
        let tls = Server::start_at((addr.ip(), addr.port()), Some(config), service.clone(), faults.clone())?;
        let plain = Server::start(None, service, faults.clone());
        let reached = if tls.addr().ip().is_unspecified() {
            SocketAddr::from(([127, 0, 0, 1], tls.addr().port()))
        } else {
            tls.addr()
        };
        world.tell("*.googleapis.com", reached);
        Ok(Self { tls, plain, world, state, storage, faults })
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

    /// Whether an API is enabled: `sts.googleapis.com`
    pub fn is_enabled(&self, service: &str) -> bool {
        self.lock().enabled.contains(service)
    }

    /// Enable or disable an API
    pub fn enable(&self, service: &str, enabled: bool) {
        let mut state = self.lock();
        if enabled {
            state.enabled.insert(service.to_owned());
        } else {
            state.enabled.remove(service);
        }
    }

    /// Let the next operation fail, with a canonical code such as `INVALID_ARGUMENT`
    pub fn fail_next_operation(&self, code: &str, message: &str) {
        let codes = [
            Code::InvalidArgument,
            Code::NotFound,
            Code::AlreadyExists,
            Code::PermissionDenied,
            Code::FailedPrecondition,
            Code::Aborted,
            Code::Unauthenticated,
        ];
        let code = codes.into_iter().find(|known| known.name() == code).expect("a canonical code");
        self.lock().operations.failures.push((code, message.to_owned()));
    }

    /// Let somebody else write first in the next `times` changes of policies
    pub fn conflict(&self, times: usize) {
        self.lock().conflicts = times;
    }

    /// A pool as it is, also a deleted one
    pub fn pool(&self, pool: &str) -> Option<Value> {
        self.resource(&pool_name(pool))
    }

    /// A provider as it is, also a deleted one
    pub fn provider(&self, pool: &str, provider: &str) -> Option<Value> {
        self.resource(&format!("{}/providers/{provider}", pool_name(pool)))
    }

    /// Names of all pools and providers, also deleted ones
    pub fn federation(&self) -> Vec<String> {
        let mut state = self.lock();
        state.settle();
        state.federation.keys().cloned().collect()
    }

    /// Write a pool or provider past all rules, by changing what is there or an empty one
    pub fn write(&self, pool: &str, provider: Option<&str>, change: impl FnOnce(&mut Value)) {
        let name = match provider {
            None => pool_name(pool),
            Some(provider) => format!("{}/providers/{provider}", pool_name(pool)),
        };
        let mut state = self.lock();
        state.settle();
        let fresh = || json!({"name": name, "state": "ACTIVE"});
        change(state.federation.entry(name.clone()).or_insert_with(fresh));
    }

    /// Make a secret with one version, or add a version to the one that is there
    pub fn add_secret(&self, id: &str, payload: &[u8]) {
        let mut state = self.lock();
        if !state.secrets.contains_key(id) {
            state.put_secret(id, json!({"replication": {"automatic": {}}}));
        }
        state.put_version(id, payload);
    }

    /// Add a version to a secret and return its number
    pub fn add_version(&self, id: &str, payload: &[u8]) -> usize {
        self.lock().put_version(id, payload)
    }

    /// The newest payload of a secret, past all permissions
    pub fn secret(&self, id: &str) -> Option<Vec<u8>> {
        Some(self.lock().secrets.get(id)?.versions.last()?.payload.clone())
    }

    /// Make a service account and return its e-mail address; `eso-reader` is enough of a name
    pub fn service_account(&self, name: &str) -> String {
        let email = match name.contains('@') {
            true => name.to_owned(),
            false => format!("{name}@{PROJECT_ID}.iam.gserviceaccount.com"),
        };
        let mut state = self.lock();
        if !state.accounts.contains_key(&email) {
            state.put_account(&email);
        }
        email
    }

    /// Make a key of a service account and return its file
    pub fn create_key(&self, email: &str) -> Value {
        self.lock().put_key(email)
    }

    /// The user-made keys of a service account: id and whether it is disabled
    pub fn keys(&self, email: &str) -> Vec<(String, bool)> {
        let state = self.lock();
        let keys = state.accounts.get(email).into_iter().flat_map(|account| &account.keys);
        keys.filter(|key| key.user).map(|key| (key.id.clone(), key.disabled)).collect()
    }

    /// The bindings of a policy: of `project`, `secrets/ID` or `serviceAccounts/EMAIL`
    pub fn policy(&self, resource: &str) -> Value {
        let state = self.lock();
        state.policies.get(&canonical(resource)).map_or_else(|| json!([]), policy::Policy::bindings)
    }

    /// Write the bindings of a policy as if they had stood for long
    pub fn set_policy(&self, resource: &str, bindings: Value) {
        self.lock().preset(&canonical(resource), bindings);
    }

    /// Grant a role as if it had been so for long
    pub fn grant(&self, resource: &str, role: &str, member: &str) {
        let mut bindings = self.policy(resource).as_array().cloned().unwrap_or_default();
        bindings.push(json!({"role": role, "members": [member]}));
        self.set_policy(resource, json!(bindings));
    }

    /// Write gcloud's file of a user's credentials (`authorized_user`) into `dir`
    pub fn user_file(&self, dir: &Path) -> PathBuf {
        let mut state = self.lock();
        state.settings.refresh_token = format!("1//{}", random_hex(30));
        let file = json!({
            "type": "authorized_user", "client_id": "lab.apps.googleusercontent.com", "client_secret": "lab",
            "refresh_token": state.settings.refresh_token, "universe_domain": "googleapis.com",
        });
        let path = dir.join("application_default_credentials.json");
        fs::write(&path, file.to_string()).expect("write a user's credentials");
        path
    }

    fn resource(&self, name: &str) -> Option<Value> {
        let mut state = self.lock();
        state.settle();
        state.federation.get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the far side")
    }
}

fn pool_name(pool: &str) -> String {
    format!("{}/locations/global/workloadIdentityPools/{pool}", state::project())
}

fn canonical(resource: &str) -> String {
    match resource.split_once('/') {
        Some(("secrets", id)) => secrets::secret_name(id),
        Some(("serviceAccounts", email)) => accounts::account_name(email),
        _ => state::project(),
    }
}
