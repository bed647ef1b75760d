//! IAM v1: workload identity pools and their providers.

use serde_json::{Value, json};

use super::error::{Code, GoogleError, Result};
use super::rules;
use super::service::{Asked, nothing_here};
use super::state::{State, project};
use crate::clock;

/// Deleted things are gone for good after this
const THIRTY_DAYS: i64 = 30 * 86_400;

/// A pool or a provider, in the words of the API
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pool,
    Provider,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pool => "WorkloadIdentityPool",
            Self::Provider => "WorkloadIdentityPoolProvider",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Pool => "workloadIdentityPools",
            Self::Provider => "workloadIdentityPoolProviders",
        }
    }

    fn id_parameter(self) -> &'static str {
        match self {
            Self::Pool => "workloadIdentityPoolId",
            Self::Provider => "workloadIdentityPoolProviderId",
        }
    }

    /// The members of a body that can be written, and so named in a mask
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Pool => &["displayName", "description", "disabled"],
            Self::Provider => &[
                "displayName",
                "description",
                "disabled",
                "attributeMapping",
                "attributeCondition",
                "oidc",
                "oidc.issuerUri",
                "oidc.allowedAudiences",
                "oidc.jwksJson",
                "oidc.discoveryUri",
            ],
        }
    }
}

/// `iam.googleapis.com/v1/projects/P/locations/global/workloadIdentityPools…`
pub(crate) fn api(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let (method, parts, verb) = asked.parts();
    if parts.get(3) != Some(&"global") {
        return Err(GoogleError::invalid("Request contains an invalid argument."));
    }
    let pools = format!("{}/locations/global/workloadIdentityPools", project());
    match &parts[5..] {
        [] => collection(asked, state, Kind::Pool, &pools),
        [pool] => one(asked, state, Kind::Pool, &format!("{pools}/{pool}")),
        [pool, "providers"] => {
            let pool = format!("{pools}/{pool}");
            collection(asked, state, Kind::Provider, &format!("{pool}/providers"))
        }
        [pool, "providers", provider] => {
            one(asked, state, Kind::Provider, &format!("{pools}/{pool}/providers/{provider}"))
        }
        [rest @ .., "operations", id] if method == "GET" && verb.is_empty() => {
            let kind = if rest.len() == 1 { Kind::Pool } else { Kind::Provider };
            let name = format!("{pools}/{}", rest.join("/"));
            need(asked, state, kind, "get", &name)?;
            state.operation(&format!("{name}/operations/{id}"))
        }
        _ => Err(nothing_here()),
    }
}

fn need(asked: &Asked<'_>, state: &State, kind: Kind, what: &str, name: &str) -> Result<()> {
    let permission = format!("iam.{}.{what}", kind.plural());
    state.need(&asked.who, &permission, name, &format!("//iam.googleapis.com/{name}"))
}

/// Create and list
fn collection(asked: &Asked<'_>, state: &mut State, kind: Kind, name: &str) -> Result<Value> {
    let parent = name.strip_suffix("/providers");
    match (asked.method, asked.verb.as_str()) {
        ("POST", "") => {
            need(asked, state, kind, "create", parent.unwrap_or(name))?;
            let id = asked.query(kind.id_parameter()).unwrap_or_default();
            rules::id(&id)?;
            if let Some(pool) = parent {
                let pool = find(state, pool)?;
                if pool["state"] != "ACTIVE" {
                    return Err(GoogleError::precondition("Precondition check failed."));
                }
            }
            let name = format!("{name}/{id}");
            if state.federation.contains_key(&name) || state.awaited(&name) {
                return Err(GoogleError::new(Code::AlreadyExists, "Requested entity already exists"));
            }
            let mut resource = json!({});
            for field in kind.fields().iter().filter(|field| !field.contains('.')) {
                copy(field, &asked.body, &mut resource);
            }
            (resource["name"], resource["state"]) = (json!(name), json!("ACTIVE"));
            rules::resource(kind, &resource, state)?;
            Ok(state.start(&name, kind.name(), tidy(resource)))
        }
        ("GET", "") => {
            need(asked, state, kind, "list", parent.unwrap_or(name))?;
            if let Some(pool) = parent {
                find(state, pool)?;
            }
            list(asked, state, kind, name)
        }
        _ => Err(nothing_here()),
    }
}

fn list(asked: &Asked<'_>, state: &State, kind: Kind, name: &str) -> Result<Value> {
    let deleted = asked.query("showDeleted").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let prefix = format!("{name}/");
    let here = |key: &str| key.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('/'));
    let all = state.federation.iter().filter(|(key, _)| here(key));
    let all: Vec<&Value> = all.map(|(_, it)| it).filter(|it| deleted || it["state"] != "DELETED").collect();
    let most = if kind == Kind::Pool { 1000 } else { 100 };
    let size = asked.query("pageSize").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
    let size: usize = size.unwrap_or(50).min(most);
    let from = match asked.query("pageToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|from| from.parse().ok())
            .ok_or_else(|| GoogleError::invalid("Request contains an invalid argument."))?,
    };
    let page: Vec<Value> = all.iter().skip(from).take(size).map(|it| (*it).clone()).collect();
    // An empty list is left out, as proto3 JSON does.
    let mut answer = if page.is_empty() { json!({}) } else { json!({kind.plural(): page}) };
    if all.len() > from + size {
        answer["nextPageToken"] = json!(format!("from-{}", from + size));
    }
    Ok(answer)
}

/// Get, patch, delete, undelete
fn one(asked: &Asked<'_>, state: &mut State, kind: Kind, name: &str) -> Result<Value> {
    let what = match (asked.method, asked.verb.as_str()) {
        ("POST", "testIamPermissions") if kind == Kind::Pool => {
            find(state, name)?;
            return Ok(state.tested(&asked.who, &asked.body, name));
        }
        ("GET", "") => "get",
        ("PATCH", "") => "update",
        ("DELETE", "") => "delete",
        ("POST", "undelete") => "undelete",
        _ => return Err(nothing_here()),
    };
    need(asked, state, kind, what, name)?;
    let mut resource = match what {
        "get" => return find(state, name),
        // Writes build upon each other, also while an earlier one is not over.
        _ => state.latest(name).ok_or_else(absent)?,
    };
    let deleted = resource["state"] == "DELETED";
    if deleted != (what == "undelete") {
        return Err(GoogleError::precondition("Precondition check failed."));
    }
    match what {
        "update" => {
            patch(asked, kind, &mut resource)?;
            rules::resource(kind, &resource, state)?;
        }
        "delete" => {
            resource["state"] = json!("DELETED");
            resource["expireTime"] = json!(clock::rfc3339(state.now() + THIRTY_DAYS));
        }
        _ => {
            resource["state"] = json!("ACTIVE");
            if let Some(resource) = resource.as_object_mut() {
                resource.remove("expireTime");
            }
        }
    }
    Ok(state.start(name, kind.name(), tidy(resource)))
}

fn find(state: &State, name: &str) -> Result<Value> {
    state.federation.get(name).cloned().ok_or_else(absent)
}

fn absent() -> GoogleError {
    GoogleError::not_found("Requested entity was not found.")
}

/// Writes what the mask names, and nothing else (AIP-134)
fn patch(asked: &Asked<'_>, kind: Kind, resource: &mut Value) -> Result<()> {
    let mask = asked.query("updateMask").unwrap_or_default();
    if mask.is_empty() {
        return Err(GoogleError::invalid("Request contains an invalid argument: update_mask is required."));
    }
    for path in mask.split(',') {
        let path = camel(path);
        if !kind.fields().contains(&path.as_str()) {
            return Err(GoogleError::invalid(format!(
                "Invalid field mask '{path}': no such field, or it cannot be updated."
            )));
        }
        copy(&path, &asked.body, resource);
    }
    Ok(())
}

fn copy(path: &str, from: &Value, to: &mut Value) {
    let (from, to, last) = match path.split_once('.') {
        None => (from, to, path),
        Some((outer, inner)) => (&from[outer], &mut to[outer], inner),
    };
    to[last] = from.get(last).cloned().unwrap_or_default();
}

/// `display_name` and `displayName` are the same in a mask
fn camel(path: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in path.trim().chars() {
        match c {
            '_' => upper = true,
            _ if upper => {
                out.extend(c.to_uppercase());
                upper = false;
            }
            _ => out.push(c),
        }
    }
    out
}

/// Without what proto3 JSON does not write: `false`, empty texts, lists and maps
fn tidy(mut resource: Value) -> Value {
    if let Some(members) = resource.as_object_mut() {
        for (name, value) in members.iter_mut() {
            if name == "oidc" {
                *value = tidy(value.take());
            }
        }
        members.retain(|_, value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => true,
        });
    }
    resource
}
