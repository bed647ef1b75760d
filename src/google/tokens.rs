//! Access tokens: one that was given, or what Application Default Credentials give.

use google_cloud_auth::credentials::{
    AccessTokenCredentials, Builder, CacheableResource, CredentialsProvider,
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::{
    error::{Error, Result},
    http::TIME_LIMIT,
    redact,
    secret::Secret,
};

/// Where tokens come from.
pub(crate) enum Tokens {
    Given(Secret),
    /// Application Default Credentials: a file, or the metadata server.
    Found(AccessTokenCredentials),
}

impl Tokens {
    /// Looks for credentials as Google's own tools do. Asks nobody yet.
    pub(crate) fn find(given: Option<&Secret>, scope: &str) -> Result<Self> {
        if let Some(token) = given {
            return Ok(Self::Given(token.clone()));
        }
        let found = Builder::default().with_scopes([scope]).build_access_token_credentials();
        found.map(Self::Found).map_err(|error| without_credentials(&error))
    }

    /// The headers that carry a token, fresh if the one before has run out.
    pub(crate) async fn headers(&self) -> Result<HeaderMap> {
        let found = match self {
            Self::Given(token) => {
                let mut value =
                    HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
                        Error::usage("google-credentials", "GOOGLE_OAUTH_ACCESS_TOKEN is not an access token")
                            .hint("GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)")
                    })?;
                value.set_sensitive(true);
                return Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]));
            }
            Self::Found(credentials) => {
                tokio::time::timeout(TIME_LIMIT, credentials.headers(Extensions::new()))
            }
        };
        match found.await {
            Ok(Ok(CacheableResource::New { data, .. })) => Ok(data),
            Ok(Ok(CacheableResource::NotModified)) => Ok(HeaderMap::new()),
            Ok(Err(error)) => Err(without_credentials(&error)),
            Err(elapsed) => Err(without_credentials(&elapsed)),
        }
    }
}

fn without_credentials(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut described =
        Error::failed("google-credentials", "there are no Google credentials that can be used here");
    let mut next = Some(error);
    while let Some(error) = next {
        let text = redact::message(&error.to_string());
        if described.causes.last().is_none_or(|above| !above.contains(&text)) {
            described = described.caused_by(text);
        }
        next = error.source();
    }
    log_in(described)
}

/// How to come to credentials.
pub(crate) fn log_in(error: Error) -> Error {
    error
        .hint("in a cluster: GOOGLE_APPLICATION_CREDENTIALS names a credential configuration file of type external_account")
        .hint("by hand: `gcloud auth application-default login`, or GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_that_is_none_is_not_shown() {
        let tokens = Tokens::Given(Secret::new("ya29.secret\nline".to_owned()));
        let error = tokens.headers().await.unwrap_err();
        assert_eq!(error.code, "google-credentials");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}
