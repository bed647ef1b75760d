//! One question about objects whose answer is read piece by piece, when it is asked again, and what a 404 is worth.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use serde::Deserialize;

use super::read::MAX_ANSWER;
use crate::{
    arrival::Arrival,
    cluster::{Cluster, requests},
    error::{Code, Error, Result},
    http as our_http,
    retry::{Attempts, Backoff, Repeat, may_pass, retry_after},
};

/// Objects as they are.
pub(super) const JSON: &str = "application/json";
/// More than that a refusal does not have to say.
const MAX_REFUSAL: usize = 64 << 10;

/// Of a question that got no whole answer.
pub(super) const PACE: Backoff = Backoff::request(Duration::from_millis(250), 4);

/// Why a question got no whole answer, and what decides whether it is asked again.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: Error,
    status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
    /// Of a list whose state is gone: the token with which the rest of it can be read as it is now.
    pub(super) later: Option<String>,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self { error, status: None, retry_after: None, later: None }
    }
}

impl Trouble {
    /// Nothing is changed by a question that is asked here.
    pub(super) fn may_pass(&self) -> bool {
        may_pass(Repeat::of(&Method::GET), self.status, false, Some(&self.error))
    }
}

/// How a question ended.
#[derive(Debug)]
pub(super) enum Answered {
    /// The whole body was read.
    Whole,
    /// The API server itself says that it has no object of this name.
    NoSuchObject,
}

/// A `Status` object (`meta/v1`), as far as it says what was not found.
#[derive(Deserialize)]
struct Status<'a> {
    kind: Option<&'a str>,
    reason: Option<&'a str>,
    #[serde(borrow)]
    details: Option<Details<'a>>,
}

/// A `Status` object that refuses the next page of a list, as far as it says how to go on.
#[derive(Deserialize)]
struct Expired {
    metadata: ExpiredMetadata,
}

#[derive(Deserialize)]
struct ExpiredMetadata {
    #[serde(rename = "continue")]
    token: String,
}

#[derive(Deserialize)]
struct Details<'a> {
    name: Option<&'a str>,
}

impl Cluster {
    /// Asks the kubeconfig's address and hands on the body of a success, piece by piece. `name` is the object that is
    /// asked for, if it is one; `accept` is its form, `limit` is in bytes.
    pub(super) async fn stream(
        &self,
        path: &str,
        name: Option<&str>,
        right: &str,
        (accept, limit): (&str, usize),
        take: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    ) -> Result<Answered, Trouble> {
        let place = format!("GET {}{path}", self.base);
        let arrival = Arrival::default();
        let asking = async {
            let request = Request::builder()
                .method(Method::GET)
                .uri(format!("{}{path}", self.base))
                .header(http::header::ACCEPT, accept)
                .body(Body::empty())
                .map_err(|error| {
                    Error::failed(Code::ClusterRequest, format!("{place} cannot be asked"))
                        .caused_by_chain(&error)
                })?;
            let answer = self
                .client
                .send(request)
                .await
                .map_err(|error| self.unreachable(&self.by_kubeconfig(), &error, &place))?;
            let status = answer.status();
            if !status.is_success() {
                let retry_after = retry_after(answer.headers());
                let body = Limited::new(answer.into_body(), MAX_REFUSAL).collect().await;
                let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                if status == StatusCode::NOT_FOUND && name.is_some_and(|name| is_not_found(&body, name)) {
                    return Ok(Answered::NoSuchObject);
                }
                return Err(Trouble {
                    error: requests::refused(status, &body, &place, right, true),
                    status: Some(status.as_u16()),
                    retry_after,
                    later: (status == StatusCode::GONE).then(|| later(&body)).flatten(),
                });
            }
            let declared = answer.headers().get(http::header::CONTENT_LENGTH);
            arrival.begins(declared.and_then(|length| length.to_str().ok()?.parse().ok()));
            let mut body = answer.into_body();
            let mut length = 0;
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| our_http::cut(&error, &place, &arrival))?;
                let Ok(piece) = frame.into_data() else { continue };
                length += piece.len();
                arrival.grows(piece.len());
                if length > limit {
                    return Err(Error::failed(
                        Code::BodyTooLarge,
                        format!("{place} answers with more than {} MiB", limit >> 20),
                    )
                    .hint("look with kubectl at what makes it so large")
                    .into());
                }
                take(&piece)?;
            }
            Ok(Answered::Whole)
        };
        let limit = our_http::TIME_LIMIT;
        tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| {
            Err(self.too_slow(&self.by_kubeconfig(), &format!("GET {path}"), limit, &arrival).into())
        })
    }

    /// The whole body of one answer. `None`: the API server itself says that there is no such object.
    pub(super) async fn whole(&self, path: &str, name: Option<&str>, right: &str) -> Result<Option<Vec<u8>>> {
        let mut attempts = Attempts::begin(PACE);
        loop {
            let mut body = Vec::new();
            let answered = self
                .stream(path, name, right, (JSON, MAX_ANSWER), &mut |piece| {
                    body.extend_from_slice(piece);
                    Ok(())
                })
                .await;
            match answered {
                Ok(Answered::Whole) => return Ok(Some(body)),
                Ok(Answered::NoSuchObject) => return Ok(None),
                Err(trouble) if trouble.may_pass() && attempts.pause(trouble.retry_after).await => {}
                Err(trouble) => return Err(trouble.error),
            }
        }
    }
}

/// The token of a `Status` by which the rest of a list can be read in a later state.
fn later(body: &[u8]) -> Option<String> {
    let token = serde_json::from_slice::<Expired>(body).ok()?.metadata.token;
    (!token.is_empty()).then_some(token)
}

/// Whether a 404 comes from an API server that looked for this very object: anything in between can answer 404.
fn is_not_found(body: &[u8], name: &str) -> bool {
    serde_json::from_slice::<Status<'_>>(body).is_ok_and(|status| {
        status.kind == Some("Status")
            && status.reason == Some("NotFound")
            && status.details.and_then(|details| details.name) == Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_status_of_name_proves_absence() {
        let proof = br#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"secrets \"a\" not found","reason":"NotFound","details":{"name":"a","kind":"secrets"},"code":404}"#;
        assert!(is_not_found(proof, "a"));
        assert!(!is_not_found(proof, "b"));
        for body in [
            "",
            "404 page not found\n",
            "<html>not found</html>",
            "{}",
            r#"{"kind":"Status","reason":"NotFound","code":404}"#,
            r#"{"kind":"Status","reason":"NotFound","details":{},"code":404}"#,
            r#"{"kind":"Status","reason":"Forbidden","details":{"name":"a"},"code":404}"#,
            r#"{"reason":"NotFound","details":{"name":"a"}}"#,
            r#"[{"kind":"Status","reason":"NotFound","details":{"name":"a"}}]"#,
        ] {
            assert!(!is_not_found(body.as_bytes(), "a"), "{body}");
        }
    }
}
