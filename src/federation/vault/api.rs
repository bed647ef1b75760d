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
    secret::Secret,
};

/// How often a request that may pass later is sent in all.
pub(super) const ATTEMPTS: u32 = 3;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Agents and proxies may be told to ask for it; every client of Vault sends it.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

#[derive(Debug)]
pub(super) struct Api {
    http: Http,
    settings: Settings,
    /// Before the second attempt; twice as long before the third.
    pub(super) pause: Duration,
}

/// An answer of a server that did what was asked, or that has nothing there.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Said {
    /// The member `data` of the answer.
    pub(super) fn data(&self) -> Option<&Map<String, Value>> {
        self.body.get("data").and_then(Value::as_object)
    }
}

impl Api {
    pub(super) fn new(settings: &Settings, http: Http) -> Self {
        Self { http, settings: settings.clone(), pause: Duration::from_secs(1) }
    }

    /// Reads with the administrator's token. `None`: there is nothing.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Said>> {
        let mut attempt = 1;
        loop {
            match self.call(Method::GET, path, None, Some(self.token()?)).await {
                Err(error) if error.code == Code::VaultBusy && attempt < ATTEMPTS => {
                    tokio::time::sleep(self.pause * attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
                Ok(said) => return Ok((said.status != 404).then_some(said)),
            }
        }
    }

    /// A question that takes a body, with the administrator's token.
    pub(super) async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Said> {
        self.call(method, path, Some(body), Some(self.token()?)).await
    }

    /// Writes or deletes with the administrator's token. What is gone already is deleted.
    pub(super) async fn write(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        let deletes = method == Method::DELETE;
        let body = (!body.is_null()).then_some(body);
        let said = self.call(method.clone(), path, body, Some(self.token()?)).await?;
        if said.status == 404 && !deletes {
            let asked = Asked { method: &method, path, settings: &self.settings };
            return Err(refusal::missing(&asked, &said.body));
        }
        Ok(())
    }

    /// One request; `token` is the administrator's, a workload's, or none. 404 is an answer, not an error.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&Secret>,
    ) -> Result<Said> {
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
        tracing::debug!(%method, path, status = answer.status, "asked Vault");
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        match answer.status {
            200..=299 if answer.body.is_empty() || value.is_object() => {
                Ok(Said { status: answer.status, body: value })
            }
            200..=299 => Err(refusal::not_vault(&asked)),
            404 if value.get("errors").is_some() || value.get("data").is_some() => {
                refusal::refuse_namespace(&asked, &value)?;
                Ok(Said { status: 404, body: value })
            }
            400..=428 => Err(refusal::of(&asked, &answer, &value, &Value::Null)),
            // Sealed, not initialised and out of order look alike.
            _ => Err(refusal::of(&asked, &answer, &value, &self.health().await)),
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

    /// The administrator's.
    pub(super) fn token(&self) -> Result<&Secret> {
        self.settings.token.as_ref().ok_or_else(refusal::no_token)
    }

    /// `path` may hold a query. Its names are checked before they come here, but for a secret's.
    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.settings.address)
    }
}
