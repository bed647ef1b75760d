//! Everything that the account remembers.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::error::{Refusal, Result};
use super::policy::{Context, Verdict, decide};
use super::secrets::Secret;
use super::settings::AwsSettings;
use super::ssm::Parameter;
use super::{ACCOUNT, documents};
use crate::clock;
use crate::google::documents::Cache;

/// The account, with all its services
#[derive(Default)]
pub(crate) struct State {
    pub(crate) settings: AwsSettings,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) keys: BTreeMap<String, AccessKey>,
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) roles: BTreeMap<String, Role>,
    /// By URL without scheme
    pub(crate) providers: BTreeMap<String, Provider>,
    /// By region and name
    pub(crate) secrets: BTreeMap<(String, String), Secret>,
    pub(crate) parameters: BTreeMap<(String, String), Parameter>,
    /// Policies on secrets themselves, by region and name
    pub(crate) resource_policies: BTreeMap<(String, String), Value>,
    /// Access keys of other accounts
    pub(crate) foreign: BTreeMap<String, String>,
    /// Actions that are denied to everyone
    pub(crate) denied: BTreeSet<String>,
    /// Actions that were allowed
    pub(crate) needed: BTreeSet<String>,
    pub(crate) planned: Vec<Planned>,
    pub(crate) documents: Cache,
}

pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) policies: Vec<Value>,
}

pub(crate) struct AccessKey {
    pub(crate) user: String,
    pub(crate) secret: String,
    pub(crate) active: bool,
    pub(crate) created: i64,
    pub(crate) last_used: Option<(i64, String, String)>,
}

/// Temporary credentials of a role
pub(crate) struct Session {
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) expires: i64,
}

#[derive(Clone)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) created: i64,
    pub(crate) description: Option<String>,
    pub(crate) longest_session: i64,
    /// The trust policy as it was written
    pub(crate) trust: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) inline: BTreeMap<String, String>,
    /// ARN and document
    pub(crate) attached: BTreeMap<String, Value>,
    /// So many exchanges do not see it yet
    pub(crate) unseen: u32,
}

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) clients: Vec<String>,
    pub(crate) thumbprints: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: i64,
    /// So many exchanges do not see it yet
    pub(crate) unseen: u32,
}

/// A refusal that a test has planned for the next calls of an action
pub(crate) struct Planned {
    pub(crate) action: String,
    pub(crate) left: usize,
    pub(crate) refusal: Refusal,
}

/// Who signed a request
pub(crate) struct Caller {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) user: Option<String>,
    pub(crate) region: String,
    pub(crate) policies: Vec<Value>,
}

impl State {
    pub(crate) fn now(&self) -> i64 {
        clock::now(self.settings.clock_offset)
    }

    /// The user's key; the user is made if it is not there
    pub(crate) fn add_key(&mut self, user: &str, policies: Vec<Value>) -> (String, String) {
        let now = self.now();
        let entry = self.users.entry(user.to_owned()).or_insert_with(|| User {
            id: random_id("AIDA"),
            created: now,
            policies: Vec::new(),
        });
        entry.policies.extend(policies);
        let (id, secret) = (random_id("AKIA"), random_secret(30));
        let key = AccessKey {
            user: user.to_owned(),
            secret: secret.clone(),
            active: true,
            created: now,
            last_used: None,
        };
        self.keys.insert(id.clone(), key);
        (id, secret)
    }

    /// The refusal that was planned for this call
    pub(crate) fn planned(&mut self, action: &str) -> Result<()> {
        let found = self.planned.iter_mut().find(|planned| planned.left > 0 && planned.action == action);
        let Some(planned) = found else { return Ok(()) };
        planned.left -= 1;
        Err(planned.refusal.clone())
    }

    /// Whether the caller may do this; the record knows it from now on
    pub(crate) fn may(&mut self, caller: &Caller, action: &str, resource: &str) -> Result<()> {
        self.may_in(caller, action, resource, resource, &[])
    }

    /// The same under condition keys, and with the resource as the message has it
    pub(crate) fn may_in(
        &mut self,
        caller: &Caller,
        action: &str,
        resource: &str,
        shown: &str,
        context: &Context,
    ) -> Result<()> {
        let verdict = if self.denied.contains(action) {
            Verdict::Silent
        } else {
            decide(&caller.policies, action, resource, context)
        };
        let reason = match verdict {
            Verdict::Allowed => {
                self.needed.insert(action.to_owned());
                return Ok(());
            }
            Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            Verdict::Silent => format!("because no identity-based policy allows the {action} action"),
        };
        let message = format!(
            "User: {} is not authorized to perform: {action} on resource: {shown} {reason}",
            caller.arn
        );
        Err(Refusal::new(403, "AccessDenied", message))
    }

    /// What the policies of a role say now; nothing if it is gone
    pub(crate) fn policies_of(&self, role: &str) -> Vec<Value> {
        let Some(role) = self.roles.get(role) else { return Vec::new() };
        let inline = role.inline.values().map(|text| documents::read(text).unwrap_or_default());
        inline.chain(role.attached.values().cloned()).collect()
    }
}

impl Role {
    /// With nothing but its trust policy
    pub(crate) fn new(created: i64, trust: String) -> Self {
        Self {
            id: random_id("AROA"),
            path: "/".into(),
            created,
            description: None,
            longest_session: 3600,
            trust,
            tags: BTreeMap::new(),
            inline: BTreeMap::new(),
            attached: BTreeMap::new(),
            unseen: 0,
        }
    }

    pub(crate) fn arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role{}{name}", self.path)
    }
}

/// An ID as IAM makes them, with the prefix of its kind
pub(crate) fn random_id(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = random_bytes(16).into_iter().map(|byte| LETTERS[usize::from(byte & 31)] as char);
    prefix.chars().chain(random).collect()
}

pub(crate) fn random_secret(bytes: usize) -> String {
    STANDARD.encode(random_bytes(bytes))
}

fn random_bytes(count: usize) -> Vec<u8> {
    let mut buffer = vec![0; count];
    aws_lc_rs::rand::fill(&mut buffer).expect("random bytes");
    buffer
}
