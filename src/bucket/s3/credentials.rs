//! The SDK's credentials on their way to the signer: what is secret about them is remembered, so that it is left out of
//! all output, and what no header can hold is refused before the signer meets it.

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use http::HeaderValue;

use crate::redact;

/// Hands on what another provider gives.
#[derive(Debug)]
pub(super) struct Remembering(SharedCredentialsProvider);

impl Remembering {
    pub(super) fn around(inner: SharedCredentialsProvider) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Self(inner))
    }
}

impl ProvideCredentials for Remembering {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.0.provide_credentials().await?;
            redact::remember(credentials.secret_access_key());
            credentials.session_token().into_iter().for_each(redact::remember);
            match fits(&credentials) {
                true => Ok(credentials),
                false => Err(CredentialsError::invalid_configuration(
                    "the access key's ID or the session token holds a line break or another control character",
                )),
            }
        })
    }
}

/// Both are sent in headers (RFC 9110 §5.5).
fn fits(credentials: &Credentials) -> bool {
    [Some(credentials.access_key_id()), credentials.session_token()]
        .into_iter()
        .flatten()
        .all(|text| HeaderValue::from_str(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn provided(id: &str, secret: &str, token: Option<&str>) -> Result<Credentials, CredentialsError> {
        let credentials = Credentials::new(id, secret, token.map(str::to_owned), None, "test");
        Remembering::around(SharedCredentialsProvider::new(credentials)).provide_credentials().await
    }

    #[tokio::test]
    async fn provided_secrets_are_remembered() {
        provided("AKIDTEST", "s3cretOfThisTest", Some("t0kenOfThisTest")).await.unwrap();
        assert_eq!(redact::line("AKIDTEST s3cretOfThisTest t0kenOfThisTest"), "AKIDTEST … …");
    }

    #[tokio::test]
    async fn credentials_that_no_header_holds_are_refused() {
        for (id, token) in [("AK\nID", None), ("AKID", Some("to\nken")), ("\u{7f}", None)] {
            let error = provided(id, "s3cretOfThisTest", token).await.unwrap_err();
            assert!(matches!(error, CredentialsError::InvalidConfiguration(_)), "{error:?}");
        }
    }
}
