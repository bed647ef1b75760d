//! Cloud Storage's JSON API: one request at a time, with a token, tried again when that can help.

use std::time::Duration;

use reqwest::{RequestBuilder, Url};

use super::refusal::{Outcome, Refusal};
use crate::{
    base_url::base_url,
    error::{Code, Error, Result},
    google::Tokens,
    http::{Answer, Http},
    retry::{Attempts, Backoff, Repeat},
};

const PUBLIC_ENDPOINT: &str = "https://storage.googleapis.com";
/// Reads and writes objects, makes buckets, sets their policies; nothing outside of Cloud Storage.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.full_control";

pub(super) struct Api {
    http: Http,
    endpoint: Url,
    pub(super) tokens: Tokens,
    /// Of a request that failed for a moment.
    pub(super) backoff: Backoff,
}

impl Api {
    pub(super) fn new(http: &Http, endpoint: Option<&str>, tokens: Tokens) -> Result<Self> {
        let refused = |error: Error| {
            Error { code: Code::BucketEndpoint, ..error }
                .hint("the base URL of Cloud Storage's API is https://storage.googleapis.com; the bucket's name goes into --bucket")
        };
        let text = base_url("--endpoint", endpoint.unwrap_or(PUBLIC_ENDPOINT)).map_err(refused)?;
        let endpoint = Url::parse(&text).map_err(|_| {
            refused(Error::usage(
                Code::BucketEndpoint,
                "--endpoint cannot be the address of Cloud Storage's API",
            ))
        })?;
        Ok(Self {
            http: http.clone(),
            endpoint,
            tokens,
            backoff: Backoff::request(Duration::from_millis(500), 3),
        })
    }

    /// Whether it is Google itself that is asked.
    pub(super) fn is_googles(&self) -> bool {
        let host = self.endpoint.host_str().unwrap_or_default();
        host == "storage.googleapis.com" || host.ends_with(".googleapis.com")
    }

    /// A URL of the API. The parts are names, and encoded.
    pub(super) fn url(&self, root: &str, parts: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.endpoint.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        let parts: String = parts.iter().map(|part| format!("/{}", encode(part))).collect();
        url.set_path(&format!("{base}/{root}{parts}"));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(super) async fn get(&self, url: Url) -> Outcome<Answer> {
        self.send(self.http.client().get(url)).await
    }

    pub(super) async fn post(&self, url: Url, content_type: &str, body: Vec<u8>) -> Outcome<Answer> {
        self.send(self.http.client().post(url).header(http::header::CONTENT_TYPE, content_type).body(body))
            .await
    }

    pub(super) async fn delete(&self, url: Url) -> Outcome<Answer> {
        self.send(self.http.client().delete(url)).await
    }

    pub(super) async fn put(&self, url: Url, body: Vec<u8>) -> Outcome<Answer> {
        let request = self.http.client().put(url).header(http::header::CONTENT_TYPE, "application/json");
        self.send(request.body(body)).await
    }

    /// Every request is safe to repeat: reads are, and writes name the state that they expect.
    async fn send(&self, request: RequestBuilder) -> Outcome<Answer> {
        let headers = self.tokens.headers().await.map_err(of_the_bucket).map_err(Refusal::unsent)?;
        let place = self.endpoint.origin().ascii_serialization();
        let request = request.headers(headers.clone());
        let mut attempts = Attempts::begin(self.backoff);
        loop {
            let Some(this) = request.try_clone() else {
                return Err(Refusal::unsent(Error::failed(
                    Code::BucketRequest,
                    "the request cannot be repeated",
                )));
            };
            let outcome = match self.http.send(this, &place).await {
                Ok(answer) if answer.status < 300 => return Ok(answer),
                Ok(answer) => Refusal::of(&answer, &headers),
                Err(error) => Refusal::unanswered(error),
            };
            if !outcome.may_pass(Repeat::Safe) || !attempts.pause(outcome.retry_after).await {
                return Err(outcome);
            }
        }
    }
}

/// Where the publisher lacks credentials is the bucket's matter, as it is with every other store.
pub(super) fn of_the_bucket(mut error: Error) -> Error {
    if error.code == Code::GoogleCredentials {
        error.code = Code::BucketCredentials;
    }
    error
}

/// Everything but RFC 3986's unreserved characters is encoded, `/` in object names as well.
fn encode(part: &str) -> String {
    part.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Kind, secret::Secret};

    fn api(endpoint: Option<&str>) -> Result<Api> {
        let http = Http::new(&[]).unwrap();
        Api::new(&http, endpoint, Tokens::Given(Secret::new("t".to_owned()), None))
    }

    #[test]
    fn names_are_encoded() {
        let url =
            |endpoint| api(endpoint).unwrap().url("storage/v1/b", &["b", "o", "p/.well-known/a b%ü"], &[]);
        let path = "/storage/v1/b/b/o/p%2F.well-known%2Fa%20b%25%C3%BC";
        assert_eq!(url(None).as_str(), format!("https://storage.googleapis.com{path}"));
        assert_eq!(url(Some("http://[::1]:1/base/")).as_str(), format!("http://[::1]:1/base{path}"));
        let url = api(None).unwrap().url("u", &[], &[("a", "b c&d")]);
        assert_eq!(url.as_str(), "https://storage.googleapis.com/u?a=b+c%26d");
    }

    #[test]
    fn addresses_that_no_api_can_have() {
        for endpoint in [
            "storage.googleapis.com",
            "ftp://h",
            "https://h?x=y",
            "https://u:hunter2@h",
            "",
            "http://h:1",
            "http://10.0.0.1",
            "http://storage.googleapis.com",
        ] {
            let error = api(Some(endpoint)).map(|_| ()).unwrap_err();
            assert_eq!((error.code, error.kind), (Code::BucketEndpoint, Kind::Usage), "{endpoint}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
