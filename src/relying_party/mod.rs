//! A stranger's eyes: public URLs, no credential, nothing that the cluster or the bucket's owner said.

mod documents;
mod finding;
mod readers;
mod tokens;
mod uploaded;

pub(crate) use self::{
    documents::{Site, judge_discovery, judge_jwks},
    finding::{Finding, Outcome},
    readers::{UNREAD, warn_of_unread},
    tokens::{Known, MAX_SKEW, judge_live, judge_server},
    uploaded::judge_uploaded,
};
use crate::{
    error::Result,
    http::{Answer, Http},
    oidc::Issuer,
};

/// What a stranger got for one URL.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) url: String,
    /// What came back, or why nothing did.
    pub(crate) answer: Result<Answer>,
}

/// Fetches one URL without any credential.
pub(crate) async fn fetch(http: &Http, url: String) -> Fetched {
    let answer = http.get(&url).await;
    tracing::debug!(url, status = answer.as_ref().map(|answer| answer.status).ok(), "fetched as a stranger");
    Fetched { url, answer }
}

/// Fetches both documents at the same time, where the publisher puts them.
pub(crate) async fn fetch_both(http: &Http, issuer: &Issuer) -> (Fetched, Fetched) {
    futures::join!(fetch(http, issuer.discovery_url()), fetch(http, issuer.jwks_url()))
}
