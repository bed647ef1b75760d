//! Credentials from the SDK's chain, on their way to the signer: what is secret about them is remembered, so that it is
//! left out of all output, and what no header can carry is refused. The signer panics on it.

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use crate::{
    error::{Error, Result},
    redact,
    secret::{is_header_safe, unsendable},
};

/// Gives out only credentials that can be sent, and that no output shows.
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
            let found = self.0.provide_credentials().await?;
            remember(&found);
            check(&found).map_err(CredentialsError::invalid_configuration)?;
            Ok(found)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        let found = self.0.fallback_on_interrupt()?;
        remember(&found);
        check(&found).is_ok().then_some(found)
    }
}

fn remember(found: &Credentials) {
    redact::remember(found.secret_access_key());
    found.session_token().into_iter().for_each(redact::remember);
}

fn check(found: &Credentials) -> Result<(), Error> {
    if !is_header_safe(found.access_key_id()) {
        return Err(unsendable(
            "the AWS access key ID (AWS_ACCESS_KEY_ID, or aws_access_key_id of the profile)",
        ));
    }
    if found.session_token().is_some_and(|token| !is_header_safe(token)) {
        return Err(unsendable(
            "the AWS session token (AWS_SESSION_TOKEN, or aws_session_token of the profile)",
        ));
    }
    // Never sent, but a line break in it makes every signature wrong.
    if found.secret_access_key().contains(char::is_control) {
        return Err(unsendable(
            "the AWS secret access key (AWS_SECRET_ACCESS_KEY, or aws_secret_access_key of the profile)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn provided(id: &str, secret: &str, token: Option<&str>) -> Result<Credentials, CredentialsError> {
        let found = Credentials::new(id, secret, token.map(str::to_owned), None, "test");
        Remembering::around(SharedCredentialsProvider::new(found)).provide_credentials().await
    }

    #[tokio::test]
    async fn provided_secrets_are_remembered() {
        provided("AKIDTEST", "s3cretOfThisTest", Some("t0kenOfThisTest")).await.unwrap();
        assert_eq!(redact::line("AKIDTEST s3cretOfThisTest t0kenOfThisTest"), "AKIDTEST … …");
    }

    #[tokio::test]
    async fn unsendable_aws_credential_names_source() {
        assert!(provided("AKIA", "wJal/+x y", Some("IQoJ//+==")).await.is_ok());
        for (id, secret, token, source) in [
            ("canary\n", "s", None, "AWS_ACCESS_KEY_ID"),
            ("can\0ary", "s", None, "AWS_ACCESS_KEY_ID"),
            ("canäry", "s", None, "AWS_ACCESS_KEY_ID"),
            ("", "s", None, "AWS_ACCESS_KEY_ID"),
            ("\u{7f}", "s", None, "AWS_ACCESS_KEY_ID"),
            ("id", "canary\n", None, "AWS_SECRET_ACCESS_KEY"),
            ("id", "s", Some("canary\r\n"), "AWS_SESSION_TOKEN"),
            ("id", "s", Some("can\nary"), "AWS_SESSION_TOKEN"),
        ] {
            let error = provided(id, secret, token).await.unwrap_err();
            let ours =
                std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Error>()).unwrap();
            assert!(ours.message.contains(source), "{ours}");
            assert!(!format!("{error:?} {ours}").contains("ary"), "{ours}");
        }
    }
}
