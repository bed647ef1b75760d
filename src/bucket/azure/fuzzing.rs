//! What is read of a store's answers, as plain functions for [`crate::fuzzing`].

use http::HeaderMap;

use super::{names::Location, public, refusal::Refusal, rights};
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

/// The list of a container's blobs and the properties of an account: as many names as the list has blobs.
pub(crate) fn list(body: &[u8]) {
    if let Some((names, _)) = public::blobs(body) {
        let most = body.windows(5).filter(|part| part == b"<Blob").count();
        assert!(names.len() <= most, "more blobs than are listed");
        assert!(public::says_website_is_on(body).is_none(), "one answer is two");
    }
}
