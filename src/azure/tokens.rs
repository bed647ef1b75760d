//! Access tokens: one for each scope, from the first login that there is, renewed before it ends.

use std::{
    ffi::OsString,
    path::Path,
    time::{Duration, Instant},
};

use http::HeaderValue;
use tokio::sync::Mutex;

use super::{
    Scope, cli,
    entra::{self, Proof},
    imds,
    source::{Source, Sources},
    token::{Token, Whose},
};
use crate::{
    error::{Code, Error, Result},
    http::Http,
    retry::Backoff,
};

/// Where tokens come from.
pub(crate) struct Tokens {
    http: Http,
    sources: Sources,
    held: Mutex<Held>,
    /// Of a request that failed for a moment.
    pub(crate) pace: Backoff,
}

#[derive(Default)]
struct Held {
    /// The login that has given a token. No other is used from then on.
    source: Option<Source>,
    tokens: Vec<(Scope, Token)>,
}

/// Why a login gave no token.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no such login here: the next one is tried.
    Unavailable(String),
    /// There is, and it was refused: another one would be another identity than the one that was set up.
    Final(Error),
}

impl Tokens {
    /// Looks for logins as Azure's own tools do. Sends nothing yet.
    pub(crate) fn find(http: &Http, environment: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        Ok(Self {
            http: http.clone(),
            sources: Sources::of(environment)?,
            held: Mutex::default(),
            pace: Backoff::request(Duration::from_millis(500), 4),
        })
    }

    /// The file whose token the first login shows. If that one is refused, no other is tried.
    pub(crate) fn token_file(&self) -> Option<&Path> {
        match self.sources.list.first()? {
            Source::WorkloadIdentity(_, path) => Some(path),
            Source::ClientSecret(..) | Source::ManagedIdentity { .. } | Source::AzureCli { .. } => None,
        }
    }

    /// The value of `Authorization`, fresh if the one before has run out.
    pub(crate) async fn bearer(&self, scope: Scope) -> Result<HeaderValue> {
        let mut held = self.held.lock().await;
        let fresh = held.tokens.iter().find(|(of, token)| *of == scope && token.is_fresh(Instant::now()));
        if let Some((_, token)) = fresh {
            return token.header();
        }
        let (source, token) = match held.source.clone() {
            Some(source) => match self.ask(&source, scope).await {
                Ok(token) => (source, token),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Unavailable(why)) => return Err(none(&[why])),
            },
            None => self.first(scope).await?,
        };
        let header = token.header()?;
        held.source = Some(source);
        held.tokens.retain(|(of, _)| *of != scope);
        held.tokens.push((scope, token));
        Ok(header)
    }

    /// Whose the token for a scope is. `Ok(None)`: it does not say.
    pub(crate) async fn whose(&self, scope: Scope) -> Result<Option<Whose>> {
        self.bearer(scope).await?;
        let held = self.held.lock().await;
        Ok(held.tokens.iter().find(|(of, _)| *of == scope).and_then(|(_, token)| token.whose()))
    }

    async fn first(&self, scope: Scope) -> Result<(Source, Token)> {
        let mut reasons = self.sources.skipped.clone();
        for source in &self.sources.list {
            match self.ask(source, scope).await {
                Ok(token) => return Ok((source.clone(), token)),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Unavailable(why)) => reasons.push(why),
            }
        }
        Err(none(&reasons))
    }

    async fn ask(&self, source: &Source, scope: Scope) -> Result<Token, Failure> {
        match source {
            Source::ClientSecret(application, secret) => {
                let proof = Proof::Secret(secret);
                entra::token(&self.http, self.pace, application, &proof, scope).await.map_err(Failure::Final)
            }
            Source::WorkloadIdentity(application, path) => {
                let proof = entra::projected(path).map_err(Failure::Final)?;
                entra::token(&self.http, self.pace, application, &proof, scope).await.map_err(Failure::Final)
            }
            Source::ManagedIdentity { address, client_id } => {
                imds::token(self.pace, address, client_id.as_deref(), scope).await
            }
            Source::AzureCli { tenant } => cli::token("az", tenant.as_deref(), scope).await,
        }
    }
}

fn none(reasons: &[String]) -> Error {
    let error = Error::failed(Code::AzureCredentials, "there are no Azure credentials that can be used here");
    log_in(reasons.iter().fold(error, |error, reason| error.caused_by(reason)))
}

/// How to come to credentials.
pub(crate) fn log_in(error: Error) -> Error {
    error
        .hint("in a cluster: AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE, a projected token with the audience api://AzureADTokenExchange")
        .hint("by hand: `az login`")
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
