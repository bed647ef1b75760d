//! PURE. A name and what lies under it: a member, a variable, a line of a text.

use std::borrow::Cow;

use super::text::plain;

/// One value under its name.
pub(super) struct Pair<'a> {
    /// As [`plain`] gives it: made once, as every kind asks for it.
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    /// Whether any kind may ask for such a name: most ask by equal or similar words.
    pub(super) is_telling: bool,
}

impl<'a> Pair<'a> {
    pub(super) fn new(name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        let name = plain(name);
        Self { is_telling: is_telling(&name), name, value: value.into() }
    }
}

/// Whether a name has the beginning of a word in it that a kind asks for: `key`, `secret`, `token`, `id`, `password`, `type` …
fn is_telling(name: &str) -> bool {
    let begins = |three: &[u8]| {
        matches!(
            three,
            b"key"
                | b"sec"
                | b"tok"
                | b"pas"
                | b"ten"
                | b"typ"
                | b"ema"
                | b"exp"
                | b"hcl"
                | b"het"
                | b"clo"
                | b"cfa"
                | b"cfd"
        ) || three.starts_with(b"id")
    };
    name.ends_with("id") || name.as_bytes().windows(3).any(begins)
}
