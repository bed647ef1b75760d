//! PURE. A name and what lies under it: a member, a variable, a line of a text.

use std::borrow::Cow;

use memchr::memchr2;

use super::{
    decoded::Decoded,
    text::{lines, plain},
};

/// The longest name of a value.
const LONGEST_NAME: usize = 128;
/// A longer line is no name with its value.
const LONGEST_LINE: usize = 64 << 10;

/// One value under its name.
pub(super) struct Pair<'a> {
    /// As [`plain`] gives it: made once, as every kind asks for it.
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    pub(super) inner: Inner,
    /// Whether any kind may ask for such a name: most ask by equal or similar words.
    pub(super) is_telling: bool,
}

/// The text that a value decodes to.
pub(super) enum Inner {
    /// It was not looked for.
    Unknown,
    Known(Option<String>),
}

impl<'a> Pair<'a> {
    pub(super) fn new(name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        let name = plain(name);
        Self { is_telling: is_telling(&name), name, value: value.into(), inner: Inner::Unknown }
    }

    /// Of a value that was looked at by itself.
    pub(super) fn of_value(name: &'a str, value: Decoded<'a>) -> Self {
        let (value, inner) = value.into_texts();
        Self { inner: Inner::Known(inner), ..Self::new(name, value) }
    }
}

/// `NAME=value`, `name: value`, `--name=value`, `"name": "value",`.
pub(super) fn of_lines(text: &str) -> Vec<Pair<'_>> {
    lines(text)
        .filter(|line| line.len() <= LONGEST_LINE)
        .filter_map(of_line)
        .map(|(name, value)| Pair::new(name, value))
        .collect()
}

fn of_line(line: &str) -> Option<(&str, &str)> {
    const AROUND: &[char] = &['"', '\'', ',', ' ', '\t', '-', '{', '}', ';'];
    // First: of most lines there is nothing more to do, and they are long.
    let at = memchr2(b'=', b':', line.as_bytes())?;
    let (name, value) = (line[..at].trim_start(), line[at + 1..].trim());
    let name = name.strip_prefix("export ").unwrap_or(name).trim_matches(AROUND);
    let value = value.trim_end_matches([',', ';', '}']).trim().trim_matches(['"', '\'']);
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_whitespace);
    (fits && !value.is_empty()).then_some((name, value))
}

/// Whether a name has the beginning of a word in it that a kind asks for: `key`, `secret`, `token`, `id`, `password`, `type` …
fn is_telling(name: &str) -> bool {
    let begins = |three: &[u8]| {
        matches!(
            three,
            [b'k', b'e', b'y']
                | [b's', b'e', b'c']
                | [b't', b'o', b'k']
                | [b'p', b'a', b's']
                | [b't', b'e', b'n']
                | [b't', b'y', b'p']
                | [b'e', b'm', b'a']
                | [b'e', b'x', b'p']
                | [b'h', b'c', b'l']
                | [b'h', b'e', b't']
                | [b'c', b'l', b'o']
                | [b'c', b'f', b'a']
                | [b'c', b'f', b'd']
                | [b'i', b'd', _]
        )
    };
    name.ends_with("id") || name.as_bytes().windows(3).any(begins)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_text(text: &str) -> Vec<(String, String)> {
        of_lines(text).iter().map(|pair| (pair.name.to_string(), pair.value.to_string())).collect()
    }

    #[test]
    fn names_and_values_are_told_apart() {
        for (line, name, value) in [
            ("A_KEY=b=c", "akey", "b=c"),
            (" export A_KEY = 'b' \r", "akey", "b"),
            ("\"name\": \"a:b\",", "name", "a:b"),
            ("--name=value}", "name", "value"),
            ("name: é=", "name", "é="),
        ] {
            assert_eq!(of_text(&format!("\n{line}\nrest")), [(name.to_owned(), value.to_owned())], "{line}");
        }
        for line in ["", "word", "=b", "a=", "two words: b", "export =b", "a:''"] {
            assert!(of_text(line).is_empty(), "{line}");
        }
    }

    /// By the searches of the standard library alone.
    fn plainly(line: &str) -> Option<(&str, &str)> {
        const AROUND: &[char] = &['"', '\'', ',', ' ', '\t', '-', '{', '}', ';'];
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once(['=', ':'])?;
        let value = value.trim().trim_end_matches([',', ';', '}']).trim().trim_matches(['"', '\'']);
        let name = name.trim_matches(AROUND);
        let fits = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_whitespace);
        (fits && !value.is_empty()).then_some((name, value))
    }

    proptest! {
        #[test]
        fn lines_equal_those_of_library(text in "(export |[ab=:;,} \r\n\t'\"é\u{a0}-]){0,40}") {
            let theirs: Vec<&str> = text.lines().collect();
            let mut own: Vec<&str> = lines(&text).collect();
            // The end of the last line begins no other one there.
            own.pop_if(|last| last.is_empty());
            prop_assert_eq!(&own, &theirs);
            for line in theirs {
                prop_assert_eq!(of_line(line), plainly(line), "{}", line);
            }
        }
    }
}
