//! The one place that writes. stdout is data, stderr is messages. All of it passes [`redact`], so that no caller has to
//! think of secrets or of what acts on a terminal.
//!
//! A closed pipe is not an error; a stdout that takes no more is one ([`Report::finish`]).

mod colour;
mod data;
mod line;
mod shared;
mod streams;

use std::{fmt, io::Write};

use serde_json::{Value, json};

pub(crate) use self::{
    colour::{Tone, When, Wish},
    line::Line,
    shared::{Lines, SharedReport},
};
use self::{line::shown, streams::Streams};
use crate::{
    audit::Format,
    cli::Output,
    error::{Code, Error, Result},
    interrupt::Interrupt,
    redact,
    target::{Account, Target},
    warning::Warning,
};

/// The version of the JSON that is printed.
pub(crate) const API_VERSION: &str = "keyless/v1";

/// Which stream gets colour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Colour {
    pub(crate) data: bool,
    pub(crate) messages: bool,
}

/// Where the result, the progress and the errors go.
pub(crate) struct Report<'a> {
    output: Output,
    verbose: bool,
    colour: Colour,
    /// Columns of the terminal that the result goes to.
    width: Option<usize>,
    target: Target,
    /// The context that warnings are about, where a run has several.
    warns_of: Option<String>,
    streams: Streams<'a>,
    interrupt: Interrupt,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        output: Output,
        verbose: bool,
        data: &'a mut (dyn Write + Send),
        messages: &'a mut (dyn Write + Send),
    ) -> Self {
        Self {
            output,
            verbose,
            colour: Colour::default(),
            width: None,
            target: Target::default(),
            warns_of: None,
            streams: Streams::new(data, messages),
            interrupt: Interrupt::new(),
        }
    }

    /// With colour in either stream, where it is a text.
    pub(crate) fn coloured(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    /// With long lines wrapped, where the result goes to a terminal of so many columns.
    pub(crate) fn wrapped(mut self, width: Option<usize>) -> Self {
        self.width = width;
        self
    }

    /// Only errors and the result, and what a question is about.
    pub(crate) fn quiet(mut self, quiet: bool) -> Self {
        self.streams.hold_back(quiet);
        self
    }

    /// With the signal that asks the program to end.
    pub(crate) fn interrupted_by(mut self, interrupt: &Interrupt) -> Self {
        self.interrupt = interrupt.clone();
        self
    }

    /// Whether the program was asked to end.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// What the run is about: named once on stderr in text form, before the next line of any kind, and in every JSON result and
    /// error from here on.
    pub(crate) fn about(&mut self, target: Target) {
        if self.output == Output::Text {
            self.streams.name(&target.to_string());
        }
        self.target = target;
    }

    /// The account that the run turned out to be about.
    pub(crate) fn about_account(&mut self, account: Option<Account>) {
        self.about(Target { account, ..self.target.clone() });
    }

    /// As [`Self::about`], for what is not known whole yet: only JSON shows it.
    pub(crate) fn about_silently(&mut self, target: Target) {
        self.streams.name_now();
        self.target = target;
    }

    /// What the run is about.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// A line of the result, in text form only. A line break at its beginning is an empty line before it; any other
    /// control character is shown as an escape, because it may come from outside.
    pub(crate) fn line(&mut self, line: impl Into<Line>) {
        if self.output == Output::Text {
            self.streams.data(line.into().shown(self.colour.data, self.width));
        }
    }

    /// A line that says how the run ended, in text form only. A quiet run shows it, too.
    pub(crate) fn result(&mut self, line: impl Into<Line>) {
        if self.output == Output::Text {
            let line = line.into().shown(self.colour.data, self.width);
            match self.streams.are_held_back() {
                true => self.streams.data_always(line.trim_start_matches('\n')),
                false => self.streams.data_always(&line),
            }
        }
    }

    /// What a person is asked. A quiet run shows before it what it held back: it may be what the question is about.
    pub(crate) fn question(&mut self, question: impl fmt::Display) {
        self.streams.release();
        self.say(question);
    }

    /// A message that a quiet run shows, too.
    pub(crate) fn say(&mut self, message: impl fmt::Display) {
        self.streams.message_always(&shown(&message.to_string()));
    }

    /// A line of the result for each of these.
    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item = impl Into<Line>>) {
        lines.into_iter().for_each(|line| self.line(line));
    }

    /// A document that is used as it is, e.g. manifests, in text form only. One that holds a secret is refused: it
    /// would end up in a repository, and altered it would be of no use. `what` names it, e.g. `the manifests`.
    pub(crate) fn text(&mut self, what: &str, document: &str) -> Result<()> {
        if self.output == Output::Text {
            let document = printable(what, document.trim_end().to_owned())?;
            self.streams.data_always(&document);
        }
        Ok(())
    }

    /// The whole result, in JSON and YAML form only. `result` must be an object.
    pub(crate) fn json(&mut self, command: &str, mut result: Value) {
        if self.is_data() {
            self.complete(&mut result);
            self.data(command, result);
        }
    }

    /// What [`Self::json`] prints as JSON, without the line break at its end, for a file or a digest of it.
    pub(crate) fn json_text(&self, command: &str, mut result: Value) -> String {
        self.complete(&mut result);
        data::json(&data::enveloped(command, result))
    }

    fn is_data(&self) -> bool {
        matches!(self.output, Output::Json | Output::Yaml)
    }

    fn complete(&self, result: &mut Value) {
        result["target"] = self.target.to_json();
        redact::json(result);
    }

    fn data(&mut self, command: &str, result: Value) {
        let result = data::enveloped(command, result);
        self.streams.data_always(&match self.output {
            Output::Yaml => data::yaml(&result),
            _ => data::json(&result),
        });
    }

    /// A document of an output form that only one command has, in that form only. Every text in it that comes from elsewhere
    /// has passed [`redact::line`]: what else is in it are words of this program, which may happen to be the value of a Secret.
    pub(crate) fn form(&mut self, document: impl FnOnce(&Format) -> String) {
        if let Output::Report(format) = self.output {
            self.streams.data_always(redact::document(&document(format)).trim_end_matches('\n'));
        }
    }

    /// As [`Self::json`], with a document that is used as it is as a member of the result. See [`Self::text`].
    pub(crate) fn json_with(
        &mut self,
        command: &str,
        mut result: Value,
        (member, document): (&str, Value),
    ) -> Result<()> {
        if self.is_data() {
            self.complete(&mut result);
            printable(&format!("`{member}`"), format!("{document:#}"))?;
            if let Some(object) = result.as_object_mut() {
                object.insert(member.to_owned(), document);
            }
            self.data(command, result);
        }
        Ok(())
    }

    /// A document of another form than ours, e.g. a JSON schema, the same in every output form. See [`Self::text`].
    pub(crate) fn document(&mut self, what: &str, document: &Value) -> Result<()> {
        let document = printable(what, redact::ascii_escapes(&format!("{document:#}")))?;
        self.streams.data_always(&document);
        Ok(())
    }

    /// What is being done.
    pub(crate) fn progress(&mut self, line: impl fmt::Display) {
        self.message(format_args!("{line}"));
    }

    /// What is left to say, as lines.
    pub(crate) fn talk_lines(&mut self, text: &str) {
        text.trim_end().lines().for_each(|line| self.message(format_args!("{line}")));
    }

    /// What is being done, for those who asked for more.
    pub(crate) fn detail(&mut self, line: impl fmt::Display) {
        if self.verbose {
            self.message(format_args!("{line}"));
        }
    }

    /// Warnings from now on name this context.
    pub(crate) fn warn_of(&mut self, context: Option<&str>) {
        self.warns_of = context.map(str::to_owned);
    }

    pub(crate) fn warning(&mut self, warning: &Warning) {
        let of = self.warns_of.as_ref().map(|name| format!("context {name}: ")).unwrap_or_default();
        let text = shown(&format!("warning[{}]: {of}{}", warning.code, warning.message));
        let label = format!("warning[{}]", warning.code);
        let rest = text.strip_prefix(&label).filter(|_| self.colour.messages);
        self.streams.message(match rest {
            Some(rest) => format!("{}{rest}", Tone::Warning.paint(&label)),
            None => text,
        });
    }

    /// The end of a command that could not be carried out.
    pub(crate) fn error(&mut self, command: &str, error: &Error) {
        self.error_with(command, error, json!({}));
    }

    /// The same for one attempt of several. `members`: an object with what else the JSON form says.
    pub(crate) fn error_with(&mut self, command: &str, error: &Error, mut members: Value) {
        // Its lines are redacted one by one.
        let text = error.text(|label, text| match self.colour.messages {
            true => label.tone().paint(text),
            false => text.to_owned(),
        });
        self.streams.message_always(&text);
        members["error"] = json!({
            "code": error.code,
            "message": error.message,
            "causes": error.causes,
            "hints": error.hints,
        });
        self.json(command, members);
    }

    fn message(&mut self, line: fmt::Arguments<'_>) {
        self.streams.message(shown(&line.to_string()));
    }

    /// Writes out what is left. An error: a part of the result so far could not be written, e.g. to a full disk. What
    /// was planned was then not shown, and must not be done.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.streams.finish().map_err(|error| {
            Error::failed(Code::Output, "the result cannot be written to stdout")
                .caused_by(error)
                .hint("make room on the disk that stdout leads to, or choose another place for it")
        })
    }
}

/// A document as it may be written to a file or printed, or the refusal of one that holds a secret. `what` names it.
pub(crate) fn printable(what: &str, document: String) -> Result<String> {
    let Some(number) = redact::secret_line(&document) else { return Ok(redact::document(&document)) };
    let line = document.lines().nth(number - 1).unwrap_or_default();
    Err(Error::failed(Code::SecretInDocument, format!("{what} would hold a secret, in line {number}"))
        .caused_by(redact::line(line.trim()))
        .hint("keep it in a Secret that the object names, or take it out where it comes from"))
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
