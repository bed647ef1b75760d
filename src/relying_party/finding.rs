//! One thing that was looked at: passed, failed with cause and remedy, or not possible to look at.

use serde_json::{Value, json};

use crate::error::Error;

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Stable name of the check, in kebab case.
    pub(crate) check: &'static str,
    /// What was looked at, for people.
    pub(crate) subject: String,
    pub(crate) outcome: Outcome,
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
}

impl Finding {
    pub(crate) fn passed(check: &'static str, subject: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { check, subject: subject.into(), outcome: Outcome::Passed(seen.into()) }
    }

    pub(crate) fn failed(
        check: &'static str,
        subject: impl Into<String>,
        seen: impl Into<String>,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let outcome = Outcome::Failed { seen: seen.into(), cause: cause.into(), remedy: remedy.into() };
        Self { check, subject: subject.into(), outcome }
    }

    pub(crate) fn skipped(check: &'static str, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { check, subject: subject.into(), outcome: Outcome::Skipped(why.into()) }
    }

    /// A refusal, seen as the outcome of a check.
    pub(crate) fn refused(check: &'static str, subject: impl Into<String>, error: &Error) -> Self {
        let cause = if error.causes.is_empty() { error.code.to_owned() } else { error.causes.join("; ") };
        Self::failed(check, subject, error.message.clone(), cause, error.hints.join("; "))
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    /// For people: one line, and two more for a failure.
    pub(crate) fn to_lines(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Passed(seen) => vec![format!("ok    {}: {seen}", self.subject)],
            Outcome::Skipped(why) => vec![format!("skip  {}: {why}", self.subject)],
            Outcome::Failed { seen, cause, remedy } => vec![
                format!("FAIL  {}: {seen}  [{}]", self.subject, self.check),
                format!("        cause:  {cause}"),
                format!("        remedy: {remedy}"),
            ],
        }
    }

    #[cfg(test)]
    pub(crate) fn to_text(&self) -> String {
        self.to_lines().join("\n")
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({ "check": self.check, "subject": self.subject });
        let more = match &self.outcome {
            Outcome::Passed(seen) => json!({ "result": "passed", "seen": seen }),
            Outcome::Skipped(why) => json!({ "result": "skipped", "why": why }),
            Outcome::Failed { seen, cause, remedy } => {
                json!({ "result": "failed", "seen": seen, "cause": cause, "remedy": remedy })
            }
        };
        if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        object
    }
}
