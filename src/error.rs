//! What the program says when it cannot go on: what, where, why, and what to do.
//!
//! One type for all of it. The *kind* decides the exit code, the *code* is stable and meant for scripts,
//! the *causes* keep what the far side said, and the *hints* name the remedy.

use std::fmt;

use crate::interrupt::Signal;

/// Why the program did not go on: decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Arguments or settings that cannot be meant: exit code 2.
    Usage,
    /// It could not be done, or could not be established: exit code 3.
    Failed,
    /// A person answered the question with no: exit code 1. It is no error, and is not shown as one.
    Declined,
    /// A signal ended it: exit code 130 or 143.
    Interrupted(Signal),
}

/// An error with everything a person or a script needs to act on it.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    /// Decides the exit code.
    pub(crate) kind: Kind,
    /// Stable name of what went wrong, in kebab case, e.g. `bucket-forbidden`.
    pub(crate) code: &'static str,
    /// What was being done to what, and how it ended.
    pub(crate) message: String,
    /// What the other side or the layer below said, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do next.
    pub(crate) hints: Vec<String>,
}

/// The result of everything that can end in an [`Error`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Something could not be done: exit code 3.
    pub(crate) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, code, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Arguments or settings that cannot be meant: exit code 2.
    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::failed(code, message) }
    }

    /// A person did not want it: exit code 1. `message` says what was changed until then.
    pub(crate) fn declined(message: impl Into<String>) -> Self {
        Self { kind: Kind::Declined, ..Self::failed("declined", message) }
    }

    /// A signal asked the program to end.
    pub(crate) fn interrupted(signal: Signal) -> Self {
        let message = format!("stopped by {}", signal.name());
        Self { kind: Kind::Interrupted(signal), ..Self::failed("interrupted", message) }
            .hint("start it again: it goes on from what is there")
    }

    /// Adds what the other side said. Blank text adds nothing: some stores send empty messages.
    pub(crate) fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        let cause = cause.to_string();
        if !cause.trim().is_empty() {
            self.causes.push(cause.trim().to_owned());
        }
        self
    }

    /// Adds an error and every source below it, leaving out what only repeats the line above.
    pub(crate) fn caused_by_chain(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if self.causes.last().is_none_or(|above| !above.contains(&text)) {
                self = self.caused_by(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a remedy.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error, but one that the user can mend on the command line or in `keyless.yaml`.
    pub(crate) fn into_usage(mut self) -> Self {
        self.kind = Kind::Usage;
        self
    }

    /// Says where it happened, in front of what happened.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", cause.replace('\n', "\n    "))?;
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {}", hint.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
