//! Everything that the tenant remembers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::error::{Refusal, Result};
use super::{GROUP, SUBSCRIPTION, TENANT};
use crate::clock;
use crate::keys::{random_hex, uuid};

/// The role Key Vault Secrets User
pub(crate) const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
/// The role Key Vault Reader
pub(crate) const READER: &str = "21090545-7ca7-4776-b22c-e363652d74d2";

/// How the tenant behaves
#[derive(Clone)]
pub struct EntraSettings {
    /// Azure's clock minus the real one, in seconds
    pub clock_offset: i64,
    /// So many exchanges do not see a new federated credential
    pub unseen_exchanges: u32,
    /// So many reads do not see a new role
    pub unseen_reads: u32,
    /// Roles decide in the vault, not access policies
    pub vault_by_roles: bool,
    /// The tenant of the vault
    pub vault_tenant: String,
    /// The tenant of the subscription
    pub subscription_tenant: String,
    /// The tenant of managed identities
    pub identity_tenant: String,
    /// The tenant that tokens are of
    pub token_tenant: String,
    /// Tokens do not say whose they are
    pub opaque_tokens: bool,
    /// The longest page of a list
    pub page: usize,
    /// In every answer, the second text in place of the first: as something else between would answer
    pub swapped: Option<(String, String)>,
}

impl Default for EntraSettings {
    fn default() -> Self {
        Self {
            clock_offset: 0,
            unseen_exchanges: 0,
            unseen_reads: 0,
            vault_by_roles: true,
            vault_tenant: TENANT.into(),
            subscription_tenant: TENANT.into(),
            identity_tenant: TENANT.into(),
            token_tenant: TENANT.into(),
            opaque_tokens: false,
            page: 2,
            swapped: None,
        }
    }
}

/// A call as its meaning counts
#[derive(Clone, Debug)]
pub struct EntraCall {
    /// The permission that it needs
    pub action: String,
    /// The resource
    pub on: String,
    /// The code of the refusal, if it was refused
    pub refused: Option<String>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) settings: EntraSettings,
    /// By client ID
    pub(crate) applications: BTreeMap<String, Application>,
    pub(crate) tokens: Vec<Token>,
    /// By name, in lower case
    pub(crate) identities: BTreeMap<String, Identity>,
    /// By ID, in lower case
    pub(crate) assignments: BTreeMap<String, Value>,
    /// How many reads do not see an assignment yet, by ID
    pub(crate) unseen: BTreeMap<String, u32>,
    /// By name, in lower case; the newest last
    pub(crate) secrets: BTreeMap<String, Vec<Version>>,
    pub(crate) denied: BTreeSet<String>,
    pub(crate) needed: BTreeSet<String>,
    pub(crate) heard: Vec<EntraCall>,
    pub(crate) planned: Vec<Planned>,
}

/// An application with its service principal
pub(crate) struct Application {
    pub(crate) principal: String,
    pub(crate) owner: String,
    pub(crate) enabled: bool,
    /// `signInAudience`
    pub(crate) audience: Option<String>,
    /// Key ID and secret
    pub(crate) secrets: Vec<(String, String)>,
    /// Of its service principal
    pub(crate) principal_secrets: Vec<(String, String)>,
    /// When a secret ends, by its key ID, where it is another time than usual
    pub(crate) ends: BTreeMap<String, String>,
    pub(crate) certificates: Vec<Value>,
    pub(crate) federated: Vec<Value>,
    pub(crate) is_administrator: bool,
    pub(crate) is_reader: bool,
}

pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    pub(crate) principal: String,
    pub(crate) location: String,
    pub(crate) tags: Value,
    /// `name` and `properties`
    pub(crate) federated: Vec<Value>,
    /// So many exchanges do not see what was written last
    pub(crate) unseen: u32,
}

pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) enabled: bool,
    pub(crate) tags: Value,
}

pub(crate) struct Token {
    pub(crate) secret: String,
    pub(crate) audience: String,
    pub(crate) who: Who,
    pub(crate) expires: i64,
}

/// Who asks
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) principal: String,
    /// `None`: a managed identity
    pub(crate) client_id: Option<String>,
}

/// A refusal that a test has planned for the next calls
pub(crate) struct Planned {
    pub(crate) action: String,
    pub(crate) left: usize,
    pub(crate) status: u16,
    pub(crate) code: String,
}

/// Of the form that Entra gives them, made now; each begins otherwise
pub(crate) fn client_secret(number: usize) -> String {
    format!("k{:02}8Q~{}", number % 100, &random_hex(17))
}

impl State {
    pub(crate) fn now(&self) -> i64 {
        clock::now(self.settings.clock_offset)
    }

    pub(crate) fn add_application(&mut self, change: impl FnOnce(&mut Application)) -> (String, String) {
        let (client_id, secret) = (uuid(), client_secret(self.applications.len()));
        let mut application = Application {
            principal: uuid(),
            owner: TENANT.into(),
            enabled: true,
            audience: Some("AzureADMyOrg".into()),
            secrets: vec![(uuid(), secret.clone())],
            principal_secrets: Vec::new(),
            ends: BTreeMap::new(),
            certificates: Vec::new(),
            federated: Vec::new(),
            is_administrator: false,
            is_reader: false,
        };
        change(&mut application);
        self.applications.insert(client_id.clone(), application);
        (client_id, secret)
    }

    pub(crate) fn add_identity(&mut self, name: &str, tags: Value) {
        let identity = Identity {
            name: name.to_owned(),
            tenant: self.settings.identity_tenant.clone(),
            client_id: uuid(),
            principal: uuid(),
            location: "westeurope".into(),
            tags,
            federated: Vec::new(),
            unseen: 0,
        };
        self.identities.insert(name.to_lowercase(), identity);
    }

    /// Its key among the assignments
    pub(crate) fn assign(&mut self, scope: &str, role: &str, principal: &str) -> String {
        let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", uuid());
        let properties = json!({
            "roleDefinitionId":
                format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal, "principalType": "ServicePrincipal", "scope": scope,
        });
        let key = id.to_lowercase();
        self.assignments.insert(key.clone(), json!({"id": id, "properties": properties}));
        key
    }

    /// Whether the caller may do this; the record knows it from now on
    pub(crate) fn may(&mut self, who: &Who, action: &str, on: &str) -> Result<()> {
        let decided = self.decide(who, action, on);
        let refused = decided.as_ref().err().map(|refusal| refusal.code.clone());
        if refused.is_none() {
            self.needed.insert(action.to_owned());
        }
        self.heard.push(EntraCall { action: action.to_owned(), on: on.to_owned(), refused });
        decided
    }

    fn decide(&mut self, who: &Who, action: &str, on: &str) -> Result<()> {
        let planned = self.planned.iter_mut().find(|it| it.left > 0 && it.action == action);
        if let Some(planned) = planned {
            planned.left -= 1;
            return Err(Refusal::new(planned.status, &planned.code, "planned by the test"));
        }
        let graph = action.starts_with("Application.");
        let forbidden = || match graph {
            true => Refusal::new(
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            ),
            false => Refusal::new(
                403,
                "AuthorizationFailed",
                &format!(
                    "The client '{}' does not have authorization to perform action '{action}' over scope '{on}'.",
                    who.principal
                ),
            ),
        };
        let application = who.client_id.as_ref().and_then(|id| self.applications.get(id));
        let has = application.is_some_and(|it| {
            let reads = action.ends_with("/read") || action == "Application.Read.All";
            it.is_administrator || it.is_reader && reads
        });
        if self.denied.contains(action) || !has { Err(forbidden()) } else { Ok(()) }
    }
}

impl Identity {
    pub(crate) fn id(&self) -> String {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            self.name
        )
    }

    pub(crate) fn shown(&self) -> Value {
        json!({
            "id": self.id(), "name": self.name, "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "location": self.location, "tags": self.tags,
            "properties":
                {"tenantId": self.tenant, "clientId": self.client_id, "principalId": self.principal},
        })
    }
}
