//! Conditional writes, and what a store makes of their conditions.
//!
//! AWS is trusted. Others ignore conditions silently, or take them in their own spelling. It is found out by the
//! writes of the documents themselves: a condition that cannot be true is sent first, and an answer `200` to it gives
//! the store away. No other object is ever made for that.

use super::{Precondition, Put, S3, refusal::Refusal};
use crate::{
    bucket::{Bucket, Condition, Expected, Version, WriteError},
    error::Result,
};

/// What a store makes of conditions, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    /// Whether `If-None-Match: *` is kept.
    pub(super) absent: Option<bool>,
    /// What it makes of `If-Match`.
    pub(super) present: Option<Match>,
}

/// How a store compares entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// Not at all, or in a way that is of no use.
    Ignored,
    /// As it gave them, in quotes (RFC 9110 §13.1.1).
    Quoted,
    /// Without the quotes.
    Unquoted,
}

/// No object has this entity tag.
const IMPOSSIBLE: &str = "\"0123456789abcdef0123456789abcdef\"";

impl Conditions {
    pub(super) const KEPT: Self = Self { absent: Some(true), present: Some(Match::Quoted) };
}

/// How a conditional write ended.
enum Sent {
    Written,
    /// The condition did not hold.
    Unmet(String),
    /// The store knows no such condition; nothing was written.
    Unknown,
}

impl S3 {
    /// Writes if the object is still in the expected state.
    pub(super) async fn write_if(&self, put: Put<'_>, expected: &Expected) -> Result<Condition, WriteError> {
        let known = self.conditions();
        match expected {
            Expected::Absent => match known.absent {
                Some(true) => self.put_kept(put, Precondition::Absent, expected).await,
                Some(false) => self.compare_and_put(put, expected).await,
                None => self.put_absent(put, expected).await,
            },
            Expected::Present(Version(etag)) => match (known.present, known.absent) {
                (Some(Match::Quoted), _) => {
                    self.put_kept(put, Precondition::Is(etag.clone()), expected).await
                }
                (Some(Match::Unquoted), _) => {
                    self.put_kept(put, Precondition::Is(unquoted(etag)), expected).await
                }
                // A store that ignores one kind is not trusted with the other.
                (Some(Match::Ignored), _) | (None, Some(false)) => self.compare_and_put(put, expected).await,
                (None, _) => self.put_present(put, etag, expected).await,
            },
        }
    }

    /// By a condition that the store is known to keep.
    async fn put_kept(
        &self,
        put: Put<'_>,
        condition: Precondition,
        expected: &Expected,
    ) -> Result<Condition, WriteError> {
        match self.send(put, &condition).await? {
            Sent::Written => Ok(Condition::Kept),
            Sent::Unmet(answer) => Err(WriteError::Conflict(answer)),
            Sent::Unknown => self.compare_and_put(put, expected).await,
        }
    }

    /// The first write to a store that is not known yet, where nothing is. Repeated with the same bytes it must be
    /// refused, now that something is there.
    async fn put_absent(&self, put: Put<'_>, expected: &Expected) -> Result<Condition, WriteError> {
        self.still(put.key, expected).await?;
        match self.send(put, &Precondition::Absent).await? {
            Sent::Unmet(answer) => {
                self.learn(|known| known.absent = Some(true));
                Err(WriteError::Conflict(answer))
            }
            Sent::Unknown => {
                self.learn(|known| known.absent = Some(false));
                self.compare_and_put(put, expected).await
            }
            Sent::Written => {
                let kept = matches!(self.send(put, &Precondition::Absent).await?, Sent::Unmet(_));
                self.learn(|known| known.absent = Some(kept));
                Ok(if kept { Condition::Kept } else { Condition::Ignored })
            }
        }
    }

    /// The first write to a store that is not known yet, over something.
    async fn put_present(
        &self,
        put: Put<'_>,
        etag: &str,
        expected: &Expected,
    ) -> Result<Condition, WriteError> {
        self.still(put.key, expected).await?;
        match self.send(put, &Precondition::Is(IMPOSSIBLE.to_owned())).await? {
            Sent::Written => {
                self.learn(|known| known.present = Some(Match::Ignored));
                return Ok(Condition::Ignored);
            }
            Sent::Unknown => {
                self.learn(|known| known.present = Some(Match::Ignored));
                return self.compare_and_put(put, expected).await;
            }
            Sent::Unmet(_) => {}
        }
        let mut answer = String::new();
        for (form, tag) in [(Match::Quoted, etag.to_owned()), (Match::Unquoted, unquoted(etag))] {
            match self.send(put, &Precondition::Is(tag)).await? {
                Sent::Written => {
                    self.learn(|known| known.present = Some(form));
                    return Ok(Condition::Kept);
                }
                Sent::Unmet(words) => answer = words,
                Sent::Unknown => {}
            }
        }
        // Either another writer was faster, or the store refuses whatever it is given.
        self.still(put.key, expected).await.map_err(|_| WriteError::Conflict(answer))?;
        self.learn(|known| known.present = Some(Match::Ignored));
        self.compare_and_put(put, expected).await
    }

    /// For stores that do not check: looks first. Another writer can still come in between, so it is told.
    async fn compare_and_put(&self, put: Put<'_>, expected: &Expected) -> Result<Condition, WriteError> {
        self.still(put.key, expected).await?;
        self.put(put, None).await.map_err(|refusal| self.not_written(put.key, refusal))?;
        Ok(Condition::Ignored)
    }

    async fn still(&self, key: &str, expected: &Expected) -> Result<(), WriteError> {
        match Expected::of(self.read(key).await?.as_ref()) == *expected {
            true => Ok(()),
            false => Err(WriteError::Conflict(format!("{} has changed", self.name(key)))),
        }
    }

    async fn send(&self, put: Put<'_>, condition: &Precondition) -> Result<Sent, WriteError> {
        let aws = self.location.aws;
        match self.put(put, Some(condition)).await {
            Ok(()) => Ok(Sent::Written),
            Err(refusal) if refusal.is_conflict() => Ok(Sent::Unmet(refusal.text())),
            // Amazon answers so to `If-Match` on an object that is gone.
            Err(refusal) if refusal.is_absent() && matches!(condition, Precondition::Is(_)) => {
                Ok(Sent::Unmet(refusal.text()))
            }
            Err(refusal) if !aws && (refusal.is_unknown_call() || is_unknown_header(&refusal)) => {
                Ok(Sent::Unknown)
            }
            Err(refusal) => Err(self.not_written(put.key, refusal).into()),
        }
    }
}

/// A store that does not know the header of a condition. An unconditional write shows whether it was that.
fn is_unknown_header(refusal: &Refusal) -> bool {
    refusal.status == Some(400)
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
