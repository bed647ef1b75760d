//! What is believed now.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use super::{Vault, wanted};
use crate::{
    error::Result,
    federation::Keys,
    oidc::{KeySet, keys_from_pem},
};

/// The auth method, its configuration, the role and the policy, as they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// What is mounted at the path, whatever its type.
    pub(super) mount: Option<Mount>,
    /// Only of a mount of type jwt, as is the role.
    pub(super) config: Option<Map<String, Value>>,
    pub(super) role: Option<Map<String, Value>>,
    pub(super) policy: Option<String>,
    pub(super) kv: Engine,
    /// What the token may do, by path; empty when the server does not tell.
    pub(super) capabilities: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) kind: String,
    pub(super) description: String,
}

/// What is mounted as secrets engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Engine {
    /// The token may not see it, or it is not there: the probe shows which.
    #[default]
    Unknown,
    KvV2,
    /// Of a kind that cannot be read as KV v2, for people.
    Other(String),
}

impl Observed {
    pub(super) fn is_jwt(&self) -> bool {
        self.mount.as_ref().is_some_and(|mount| mount.kind == "jwt")
    }
}

impl Vault {
    /// What all workloads share, without the capabilities. Asks everything at the same time: none of it depends on another.
    pub(super) async fn observe_shared(&self) -> Result<Observed> {
        let settings = &self.settings;
        let config = format!("auth/{}/config", settings.mount);
        let kv = format!("sys/internal/ui/mounts/{}", settings.kv);
        let (mount, config, kv) = futures::join!(self.mount(), self.api.read(&config), self.api.read(&kv));
        let mut observed = Observed { mount: mount?, ..Observed::default() };
        if observed.is_jwt() {
            observed.config = config?.and_then(|reply| reply.data().cloned());
        }
        observed.kv = match kv {
            Ok(Some(reply)) => engine(reply.data()),
            // Not to be allowed to look is no reason to stop.
            Ok(None) | Err(_) => Engine::Unknown,
        };
        Ok(observed)
    }

    /// The auth method and its configuration alone, and what the token may do there: for those who write nothing else.
    pub(super) async fn observe_config(&self) -> Result<Observed> {
        let config = format!("auth/{}/config", self.settings.mount);
        let (mount, config, capabilities) =
            futures::join!(self.mount(), self.api.read(&config), self.capabilities());
        let mut observed = Observed { mount: mount?, capabilities, ..Observed::default() };
        if observed.is_jwt() {
            observed.config = config?.and_then(|reply| reply.data().cloned());
        }
        Ok(observed)
    }

    /// What is mounted at the path of the auth method. The list needs less right than the single entry, which
    /// asks for `sudo`.
    pub(super) async fn mount(&self) -> Result<Option<Mount>> {
        let Some(reply) = self.api.read("sys/auth").await? else { return Ok(None) };
        let key = format!("{}/", self.settings.mount);
        let entry = reply.data().and_then(|data| data.get(&key)).or_else(|| reply.body.get(&key));
        let text = |name: &str| {
            entry.and_then(|entry| entry.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Ok(entry.map(|_| Mount { kind: text("type"), description: text("description") }))
    }

    /// What the token may do where we write. Every token may ask this; a server that does not tell is no obstacle.
    pub(super) async fn capabilities(&self) -> BTreeMap<String, Vec<String>> {
        let paths: Vec<_> = wanted::rights(&self.settings).into_iter().map(|(path, _)| path).collect();
        let asked = self.api.ask(Method::POST, "sys/capabilities-self", &json!({ "paths": paths })).await;
        let Ok(reply) = asked else { return BTreeMap::new() };
        let of = |path: &String| {
            let list = reply.data().and_then(|data| data.get(path)).and_then(Value::as_array)?;
            let list = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            Some((path.clone(), list))
        };
        paths.iter().filter_map(of).collect()
    }

    /// The names of all roles of the auth method.
    pub(super) async fn roles(&self) -> Result<Vec<String>> {
        let reply = self.api.read(&format!("auth/{}/role?list=true", self.settings.mount)).await?;
        let keys = reply.as_ref().and_then(|reply| reply.data()).and_then(|data| data.get("keys"));
        let keys = keys.and_then(Value::as_array).into_iter().flatten();
        Ok(keys.filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

/// How an auth method of this configuration comes to its keys.
pub(super) fn keys(config: &Map<String, Value>) -> Result<Keys> {
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
    let given = config.get("jwt_validation_pubkeys").and_then(Value::as_array);
    let given: Vec<_> = given.into_iter().flatten().filter_map(Value::as_str).collect();
    if !given.is_empty() {
        let pem = given.join("\n");
        return Ok(Keys::Given(KeySet::new(keys_from_pem(pem.as_bytes(), "jwt_validation_pubkeys")?)?));
    }
    let fetches = ["oidc_discovery_url", "jwks_url"].into_iter().any(|name| !text(name).is_empty());
    Ok(if fetches { Keys::Fetched } else { Keys::Absent })
}

fn engine(data: Option<&Map<String, Value>>) -> Engine {
    let kind = data.and_then(|data| data.get("type")).and_then(Value::as_str);
    let version = data.and_then(|data| data.get("options")?.get("version")?.as_str());
    match (kind, version) {
        (None, _) => Engine::Unknown,
        (Some("kv" | "generic"), Some("2")) => Engine::KvV2,
        (Some("kv" | "generic"), _) => Engine::Other("KV version 1".into()),
        (Some(other), _) => Engine::Other(format!("an engine of type {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn key_source_is_read_from_configuration() {
        let of = |config: Value| keys(config.as_object().unwrap()).unwrap();
        let none = json!({"bound_issuer": "https://a.example", "oidc_discovery_url": "", "jwt_validation_pubkeys": []});
        assert_eq!(of(none), Keys::Absent);
        for field in ["oidc_discovery_url", "jwks_url"] {
            assert_eq!(of(json!({field: "https://a.example", "jwt_validation_pubkeys": []})), Keys::Fetched);
        }
        let pem = lab_key();
        // As it is given back: without its last line break.
        let Keys::Given(given) =
            of(json!({"jwt_validation_pubkeys": [pem.trim()], "oidc_discovery_url": ""}))
        else {
            panic!("a key was given");
        };
        assert_eq!(given.len(), 1);
        let malformed = json!({"jwt_validation_pubkeys": ["none"]});
        assert_eq!(keys(malformed.as_object().unwrap()).unwrap_err().code, Code::PemNoKey);
    }

    fn lab_key() -> String {
        let jwks = json!({ "keys": [lab::SigningKey::rsa(2048).jwk()] }).to_string();
        let (keys, _) = KeySet::parse(jwks.as_bytes(), "it", crate::oidc::KidRule::External).unwrap();
        let key = keys.iter().next().unwrap();
        key.to_pem().unwrap()
    }
}
