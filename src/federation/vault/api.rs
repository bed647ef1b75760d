//! The HTTP API: one request at a time, with the token in a header and nowhere else.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};

use super::{
    Settings,
    refusal::{self, Asked},
};
use crate::{
    error::{Code, Error, Result},
    http::Http,
    plan::Say,
    retry::{Attempts, Backoff, Repeat, retry_after},
    secret::Secret,
};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Agents and proxies may be told to ask for it; every client of Vault sends it.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

#[derive(Clone, Debug)]
pub(super) struct Api {
    http: Http,
    settings: Settings,
    /// Of a request that may pass later.
    pub(super) backoff: Backoff,
}

/// An answer of a server that did what was asked, or that has nothing there.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// Why there is none.
#[derive(Debug)]
struct Refused {
    error: Error,
    /// Of the answer; `None`: there was no answer.
    status: Option<u16>,
    /// How long the server asks to wait.
    retry_after: Option<Duration>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, status: None, retry_after: None }
    }
}

impl Refused {
    /// A server that is sealed or not initialised stays so.
    fn may_pass(&self, repeat: Repeat) -> bool {
        match self.status {
            // The server has not caught up with a write yet, and has done nothing.
            Some(412) => true,
            Some(status) => self.error.code == Code::VaultBusy && repeat.may_help_after(status),
            None => repeat == Repeat::Safe && self.error.code.is_broken_connection(),
        }
    }
}

impl Reply {
    /// The member `data` of the answer.
    pub(super) fn data(&self) -> Option<&Map<String, Value>> {
        self.body.get("data").and_then(Value::as_object)
    }
}

impl Api {
    /// The same connection, which names the objects of these settings where it is refused.
    pub(super) fn naming(&self, settings: &Settings) -> Self {
        Self { settings: settings.clone(), ..self.clone() }
    }

    pub(super) fn new(settings: &Settings, http: Http) -> Self {
        Self { http, settings: settings.clone(), backoff: Backoff::request(Duration::from_secs(1), 3) }
    }

    /// Reads with the administrator's token. `None`: there is nothing.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Reply>> {
        let repeat = Repeat::of(&Method::GET);
        let reply = self.repeated(&Method::GET, path, None, repeat, &mut |_| ()).await?;
        Ok((reply.status != 404).then_some(reply))
    }

    /// A question that takes a body, with the administrator's token.
    pub(super) async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Reply> {
        self.call(method, path, Some(body), Some(self.token()?)).await
    }

    /// Writes or deletes with the administrator's token. What is gone already is deleted. `repeat`: a write replaces what is
    /// there by the same bytes, and a mount that an attempt has made is recognised by the caller, so it is
    /// [`Repeat::Safe`]; but there is no condition, and what another client writes between two attempts is lost. Keys,
    /// which others write all the time, are [`Repeat::Unsafe`]: the caller looks again.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        repeat: Repeat,
        say: Say<'_>,
    ) -> Result<()> {
        let deletes = method == Method::DELETE;
        let body = (!body.is_null()).then_some(body);
        let reply = self.repeated(&method, path, body, repeat, say).await?;
        if reply.status == 404 && !deletes {
            let asked = Asked { method: &method, path, settings: &self.settings };
            return Err(refusal::missing(&asked, &reply.body));
        }
        Ok(())
    }

    /// With the administrator's token, as long as what failed may pass. `say` gets the reasons of waiting.
    async fn repeated(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        repeat: Repeat,
        say: Say<'_>,
    ) -> Result<Reply> {
        let mut attempts = Attempts::begin(self.backoff);
        loop {
            let refused = match self.attempt(method.clone(), path, body, Some(self.token()?)).await {
                Ok(reply) => return Ok(reply),
                Err(refused) => refused,
            };
            let waits = |pause: Duration| {
                let cause = refused.error.causes.first().map_or("no reason given", String::as_str);
                let seconds = pause.as_secs_f32();
                say(&format!("{}: {cause}; trying again in {seconds:.1} s", refused.error.message));
            };
            if !refused.may_pass(repeat) || !attempts.pause_saying(refused.retry_after, waits).await {
                return Err(refused.error);
            }
        }
    }

    /// One request; `token` is the administrator's, a workload's, or none. 404 is an answer, not an error.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&Secret>,
    ) -> Result<Reply> {
        self.attempt(method, path, body, token).await.map_err(|refused| refused.error)
    }

    async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&Secret>,
    ) -> Result<Reply, Refused> {
        let asked = Asked { method: &method, path, settings: &self.settings };
        let mut headers = HeaderMap::from_iter([(REQUEST, HeaderValue::from_static("true"))]);
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose()).map_err(|_| refusal::no_token())?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        if let Some(namespace) = &self.settings.namespace {
            let value = HeaderValue::from_str(namespace).map_err(|_| {
                Error::usage(Code::VaultSetting, "vault.namespace cannot be sent in a header")
                    .hint("it is a path such as team/prod")
            })?;
            headers.insert(NAMESPACE, value);
        }
        let mut request = self.http.client().request(method.clone(), self.url(path)).headers(headers);
        if let Some(body) = body {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = self.http.send(request, &self.settings.address).await?;
        tracing::info!(%method, path, status = answer.status, "asked Vault");
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        match answer.status {
            200..=299 if answer.body.is_empty() || value.is_object() => {
                Ok(Reply { status: answer.status, body: value })
            }
            200..=299 => Err(refusal::not_vault(&asked).into()),
            404 if value.get("errors").is_some() || value.get("data").is_some() => {
                refusal::refuse_namespace(&asked, &value)?;
                Ok(Reply { status: 404, body: value })
            }
            status => {
                // Sealed, not initialised and out of order look alike.
                let health = match status {
                    400..=428 => Value::Null,
                    _ => self.health().await,
                };
                let error = refusal::of(&asked, &answer, &value, &health);
                Err(Refused { error, status: Some(status), retry_after: retry_after(&answer.headers) })
            }
        }
    }

    /// What the server says of itself, without a token; empty when it says nothing. It says it of the whole server,
    /// and refuses to say it in a namespace.
    pub(super) async fn health(&self) -> Value {
        let request = self.http.client().get(self.url("sys/health"));
        match self.http.send(request, &self.settings.address).await {
            Ok(answer) => serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
            Err(_) => Value::Null,
        }
    }

    /// Whether the administrator's token is answered in this namespace, which cannot exist: then the server, or a
    /// proxy before it, ignores the header. Without a token, nothing is asked.
    pub(super) async fn answers_in(&self, namespace: &str) -> bool {
        let Ok(token) = self.token() else { return false };
        let (Ok(mut token), Ok(namespace)) =
            (HeaderValue::from_str(token.expose()), HeaderValue::from_str(namespace))
        else {
            return false;
        };
        token.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (REQUEST, HeaderValue::from_static("true")),
            (TOKEN, token),
            (NAMESPACE, namespace),
        ]);
        let request = self.http.client().get(self.url("auth/token/lookup-self")).headers(headers);
        let answer = self.http.send(request, &self.settings.address).await;
        answer.is_ok_and(|answer| (200..300).contains(&answer.status))
    }

    /// Whether everything is asked of the root namespace.
    pub(super) fn is_root_namespace(&self) -> bool {
        self.settings.namespace.is_none()
    }

    /// The administrator's.
    pub(super) fn token(&self) -> Result<&Secret> {
        self.settings.token.as_ref().ok_or_else(refusal::no_token)
    }

    /// `path` may hold a query. Its names are checked before they come here, but for a secret's.
    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.settings.address)
    }
}
