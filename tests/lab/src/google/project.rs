//! Resource Manager (v1 and v3) and Service Usage.

use serde_json::{Value, json};

use super::error::{GoogleError, Result};
use super::service::{Asked, nothing_here};
use super::state::{State, is_project, project};
use super::{PROJECT_ID, PROJECT_NUMBER};

/// `cloudresourcemanager.googleapis.com`
pub(crate) fn resource_manager(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let given = asked.segments[1].as_str();
    let shown = format!("//cloudresourcemanager.googleapis.com/projects/{given}");
    let permission = match (asked.method, asked.verb.as_str()) {
        ("GET", "") => "resourcemanager.projects.get",
        ("POST", "getIamPolicy") => "resourcemanager.projects.getIamPolicy",
        ("POST", "setIamPolicy") => "resourcemanager.projects.setIamPolicy",
        ("POST", "getEffectiveOrgPolicy") if asked.version == "v1" => "orgpolicy.policy.get",
        ("POST", "testIamPermissions") => "",
        _ => return Err(nothing_here()),
    };
    // Whether a project exists is not revealed to callers outside it.
    if !is_project(given) {
        return Err(GoogleError::denied(
            if permission.is_empty() { "resourcemanager.projects.get" } else { permission },
            &shown,
        ));
    }
    if !permission.is_empty() {
        state.need(&asked.who, permission, &project(), &shown)?;
    }
    match asked.verb.as_str() {
        "getIamPolicy" => Ok(state.get_policy(&project(), asked.requested_version())),
        "getEffectiveOrgPolicy" => {
            let constraint = asked.body["constraint"].as_str().unwrap_or_default();
            let enforced = match constraint {
                "constraints/iam.disableServiceAccountKeyCreation" => state.settings.key_creation_forbidden,
                _ => return Err(GoogleError::not_found("Requested entity was not found.")),
            };
            let policy = if enforced { json!({"enforced": true}) } else { json!({}) };
            Ok(json!({"constraint": constraint, "booleanPolicy": policy}))
        }
        "setIamPolicy" => state.set_policy(&project(), &asked.body),
        "testIamPermissions" => Ok(state.tested(&asked.who, &asked.body, &project())),
        _ if asked.version == "v3" => Ok(json!({
            "name": project(), "projectId": PROJECT_ID, "state": "ACTIVE", "displayName": "acme",
            "createTime": "2024-02-29T12:30:45Z", "etag": "W/\"0123456789abcdef\"",
        })),
        _ => Ok(json!({
            "projectNumber": PROJECT_NUMBER, "projectId": PROJECT_ID, "lifecycleState": "ACTIVE", "name": "acme",
            "createTime": "2024-02-29T12:30:45Z",
        })),
    }
}

/// `serviceusage.googleapis.com`
pub(crate) fn service_usage(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let shown = format!("//serviceusage.googleapis.com/projects/{PROJECT_NUMBER}");
    let need = |state: &State, permission: &str| state.need(&asked.who, permission, &project(), &shown);
    let parts = asked.parts();
    match (parts.0, parts.1.as_slice(), parts.2) {
        ("GET", ["operations", id], "") => state.operation(&format!("operations/{id}")),
        ("GET", ["projects", _, "services"], "") => {
            need(state, "serviceusage.services.list")?;
            let filter = asked.query("filter").unwrap_or_default();
            let names = SERVICES.iter().map(|name| format!("{name}.googleapis.com"));
            let services = names.map(|name| service(&name, state)).filter(|service| {
                let state = service["state"].as_str().unwrap_or_default();
                filter.strip_prefix("state:").is_none_or(|wanted| wanted == state)
            });
            Ok(json!({"services": services.collect::<Vec<_>>()}))
        }
        ("GET", ["projects", _, "services"], "batchGet") => {
            need(state, "serviceusage.services.get")?;
            let pairs = asked.request.query_pairs().into_iter().filter(|(key, _)| key == "names");
            let names = pairs.map(|(_, name)| name.rsplit('/').next().unwrap_or_default().to_owned());
            Ok(json!({"services": names.map(|name| service(&name, state)).collect::<Vec<_>>()}))
        }
        ("GET", ["projects", _, "services", name], "") => {
            need(state, "serviceusage.services.get")?;
            Ok(service(name, state))
        }
        ("POST", ["projects", _, "services", name], "enable") => {
            need(state, "serviceusage.services.enable")?;
            enable(&[(*name).to_owned()], state)
        }
        ("POST", ["projects", _, "services"], "batchEnable") => {
            need(state, "serviceusage.services.enable")?;
            let ids = asked.body["serviceIds"].as_array().cloned().unwrap_or_default();
            let ids: Vec<String> = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            if ids.is_empty() || ids.len() > 20 {
                return Err(GoogleError::invalid("Between 1 and 20 services can be enabled in one batch."));
            }
            enable(&ids, state)
        }
        _ => Err(nothing_here()),
    }
}

/// Those that a project of the stand-in can enable
const SERVICES: [&str; 7] =
    ["cloudresourcemanager", "iam", "iamcredentials", "secretmanager", "serviceusage", "storage", "sts"];

fn enable(names: &[String], state: &mut State) -> Result<Value> {
    let known =
        |name: &&String| name.strip_suffix(".googleapis.com").is_some_and(|name| SERVICES.contains(&name));
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(GoogleError::denied("servicemanagement.services.bind", unknown));
    }
    let fails = !state.operations.failures.is_empty();
    if !fails && !state.settings.operations_never_end {
        state.enabled.extend(names.iter().cloned());
    }
    let enabled: Vec<Value> = names.iter().map(|name| service(name, state)).collect();
    Ok(state.start_plain(json!({
        "@type": "type.googleapis.com/google.api.serviceusage.v1.BatchEnableServicesResponse",
        "services": enabled,
    })))
}

fn service(name: &str, state: &State) -> Value {
    let enabled = if state.enabled.contains(name) { "ENABLED" } else { "DISABLED" };
    json!({
        "name": format!("{}/services/{name}", project()), "parent": project(),
        "config": {"name": name}, "state": enabled,
    })
}
