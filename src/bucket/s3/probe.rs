//! What a store makes of conditional writes, found out on a throw-away object.
//!
//! AWS is trusted. Others ignore conditions silently, or take them in their own spelling: the answer `200` to
//! a condition that cannot be true gives them away.

use super::{Precondition, Put, S3, refusal::Outcome, refusal::Refusal};
use crate::{bucket::random, error::Result};

/// What a store makes of one kind of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    Kept,
    /// Ignored, or refused as unknown: not to be relied on, and not sent.
    Ignored,
    /// It could not be found out; sent, in case that it is kept.
    Unknown,
}

/// What a store makes of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Of `If-None-Match: *`.
    pub(super) absent: Support,
    /// Of `If-Match`.
    pub(super) present: Support,
    /// Whether `If-Match` takes the ETag as it was given, in quotes (RFC 9110 §13.1.1).
    pub(super) quoted: bool,
}

impl Verdict {
    pub(super) const KEPT: Self = Self { absent: Support::Kept, present: Support::Kept, quoted: true };
    const UNKNOWN: Self = Self { absent: Support::Unknown, present: Support::Unknown, quoted: true };
}

const BODY: &[u8] =
    b"keyless finds out here whether this store keeps conditions. This object can be deleted.\n";

/// Tries the store, next to the objects that will be written. The throw-away object is always deleted again.
pub(super) async fn run(s3: &S3, prefix: &str) -> Result<Verdict> {
    let key = format!("{prefix}.keyless-probe-{}", random()?);
    let put =
        Put { key: &key, body: BODY, content_type: "text/plain", cache_control: "no-store", public: false };
    let etag = match s3.put(put, None).await {
        Ok(etag) => etag,
        Err(refusal) if refusal.is_forbidden() => {
            tracing::debug!(
                said = refusal.said(),
                "only the documents may be written here: conditions not probed"
            );
            return Ok(Verdict::UNKNOWN);
        }
        Err(refusal) => {
            // It may have been stored all the same, when only the answer was lost.
            s3.discard(&key).await;
            return Err(refusal.error(
                &s3.location,
                "s3:PutObject",
                "finding out what the store makes of conditions",
            ));
        }
    };
    let verdict = tries(s3, put, etag.as_deref()).await;
    s3.discard(&key).await;
    let verdict = verdict.map_err(|refusal| {
        refusal.error(&s3.location, "s3:PutObject", "finding out what the store makes of conditions")
    })?;
    tracing::debug!(?verdict, "conditions probed");
    Ok(verdict)
}

async fn tries(s3: &S3, put: Put<'_>, etag: Option<&str>) -> Outcome<Verdict> {
    let absent = unmet(s3.put(put, Some(&Precondition::Absent)).await)?;
    let bogus = Precondition::Is("\"0123456789abcdef0123456789abcdef\"".to_owned());
    let mut verdict = Verdict { absent, present: unmet(s3.put(put, Some(&bogus)).await)?, quoted: true };
    if verdict.present != Support::Kept {
        return Ok(verdict);
    }
    let Some(etag) = etag else { return Ok(Verdict { present: Support::Ignored, ..verdict }) };
    if met(s3.put(put, Some(&Precondition::Is(etag.to_owned()))).await)? {
        return Ok(verdict);
    }
    verdict.quoted = false;
    if !met(s3.put(put, Some(&Precondition::Is(unquoted(etag)))).await)? {
        // It refuses whatever it is given: of no use for telling states apart.
        verdict.present = Support::Ignored;
    }
    Ok(verdict)
}

pub(super) fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

/// What the answer to a condition that does not hold tells.
fn unmet<T>(outcome: Outcome<T>) -> Outcome<Support> {
    match outcome {
        Ok(_) => Ok(Support::Ignored),
        Err(refusal) if refusal.is_conflict() || refusal.is_absent() => Ok(Support::Kept),
        Err(refusal) if refusal.is_unknown_call() || refusal.status == Some(400) => Ok(Support::Ignored),
        Err(refusal) if refusal.is_forbidden() => Ok(Support::Unknown),
        Err(refusal) => Err(refusal),
    }
}

/// Whether a condition that holds was seen to hold.
fn met<T>(outcome: Outcome<T>) -> Result<bool, Refusal> {
    match outcome {
        Ok(_) => Ok(true),
        Err(refusal) if refusal.is_conflict() || refusal.status == Some(400) => Ok(false),
        Err(refusal) => Err(refusal),
    }
}
