//! PURE. One value: its bytes, the text in them, and what that text decodes to. Each is made once, although a value is looked at
//! twice: by itself, and as one of those that it lies with.

use std::borrow::Cow;

use super::layers::may_hold;
use crate::cluster::Base64;

pub(super) struct Decoded<'a> {
    pub(super) bytes: &'a [u8],
    /// What is no UTF-8 in it is replaced: one byte that is no text does not hide the rest.
    lossy: Cow<'a, str>,
    /// The form of `text`, where it may be base64.
    form: Option<Base64>,
    /// What `text` decodes to, where that is anything.
    pub(super) inner: Option<Vec<u8>>,
}

impl<'a> Decoded<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let lossy = std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        let text = text_of(&lossy);
        let form = Base64::of(text.as_bytes());
        let inner = form.and_then(|form| form.decoded(text.as_bytes())).filter(|inner| may_hold(inner));
        Self { bytes, lossy, form, inner }
    }

    /// Without what is around it.
    pub(super) fn text(&self) -> &str {
        text_of(&self.lossy)
    }

    /// Whether the whole text is one word that may be base64: then no word of it is to be decoded once more.
    pub(super) fn is_word(&self) -> bool {
        self.form.is_some_and(Base64::is_word)
    }

    /// All of it as text, and the text that it decodes to.
    pub(super) fn into_texts(self) -> (Cow<'a, str>, Option<String>) {
        // With a mark before it, or in several lines, a value of a pair is not taken for base64.
        let may_be = self.is_word() && !self.lossy.starts_with(MARK);
        let inner = self.inner.filter(|_| may_be).and_then(|inner| String::from_utf8(inner).ok());
        (self.lossy, inner)
    }
}

/// The byte order mark.
const MARK: char = '\u{feff}';

fn text_of(lossy: &str) -> &str {
    lossy.trim_start_matches(MARK).trim()
}
