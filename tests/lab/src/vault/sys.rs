//! `sys/…`: state, methods of authentication, mounts, policies.

use hyper::Method;
use serde_json::{Value, json};

use super::api::{Answer, Refusal, capabilities, data, is_list};
use super::state::{Mount, State, Token};
use super::{VaultFlavour, policy};
use crate::clock;
use crate::wire::Request;

/// What anybody may ask, also of a sealed server
pub(crate) fn open(path: &str, state: &State, namespace: &str) -> Option<Answer> {
    let sealed = state.settings.sealed;
    if path == "sys/health" && !namespace.is_empty() {
        return Some(Err(Refusal::bad("operation unavailable in namespaces")));
    }
    let (version, enterprise) = match state.settings.flavour {
        VaultFlavour::OpenBao => ("2.7.2", None),
        VaultFlavour::Vault => ("1.21.4", Some(false)),
        VaultFlavour::VaultEnterprise => ("1.21.4+ent", Some(true)),
    };
    let version = state.settings.version.as_deref().unwrap_or(version);
    let body = match path {
        "sys/health" => {
            let mode = if sealed { "unknown" } else { "disabled" };
            let mut body = json!({
                "initialized": true, "sealed": sealed, "standby": sealed, "version": version,
                "replication_performance_mode": mode, "replication_dr_mode": mode,
                "server_time_utc": state.now(), "cluster_name": "vault-cluster-lab",
            });
            if let Some(enterprise) = enterprise {
                body["enterprise"] = json!(enterprise);
            }
            body
        }
        "sys/seal-status" => json!({
            "type": "shamir", "initialized": true, "sealed": sealed, "t": 1, "n": 1, "progress": 0,
            "nonce": "", "recovery_seal": false, "version": version, "migration": false,
            "commit_date": "2026-10-26T20:32:27Z", "storage_type": "inmem",
        }),
        "sys/leader" if !sealed => json!({"ha_enabled": false, "is_self": false, "leader_address": ""}),
        _ => return None,
    };
    if sealed && path == "sys/health" {
        return Some(Err(Refusal { status: 503, body }));
    }
    Some(Ok(Some(body)))
}

pub(crate) fn handle(
    request: &Request,
    state: &mut State,
    token: &Token,
    rest: &str,
    body: &Value,
) -> Answer {
    match rest.split_once('/').unwrap_or((rest, "")) {
        ("mounts", path) if path.starts_with("auth/") && path.ends_with("/tune") => {
            tune(state, &path["auth/".len()..path.len() - "/tune".len()], body)
        }
        ("auth", path) => mounts(request, state, true, path, body),
        ("mounts", path) => mounts(request, state, false, path, body),
        ("policies", path) if path.starts_with("acl") => {
            policies(request, state, path["acl".len()..].trim_start_matches('/'), body)
        }
        ("policy", name) => policies(request, state, name, body),
        ("capabilities-self", _) => Ok(Some(own_capabilities(state, token, body))),
        ("internal", path) => {
            let path = path.strip_prefix("ui/mounts/").ok_or_else(Refusal::not_found)?;
            let found = state.mounts.iter().find(|(mount, _)| format!("{path}/").starts_with(mount.as_str()));
            let found = found.filter(|(mount, _)| reaches(state, token, mount));
            let (mount, entry) = found.ok_or_else(|| {
                let words = "preflight capability check returned 403, please ensure client's policies grant \
                             access to path";
                Refusal::new(403, &format!("{words} \"{path}/\""))
            })?;
            let mut shown = entry.shown(false);
            shown["path"] = json!(mount);
            Ok(Some(data(&shown)))
        }
        ("seal", _) => {
            state.settings.sealed = true;
            Ok(None)
        }
        _ => Err(Refusal::new(404, &format!("no handler for route \"sys/{rest}\". route entry not found."))),
    }
}

/// `sys/auth` and `sys/mounts`
fn mounts(request: &Request, state: &mut State, auth: bool, path: &str, body: &Value) -> Answer {
    let known = if auth { ["approle", "jwt", "oidc"].as_slice() } else { ["kv", "kv-v2"].as_slice() };
    let entries = if auth { &mut state.auth } else { &mut state.mounts };
    let flat = |value: Value| {
        let mut body = data(&value);
        for (name, entry) in value.as_object().into_iter().flatten() {
            body[name] = entry.clone();
        }
        Ok(Some(body))
    };
    if path.is_empty() {
        return flat(entries.iter().map(|(path, mount)| (path.clone(), mount.shown(auth))).collect());
    }
    let key = format!("{path}/");
    match request.method {
        Method::GET => match entries.get(&key) {
            Some(mount) => flat(mount.shown(auth)),
            None if auth => Err(Refusal::bad(&format!("No auth engine at {key}"))),
            None => Err(Refusal::bad(&format!("No secret engine mount at {key}"))),
        },
        Method::POST | Method::PUT => {
            let kind = body["type"].as_str().filter(|kind| !kind.is_empty());
            let kind = kind.ok_or_else(|| Refusal::bad("backend type must be specified as a string"))?;
            if !known.contains(&kind) {
                return Err(Refusal::bad(&format!("plugin not found in the catalog: {kind}")));
            }
            let used =
                entries.keys().find(|other| key.starts_with(other.as_str()) || other.starts_with(&key));
            if let Some(used) = used {
                return Err(Refusal::bad(&format!("path is already in use at {used}")));
            }
            let options = match kind {
                "kv-v2" => json!({"version": "2"}),
                _ if body["options"].is_object() => body["options"].clone(),
                _ if auth => json!({}),
                _ => Value::Null,
            };
            let kind = kind.trim_end_matches("-v2");
            entries.insert(
                key.clone(),
                Mount::new(kind, body["description"].as_str().unwrap_or_default(), options),
            );
            if auth && kind != "approle" {
                state.jwt.insert(key, super::jwt::Method::default());
            }
            Ok(None)
        }
        Method::DELETE => {
            entries.remove(&key);
            if auth {
                state.jwt.remove(&key);
            } else {
                state.secrets.remove(&key);
            }
            Ok(None)
        }
        _ => Err(Refusal::new(405, "unsupported operation")),
    }
}

/// `sys/mounts/auth/PATH/tune`: of what can be tuned, the description
fn tune(state: &mut State, path: &str, body: &Value) -> Answer {
    let words = format!("tune of path \"auth/{path}/\" failed: no mount entry found");
    let mount = state.auth.get_mut(&format!("{path}/")).ok_or_else(|| Refusal::bad(&words))?;
    if let Some(description) = body["description"].as_str() {
        mount.description = description.to_owned();
    }
    Ok(None)
}

fn policies(request: &Request, state: &mut State, name: &str, body: &Value) -> Answer {
    let name = name.to_lowercase();
    if name.is_empty() || is_list(request) {
        let keys: Vec<&String> = state.policies.keys().collect();
        return Ok(Some(data(&json!({"keys": keys}))));
    }
    match request.method {
        Method::GET => {
            let text = state.policies.get(&name).ok_or_else(Refusal::not_found)?;
            let modified = clock::rfc3339(state.now());
            Ok(Some(data(&json!({
                "name": name, "policy": text, "version": 1, "cas_required": false,
                "modified": modified,
            }))))
        }
        Method::POST | Method::PUT => {
            let text = body["policy"].as_str().or_else(|| body["rules"].as_str()).unwrap_or_default();
            if text.is_empty() {
                return Err(Refusal::bad("'policy' parameter not supplied or empty"));
            }
            if name == "root" {
                return Err(Refusal::bad("cannot update \"root\" policy"));
            }
            policy::check(text).map_err(|words| Refusal::bad(&words))?;
            state.policies.insert(name, text.to_owned());
            Ok(None)
        }
        Method::DELETE if ["default", "root"].contains(&name.as_str()) => {
            let name = if name == "root" { "\"root\"" } else { "default" };
            Err(Refusal::bad(&format!("cannot delete {name} policy")))
        }
        Method::DELETE => {
            state.policies.remove(&name);
            Ok(None)
        }
        _ => Err(Refusal::new(405, "unsupported operation")),
    }
}

/// Whether a token has any right below a mount
fn reaches(state: &State, token: &Token, mount: &str) -> bool {
    let root = token.policies.iter().any(|policy| policy == "root");
    root || state.judges(token, mount).is_some_and(|(texts, mount)| policy::reach(texts.into_iter(), &mount))
}

fn own_capabilities(state: &State, token: &Token, body: &Value) -> Value {
    let paths = super::jwt::texts(&body["paths"]).or_else(|| super::jwt::texts(&body["path"]));
    let paths = paths.unwrap_or_default();
    let mut found = json!({});
    for path in &paths {
        found[path] = json!(capabilities(state, token, path));
    }
    if let [one] = paths.as_slice() {
        found["capabilities"] = found[one].clone();
    }
    let mut answer = data(&found);
    for (name, value) in found.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    answer
}
