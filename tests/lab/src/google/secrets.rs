//! Secret Manager v1: secrets, versions, and who may read them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use super::callers::Who;
use super::error::{Code, GoogleError, Result};
use super::service::{Asked, nothing_here};
use super::state::{State, project};
use crate::clock;
use crate::crc32c::crc32c;

/// A secret with its versions, the first of them number 1
pub(crate) struct Secret {
    /// What the caller wrote: replication, labels, annotations
    written: Value,
    created: i64,
    etag: u64,
    pub(crate) versions: Vec<Version>,
}

pub(crate) struct Version {
    pub(crate) state: &'static str,
    pub(crate) payload: Vec<u8>,
    created: i64,
}

/// Longest payload of a version
const LARGEST: usize = 64 << 10;

/// `secretmanager.googleapis.com/v1/projects/P/secrets…`
pub(crate) fn api(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let (method, parts, verb) = asked.parts();
    match (method, &parts[3..], verb) {
        ("POST", [], "") => create(asked, state),
        ("GET", [], "") => list(&asked.who, state),
        ("GET", [id], "") => get(&asked.who, id, state),
        ("DELETE", [id], "") => {
            let name = need(&asked.who, "secretmanager.secrets.delete", id, state)?;
            existing(&name, id, state)?;
            state.secrets.remove(*id);
            state.policies.remove(&name);
            Ok(json!({}))
        }
        ("POST", [id], "addVersion") => add_version(asked, id, state),
        ("GET", [id], "getIamPolicy") => {
            let name = need(&asked.who, "secretmanager.secrets.getIamPolicy", id, state)?;
            existing(&name, id, state)?;
            Ok(state.get_policy(&name, asked.requested_version()))
        }
        ("POST", [id], "setIamPolicy") => {
            let name = need(&asked.who, "secretmanager.secrets.setIamPolicy", id, state)?;
            existing(&name, id, state)?;
            state.set_policy(&name, &asked.body)
        }
        ("POST", [id], "testIamPermissions") => {
            let name = secret_name(id);
            let wanted = asked.body["permissions"].as_array().cloned().unwrap_or_default();
            let has = |it: &Value| it.as_str().is_some_and(|it| state.may(&asked.who, it, &name));
            let held: Vec<Value> = wanted.into_iter().filter(has).collect();
            Ok(if held.is_empty() { json!({}) } else { json!({"permissions": held}) })
        }
        ("GET", [id, "versions"], "") => list_versions(&asked.who, id, state),
        ("GET", [id, "versions", version], "") => {
            let name = need(&asked.who, "secretmanager.versions.get", id, state)?;
            let (number, version) = version_of(&name, id, version, state)?;
            Ok(version.shown(&name, number))
        }
        ("GET", [id, "versions", version], "access") => access(&asked.who, id, version, state),
        ("POST", [id, "versions", version], "disable" | "enable" | "destroy") => {
            let permission = format!("secretmanager.versions.{verb}");
            let name = need(&asked.who, &permission, id, state)?;
            let (number, _) = version_of(&name, id, version, state)?;
            let Some(version) = state.secrets.get_mut(*id).and_then(|it| it.versions.get_mut(number - 1))
            else {
                return Err(nothing_here());
            };
            version.state = match verb {
                "disable" => "DISABLED",
                "enable" => "ENABLED",
                _ => "DESTROYED",
            };
            Ok(version.shown(&name, number))
        }
        _ => Err(nothing_here()),
    }
}

/// `AccessSecretVersion`
pub(crate) fn access(who: &Who, id: &str, version: &str, state: &State) -> Result<Value> {
    let name = secret_name(id);
    let shown = format!("{name}/versions/{version}");
    state
        .need(who, "secretmanager.versions.access", &name, &shown)
        .map_err(|error| for_resource(error, &shown))?;
    let (number, version) = version_of(&name, id, version, state)?;
    if version.state != "ENABLED" {
        return Err(GoogleError::precondition(format!(
            "Secret Version [{name}/versions/{number}] is in {} state.",
            version.state
        )));
    }
    Ok(json!({
        "name": format!("{name}/versions/{number}"),
        "payload": {
            "data": STANDARD.encode(&version.payload), "dataCrc32c": crc32c(&version.payload).to_string(),
        },
    }))
}

/// `GetSecret`
pub(crate) fn get(who: &Who, id: &str, state: &State) -> Result<Value> {
    let name = need(who, "secretmanager.secrets.get", id, state)?;
    Ok(existing(&name, id, state)?.shown(&name))
}

/// `ListSecrets`
pub(crate) fn list(who: &Who, state: &State) -> Result<Value> {
    state
        .need(who, "secretmanager.secrets.list", &project(), &project())
        .map_err(|error| for_resource(error, &project()))?;
    let all: Vec<Value> = state.secrets.iter().map(|(id, it)| it.shown(&secret_name(id))).collect();
    Ok(if all.is_empty() { json!({}) } else { json!({"totalSize": all.len(), "secrets": all}) })
}

/// `ListSecretVersions`, the newest first
pub(crate) fn list_versions(who: &Who, id: &str, state: &State) -> Result<Value> {
    let name = need(who, "secretmanager.versions.list", id, state)?;
    let secret = existing(&name, id, state)?;
    let numbered = secret.versions.iter().enumerate().rev();
    let all: Vec<Value> = numbered.map(|(at, version)| version.shown(&name, at + 1)).collect();
    Ok(if all.is_empty() { json!({}) } else { json!({"totalSize": all.len(), "versions": all}) })
}

fn create(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    state
        .need(&asked.who, "secretmanager.secrets.create", &project(), &project())
        .map_err(|error| for_resource(error, &project()))?;
    let id = asked.query("secretId").unwrap_or_default();
    let right = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.is_empty() || id.len() > 255 || !id.bytes().all(right) {
        return Err(GoogleError::invalid(format!("Secret ID [{id}] must match the pattern [a-zA-Z0-9-_]+.")));
    }
    if asked.body["replication"].is_null() {
        return Err(GoogleError::invalid("Secret.replication must be provided."));
    }
    if state.secrets.contains_key(&id) {
        let message = format!("Secret [{}] already exists.", secret_name(&id));
        return Err(GoogleError::new(Code::AlreadyExists, message));
    }
    state.put_secret(&id, asked.body.clone());
    let name = secret_name(&id);
    Ok(existing(&name, &id, state)?.shown(&name))
}

fn add_version(asked: &Asked<'_>, id: &str, state: &mut State) -> Result<Value> {
    let name = need(&asked.who, "secretmanager.versions.add", id, state)?;
    existing(&name, id, state)?;
    let payload = &asked.body["payload"];
    let data = payload["data"].as_str().unwrap_or_default();
    let data = STANDARD.decode(data).or_else(|_| URL_SAFE.decode(data)).map_err(|_| {
        GoogleError::invalid("Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed")
    })?;
    if data.len() > LARGEST {
        return Err(GoogleError::invalid("The payload must not exceed 65536 bytes."));
    }
    let given = match &payload["dataCrc32c"] {
        Value::String(text) => text.parse::<i64>().ok(),
        number => number.as_i64(),
    };
    if given.is_some_and(|given| given != i64::from(crc32c(&data))) {
        return Err(GoogleError::invalid("The payload does not match the checksum 'dataCrc32c'."));
    }
    let number = state.put_version(id, &data);
    let (_, version) = version_of(&name, id, &number.to_string(), state)?;
    let mut shown = version.shown(&name, number);
    shown["clientSpecifiedPayloadChecksum"] = json!(given.is_some());
    Ok(shown)
}

impl State {
    /// Makes a secret, past all permissions
    pub(crate) fn put_secret(&mut self, id: &str, written: Value) {
        let (created, etag) = (self.now(), self.next());
        self.secrets.insert(id.to_owned(), Secret { written, created, etag, versions: Vec::new() });
    }

    /// Adds a version to a secret that exists and returns its number
    pub(crate) fn put_version(&mut self, id: &str, payload: &[u8]) -> usize {
        let created = self.now();
        let secret = self.secrets.get_mut(id).expect("a secret that exists");
        secret.versions.push(Version { state: "ENABLED", payload: payload.to_vec(), created });
        secret.versions.len()
    }
}

impl Secret {
    fn shown(&self, name: &str) -> Value {
        let mut shown = json!({
            "name": name, "createTime": clock::rfc3339(self.created), "etag": format!("\"{:x}\"", self.etag),
        });
        for field in ["replication", "labels", "annotations"] {
            let value = &self.written[field];
            if value.as_object().is_some_and(|value| !value.is_empty()) {
                shown[field] = value.clone();
            }
        }
        shown
    }
}

impl Version {
    fn shown(&self, secret: &str, number: usize) -> Value {
        json!({
            "name": format!("{secret}/versions/{number}"), "createTime": clock::rfc3339(self.created),
            "state": self.state, "etag": format!("\"{:x}-{number}\"", self.created),
            "replicationStatus": {"automatic": {}},
        })
    }
}

fn existing<'a>(name: &str, id: &str, state: &'a State) -> Result<&'a Secret> {
    state.secrets.get(id).ok_or_else(|| GoogleError::not_found(format!("Secret [{name}] not found.")))
}

fn version_of<'a>(name: &str, id: &str, version: &str, state: &'a State) -> Result<(usize, &'a Version)> {
    let empty = || GoogleError::not_found(format!("Secret [{name}] not found or has no versions."));
    let secret = state.secrets.get(id).ok_or_else(empty)?;
    if secret.versions.is_empty() {
        return Err(empty());
    }
    // The newest, in whatever state it is.
    let number = if version == "latest" { Some(secret.versions.len()) } else { version.parse().ok() };
    number.and_then(|number: usize| Some((number, secret.versions.get(number.checked_sub(1)?)?))).ok_or_else(
        || GoogleError::not_found(format!("Secret Version [{name}/versions/{version}] not found.")),
    )
}

fn need(who: &Who, permission: &str, id: &str, state: &State) -> Result<String> {
    let name = secret_name(id);
    state.need(who, permission, &name, &name).map_err(|error| for_resource(error, &name))?;
    Ok(name)
}

pub(crate) fn secret_name(id: &str) -> String {
    format!("{}/secrets/{id}", project())
}

/// Secret Manager says "for resource" where others say "on resource"
pub(crate) fn for_resource(mut error: GoogleError, resource: &str) -> GoogleError {
    error.message = error
        .message
        .replace(&format!("denied on resource '{resource}'"), &format!("denied for resource '{resource}'"));
    error
}
