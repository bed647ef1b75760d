//! One question about objects whose answer is read piece by piece, and what a 404 is worth.

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
};

/// Objects as they are.
pub(super) const JSON: &str = "application/json";
/// More than that a refusal does not have to say.
const MAX_REFUSAL: usize = 64 << 10;

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
    ) -> Result<Answered> {
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
                let body = Limited::new(answer.into_body(), MAX_REFUSAL).collect().await;
                let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                if status == StatusCode::NOT_FOUND && name.is_some_and(|name| is_not_found(&body, name)) {
                    return Ok(Answered::NoSuchObject);
                }
                return Err(requests::refused(status, &body, &place, right, true));
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
                    .hint("look with kubectl at what makes it so large"));
                }
                take(&piece)?;
            }
            Ok(Answered::Whole)
        };
        let limit = our_http::TIME_LIMIT;
        tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| {
            Err(self.too_slow(&self.by_kubeconfig(), &format!("GET {path}"), limit, &arrival))
        })
    }

    /// The whole body of one answer. `None`: the API server itself says that there is no such object.
    pub(super) async fn whole(&self, path: &str, name: Option<&str>, right: &str) -> Result<Option<Vec<u8>>> {
        let mut body = Vec::new();
        let answered = self
            .stream(path, name, right, (JSON, MAX_ANSWER), &mut |piece| {
                body.extend_from_slice(piece);
                Ok(())
            })
            .await?;
        Ok(match answered {
            Answered::Whole => Some(body),
            Answered::NoSuchObject => None,
        })
    }
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
