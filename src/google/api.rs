//! One request at a time, with a token, tried again when that can help.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::{
    refusal::{Outcome, Refusal},
    tokens::Tokens,
};
use crate::{
    base_url::base_url,
    error::{Code, Error, Result},
    http::Http,
    retry::{Attempts, Backoff, Repeat},
    secret::Secret,
};

/// A client of Google's REST APIs.
pub(crate) struct Api {
    http: Http,
    tokens: Tokens,
    pub(crate) pace: Pace,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Requests that failed for a moment.
    pub(crate) request: Backoff,
    /// Looks at an operation that is not done.
    pub(crate) operation: Backoff,
    /// Policies that others write at the same time.
    pub(crate) conflict: Backoff,
    /// What Google's servers do not all know yet, and what another run is changing.
    pub(crate) lag: Backoff,
}

impl Default for Pace {
    /// Pools and providers are made within seconds, so the first looks are close together.
    fn default() -> Self {
        let (longest, operation) = (Duration::from_secs(5), Duration::from_secs(300));
        Self {
            request: Backoff::request(Duration::from_millis(500), 4),
            operation: Backoff {
                factor: 200,
                ..Backoff::poll(Duration::from_millis(20), longest, operation)
            },
            conflict: Backoff::conflict(Duration::from_millis(250), 10),
            lag: Backoff::poll(longest, longest, operation),
        }
    }
}

impl Api {
    pub(crate) fn new(http: &Http, tokens: Tokens) -> Self {
        Self { http: http.clone(), tokens, pace: Pace::default() }
    }

    pub(crate) async fn get(&self, url: &str) -> Outcome<Value> {
        self.call(Method::GET, url, None, Repeat::of(&Method::GET)).await
    }

    /// Safe to repeat: it reads (policies, test permissions), names the state that it expects (`setIamPolicy` with an etag),
    /// makes what a second attempt finds there (`ALREADY_EXISTS`, which the caller looks into), or sets a state
    /// (`:undelete`, `:disable`, `services:batchEnable`).
    pub(crate) async fn post(&self, url: &str, body: Option<&Value>) -> Outcome<Value> {
        self.call(Method::POST, url, body, Repeat::Safe).await
    }

    /// `repeat`: whether it is sent again although the first may have been carried out. It sets the members that its mask
    /// names to what the body has, so a second time changes nothing: [`Repeat::Safe`]; but no `PATCH` of the IAM API takes
    /// an etag, and what another client writes between the two is lost. Where others write all the time, as they do with
    /// uploaded keys, it is [`Repeat::Unsafe`], and the caller looks again.
    pub(crate) async fn patch(&self, url: &str, body: &Value, repeat: Repeat) -> Outcome<Value> {
        self.call(Method::PATCH, url, Some(body), repeat).await
    }

    /// Safe to repeat: it names the state that it expects by an etag.
    pub(crate) async fn put(&self, url: &str, body: &Value) -> Outcome<Value> {
        self.call(Method::PUT, url, Some(body), Repeat::Safe).await
    }

    pub(crate) async fn delete(&self, url: &str) -> Outcome<Value> {
        self.call(Method::DELETE, url, None, Repeat::of(&Method::DELETE)).await
    }

    /// See [`Http::open`].
    pub(crate) async fn open(&self, base: &str) {
        self.http.open(base).await;
    }

    /// Whose the token is, as Google tells who shows it: an email address, or a number. It is asked once. `Err`: why that is
    /// not known. <https://developers.google.com/identity/sign-in/web/backend-auth>
    pub(crate) async fn whose(&self) -> Result<String, String> {
        const TOKEN_INFO: &str = "https://oauth2.googleapis.com/tokeninfo";
        let unsent = |error: Error| error.message;
        let headers = self.tokens.headers().await.map_err(unsent)?;
        let bearer = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            bearer.and_then(|value| value.strip_prefix("Bearer ")).ok_or("there is no bearer token")?;
        // In the body: addresses are written to logs.
        let body =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("access_token", token).finish();
        let request = self.http.client().post(TOKEN_INFO);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let answer = self.http.send(request, &origin(TOKEN_INFO)).await.map_err(unsent)?;
        owner(answer.status, &answer.body)
    }

    async fn call(&self, method: Method, url: &str, body: Option<&Value>, repeat: Repeat) -> Outcome<Value> {
        let headers = self.tokens.headers().await.map_err(Refusal::unsent)?;
        let request = self.http.client().request(method, url).headers(headers);
        self.send(url, with_body(request, body), repeat).await
    }

    /// With another identity's token instead of our own: what a workload would be answered. It only reads and exchanges
    /// tokens, which is safe to repeat.
    pub(crate) async fn call_as(
        &self,
        token: &Secret,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Outcome<Value> {
        let request = self.http.client().request(method, url).bearer_auth(token.expose());
        self.send(url, with_body(request, body), Repeat::Safe).await
    }

    /// A form, without any token (RFC 6749 §3.2, RFC 8693 §2.1). It asks for a token: another one is as good.
    pub(crate) async fn form(&self, url: &str, fields: &[(&str, &str)]) -> Outcome<Value> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.client().post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(url, request.body(body), Repeat::Safe).await
    }

    async fn send(&self, url: &str, request: RequestBuilder, repeat: Repeat) -> Outcome<Value> {
        let place = origin(url);
        let request = request
            .build()
            .map_err(|error| Refusal::unsent(bad_address(&place).caused_by_chain(&error.without_url())))?;
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let mut attempts = Attempts::begin(self.pace.request);
        loop {
            let Some(this) = request.try_clone() else { return Err(Refusal::unsent(bad_address(&place))) };
            let request = RequestBuilder::from_parts(self.http.client().clone(), this);
            let outcome = self.http.send(request, &place).await;
            let status = outcome.as_ref().map(|answer| answer.status).ok();
            tracing::info!(%method, url, status, "asked Google");
            let refusal = match outcome {
                Ok(answer) if answer.status < 300 => return read(&answer.body, &place),
                Ok(answer) => Refusal::of(&answer, &headers),
                Err(error) => Refusal::unanswered(error),
            };
            let after = refusal.retry_after();
            if !refusal.may_pass(repeat) || !attempts.pause(after).await {
                return Err(refusal);
            }
        }
    }
}

/// A `POST` without a body still says its length: Google's front ends answer 411 otherwise.
fn with_body(request: RequestBuilder, body: Option<&Value>) -> RequestBuilder {
    match body {
        Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
        None => request,
    }
}

fn read(body: &[u8], place: &str) -> Outcome<Value> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice::<Value>(body).ok().filter(Value::is_object).ok_or_else(|| {
        Refusal::unsent(
            Error::failed(
                Code::GoogleAnswer,
                format!("{place} answers with something that is no JSON object"),
            )
            .hint("check google.endpoints, and any proxy before it (its login page?)"),
        )
    })
}

fn bad_address(place: &str) -> Error {
    Error::usage(Code::GoogleEndpoint, format!("{place} cannot be asked")).hint("check google.endpoints")
}

/// Where a request goes, for errors: no path, no query.
fn origin(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => "the configured address".to_owned(),
    }
}

/// PURE. Whose a token is, from the answer of `tokeninfo`.
fn owner(status: u16, body: &[u8]) -> Result<String, String> {
    if status != 200 {
        return Err(format!("Google does not tell whose the token is: status {status}"));
    }
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| {
        let fits = |text: &&str| {
            (1..=320).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@._+-".contains(&byte))
        };
        answer[name].as_str().filter(fits).map(str::to_owned)
    };
    let number = || Some(format!("the account with the unique ID {}", text("sub").or_else(|| text("azp"))?));
    text("email").or_else(number).ok_or_else(|| "Google does not tell whose the token is".to_owned())
}

/// What every base URL of a Google API must be: https, or http on this machine, as tokens go there; without credentials,
/// query or fragment.
pub(crate) fn check_endpoint(name: &str, text: &str) -> Result<()> {
    let setting = format!("google.endpoints.{name}");
    if base_url(&setting, text)? == text {
        return Ok(());
    }
    Err(Error::usage(Code::GoogleEndpoint, format!("google.endpoints.{name} cannot be the address of an API"))
        .hint("it is an https URL without a slash at its end, e.g. https://iam.googleapis.com; http is for this machine only"))
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn owner_of_token_is_told() {
        let of = |body: &str| owner(200, body.as_bytes());
        assert_eq!(of(r#"{"email":"a@b.example","sub":"1"}"#), Ok("a@b.example".into()));
        assert_eq!(of(r#"{"sub":"104"}"#), Ok("the account with the unique ID 104".into()));
        assert_eq!(of(r#"{"azp":"104","email":"a b"}"#), Ok("the account with the unique ID 104".into()));
        for body in ["", "[]", "{}", r#"{"email":7}"#, r#"{"sub":"\u001b[2J"}"#] {
            assert!(of(body).is_err(), "{body}");
        }
        assert!(owner(400, br#"{"email":"a@b.example"}"#).is_err());
    }
}
