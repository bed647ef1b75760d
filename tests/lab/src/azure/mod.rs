//! A stand-in for Azure Blob Storage, the token endpoint of Entra, and the metadata service.

mod blob;
mod container;
mod error;
mod service;
mod token;

pub(crate) use self::error::aadsts;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use crate::ca::Ca;
use crate::clock;
use crate::keys::{random_hex, uuid};
use crate::s3::Access;
use crate::wire::{Faults, Server};

/// One storage account, `acmeoidc`, with its Blob service and its static website; the tenant's token endpoint; the
/// metadata service of a virtual machine (by its loopback address only).
///
/// Faithful (to the REST reference of the Blob service, to the pages on anonymous access, static websites, built-in roles
/// and client credentials, and to Azurite 3.35 as tried):
/// - containers: create with metadata, properties, delete, list of blobs; public access and stored access policies as one
///   resource under `If-Unmodified-Since`; `PublicAccessNotPermitted` (409) while the account does not allow it, to the
///   owner and to anonymous readers alike
/// - block blobs: `If-None-Match: *` is answered 409 `BlobAlreadyExists`, a wrong `If-Match` 412 `ConditionNotMet`;
///   content type and cache time as `x-ms-blob-…`; every error with `x-ms-error-code` and XML that begins with a byte
///   order mark
/// - the static website: `$web` appears when it is enabled, is read at its own host without any permission of the account,
///   and stays private at the host of the Blob service
/// - callers: bearer tokens by number, with an audience and an end; `x-ms-version` and the date are asked for; permissions
///   by the names of role definitions
/// - tokens: by client secret, and by an assertion (issuer, subject, audience, time and signature verified)
///
/// Not faithful: no shared keys or SAS, leases, snapshots, versions, soft delete, tiers, other blob types or block lists;
/// one tenant; the signature of an access token is none; a deleted container is gone at once; lists have one page; changes count at once.
pub struct Azure {
    server: Server,
    tls: bool,
    shared: Arc<Mutex<Shared>>,
    faults: Faults,
}

/// A blob as it lies in the store
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureBlob {
    /// Content
    pub body: Vec<u8>,
    /// `Content-Type`
    pub content_type: String,
    /// `Cache-Control`
    pub cache_control: Option<String>,
    /// With its quotes
    pub etag: String,
    modified: i64,
}

/// Who may log in
struct Application {
    client_id: String,
    secret: Option<String>,
    federated: Vec<Federated>,
    access: Access,
}

/// A federated identity credential
struct Federated {
    issuer: String,
    subject: String,
    /// What the issuer publishes
    keys: Value,
}

struct Token {
    secret: String,
    audience: String,
    access: Access,
    expires: i64,
}

struct Container {
    /// `blob` or `container`
    public_access: Option<String>,
    /// The body of its access policies
    policies: String,
    metadata: Vec<(String, String)>,
    modified: i64,
    etag: String,
    blobs: BTreeMap<String, AzureBlob>,
}

struct Shared {
    allows_public_access: bool,
    website: bool,
    token_life: i64,
    applications: Vec<Application>,
    tokens: Vec<Token>,
    /// The managed identity of the machine
    machine: Option<(String, Access)>,
    containers: BTreeMap<String, Container>,
    needed: BTreeSet<String>,
    counter: u64,
}

/// Its names, for certificates and routes
const NAMES: [&str; 3] =
    ["*.blob.core.windows.net", "*.z6.web.core.windows.net", "login.microsoftonline.com"];
const ACCOUNT: &str = "acmeoidc";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const NO_POLICIES: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><SignedIdentifiers />";
const WEB: &str = "$web";

impl Azure {
    /// Start over http
    pub fn start() -> Self {
        Self::serve(None)
    }

    /// Start over https, with the public names and 127.0.0.1
    pub fn start_tls(ca: &Ca) -> Self {
        Self::serve(Some(ca))
    }

    fn serve(ca: Option<&Ca>) -> Self {
        let shared = Arc::new(Mutex::new(Shared::new()));
        let names: Vec<&str> = NAMES.into_iter().chain(["127.0.0.1"]).collect();
        let config = ca.map(|ca| ca.certificate(&names).server_config());
        let (faults, service) = (Faults::default(), service::Service { shared: shared.clone() });
        let server = Server::start(config, Arc::new(service), faults.clone());
        Self { server, tls: ca.is_some(), shared, faults }
    }

    /// Its loopback address
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The token endpoint and the metadata service, for `AZURE_AUTHORITY_HOST`
    pub fn authority(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.addr())
    }

    /// The account's blob service, for `--endpoint`
    pub fn url(&self) -> String {
        format!("{}/{ACCOUNT}", self.authority())
    }

    /// The names under which it is reached through [`crate::Internet`]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// For `AZURE_TENANT_ID`
    pub fn tenant() -> &'static str {
        TENANT
    }

    /// What the role Storage Blob Data Contributor may
    pub fn contributor() -> Access {
        let containers =
            ["delete", "read", "write", "blobs/delete", "blobs/read", "blobs/write", "blobs/add/action"];
        Access::Only(containers.map(container_permission).to_vec())
    }

    /// What the role Storage Blob Data Owner may, beside that
    pub fn owner() -> Access {
        let Access::Only(mut permissions) = Self::contributor() else { unreachable!("a list") };
        permissions.extend(["getAcl/action", "setAcl/action"].map(container_permission));
        Access::Only(permissions)
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// An application with a client secret: client ID and secret
    pub fn add_client(&self, access: Access) -> (String, String) {
        let (client_id, secret) = (uuid(), random_hex(20));
        let application = Application {
            client_id: client_id.clone(),
            secret: Some(secret.clone()),
            federated: Vec::new(),
            access,
        };
        self.lock().applications.push(application);
        (client_id, secret)
    }

    /// An application that logs in with tokens of this issuer for this subject; `keys` is what the issuer publishes
    pub fn federate(&self, issuer: &str, subject: &str, keys: Value, access: Access) -> String {
        let client_id = uuid();
        let federated = vec![Federated { issuer: issuer.into(), subject: subject.into(), keys }];
        self.lock().applications.push(Application {
            client_id: client_id.clone(),
            secret: None,
            federated,
            access,
        });
        client_id
    }

    /// The machine gets a managed identity: its client ID
    pub fn add_managed_identity(&self, access: Access) -> String {
        let client_id = uuid();
        self.lock().machine = Some((client_id.clone(), access));
        client_id
    }

    /// How long tokens live from now on, in seconds
    pub fn token_life(&self, seconds: i64) {
        self.lock().token_life = seconds;
    }

    /// No token that was given out is valid any longer
    pub fn revoke_tokens(&self) {
        self.lock().tokens.clear();
    }

    /// `allowBlobPublicAccess` of the account
    pub fn allow_public_access(&self, allow: bool) {
        self.lock().allows_public_access = allow;
    }

    /// Whether the static website is enabled
    pub fn website(&self) -> bool {
        self.lock().website
    }

    /// Make a container; `public_access`: `blob` or `container`
    pub fn add_container(&self, name: &str, public_access: Option<&str>) {
        self.lock().add_container(name, public_access.map(str::to_owned), Vec::new());
    }

    /// The body of a container's stored access policies
    pub fn policies(&self, container: &str) -> Option<String> {
        Some(self.lock().containers.get(container)?.policies.clone())
    }

    /// Set the body of a container's stored access policies
    pub fn set_policies(&self, container: &str, body: &str) {
        let mut shared = self.lock();
        shared.containers.get_mut(container).expect("a container that exists").policies = body.to_owned();
    }

    /// The public access of a container: `blob`, `container` or none
    pub fn public_access(&self, container: &str) -> Option<String> {
        self.lock().containers.get(container)?.public_access.clone()
    }

    /// The permissions that callers have needed so far
    pub fn needed(&self) -> Vec<String> {
        self.lock().needed.iter().cloned().collect()
    }

    /// Names of all containers
    pub fn containers(&self) -> Vec<String> {
        self.lock().containers.keys().cloned().collect()
    }

    /// A blob, past all permissions
    pub fn blob(&self, container: &str, name: &str) -> Option<AzureBlob> {
        self.lock().containers.get(container)?.blobs.get(name).cloned()
    }

    /// All names of blobs in a container
    pub fn blobs(&self, container: &str) -> Vec<String> {
        let shared = self.lock();
        shared.containers.get(container).map(|it| it.blobs.keys().cloned().collect()).unwrap_or_default()
    }

    /// Write a blob, past all permissions and conditions
    pub fn put(&self, container: &str, name: &str, body: &[u8]) {
        let mut shared = self.lock();
        let blob = AzureBlob {
            body: body.to_vec(),
            content_type: "application/octet-stream".into(),
            cache_control: None,
            etag: shared.etag(),
            modified: clock::now(0),
        };
        shared
            .containers
            .get_mut(container)
            .expect("a container that exists")
            .blobs
            .insert(name.into(), blob);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test panics while it holds the store")
    }
}

/// The whole name of a permission on containers and blobs
pub(crate) fn container_permission(short: &str) -> String {
    format!("Microsoft.Storage/storageAccounts/blobServices/containers/{short}")
}

impl Shared {
    fn new() -> Self {
        Self {
            allows_public_access: true,
            website: false,
            token_life: 3599,
            applications: Vec::new(),
            tokens: Vec::new(),
            machine: None,
            containers: BTreeMap::new(),
            needed: BTreeSet::new(),
            counter: 0x8DD_0E5C_F7AB_C000,
        }
    }

    fn etag(&mut self) -> String {
        self.counter += 1;
        format!("\"0x{:X}\"", self.counter)
    }

    fn add_container(&mut self, name: &str, public_access: Option<String>, metadata: Vec<(String, String)>) {
        let container = Container {
            public_access,
            policies: NO_POLICIES.into(),
            metadata,
            modified: clock::now(0),
            etag: self.etag(),
            blobs: BTreeMap::new(),
        };
        self.containers.insert(name.to_owned(), container);
    }
}
