//! From a request to the service that it means.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use super::error::{Refusal, Result, refused};
use super::state::{State, Who};
use super::{arm, discovery, graph, token, vault};
use crate::clock;
use crate::google::documents::World;
use crate::wire::{Handler, Reply, Request};

pub(crate) struct Service {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) world: World,
}

impl Handler for Service {
    fn handle(&self, request: &Request) -> Reply {
        let host = request.host.split(':').next().unwrap_or_default().to_lowercase();
        let at = |name: &str| host == name || host == "127.0.0.1" || host == "localhost";
        let path = request.path.as_str();
        let reply = if token::is_path(path) && at("login.microsoftonline.com") {
            token::token(request, self)
        } else if discovery::is_path(path) && at("login.microsoftonline.com") {
            discovery::answer(request)
        } else if path.starts_with("/v1.0/") && at("graph.microsoft.com") {
            answer(graph::call(request, &mut self.lock()))
        } else if path.starts_with("/subscriptions/") && at("management.azure.com") {
            answer(arm::call(request, &mut self.lock()))
        } else if path.starts_with("/secrets") && at("acmevault.vault.azure.net") {
            answer(vault::call(request, &mut self.lock()))
        } else {
            Reply::empty(404)
        };
        let settings = self.lock().settings.clone();
        let mut reply = reply.with("date", clock::http_date(clock::now(settings.clock_offset)));
        if let Some((from, to)) = &settings.swapped {
            reply.body = String::from_utf8_lossy(&reply.body).replace(from, to).into_bytes().into();
        }
        reply
    }
}

impl Service {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the tenant")
    }
}

fn answer(outcome: Result<(u16, Value)>) -> Reply {
    match outcome {
        Ok((status, Value::Null)) => Reply::empty(status),
        Ok((status, body)) => Reply::json(status, &body),
        Err(refusal) => refusal.reply(),
    }
}

/// Who shows a token for this service
pub(crate) fn caller(request: &Request, audience: &str, state: &State) -> Result<Who> {
    let invalid = |message: &str| refused(401, "InvalidAuthenticationToken", message);
    let Some(bearer) = request.bearer() else { return invalid("The access token is missing.") };
    let Some(token) = state.tokens.iter().find(|token| token.secret == bearer) else {
        return invalid("The access token is invalid.");
    };
    if token.expires <= state.now() {
        return invalid("The access token expiry UTC time is earlier than current UTC time.");
    }
    if token.audience.trim_end_matches('/') != audience {
        return invalid("The access token has been obtained for the wrong audience or resource.");
    }
    Ok(token.who.clone())
}

/// One page of a list; the next one by `$skiptoken`
pub(crate) fn page(request: &Request, all: &[Value], base: &str, next: &str, page: usize) -> Value {
    let from: usize = request.query("$skiptoken").and_then(|text| text.parse().ok()).unwrap_or_default();
    let to = from.saturating_add(page).min(all.len());
    let mut answer = serde_json::json!({ "value": all.get(from..to).unwrap_or_default() });
    if to < all.len() {
        let query: Vec<_> = request.query.split('&').filter(|it| !it.starts_with("$skiptoken")).collect();
        let query = query.join("&");
        answer[next] = format!("{base}{}?{query}&$skiptoken={to}", request.path).into();
    }
    answer
}

/// The base URL that links lead back to
pub(crate) fn base(request: &Request) -> String {
    let scheme = if request.host.starts_with("127.") { "http" } else { "https" };
    format!("{scheme}://{}", request.host)
}

/// Every call names the version of its API
pub(crate) fn version(request: &Request) -> Result<()> {
    match request.query("api-version") {
        Some(version) if !version.is_empty() => Ok(()),
        _ => Err(Refusal::new(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter is required",
        )),
    }
}
