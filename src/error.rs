//! Errors: what failed, where, why, and what to do.
//!
//! One type for all of it. The *kind* decides the exit code, the *code* is stable and meant for scripts,
//! the *causes* keep the messages of the other side, and the *hints* name the remedy.

mod codes;
mod library;

use std::fmt;

pub(crate) use self::{
    codes::{Check, Code, Entry},
    library::yaml,
};
use crate::{redact, signal::Signal};

/// Why the program did not go on: decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Arguments or settings that cannot be meant: exit code 2.
    Usage,
    /// It could not be done, or could not be established: exit code 3.
    Failed,
    /// A person answered the question with no: exit code 1. It is no error, and is not shown as one.
    Declined,
    /// A signal ended it: exit code 130 or 143. Or `--timeout` did: 3.
    Interrupted(Signal),
}

/// An error with everything a person or a script needs to act on it.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    /// Decides the exit code.
    pub(crate) kind: Kind,
    /// What went wrong, e.g. `bucket-forbidden`.
    pub(crate) code: Code,
    /// What was being done to what, and how it ended.
    pub(crate) message: String,
    /// The messages of the other side or the layer below, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do next.
    pub(crate) hints: Vec<String>,
}

/// The most causes, hints, and lines of a hint that are shown.
const MOST_LINES: usize = 50;

/// The result of everything that can end in an [`Error`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Something could not be done: exit code 3.
    pub(crate) fn failed(code: Code, message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, code, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Arguments or settings that cannot be meant: exit code 2.
    pub(crate) fn usage(code: Code, message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::failed(code, message) }
    }

    /// A person did not want it: exit code 1. `message` says what was changed until then.
    pub(crate) fn declined(message: impl Into<String>) -> Self {
        Self { kind: Kind::Declined, ..Self::failed(Code::Declined, message) }
    }

    /// A signal asked the program to end.
    pub(crate) fn interrupted(signal: Signal) -> Self {
        let (code, message) = match signal {
            Signal::Interrupt | Signal::Terminate => {
                (Code::Interrupted, format!("stopped by {}", signal.name()))
            }
            Signal::Timeout(limit) => {
                let seconds = limit.as_secs_f64();
                (Code::TimeLimit, format!("the command did not end within {seconds} s (--timeout)"))
            }
        };
        Self { kind: Kind::Interrupted(signal), ..Self::failed(code, message) }
            .hint("start it again: it goes on from what is there")
    }

    /// Adds a message of the other side. Blank text adds nothing: some stores send empty messages. For errors of
    /// libraries there is [`Self::caused_by_chain`].
    pub(crate) fn caused_by(mut self, cause: impl Cause) -> Self {
        let cause = cause.text();
        if !cause.trim().is_empty() {
            self.causes.push(cause.trim().to_owned());
        }
        self
    }

    /// Adds the error of a library and every source below it, leaving out what only repeats the line above, and what
    /// a parser or a subprocess was given.
    pub(crate) fn caused_by_chain(self, error: &(dyn std::error::Error + 'static)) -> Self {
        library::chain(error).into_iter().fold(self, |described, text| {
            match described.causes.last().is_some_and(|above| above.contains(&text)) {
                true => described,
                false => described.caused_by(text),
            }
        })
    }

    /// Adds a remedy.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error, but one that the user can fix on the command line or in `keyless.yaml`.
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

/// What may be the cause of an error as it is: text of our own, and errors that quote nothing of what they were given.
/// An error of a parser is none, so that its input cannot get into the text by mistake.
pub(crate) trait Cause {
    fn text(self) -> String;
}

macro_rules! cause {
    ($($kind:ty),+ $(,)?) => {
        $(impl Cause for $kind {
            fn text(self) -> String {
                self.to_string()
            }
        })+
    };
}

cause!(&str, &&str, String, &String, fmt::Arguments<'_>);
cause!(
    crate::files::FileError,
    std::io::Error,
    &std::io::Error,
    std::str::Utf8Error,
    url::ParseError,
    base64::DecodeError
);

/// For a terminal or a log: a line for the message and for each cause, and one or more for each hint.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(|_, label| label.to_owned()))
    }
}

/// What a line of an error begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Error,
    Cause,
    Hint,
}

impl Error {
    /// As it is printed, with each label as `label` shows it.
    pub(crate) fn text(&self, label: impl Fn(Label, &str) -> String) -> String {
        let error = label(Label::Error, &format!("error[{}]", self.code));
        let mut text = format!("{error}: {}", redact::line(&self.message));
        let cause = || label(Label::Cause, "caused by");
        for line in self.causes.iter().take(MOST_LINES) {
            text += &format!("\n  {}: {}", cause(), redact::line(line));
        }
        if let Some(more @ 1..) = self.causes.len().checked_sub(MOST_LINES) {
            text += &format!("\n  {}: {more} more", cause());
        }
        for hint in self.hints.iter().take(MOST_LINES) {
            for (number, line) in hint.lines().take(MOST_LINES).enumerate() {
                let before = match number {
                    0 => format!("  {}: ", label(Label::Hint, "hint")),
                    _ => "    ".to_owned(),
                };
                text += &format!("\n{before}{}", redact::line(line));
            }
        }
        text
    }
}

impl std::error::Error for Error {}
