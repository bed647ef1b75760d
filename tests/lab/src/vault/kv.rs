//! Key-value secrets with versions (openbao/openbao builtin/logical/kv/).

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::api::{Answer, Refusal, data, warned};
use super::state::State;
use crate::clock;
use crate::wire::Request;

/// All versions of one secret
#[derive(Default)]
pub(crate) struct Secret {
    versions: Vec<Version>,
    /// `null`, or texts by name
    pub(crate) custom: Value,
}

struct Version {
    data: Value,
    created: i64,
    deleted: Option<i64>,
}

impl Secret {
    pub(crate) fn push(&mut self, data: Value, now: i64) {
        self.versions.push(Version { data, created: now, deleted: None });
    }

    fn metadata(&self, number: usize) -> Value {
        let version = &self.versions[number - 1];
        json!({
            "created_time": clock::rfc3339(version.created), "custom_metadata": self.custom,
            "deletion_time": version.deleted.map(clock::rfc3339).unwrap_or_default(),
            "destroyed": false, "version": number,
        })
    }
}

/// Whether a path names a secret that exists, for the difference of `create` and `update`
pub(crate) fn exists(state: &State, mount: &str, rest: &str) -> bool {
    let key = rest.strip_prefix("data/").or_else(|| rest.strip_prefix("metadata/")).unwrap_or(rest);
    state.secrets.get(mount).is_some_and(|secrets| secrets.contains_key(key))
}

pub(crate) fn handle(request: &Request, state: &mut State, mount: &str, rest: &str, body: &Value) -> Answer {
    let now = state.now();
    let secrets = state.secrets.entry(mount.to_owned()).or_default();
    let list = super::api::is_list(request);
    let (kind, key) = rest.split_once('/').unwrap_or((rest, ""));
    match (kind, &request.method) {
        ("metadata", _) if list => listed(secrets, key),
        ("data", &Method::GET) => read(request, secrets, key),
        ("data", &Method::POST | &Method::PUT) => write(secrets, key, body, now),
        ("data", &Method::DELETE) => {
            if let Some(version) = secrets.get_mut(key).and_then(|secret| secret.versions.last_mut()) {
                version.deleted = Some(now);
            }
            Ok(None)
        }
        ("metadata", &Method::GET) => {
            let secret = secrets.get(key).ok_or_else(Refusal::not_found)?;
            Ok(Some(data(&metadata(secret))))
        }
        ("metadata", &Method::POST | &Method::PUT) => {
            let secret = secrets.entry(key.to_owned()).or_default();
            if body["custom_metadata"].is_object() {
                secret.custom = body["custom_metadata"].clone();
            }
            Ok(None)
        }
        ("metadata", &Method::DELETE) => {
            secrets.remove(key);
            Ok(None)
        }
        ("config", &Method::GET) => {
            Ok(Some(data(&json!({"cas_required": false, "delete_version_after": "0s", "max_versions": 0}))))
        }
        _ => Err(Refusal {
            status: 404,
            body: warned(
                "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API \
                 endpoints to use. If using the OpenBao CLI, use 'bao kv get' for this operation.",
            ),
        }),
    }
}

fn read(request: &Request, secrets: &BTreeMap<String, Secret>, key: &str) -> Answer {
    let secret =
        secrets.get(key).filter(|secret| !secret.versions.is_empty()).ok_or_else(Refusal::not_found)?;
    let asked = match request.query("version").as_deref() {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| {
            Refusal::bad("Field validation failed: error converting input for field \"version\"")
        })?,
    };
    let number = if asked == 0 { secret.versions.len() } else { asked };
    let version = secret.versions.get(number - 1).ok_or_else(Refusal::not_found)?;
    let metadata = secret.metadata(number);
    if version.deleted.is_some() {
        return Err(Refusal { status: 404, body: data(&json!({"data": null, "metadata": metadata})) });
    }
    Ok(Some(data(&json!({"data": version.data, "metadata": metadata}))))
}

fn write(secrets: &mut BTreeMap<String, Secret>, key: &str, body: &Value, now: i64) -> Answer {
    if !body["data"].is_object() {
        return Err(Refusal::bad("no data provided"));
    }
    let has = secrets.get(key).map_or(0, |secret| secret.versions.len() as u64);
    if body["options"]["cas"].as_u64().is_some_and(|wanted| wanted != has) {
        return Err(Refusal::bad("check-and-set parameter did not match the current version"));
    }
    let secret = secrets.entry(key.to_owned()).or_default();
    secret.push(body["data"].clone(), now);
    Ok(Some(data(&secret.metadata(secret.versions.len()))))
}

fn listed(secrets: &BTreeMap<String, Secret>, folder: &str) -> Answer {
    let folder = if folder.is_empty() { String::new() } else { format!("{}/", folder.trim_matches('/')) };
    let below = secrets.keys().filter_map(|key| key.strip_prefix(&folder));
    let mut keys: Vec<&str> =
        below.map(|rest| rest.split_inclusive('/').next().unwrap_or_default()).collect();
    keys.dedup();
    if keys.is_empty() { Err(Refusal::not_found()) } else { Ok(Some(data(&json!({"keys": keys})))) }
}

fn metadata(secret: &Secret) -> Value {
    let time = |version: Option<&Version>| version.map(|version| clock::rfc3339(version.created));
    let versions = (1..=secret.versions.len()).map(|number| {
        let mut version = secret.metadata(number);
        if let Some(members) = version.as_object_mut() {
            members.retain(|name, _| name != "version" && name != "custom_metadata");
        }
        (number.to_string(), version)
    });
    let versions: Map<String, Value> = versions.collect();
    json!({
        "cas_required": false, "created_time": time(secret.versions.first()), "current_metadata_version": 0,
        "current_version": versions.len(), "custom_metadata": secret.custom, "delete_version_after": "0s",
        "max_versions": 0, "metadata_cas_required": false, "oldest_version": 0,
        "updated_time": time(secret.versions.last()), "versions": versions,
    })
}
