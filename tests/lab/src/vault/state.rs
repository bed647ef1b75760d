//! What a [`Vault`](super::Vault) keeps.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

use super::VaultSettings;
use super::jwt::Method;
use super::kv::Secret;
use super::methods::Methods;
use crate::clock;
use crate::keys::{random_hex, uuid};

/// A life that nothing limits, 32 days
pub(crate) const DEFAULT_TTL: i64 = 2_764_800;

/// The whole server. What it keeps for the namespace in which it is asked is reached as if it were its own.
pub(crate) struct State {
    pub(crate) settings: VaultSettings,
    pub(crate) tokens: BTreeMap<String, Token>,
    /// By path without slashes around it; `""` is the root
    spaces: BTreeMap<String, Space>,
    /// Where it is asked; always one that exists
    here: String,
}

/// One namespace
pub(crate) struct Space {
    /// What tokens of it end in
    id: String,
    /// By path with `/` at the end, without `auth/`
    pub(crate) auth: BTreeMap<String, Mount>,
    pub(crate) mounts: BTreeMap<String, Mount>,
    pub(crate) jwt: BTreeMap<String, Method>,
    pub(crate) policies: BTreeMap<String, String>,
    pub(crate) methods: Methods,
    /// By mount and key
    pub(crate) secrets: BTreeMap<String, BTreeMap<String, Secret>>,
}

impl Deref for State {
    type Target = Space;

    fn deref(&self) -> &Space {
        &self.spaces[&self.here]
    }
}

impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut Space {
        self.spaces.get_mut(&self.here).expect("it exists")
    }
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
    /// How far a renewal goes; 0: it has an end
    pub(crate) period: i64,
    pub(crate) display_name: String,
    pub(crate) path: String,
    pub(crate) meta: Value,
    /// Where it was made, and so whose policies it has
    pub(crate) namespace: String,
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
        let spaces = BTreeMap::from([(String::new(), Space::new(true))]);
        let mut state = Self { settings, tokens: BTreeMap::new(), spaces, here: String::new() };
        let mut token = Token::new(vec!["root".into()], state.now(), 0, "token", "auth/token/create");
        token.policies = vec!["root".into()];
        state.tokens.insert(root.to_owned(), token);
        state
    }

    pub(crate) fn now(&self) -> i64 {
        clock::now(self.settings.clock_offset)
    }

    /// Goes on in this namespace; `false`: there is none
    pub(crate) fn enter(&mut self, namespace: &str) -> bool {
        let namespace = namespace.trim_matches('/');
        let exists = self.spaces.contains_key(namespace);
        if exists {
            self.here = namespace.to_owned();
        }
        exists
    }

    /// Where it is asked
    pub(crate) fn here(&self) -> &str {
        &self.here
    }

    pub(crate) fn add_space(&mut self, namespace: &str) {
        self.spaces.entry(namespace.trim_matches('/').to_owned()).or_insert_with(|| Space::new(false));
    }

    /// The policies of a token, and a path as they would have to name it; `None` where none of them counts
    pub(crate) fn judges<'a>(&'a self, token: &'a Token, path: &str) -> Option<(Vec<&'a str>, String)> {
        let policies = &self.spaces.get(&token.namespace)?.policies;
        let texts = token.policies.iter().filter_map(|name| policies.get(name)).map(String::as_str).collect();
        // A namespace below is named by the path.
        let below = match self.here.strip_prefix(&token.namespace)? {
            "" => "",
            rest if token.namespace.is_empty() => rest,
            rest => rest.strip_prefix('/')?,
        };
        Some((texts, if below.is_empty() { path.to_owned() } else { format!("{below}/{path}") }))
    }

    /// The token itself, which is stored
    pub(crate) fn issue(&mut self, mut token: Token) -> String {
        token.namespace = self.here.clone();
        let mut id = format!("s.{}", random_hex(12));
        if !self.here.is_empty() {
            id = format!("{id}.{}", self.id);
        }
        self.tokens.insert(id.clone(), token);
        id
    }
}

impl Space {
    fn new(root: bool) -> Self {
        let mut space = Self {
            id: random_hex(3),
            auth: BTreeMap::new(),
            mounts: BTreeMap::new(),
            jwt: BTreeMap::new(),
            methods: Methods::default(),
            policies: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        let kind = |name: &str| if root { name.to_owned() } else { format!("ns_{name}") };
        let token = Mount::new(&kind("token"), "token based credentials", Value::Null);
        space.auth.insert("token/".into(), token);
        for (path, name, description) in [
            ("cubbyhole/", "cubbyhole", "per-token private secret storage"),
            ("identity/", "identity", "identity store"),
            ("sys/", "system", "system endpoints used for control, policy and debugging"),
        ] {
            space.mounts.insert(path.into(), Mount::new(&kind(name), description, Value::Null));
        }
        space.policies.insert("default".into(), DEFAULT_POLICY.into());
        if root {
            space.policies.insert("root".into(), String::new());
        }
        space
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
            period: 0,
            display_name: display_name.to_owned(),
            path: path.to_owned(),
            meta: Value::Null,
            namespace: String::new(),
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
        let mut shown = json!({
            "accessor": self.accessor, "creation_time": self.created, "creation_ttl": self.ttl,
            "display_name": self.display_name, "entity_id": "", "expire_time": end,
            "explicit_max_ttl": 0, "id": id, "issue_time": clock::rfc3339(self.created),
            "meta": self.meta, "num_uses": 0, "orphan": true, "path": self.path,
            "policies": self.policies, "renewable": self.ttl > 0,
            "ttl": if self.ttl > 0 { self.created + self.ttl - now } else { 0 }, "type": "service",
        });
        // vault/token_store.go, `handleLookup`: only where there is one
        if self.period > 0 {
            shown["period"] = json!(self.period);
        }
        shown
    }
}
