//! What is read of a store's answers, as plain functions for [`crate::fuzzing`].

use http::HeaderMap;

use super::{names::Location, refusal::Refusal, rights};
use crate::{
    error::{Error, Result},
    http::Answer,
};

/// The error that an answer becomes.
pub(crate) fn error(status: u16, body: &[u8]) -> Result<Error> {
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    let location = Location::new("acme/keys", None)?;
    Ok(Refusal::of(&answer).error(&location, rights::WRITE, "writing"))
}
