//! A stand-in for OpenBao and Vault.

mod api;
pub(crate) mod jose;
mod jwt;
mod kv;
mod login;
mod methods;
mod policy;
mod state;
mod sys;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use crate::ca::Ca;
use crate::keys::random_hex;
use crate::wire::{Faults, Server};
use state::State;

/// A Vault server with the JWT method of authentication and KV version 2, over https.
///
/// Faithful (compared answer by answer with OpenBao 2.7.2; also openbao/openbao
/// builtin/credential/jwt/, hashicorp/cap jwt/jwt.go):
/// - `sys/health`, `sys/seal-status`, `sys/auth`, `sys/mounts`, `sys/policies/acl`,
///   `sys/capabilities-self`, `sys/internal/ui/mounts`, `sys/leader`; sealed: 503 on everything else
/// - JWT `config`: exactly one source of keys, fetched when it is written, with the given or the
///   public trust anchors; refusals word by word, those of Vault where it says less
/// - JWT `role`: its rules, defaults, lower-cased names; an update keeps what it does not name
/// - `login`: real signatures (RS, PS, ES, EdDSA) against discovery, key set or PEM keys; a
///   key set is kept until a key is missing; time, issuer, audience, subject and claims; the tokens' life
/// - KV version 2: versions, check-and-set, delete, metadata, list
/// - `enterprise` in `sys/health` of Vault, which OpenBao does not say; Vault Community ignores `X-Vault-Namespace`
/// - namespaces by `X-Vault-Namespace`: each has its own methods, stores, policies and tokens; a token counts
///   in its own and, by paths that begin with the other's name, below it; one that does not exist: 404
/// - `auth/token/accessors` and `lookup-accessor`; what an administrator reads of AppRole, Userpass and Kubernetes
/// - policies (exact paths, `*` at the end, `+`; `deny`; `sudo` where it is asked for) on every path,
///   token create, lookup and revoke
///
/// Not faithful: no `sys/namespaces`, and no namespace as the beginning of a path; no leases, renewal, entities, wrapping, audit, quotas;
/// policies are read as far as `path "…" { capabilities = […] }`, their parameters are ignored; no
/// `jwks_pairs`, no `provider_config`, no OIDC flow, no CIDRs; after a failed fetch the words
/// of the connection are our own; KV version 1 only as a name; no login by
/// AppRole, Userpass and Kubernetes.
pub struct Vault {
    server: Server,
    state: Arc<Mutex<State>>,
    world: world::World,
    faults: Faults,
    root: String,
    /// Which namespace the test's own calls are about
    namespace: Mutex<String>,
}

/// Whose words a [`Vault`] uses
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultFlavour {
    /// OpenBao 2.7.2: has namespaces
    OpenBao,
    /// HashiCorp Vault 1.21.4, Community: ignores the header of a namespace
    Vault,
    /// HashiCorp Vault 1.21.4, Enterprise: has namespaces
    VaultEnterprise,
}

/// What a [`Vault`] can be set to
#[derive(Clone)]
pub struct VaultSettings {
    /// How far its clock is ahead, in seconds
    pub clock_offset: i64,
    /// Whose words
    pub flavour: VaultFlavour,
    /// Sealed: it answers nothing but its state
    pub sealed: bool,
    /// What `sys/health` says instead of its version; `None`: the flavour's own
    pub version: Option<String>,
    /// Something before it takes the header of a namespace away
    pub drops_namespace: bool,
    /// Whether the lab CA is among the public ones that it trusts without being told
    pub trusts_lab: bool,
}

impl VaultSettings {
    /// Whether the header of a namespace means anything
    pub(crate) fn knows_namespaces(&self) -> bool {
        self.flavour != VaultFlavour::Vault && !self.drops_namespace
    }
}

impl Vault {
    /// Start an unsealed server whose certificate is for these names and 127.0.0.1
    pub fn start(ca: &Ca, names: &[&str]) -> Self {
        let root = format!("s.{}", random_hex(12));
        let settings = VaultSettings {
            clock_offset: 0,
            flavour: VaultFlavour::OpenBao,
            sealed: false,
            version: None,
            drops_namespace: false,
            trusts_lab: true,
        };
        let state = Arc::new(Mutex::new(State::new(settings, &root)));
        let world = world::World::new(ca);
        let names: Vec<&str> = names.iter().copied().chain(["127.0.0.1", "localhost"]).collect();
        let api = Arc::new(api::Api { state: state.clone(), world: world.clone() });
        let faults = Faults::default();
        let server = Server::start(Some(ca.certificate(&names).server_config()), api, faults.clone());
        Self { server, state, world, faults, root, namespace: Mutex::default() }
    }

    /// Its loopback address
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// `https://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("https://{}", self.addr())
    }

    /// A token that may do everything
    pub fn root_token(&self) -> String {
        self.root.clone()
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Change its settings
    pub fn change(&self, change: impl FnOnce(&mut VaultSettings)) {
        change(&mut self.lock().settings);
    }

    /// Lead a name, for its own requests, to a stand-in
    pub fn resolve(&self, name: &str, to: SocketAddr) {
        self.world.tell(name, to);
    }

    /// Make a namespace, if it is not there; what is called from now on is about it (`""`: the root)
    pub fn enter(&self, namespace: &str) {
        self.state.lock().expect("state").add_space(namespace);
        *self.namespace.lock().expect("namespace") = namespace.to_owned();
    }

    /// Mount a KV store of version 2
    pub fn enable_kv(&self, path: &str) {
        self.enable_kv_version(path, "2");
    }

    /// Mount a KV store of version 1 or 2
    pub fn enable_kv_version(&self, path: &str, version: &str) {
        let options = serde_json::json!({"version": version});
        let mount = state::Mount::new("kv", "", options);
        self.lock().mounts.insert(format!("{}/", path.trim_matches('/')), mount);
    }

    /// Remove a secret store
    pub fn disable_kv(&self, path: &str) {
        self.lock().mounts.remove(&format!("{path}/"));
    }

    /// Mount a method of authentication, as another client does it
    pub fn enable_auth(&self, path: &str, kind: &str, description: &str) {
        let mut state = self.lock();
        state.auth.insert(format!("{path}/"), state::Mount::new(kind, description, serde_json::json!({})));
        if kind == "jwt" {
            state.jwt.insert(format!("{path}/"), jwt::Method::default());
        }
    }

    /// Remove a method of authentication
    pub fn disable_auth(&self, path: &str) {
        let mut state = self.lock();
        state.auth.remove(&format!("{path}/"));
        state.jwt.remove(&format!("{path}/"));
    }

    /// The description of a method of authentication
    pub fn description(&self, path: &str) -> Option<String> {
        Some(self.lock().auth.get(&format!("{path}/"))?.description.clone())
    }

    /// Change members of a role of a JWT method by hand
    pub fn change_role(&self, mount: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.lock();
        let method = state.jwt.get_mut(&format!("{mount}/")).expect("a JWT method");
        change(method.roles.entry(name.to_owned()).or_insert_with(jwt::defaults));
    }

    /// Change the static keys of a JWT method by hand
    pub fn change_keys(&self, mount: &str, change: impl FnOnce(&mut Vec<String>)) {
        let mut state = self.lock();
        let config = state.jwt.get_mut(&format!("{mount}/")).and_then(|method| method.config.as_mut());
        match &mut config.expect("a JWT method with a configuration").source {
            jwt::Source::Pem(pems) => change(pems),
            _ => panic!("a method that was given no keys"),
        }
    }

    /// Mount AppRole, if it is not there, and make a role; its ID
    pub fn app_role(&self, mount: &str, name: &str, change: impl FnOnce(&mut Value)) -> String {
        if !self.lock().auth.contains_key(&format!("{mount}/")) {
            self.enable_auth(mount, "approle", "");
        }
        let mut state = self.lock();
        let roles = state.methods.app_roles.entry(format!("{mount}/")).or_default();
        let role = roles.entry(name.to_owned()).or_insert_with(methods::AppRole::new);
        change(&mut role.shown);
        role.id.clone()
    }

    /// Make a secret ID of a role; 0: without an end, any number of times. Its accessor
    pub fn secret_id(&self, mount: &str, role: &str, ttl: i64, uses: u64) -> String {
        let mut state = self.lock();
        let now = state.now();
        let roles = state.methods.app_roles.get_mut(&format!("{mount}/")).expect("a mount of AppRole");
        roles.get_mut(role).expect("a role").add(now, ttl, uses)
    }

    /// Mount Userpass and make a user
    pub fn user(&self, mount: &str, name: &str) {
        self.enable_auth(mount, "userpass", "");
        let mut state = self.lock();
        let users = state.methods.users.entry(format!("{mount}/")).or_default();
        users.insert(name.to_owned(), methods::common());
    }

    /// Mount Kubernetes and make a role for these ServiceAccounts
    pub fn kubernetes_role(&self, mount: &str, name: &str, names: &[&str], namespaces: &[&str]) {
        self.enable_auth(mount, "kubernetes", "");
        let mut role = methods::common();
        role["bound_service_account_names"] = serde_json::json!(names);
        role["bound_service_account_namespaces"] = serde_json::json!(namespaces);
        role["bound_service_account_namespace_selector"] = serde_json::json!("");
        let mut state = self.lock();
        state.methods.kubernetes.entry(format!("{mount}/")).or_default().insert(name.to_owned(), role);
    }

    /// The accessor of a token
    pub fn accessor(&self, token: &str) -> String {
        self.lock().tokens[token].accessor.clone()
    }

    /// A token that may do everything and has an end
    pub fn administrator(&self) -> String {
        let text = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }";
        self.put_policy("administrator", text);
        self.token(&["administrator"])
    }

    /// Remove the first token
    pub fn revoke_root(&self) {
        self.lock().tokens.remove(&self.root);
    }

    /// A token that lives as long as it is renewed, or for ever
    pub fn lasting_token(&self, period: i64) -> String {
        let mut state = self.lock();
        let (now, policies) = (state.now(), vec!["default".to_owned()]);
        let mut token = state::Token::new(policies, now, period, "token", "auth/token/create");
        token.period = period;
        state.issue(token)
    }

    /// Remove a role of a JWT method
    pub fn remove_role(&self, mount: &str, name: &str) {
        if let Some(method) = self.lock().jwt.get_mut(&format!("{mount}/")) {
            method.roles.remove(name);
        }
    }

    /// Remove a policy
    pub fn remove_policy(&self, name: &str) {
        self.lock().policies.remove(name);
    }

    /// Remove a secret with all its versions
    pub fn remove_secret(&self, mount: &str, key: &str) {
        if let Some(secrets) = self.lock().secrets.get_mut(&format!("{mount}/")) {
            secrets.remove(key);
        }
    }

    /// Let a token expire
    pub fn expire(&self, token: &str) {
        if let Some(token) = self.lock().tokens.get_mut(token) {
            (token.created, token.ttl) = (0, 1);
        }
    }

    /// Write a new version of a secret, as a client with every right
    pub fn put_secret(&self, mount: &str, key: &str, data: Value) {
        let mut state = self.lock();
        let now = state.now();
        let secrets = state.secrets.entry(format!("{mount}/")).or_default();
        secrets.entry(key.to_owned()).or_default().push(data, now);
    }

    /// Write the custom metadata of a secret that is there
    pub fn annotate_secret(&self, mount: &str, key: &str, custom: Value) {
        if let Some(secrets) = self.lock().secrets.get_mut(&format!("{mount}/")) {
            secrets.get_mut(key).expect("a secret that exists").custom = custom;
        }
    }

    /// Write a policy
    pub fn put_policy(&self, name: &str, text: &str) {
        self.lock().policies.insert(name.to_owned(), text.to_owned());
    }

    /// A token with these policies and a life of one hour
    pub fn token(&self, policies: &[&str]) -> String {
        let mut state = self.lock();
        let now = state.now();
        let policies = policies.iter().map(|name| (*name).to_owned()).collect();
        state.issue(state::Token::new(policies, now, 3600, "token", "auth/token/create"))
    }

    /// The text of a policy
    pub fn policy(&self, name: &str) -> Option<String> {
        self.lock().policies.get(name).cloned()
    }

    /// The methods of authentication and the secret stores: path and type
    pub fn mounts(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let auth = state.auth.iter().map(|(path, mount)| (format!("auth/{path}"), mount.kind.clone()));
        auth.chain(state.mounts.iter().map(|(path, mount)| (path.clone(), mount.kind.clone()))).collect()
    }

    /// The configuration of a JWT method, as it is read
    pub fn jwt_config(&self, mount: &str) -> Option<Value> {
        Some(self.lock().jwt.get(&format!("{mount}/"))?.config.as_ref()?.shown())
    }

    /// A role of a JWT method, as it is read
    pub fn jwt_role(&self, mount: &str, name: &str) -> Option<Value> {
        self.lock().jwt.get(&format!("{mount}/"))?.roles.get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("no test panics while it holds the state");
        state.enter(&self.namespace.lock().expect("namespace"));
        state
    }
}
