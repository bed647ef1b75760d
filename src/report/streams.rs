//! Both streams, for text that passed [`crate::redact`] already: the line that names what a run is about comes before every
//! other, and a quiet run holds lines back.

use std::io::{self, Write};

use super::line::shown;

/// A line that a quiet run has not shown.
enum Held {
    Data(String),
    Message(String),
}

/// Where everything is written.
pub(super) struct Streams<'a> {
    data: &'a mut (dyn Write + Send),
    messages: &'a mut (dyn Write + Send),
    /// What is held back of a quiet run, until a question needs it.
    held: Option<Vec<Held>>,
    /// The line that names what the run is about, once it was printed.
    named: String,
    /// The same before it is printed: together with the first other line, when all of it is known.
    unnamed: Option<String>,
    /// Why `data` takes no more.
    failed: Option<io::Error>,
}

impl<'a> Streams<'a> {
    pub(super) fn new(data: &'a mut (dyn Write + Send), messages: &'a mut (dyn Write + Send)) -> Self {
        Self { data, messages, held: None, named: String::new(), unnamed: None, failed: None }
    }

    pub(super) fn hold_back(&mut self, quiet: bool) {
        self.held = quiet.then(Vec::new);
    }

    pub(super) fn are_held_back(&self) -> bool {
        self.held.is_some()
    }

    /// From here on the run is about this. A line of which more is known now is printed once.
    pub(super) fn name(&mut self, line: &str) {
        if self.unnamed.as_ref().is_some_and(|unnamed| !line.starts_with(unnamed.as_str())) {
            self.name_now();
        }
        if !line.is_empty() {
            self.unnamed = (line != self.named).then(|| line.to_owned());
        }
    }

    /// Prints the line that names what the run is about, where it was not printed yet.
    pub(super) fn name_now(&mut self) {
        if let Some(line) = self.unnamed.take() {
            let text = shown(&line);
            self.named = line;
            self.message(text);
        }
    }

    /// A line of the data; a quiet run holds it back.
    pub(super) fn data(&mut self, text: String) {
        self.name_now();
        match &mut self.held {
            Some(held) => held.push(Held::Data(text)),
            None => self.write(&text),
        }
    }

    /// Data that a quiet run shows, too.
    pub(super) fn data_always(&mut self, text: &str) {
        self.name_now();
        self.write(text);
    }

    /// A message; a quiet run holds it back.
    pub(super) fn message(&mut self, text: String) {
        self.name_now();
        match &mut self.held {
            Some(held) => held.push(Held::Message(text)),
            None => self.tell(&text),
        }
    }

    /// A message that a quiet run shows, too.
    pub(super) fn message_always(&mut self, text: &str) {
        self.name_now();
        self.tell(text);
    }

    /// Shows what a quiet run has held back.
    pub(super) fn release(&mut self) {
        self.name_now();
        for held in self.held.as_mut().map(std::mem::take).unwrap_or_default() {
            match held {
                Held::Data(text) => self.write(&text),
                Held::Message(text) => self.tell(&text),
            }
        }
    }

    /// Writes out what is left. An error: a part of the data so far could not be written.
    pub(super) fn finish(&mut self) -> Result<(), &io::Error> {
        self.name_now();
        self.flush();
        self.failed.as_ref().map_or(Ok(()), Err)
    }

    /// After all of the data so far: where both streams end in one place, they are read in this order.
    fn tell(&mut self, text: &str) {
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
}
