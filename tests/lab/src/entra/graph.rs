//! Microsoft Graph: applications and their service principals, by client ID.

use serde_json::{Value, json};

use super::error::{Refusal, Result, body, refused};
use super::service::{base, caller, page};
use super::state::{Application, Identity, State, Who};
use crate::wire::{Request, percent_decode};

pub(crate) fn call(request: &Request, state: &mut State) -> Result<(u16, Value)> {
    let who = caller(request, "https://graph.microsoft.com", state)?;
    let path = percent_decode(&request.path);
    let rest = path.strip_prefix("/v1.0/").unwrap_or_default();
    if request.method == "GET" && rest == "servicePrincipals" {
        return principals(request, &who, state);
    }
    let Some((kind, rest)) = rest.split_once("(appId='") else { return not_found() };
    let Some((id, rest)) = rest.split_once("')") else { return not_found() };
    let reads = request.method == "GET";
    let permission = if reads { "Application.Read.All" } else { "Application.ReadWrite.All" };
    // Reading and writing are two permissions here, so that each can be missing alone.
    state.may(&who, permission, id)?;
    if let Some(identity) = state.identities.values().find(|it| it.client_id == id) {
        return match (request.method.as_str(), kind, rest) {
            ("GET", "servicePrincipals", "") => Ok((200, of_identity(identity))),
            _ => not_found(),
        };
    }
    let longest = state.settings.page;
    let Some(application) = state.applications.get_mut(id) else { return not_found() };
    match (request.method.as_str(), kind, rest) {
        ("GET", "applications", "") => Ok((
            200,
            json!({
                "appId": id, "signInAudience": application.audience,
                "passwordCredentials": secrets(application, &application.secrets),
                "keyCredentials": application.certificates,
            }),
        )),
        ("GET", "applications", "/federatedIdentityCredentials") => {
            let page = page(request, &application.federated, &base(request), "@odata.nextLink", longest);
            Ok((200, page))
        }
        ("GET", "servicePrincipals", "") => Ok((
            200,
            json!({
                "appId": id, "accountEnabled": application.enabled, "appOwnerOrganizationId": application.owner,
                "servicePrincipalType": "Application", "alternativeNames": [],
                "passwordCredentials": secrets(application, &application.principal_secrets), "keyCredentials": [],
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

fn secrets(application: &Application, all: &[(String, String)]) -> Vec<Value> {
    let end =
        |id: &String| application.ends.get(id).map_or("2030-01-01T00:00:00Z", String::as_str).to_owned();
    let one = |(id, secret): &(String, String)| json!({"keyId": id, "hint": &secret[..3], "displayName": "eso", "startDateTime": "2026-01-02T03:04:05Z", "endDateTime": end(id), "secretText": null});
    all.iter().map(one).collect()
}

/// The service principal of a managed identity: its certificate is Azure's own
fn of_identity(identity: &Identity) -> Value {
    json!({
        "appId": identity.client_id, "accountEnabled": true, "appOwnerOrganizationId": null,
        "servicePrincipalType": "ManagedIdentity", "alternativeNames": ["isExplicit=True", identity.id()],
        "passwordCredentials": [],
        "keyCredentials": [{"keyId": identity.principal, "type": "AsymmetricX509Cert", "usage": "Verify",
            "endDateTime": "2030-01-01T00:00:00Z"}],
    })
}

/// All service principals of the tenant, with their client IDs alone
fn principals(request: &Request, who: &Who, state: &mut State) -> Result<(u16, Value)> {
    state.may(who, "Application.Read.All", "servicePrincipals")?;
    let applications = state.applications.keys().cloned();
    let identities = state.identities.values().map(|it| it.client_id.clone());
    let all: Vec<_> = applications.chain(identities).map(|id| json!({ "appId": id })).collect();
    Ok((200, page(request, &all, &base(request), "@odata.nextLink", state.settings.page)))
}

fn not_found<T>() -> Result<T> {
    Err(Refusal::new(
        404,
        "Request_ResourceNotFound",
        "Resource does not exist or one of its queried reference-property objects are not present.",
    ))
}
