//! PURE. Small questions about texts, shared by the kinds.

use std::borrow::Cow;

use memchr::{memchr, memmem};

/// Fewer different characters are no credential: `xxxxxxxx`, `00000000-0000-…`.
const FEWEST: usize = 6;

/// A name without case and separators: `AWS_SECRET_ACCESS_KEY`, `secretAccessKey`.
pub(super) fn plain(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(name);
    }
    let mut plain = String::with_capacity(name.len());
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    plain.extend(letters.map(|byte| char::from(byte.to_ascii_lowercase())));
    Cow::Owned(plain)
}

/// Whether a text is there to be replaced, or says where the value comes from.
pub(super) fn is_placeholder(text: &str) -> bool {
    /// In no base64: they are placeholders in texts of any length.
    const MARKS: [&str; 9] = ["change-me", "change_me", "your-", "your_", "<", "${", "{{", "$(", "****"];
    /// Letters alone come about by chance in a long random text.
    const WORDS: [&str; 4] = ["changeme", "replace", "placeholder", "insert"];
    let lower = text.trim().to_ascii_lowercase();
    let is_crossed_out =
        || lower.contains("xxxx") && lower.bytes().filter(|byte| *byte == b'x').count() * 2 > lower.len();
    lower.is_empty()
        || MARKS.iter().any(|mark| lower.contains(mark))
        || lower.len() < LONG && WORDS.iter().any(|word| lower.contains(word))
        || is_crossed_out()
        || distinct(&lower) < FEWEST
}

/// From this length on a text is taken for random.
const LONG: usize = 64;

/// How many different characters a text has.
pub(super) fn distinct(text: &str) -> usize {
    let mut seen = [false; 256];
    text.bytes().for_each(|byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

pub(super) fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

pub(super) fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

/// `8-4-4-4-12` hexadecimal digits.
pub(super) fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    parts.len() == 5
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The lines of a text, without their ends.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = memchr(b'\n', text.as_bytes()) else { return rest.take() };
        rest = Some(&text[at + 1..]);
        Some(text[..at].strip_suffix('\r').unwrap_or(&text[..at]))
    })
}

/// The words of a text, made of letters, digits and these.
pub(super) fn words<'t>(text: &'t str, more: &'static str) -> impl Iterator<Item = &'t str> {
    // Byte by byte: what is no ASCII is in no word, so that words begin and end between characters.
    let is_of_word = move |byte: &u8| byte.is_ascii_alphanumeric() || more.as_bytes().contains(byte);
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = rest.bytes().position(|byte| is_of_word(&byte))?;
        let word = &rest[begin..];
        let end = word.bytes().position(|byte| !is_of_word(&byte)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Whether a literal is in a text. Most of an audit's time goes by here.
pub(super) fn has(text: &str, literal: &str) -> bool {
    memmem::find(text.as_bytes(), literal.as_bytes()).is_some()
}

/// What follows each of these literals in a text, as long as it is made of letters, digits and `more`.
pub(super) fn after<'t>(
    text: &'t str,
    literal: &'t str,
    more: &'static str,
) -> impl Iterator<Item = &'t str> + 't {
    // Goes on behind what was taken: a text of literals alone is gone through once.
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = &rest[memmem::find(rest.as_bytes(), literal.as_bytes())? + literal.len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !more.contains(c)).unwrap_or(rest.len());
        let (taken, after) = rest.split_at(end);
        rest = after;
        Some(taken)
    })
}

/// What is a text of its own may be shown: a host, an id. Longer than that it is cut off.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic()).take(253).collect()
}

/// CRC-32 (IEEE 802.3), by which GitHub's tokens are checked.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
