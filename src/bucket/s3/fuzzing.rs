//! What is read of a store's answers, as plain functions for [`crate::fuzzing`].

use aws_smithy_runtime_api::{
    client::{orchestrator::HttpResponse, result::SdkError},
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

use super::{location::S3Location, policy, refusal::Refusal};
use crate::error::Result;

/// The error that an answer becomes.
pub(crate) fn error(status: u16, body: &[u8]) -> Result<()> {
    let status = StatusCode::try_from(status).unwrap_or_else(|_| panic!("{status} is a status"));
    let answer = HttpResponse::new(status, SdkBody::from(body.to_vec()));
    let refusal =
        Refusal::from(SdkError::<std::io::Error, _>::response_error(std::io::Error::other("it"), answer));
    let location = S3Location::new("acme", None, "eu-central-1".to_owned(), None, None)?;
    Err(refusal.error(&location, "s3:PutObject", "writing"))
}

/// The policy of a bucket, opened; a second time there is nothing to open.
pub(crate) fn bucket_policy(text: &str) -> Result<()> {
    let objects = ["arn:aws:s3:::acme/openid/v1/jwks".to_owned()];
    if let Some(opened) = policy::opened(Some(text), &objects, false)? {
        let again = policy::opened(Some(&opened), &objects, false).expect("what was written can be read");
        assert_eq!(again, None, "what was opened is opened again");
    }
    Ok(())
}
