//! The one place that writes. stdout is data, stderr is talk; a closed pipe is not an error.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{cli::Output, error::Error};

/// The version of the JSON that is printed.
const API_VERSION: &str = "keyless/v1";

/// Where the result, the progress and the errors go.
pub(crate) struct Report<'a> {
    output: Output,
    verbose: bool,
    /// Codes of warnings that have been told already.
    told: &'static [&'static str],
    data: &'a mut (dyn Write + Send),
    talk: &'a mut (dyn Write + Send),
}

/// Something that does not stop the work but that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// Stable name, in kebab case.
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        output: Output,
        verbose: bool,
        data: &'a mut (dyn Write + Send),
        talk: &'a mut (dyn Write + Send),
    ) -> Self {
        Self { output, verbose, told: &[], data, talk }
    }

    /// For a command that is a step of another: what it does is said, its result is not.
    pub(crate) fn step<'b>(
        &'b mut self,
        told: &'static [&'static str],
        sink: &'b mut (dyn Write + Send),
    ) -> Report<'b> {
        Report { output: Output::Text, verbose: true, told, data: sink, talk: self.talk }
    }

    /// A line of the result, in text form only.
    pub(crate) fn line(&mut self, line: impl fmt::Display) {
        if self.output == Output::Text {
            ignore_closed(writeln!(self.data, "{line}"));
        }
    }

    /// The whole result, in JSON form only. `result` must be an object.
    pub(crate) fn json(&mut self, command: &str, mut result: Value) {
        if self.output == Output::Json {
            if let Some(object) = result.as_object_mut() {
                object.insert("apiVersion".into(), json!(API_VERSION));
                object.insert("command".into(), json!(command));
            }
            ignore_closed(writeln!(self.data, "{result}"));
        }
    }

    /// A document of another form than ours, e.g. a JSON schema, the same in every output form.
    pub(crate) fn document(&mut self, document: &Value) {
        ignore_closed(writeln!(self.data, "{document:#}"));
    }

    /// What is being done.
    pub(crate) fn progress(&mut self, line: impl fmt::Display) {
        self.talk(format_args!("{line}"));
    }

    /// What is being done, for those who asked for more.
    pub(crate) fn detail(&mut self, line: impl fmt::Display) {
        if self.verbose {
            self.talk(format_args!("{line}"));
        }
    }

    pub(crate) fn warning(&mut self, warning: &Warning) {
        if !self.told.contains(&warning.code) {
            self.talk(format_args!("warning[{}]: {}", warning.code, warning.message));
        }
    }

    /// The end of a command that could not be carried out.
    pub(crate) fn error(&mut self, command: &str, error: &Error) {
        self.talk(format_args!("{error}"));
        self.json(
            command,
            json!({ "error": {
                "code": error.code,
                "message": error.message,
                "causes": error.causes,
                "hints": error.hints,
            }}),
        );
    }

    /// After all of the result so far: where both streams end in one place, they are read in this order.
    fn talk(&mut self, line: fmt::Arguments<'_>) {
        ignore_closed(self.data.flush());
        ignore_closed(writeln!(self.talk, "{line}"));
    }
}

/// For several who talk at the same time.
pub(crate) struct SharedTalk<'r, 'a>(Mutex<&'r mut Report<'a>>);

impl<'r, 'a> SharedTalk<'r, 'a> {
    pub(crate) fn new(report: &'r mut Report<'a>) -> Self {
        Self(Mutex::new(report))
    }

    /// As [`Report::progress`].
    pub(crate) fn progress(&self, line: impl fmt::Display) {
        // Whoever panicked while he talked has left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).progress(line);
    }
}

impl Warning {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }
}

/// A reader that went away (`| head`) has what it wanted; there is nobody left to tell about anything else.
fn ignore_closed(written: io::Result<()>) {
    drop(written);
}
