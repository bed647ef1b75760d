//! README's session is an extract of this demo: whatever it shows, the program says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::shell::Shown;

/// The mark of anything that is left out
const LEFT_OUT: char = '…';

/// Compares README's first session with what was shown. There `…` matches any text, and a line of it alone
/// for any lines; all else is what was shown, line by line.
pub(crate) fn check(shown: &str) -> Shown {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(path)?;
    let session = readme.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
    let Some(session) = session else { return Err("README.md shows no session".into()) };
    match missing(session, shown) {
        None => Ok(()),
        Some(line) => Err(format!("README.md's session shows what the demo did not print:\n{line}").into()),
    }
}

/// The first line of the session that does not follow on those before it
fn missing<'a>(session: &'a str, shown: &str) -> Option<&'a str> {
    let shown: Vec<&str> = shown.lines().collect();
    // Where in what was shown the session may have got to; it begins anywhere.
    let mut reached: BTreeSet<usize> = (0..=shown.len()).collect();
    for line in session.lines() {
        let first = *reached.first()?;
        reached = if line.trim().chars().eq([LEFT_OUT]) {
            (first..=shown.len()).collect()
        } else {
            let follows = |at: &usize| shown.get(*at).is_some_and(|printed| matches(line, printed));
            reached.into_iter().filter(follows).map(|at| at + 1).collect()
        };
        if reached.is_empty() {
            return Some(line);
        }
    }
    None
}

fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split(LEFT_OUT);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_anything() {
        for (pattern, text, same) in [
            ("a b", "a b", true),
            ("a b", "a b c", false),
            ("key … of eso@…", "key 5a4c of eso@acme", true),
            ("key … of eso@…", "key 5a4c of lab@acme", false),
            ("… c", "a b c", true),
            ("… c", "a b c d", false),
            ("a…", "a", true),
        ] {
            assert_eq!(matches(pattern, text), same, "{pattern} / {text}");
        }
    }

    #[test]
    fn only_an_ellipsis_leaves_lines_out() {
        let shown = "one\ntwo 2\n\nthree\nthree\nfour\n";
        for (session, missed) in [
            ("one\n…\nthree\n", None),
            ("two …\n\nthree\n", None),
            ("one\n  …\nthree\nfour", None),
            ("one\nthree\n", Some("three")),
            ("three\n…\none\n", Some("one")),
            ("one\n…\nfive\n", Some("five")),
        ] {
            assert_eq!(missing(session, shown), missed, "{session}");
        }
    }
}
