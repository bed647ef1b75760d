//! Everything that the stand-in remembers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::accounts::Account;
use super::callers::{Caller, Who};
use super::documents::Cache;
use super::error::{GoogleError, Result};
use super::operations::Operations;
use super::policy::Policy;
use super::secrets::Secret;
use super::{GoogleSettings, PROJECT_ID, PROJECT_NUMBER};
use crate::clock;
use crate::keys::random_hex;

pub(crate) struct State {
    pub(crate) settings: GoogleSettings,
    pub(crate) callers: Vec<Caller>,
    /// Permissions that no caller has
    pub(crate) denied: BTreeSet<String>,
    /// Permissions that the project's owner has needed so far
    pub(crate) needed: RefCell<BTreeSet<String>>,
    /// Services that are enabled in the project
    pub(crate) enabled: BTreeSet<String>,
    /// Pools and providers by name
    pub(crate) federation: BTreeMap<String, Value>,
    pub(crate) operations: Operations,
    /// IAM policies by the canonical name of their resource
    pub(crate) policies: BTreeMap<String, Policy>,
    /// How many of the next policy writes find that another client wrote in the meantime
    pub(crate) conflicts: usize,
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// Service accounts by e-mail address
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) hmac_keys: Vec<super::hmac::HmacKey>,
    pub(crate) documents: Cache,
    counter: u64,
}

impl State {
    pub(crate) fn new() -> Self {
        let enabled = ["cloudresourcemanager", "serviceusage", "iam", "secretmanager", "storage"];
        let mut state = Self {
            settings: GoogleSettings::default(),
            callers: vec![Caller::new(Who::Owner, None)],
            denied: BTreeSet::new(),
            needed: RefCell::default(),
            enabled: enabled.iter().map(|name| format!("{name}.googleapis.com")).collect(),
            federation: BTreeMap::new(),
            operations: Operations::default(),
            policies: BTreeMap::new(),
            conflicts: 0,
            secrets: BTreeMap::new(),
            accounts: BTreeMap::new(),
            hmac_keys: Vec::new(),
            documents: Cache::default(),
            counter: 0,
        };
        let owner = serde_json::json!([{"role": "roles/owner", "members": ["user:owner@acme.example"]}]);
        state.preset(&project(), owner);
        state
    }

    /// A number that was not given out before
    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Seconds since 1970 on Google's clock
    pub(crate) fn now(&self) -> i64 {
        clock::now(self.settings.clock_offset)
    }

    /// Puts a caller in and returns his bearer token
    pub(crate) fn admit(&mut self, who: Who, lifetime: Option<i64>) -> String {
        let caller = Caller::new(who, lifetime.map(|seconds| self.now() + seconds));
        let token = caller.token.clone();
        self.callers.push(caller);
        token
    }

    /// Refuses a caller that does not have this permission on the resource or on one of its parents
    ///
    /// `shown` is the resource as the refusal names it.
    pub(crate) fn need(&self, who: &Who, permission: &str, resource: &str, shown: &str) -> Result<()> {
        if *who == Who::Owner {
            self.needed.borrow_mut().insert(permission.to_owned());
        }
        if self.may(who, permission, resource) { Ok(()) } else { Err(GoogleError::denied(permission, shown)) }
    }

    /// `testIamPermissions`: those of the named permissions that a caller has. That takes no permission.
    pub(crate) fn tested(&self, who: &Who, body: &Value, resource: &str) -> Value {
        let wanted = body["permissions"].as_array().cloned().unwrap_or_default();
        let has = |it: &Value| it.as_str().is_some_and(|it| self.may(who, it, resource));
        let held: Vec<Value> = wanted.into_iter().filter(has).collect();
        if held.is_empty() { json!({}) } else { json!({"permissions": held}) }
    }

    /// Whether a caller has this permission on the resource or on one of its parents
    pub(crate) fn may(&self, who: &Who, permission: &str, resource: &str) -> bool {
        if self.denied.contains(permission) {
            return false;
        }
        let project = project();
        match who {
            Who::Owner => true,
            Who::Only(permissions) => permissions.contains(permission),
            Who::Federated { .. } | Who::Account { .. } => {
                let members = who.members();
                self.alive(who)
                    && [resource, project.as_str()].into_iter().any(|resource| {
                        self.policies.get(resource).is_some_and(|policy| {
                            policy.grants(permission, &members, self.settings.propagation)
                        })
                    })
            }
        }
    }

    /// A pool that is deleted or disabled cuts off the tokens issued through it, a provider does not
    pub(crate) fn alive(&self, who: &Who) -> bool {
        match who {
            Who::Federated { pool, .. } => self.federation.get(pool).is_some_and(usable),
            Who::Account { email } => self.accounts.get(email).is_some_and(|account| !account.disabled),
            Who::Owner | Who::Only(_) => true,
        }
    }

    /// Refuses while the service is not enabled in the project
    pub(crate) fn need_service(&self, service: &str, title: &str) -> Result<()> {
        let service = format!("{service}.googleapis.com");
        if self.enabled.contains(&service) {
            return Ok(());
        }
        Err(GoogleError::disabled(title, &service, PROJECT_NUMBER))
    }

    /// A policy that has been there for long
    pub(crate) fn preset(&mut self, resource: &str, bindings: Value) {
        let etag = self.next();
        self.policies.insert(resource.to_owned(), Policy::new(etag, bindings));
    }

    /// A number of 21 digits, as Google gives to service accounts
    pub(crate) fn unique_id() -> String {
        let digits: String = random_hex(20).bytes().map(|byte| char::from(b'0' + byte % 10)).collect();
        format!("1{}", &digits[..20])
    }
}

/// Canonical name of the one project
pub(crate) fn project() -> String {
    format!("projects/{PROJECT_NUMBER}")
}

/// Whether this is the one project, by id or number
pub(crate) fn is_project(name: &str) -> bool {
    name == PROJECT_ID || name == PROJECT_NUMBER
}

/// Whether a pool or provider is neither deleted nor disabled
pub(crate) fn usable(resource: &Value) -> bool {
    resource["state"] == "ACTIVE" && resource["disabled"] != true
}

/// Whether a change written at `since` is effective by now
pub(crate) fn effective(since: Option<Instant>, delay: Duration) -> bool {
    since.is_none_or(|since| since.elapsed() >= delay)
}
