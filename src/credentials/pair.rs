//! PURE. A name and what lies under it: a member, a variable, a line of a text.

use std::borrow::Cow;

use super::text::plain;

/// One value under its name.
pub(super) struct Pair<'a> {
    /// As [`plain`] gives it: made once, as every kind asks for it.
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        Self { name: plain(name), value: value.into() }
    }
}
