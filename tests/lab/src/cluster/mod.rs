//! Stand-in API servers of one cluster.

mod access;
mod api;
mod eso;
mod eso_values;
mod kubeconfig;
mod objects;
mod protobuf;
mod rbac;
mod review;
mod status;
mod token;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio_rustls::rustls::ServerConfig;

use crate::ca::{Ca, Certificate};
use crate::client_cert::ClientCa;
use crate::clock;
use crate::keys::SigningKey;
use crate::wire::{Faults, Server};
pub use access::Right;
use access::User;
pub use eso::EsoStandIn;
use objects::Objects;

/// Some API servers of one cluster on loopback addresses of their own, all on the same port.
///
/// Faithful (compared answer by answer with kube-apiserver 1.36.3; also pkg/routes/openidmetadata.go,
/// pkg/serviceaccount/, pkg/registry/core/serviceaccount/storage/token.go of
/// kubernetes/kubernetes):
/// - `/openid/v1/jwks` and `/.well-known/openid-configuration`: bytes, order of members and keys,
///   a key given twice served twice, content type, `Cache-Control`, no `ETag`, HEAD 405, 406 by
///   `Accept`, 404 when the first issuer is not https or has a query or fragment
/// - TokenRequest: real signatures, header without `typ`, claims, default audiences and life, the
///   minimum of 600 s, a configured maximum with its warning, 404 for an unknown ServiceAccount
/// - each server has its own key files, signing key (which may be missing from its own files),
///   issuers and clock; like the real one it accepts tokens by issuer, audience, time and key
/// - who may do what: 401, 403 with RBAC's words, anonymous requests by setting; bearer tokens, client certificates of the
///   cluster's CA, and acting as another user
/// - objects of the usual kinds and of every CustomResourceDefinition that is put in: get, list
///   (selectors, pages, tables, metadata only), create, replace, delete, the patches, server-side
///   apply with `managedFields`, conflicts and dry run; pruning, `fieldValidation`, defaults and
///   validation by the schema; refusals word by word
/// - the EndpointSlice `default/kubernetes` (which a real cluster only has with addresses other
///   than loopback), `/version`, `/readyz`
///
/// - RBAC: Roles, ClusterRoles and their bindings, `resourceNames` too, beside the lists of rights by which a test
///   makes a user
///
/// Not faithful: no check of escalation when a Role is written, no aggregated ClusterRoles, no built-in ones; tokens are
/// not bound to pods, so no `pod` and `node` claims and no extension to one year; protobuf only in
/// the request for a token, no indented JSON for curl; a watch ends at once; no admission, no
/// CEL rules, no patterns and formats of schemas, one version is not converted to another; built-in
/// kinds know the members of their first level only, and lists in them are applied as a whole; no
/// controllers but the one that gives a namespace its ServiceAccount `default`; a namespace
/// is gone at once; an external signer only as far as `kid`, `typ` and cache time can be set.
pub struct Cluster {
    ca: Ca,
    shared: Arc<Mutex<ClusterSettings>>,
    servers: Vec<ApiServer>,
}

/// What all API servers of a cluster have in common
pub struct ClusterSettings {
    /// What requests without credentials may do
    pub anonymous: Anonymous,
    /// Whether the EndpointSlice `default/kubernetes` exists
    pub endpoint_slice: bool,
    /// `--service-account-max-token-expiration`, in seconds
    pub max_token_seconds: Option<i64>,
    /// Addresses to list in the EndpointSlice instead of the servers' own
    pub advertised: Option<Vec<SocketAddr>>,
    pub(crate) users: Vec<User>,
    pub(crate) objects: Objects,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What happens to requests without credentials
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// `--anonymous-auth=true` and the two issuer URLs bound to `system:unauthenticated`
    Allowed,
    /// `--anonymous-auth=true`, no binding: 403
    Forbidden,
    /// `--anonymous-auth=false`: 401
    Off,
}

/// The settings of one API server; the names follow its flags
#[derive(Clone)]
pub struct ServerSettings {
    /// `--service-account-key-file`, in order
    pub key_files: Vec<KeyFile>,
    /// `--service-account-signing-key-file`
    pub signing_key: SigningKey,
    /// `--service-account-issuer`: the first signs, all are accepted
    pub issuers: Vec<String>,
    /// `--service-account-jwks-uri`; by default the server's own (private) address
    pub jwks_uri: Option<String>,
    /// `--api-audiences`; by default all issuers
    pub api_audiences: Option<Vec<String>>,
    /// How far its clock is ahead, in seconds
    pub clock_offset: i64,
    /// `max-age` of the two documents
    pub max_age: u32,
    /// `kid` of minted tokens, as an external signer may choose it; by default Kubernetes's own
    pub kid: Option<String>,
    /// Whether minted tokens have `typ: JWT`, as with an external signer
    pub typ: bool,
    /// The whole header of minted tokens, in place of the real one: no API server does this
    pub token_header: Option<Value>,
}

/// One entry of the key set that an API server serves
#[derive(Clone)]
pub enum KeyFile {
    /// A key of a kind that the API server takes
    Key(SigningKey),
    /// This JWK, whatever it is
    Raw(Value),
}

impl From<&SigningKey> for KeyFile {
    fn from(key: &SigningKey) -> Self {
        Self::Key(key.clone())
    }
}

/// One API server of a [`Cluster`]
pub struct ApiServer {
    addr: SocketAddr,
    settings: Arc<Mutex<ServerSettings>>,
    faults: Faults,
    running: Mutex<Option<Server>>,
    start: Box<dyn Fn() -> std::io::Result<Server> + Send + Sync>,
    ca: Ca,
    certificate: Mutex<Certificate>,
    tls: Arc<Mutex<Arc<ServerConfig>>>,
}

impl Cluster {
    /// Start `servers` API servers that all sign with `key` as `issuer`. There is a user `admin`
    /// with every right, and the ServiceAccount `default/default`.
    pub fn start(ca: &Ca, servers: usize, issuer: &str, key: &SigningKey) -> Self {
        let settings = ServerSettings {
            key_files: vec![key.into()],
            signing_key: key.clone(),
            issuers: vec![issuer.to_owned()],
            jwks_uri: None,
            api_audiences: None,
            clock_offset: 0,
            max_age: 3600,
            kid: None,
            typ: false,
            token_header: None,
        };
        let shared = Arc::new(Mutex::new(ClusterSettings {
            anonymous: Anonymous::Forbidden,
            endpoint_slice: true,
            max_token_seconds: None,
            advertised: None,
            users: vec![User::admin()],
            objects: Objects::new(&clock::rfc3339(clock::now(0))),
            addresses: Vec::new(),
        }));
        // One EndpointSlice has one list of ports for all its addresses: the same port everywhere.
        let servers = (0..50)
            .find_map(|_| {
                let mut started: Vec<ApiServer> = Vec::new();
                for number in 0..servers {
                    let port = started.first().map_or(0, |first| first.addr.port());
                    started.push(ApiServer::start(ca, number, port, &settings, &shared).ok()?);
                }
                Some(started)
            })
            .expect("a port that is free on every loopback address");
        shared.lock().expect("settings").addresses = servers.iter().map(|server| server.addr).collect();
        Self { ca: ca.clone(), shared, servers }
    }

    /// The API server with this number, from 0
    pub fn server(&self, number: usize) -> &ApiServer {
        &self.servers[number]
    }

    /// All API servers
    pub fn servers(&self) -> &[ApiServer] {
        &self.servers
    }

    /// Change what all servers have in common
    pub fn change(&self, change: impl FnOnce(&mut ClusterSettings)) {
        change(&mut self.lock());
    }

    /// Change every server in the same way
    pub fn change_servers(&self, change: impl Fn(&mut ServerSettings)) {
        self.servers.iter().for_each(|server| server.change(&change));
    }

    /// Create a ServiceAccount, and its namespace where there is none
    pub fn add_service_account(&self, namespace: &str, name: &str) {
        let metadata = json!({"namespace": namespace, "name": name});
        self.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
    }

    /// Create a user with these rights, and none on objects ([`Cluster::allow`]). A ServiceAccount is the user
    /// `system:serviceaccount:NAMESPACE:NAME`; without an entry of its own it may read the two
    /// issuer URLs, as the default bindings have it.
    pub fn add_user(&self, name: &str, rights: &[Right]) {
        self.lock().users.push(User::new(name, rights));
    }

    /// Give a right to a user
    pub fn grant(&self, user: &str, right: Right) {
        self.with_user(user, |user| {
            user.rights.insert(right);
        });
    }

    /// Take a right from a user
    pub fn revoke(&self, user: &str, right: Right) {
        self.with_user(user, |user| {
            user.rights.remove(&right);
        });
    }

    /// Make the user's bearer token worthless (its kubeconfig has run out)
    pub fn expire(&self, user: &str) {
        self.with_user(user, |user| user.expired = true);
    }

    fn with_user(&self, name: &str, change: impl FnOnce(&mut User)) {
        let mut shared = self.lock();
        let user = shared.users.iter_mut().find(|user| user.name == name);
        change(user.unwrap_or_else(|| panic!("no user {name}")));
    }

    fn lock(&self) -> MutexGuard<'_, ClusterSettings> {
        self.shared.lock().expect("no test panics while it holds the settings")
    }
}

impl ApiServer {
    /// Its address, 127.0.0.N
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `https://127.0.0.N:PORT`
    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Change its settings; the next request sees them (a real one needs a restart)
    pub fn change(&self, change: impl FnOnce(&mut ServerSettings)) {
        change(&mut self.settings.lock().expect("no test panics while it holds the settings"));
    }

    /// A copy of its settings
    pub fn settings(&self) -> ServerSettings {
        self.settings.lock().expect("no test panics while it holds the settings").clone()
    }

    /// Its serving certificate, PEM
    pub fn certificate_pem(&self) -> String {
        self.certificate.lock().expect("certificate").cert_pem.clone()
    }

    /// Restart with another serving certificate
    pub fn serve_with(&self, certificate: &Certificate) {
        *self.certificate.lock().expect("certificate") = certificate.clone();
        *self.tls.lock().expect("certificate") = certificate.server_config_with(ClientCa::new(&self.ca));
        self.restart();
    }

    /// Stop listening: connections are refused until [`ApiServer::restart`]
    pub fn stop(&self) {
        *self.running.lock().expect("running server") = None;
    }

    /// Listen again on the same address
    pub fn restart(&self) {
        let mut running = self.running.lock().expect("running server");
        *running = None;
        // The old listener is closed by its runtime, a moment later.
        for _ in 0..100 {
            if let Ok(server) = (self.start)() {
                *running = Some(server);
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{} is not free again", self.addr);
    }

    fn start(
        ca: &Ca,
        number: usize,
        port: u16,
        settings: &ServerSettings,
        shared: &Arc<Mutex<ClusterSettings>>,
    ) -> std::io::Result<Self> {
        let ip = IpAddr::from(Ipv4Addr::new(127, 0, 0, 1 + number as u8));
        // As kubeadm has it: the Service's names, the server's own address, and whatever it was asked to add.
        let own = ip.to_string();
        let names = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            &own,
            "0.0.0.0",
            "::",
            "::1",
            "k8s.lab.test",
        ];
        let certificate = ca.certificate(&names);
        let serving = |certificate: &Certificate, ca: &Ca| certificate.server_config_with(ClientCa::new(ca));
        let tls = Arc::new(Mutex::new(serving(&certificate, ca)));
        let faults = Faults::default();
        let settings = Arc::new(Mutex::new(settings.clone()));
        let api = Arc::new(api::Api { number, settings: settings.clone(), shared: shared.clone() });
        let config = serving(&certificate, ca);
        let first = Server::start_at((ip, port), Some(config), api.clone(), faults.clone())?;
        let addr = first.addr();
        let start = {
            let (faults, tls) = (faults.clone(), tls.clone());
            move || {
                let tls = tls.lock().expect("certificate").clone();
                Server::start_at((ip, addr.port()), Some(tls), api.clone(), faults.clone())
            }
        };
        let running = Mutex::new(Some(first));
        let certificate = Mutex::new(certificate);
        Ok(Self { addr, settings, faults, running, start: Box::new(start), ca: ca.clone(), certificate, tls })
    }
}
