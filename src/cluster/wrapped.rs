//! PURE. What lies inside a value: people wrap a credential once more, in base64, in JSON, in a pull secret, in YAML.

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

/// Layers that are looked into.
const DEEPEST: usize = 4;
/// A text that is shorter holds no credential in another form.
const SHORTEST: usize = 20;
/// Longer texts are not read as JSON.
const LONGEST_JSON: usize = 1 << 20;

const fn engine(alphabet: &base64::alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

const ENGINES: [GeneralPurpose; 2] = [engine(&STANDARD), engine(&URL_SAFE)];

/// Whether this is so of a value, or of anything that is wrapped in it.
pub(crate) fn any_within(value: &[u8], is_it: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    within(value, DEEPEST, is_it)
}

fn within(value: &[u8], depth: usize, is_it: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    if is_it(value) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    if let Some(text) = of_two_bytes(value) {
        return within(text.as_bytes(), depth, is_it);
    }
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with(['{', '[', '"'])
        && text.len() <= LONGEST_JSON
        && let Ok(json) = serde_json::from_str::<Value>(text)
    {
        return in_json(&json, depth, is_it);
    }
    // The whole text may be wrapped in base64, broken into lines; else its words may.
    if let Some(inner) = decoded_lines(text.as_bytes()) {
        return within(&inner, depth, is_it);
    }
    text.as_bytes()
        .split(|byte| !is_of_base64(*byte))
        // `NAME=text`
        .flat_map(|word| {
            [word, word.iter().position(|byte| *byte == b'=').map_or(&[][..], |at| &word[at + 1..])]
        })
        .any(|word| decoded(word).is_some_and(|inner| within(&inner, depth, is_it)))
}

/// Texts, and objects without what they hold further in.
fn in_json(value: &Value, depth: usize, is_it: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    match value {
        Value::String(text) => text.len() >= SHORTEST && within(text.as_bytes(), depth, is_it),
        Value::Array(items) => items.iter().any(|item| in_json(item, depth, is_it)),
        Value::Object(members) => {
            let flat: Map<String, Value> = members
                .iter()
                .filter(|(_, value)| !value.is_object() && !value.is_array())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            is_it(Value::Object(flat).to_string().as_bytes())
                || members.values().any(|value| in_json(value, depth, is_it))
        }
        _ => false,
    }
}

/// Base64 of any alphabet, padded or not, of something that is long enough.
pub(crate) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    Base64::of(text).filter(|form| form.is_word()).and_then(|form| form.decoded(text))
}

/// The same, of a text that may be broken into lines.
pub(crate) fn decoded_lines(text: &[u8]) -> Option<Vec<u8>> {
    Base64::of(text)?.decoded(text)
}

/// The form of a text that has nothing in it that speaks against base64: no other characters, and one alphabet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base64 {
    /// The classes of its bytes.
    seen: u8,
}

impl Base64 {
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let mut seen = 0;
        // The bytes of a block have no branch between them; most texts that are none show it in the first.
        for block in text.chunks(BLOCK) {
            seen = block.iter().fold(seen, |seen, byte| seen | CLASSES[usize::from(*byte)]);
            if seen & OTHER != 0 || seen & (PLAIN | OF_URLS) == PLAIN | OF_URLS {
                return None;
            }
        }
        Some(Self { seen })
    }

    /// Whether it is not broken into lines.
    pub(crate) fn is_word(self) -> bool {
        self.seen & SPACE == 0
    }

    /// What the text of this form decodes to, if it is long enough.
    pub(crate) fn decoded(self, text: &[u8]) -> Option<Vec<u8>> {
        if text.len() < SHORTEST {
            return None;
        }
        let engine = if self.seen & OF_URLS == 0 { &ENGINES[0] } else { &ENGINES[1] };
        if self.is_word() {
            return engine.decode(text).ok();
        }
        let whole = text.split(u8::is_ascii_whitespace).collect::<Vec<_>>().concat();
        if whole.len() < SHORTEST { None } else { engine.decode(&whole).ok() }
    }
}

/// Bytes that are looked at before it is asked whether they are base64.
const BLOCK: usize = 64;

/// What a byte is in base64: in every alphabet, in one of the two, white space between lines, or nothing.
const EVERY: u8 = 1;
const PLAIN: u8 = 2;
const OF_URLS: u8 = 4;
const SPACE: u8 = 8;
const OTHER: u8 = 16;
static CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'=' => EVERY,
            b'+' | b'/' => PLAIN,
            b'-' | b'_' => OF_URLS,
            b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' => SPACE,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// Whether a byte is of any alphabet of base64.
#[inline]
pub(crate) fn is_of_base64(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & (EVERY | PLAIN | OF_URLS) != 0
}

/// UTF-16 with a byte order mark.
pub(crate) fn of_two_bytes(value: &[u8]) -> Option<String> {
    let read = |from: fn([u8; 2]) -> u16| {
        let units = value.chunks_exact(2).skip(1).map(|pair| from([pair[0], pair[1]]));
        char::decode_utf16(units).collect::<Result<String, _>>().ok()
    };
    match value {
        [0xff, 0xfe, ..] => read(u16::from_le_bytes),
        [0xfe, 0xff, ..] => read(u16::from_be_bytes),
        _ => None,
    }
}

/// The private keys (PEM) in a text, also of one whose line breaks were written out as `\n` or are gone.
pub(crate) fn private_keys(text: &[u8]) -> Vec<String> {
    const END: &str = "-----END ";
    let Ok(text) = std::str::from_utf8(text) else { return Vec::new() };
    let mut found = Vec::new();
    for block in text.split("-----BEGIN ").skip(1) {
        let Some((tag, rest)) = block.split_once("-----") else { continue };
        let Some((body, _)) = rest.split_once(END) else { continue };
        if !tag.ends_with("PRIVATE KEY") || tag.len() > 40 {
            continue;
        }
        let body = base64_of(body);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        found.push(format!("-----BEGIN {tag}-----\n{}\n{END}{tag}-----\n", lines.join("\n")));
    }
    found
}

/// The digits of base64 alone. However often a line break was written out, it is one: `\n`, `\\n`.
pub(crate) fn base64_of(body: &str) -> String {
    let mut found = String::with_capacity(body.len());
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' {
            while chars.next_if_eq(&'\\').is_some() {}
            chars.next_if(|c| matches!(c, 'n' | 'r'));
        } else if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') {
            found.push(c);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const NEEDLE: &str = "kanarienvogel-im-kaefig";

    fn is_in(value: &[u8]) -> bool {
        any_within(value, &mut |part| part.windows(NEEDLE.len()).any(|it| it == NEEDLE.as_bytes()))
    }

    #[test]
    fn wrapped_text_is_found() {
        let once = STANDARD.encode(NEEDLE);
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(NEEDLE.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for value in [
            NEEDLE.to_owned(),
            once.clone(),
            URL_SAFE_NO_PAD.encode(NEEDLE),
            STANDARD.encode(&once),
            format!("{}\n{}\n", &once[..12], &once[12..]),
            format!("a: b\nKEY={once}\n"),
            format!("key: \"{once}\""),
            json!({"a": [{"b": once}]}).to_string(),
            json!(json!({"a": NEEDLE}).to_string()).to_string(),
            json!({"auths": {"x": {"auth": STANDARD.encode(format!("_json_key:{NEEDLE}"))}}}).to_string(),
            format!("\u{feff}{}", json!({"a": once})),
            STANDARD.encode(utf16),
        ] {
            assert!(is_in(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn other_text_is_not() {
        let deep = (0..9).fold(NEEDLE.to_owned(), |text, _| STANDARD.encode(text));
        for value in ["", "kanarienvogel", "{", "[[[[", "\"", "=", &deep, "-----BEGIN "] {
            assert!(!is_in(value.as_bytes()), "{value}");
        }
        assert!(!is_in(&[0xff, 0xfe, 0x00]) && !is_in(&[0xff; 100]));
    }

    #[test]
    fn private_key_is_put_together_again() {
        let whole = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            ["rUJn".repeat(16), "nUJr".repeat(16)].join("\n")
        );
        let written = |text: &str| json!(text).to_string().trim_matches('"').to_owned();
        for text in [
            whole.clone(),
            written(&whole),
            written(&written(&whole)),
            whole.replace('\n', "\\r\\n"),
            whole.replace('\n', " "),
            format!("x: '{whole}'"),
        ] {
            assert_eq!(private_keys(text.as_bytes()), [whole.as_str()], "{text}");
        }
        for text in [
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----",
            "",
        ] {
            assert!(private_keys(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
