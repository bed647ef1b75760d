//! PURE. Finds known secrets in a text, in one pass for all of them.
//!
//! A secret of up to 23 bytes is found as a whole. A longer one is also found by a part of it: it is
//! stored as pieces of 8 bytes, every 4 bytes, and pieces that follow each other over 20 bytes are a find. Base64 is decoded
//! at each of its four offsets before the same search, so that no secret has to be stored in more than one form.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::canonical::Canonical;

/// Shorter secrets are parts of ordinary words.
const SHORTEST: usize = 6;
/// Up to this length a secret must stand between other characters than letters and digits.
const LONGEST_WORD: usize = 11;
/// Up to this length it is found as a whole only.
const LONGEST_WHOLE: usize = 23;
/// So much of a longer one is a find.
const PART: usize = 20;
const PIECE: usize = 8;
const STEP: usize = 4;
/// No token or key is longer; of other secrets the beginning is enough.
const LONGEST: usize = 16 << 10;
/// Shorter runs of base64 cannot hold a secret.
const SHORTEST_BASE64: usize = 8;

/// Either alphabet: the text is brought to this one first.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The secrets of the process.
#[derive(Default)]
pub(super) struct Known {
    /// Pieces of long secrets, and which of them begin or end one.
    pieces: HashMap<u64, Edge>,
    /// By their first [`SHORTEST`] bytes.
    whole: HashMap<u64, HashSet<Vec<u8>>>,
    /// Which pieces and beginnings may be there at all; most texts hold none.
    filter: Filter,
}

#[derive(Clone, Copy, Default)]
struct Edge {
    first: bool,
    last: bool,
}

impl Known {
    /// Adds a secret, as it is and with its escapes resolved.
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        self.add_bytes(&Canonical::plain(secret).bytes);
        if Canonical::is_escaped(secret) {
            self.add_bytes(&Canonical::decoded(secret).bytes);
        }
    }

    fn add_bytes(&mut self, secret: &[u8]) {
        let secret = &secret[..secret.len().min(LONGEST)];
        if secret.len() < SHORTEST {
            return;
        }
        if secret.len() <= LONGEST_WHOLE {
            let start = packed(&secret[..SHORTEST]);
            self.filter.add(start);
            self.whole.entry(start).or_default().insert(secret.to_vec());
            return;
        }
        let end = secret.len() - PIECE;
        for at in (0..end).step_by(STEP).chain([end]) {
            let piece = packed(&secret[at..at + PIECE]);
            self.filter.add(piece);
            let edge = self.pieces.entry(piece).or_default();
            edge.first |= at == 0;
            edge.last |= at == end;
        }
    }

    /// How many pieces and whole secrets it holds.
    pub(super) fn len(&self) -> usize {
        self.pieces.len() + self.whole.len()
    }

    /// Where known secrets stand in a text. The parts may overlap.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        if self.pieces.is_empty() && self.whole.is_empty() {
            return Vec::new();
        }
        let mut found = self.find_in(text, &Canonical::plain(text));
        if Canonical::is_escaped(text) {
            found.extend(self.find_in(text, &Canonical::decoded(text)));
        }
        found.sort_by_key(|part| part.start);
        found
    }

    fn find_in(&self, text: &str, canonical: &Canonical) -> Vec<Range<usize>> {
        let mut found = self.search(&canonical.bytes);
        for run in base64_runs(&canonical.bytes) {
            found.extend(
                self.search_base64(&canonical.bytes[run.clone()])
                    .map(|part| part.start + run.start..part.end + run.start),
            );
        }
        found
            .into_iter()
            .map(|part| canonical.source(part))
            .filter(|part| text.is_char_boundary(part.start) && text.is_char_boundary(part.end))
            .collect()
    }

    /// Known secrets in base64, each as the part that holds it.
    fn search_base64<'a>(&'a self, run: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        (0..4).flat_map(move |offset| {
            let standard: Vec<_> = run[offset.min(run.len())..]
                .iter()
                .map(|byte| match byte {
                    b'-' => b'+',
                    b'_' => b'/',
                    byte => *byte,
                })
                .collect();
            // One digit alone at the end is no byte.
            let length = if standard.len() % 4 == 1 { standard.len() - 1 } else { standard.len() };
            let decoded = BASE64.decode(&standard[..length]).unwrap_or_default();
            let mut at = 0;
            let mut found = Vec::new();
            // What is no text is no secret: words that are not base64 decode to few letters in a row.
            for chunk in decoded.utf8_chunks() {
                if chunk.valid().len() >= SHORTEST {
                    let text = Canonical::decoded(chunk.valid());
                    found.extend(self.search(&text.bytes).into_iter().map(|part| {
                        let part = text.source(part);
                        let (start, end) = (at + part.start, at + part.end);
                        offset + start / 3 * 4..(offset + end.div_ceil(3) * 4).min(run.len())
                    }));
                }
                at += chunk.valid().len() + chunk.invalid().len();
            }
            found
        })
    }

    fn search(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut pieces: Option<Pieces> = None;
        for at in 0..bytes.len().saturating_sub(SHORTEST - 1) {
            let start = packed(&bytes[at..at + SHORTEST]);
            if self.filter.may_have(start) {
                found.extend(self.whole_at(bytes, at, start));
            }
            let Some(piece) = bytes.get(at..at + PIECE).map(packed) else { continue };
            if !self.filter.may_have(piece) {
                continue;
            }
            let Some(edge) = self.pieces.get(&piece) else { continue };
            pieces = match pieces {
                Some(before) if at < before.end + STEP => Some(before.and(at, *edge)),
                before => {
                    found.extend(before.and_then(|before| before.find(bytes)));
                    Some(Pieces::from(at, *edge))
                }
            };
        }
        found.extend(pieces.and_then(|pieces| pieces.find(bytes)));
        found
    }

    fn whole_at(&self, bytes: &[u8], at: usize, start: u64) -> Option<Range<usize>> {
        let is_word = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        let stands_alone =
            |end: usize| at.checked_sub(1).is_none_or(|before| !is_word(before)) && !is_word(end);
        let here = self.whole.get(&start)?.iter().filter(|secret| bytes[at..].starts_with(secret));
        here.map(|secret| (secret.len(), at + secret.len()))
            .filter(|(length, end)| *length > LONGEST_WORD || stands_alone(*end))
            .map(|(_, end)| at..end)
            .max_by_key(|part| part.end)
    }
}

/// Pieces of long secrets that follow each other.
struct Pieces {
    start: usize,
    end: usize,
    first: bool,
    last: bool,
}

impl Pieces {
    fn from(at: usize, edge: Edge) -> Self {
        Self { start: at, end: at + PIECE, first: edge.first, last: edge.last }
    }

    fn and(self, at: usize, edge: Edge) -> Self {
        Self { end: at + PIECE, last: edge.last, ..self }
    }

    /// The part of the text, if it is long enough. Between the pieces' own edges and the secret's there may be up to
    /// three bytes more.
    fn find(self, bytes: &[u8]) -> Option<Range<usize>> {
        if self.end - self.start < PART {
            return None;
        }
        let is_part =
            |at: &usize| bytes.get(*at).is_some_and(|byte| !byte.is_ascii_whitespace() && *byte != b'"');
        let before = (1..STEP).map_while(|back| self.start.checked_sub(back)).take_while(is_part).last();
        let after = (self.end..self.end + STEP - 1).take_while(is_part).last().map(|at| at + 1);
        let start = before.filter(|_| !self.first).unwrap_or(self.start);
        let end = after.filter(|_| !self.last).unwrap_or(self.end);
        Some(start..end)
    }
}

/// A Bloom filter of one hash.
#[derive(Default)]
struct Filter(Vec<u64>);

impl Filter {
    const WORDS: usize = 1 << 12;

    fn place(key: u64) -> (usize, u64) {
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 52) as usize, 1 << (hash >> 46 & 63))
    }

    fn add(&mut self, key: u64) {
        self.0.resize(Self::WORDS, 0);
        let (word, bit) = Self::place(key);
        self.0[word] |= bit;
    }

    fn may_have(&self, key: u64) -> bool {
        let (word, bit) = Self::place(key);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

/// Up to eight bytes as a number.
fn packed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |packed, byte| packed << 8 | u64::from(*byte))
}

/// Where characters of base64 or base64url follow each other. Words of lower case are prose: of eight characters of
/// base64, one in a thousand looks so, and of sixteen none.
fn base64_runs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let length = bytes[at..].iter().take_while(|byte| is_digit(byte)).count();
            let run = at..at + length;
            at += length.max(1);
            let is_prose =
                |bytes: &[u8]| !bytes.iter().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            if length >= SHORTEST_BASE64 && !is_prose(&bytes[run.clone()]) {
                return Some(run);
            }
        }
        None
    })
}
