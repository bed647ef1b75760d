//! One thing that was looked at: passed, failed with cause and remedy, or not possible to look at.

use serde_json::{Value, json};

use crate::{
    error::{Check, Error},
    report::{Line, Tone},
};

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Stable name of the check, in kebab case.
    pub(crate) check: Check,
    /// What was looked at, for people.
    pub(crate) subject: String,
    pub(crate) outcome: Outcome,
    /// A failure is about this one thing (it is not there, it has no such member), and not about the way to it.
    pub(crate) is_of_the_thing: bool,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was seen.
    Passed(String),
    Failed {
        seen: String,
        cause: String,
        remedy: String,
    },
    /// An earlier failure left nothing to look at.
    Skipped(String),
    /// Whether it is right is not known: neither passed nor failed.
    Warned {
        seen: String,
        cause: String,
        remedy: String,
    },
}

impl Finding {
    pub(crate) fn passed(check: Check, subject: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::new(check, subject, Outcome::Passed(seen.into()))
    }

    pub(crate) fn failed(
        check: Check,
        subject: impl Into<String>,
        seen: impl Into<String>,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let outcome = Outcome::Failed { seen: seen.into(), cause: cause.into(), remedy: remedy.into() };
        Self::new(check, subject, outcome)
    }

    pub(crate) fn skipped(check: Check, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(check, subject, Outcome::Skipped(why.into()))
    }

    fn new(check: Check, subject: impl Into<String>, outcome: Outcome) -> Self {
        Self { check, subject: subject.into(), outcome, is_of_the_thing: false }
    }

    /// The same, about this one thing.
    pub(crate) fn of_the_thing(self) -> Self {
        Self { is_of_the_thing: true, ..self }
    }

    pub(crate) fn warned(
        check: Check,
        subject: impl Into<String>,
        seen: impl Into<String>,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let outcome = Outcome::Warned { seen: seen.into(), cause: cause.into(), remedy: remedy.into() };
        Self::new(check, subject, outcome)
    }

    /// A refusal, seen as the outcome of a check.
    pub(crate) fn refused(check: Check, subject: impl Into<String>, error: &Error) -> Self {
        let cause = if error.causes.is_empty() { error.code.to_string() } else { error.causes.join("; ") };
        Self::failed(check, subject, error.message.clone(), cause, error.hints.join("; "))
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    #[cfg(test)]
    pub(crate) fn is_warned(&self) -> bool {
        matches!(self.outcome, Outcome::Warned { .. })
    }

    /// For people: one line, and two more for a failure or warning.
    pub(crate) fn lines(&self) -> Vec<Line> {
        match &self.outcome {
            Outcome::Passed(seen) => {
                vec![Line::marked(Tone::Good, format_args!("ok    {}: {seen}", self.subject))]
            }
            Outcome::Skipped(why) => {
                vec![Line::marked(Tone::Changed, format_args!("skip  {}: {why}", self.subject))]
            }
            Outcome::Failed { seen, cause, remedy } | Outcome::Warned { seen, cause, remedy } => {
                let (mark, tone) =
                    if self.is_failed() { ("FAIL", Tone::Error) } else { ("warn", Tone::Warning) };
                let text = format!("{mark}  {}: {seen}  [{}]", self.subject, self.check);
                vec![
                    Line::marked(tone, text),
                    format!("        cause:  {cause}").into(),
                    format!("        remedy: {remedy}").into(),
                ]
            }
        }
    }

    pub(crate) fn to_text(&self) -> String {
        self.lines().iter().map(Line::text).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({ "check": self.check, "subject": self.subject });
        let more = match &self.outcome {
            Outcome::Passed(seen) => json!({ "result": "passed", "seen": seen }),
            Outcome::Skipped(why) => json!({ "result": "skipped", "why": why }),
            Outcome::Failed { seen, cause, remedy } => {
                json!({ "result": "failed", "seen": seen, "cause": cause, "remedy": remedy })
            }
            Outcome::Warned { seen, cause, remedy } => {
                json!({ "result": "warning", "seen": seen, "cause": cause, "remedy": remedy })
            }
        };
        if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        object
    }
}
