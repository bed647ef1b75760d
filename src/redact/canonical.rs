//! PURE. The text behind its encodings, with the place of every byte in the source.

use std::ops::Range;

use super::visible::is_unprintable;

/// Text with its escapes resolved (percent, JSON, HTML), white space as spaces, and without what cannot be seen.
#[derive(Debug, Default)]
pub(super) struct Canonical {
    pub(super) bytes: Vec<u8>,
    /// Where each byte comes from, and last the end of the source.
    at: Vec<usize>,
}

/// The character of an escape, and its length in bytes.
type Escape = (char, usize);

impl Canonical {
    /// Resolves escapes.
    pub(super) fn decoded(text: &str) -> Self {
        Self::of(text, |rest| percent(rest).or_else(|| backslash(rest)).or_else(|| entity(rest)))
    }

    /// Takes escapes as they are.
    pub(super) fn plain(text: &str) -> Self {
        Self::of(text, |_| None)
    }

    /// Whether a text holds what may be an escape.
    pub(super) fn is_escaped(text: &str) -> bool {
        text.bytes().any(|byte| matches!(byte, b'%' | b'\\' | b'&'))
    }

    fn of(text: &str, escape: impl Fn(&[u8]) -> Option<Escape>) -> Self {
        let mut it = Self { bytes: Vec::with_capacity(text.len()), at: Vec::with_capacity(text.len() + 1) };
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let (found, length) = match c {
                '%' | '\\' | '&' => escape(&text.as_bytes()[at..]).unwrap_or((c, c.len_utf8())),
                _ => (c, c.len_utf8()),
            };
            it.push(found, at);
            at += length;
        }
        it.at.push(text.len());
        it
    }

    fn push(&mut self, c: char, at: usize) {
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            // Indentation and line ends differ between what was sent and what came back.
            if self.bytes.last() != Some(&b' ') {
                self.bytes.push(b' ');
                self.at.push(at);
            }
        } else if !is_unprintable(c) {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                self.bytes.push(byte);
                self.at.push(at);
            }
        }
    }

    /// The part of the source that these bytes come from.
    pub(super) fn source(&self, bytes: Range<usize>) -> Range<usize> {
        self.at[bytes.start]..self.at[bytes.end]
    }
}

/// `%2B` (RFC 3986 §2.1). Bytes beyond ASCII are no part of any secret that is sent.
fn percent(rest: &[u8]) -> Option<Escape> {
    let [b'%', high, low, ..] = rest else { return None };
    let byte = hex(*high)? << 4 | hex(*low)?;
    byte.is_ascii().then_some((char::from(byte), 3))
}

/// `\n`, `\"`, `\u002b` (RFC 8259 §7), `\u{2b}`, `\x2b`.
fn backslash(rest: &[u8]) -> Option<Escape> {
    let [b'\\', kind, rest @ ..] = rest else { return None };
    match kind {
        b'n' | b'r' | b't' => Some((' ', 2)),
        b'b' | b'f' => Some(('\u{8}', 2)),
        b'"' | b'\\' | b'/' | b'\'' => Some((char::from(*kind), 2)),
        b'x' => Some((number(rest.get(..2)?, 16)?, 4)),
        b'u' if rest.first() == Some(&b'{') => {
            let end = rest.iter().take(8).position(|byte| *byte == b'}')?;
            Some((number(&rest[1..end], 16)?, end + 3))
        }
        b'u' => Some((number(rest.get(..4)?, 16)?, 6)),
        _ => None,
    }
}

/// `&amp;`, `&#43;`, `&#x2B;`.
fn entity(rest: &[u8]) -> Option<Escape> {
    const NAMED: [(&[u8], char); 5] =
        [(b"amp", '&'), (b"lt", '<'), (b"gt", '>'), (b"quot", '"'), (b"apos", '\'')];
    let end = rest.iter().take(10).position(|byte| *byte == b';')?;
    let c = match &rest[1..end] {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        name => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((c, end + 1))
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
