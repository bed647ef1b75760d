//! What a step of a story returns: nothing, or a sentence that says what was seen and not expected.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The result of a step.
pub(crate) type Checked<T = ()> = Result<T, Failure>;

/// Why a story failed, in words for a person.
///
/// It is no [`Error`] itself, so that every error of a library turns into it by `?`.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self(text)
    }
}

/// Says what was being done when an error came.
pub(crate) trait While<T> {
    fn during(self, doing: impl fmt::Display) -> Checked<T>;
}

impl<T, E: Into<Failure>> While<T> for Result<T, E> {
    fn during(self, doing: impl fmt::Display) -> Checked<T> {
        self.map_err(|error| Failure(format!("{doing}: {}", error.into())))
    }
}

/// Leaves the story with a sentence unless the condition holds.
macro_rules! check {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err($crate::check::Failure(format!($($sentence)+)));
        }
    };
}
pub(crate) use check;

/// Repeats `attempt` until it succeeds; after `limit` its last failure is the answer.
pub(crate) async fn until<T>(
    what: impl fmt::Display,
    limit: Duration,
    mut attempt: impl AsyncFnMut() -> Checked<T>,
) -> Checked<T> {
    let end = Instant::now() + limit;
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(failure) if Instant::now() >= end => {
                return Err(Failure(format!("waited {limit:?} for {what}; last seen: {failure}")));
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
