//! PURE. A value and everything that is wrapped in it: base64 once more, JSON, YAML, gzip, UTF-16, lines of `NAME=value`.
//! Each layer is handed to every kind.

use std::{borrow::Cow, io::Read};

use memchr::{memchr, memmem};
use serde_json::{Map, Value};

use super::{
    Finds, Holder, KINDS,
    decoded::Decoded,
    marks::{Mark, Marks, mark},
    pair::{Inner, Pair, of_lines},
    text::lines,
};
use crate::cluster::{decoded as decoded_word, is_of_base64, of_two_bytes};

/// Layers that are looked into.
const DEEPEST: usize = 5;
/// A text that is shorter holds no credential in another form.
const SHORTEST: usize = 20;
/// Longer texts are not read as YAML.
const LONGEST_YAML: usize = 1 << 20;
/// What a compressed value may come to.
pub(super) const MOST_INFLATED: u64 = 32 << 20;

/// One layer of a value, or several values that lie together.
pub(super) struct Part<'a> {
    pub(super) holder: &'a Holder,
    /// Under which name it lies: a key of the Secret, a member, a variable.
    pub(super) field: &'a str,
    pub(super) bytes: &'a [u8],
    /// `bytes` as text; what is no UTF-8 in them is replaced.
    pub(super) text: Option<&'a str>,
    /// The members of an object, the lines of a text, the variables of a container.
    pub(super) pairs: Vec<Pair<'a>>,
    /// Whether every pair is a line of the text, as it is there.
    pub(super) of_text: bool,
    /// The object, where it is one.
    pub(super) object: Option<&'a Map<String, Value>>,
    /// What is in `text`.
    marks: Marks,
}

impl<'a> Part<'a> {
    /// The value of this very name, in any case and with any separators.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.named(|it| it == name).map(|(_, value)| value).next()
    }

    /// Names, as [`plain`](super::text::plain) gives them, and values.
    pub(super) fn named(&self, is_it: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, &str)> {
        self.of_pairs(move |pair| {
            // A word that a kind asks for and that `is_telling` does not know: a test falls over it.
            debug_assert!(pair.is_telling || !is_it(&pair.name), "{} is asked for", pair.name);
            pair.is_telling && is_it(&pair.name)
        })
    }

    /// All of them.
    pub(super) fn all_named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.of_pairs(|pair| !pair.name.is_empty())
    }

    fn of_pairs(&self, is_it: impl Fn(&Pair<'_>) -> bool) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.pairs.iter().filter(move |pair| is_it(pair));
        pairs.map(|pair| (&*pair.name, pair.value.trim())).filter(|(_, value)| !value.is_empty())
    }

    /// The values, whatever their names are.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|pair| pair.value.trim())
    }

    /// Whether this is in the text.
    pub(super) fn has(&self, mark: Mark) -> bool {
        self.marks.has(mark)
    }

    /// Whether any of these is in the text.
    pub(super) fn has_any(&self, marks: &[Mark]) -> bool {
        self.marks.has_any(marks)
    }

    /// The text, where this is in it.
    pub(super) fn text_with(&self, mark: Mark) -> Option<&'a str> {
        self.text.filter(|_| self.has(mark))
    }

    /// The text, and every value that is no piece of it, where this is in them.
    pub(super) fn texts_with(&self, mark: Mark) -> impl Iterator<Item = &str> {
        let values = self.values().filter(|_| !self.of_text).filter(move |value| mark.is_in(value));
        self.text_with(mark).into_iter().chain(values)
    }

    /// The text, and every value that is no piece of it.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.text.into_iter().chain(self.values().filter(|_| !self.of_text))
    }
}

/// Hands a value, and everything within it, to every kind. `false`: something was too large to be looked into.
pub(super) fn look_into(holder: &Holder, field: &str, value: &Decoded<'_>, finds: &mut Finds) -> bool {
    finds.spend(value.bytes.len()) && look_at(holder, field, value, DEEPEST, finds)
}

/// The same for a value of JSON.
pub(super) fn look_into_json(holder: &Holder, field: &str, value: &Value, finds: &mut Finds) -> bool {
    in_json(holder, field, value, DEEPEST, finds)
}

/// Hands values that lie together to every kind.
pub(super) fn look_at_pairs(holder: &Holder, pairs: Vec<Pair<'_>>, finds: &mut Finds) {
    ask(
        &Part {
            holder,
            field: "",
            bytes: b"",
            text: None,
            pairs,
            of_text: false,
            object: None,
            marks: Marks::default(),
        },
        finds,
    );
}

fn ask(part: &Part<'_>, finds: &mut Finds) {
    // Each value may be encoded, as those of a Secret within something else are: then it is what it decodes to.
    let inner: Vec<_> = part.pairs.iter().map(decoded_text).collect();
    if inner.iter().all(Option::is_none) {
        return KINDS.iter().for_each(|kind| (kind.find)(part, finds));
    }
    let pairs = part.pairs.iter().zip(inner).map(|(pair, inner)| Pair {
        name: Cow::Borrowed(&pair.name),
        value: inner.unwrap_or(Cow::Borrowed(&*pair.value)),
        inner: Inner::Known(None),
        is_telling: pair.is_telling,
    });
    let part = Part { pairs: pairs.collect(), of_text: false, ..*part };
    KINDS.iter().for_each(|kind| (kind.find)(&part, finds));
}

/// What the value of a pair decodes to, if that is a text.
fn decoded_text<'p>(pair: &'p Pair<'_>) -> Option<Cow<'p, str>> {
    match &pair.inner {
        Inner::Known(inner) => inner.as_deref().map(Cow::Borrowed),
        Inner::Unknown => {
            let inner = decoded_word(pair.value.trim().as_bytes()).filter(|inner| may_hold(inner))?;
            String::from_utf8(inner).ok().map(Cow::Owned)
        }
    }
}

fn within(holder: &Holder, field: &str, value: &[u8], depth: usize, finds: &mut Finds) -> bool {
    finds.spend(value.len()) && look_at(holder, field, &Decoded::of(value), depth, finds)
}

fn look_at(holder: &Holder, field: &str, decoded: &Decoded<'_>, depth: usize, finds: &mut Finds) -> bool {
    let (value, text) = (decoded.bytes, decoded.text());
    let marks = Marks::of(text);
    ask(
        &Part {
            holder,
            field,
            bytes: value,
            text: Some(text),
            pairs: of_lines(text),
            of_text: true,
            object: None,
            marks,
        },
        finds,
    );
    let Some(depth) = depth.checked_sub(1) else { return !is_wrapped(decoded) };
    if value.starts_with(GZIP) {
        return match inflated(value, MOST_INFLATED) {
            Inflated::Whole(inner) => within(holder, field, &inner, depth, finds),
            Inflated::Broken(begun) => {
                within(holder, field, &begun, depth, finds);
                false
            }
            Inflated::TooLarge => false,
        };
    }
    // Packed in a form that is not unpacked here.
    if PACKED.iter().any(|magic| value.starts_with(magic)) {
        return false;
    }
    if let Some(text) = of_two_bytes(value) {
        return within(holder, field, text.as_bytes(), depth, finds);
    }
    if text.starts_with(['{', '[', '"'])
        && let Ok(json) = serde_json::from_str::<Value>(text)
    {
        return in_json(holder, field, &json, depth, finds);
    }
    if let Some(inner) = &decoded.inner {
        return within(holder, field, inner, depth, finds);
    }
    // A longer one is not read as YAML: what only its structure shows is not seen.
    let is_structured = is_structured(text, marks);
    let mut whole = text.len() <= LONGEST_YAML || !is_structured;
    if text.len() <= LONGEST_YAML
        && is_structured
        && let Ok(yaml @ (Value::Object(_) | Value::Array(_))) = serde_saphyr::from_str::<Value>(text)
    {
        whole &= in_json(holder, field, &yaml, depth, finds);
    }
    if marks.has(const { mark("{\"") })
        && let Some(at) = memmem::find(text.as_bytes(), b"{\"")
        && let Some(Ok(json)) = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next()
    {
        whole &= in_json(holder, field, &json, depth, finds);
    }
    for word in words_of_base64(text, decoded.is_word()) {
        // `NAME=text`
        let after = memchr(b'=', word).map_or(&[][..], |at| &word[at + 1..]);
        // The whole text was decoded above.
        let words = [word, after].into_iter().filter(|word| word.len() < text.len());
        for inner in words.filter_map(decoded_word).filter(|inner| may_hold(inner)) {
            whole &= within(holder, field, &inner, depth, finds);
        }
    }
    whole
}

/// The words of a text that are long enough to be decoded. `is_word`: it is known to be one word.
fn words_of_base64(text: &str, is_word: bool) -> impl Iterator<Item = &[u8]> {
    let (whole, rest) = if is_word { (Some(text.as_bytes()), "") } else { (None, text) };
    let words = whole.into_iter().chain(rest.as_bytes().split(|byte| !is_of_base64(*byte)));
    words.filter(|word| word.len() >= SHORTEST)
}

fn in_json(holder: &Holder, field: &str, value: &Value, depth: usize, finds: &mut Finds) -> bool {
    match value {
        Value::String(text) => text.len() < SHORTEST || within(holder, field, text.as_bytes(), depth, finds),
        Value::Array(items) => {
            // Variables of a container, parameters of an application; arguments of a command.
            let pairs = items.iter().filter_map(name_and_value);
            look_at_pairs(holder, pairs.map(|(name, value)| Pair::new(name, value)).collect(), finds);
            let texts: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            if texts.len() > 1 {
                let text = texts.join("\n");
                let (bytes, pairs, marks) = (text.as_bytes(), of_lines(&text), Marks::of(&text));
                ask(
                    &Part {
                        holder,
                        field,
                        bytes,
                        text: Some(&text),
                        pairs,
                        of_text: true,
                        object: None,
                        marks,
                    },
                    finds,
                );
            }
            items.iter().fold(true, |whole, item| {
                let named = name_and_value(item).map(|(name, _)| name);
                in_json(holder, named.unwrap_or(field), item, depth, finds) && whole
            })
        }
        Value::Object(members) => {
            let pairs = match name_and_value(value) {
                Some((name, value)) => vec![Pair::new(name, value)],
                None => members
                    .iter()
                    .filter_map(|(name, value)| Some(Pair::new(name, value.as_str()?)))
                    .collect(),
            };
            ask(
                &Part {
                    holder,
                    field,
                    bytes: b"",
                    text: None,
                    pairs,
                    of_text: false,
                    object: Some(members),
                    marks: Marks::default(),
                },
                finds,
            );
            let is_pair = name_and_value(value).is_some();
            members.iter().fold(true, |whole, (name, value)| {
                let field = if is_pair { field } else { name };
                in_json(holder, field, value, depth, finds) && whole
            })
        }
        _ => true,
    }
}

/// `{"name": "AWS_SECRET_ACCESS_KEY", "value": "…"}`.
fn name_and_value(item: &Value) -> Option<(&str, &str)> {
    let name = item.get("name").or_else(|| item.get("key"))?.as_str()?;
    Some((name, item.get("value")?.as_str()?))
}

/// Whether a YAML text may hold a credential that only its structure tells. What is quoted or folded in it is decoded, too.
fn is_structured(text: &str, marks: Marks) -> bool {
    const MEMBERS: [Mark; 6] = [
        mark("\\\""),
        mark("client-key-data"),
        mark("users"),
        mark("auths"),
        mark("keyData"),
        mark("bearerToken"),
    ];
    let is_block = |line: &str| [": |", ": >", ": |-", ": >-"].iter().any(|end| line.ends_with(end));
    marks.has(const { mark(":") })
        && (marks.has_any(&MEMBERS) || lines(text).any(|line| is_block(line.trim_end())))
}

/// Whether decoded bytes are anything: text, or a file that is known to be one.
pub(super) fn may_hold(bytes: &[u8]) -> bool {
    bytes.len() >= 8
        && (bytes.starts_with(GZIP)
            || PACKED.iter().any(|magic| bytes.starts_with(magic))
            || bytes.starts_with(&[0x30])
            || of_two_bytes(bytes).is_some()
            || std::str::from_utf8(bytes)
                .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace())))
}

/// Whether a value that may not be looked into any deeper has something within it.
fn is_wrapped(value: &Decoded<'_>) -> bool {
    value.inner.is_some()
        || value.bytes.starts_with(GZIP)
        || PACKED.iter().any(|magic| value.bytes.starts_with(magic))
}

/// With the one method of compression that there is (RFC 1952 §2.3.1): two bytes alone begin a random password now and then.
const GZIP: &[u8] = &[0x1f, 0x8b, 8];
/// zip, xz, zstd, bzip2, 7z.
const PACKED: [&[u8]; 5] =
    [b"PK\x03\x04", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh91AY&SY", b"7z\xbc\xaf\x27\x1c"];

pub(super) enum Inflated {
    Whole(Vec<u8>),
    /// What came before the fault.
    Broken(Vec<u8>),
    TooLarge,
}

/// Unpacks gzip up to a limit: what was compressed may be a thousand times as large.
pub(super) fn inflated(bytes: &[u8], most: u64) -> Inflated {
    let mut inner = Vec::new();
    // Several members after one another are one file (RFC 1952 §2.2).
    match flate2::read::MultiGzDecoder::new(bytes).take(most + 1).read_to_end(&mut inner) {
        Ok(_) if inner.len() as u64 > most => Inflated::TooLarge,
        Ok(_) => Inflated::Whole(inner),
        Err(_) => Inflated::Broken(inner),
    }
}
