//! The Blob service's REST API: one request at a time, with a token, tried again when that can help.

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use reqwest::RequestBuilder;
use url::Url;

use super::refusal::{Outcome, Refusal};
use crate::{
    azure::{Scope, Tokens},
    error::{Code, Error},
    http::{Answer, Http},
    retry::{Attempts, Backoff, Repeat},
};

const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-ms-version"), HeaderValue::from_static("2021-12-02"));
const DATE: HeaderName = HeaderName::from_static("x-ms-date");

pub(super) struct Api {
    http: Http,
    pub(super) tokens: Tokens,
    /// Of a request that failed for a moment.
    pub(super) backoff: Backoff,
}

/// What a request adds to its method and URL.
#[derive(Clone, Default)]
pub(super) struct Extra {
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Vec<u8>,
}

impl Extra {
    /// With one more header. A value that no header can carry is left out: none of ours is like that, and the store refuses
    /// the request then.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).ok();
        self.headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
        self
    }
}

impl Api {
    pub(super) fn new(http: &Http, tokens: Tokens) -> Self {
        let backoff = Backoff::request(Duration::from_millis(500), 3);
        Self { http: http.clone(), tokens, backoff }
    }

    pub(super) async fn get(&self, url: Url) -> Outcome<Answer> {
        self.send(&Method::GET, url, Extra::default()).await
    }

    pub(super) async fn put(&self, url: Url, extra: Extra) -> Outcome<Answer> {
        self.send(&Method::PUT, url, extra).await
    }

    pub(super) async fn delete(&self, url: Url, extra: Extra) -> Outcome<Answer> {
        self.send(&Method::DELETE, url, extra).await
    }

    /// As everyone reads: without a token.
    pub(super) async fn anonymously(&self, url: Url) -> Outcome<Answer> {
        let request = self.http.client().get(url.clone()).header(VERSION.0, VERSION.1);
        self.repeat(request, &url).await
    }

    /// Every request is safe to repeat: reads are, and writes name the state that they expect.
    async fn send(&self, method: &Method, url: Url, extra: Extra) -> Outcome<Answer> {
        let bearer = self.tokens.bearer(Scope::Storage).await;
        let bearer = bearer.map_err(of_the_bucket).map_err(Refusal::unsent)?;
        let mut request = self
            .http
            .client()
            .request(method.clone(), url.clone())
            .header(AUTHORIZATION, bearer)
            .header(VERSION.0, VERSION.1);
        for (name, value) in extra.headers {
            request = request.header(name, value);
        }
        if *method == Method::PUT {
            request = request.body(extra.body);
        }
        self.repeat(request, &url).await
    }

    async fn repeat(&self, request: RequestBuilder, url: &Url) -> Outcome<Answer> {
        let place = url.origin().ascii_serialization();
        let mut attempts = Attempts::begin(self.backoff);
        loop {
            let Some(this) = request.try_clone() else {
                return Err(Refusal::unsent(Error::failed(
                    Code::BucketRequest,
                    "the request cannot be repeated",
                )));
            };
            // The service refuses a time that is a quarter of an hour off.
            let this = this.header(DATE, date());
            let refusal = match self.http.send(this, &place).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) => Refusal::of(&answer),
                Err(error) => Refusal::unanswered(error),
            };
            if !refusal.may_pass(Repeat::Safe) || !attempts.pause(refusal.retry_after).await {
                return Err(refusal);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a request holds the time at which it was sent")]
fn date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// Where the publisher lacks credentials is the bucket's matter, as it is with every other store.
pub(super) fn of_the_bucket(mut error: Error) -> Error {
    if error.code == Code::AzureCredentials {
        error.code = Code::BucketCredentials;
    }
    error
}
