//! Microsoft Graph: applications and their service principals, by client ID.

use serde_json::{Value, json};

use super::error::{Refusal, Result, body, refused};
use super::service::caller;
use super::state::{Application, State};
use crate::wire::{Request, percent_decode};

pub(crate) fn call(request: &Request, state: &mut State) -> Result<(u16, Value)> {
    let who = caller(request, "https://graph.microsoft.com", state)?;
    let path = percent_decode(&request.path);
    let rest = path.strip_prefix("/v1.0/").unwrap_or_default();
    let Some((kind, rest)) = rest.split_once("(appId='") else { return not_found() };
    let Some((id, rest)) = rest.split_once("')") else { return not_found() };
    let reads = request.method == "GET";
    let permission = if reads { "Application.Read.All" } else { "Application.ReadWrite.All" };
    // Reading and writing are two permissions here, so that each can be missing alone.
    state.may(&who, permission, id)?;
    let Some(application) = state.applications.get_mut(id) else { return not_found() };
    match (request.method.as_str(), kind, rest) {
        ("GET", "applications", "") => Ok((
            200,
            json!({
                "appId": id, "signInAudience": application.audience,
                "passwordCredentials": secrets(application), "keyCredentials": application.certificates,
            }),
        )),
        ("GET", "applications", "/federatedIdentityCredentials") => {
            Ok((200, json!({ "value": application.federated })))
        }
        ("GET", "servicePrincipals", "") => Ok((
            200,
            json!({
                "appId": id, "accountEnabled": application.enabled, "appOwnerOrganizationId": application.owner,
                "passwordCredentials": [], "keyCredentials": [],
            }),
        )),
        ("PATCH", "servicePrincipals", "") => match body(&request.body)?["accountEnabled"] {
            Value::Bool(enabled) => {
                application.enabled = enabled;
                Ok((204, Value::Null))
            }
            _ => refused(400, "Request_BadRequest", "accountEnabled"),
        },
        ("POST", "applications", "/removePassword") => {
            let key = body(&request.body)?["keyId"].clone();
            let before = application.secrets.len();
            application.secrets.retain(|(id, _)| key != *id);
            match application.secrets.len() < before {
                true => Ok((204, Value::Null)),
                false => refused(400, "Request_BadRequest", "No password credential found with keyId."),
            }
        }
        _ => not_found(),
    }
}

fn secrets(application: &Application) -> Vec<Value> {
    let one = |(id, secret): &(String, String)| json!({"keyId": id, "hint": &secret[..3], "displayName": "eso", "endDateTime": "2030-01-01T00:00:00Z", "secretText": null});
    application.secrets.iter().map(one).collect()
}

fn not_found<T>() -> Result<T> {
    Err(Refusal::new(
        404,
        "Request_ResourceNotFound",
        "Resource does not exist or one of its queried reference-property objects are not present.",
    ))
}
