//! PURE. A line of the result: its text, and what on a terminal is coloured of it.

use std::fmt;

use super::Tone;
use crate::redact;

/// A line. Its text says all; the tone repeats what its mark or words say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    text: String,
    tone: Option<(Tone, Part)>,
}

/// How much of a line has its tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first word.
    Mark,
    Whole,
}

/// Everything that can be shown is a line without a tone. (So [`Line`] itself must not implement `Display`.)
impl<T: fmt::Display> From<T> for Line {
    fn from(text: T) -> Self {
        Self { text: text.to_string(), tone: None }
    }
}

impl Line {
    /// Its first word, or the mark it begins with, has this tone.
    pub(crate) fn marked(tone: Tone, text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), tone: Some((tone, Part::Mark)) }
    }

    /// All of it has this tone.
    pub(crate) fn whole(tone: Tone, text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), tone: Some((tone, Part::Whole)) }
    }

    /// Below a title.
    pub(crate) fn indented(mut self) -> Self {
        self.text.insert_str(0, "  ");
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// As it is printed. What would act on a terminal is replaced before the colour comes in.
    pub(super) fn shown(&self, coloured: bool) -> String {
        let text = shown(&self.text);
        let Some((tone, part)) = self.tone.filter(|_| coloured) else { return text };
        let begin = text.len() - text.trim_start().len();
        let (space, text) = text.split_at(begin);
        let end = match part {
            Part::Mark => text.find(char::is_whitespace).unwrap_or(text.len()),
            Part::Whole => text.len(),
        };
        let (toned, rest) = text.split_at(end);
        if toned.is_empty() { space.to_owned() } else { format!("{space}{}{rest}", tone.paint(toned)) }
    }
}

/// A line as it is printed: line breaks at its beginning are ours.
pub(super) fn shown(line: &str) -> String {
    let rest = line.trim_start_matches('\n');
    format!("{}{}", &line[..line.len() - rest.len()], redact::line(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_alone_is_coloured() {
        for (line, coloured) in [
            (Line::marked(Tone::Good, "+ create  a: b"), "\u{1b}[32m+\u{1b}[0m create  a: b"),
            (Line::marked(Tone::Bad, "- delete").indented(), "  \u{1b}[31m-\u{1b}[0m delete"),
            (Line::marked(Tone::Title, "\nPlan: 1"), "\n\u{1b}[1mPlan:\u{1b}[0m 1"),
            (Line::whole(Tone::Title, "\ncluster of us"), "\n\u{1b}[1mcluster of us\u{1b}[0m"),
            (Line::whole(Tone::Title, ""), ""),
            (Line::from("+ plain"), "+ plain"),
        ] {
            assert_eq!(line.shown(true), coloured);
            assert_eq!(line.shown(false), shown(line.text()));
        }
    }

    #[test]
    fn foreign_text_brings_no_colour() {
        let shown = Line::marked(Tone::Good, "\u{1b}[31m+ a \u{1b}[0m").shown(true);
        assert_eq!(shown.matches('\u{1b}').count(), 2, "{shown:?}");
    }
}
