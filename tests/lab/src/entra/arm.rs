//! Azure Resource Manager: the subscription, the resource group and the vault. IDs are compared without regard to case.

use serde_json::{Value, json};

use super::error::{Refusal, Result, refused};
use super::service::{caller, version};
use super::state::State;
use super::{GROUP, SUBSCRIPTION, VAULT, assignments, identities};
use crate::wire::{Request, percent_decode};

pub(crate) fn group_id() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}")
}

pub(crate) fn vault_id() -> String {
    format!("{}/providers/Microsoft.KeyVault/vaults/{VAULT}", group_id())
}

pub(crate) fn call(request: &Request, state: &mut State) -> Result<(u16, Value)> {
    let who = caller(request, "https://management.azure.com", state)?;
    version(request)?;
    let path = percent_decode(&request.path);
    let lower = path.to_lowercase();
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    if lower != subscription && !lower.starts_with(&format!("{subscription}/")) {
        return refused(404, "SubscriptionNotFound", "The subscription could not be found.");
    }
    if let Some(scope) = lower.find("/providers/microsoft.authorization/roleassignments") {
        return assignments::call(request, &who, &path, scope, state);
    }
    let method = request.method.as_str();
    let group = group_id().to_lowercase();
    if let Some(rest) =
        lower.strip_prefix(&format!("{group}/providers/microsoft.managedidentity/userassignedidentities/"))
    {
        let rest = path[path.len() - rest.len()..].to_owned();
        return identities::call(request, &who, &rest, state);
    }
    if lower == format!("{group}/providers/microsoft.managedidentity/userassignedidentities")
        && method == "GET"
    {
        return identities::all(request, &who, state);
    }
    if method != "GET" {
        return refused(405, "MethodNotAllowed", "The stand-in creates no such resource.");
    }
    if lower == subscription {
        state.may(&who, "Microsoft.Resources/subscriptions/read", &lower)?;
        let tenant = &state.settings.subscription_tenant;
        return Ok((
            200,
            json!({"id": subscription, "subscriptionId": SUBSCRIPTION, "tenantId": tenant, "state": "Enabled"}),
        ));
    }
    if lower == vault_id().to_lowercase() {
        state.may(&who, "Microsoft.KeyVault/vaults/read", &lower)?;
        return Ok((200, vault(state)));
    }
    if lower == group {
        state.may(&who, "Microsoft.Resources/subscriptions/resourceGroups/read", &lower)?;
        return Ok((200, json!({"id": group_id(), "name": GROUP, "location": "westeurope"})));
    }
    match lower.starts_with(&format!("{group}/")) {
        true => Err(Refusal::absent(&path)),
        false => refused(404, "ResourceGroupNotFound", "Resource group could not be found."),
    }
}

fn vault(state: &State) -> Value {
    json!({
        "id": vault_id(), "name": VAULT, "type": "Microsoft.KeyVault/vaults", "location": "westeurope",
        "properties": {
            "tenantId": state.settings.vault_tenant, "vaultUri": format!("https://{VAULT}.vault.azure.net/"),
            "enableRbacAuthorization": state.settings.vault_by_roles, "accessPolicies": [],
        },
    })
}
