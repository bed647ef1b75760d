//! What a test prepares and looks at, past all permissions.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::Code;
use super::{Google, PROJECT_ID, accounts, policy, secrets, state};
use crate::keys::random_hex;

impl Google {
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

    /// Let every operation end that is under way, also one that never would
    pub fn finish_operations(&self) {
        self.lock().finish_operations();
    }

    /// Let another client write first in the next `times` changes of policies
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
        state.advance();
        state.federation.keys().cloned().collect()
    }

    /// Write a pool or provider past all rules, by changing what is there or an empty one
    pub fn write(&self, pool: &str, provider: Option<&str>, change: impl FnOnce(&mut Value)) {
        let name = match provider {
            None => pool_name(pool),
            Some(provider) => format!("{}/providers/{provider}", pool_name(pool)),
        };
        let mut state = self.lock();
        state.advance();
        let fresh = || json!({"name": name, "state": "ACTIVE"});
        change(state.federation.entry(name.clone()).or_insert_with(fresh));
    }

    /// Make a secret with one version, or add a version to the one that is there; `europe-west1/db` lies in that
    /// location
    pub fn add_secret(&self, id: &str, payload: &[u8]) {
        let mut state = self.lock();
        if !state.secrets.contains_key(id) {
            state.put_secret(id, json!({"replication": {"automatic": {}}}));
        }
        state.put_version(id, payload);
    }

    /// Write labels and annotations of a secret
    pub fn annotate_secret(&self, id: &str, labels: Value, annotations: Value) {
        let mut state = self.lock();
        let secret = state.secrets.get_mut(id).expect("a secret that exists");
        (secret.written["labels"], secret.written["annotations"]) = (labels, annotations);
    }

    /// Set the state of a version: `ENABLED`, `DISABLED` or `DESTROYED`
    pub fn set_version(&self, id: &str, number: usize, to: &'static str) {
        let mut state = self.lock();
        let secret = state.secrets.get_mut(id).expect("a secret that exists");
        secret.versions[number - 1].state = to;
    }

    /// Remove a secret with its policy
    pub fn remove_secret(&self, id: &str) {
        let mut state = self.lock();
        state.secrets.remove(id);
        state.policies.remove(&secrets::secret_name(id));
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

    /// Make an HMAC key of a service account and return its access ID
    pub fn create_hmac_key(&self, email: &str) -> String {
        let mut state = self.lock();
        let key = super::hmac::HmacKey::new(email, state.now());
        let id = key.access_id.clone();
        state.hmac_keys.push(key);
        id
    }

    /// `ACTIVE`, `INACTIVE` or `DELETED`
    pub fn set_hmac_key(&self, access_id: &str, to: &'static str) {
        let mut state = self.lock();
        state.hmac_keys.iter_mut().find(|key| key.access_id == access_id).expect("a key of this ID").state =
            to;
    }

    /// The user-made keys of a service account: id and whether it is disabled
    pub fn keys(&self, email: &str) -> Vec<(String, bool)> {
        let state = self.lock();
        let keys = state.accounts.get(email).into_iter().flat_map(|account| &account.keys);
        keys.filter(|key| key.user).map(|key| (key.id.clone(), key.disabled)).collect()
    }

    /// Disable or enable a key, as a person does in the console
    pub fn disable_key(&self, key_id: &str, disabled: bool) {
        let mut state = self.lock();
        let mut keys = state.accounts.values_mut().flat_map(|account| &mut account.keys);
        keys.find(|key| key.id == key_id).expect("a key of this id").disabled = disabled;
    }

    /// Let Policy Analyzer say that a key was used last at this time
    pub fn used(&self, key_id: &str, time: &str) {
        let mut state = self.lock();
        let mut keys = state.accounts.values_mut().flat_map(|account| &mut account.keys);
        keys.find(|key| key.id == key_id).expect("a key of this id").used = Some(time.to_owned());
    }

    /// Asks, whenever it is called, whether the account has a user-made key that is good
    pub fn watch_keys(&self, email: &str) -> impl Fn() -> bool + Send + Sync + 'static + use<> {
        let (state, email) = (self.state.clone(), email.to_owned());
        move || {
            let state = state.lock().expect("no test panics while it holds the far side");
            let keys = state.accounts.get(&email).into_iter().flat_map(|account| &account.keys);
            keys.into_iter().any(|key| key.user && !key.disabled)
        }
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
        state.advance();
        state.federation.get(name).cloned()
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
