//! PURE. Colour and weight of what is printed on a terminal, as Terraform and uv use them, and whether there is any.

use anstyle::{AnsiColor, Color, Effects, Style};
use clap::ValueEnum;

use crate::error::Label;

/// What a part of a line means. Without colour, its words and marks say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Created, granted; passed; nothing to be done about it.
    Good,
    /// Changed; to be looked at.
    Changed,
    /// Deleted, revoked; failed; found.
    Bad,
    /// The label of an error.
    Error,
    /// The label of a warning.
    Warning,
    /// The label of what to do.
    Hint,
    /// A title.
    Title,
}

impl Tone {
    fn style(self) -> Style {
        let of = |colour: AnsiColor| Style::new().fg_color(Some(Color::Ansi(colour)));
        match self {
            Self::Good => of(AnsiColor::Green),
            Self::Changed => of(AnsiColor::Yellow),
            Self::Bad => of(AnsiColor::Red),
            Self::Error => of(AnsiColor::Red).effects(Effects::BOLD),
            Self::Warning => of(AnsiColor::Yellow).effects(Effects::BOLD),
            Self::Hint => of(AnsiColor::Cyan).effects(Effects::BOLD),
            Self::Title => Style::new().effects(Effects::BOLD),
        }
    }

    /// A text that can act on no terminal, in this tone.
    pub(crate) fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

impl Label {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Error => Tone::Error,
            Self::Cause => Tone::Bad,
            Self::Hint => Tone::Hint,
        }
    }
}

/// The value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE=1 in a pipe as well
    #[default]
    Auto,
    /// In a pipe as well
    Always,
    /// Not at all
    Never,
}

impl When {
    /// As the arguments ask for it, whether or not they can be used otherwise.
    pub(crate) fn asked<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut arguments = arguments.into_iter().take_while(|argument| *argument != "--");
        let mut asked = Self::Auto;
        while let Some(argument) = arguments.next() {
            let value = match argument.strip_prefix("--color") {
                Some("") => arguments.next(),
                Some(rest) => rest.strip_prefix('='),
                None => None,
            };
            asked = value.and_then(|value| Self::from_str(value, false).ok()).unwrap_or(asked);
        }
        asked
    }
}

/// What the environment says about colour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// `NO_COLOR` is set, and not empty (no-color.org).
    no_colour: bool,
    /// `CLICOLOR_FORCE` is set, and neither empty nor 0 (bixense.com/clicolors).
    forced: bool,
    /// `CLICOLOR=0`, or a terminal that takes no escape sequences.
    plain: bool,
}

impl Wish {
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|text| !text.is_empty());
        Self {
            no_colour: set("NO_COLOR").is_some(),
            forced: set("CLICOLOR_FORCE").is_some_and(|text| text != "0"),
            plain: set("CLICOLOR").is_some_and(|text| text == "0")
                || set("TERM").is_none_or(|text| text == "dumb"),
        }
    }

    /// Whether a stream gets colour.
    pub(crate) fn colours(self, when: When, is_terminal: bool) -> bool {
        match when {
            When::Always => true,
            When::Never => false,
            When::Auto => !self.no_colour && (self.forced || is_terminal && !self.plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish<'a>(all: &'a [(&'a str, &'a str)]) -> Wish {
        Wish::read(|name| all.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned()))
    }

    #[test]
    fn environment_decides_unless_asked() {
        let term = ("TERM", "xterm-256color");
        for (variables, on_terminal, in_pipe) in [
            (&[term][..], true, false),
            (&[], false, false),
            (&[("TERM", "dumb")], false, false),
            (&[term, ("NO_COLOR", "1")], false, false),
            (&[term, ("NO_COLOR", "0")], false, false),
            (&[term, ("NO_COLOR", "")], true, false),
            (&[term, ("CLICOLOR", "0")], false, false),
            (&[term, ("CLICOLOR", "1")], true, false),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[term, ("CLICOLOR_FORCE", "0")], true, false),
            (&[term, ("CLICOLOR_FORCE", "")], true, false),
            (&[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")], true, true),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
        ] {
            let wish = wish(variables);
            for (is_terminal, colours) in [(true, on_terminal), (false, in_pipe)] {
                assert_eq!(wish.colours(When::Auto, is_terminal), colours, "{variables:?} {is_terminal}");
                assert!(wish.colours(When::Always, is_terminal), "{variables:?}");
                assert!(!wish.colours(When::Never, is_terminal), "{variables:?}");
            }
        }
    }

    #[test]
    fn flag_counts_before_arguments_are_read() {
        for (arguments, asked) in [
            (&["audit", "--color", "never", "--nonsense"][..], When::Never),
            (&["--color=always", "nonsense"], When::Always),
            (&["--color=always", "--color", "never"], When::Never),
            (&["--color"], When::Auto),
            (&["--color", "NEVER"], When::Auto),
            (&["--colors=never"], When::Auto),
            (&["--", "--color=never"], When::Auto),
        ] {
            assert_eq!(When::asked(arguments.iter().copied()), asked, "{arguments:?}");
        }
    }

    #[test]
    fn paint_ends_with_its_text() {
        assert_eq!(Tone::Good.paint("+"), "\u{1b}[32m+\u{1b}[0m");
        assert_eq!(Tone::Error.paint("error"), "\u{1b}[1m\u{1b}[31merror\u{1b}[0m");
    }
}
