//! A stand-in for the services of Amazon that a workload identity needs.

mod documents;
mod error;
mod keys;
mod policy;
mod providers;
mod roles;
mod secrets;
mod service;
mod settings;
mod signature;
mod ssm;
mod state;
mod sts;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use self::error::Refusal;
use self::secrets::Secret;
use self::service::Service;
use self::ssm::Parameter;
use self::state::{Planned, Role, State};
use crate::ca::Ca;
use crate::google::Resolver;
use crate::google::documents::{Cache, World};
use crate::keys::uuid;
use crate::s3::Credentials;
use crate::wire::{Faults, Server};

pub use self::service::AwsCall;
pub use self::settings::AwsSettings;

/// The account's number
pub(crate) const ACCOUNT: &str = "111122223333";
/// The region that a test's own secrets and parameters are in
const REGION: &str = "eu-central-1";

/// One account of AWS: STS, IAM, Secrets Manager and Parameter Store.
///
/// One listener with TLS under the names of `*.amazonaws.com` and one without; they have the same state. The service is
/// told by `Host`, else by the scope of the signature.
///
/// Faithful (to the API references and service models of STS 2011-06-15, IAM 2010-05-08, Secrets Manager 2017-10-17 and
/// Systems Manager 2014-11-06, and to texts that users of AWS have reported; judged by boto3 and the AWS CLI):
/// - Signature Version 4, really verified: scope, time, signed headers, body, session token; a key that is inactive,
///   deleted or unknown; each protocol's own names for these refusals
/// - `AssumeRoleWithWebIdentity`: provider by `iss`, the two documents over https, `kid`, signature (RS, ES), times,
///   client IDs, `azp`, several audiences; the role's trust policy; what does not fit is `AccessDenied` like a role that
///   does not exist; credentials that end and may what their role may now
/// - providers and roles: names, lengths, limits, tags that need their own permission, pages, documents in percent
///   encoding, malformed documents, `DeleteConflict`
/// - access keys: state, time of last use, which is known at once here
/// - policies of users and roles on every call: `Allow` and `Deny`, `NotAction`, `NotResource`, `*` and `?`, text
///   conditions; a customer's KMS key needs `kms:Decrypt`; `SimulatePrincipalPolicy` of a role, one action at a time
/// - Secrets Manager: names and ARNs with and without suffix, versions and stages; Parameter Store: the three types,
///   versions, paths
///
/// Not faithful: one partition, no organisation, boundaries, session policies, resource policies, role chains, root user
/// or MFA; policy variables; conditions other than on texts, which allow nothing and always deny; trust in an untrusted
/// certificate by thumbprint: the lab's CA is a public one; a thumbprint that IAM would take is a random one; the words
/// when a signature of a token is wrong, when it is not valid yet and when it has several audiences; an absent secret
/// is asked for under its name without suffix, which is open at AWS; resource policies are shown and not judged; no
/// rotation, replicas or deletion of secrets; no history, labels or tiers of parameters.
pub struct Aws {
    tls: Server,
    plain: Server,
    world: World,
    state: Arc<Mutex<State>>,
    faults: Faults,
    heard: Arc<Mutex<Vec<AwsCall>>>,
    administrator: Credentials,
}

/// The names that certificates and routes are made for
const NAMES: [&str; 8] = [
    "iam.amazonaws.com",
    "sts.amazonaws.com",
    "sts.us-east-1.amazonaws.com",
    "secretsmanager.us-east-1.amazonaws.com",
    "ssm.us-east-1.amazonaws.com",
    "sts.eu-central-1.amazonaws.com",
    "secretsmanager.eu-central-1.amazonaws.com",
    "ssm.eu-central-1.amazonaws.com",
];

impl Aws {
    /// Start on loopback; issuers are found as told with [`Aws::resolve`]
    pub fn start(ca: &Ca) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(ca, loopback, Resolver::Told).expect("listen on loopback")
    }

    /// Start with TLS on a given address; without TLS always on loopback
    pub fn start_at(ca: &Ca, addr: SocketAddr, resolver: Resolver) -> io::Result<Self> {
        let (faults, world) = (Faults::default(), World::new(ca, resolver));
        let state = Arc::new(Mutex::new(State::default()));
        let heard = Arc::<Mutex<Vec<AwsCall>>>::default();
        let service = Service { state: state.clone(), world: world.clone(), heard: heard.clone() };
        let service = Arc::new(service);
        let names: Vec<&str> = NAMES.into_iter().chain(["127.0.0.1", "localhost"]).collect();
        let config = ca.certificate(&names).server_config();
        let tls = Server::start_at((addr.ip(), addr.port()), Some(config), service.clone(), faults.clone())?;
        let plain = Server::start(None, service, faults.clone());
        let everything = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        let (id, secret) = state.lock().expect("state").add_key("administrator", vec![everything]);
        let administrator = Credentials { access_key_id: id, secret_access_key: secret, session_token: None };
        Ok(Self { tls, plain, world, state, faults, heard, administrator })
    }

    /// The names under which it is reached through [`crate::Internet`]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// The number of the account
    pub fn account() -> &'static str {
        ACCOUNT
    }

    /// The region of [`Aws::put_secret`] and [`Aws::put_parameter`]
    pub fn region() -> &'static str {
        REGION
    }

    /// Where it listens with TLS
    pub fn addr(&self) -> SocketAddr {
        self.tls.addr()
    }

    /// `https://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL` and its like for single services
    pub fn url(&self) -> String {
        format!("https://{}", self.addr())
    }

    /// Where it listens without TLS, as a base URL without a slash at the end
    pub fn http_url(&self) -> String {
        format!("http://{}", self.plain.addr())
    }

    /// Its faults and what it was asked; every path is `/`, so see also [`Aws::refuse_next`] and [`Aws::heard`]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Every call that reached a service, in order
    pub fn heard(&self) -> Vec<AwsCall> {
        self.heard.lock().expect("what was heard").clone()
    }

    /// Credentials that are good now, with the policies that count for them
    pub(crate) fn identities(&self) -> impl Fn() -> Vec<(Credentials, Vec<Value>)> + Send + Sync + use<> {
        let state = self.state.clone();
        move || {
            let state = state.lock().expect("state");
            let keys = state.keys.iter().filter(|(_, key)| key.active).map(|(id, key)| {
                let policies = state.users.get(&key.user).map(|user| user.policies.clone());
                let (access_key_id, secret_access_key) = (id.clone(), key.secret.clone());
                let credentials = Credentials { access_key_id, secret_access_key, session_token: None };
                (credentials, policies.unwrap_or_default())
            });
            let now = state.now();
            let sessions = state.sessions.iter().filter(|(_, session)| session.expires > now);
            let sessions = sessions.map(|(id, session)| {
                let (access_key_id, secret_access_key) = (id.clone(), session.secret.clone());
                let session_token = Some(session.token.clone());
                let credentials = Credentials { access_key_id, secret_access_key, session_token };
                (credentials, state.policies_of(&session.role))
            });
            keys.chain(sessions).collect()
        }
    }

    /// Change its settings
    pub fn change(&self, change: impl FnOnce(&mut AwsSettings)) {
        change(&mut self.lock().settings);
    }

    /// Where it finds an issuer's host; also `*.example.com`
    pub fn resolve(&self, host: &str, addr: SocketAddr) {
        self.world.tell(host, addr);
    }

    /// Forget all key sets that were read
    pub fn forget_documents(&self) {
        self.lock().documents = Cache::default();
    }

    /// A key of a user who may do everything
    pub fn administrator(&self) -> Credentials {
        self.administrator.clone()
    }

    /// A new key of a user with this policy besides those that the user has; the user is made if absent
    pub fn user(&self, name: &str, policy: Value) -> Credentials {
        let (id, secret) = self.lock().add_key(name, vec![policy]);
        Credentials { access_key_id: id, secret_access_key: secret, session_token: None }
    }

    /// Take a key that another service knows as well, of a user with this policy
    pub fn take_key(&self, user: &str, policy: Value, key: &Credentials) {
        let mut state = self.lock();
        let (id, _) = state.add_key(user, vec![policy]);
        let made = state.keys.remove(&id).expect("the key that was just made");
        let taken = state::AccessKey { secret: key.secret_access_key.clone(), ..made };
        state.keys.insert(key.access_key_id.clone(), taken);
    }

    /// The ID of an access key of another account
    pub fn foreign_key(&self, account: &str) -> String {
        let id = state::random_id("AKIA");
        self.lock().foreign.insert(id.clone(), account.to_owned());
        id
    }

    /// Whether an access key is active; `None`: there is none
    pub fn key_is_active(&self, id: &str) -> Option<bool> {
        self.lock().keys.get(id).map(|key| key.active)
    }

    /// Make an access key active or inactive by hand
    pub fn activate_key(&self, id: &str, active: bool) {
        self.lock().keys.get_mut(id).expect("a key that exists").active = active;
    }

    /// The IDs of a user's access keys
    pub fn keys_of(&self, user: &str) -> Vec<String> {
        let state = self.lock();
        state.keys.iter().filter(|(_, key)| key.user == user).map(|(id, _)| id.clone()).collect()
    }

    /// Delete an access key by hand
    pub fn delete_key(&self, id: &str) {
        self.lock().keys.remove(id);
    }

    /// Make a role with this trust policy by hand; its ARN
    pub fn add_role(&self, name: &str, trust: &Value) -> String {
        let mut state = self.lock();
        let role = Role::new(state.now(), trust.to_string());
        let arn = role.arn(name);
        state.roles.insert(name.to_owned(), role);
        arn
    }

    /// Take an action away from everybody
    pub fn deny(&self, action: &str) {
        self.lock().denied.insert(action.to_owned());
    }

    /// Undo [`Aws::deny`]
    pub fn allow(&self, action: &str) {
        self.lock().denied.remove(action);
    }

    /// The actions that were asked for and allowed so far
    pub fn needed(&self) -> BTreeSet<String> {
        self.lock().needed.clone()
    }

    /// Answer the next calls of an action with this refusal, in the form of its service; nothing is done
    pub fn refuse_next(&self, times: usize, action: &str, status: u16, code: &str, message: &str) {
        let refusal = Refusal::new(status, code, message);
        self.lock().planned.push(Planned { action: action.to_owned(), left: times, refusal });
    }

    /// Write a secret, or a new version of it; its ARN
    pub fn put_secret(&self, name: &str, text: &str) -> String {
        let mut state = self.lock();
        let now = state.now();
        let secret = state.secrets.entry((REGION.to_owned(), name.to_owned()));
        let secret = secret.or_insert_with(|| Secret::new(now));
        secret.put(uuid(), "SecretString", text.to_owned(), now);
        secret.arn(REGION, name)
    }

    /// Encrypt a secret with a customer's key, or mark it for deletion
    pub fn change_secret(&self, name: &str, kms_key: Option<&str>, deleted: bool) {
        let mut state = self.lock();
        let secret = state.secrets.get_mut(&(REGION.to_owned(), name.to_owned()));
        let secret = secret.expect("a secret that exists");
        (secret.kms_key, secret.deleted) = (kms_key.map(str::to_owned), deleted);
    }

    /// Write a parameter of type `SecureString`; with a customer's key, or with Amazon's
    pub fn put_parameter(&self, name: &str, value: &str, kms_key: Option<&str>) {
        let mut state = self.lock();
        let (changed, key) = (state.now(), (REGION.to_owned(), name.to_owned()));
        let version = state.parameters.get(&key).map_or(1, |before| before.version + 1);
        let parameter = Parameter {
            kind: "SecureString".into(),
            value: value.to_owned(),
            version,
            changed,
            kms_key: kms_key.map(str::to_owned),
            tags: BTreeMap::new(),
        };
        state.parameters.insert(key, parameter);
    }

    /// A role: `Arn`, `AssumeRolePolicyDocument`, `Tags`, `Policies` by name, `AttachedPolicies`
    pub fn role(&self, name: &str) -> Option<Value> {
        let state = self.lock();
        let role = state.roles.get(name)?;
        let read = |text: &String| documents::read(text).unwrap_or_default();
        let policies: BTreeMap<&String, Value> =
            role.inline.iter().map(|(name, text)| (name, read(text))).collect();
        let attached: Vec<&String> = role.attached.keys().collect();
        Some(json!({
            "Arn": role.arn(name), "AssumeRolePolicyDocument": read(&role.trust), "Tags": role.tags,
            "Description": role.description, "Policies": policies, "AttachedPolicies": attached,
        }))
    }

    /// The names of all roles
    pub fn roles(&self) -> Vec<String> {
        self.lock().roles.keys().cloned().collect()
    }

    /// Change the trust policy of a role by hand
    pub fn change_trust(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.lock();
        let role = state.roles.get_mut(name).expect("a role that exists");
        let mut trust = documents::read(&role.trust).unwrap_or_default();
        change(&mut trust);
        role.trust = trust.to_string();
    }

    /// Change a policy inside a role by hand
    pub fn change_policy(&self, role: &str, policy: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.lock();
        let role = state.roles.get_mut(role).expect("a role that exists");
        let text = role.inline.get_mut(policy).expect("a policy that exists");
        let mut document = documents::read(text).unwrap_or_default();
        change(&mut document);
        *text = document.to_string();
    }

    /// Tag a role by hand
    pub fn tag_role(&self, role: &str, key: &str, value: &str) {
        let mut state = self.lock();
        let role = state.roles.get_mut(role).expect("a role that exists");
        role.tags.insert(key.to_owned(), value.to_owned());
    }

    /// Tag a provider by hand
    pub fn tag_provider(&self, url: &str, key: &str, value: &str) {
        let mut state = self.lock();
        let provider = state.providers.get_mut(url).expect("a provider that exists");
        provider.tags.insert(key.to_owned(), value.to_owned());
    }

    /// A policy on a secret itself
    pub fn put_resource_policy(&self, secret: &str, policy: Value) {
        self.lock().resource_policies.insert((REGION.to_owned(), secret.to_owned()), policy);
    }

    /// Attach a policy to a role
    pub fn attach(&self, role: &str, arn: &str, document: Value) {
        let mut state = self.lock();
        let role = state.roles.get_mut(role).expect("a role that exists");
        role.attached.insert(arn.to_owned(), document);
    }

    /// A provider by its URL without scheme: `ClientIDList`, `ThumbprintList`, `Tags`
    pub fn provider(&self, url: &str) -> Option<Value> {
        let state = self.lock();
        let provider = state.providers.get(url)?;
        let (clients, thumbprints) = (&provider.clients, &provider.thumbprints);
        Some(json!({"ClientIDList": clients, "ThumbprintList": thumbprints, "Tags": provider.tags}))
    }

    /// The URLs of all providers, without scheme
    pub fn providers(&self) -> Vec<String> {
        self.lock().providers.keys().cloned().collect()
    }

    /// Let all temporary credentials end now
    pub fn end_sessions(&self) {
        self.lock().sessions.values_mut().for_each(|session| session.expires = 0);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the account")
    }
}

/// Whether these policies allow an action on a resource
pub(crate) fn allows(documents: &[Value], action: &str, resource: &str) -> bool {
    policy::decide(documents, action, resource, &[]) == policy::Verdict::Allowed
}
