//! Managed identities and their federated credentials.

use serde_json::{Value, json};

use super::error::{Refusal, Result, body, refused};
use super::service::{base, page};
use super::state::{State, Who};
use crate::wire::Request;

const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const MOST: usize = 20;

/// `rest`: the path after `userAssignedIdentities/`
pub(crate) fn call(request: &Request, who: &Who, rest: &str, state: &mut State) -> Result<(u16, Value)> {
    let parts: Vec<_> = rest.split('/').collect();
    match parts.as_slice() {
        [name] => identity(request, who, name, state),
        [name, kind] if kind.eq_ignore_ascii_case("federatedIdentityCredentials") => {
            list(request, who, name, state)
        }
        [name, kind, credential] if kind.eq_ignore_ascii_case("federatedIdentityCredentials") => {
            credential_call(request, who, name, credential, state)
        }
        _ => Err(Refusal::absent(rest)),
    }
}

/// Those of the resource group
pub(crate) fn all(request: &Request, who: &Who, state: &mut State) -> Result<(u16, Value)> {
    state.may(who, &format!("{IDENTITIES}/read"), "")?;
    let all: Vec<_> = state.identities.values().map(|it| it.shown()).collect();
    Ok((200, page(request, &all, &base(request), "nextLink", state.settings.page)))
}

fn identity(request: &Request, who: &Who, name: &str, state: &mut State) -> Result<(u16, Value)> {
    let key = name.to_lowercase();
    let may = |state: &mut State, verb: &str| state.may(who, &format!("{IDENTITIES}/{verb}"), name);
    match request.method.as_str() {
        "GET" => {
            may(state, "read")?;
            let identity = state.identities.get(&key).ok_or_else(|| Refusal::absent(name))?;
            Ok((200, identity.shown()))
        }
        "PUT" => {
            may(state, "write")?;
            let sent = body(&request.body)?;
            let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let fits = (3..=128).contains(&name.len()) && name.chars().all(letters);
            if !fits || sent["location"].as_str().is_none_or(str::is_empty) {
                return refused(400, "InvalidRequestContent", "name or location");
            }
            let tags = sent.get("tags").cloned().unwrap_or_else(|| json!({}));
            let has_long = |tags: &serde_json::Map<String, Value>| {
                tags.values().any(|it| it.as_str().is_none_or(|text| text.len() > 256))
            };
            if tags.as_object().is_none_or(has_long) {
                return refused(400, "InvalidTagValueLength", "tags");
            }
            let is_new = !state.identities.contains_key(&key);
            match state.identities.get_mut(&key) {
                Some(identity) => identity.tags = tags,
                None => state.add_identity(name, tags),
            }
            Ok((if is_new { 201 } else { 200 }, state.identities[&key].shown()))
        }
        "DELETE" => {
            may(state, "delete")?;
            // Assignments stay, for a principal that is no more.
            Ok((if state.identities.remove(&key).is_some() { 200 } else { 204 }, Value::Null))
        }
        _ => refused(405, "MethodNotAllowed", "method"),
    }
}

fn list(request: &Request, who: &Who, name: &str, state: &mut State) -> Result<(u16, Value)> {
    state.may(who, &format!("{IDENTITIES}/federatedIdentityCredentials/read"), name)?;
    let identity = state.identities.get(&name.to_lowercase()).ok_or_else(|| Refusal::absent(name))?;
    Ok((200, page(request, &identity.federated, &base(request), "nextLink", state.settings.page)))
}

fn credential_call(
    request: &Request,
    who: &Who,
    name: &str,
    credential: &str,
    state: &mut State,
) -> Result<(u16, Value)> {
    let verb = if request.method == "DELETE" { "delete" } else { "write" };
    state.may(who, &format!("{IDENTITIES}/federatedIdentityCredentials/{verb}"), name)?;
    let unseen = state.settings.unseen_exchanges;
    let identity = state.identities.get_mut(&name.to_lowercase()).ok_or_else(|| Refusal::absent(name))?;
    let all = &mut identity.federated;
    if request.method == "DELETE" {
        let before = all.len();
        all.retain(|it| it["name"] != credential);
        return Ok((if all.len() < before { 200 } else { 204 }, Value::Null));
    }
    if request.method != "PUT" {
        return refused(405, "MethodNotAllowed", "method");
    }
    let sent = body(&request.body)?;
    let properties = &sent["properties"];
    let text = |member: &str| {
        let text = properties[member].as_str().filter(|text| (1..=600).contains(&text.len()));
        text.ok_or_else(|| Refusal::new(400, "BadRequest", &format!("{member} is missing or too long")))
    };
    let (issuer, subject) = (text("issuer")?, text("subject")?);
    if properties["audiences"].as_array().is_none_or(|audiences| audiences.len() != 1) {
        return refused(400, "BadRequest", "exactly one audience is allowed");
    }
    if !(3..=120).contains(&credential.len()) {
        return refused(400, "BadRequest", "the name has 3 to 120 characters");
    }
    let is_same =
        |it: &&Value| it["properties"]["issuer"] == issuer && it["properties"]["subject"] == subject;
    if all.iter().filter(is_same).any(|it| it["name"] != credential) {
        return refused(409, "Conflict", "issuer and subject combination already exists on this identity");
    }
    let entry = json!({"name": credential, "properties": properties});
    let is_full = all.len() >= MOST;
    let is_new = match all.iter_mut().find(|it| it["name"] == credential) {
        Some(known) => {
            *known = entry.clone();
            false
        }
        None if is_full => {
            return refused(400, "FederatedIdentityCredentialLimitExceeded", "at most 20 credentials");
        }
        None => {
            all.push(entry.clone());
            true
        }
    };
    identity.unseen = unseen;
    Ok((if is_new { 201 } else { 200 }, entry))
}
