//! Methods of authentication beside JWT, as an administrator reads them: AppRole, Userpass and Kubernetes
//! (compared answer by answer with OpenBao 2.7.2). There is no login by them here.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use super::api::{Answer, Refusal, data, is_list};
use super::state::{State, Token};
use crate::clock;
use crate::keys::uuid;
use crate::wire::Request;

/// What the other methods of one namespace keep, by the path of the method with `/` at the end
#[derive(Default)]
pub(crate) struct Methods {
    pub(crate) app_roles: BTreeMap<String, BTreeMap<String, AppRole>>,
    pub(crate) users: BTreeMap<String, BTreeMap<String, Value>>,
    pub(crate) kubernetes: BTreeMap<String, BTreeMap<String, Value>>,
}

pub(crate) struct AppRole {
    pub(crate) id: String,
    pub(crate) shown: Value,
    /// By accessor
    pub(crate) secret_ids: BTreeMap<String, Value>,
}

impl AppRole {
    pub(crate) fn new() -> Self {
        let mut shown = common();
        for (name, value) in [
            ("bind_secret_id", json!(true)),
            ("local_secret_ids", json!(false)),
            ("secret_id_bound_cidrs", Value::Null),
            ("secret_id_num_uses", json!(0)),
            ("secret_id_ttl", json!(0)),
        ] {
            shown[name] = value;
        }
        Self { id: uuid(), shown, secret_ids: BTreeMap::new() }
    }

    /// Make a secret ID; 0: without an end, any number of times
    pub(crate) fn add(&mut self, now: i64, ttl: i64, uses: u64) -> String {
        let accessor = uuid();
        let time = clock::rfc3339(now);
        let end = if ttl == 0 { "0001-01-01T00:00:00Z".into() } else { clock::rfc3339(now + ttl) };
        self.secret_ids.insert(
            accessor.clone(),
            json!({
                "cidr_list": [], "creation_time": time, "expiration_time": end, "last_updated_time": time,
                "metadata": {}, "secret_id_accessor": accessor, "secret_id_num_uses": uses,
                "secret_id_ttl": ttl, "token_bound_cidrs": [],
            }),
        );
        accessor
    }
}

/// What each role and user says of the tokens of its logins
pub(crate) fn common() -> Value {
    json!({
        "token_bound_cidrs": [], "token_explicit_max_ttl": 0, "token_max_ttl": 0,
        "token_no_default_policy": false, "token_num_uses": 0, "token_period": 0, "token_policies": ["default"],
        "token_strictly_bind_ip": false, "token_ttl": 0, "token_type": "default",
    })
}

/// The method that a path is about, with the rest of the path
pub(crate) fn mount_of(state: &State, path: &str) -> Option<(String, String, String)> {
    let rest = path.strip_prefix("auth/")?;
    let own = |kind: &str| ["approle", "userpass", "kubernetes"].contains(&kind);
    let found = state.auth.iter().find(|(mount, entry)| own(&entry.kind) && rest.starts_with(mount.as_str()));
    found.map(|(mount, entry)| (entry.kind.clone(), mount.clone(), rest[mount.len()..].to_owned()))
}

pub(crate) fn handle(
    request: &Request,
    state: &State,
    (kind, mount, rest): (&str, &str, &str),
    body: &Value,
) -> Answer {
    let parts: Vec<&str> = rest.split('/').collect();
    let methods = &state.methods;
    let reads = request.method == Method::GET;
    match (kind, parts.as_slice()) {
        ("approle", ["role"]) if is_list(request) => list(methods.app_roles.get(mount).map(BTreeMap::keys)),
        ("approle", ["role", role, rest @ ..]) => {
            let found = methods.app_roles.get(mount).and_then(|roles| roles.get(*role));
            match (found, rest) {
                (Some(role), ["secret-id"]) if is_list(request) => list(Some(role.secret_ids.keys())),
                (Some(role), ["role-id"]) if reads => Ok(Some(data(&json!({"role_id": role.id})))),
                (Some(role), []) if reads => Ok(Some(data(&role.shown))),
                (Some(role), ["secret-id-accessor", "lookup"]) => {
                    let accessor = body["secret_id_accessor"].as_str().unwrap_or_default();
                    let words = format!("failed to find accessor entry for secret_id_accessor: {accessor:?}");
                    let found = role.secret_ids.get(accessor).map(|secret_id| Some(data(secret_id)));
                    found.ok_or(Refusal { status: 404, body: data(&json!({ "error": words })) })
                }
                (None, [_, ..]) if !reads => {
                    let words = format!("1 error occurred:\n\t* role {role:?} does not exist\n\n");
                    Err(Refusal::new(500, &words))
                }
                _ => Err(Refusal::not_found()),
            }
        }
        ("userpass", ["users", name]) if reads => read(methods.users.get(mount), name),
        ("kubernetes", ["role", name]) if reads => read(methods.kubernetes.get(mount), name),
        _ => Err(Refusal::not_found()),
    }
}

/// `auth/token/accessors` and `auth/token/lookup-accessor`
pub(crate) fn accessors(request: &Request, state: &State, now: i64, rest: &str, body: &Value) -> Answer {
    let here = |token: &&Token| token.namespace == state.here() && token.alive(now);
    let all = state.tokens.values().filter(here);
    if rest == "accessors" {
        if !is_list(request) {
            return Err(Refusal::new(405, "unsupported operation"));
        }
        let keys: Vec<&String> = all.map(|token| &token.accessor).collect();
        return list(Some(keys.into_iter()));
    }
    let accessor = body["accessor"].as_str().unwrap_or_default();
    let found = state.tokens.values().filter(here).find(|token| token.accessor == accessor);
    let found = found.ok_or_else(|| Refusal::bad("1 error occurred:\n\t* invalid accessor\n\n"))?;
    Ok(Some(data(&found.looked_up("", now))))
}

fn list<'a>(keys: Option<impl Iterator<Item = &'a String>>) -> Answer {
    let keys: Vec<&String> = keys.into_iter().flatten().collect();
    if keys.is_empty() { Err(Refusal::not_found()) } else { Ok(Some(data(&json!({ "keys": keys })))) }
}

fn read(all: Option<&BTreeMap<String, Value>>, name: &str) -> Answer {
    let found = all.and_then(|all| all.get(name)).ok_or_else(Refusal::not_found)?;
    Ok(Some(data(found)))
}
