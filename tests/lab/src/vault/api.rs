//! Requests: the token, its rights, and to whom a path belongs.

use std::sync::{Arc, Mutex};

use hyper::Method;
use serde_json::{Value, json};

use super::state::{State, Token};
use super::world::World;
use super::{jwt, kv, login, methods, policy, sys};
use crate::keys::uuid;
use crate::wire::{Handler, Reply, Request, percent_decode};

pub(crate) struct Api {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) world: World,
}

/// 200 with a body, or 204
pub(crate) type Answer = Result<Option<Value>, Refusal>;

pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Refusal {
    pub(crate) fn new(status: u16, words: &str) -> Self {
        Self { status, body: json!({"errors": [words]}) }
    }

    pub(crate) fn bad(words: &str) -> Self {
        Self::new(400, words)
    }

    pub(crate) fn not_found() -> Self {
        Self { status: 404, body: json!({"errors": []}) }
    }

    /// No token, or an unknown one
    fn unknown() -> Self {
        Self::new(403, "permission denied")
    }

    /// A token without the right
    fn denied() -> Self {
        Self::new(403, "1 error occurred:\n\t* permission denied\n\n")
    }
}

/// The frame around what is answered
pub(crate) fn data(data: &Value) -> Value {
    json!({
        "request_id": uuid(), "lease_id": "", "renewable": false, "lease_duration": 0, "data": data,
        "wrap_info": null, "warnings": null, "auth": null,
    })
}

/// An answer that is a warning only
pub(crate) fn warned(words: &str) -> Value {
    let mut body = data(&Value::Null);
    body["warnings"] = json!([words]);
    body
}

/// An answer that issues a token
pub(crate) fn issued(auth: Value) -> Value {
    let mut body = data(&Value::Null);
    body["auth"] = auth;
    body
}

pub(crate) fn is_list(request: &Request) -> bool {
    request.method.as_str() == "LIST"
        || request.method == Method::GET && request.query("list").is_some_and(|list| list == "true")
}

impl Handler for Api {
    fn handle(&self, request: &Request) -> Reply {
        let reply = match self.route(request) {
            Ok(Some(body)) => Reply::json(200, &body),
            Ok(None) => Reply::empty(204),
            Err(refusal) => Reply::json(refusal.status, &refusal.body),
        };
        reply.with("cache-control", "no-store")
    }

    fn who(&self, request: &Request) -> Option<String> {
        let id = request.header("x-vault-token").or_else(|| request.bearer())?;
        let state = self.state.lock().expect("state");
        let known = state.tokens.get(id).map(|token| token.policies.join(" "));
        Some(known.unwrap_or_else(|| "an unknown token".into()))
    }
}

impl Api {
    fn route(&self, request: &Request) -> Answer {
        let path = percent_decode(&request.path);
        let path = path.strip_prefix("/v1/").ok_or_else(Refusal::not_found)?.trim_end_matches('/');
        let mut state = self.state.lock().expect("state");
        let named = request.header("x-vault-namespace").unwrap_or_default();
        let namespace = if state.settings.knows_namespaces() { named } else { "" };
        if let Some(answer) = sys::open(path, &state, namespace) {
            return answer;
        }
        if state.settings.sealed {
            return Err(Refusal::new(503, "Vault is sealed"));
        }
        if !state.enter(namespace) {
            return Err(Refusal::new(404, "namespace not found"));
        }
        let body: Value = match request.body.is_empty() {
            true => json!({}),
            false => serde_json::from_slice(&request.body)
                .map_err(|error| Refusal::bad(&format!("failed to parse JSON input: {error}")))?,
        };
        if let Some((mount, "login")) = jwt::mount_of(&state, path) {
            let attempt = login::Attempt::new(&state, &mount, &body)?;
            // A key set may have to be fetched from another far side of this process.
            drop(state);
            return login::login(&self.state, &self.world, attempt);
        }
        let (id, token) = bearer(request, &state).ok_or_else(Refusal::unknown)?;
        if !allowed(request, &state, &token, path) {
            return Err(Refusal::denied());
        }
        if let Some((mount, rest)) = jwt::mount_of(&state, path) {
            let rest = rest.to_owned();
            if rest == "config" && request.method != Method::GET {
                let (world, settings) = (&self.world, state.settings.clone());
                drop(state);
                let config = jwt::Config::parse(&body, world, &settings)?;
                let mut state = self.state.lock().expect("state");
                state.enter(namespace);
                state.jwt.entry(mount).or_default().config = Some(config);
                return Ok(None);
            }
            return jwt::handle(request, &mut state, &mount, &rest, &body);
        }
        if let Some(rest) = path.strip_prefix("sys/") {
            return sys::handle(request, &mut state, &token, rest, &body);
        }
        if let Some(rest) = path.strip_prefix("auth/token/") {
            return tokens(request, &mut state, (&id, &token), rest, &body);
        }
        if let Some((kind, mount, rest)) = methods::mount_of(&state, path) {
            return methods::handle(request, &state, (&kind, &mount, &rest), &body);
        }
        let mount =
            state.mounts.iter().find(|(mount, entry)| entry.kind == "kv" && path.starts_with(mount.as_str()));
        if let Some(mount) = mount.map(|(mount, _)| mount.clone()) {
            return kv::handle(request, &mut state, &mount, &path[mount.len()..], &body);
        }
        Err(Refusal::new(404, &format!("no handler for route \"{path}\". route entry not found.")))
    }
}

/// The token of a request that is known and alive
fn bearer(request: &Request, state: &State) -> Option<(String, Token)> {
    let id = request.header("x-vault-token").or_else(|| request.bearer())?;
    let token = state.tokens.get(id).filter(|token| token.alive(state.now()))?;
    Some((id.to_owned(), token.clone()))
}

/// What a token may do on a path
pub(crate) fn capabilities(state: &State, token: &Token, path: &str) -> Vec<String> {
    if token.policies.iter().any(|policy| policy == "root") {
        return vec!["root".into()];
    }
    match state.judges(token, path) {
        Some((texts, path)) => policy::capabilities(texts.into_iter(), &path),
        None => vec!["deny".into()],
    }
}

fn allowed(request: &Request, state: &State, token: &Token, path: &str) -> bool {
    let list = is_list(request);
    let mount =
        state.mounts.iter().find(|(mount, entry)| entry.kind == "kv" && path.starts_with(mount.as_str()));
    let exists = match (jwt::mount_of(state, path), mount) {
        (Some((mount, rest)), _) => match rest.strip_prefix("role/") {
            Some(role) => {
                state.jwt.get(&mount).is_some_and(|method| method.roles.contains_key(&role.to_lowercase()))
            }
            None => true,
        },
        (None, Some((mount, _))) => kv::exists(state, mount, &path[mount.len()..]),
        _ => true,
    };
    let needed = match request.method {
        _ if list => "list",
        Method::POST | Method::PUT if exists => "update",
        Method::POST | Method::PUT => "create",
        Method::DELETE => "delete",
        Method::PATCH => "patch",
        _ => "read",
    };
    // A list may be allowed for a folder with or without its `/`.
    let mut has = capabilities(state, token, path);
    if list && has == ["deny"] {
        has = capabilities(state, token, &format!("{path}/"));
    }
    // vault/logical_system.go, `PathsSpecial.Root`
    let sudo = path.starts_with("sys/auth/") || path == "sys/seal" || path.starts_with("sys/audit");
    // vault/token_store.go, `PathsSpecial.Root`
    let sudo = sudo || path == "auth/token/accessors";
    let may = |name: &str| has.iter().any(|capability| capability == name || capability == "root");
    // The preflight of the CLI has a rule of its own.
    path.starts_with("sys/internal/ui/mounts/") || may(needed) && (!sudo || may("sudo"))
}

fn tokens(
    request: &Request,
    state: &mut State,
    (id, token): (&str, &Token),
    rest: &str,
    body: &Value,
) -> Answer {
    let now = state.now();
    match (rest, &request.method) {
        ("lookup-self", _) => Ok(Some(data(&token.looked_up(id, now)))),
        ("lookup", _) => {
            let other = body["token"].as_str().unwrap_or(id);
            let found = state.tokens.get(other).filter(|token| token.alive(now));
            let found = found.ok_or_else(|| Refusal::new(403, "bad token"))?;
            Ok(Some(data(&found.looked_up(other, now))))
        }
        ("create", _) => {
            let policies = jwt::texts(&body["policies"]).unwrap_or_else(|| token.policies.clone());
            let ttl = jwt::seconds(&body["ttl"]).unwrap_or(super::state::DEFAULT_TTL);
            let name = body["display_name"].as_str().map_or("token".into(), |name| format!("token-{name}"));
            let token = Token::new(policies, now, ttl, &name, "auth/token/create");
            let id = state.issue(token.clone());
            Ok(Some(issued(token.auth(&id, false))))
        }
        ("accessors" | "lookup-accessor", _) => methods::accessors(request, state, now, rest, body),
        ("revoke-self", _) => {
            state.tokens.remove(id);
            Ok(None)
        }
        ("renew-self", _) => Ok(Some(issued(token.auth(id, true)))),
        _ => Err(Refusal::new(404, &format!("unsupported path \"{rest}\""))),
    }
}
