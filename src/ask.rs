//! PURE. Questions as values: the deciding code says what is missing, and its caller asks a person or refuses.

use crate::error::Result;

/// Asks for a setting: its name in `keyless.yaml`, the question, the answer that is offered.
pub(crate) type Ask<'a> = dyn FnMut(&str, &str, Offer<'_>) -> Result<String> + 'a;

/// What a question offers as its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer<'a> {
    Nothing,
    /// Taken without asking where there is no terminal.
    Default(&'a str),
    /// What an object in the cluster says: its author does not decide. It takes a person to confirm it.
    Suggestion(&'a str),
}

/// What a person answered in this run. What was taken without asking is not among it, nor what a file or the cluster says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Vec<(String, String)>);

impl Answers {
    pub(crate) fn note(&mut self, setting: &str, answer: &str) {
        self.0.push((setting.to_owned(), answer.to_owned()));
    }

    /// The answer that names this setting.
    pub(crate) fn to(&self, setting: &str) -> Option<&str> {
        self.0.iter().rev().find(|(asked, _)| asked == setting).map(|(_, answer)| answer.as_str())
    }
}

impl<'a> Offer<'a> {
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::Nothing => None,
            Self::Default(text) | Self::Suggestion(text) => Some(text),
        }
    }
}
