//! Role assignments: `SCOPE/providers/Microsoft.Authorization/roleAssignments[/NAME]`.

use serde_json::{Value, json};

use super::error::{Refusal, Result, body, refused};
use super::service::{base, page};
use super::state::{READER, SECRETS_USER, State, Who};
use crate::wire::Request;

/// `at`: where the scope ends in the path
pub(crate) fn call(
    request: &Request,
    who: &Who,
    path: &str,
    at: usize,
    state: &mut State,
) -> Result<(u16, Value)> {
    let scope = &path[..at];
    let name = path[at..].split('/').nth(4);
    let may = |state: &mut State, verb: &str| {
        state.may(who, &format!("Microsoft.Authorization/roleAssignments/{verb}"), scope)
    };
    match (request.method.as_str(), name) {
        ("GET", None) => {
            may(state, "read")?;
            let filter = request.query("$filter").unwrap_or_default();
            let principal = filter.strip_prefix("principalId eq '").and_then(|rest| rest.strip_suffix('\''));
            let Some(principal) = principal else {
                return refused(400, "UnsupportedQuery", "The filter is not supported by the stand-in");
            };
            let lower = scope.to_lowercase();
            // At, above and below the scope.
            let is_near = |it: &&Value| {
                let of = it["properties"]["scope"].as_str().unwrap_or_default().to_lowercase();
                of.starts_with(&lower) || lower.starts_with(&of)
            };
            let own = |it: &&Value| it["properties"]["principalId"] == principal;
            let all: Vec<_> = state.assignments.values().filter(own).filter(is_near).cloned().collect();
            Ok((200, page(request, &all, &base(request), "nextLink", state.settings.page)))
        }
        ("PUT", Some(name)) => {
            may(state, "write")?;
            put(scope, name, &body(&request.body)?, path, state)
        }
        ("DELETE", Some(_)) => {
            may(state, "delete")?;
            match state.assignments.remove(&path.to_lowercase()) {
                Some(removed) => Ok((200, removed)),
                None => Ok((204, Value::Null)),
            }
        }
        _ => refused(405, "MethodNotAllowed", "method"),
    }
}

fn put(scope: &str, name: &str, sent: &Value, path: &str, state: &mut State) -> Result<(u16, Value)> {
    let is_guid = name.len() == 36 && name.split('-').count() == 5;
    let text = |member: &str| sent["properties"][member].as_str().unwrap_or_default().to_owned();
    let (definition, principal) = (text("roleDefinitionId"), text("principalId"));
    let role = definition.rsplit('/').next().unwrap_or_default();
    if !is_guid {
        return refused(400, "InvalidRoleAssignmentId", "The role assignment ID is not a GUID");
    }
    if ![SECRETS_USER, READER].contains(&role) {
        return refused(400, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.");
    }
    let known = state.identities.values().any(|it| it.principal == principal);
    if !known || text("principalType") != "ServicePrincipal" {
        return Err(Refusal::new(400, "PrincipalNotFound", "Principal does not exist in the directory."));
    }
    let same = |it: &Value| {
        let of = |member: &str| it["properties"][member].as_str().unwrap_or_default().to_lowercase();
        of("scope") == scope.to_lowercase()
            && of("principalId") == principal
            && of("roleDefinitionId").ends_with(role)
    };
    let id = path.to_lowercase();
    if state.assignments.iter().any(|(known, it)| *known != id && same(it)) {
        return refused(409, "RoleAssignmentExists", "The role assignment already exists.");
    }
    if state.assignments.get(&id).is_some_and(|it| !same(it)) {
        return refused(
            409,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        );
    }
    let mut properties = sent["properties"].clone();
    properties["scope"] = json!(scope);
    let entry = json!({"id": path, "name": name, "properties": properties});
    let is_new = state.assignments.insert(id.clone(), entry.clone()).is_none();
    state.unseen.insert(id, state.settings.unseen_reads);
    Ok((if is_new { 201 } else { 200 }, entry))
}
