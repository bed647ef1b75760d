//! Key Vault: secrets by name and version, and their list.

use serde_json::{Value, json};

use super::VAULT;
use super::arm::vault_id;
use super::error::{Refusal, Result, refused};
use super::service::{base, caller, page, version};
use super::state::{EntraCall, READER, SECRETS_USER, State, Version, Who};
use crate::wire::{Request, percent_decode};

const GET: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
const LIST: &str = "Microsoft.KeyVault/vaults/secrets/readMetadata/action";

pub(crate) fn call(request: &Request, state: &mut State) -> Result<(u16, Value)> {
    let who = caller(request, "https://vault.azure.net", state).map_err(|_| {
        Refusal::new(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
    })?;
    version(request)?;
    if request.method != "GET" {
        return refused(405, "MethodNotAllowed", "The stand-in writes no secrets.");
    }
    let path = percent_decode(&request.path);
    let parts: Vec<_> = path.split('/').skip(2).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => {
            may(state, &who, LIST, &vault_id())?;
            let all: Vec<_> = state.secrets.iter().filter_map(|(name, all)| entry(name, all)).collect();
            Ok((200, page(request, &all, &base(request), "nextLink", state.settings.page)))
        }
        [name, rest @ ..] => {
            let name = name.to_lowercase();
            may(state, &who, GET, &format!("{}/secrets/{name}", vault_id()))?;
            let all = state.secrets.get(&name).map(Vec::as_slice).unwrap_or_default();
            let version = match rest {
                [] => all.last(),
                [id] => all.iter().find(|it| it.id == *id),
                _ => None,
            };
            let Some(version) = version else {
                let message = format!("A secret with (name/id) {name} was not found in this key vault.");
                return Err(Refusal::new(404, "SecretNotFound", &message));
            };
            if !version.enabled {
                return Err(Refusal::new(
                    403,
                    "Forbidden",
                    "Operation get is not allowed on a disabled secret.",
                )
                .with("SecretDisabled"));
            }
            Ok((
                200,
                json!({
                    "value": version.value, "id": id(&name, Some(version)), "tags": version.tags,
                    "attributes": {"enabled": true},
                }),
            ))
        }
    }
}

/// By roles at, or above, what is asked for
fn may(state: &mut State, who: &Who, action: &str, on: &str) -> Result<()> {
    let application = who.client_id.as_ref().and_then(|id| state.applications.get(id));
    let is_administrator = application.is_some_and(|it| it.is_administrator);
    let lower = on.to_lowercase();
    let near: Vec<String> = state
        .assignments
        .iter()
        .filter(|(_, it)| it["properties"]["principalId"] == who.principal)
        .filter(|(_, it)| {
            let of = it["properties"]["scope"].as_str().unwrap_or_default().to_lowercase();
            lower == of || lower.starts_with(&format!("{of}/"))
        })
        .filter(|(_, it)| {
            let role = it["properties"]["roleDefinitionId"].as_str().unwrap_or_default();
            role.ends_with(SECRETS_USER) || role.ends_with(READER) && action == LIST
        })
        .map(|(id, _)| id.clone())
        .collect();
    let seen = near.iter().any(|id| match state.unseen.get_mut(id) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    });
    let has = state.settings.vault_by_roles && (is_administrator || seen) && !state.denied.contains(action);
    let refused = (!has).then(|| "Forbidden".to_owned());
    if has {
        state.needed.insert(action.to_owned());
    }
    state.heard.push(EntraCall { action: action.to_owned(), on: on.to_owned(), refused });
    match has {
        true => Ok(()),
        false => {
            Err(Refusal::new(403, "Forbidden", "Caller is not authorized to perform action on resource.")
                .with(if state.settings.vault_by_roles { "ForbiddenByRbac" } else { "AccessDenied" }))
        }
    }
}

fn id(name: &str, version: Option<&Version>) -> String {
    let version = version.map(|version| format!("/{}", version.id)).unwrap_or_default();
    format!("https://{VAULT}.vault.azure.net/secrets/{name}{version}")
}

fn entry(name: &str, all: &[Version]) -> Option<Value> {
    let newest = all.last()?;
    Some(json!({"id": id(name, None), "attributes": {"enabled": newest.enabled}, "tags": newest.tags}))
}
