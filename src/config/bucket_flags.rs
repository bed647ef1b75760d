//! PURE. Flags that say something of a bucket, where there is none of which they could say it.

use crate::{
    bucket::Kind,
    cli::Common,
    error::{Code, Error, Result},
};

/// Refuses a flag that would have no effect. `bucket` is the kind of the one that flags or file name.
pub(super) fn refuse_idle(flags: &Common, bucket: Option<&Kind>) -> Result<()> {
    let given = [
        ("--project", flags.project.is_some()),
        ("--endpoint", flags.endpoint.is_some()),
        ("--region", flags.region.is_some()),
        ("--addressing", flags.addressing.is_some()),
    ];
    let fits = |flag| bucket.is_some_and(|bucket| bucket.takes.contains(&flag));
    let of_kind = given.into_iter().find(|(flag, given)| *given && !fits(*flag));
    let (flag, about) = match of_kind {
        Some((flag, _)) => (flag, format!("a bucket of {}", Kind::taking(flag))),
        None if flags.public_url.is_some() && bucket.is_none() => ("--public-url", "a bucket".to_owned()),
        None => return Ok(()),
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
