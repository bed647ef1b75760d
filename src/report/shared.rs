//! What others write through: the traces of libraries, and several futures at the same time.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use super::Report;
use crate::redact;

/// Writes lines that come from elsewhere, e.g. the traces of libraries, the way [`Report`] does.
pub(crate) struct Lines<W>(pub(crate) W);

impl<W: Write> Write for Lines<W> {
    /// `text` is one or more whole lines.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let lines = String::from_utf8_lossy(text);
        let lines: Vec<_> = lines.trim_end_matches('\n').split('\n').map(redact::line).collect();
        writeln!(self.0, "{}", lines.join("\n"))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A report that several futures write to at the same time.
pub(crate) struct SharedReport<'r, 'a>(Mutex<&'r mut Report<'a>>);

impl<'r, 'a> SharedReport<'r, 'a> {
    pub(crate) fn new(report: &'r mut Report<'a>) -> Self {
        Self(Mutex::new(report))
    }

    /// As [`Report::progress`].
    pub(crate) fn progress(&self, line: impl fmt::Display) {
        // A poisoned lock is harmless: a line is written whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).progress(line);
    }

    /// As [`Report::detail`].
    pub(crate) fn detail(&self, line: impl fmt::Display) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).detail(line);
    }
}
