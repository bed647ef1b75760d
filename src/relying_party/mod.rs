//! As a relying party sees it: public URLs, no credential, nothing that the cluster or the bucket's owner claims.

mod documents;
mod finding;
mod key_set_url;
mod published_keys;
mod readers;
mod tokens;
mod uploaded;

pub(crate) use self::{
    documents::{Site, judge_discovery, judge_jwks, max_age},
    finding::{Finding, Outcome},
    key_set_url::{is_of_issuer, may_fetch},
    published_keys::{StateOf, judge_missing, no_ledger},
    readers::notes_of_unread,
    tokens::{Known, MAX_SKEW, Unproved, judge_live, judge_server, prove},
    uploaded::{judge_uploaded, not_live},
};
use crate::{
    error::Result,
    http::{Answer, Http},
    oidc::Issuer,
};

/// What came back for one URL, without any credential.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) url: String,
    /// What came back, or why nothing did.
    pub(crate) answer: Result<Answer>,
}

/// Fetches one URL without any credential.
pub(crate) async fn fetch(http: &Http, url: String) -> Fetched {
    let answer = http.get(&url).await;
    tracing::info!(
        url,
        status = answer.as_ref().map(|answer| answer.status).ok(),
        "fetched without credentials"
    );
    Fetched { url, answer }
}

/// Fetches both documents at the same time, where the publisher puts them.
pub(crate) async fn fetch_both(http: &Http, issuer: &Issuer) -> (Fetched, Fetched) {
    futures::join!(fetch(http, issuer.discovery_url()), fetch(http, issuer.jwks_url()))
}
