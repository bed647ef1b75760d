//! Inputs out of seeds: bytes moved about, JSON values of other types, parts of tokens and PEM blocks opened and changed.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};

use crate::seeds::Seed;

/// xorshift64*: the same inputs for the same seed, on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Less than `end`; 0 for 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

/// An input.
pub(crate) struct Mutated {
    pub(crate) bytes: Vec<u8>,
    /// No secret was moved to where it would be shown with right.
    pub(crate) secrets_stay: bool,
}

/// What readers stumble over.
const WORDS: &[&str] = &[
    "null",
    "true",
    "-1",
    "0",
    "1e309",
    "1e-309",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "-9223372036854775809",
    "0.1",
    "-0",
    "\"\"",
    "{}",
    "[]",
    "[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\\",
    "\"",
    "'",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{feff}",
    "ä",
    "\u{10ffff}",
    "://",
    "/../",
    "//",
    "?",
    "#",
    "@",
    ":",
    ",",
    ";",
    "%00",
    "%2f",
    "&a",
    "*a",
    "<<: *a",
    "!!binary ",
    "|\n  ",
    ">-\n  ",
    "---\n",
    ": ",
    "- ",
    "NaN",
    ".inf",
    "0x7f",
    "1h1h",
    ".5h",
    "-----BEGIN ",
    "-----END ",
    "PUBLIC KEY-----",
    "RSA PRIVATE KEY-----",
    "<Code>",
    "</Code>",
    "<Message>",
    "&#x1b;",
    "&amp;",
];

/// Values of every type, at the edges of their types.
fn odd_value(random: &mut Random) -> Value {
    match random.below(16) {
        0 => json!(null),
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(-1e-308),
        8 => json!(""),
        9 => json!([]),
        10 => json!({}),
        11 => json!("a".repeat(1 << random.below(17))),
        12 => (0..random.below(100)).fold(json!(1), |inner, _| json!([inner])),
        13 => json!(vec![json!("a"); 1 << random.below(12)]),
        14 => json!(*random.pick(WORDS)),
        _ => (0..random.below(100)).fold(json!("x"), |inner, _| json!({ "a": inner })),
    }
}

pub(crate) fn mutate(random: &mut Random, seeds: &[Seed]) -> Mutated {
    let seed = random.pick(seeds);
    let mut bytes = seed.bytes.clone();
    let mut secrets_stay = true;
    for _ in 0..=random.below(4) {
        match random.below(10) {
            0..=3 => {
                if let Some(text) = changed_json(random, &bytes, &mut secrets_stay) {
                    bytes = text;
                }
            }
            4 => {
                if let Some(text) = changed_parts(random, &bytes) {
                    bytes = text;
                    secrets_stay = false;
                }
            }
            5 => {
                if let Some(text) = changed_line(random, seed, &bytes) {
                    bytes = text;
                    secrets_stay = false;
                }
            }
            6 => {
                let other = random.pick(seeds);
                let (at, from) = (random.below(bytes.len()), random.below(other.bytes.len()));
                bytes.truncate(at);
                bytes.extend_from_slice(&other.bytes[from..]);
                secrets_stay = false;
            }
            _ => {
                changed_bytes(random, &mut bytes);
                secrets_stay = false;
            }
        }
    }
    bytes.truncate(1 << 20);
    Mutated { bytes, secrets_stay }
}

/// Another answer than this one.
pub(crate) fn answer(random: &mut Random, body: &[u8]) -> Vec<u8> {
    let mut bytes = body.to_vec();
    let mut ignored = false;
    for _ in 0..=random.below(3) {
        match random.below(8) {
            0 => changed_bytes(random, &mut bytes),
            1 => return odd_value(random).to_string().into_bytes(),
            _ => match changed_json(random, &bytes, &mut ignored) {
                Some(text) => bytes = text,
                None => changed_bytes(random, &mut bytes),
            },
        }
    }
    bytes
}

fn changed_bytes(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len());
    match random.below(6) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
        2 => bytes.truncate(at),
        3 => {
            let end = (at + random.below(64)).min(bytes.len());
            bytes.drain(at..end);
        }
        4 => {
            let end = (at + random.below(256)).min(bytes.len());
            let piece = bytes[at..end].repeat(1 + random.below(8));
            bytes.splice(at..at, piece);
        }
        _ => {
            let word = random.pick(WORDS).bytes();
            bytes.splice(at..at, word);
        }
    }
}

/// One line is doubled, taken out, pushed in, or given another value.
fn changed_line(random: &mut Random, _seed: &Seed, bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = random.below(lines.len());
    let line = lines.get(at)?.clone();
    match random.below(5) {
        0 => lines.insert(at, line),
        1 => drop(lines.remove(at)),
        2 => lines[at] = format!("  {line}"),
        3 => lines[at] = line.trim_start().to_owned(),
        _ => {
            let (key, _) = line.split_once(':')?;
            lines[at] = format!("{key}: {}", random.pick(WORDS));
        }
    }
    Some((lines.join("\n") + "\n").into_bytes())
}

/// One value of a JSON text becomes another, or goes, or comes twice.
fn changed_json(random: &mut Random, bytes: &[u8], secrets_stay: &mut bool) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    let mut places = vec![String::new()];
    collect(&value, "", &mut places);
    let place = random.pick(&places).clone();
    match random.below(5) {
        // Under another name a secret may well be shown.
        0 => {
            let from = random.pick(&places).clone();
            let other = value.pointer(&from)?.clone();
            *value.pointer_mut(&place)? = other;
            *secrets_stay = false;
        }
        1 => {
            let (parent, name) = place.rsplit_once('/')?;
            match value.pointer_mut(parent)? {
                Value::Object(members) => drop(members.remove(name)),
                Value::Array(items) => {
                    let at = random.below(items.len());
                    let item = items.get(at)?.clone();
                    items.extend(std::iter::repeat_n(item, 1 << random.below(8)));
                }
                _ => {}
            }
        }
        2 => {
            let (parent, name) = place.rsplit_once('/')?;
            if let Value::Object(members) = value.pointer_mut(parent)? {
                let moved = members.remove(name)?;
                members.insert((*random.pick(WORDS)).to_owned(), moved);
                *secrets_stay = false;
            }
        }
        // A number that no type of Rust holds.
        3 => {
            *value.pointer_mut(&place)? = json!("NUMBER");
            let digits = "9".repeat(1 + random.below(400));
            return Some(value.to_string().replace("\"NUMBER\"", &digits).into_bytes());
        }
        _ => *value.pointer_mut(&place)? = odd_value(random),
    }
    Some(value.to_string().into_bytes())
}

fn collect(value: &Value, at: &str, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                collect(inner, &place, places);
                places.push(place);
            }
        }
        Value::Array(items) => {
            for (number, inner) in items.iter().enumerate() {
                let place = format!("{at}/{number}");
                collect(inner, &place, places);
                places.push(place);
            }
        }
        _ => {}
    }
}

/// What is encoded within: the parts of a token, the bytes of a PEM block.
fn changed_parts(random: &mut Random, bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains("-----BEGIN") {
        let begin = text.find("-----\n")? + 6;
        let end = begin + text.get(begin..)?.find("-----END")?;
        let body: String = text.get(begin..end)?.split_whitespace().collect();
        let mut der = STANDARD.decode(body).ok()?;
        for _ in 0..=random.below(4) {
            changed_bytes(random, &mut der);
        }
        let lines = STANDARD.encode(der);
        return Some(format!("{}{lines}\n{}", &text[..begin], &text[end..]).into_bytes());
    }
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    let at = random.below(parts.len());
    let inner = URL_SAFE_NO_PAD.decode(&parts[at]).ok()?;
    let _: Map<String, Value> = serde_json::from_slice(&inner).ok()?;
    let mut ignored = false;
    parts[at] = URL_SAFE_NO_PAD.encode(changed_json(random, &inner, &mut ignored)?);
    Some(parts.join(".").into_bytes())
}
