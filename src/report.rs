//! The one place that writes. stdout is data, stderr is messages. All of it passes [`redact`], so that no caller has to
//! think of secrets or of what acts on a terminal.
//!
//! A closed pipe is not an error; a stdout that takes no more is one ([`Report::finish`]).

mod colour;
mod data;
mod line;
mod shared;

use std::{
    fmt,
    io::{self, Write},
};

use serde_json::{Value, json};

use self::line::shown;
pub(crate) use self::{
    colour::{Tone, When, Wish},
    line::Line,
    shared::{Lines, SharedReport},
};
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

/// A line that a quiet run has not shown.
enum Held {
    Data(String),
    Message(String),
}

/// Where the result, the progress and the errors go.
pub(crate) struct Report<'a> {
    output: Output,
    verbose: bool,
    /// What is held back of a quiet run, until a question needs it.
    held: Option<Vec<Held>>,
    colour: Colour,
    /// Columns of the terminal that the result goes to.
    width: Option<usize>,
    target: Target,
    /// The context that warnings are about, where a run has several.
    warns_of: Option<String>,
    /// The line that names it, once it was printed.
    named: String,
    /// The same before it is printed: together with the first other line, when all of it is known.
    unsaid: Option<String>,
    data: &'a mut (dyn Write + Send),
    messages: &'a mut (dyn Write + Send),
    interrupt: Interrupt,
    /// Why `data` takes no more.
    failed: Option<io::Error>,
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
            held: None,
            colour: Colour::default(),
            width: None,
            target: Target::default(),
            warns_of: None,
            named: String::new(),
            unsaid: None,
            data,
            messages,
            interrupt: Interrupt::new(),
            failed: None,
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
        self.held = quiet.then(Vec::new);
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
        let line = target.to_string();
        // The same target, of which more is known now, is named once.
        if self.unsaid.as_ref().is_some_and(|unsaid| !line.starts_with(unsaid.as_str())) {
            self.name_target();
        }
        self.target = target;
        if self.output == Output::Text && !line.is_empty() {
            self.unsaid = (line != self.named).then_some(line);
        }
    }

    /// Names what the run is about, where no line did yet.
    fn name_target(&mut self) {
        if let Some(line) = self.unsaid.take() {
            let text = shown(&line);
            self.named = line;
            self.tell(text);
        }
    }

    /// The account that the run turned out to be about.
    pub(crate) fn about_account(&mut self, account: Option<Account>) {
        self.about(Target { account, ..self.target.clone() });
    }

    /// As [`Self::about`], for what is not known whole yet: only JSON shows it.
    pub(crate) fn about_silently(&mut self, target: Target) {
        self.name_target();
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
            self.name_target();
            let line = line.into().shown(self.colour.data, self.width);
            match &mut self.held {
                Some(held) => held.push(Held::Data(line)),
                None => self.write(&line),
            }
        }
    }

    /// A line that says how the run ended, in text form only. A quiet run shows it, too.
    pub(crate) fn result(&mut self, line: impl Into<Line>) {
        if self.output == Output::Text {
            self.name_target();
            let line = line.into().shown(self.colour.data, self.width);
            match self.held {
                Some(_) => self.write(line.trim_start_matches('\n')),
                None => self.write(&line),
            }
        }
    }

    /// What a person is asked. A quiet run shows before it what it held back: it may be what the question is about.
    pub(crate) fn question(&mut self, question: impl fmt::Display) {
        self.name_target();
        for held in self.held.as_mut().map(std::mem::take).unwrap_or_default() {
            match held {
                Held::Data(line) => self.write(&line),
                Held::Message(text) => self.talk_raw(&text),
            }
        }
        self.say(question);
    }

    /// A message that a quiet run shows, too.
    pub(crate) fn say(&mut self, message: impl fmt::Display) {
        self.name_target();
        self.talk_raw(&shown(&message.to_string()));
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
            self.name_target();
            self.write(&document);
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
        self.write(&match self.output {
            Output::Yaml => data::yaml(&result),
            _ => data::json(&result),
        });
    }

    /// A document of an output form that only one command has, in that form only. Every text in it that comes from elsewhere
    /// has passed [`redact::line`]: what else is in it are words of this program, which may happen to be the value of a Secret.
    pub(crate) fn form(&mut self, document: impl FnOnce(&Format) -> String) {
        if let Output::Report(format) = self.output {
            self.write(redact::document(&document(format)).trim_end_matches('\n'));
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
        self.name_target();
        self.write(&document);
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
        self.name_target();
        let of = self.warns_of.as_ref().map(|name| format!("context {name}: ")).unwrap_or_default();
        let text = shown(&format!("warning[{}]: {of}{}", warning.code, warning.message));
        let label = format!("warning[{}]", warning.code);
        let rest = text.strip_prefix(&label).filter(|_| self.colour.messages);
        self.tell(match rest {
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
        self.name_target();
        // Its lines are redacted one by one.
        let text = error.text(|label, text| match self.colour.messages {
            true => label.tone().paint(text),
            false => text.to_owned(),
        });
        self.talk_raw(&text);
        members["error"] = json!({
            "code": error.code,
            "message": error.message,
            "causes": error.causes,
            "hints": error.hints,
        });
        self.json(command, members);
    }

    /// After all of the result so far: where both streams end in one place, they are read in this order.
    fn message(&mut self, line: fmt::Arguments<'_>) {
        self.name_target();
        self.tell(shown(&line.to_string()));
    }

    /// A message that a quiet run holds back. It passed [`redact`] already.
    fn tell(&mut self, text: String) {
        match &mut self.held {
            Some(held) => held.push(Held::Message(text)),
            None => self.talk_raw(&text),
        }
    }

    /// Text that passed [`redact`] already.
    fn talk_raw(&mut self, text: &str) {
        self.flush();
        // Without stderr there is nowhere to say so.
        drop(writeln!(self.messages, "{text}"));
    }

    fn write(&mut self, text: &str) {
        let written = writeln!(self.data, "{text}");
        self.note(written);
    }

    fn flush(&mut self) {
        let flushed = self.data.flush();
        self.note(flushed);
    }

    /// A reader that went away (`| head`) has what it wanted.
    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed.get_or_insert(error);
        }
    }

    /// Writes out what is left. An error: a part of the result so far could not be written, e.g. to a full disk. What
    /// was planned was then not shown, and must not be done.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.name_target();
        self.flush();
        match &self.failed {
            None => Ok(()),
            Some(error) => Err(Error::failed(Code::Output, "the result cannot be written to stdout")
                .caused_by(error)
                .hint("make room on the disk that stdout leads to, or choose another place for it")),
        }
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
