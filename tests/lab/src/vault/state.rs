//! What a [`Vault`](super::Vault) keeps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::VaultSettings;
use super::jwt::Method;
use super::kv::Secret;
use crate::clock;
use crate::keys::{random_hex, uuid};

/// A life that nothing limits, 32 days
pub(crate) const DEFAULT_TTL: i64 = 2_764_800;

pub(crate) struct State {
    pub(crate) settings: VaultSettings,
    /// By path with `/` at the end, without `auth/`
    pub(crate) auth: BTreeMap<String, Mount>,
    pub(crate) mounts: BTreeMap<String, Mount>,
    pub(crate) jwt: BTreeMap<String, Method>,
    pub(crate) policies: BTreeMap<String, String>,
    pub(crate) tokens: BTreeMap<String, Token>,
    /// By mount and key
    pub(crate) secrets: BTreeMap<String, BTreeMap<String, Secret>>,
}

#[derive(Clone)]
pub(crate) struct Mount {
    pub(crate) kind: String,
    pub(crate) description: String,
    options: Value,
    accessor: String,
    uuid: String,
}

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) policies: Vec<String>,
    pub(crate) accessor: String,
    pub(crate) created: i64,
    /// 0: for ever
    pub(crate) ttl: i64,
    pub(crate) display_name: String,
    pub(crate) path: String,
    pub(crate) meta: Value,
}

/// What everybody may do (vault/policy_store.go, `defaultPolicy`, as far as it matters here)
const DEFAULT_POLICY: &str = r#"
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }
"#;

impl State {
    pub(crate) fn new(settings: VaultSettings, root: &str) -> Self {
        let mut state = Self {
            settings,
            auth: BTreeMap::new(),
            mounts: BTreeMap::new(),
            jwt: BTreeMap::new(),
            policies: BTreeMap::new(),
            tokens: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        state.auth.insert("token/".into(), Mount::new("token", "token based credentials", Value::Null));
        for (path, kind, description) in [
            ("cubbyhole/", "cubbyhole", "per-token private secret storage"),
            ("identity/", "identity", "identity store"),
            ("sys/", "system", "system endpoints used for control, policy and debugging"),
        ] {
            state.mounts.insert(path.into(), Mount::new(kind, description, Value::Null));
        }
        state.policies.insert("default".into(), DEFAULT_POLICY.into());
        state.policies.insert("root".into(), String::new());
        let mut token = Token::new(vec!["root".into()], state.now(), 0, "token", "auth/token/create");
        token.policies = vec!["root".into()];
        state.tokens.insert(root.to_owned(), token);
        state
    }

    pub(crate) fn now(&self) -> i64 {
        clock::now(self.settings.clock_offset)
    }

    /// The token itself, which is stored
    pub(crate) fn issue(&mut self, token: Token) -> String {
        let id = format!("s.{}", random_hex(12));
        self.tokens.insert(id.clone(), token);
        id
    }
}

impl Mount {
    pub(crate) fn new(kind: &str, description: &str, options: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            description: description.to_owned(),
            options,
            accessor: format!("{kind}_{}", random_hex(4)),
            uuid: uuid(),
        }
    }

    pub(crate) fn shown(&self, auth: bool) -> Value {
        let mut config = json!({"default_lease_ttl": 0, "force_no_cache": false, "max_lease_ttl": 0});
        if auth {
            config["token_type"] = json!("default-service");
        }
        json!({
            "accessor": self.accessor, "config": config, "description": self.description,
            "external_entropy_access": false, "local": false, "options": self.options,
            "plugin_version": "", "running_plugin_version": "v2.7.2+builtin.bao", "running_sha256": "",
            "seal_wrap": false, "type": self.kind, "uuid": self.uuid,
        })
    }
}

impl Token {
    pub(crate) fn new(policies: Vec<String>, now: i64, ttl: i64, display_name: &str, path: &str) -> Self {
        let mut policies: Vec<String> = policies.into_iter().chain(["default".to_owned()]).collect();
        policies.sort();
        policies.dedup();
        Self {
            policies,
            accessor: random_hex(12),
            created: now,
            ttl,
            display_name: display_name.to_owned(),
            path: path.to_owned(),
            meta: Value::Null,
        }
    }

    pub(crate) fn alive(&self, now: i64) -> bool {
        self.ttl == 0 || now < self.created + self.ttl
    }

    /// The member `auth` of an answer that issues it
    pub(crate) fn auth(&self, id: &str, orphan: bool) -> Value {
        json!({
            "client_token": id, "accessor": self.accessor, "policies": self.policies,
            "token_policies": self.policies, "metadata": self.meta, "lease_duration": self.ttl,
            "renewable": true, "entity_id": "", "token_type": "service", "orphan": orphan,
            "mfa_requirement": null, "num_uses": 0,
        })
    }

    pub(crate) fn looked_up(&self, id: &str, now: i64) -> Value {
        let end = (self.ttl > 0).then(|| clock::rfc3339(self.created + self.ttl));
        json!({
            "accessor": self.accessor, "creation_time": self.created, "creation_ttl": self.ttl,
            "display_name": self.display_name, "entity_id": "", "expire_time": end,
            "explicit_max_ttl": 0, "id": id, "issue_time": clock::rfc3339(self.created),
            "meta": self.meta, "num_uses": 0, "orphan": true, "path": self.path,
            "policies": self.policies, "renewable": self.ttl > 0,
            "ttl": if self.ttl > 0 { self.created + self.ttl - now } else { 0 }, "type": "service",
        })
    }
}
