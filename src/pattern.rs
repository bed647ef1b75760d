//! PURE. Regular expressions that a controller written in Go reads, as far as they mean the same here.
//!
//! External Secrets Operator matches names with Go's `regexp` (RE2 syntax, <https://github.com/google/re2/wiki/Syntax>).
//! A pattern that the two engines could read differently decides nothing: it is refused, and what depends on it
//! is left out by name.

use regex_lite::{Regex, RegexBuilder};

/// A name has 255 characters at most, so no useful pattern is longer than this.
const LONGEST: usize = 1000;
/// Go refuses a larger number of repetitions.
const MOST_REPETITIONS: u32 = 1000;
/// Of a compiled pattern, in bytes.
const LARGEST: usize = 1 << 20;

/// A pattern that means the same to Go and here. It matches anywhere in a text unless it is anchored.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// `Err` is the reason in words: `it uses \p, which is not supported here`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it has {} bytes, and {LONGEST} is the most that is read here", text.len()));
        }
        if !text.is_ascii() {
            return Err("it has a character that is not ASCII".to_owned());
        }
        Reader { rest: text }.alternatives(0)?;
        let regex = RegexBuilder::new(text).size_limit(LARGEST).build();
        let regex = regex.map_err(|_| "it is not a regular expression".to_owned())?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Whether some part of the text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

/// Reads the part of the syntax that is common to both: literals, `.`, anchors, groups, alternatives, repetitions,
/// and classes of single characters and ranges.
struct Reader<'a> {
    rest: &'a str,
}

/// Deeper than any pattern that a person writes.
const DEEPEST: usize = 50;
/// What may follow a backslash: classes and word boundaries, and punctuation that means itself.
const CLASSES: &str = "dDsSwW";
const ASSERTIONS: &str = "bB";

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Up to the end, or to the parenthesis that closes the group. Gives back how often counted repetitions within it
    /// multiply: Go refuses more than [`MOST_REPETITIONS`] of these as well.
    fn alternatives(&mut self, depth: usize) -> Result<u32, String> {
        if depth > DEEPEST {
            return Err("its groups are nested too deeply".to_owned());
        }
        let mut most = 1;
        // The repetitions of what was read last; `None`: it cannot be repeated.
        let mut last: Option<u32> = None;
        while let Some(next) = self.next() {
            last = match next {
                ')' if depth > 0 => return Ok(most),
                ')' => return Err("a parenthesis is closed that was not opened".to_owned()),
                '(' => {
                    if self.rest.starts_with('?') && !self.take("?:") {
                        return Err("it uses `(?`, of which only `(?:` is supported here".to_owned());
                    }
                    Some(self.alternatives(depth + 1)?)
                }
                '[' => {
                    self.class()?;
                    Some(1)
                }
                '\\' => self.escape()?.then_some(1),
                '*' | '+' | '?' | '{' => {
                    let inner = last.ok_or_else(|| "a repetition has nothing before it".to_owned())?;
                    let times = if next == '{' { self.count()?.max(1) } else { 1 };
                    most = most.max(inner.saturating_mul(times));
                    if most > MOST_REPETITIONS {
                        return Err(format!("it repeats something more than {MOST_REPETITIONS} times"));
                    }
                    self.take("?");
                    None
                }
                // Go lets some of what follows be repeated; it is of no use.
                '^' | '$' | '|' => None,
                _ => Some(1),
            };
            most = most.max(last.unwrap_or(1));
        }
        if depth > 0 { Err("a parenthesis is not closed".to_owned()) } else { Ok(most) }
    }

    /// `true`: what was read can be repeated.
    fn escape(&mut self) -> Result<bool, String> {
        match self.next() {
            Some(letter) if CLASSES.contains(letter) => Ok(true),
            Some(letter) if ASSERTIONS.contains(letter) => match self.rest.starts_with('{') {
                true => Err(format!("it uses \\{letter}{{, which is not supported here")),
                false => Ok(false),
            },
            Some(letter) if letter.is_ascii_punctuation() && !"<>".contains(letter) => Ok(true),
            Some(letter) => Err(format!("it uses \\{letter}, which is not supported here")),
            None => Err("it ends in a backslash".to_owned()),
        }
    }

    /// After `{`: `2}`, `2,}` or `2,5}`, and the largest number in it. Go takes anything else for letters, and others do
    /// not.
    fn count(&mut self) -> Result<u32, String> {
        let refuse = || "its repetition in braces cannot be read".to_owned();
        let (count, rest) = self.rest.split_once('}').ok_or_else(refuse)?;
        self.rest = rest;
        let number = |text: &str| {
            let digits =
                !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten().filter(|number| *number <= MOST_REPETITIONS)
        };
        match count.split_once(',') {
            None => number(count),
            Some((least, "")) => number(least),
            Some((least, most)) => {
                number(least).zip(number(most)).filter(|(least, most)| least <= most).map(|(_, most)| most)
            }
        }
        .ok_or_else(refuse)
    }

    /// After `[`. What other engines read as an operation or a class within (`[[`, `&&`, `--`, `~~`) is not taken.
    fn class(&mut self) -> Result<(), String> {
        self.take("^");
        let mut last = None;
        let mut any = false;
        loop {
            let next = self.next().ok_or_else(|| "a bracket is not closed".to_owned())?;
            match next {
                ']' if any => return Ok(()),
                '[' | ']' | '&' | '~' => {
                    return Err(format!("it has `{next}` in brackets, which engines read differently"));
                }
                '\\' => {
                    self.escape()?;
                    last = None;
                }
                // At the beginning or the end it means itself.
                '-' if !any || self.rest.starts_with(']') => last = None,
                '-' => {
                    let from = last.take().ok_or_else(|| "a hyphen in brackets cannot be read".to_owned())?;
                    let to = self.next().filter(char::is_ascii_alphanumeric);
                    let to = to.ok_or_else(|| "a range in brackets cannot be read".to_owned())?;
                    if from > to {
                        return Err("a range in brackets is upside down".to_owned());
                    }
                }
                _ => last = Some(next),
            }
            any = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_patterns_match_as_in_go() {
        for (pattern, yes, no) in [
            ("^team-.*$", "team-a", "a-team-b"),
            ("team", "my-team-1", "tea"),
            ("^(dev|test)-[a-z0-9]{2,4}$", "dev-a1", "prod-a1"),
            ("^(?:a|b)+$", "abba", "abc"),
            (r"^shop\.\d+$", "shop.12", "shopx12"),
            ("^[^-]+$", "plain", "with-hyphen"),
            ("^[a-z-]+$", "a-b", "a_b"),
            ("^[-a-z]+$", "-a", "_"),
            (r"^[\w.]+$", "a_b.c", "a b"),
            ("^a?b*$", "abbb", "ba"),
            ("", "anything", "\u{0}never"),
            (r"\bdb\b", "my-db", "mydb"),
        ] {
            let pattern = Pattern::parse(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
            assert!(pattern.matches(yes), "{pattern:?} {yes}");
            assert!(pattern.as_str().is_empty() || !pattern.matches(no), "{pattern:?} {no}");
        }
    }

    #[test]
    fn pattern_of_doubtful_meaning_is_refused() {
        for pattern in [
            "(",
            ")",
            "[",
            "[]",
            "[]a]",
            "a**",
            "*a",
            "a{2,1}",
            "a{x}",
            "a{1001}",
            "a{,3}",
            "a{",
            "(?i)a",
            "(?P<n>a)",
            "(?=a)",
            "(a{30}){40}",
            r"\p{L}",
            r"\pL",
            r"\Qa.b\E",
            r"\C",
            r"\x41",
            r"\1",
            r"\",
            r"\A",
            r"\z",
            r"\<a",
            r"a\b{start}",
            "[a&&b]",
            "[[:alpha:]]",
            "[a--b]",
            "[a~~b]",
            "[z-a]",
            "[a-\\d]",
            "ä",
            "^*",
            "a|*",
            r"\n",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::parse(&"a".repeat(LONGEST + 1)).is_err());
        assert!(Pattern::parse(&"(".repeat(200)).is_err());
        assert!(Pattern::parse("((a{1000}){1000}){1000}").is_err(), "it would not fit into memory");
    }
}
