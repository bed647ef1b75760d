//! PURE. Flags that say something of a bucket, where there is none of which they could say it.

use crate::{
    bucket::Kind,
    cli::Common,
    error::{Code, Error, Result},
};

/// What a flag is about.
const STORES: &str = "the store of an s3:// or gs:// bucket";
const S3: &str = "an s3:// bucket";
const GOOGLE: &str = "the Google project in which a gs:// bucket is made";

/// Refuses a flag that would have no effect. `bucket` is the one that flags or file name.
pub(super) fn refuse_idle(flags: &Common, bucket: Option<&Kind>) -> Result<()> {
    let (s3, google) = (matches!(bucket, Some(Kind::S3(_))), matches!(bucket, Some(Kind::Gcs(_))));
    let given = [
        ("--project", flags.project.is_some(), google, GOOGLE),
        ("--endpoint", flags.endpoint.is_some(), s3 || google, STORES),
        ("--region", flags.region.is_some(), s3, S3),
        ("--addressing", flags.addressing.is_some(), s3, S3),
        ("--public-url", flags.public_url.is_some(), bucket.is_some(), "a bucket"),
    ];
    let Some((flag, .., about)) = given.into_iter().find(|(_, given, fits, _)| *given && !fits) else {
        return Ok(());
    };
    let why =
        if bucket.is_some() { "the bucket that is named is of another kind" } else { "no bucket is named" };
    let error = Error::usage(Code::FlagWithoutBucket, format!("{flag} is about {about}, and {why}"))
        .hint("name the bucket by --bucket, or by bucket.url in keyless.yaml; else leave the flag out");
    Err(match flag {
        "--project" => {
            error.hint("the Google project that holds the secrets is google.project in keyless.yaml")
        }
        _ => error,
    })
}
