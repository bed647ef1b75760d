//! What is read of a store's answers, as plain functions for [`crate::fuzzing`].

use http::HeaderMap;

use super::refusal::Refusal;
use crate::{error::Error, http::Answer};

/// The error that an answer becomes.
pub(crate) fn error(status: u16, body: &[u8]) -> Error {
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_vec() };
    Refusal::of(&answer, &HeaderMap::new()).error("acme", "storage.objects.create", "writing")
}
