//! Secret Manager v1: secrets, versions, and who may read them. A secret lies in the project, or in one of its
//! locations: two of the same ID have nothing in common. Here the second is known as `LOCATION/ID`.

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
    pub(crate) written: Value,
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

/// `secretmanager.googleapis.com/v1/projects/P/secrets…`, and with `/locations/L` at the endpoint of the location
pub(crate) fn api(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let (method, parts, verb) = asked.parts();
    let (location, rest) = match parts[2] {
        "locations" => (Some(parts[3]), &parts[5..]),
        _ => (None, &parts[3..]),
    };
    // The ID as it is known here.
    let known: Vec<String> = rest.first().map(|id| local_id(location, id)).into_iter().collect();
    let rest: Vec<&str> = known.iter().map(String::as_str).chain(rest.iter().skip(1).copied()).collect();
    match (method, rest.as_slice(), verb) {
        ("POST", [], "") => create(asked, location, state),
        ("GET", [], "") => list(&asked.who, location, &Page::of(asked)?, state),
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
        ("POST", [id], "testIamPermissions") => Ok(state.tested(&asked.who, &asked.body, &secret_name(id))),
        ("PATCH", [id], "") => update(asked, id, state),
        ("GET", [id, "versions"], "") => list_versions(&asked.who, id, &Page::of(asked)?, state),
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

/// Which part of a list is asked for
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) filter: String,
    pub(crate) size: usize,
    pub(crate) from: usize,
}

impl Page {
    fn of(asked: &Asked<'_>) -> Result<Self> {
        let number = |name: &str| match asked.query(name) {
            None => Ok(0),
            Some(text) => {
                text.parse().map_err(|_| GoogleError::invalid(format!("Invalid value at '{name}' ({text})")))
            }
        };
        let filter = asked.query("filter").unwrap_or_default();
        Ok(Self { filter, size: number("pageSize")?, from: number("pageToken")? })
    }

    /// Everything that the terms of the filter hold of, joined by AND
    fn keeps(&self, shown: &Value) -> Result<bool> {
        let mut keeps = true;
        for term in self.filter.split_whitespace() {
            let (field, value, exact) = match term.split_once('=') {
                Some((field, value)) => (field, value, true),
                None => match term.split_once(':') {
                    Some((field, value)) => (field, value, false),
                    None => return Err(GoogleError::invalid(format!("Invalid filter: {}", self.filter))),
                },
            };
            let path = format!("/{}", field.replace('.', "/"));
            let found = shown.pointer(&path).and_then(Value::as_str);
            keeps &= match (found, exact) {
                (Some(found), true) => found == value,
                (Some(found), false) => found.contains(value),
                (None, _) => false,
            };
        }
        Ok(keeps)
    }

    fn answer(&self, name: &str, all: Vec<Value>) -> Result<Value> {
        let mut kept = Vec::new();
        for one in all {
            if self.keeps(&one)? {
                kept.push(one);
            }
        }
        if kept.is_empty() {
            return Ok(json!({}));
        }
        let (total, size) = (kept.len(), if self.size == 0 { MOST } else { self.size.min(MOST) });
        let page: Vec<Value> = kept.into_iter().skip(self.from).take(size).collect();
        let next = self.from + page.len();
        let mut answer = json!({"totalSize": total, name: page});
        if next < total {
            answer["nextPageToken"] = json!(next.to_string());
        }
        Ok(answer)
    }
}

/// Most entries of one page
const MOST: usize = 25_000;

/// `ListSecrets`
pub(crate) fn list(who: &Who, location: Option<&str>, page: &Page, state: &State) -> Result<Value> {
    let parent = parent(location);
    state
        .need(who, "secretmanager.secrets.list", &project(), &parent)
        .map_err(|error| for_resource(error, &parent))?;
    let is_here = |id: &str| id.split_once('/').map(|(location, _)| location) == location;
    let here = state.secrets.iter().filter(|(id, _)| is_here(id));
    page.answer("secrets", here.map(|(id, it)| it.shown(&secret_name(id))).collect())
}

/// `ListSecretVersions`, the newest first
pub(crate) fn list_versions(who: &Who, id: &str, page: &Page, state: &State) -> Result<Value> {
    let name = need(who, "secretmanager.versions.list", id, state)?;
    let secret = existing(&name, id, state)?;
    let numbered = secret.versions.iter().enumerate().rev();
    page.answer("versions", numbered.map(|(at, version)| version.shown(&name, at + 1)).collect())
}

/// Labels and annotations, as far as the mask names them
fn update(asked: &Asked<'_>, id: &str, state: &mut State) -> Result<Value> {
    let name = need(&asked.who, "secretmanager.secrets.update", id, state)?;
    existing(&name, id, state)?;
    let mask = asked.query("updateMask").unwrap_or_default();
    let etag = state.next();
    let secret = state.secrets.get_mut(id).ok_or_else(nothing_here)?;
    for field in mask.split(',').filter(|field| !field.is_empty()) {
        if !["labels", "annotations"].contains(&field) {
            return Err(GoogleError::invalid(format!("Invalid update mask: {field}")));
        }
        secret.written[field] = asked.body[field].clone();
    }
    secret.etag = etag;
    Ok(secret.shown(&name))
}

fn create(asked: &Asked<'_>, location: Option<&str>, state: &mut State) -> Result<Value> {
    let parent = parent(location);
    state
        .need(&asked.who, "secretmanager.secrets.create", &project(), &parent)
        .map_err(|error| for_resource(error, &parent))?;
    let id = asked.query("secretId").unwrap_or_default();
    let right = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.is_empty() || id.len() > 255 || !id.bytes().all(right) {
        return Err(GoogleError::invalid(format!("Secret ID [{id}] must match the pattern [a-zA-Z0-9-_]+.")));
    }
    // Where a regional secret is replicated follows from where it is.
    if asked.body["replication"].is_null() && location.is_none() {
        return Err(GoogleError::invalid("Secret.replication must be provided."));
    }
    let id = local_id(location, &id);
    if state.secrets.contains_key(&id) {
        let message = format!("Secret [{}] already exists.", secret_name(&id));
        return Err(GoogleError::new(Code::AlreadyExists, message));
    }
    state.put_secret(&id, asked.body.clone());
    let name = secret_name(&id);
    Ok(existing(&name, &id, state)?.shown(&name))
}

fn add_version(asked: &Asked<'_>, id: &str, state: &mut State) -> Result<Value> {
    let payload = &asked.body["payload"];
    let data = payload["data"].as_str().unwrap_or_default();
    let data = STANDARD.decode(data).or_else(|_| URL_SAFE.decode(data)).map_err(|_| {
        GoogleError::invalid("Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed")
    })?;
    let checksum = match &payload["dataCrc32c"] {
        Value::String(text) => text.parse::<i64>().ok(),
        number => number.as_i64(),
    };
    add(&asked.who, id, &data, checksum, state)
}

/// `AddSecretVersion`
pub(crate) fn add(
    who: &Who,
    id: &str,
    data: &[u8],
    checksum: Option<i64>,
    state: &mut State,
) -> Result<Value> {
    let name = need(who, "secretmanager.versions.add", id, state)?;
    existing(&name, id, state)?;
    if data.len() > LARGEST {
        return Err(GoogleError::invalid("The payload must not exceed 65536 bytes."));
    }
    if checksum.is_some_and(|given| given != i64::from(crc32c(data))) {
        return Err(GoogleError::invalid("The payload does not match the checksum 'dataCrc32c'."));
    }
    let number = state.put_version(id, data);
    let (_, version) = version_of(&name, id, &number.to_string(), state)?;
    let mut shown = version.shown(&name, number);
    shown["clientSpecifiedPayloadChecksum"] = json!(checksum.is_some());
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

/// From the ID as it is known here: `db`, or `europe-west1/db`
pub(crate) fn secret_name(id: &str) -> String {
    match id.split_once('/') {
        Some((location, id)) => format!("{}/secrets/{id}", parent(Some(location))),
        None => format!("{}/secrets/{id}", parent(None)),
    }
}

pub(crate) fn local_id(location: Option<&str>, id: &str) -> String {
    location.map_or_else(|| id.to_owned(), |location| format!("{location}/{id}"))
}

fn parent(location: Option<&str>) -> String {
    location.map_or_else(project, |location| format!("{}/locations/{location}", project()))
}

/// Secret Manager says "for resource" where others say "on resource"
pub(crate) fn for_resource(mut error: GoogleError, resource: &str) -> GoogleError {
    error.message = error
        .message
        .replace(&format!("denied on resource '{resource}'"), &format!("denied for resource '{resource}'"));
    error
}
