//! PURE. A line of the result: its text, and what on a terminal is coloured of it.

use std::fmt;

use super::Tone;
use crate::redact;

/// A line. Its text says all; the tone repeats what its mark or words say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    text: String,
    tone: Option<(Tone, Part)>,
    /// How far what is wrapped is indented; `None`: it is never wrapped, e.g. because it holds a command to copy.
    hang: Option<usize>,
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
        Self { text: text.to_string(), tone: None, hang: None }
    }
}

impl Line {
    /// Its first word, or the mark it begins with, has this tone.
    pub(crate) fn marked(tone: Tone, text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), tone: Some((tone, Part::Mark)), hang: None }
    }

    /// All of it has this tone.
    pub(crate) fn whole(tone: Tone, text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), tone: Some((tone, Part::Whole)), hang: None }
    }

    /// Below a title.
    pub(crate) fn indented(mut self) -> Self {
        self.text.insert_str(0, "  ");
        self.hang = self.hang.map(|hang| hang + 2);
        self
    }

    /// Prose: on a terminal it may be wrapped, and goes on below, indented so far. In a pipe it stays one line.
    pub(crate) fn hanging(mut self, hang: usize) -> Self {
        self.hang = Some(hang);
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// As it is printed. What would act on a terminal is replaced before the colour comes in.
    pub(super) fn shown(&self, coloured: bool, width: Option<usize>) -> String {
        let text = shown(&self.text);
        let text = match (width, self.hang) {
            (Some(width), Some(hang)) => wrapped(&text, width, hang),
            _ => text,
        };
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

/// The narrowest terminal that lines are wrapped for.
const NARROWEST: usize = 40;

/// Broken at blanks. A word that is longer than a line stays whole: it may be a URL to copy.
fn wrapped(text: &str, width: usize, hang: usize) -> String {
    if width < NARROWEST.max(2 * hang) {
        return text.to_owned();
    }
    let begin = text.len() - text.trim_start().len();
    let mut lines = text[..begin].to_owned();
    let mut column = text[..begin].chars().filter(|it| *it != '\n').count();
    for (number, word) in text[begin..].split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && !word.is_empty() && column > hang && column + 1 + length > width {
            lines.truncate(lines.trim_end_matches(' ').len());
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', hang));
            column = hang;
        } else if number > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
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
            assert_eq!(line.shown(true, None), coloured);
            assert_eq!(line.shown(false, None), shown(line.text()));
        }
    }

    #[test]
    fn long_line_hangs_below_its_mark() {
        let line =
            Line::marked(Tone::Good, "+ create  a/document: the keys that relying parties verify with");
        let line = line.hanging(4);
        assert_eq!(
            line.shown(false, Some(40)),
            "+ create  a/document: the keys that\n    relying parties verify with"
        );
        assert_eq!(line.shown(true, Some(40)).matches('\n').count(), 1);
        assert_eq!(line.shown(false, None), line.text());
        assert_eq!(line.shown(false, Some(39)), line.text(), "too narrow");
        assert_eq!(line.shown(false, Some(200)), line.text());
        let below = line.indented().shown(false, Some(44));
        assert_eq!(below, "  + create  a/document: the keys that\n      relying parties verify with");
    }

    #[test]
    fn wrapped_line_keeps_its_words() {
        let url = format!("https://{}", "a".repeat(60));
        for text in
            [format!("~ update  {url}: a reason"), format!("{url} {url}"), "\n a  b".into(), "".into()]
        {
            for width in 40..90 {
                let shown = wrapped(&text, width, 4);
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                assert_eq!(words(&shown), words(&text));
                for line in shown.lines().filter(|line| line.chars().count() > width) {
                    assert!(line.contains(&url), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn foreign_text_brings_no_colour() {
        let shown = Line::marked(Tone::Good, "\u{1b}[31m+ a \u{1b}[0m").shown(true, Some(80));
        assert_eq!(shown.matches('\u{1b}').count(), 2, "{shown:?}");
    }
}
