//! Access tokens: one that was given, or what Application Default Credentials give.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use google_cloud_auth::credentials::{
    AccessTokenCredentials, Builder, CacheableResource, CredentialsProvider,
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;

use crate::{
    config, credential_file,
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
        remember_found(config::environment);
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
    log_in(
        Error::failed("google-credentials", "there are no Google credentials that can be used here")
            .caused_by_chain(error),
    )
}

/// The file of Application Default Credentials is read by Google's library, which keeps what is secret in it to itself. So
/// it is read here as well: its secrets, and the token that it names, are left out of all output.
fn remember_found(environment: impl Fn(&str) -> Option<OsString>) {
    let path = environment("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from).or_else(|| {
        let home = environment("HOME").filter(|home| !home.is_empty())?;
        Some(Path::new(&home).join(".config/gcloud/application_default_credentials.json"))
    });
    let Some(content) = path.and_then(|path| credential_file::content(&path)) else { return };
    redact::remember_content(&content);
    let json: Value = serde_json::from_slice(&content).unwrap_or_default();
    redact::remember_object(&json["credential_source"]);
    // What a program complains about is shown; what it was called with is not.
    texts_of(&json["credential_source"]["executable"], &mut |text| redact::remember(text));
    if let Some(file) = json["credential_source"]["file"].as_str() {
        credential_file::remember(Path::new(file));
    }
}

/// Every word in a value, and every name of a member that no credential file has.
fn texts_of(value: &Value, take: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => text.split_ascii_whitespace().for_each(take),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, take)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            if !matches!(name.as_str(), "command" | "timeout_millis" | "output_file") {
                take(name);
            }
            texts_of(value, take);
        }),
        _ => {}
    }
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
