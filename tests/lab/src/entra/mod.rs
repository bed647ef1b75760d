//! A stand-in for what a workload identity needs of Azure.

mod arm;
mod assignments;
mod discovery;
mod error;
mod graph;
mod identities;
mod service;
mod state;
mod token;
mod vault;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use self::service::Service;
use self::state::{Application, Planned, State, Version};
use crate::ca::Ca;
use crate::google::Resolver;
use crate::google::documents::World;
use crate::keys::{random_hex, uuid};
use crate::wire::{Faults, Server};

pub use self::state::{EntraCall, EntraSettings};

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const SUBSCRIPTION: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub(crate) const GROUP: &str = "platform";
pub(crate) const VAULT: &str = "acmevault";

/// Its names, for certificates and routes
const NAMES: [&str; 4] =
    ["acmevault.vault.azure.net", "graph.microsoft.com", "login.microsoftonline.com", "management.azure.com"];

/// One tenant with one subscription, one resource group and one key vault: the token endpoint of Entra, Azure Resource
/// Manager, Microsoft Graph and Key Vault.
///
/// One listener with TLS under Azure's own names and one without; they have the same state. The service is told by the path.
///
/// Faithful (to the REST references of Managed Identity 2023-01-31, Authorization 2022-04-01, Key Vault 2023-07-01 and 7.4,
/// Microsoft Graph 1.0, to the pages on federated credentials, and to texts that users of Entra have reported):
/// - tokens: by client secret, and by an assertion whose issuer's two documents are fetched over https; issuer, subject and
///   audience byte for byte, time, `kid`, RS256; `AADSTS` numbers of each refusal; a disabled application
/// - what Microsoft's own clients read before they ask for a token: the instances of a cloud, the metadata of the tenant
/// - each service takes tokens of its own audience alone
/// - identities with tags; federated credentials with their limits (20, one audience, 600 characters, issuer and subject
///   once), their conflict on two writes at a time; lists in pages with `nextLink`
/// - role assignments by name, scope, role and principal: `RoleAssignmentExists`, inheritance from vault to secret, a
///   principal that is not known yet
/// - applications and service principals: client secrets and certificates of both with their ends, federated credentials,
///   the list of service principals in pages with `@odata.nextLink`; a managed identity's service principal with the
///   resource among its alternative names, and a certificate that is Azure's own
/// - permissions by the names of actions; what is new may be unknown for a while
/// - the vault in both modes; secrets with versions, tags and `SecretDisabled`; 401 with a challenge
///
/// Not faithful: roles know the actions that a test needs, no conditions or deny assignments; the code of a 21st federated
/// credential and the words of most refusals are not Azure's; access policies give nothing; ES256 is always refused, where
/// Azure says that it is not supported; an identity is in every region; Graph has the members that are asked for.
pub struct Entra {
    tls: Server,
    plain: Server,
    world: World,
    state: Arc<Mutex<State>>,
    faults: Faults,
    administrator: (String, String),
}

impl Entra {
    /// Start on loopback; issuers are found as told with [`Entra::resolve`]
    pub fn start(ca: &Ca) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(ca, loopback, Resolver::Told).expect("listen on loopback")
    }

    /// Start with TLS on a given address; without TLS always on loopback
    pub fn start_at(ca: &Ca, addr: SocketAddr, resolver: Resolver) -> io::Result<Self> {
        let (faults, world) = (Faults::default(), World::new(ca, resolver));
        let state = Arc::new(Mutex::new(State::default()));
        let service = Arc::new(Service { state: state.clone(), world: world.clone() });
        let names: Vec<&str> = NAMES.into_iter().chain(["127.0.0.1", "localhost"]).collect();
        let config = ca.certificate(&names).server_config();
        let tls = Server::start_at((addr.ip(), addr.port()), Some(config), service.clone(), faults.clone())?;
        let plain = Server::start(None, service, faults.clone());
        let administrator = state.lock().expect("state").add_application(|application| {
            application.is_administrator = true;
        });
        Ok(Self { tls, plain, world, state, faults, administrator })
    }

    /// The names under which it is reached through [`crate::Internet`]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// The ID of the tenant
    pub fn tenant() -> &'static str {
        TENANT
    }

    /// The ID of the subscription
    pub fn subscription() -> &'static str {
        SUBSCRIPTION
    }

    /// The one resource group
    pub fn group() -> &'static str {
        GROUP
    }

    /// The one key vault
    pub fn vault() -> &'static str {
        VAULT
    }

    /// Where it listens with TLS
    pub fn addr(&self) -> SocketAddr {
        self.tls.addr()
    }

    /// Where it listens without TLS
    pub fn http_url(&self) -> String {
        format!("http://{}", self.plain.addr())
    }

    /// Its faults and what it was asked
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Where an issuer is
    pub fn resolve(&self, host: &str, addr: SocketAddr) {
        self.world.tell(host, addr);
    }

    /// Change how it behaves
    pub fn change(&self, change: impl FnOnce(&mut EntraSettings)) {
        change(&mut self.lock().settings);
    }

    /// Client ID and secret of an application that may do everything
    pub fn administrator(&self) -> (String, String) {
        self.administrator.clone()
    }

    /// The same of one that may look, and change nothing
    pub fn reader(&self) -> (String, String) {
        self.lock().add_application(|application| application.is_reader = true)
    }

    /// An application with a client secret and the role Key Vault Secrets User on the vault: client ID and secret
    pub fn add_application(&self) -> (String, String) {
        let mut state = self.lock();
        let (id, secret) = state.add_application(|_| ());
        let principal = state.applications[&id].principal.clone();
        let vault = arm::vault_id();
        state.assign(&vault, state::SECRETS_USER, &principal);
        (id, secret)
    }

    /// One more client secret of an application
    pub fn add_secret(&self, client_id: &str) -> String {
        let mut state = self.lock();
        let secret = state::client_secret(state.applications.len() + 50);
        let application = state.applications.get_mut(client_id).expect("an application that exists");
        application.secrets.push((uuid(), secret.clone()));
        secret
    }

    /// A certificate of an application, or a federated credential of it
    pub fn add_other_login(&self, client_id: &str, federated: bool) {
        let mut state = self.lock();
        let application = state.applications.get_mut(client_id).expect("an application that exists");
        if federated {
            application.federated.push(json!({"name": "ci", "issuer": "https://ci.example", "subject": "x"}));
        } else {
            application.certificates.push(json!({"keyId": uuid(), "type": "AsymmetricX509Cert"}));
        }
    }

    /// A certificate with these members, as Graph lists it
    pub fn add_certificate(&self, client_id: &str, members: &Value) {
        let mut entry =
            json!({"keyId": uuid(), "type": "AsymmetricX509Cert", "usage": "Verify", "key": null});
        for (name, value) in members.as_object().expect("members") {
            entry[name] = value.clone();
        }
        let mut state = self.lock();
        state.applications.get_mut(client_id).expect("an application that exists").certificates.push(entry);
    }

    /// Let all client secrets of an application end at this time (RFC 3339)
    pub fn end_secrets(&self, client_id: &str, end: &str) {
        let mut state = self.lock();
        let application = state.applications.get_mut(client_id).expect("an application that exists");
        let ids: Vec<_> = application.secrets.iter().map(|(id, _)| id.clone()).collect();
        application.ends.extend(ids.into_iter().map(|id| (id, end.to_owned())));
    }

    /// Take all client secrets of an application away
    pub fn remove_secrets(&self, client_id: &str) {
        let mut state = self.lock();
        state.applications.get_mut(client_id).expect("an application that exists").secrets.clear();
    }

    /// A client secret of an application's service principal
    pub fn add_principal_secret(&self, client_id: &str) -> String {
        let mut state = self.lock();
        let secret = state::client_secret(state.applications.len() + 70);
        let application = state.applications.get_mut(client_id).expect("an application that exists");
        application.principal_secrets.push((uuid(), secret.clone()));
        secret
    }

    /// A federated credential of an application, with these members
    pub fn federate_application(&self, client_id: &str, credential: Value) {
        let mut state = self.lock();
        let application = state.applications.get_mut(client_id).expect("an application that exists");
        application.federated.push(credential);
    }

    /// The client ID of a managed identity
    pub fn client_id_of(&self, identity: &str) -> String {
        self.lock().identities[&identity.to_lowercase()].client_id.clone()
    }

    /// How many client secrets it has, and whether it may sign in
    pub fn application(&self, client_id: &str) -> Option<(usize, bool)> {
        let state = self.lock();
        let Application { secrets, enabled, .. } = state.applications.get(client_id)?;
        Some((secrets.len(), *enabled))
    }

    /// Switch the sign-in of an application
    pub fn enable(&self, client_id: &str, enabled: bool) {
        self.lock().applications.get_mut(client_id).expect("an application that exists").enabled = enabled;
    }

    /// Whom the application signs in (`signInAudience`)
    pub fn set_audience(&self, client_id: &str, audience: Option<&str>) {
        let mut state = self.lock();
        let application = state.applications.get_mut(client_id).expect("an application that exists");
        application.audience = audience.map(str::to_owned);
    }

    /// The application is of another tenant
    pub fn move_application(&self, client_id: &str, tenant: &str) {
        let mut state = self.lock();
        tenant.clone_into(
            &mut state.applications.get_mut(client_id).expect("an application that exists").owner,
        );
    }

    /// Write a new version of a secret
    pub fn put_secret(&self, name: &str, value: &str) {
        let version = Version { id: random_hex(16), value: value.to_owned(), enabled: true, tags: json!({}) };
        self.lock().secrets.entry(name.to_lowercase()).or_default().push(version);
    }

    /// Change the newest version of a secret
    pub fn change_secret(&self, name: &str, enabled: bool, tags: Value) {
        let mut state = self.lock();
        let version = state.secrets.get_mut(name).and_then(|all| all.last_mut()).expect("a secret");
        (version.enabled, version.tags) = (enabled, tags);
    }

    /// Refuse this permission to every caller from now on
    pub fn deny(&self, action: &str) {
        self.lock().denied.insert(action.to_owned());
    }

    /// With it again
    pub fn allow(&self, action: &str) {
        self.lock().denied.remove(action);
    }

    /// The permissions that callers have needed so far, and had
    pub fn needed(&self) -> BTreeSet<String> {
        self.lock().needed.clone()
    }

    /// The next calls that need this permission are refused
    pub fn refuse_next(&self, times: usize, action: &str, status: u16, code: &str) {
        let planned = Planned { action: action.to_owned(), left: times, status, code: code.to_owned() };
        self.lock().planned.push(planned);
    }

    /// Calls so far, but for those of a workload
    pub fn heard(&self) -> Vec<EntraCall> {
        self.lock().heard.clone()
    }

    /// A managed identity as Azure shows it, with `federated` and `roles`
    pub fn identity(&self, name: &str) -> Option<Value> {
        let state = self.lock();
        let identity = state.identities.get(&name.to_lowercase())?;
        let mut shown = identity.shown();
        shown["federated"] = identity.federated.iter().map(|it| it["properties"].clone()).collect();
        let principal = &identity.principal;
        let own = state.assignments.values().filter(|it| it["properties"]["principalId"] == *principal);
        shown["roles"] = own
            .map(|it| {
                let text = |name: &str| it["properties"][name].as_str().unwrap_or_default().to_owned();
                let role = text("roleDefinitionId").rsplit('/').next().unwrap_or_default().to_owned();
                format!("{role} on {}", text("scope").rsplit_once("/vaults/").map_or("", |(_, at)| at))
            })
            .collect();
        Some(shown)
    }

    /// Names of all identities
    pub fn identities(&self) -> Vec<String> {
        self.lock().identities.values().map(|it| it.name.clone()).collect()
    }

    /// How many role assignments there are, those of applications apart
    pub fn assignments(&self) -> usize {
        let state = self.lock();
        let of_application = |it: &&Value| {
            state.applications.values().any(|app| it["properties"]["principalId"] == app.principal)
        };
        state.assignments.values().filter(|it| !of_application(it)).count()
    }

    /// Make an identity by hand
    pub fn add_identity(&self, name: &str, tags: Value) {
        self.lock().add_identity(name, tags);
    }

    /// Take an identity away by hand
    pub fn remove_identity(&self, name: &str) {
        self.lock().identities.remove(&name.to_lowercase());
    }

    /// Set the tag `keyless` of an identity
    pub fn tag_identity(&self, name: &str, mark: &str) {
        let mut state = self.lock();
        let identity = state.identities.get_mut(&name.to_lowercase()).expect("an identity that exists");
        identity.tags["keyless"] = json!(mark);
    }

    /// Write a federated credential by hand
    pub fn federate(&self, identity: &str, name: &str, issuer: &str, subject: &str) {
        let mut state = self.lock();
        let identity = state.identities.get_mut(&identity.to_lowercase()).expect("an identity that exists");
        let properties =
            json!({"issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]});
        identity.federated.retain(|it| it["name"] != name);
        identity.federated.push(json!({"name": name, "properties": properties}));
    }

    /// Assign the role Key Vault Secrets User on the vault to an identity by hand
    pub fn assign_vault(&self, identity: &str) {
        let mut state = self.lock();
        let principal = state.identities[&identity.to_lowercase()].principal.clone();
        let vault = arm::vault_id();
        state.assign(&vault, state::SECRETS_USER, &principal);
    }

    /// Assign the role Key Vault Secrets User on a secret of another vault of the subscription, with this description
    pub fn assign_elsewhere(&self, identity: &str, mark: Option<&str>) {
        let mut state = self.lock();
        let principal = state.identities[&identity.to_lowercase()].principal.clone();
        let scope = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.KeyVault/vaults/othervault/secrets/x"
        );
        let id = state.assign(&scope, state::SECRETS_USER, &principal);
        if let (Some(mark), Some(one)) = (mark, state.assignments.get_mut(&id)) {
            one["properties"]["description"] = json!(mark);
        }
    }

    /// Take every role on another vault than the one away
    pub fn unassign_elsewhere(&self) {
        self.lock().assignments.retain(|id, _| !id.contains("/vaults/othervault/"));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the tenant")
    }
}
