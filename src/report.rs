//! The one place that writes. stdout is data, stderr is talk; a closed pipe is not an error.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    cli::Output,
    error::Error,
    interrupt::Interrupt,
    target::{Account, Target},
};

/// The version of the JSON that is printed.
const API_VERSION: &str = "keyless/v1";

/// Where the result, the progress and the errors go.
pub(crate) struct Report<'a> {
    output: Output,
    verbose: bool,
    /// Codes of warnings that have been told already.
    told: &'static [&'static str],
    target: Target,
    /// The line that names it, once it was printed.
    named: String,
    data: &'a mut (dyn Write + Send),
    talk: &'a mut (dyn Write + Send),
    interrupt: Interrupt,
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
        Self {
            output,
            verbose,
            told: &[],
            target: Target::default(),
            named: String::new(),
            data,
            talk,
            interrupt: Interrupt::new(),
        }
    }

    /// With the wish of whoever reads it that the program ends.
    pub(crate) fn interrupted_by(mut self, interrupt: &Interrupt) -> Self {
        self.interrupt = interrupt.clone();
        self
    }

    /// Whether the program was asked to end.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// For a command that is a step of another: what it does is said, its result is not.
    pub(crate) fn step<'b>(
        &'b mut self,
        told: &'static [&'static str],
        sink: &'b mut (dyn Write + Send),
    ) -> Report<'b> {
        let (target, named) = (self.target.clone(), self.named.clone());
        Report {
            output: Output::Text,
            verbose: true,
            told,
            target,
            named,
            data: sink,
            talk: self.talk,
            interrupt: self.interrupt.clone(),
        }
    }

    /// What the run is about: named once on stderr in text form, and in every JSON result and error from here on.
    pub(crate) fn about(&mut self, target: Target) {
        let line = target.to_string();
        self.target = target;
        if self.output == Output::Text && !line.is_empty() && line != self.named {
            self.talk(format_args!("{line}"));
            self.named = line;
        }
    }

    /// The account that the run turned out to be about.
    pub(crate) fn about_account(&mut self, account: Option<Account>) {
        self.about(Target { account, ..self.target.clone() });
    }

    /// As [`Self::about`], for what is not known whole yet: only JSON shows it.
    pub(crate) fn about_silently(&mut self, target: Target) {
        self.target = target;
    }

    /// What the run is about.
    pub(crate) fn target(&self) -> &Target {
        &self.target
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
                object.insert("target".into(), self.target.to_json());
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
