//! PURE. A value and everything that is wrapped in it: base64 once more, JSON, YAML, gzip, UTF-16, lines of `NAME=value`.
//! Each layer is handed to every kind.

use std::{borrow::Cow, io::Read};

use serde_json::{Map, Value};

use super::{Finds, Holder, KINDS, text::plain};
use crate::cluster::{decoded, of_two_bytes};

/// Layers that are looked into.
const DEEPEST: usize = 5;
/// A text that is shorter holds no credential in another form.
const SHORTEST: usize = 20;
/// The longest name of a value.
const LONGEST_NAME: usize = 128;
/// A longer line is no name with its value.
const LONGEST_LINE: usize = 64 << 10;
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
    /// `bytes`, if they are text.
    pub(super) text: Option<&'a str>,
    /// The members of an object, the lines of a text, the variables of a container.
    pub(super) pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The object, where it is one.
    pub(super) object: Option<&'a Map<String, Value>>,
}

impl<'a> Part<'a> {
    /// The value of this very name, in any case and with any separators.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.named(|it| it == name).map(|(_, value)| value).next()
    }

    /// Names, as [`plain`] gives them, and values.
    pub(super) fn named(&self, is_it: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.pairs.iter().map(|(name, value)| (&**name, value.trim()));
        pairs.filter(move |(name, value)| !value.is_empty() && is_it(&plain(name)))
    }
}

/// Hands a value, and everything within it, to every kind. `false`: something was too large to be looked into.
pub(super) fn look_into(holder: &Holder, field: &str, value: &[u8], finds: &mut Finds) -> bool {
    within(holder, field, value, DEEPEST, finds)
}

/// The same for a value of JSON.
pub(super) fn look_into_json(holder: &Holder, field: &str, value: &Value, finds: &mut Finds) -> bool {
    in_json(holder, field, value, DEEPEST, finds)
}

/// Hands values that lie together to every kind.
pub(super) fn look_at_pairs(holder: &Holder, pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>, finds: &mut Finds) {
    ask(&Part { holder, field: "", bytes: b"", text: None, pairs, object: None }, finds);
}

fn ask(part: &Part<'_>, finds: &mut Finds) {
    KINDS.iter().for_each(|kind| (kind.find)(part, finds));
}

fn within(holder: &Holder, field: &str, value: &[u8], depth: usize, finds: &mut Finds) -> bool {
    let text = std::str::from_utf8(value).ok().map(|text| text.trim_start_matches('\u{feff}').trim());
    let pairs = text.map(lines).unwrap_or_default();
    ask(&Part { holder, field, bytes: value, text, pairs, object: None }, finds);
    let Some(depth) = depth.checked_sub(1) else { return true };
    if value.starts_with(&[0x1f, 0x8b]) {
        return match inflated(value, MOST_INFLATED) {
            Inflated::Whole(inner) => within(holder, field, &inner, depth, finds),
            Inflated::Broken => true,
            Inflated::TooLarge => false,
        };
    }
    if let Some(text) = of_two_bytes(value) {
        return within(holder, field, text.as_bytes(), depth, finds);
    }
    let Some(text) = text else { return true };
    if text.starts_with(['{', '[', '"'])
        && let Ok(json) = serde_json::from_str::<Value>(text)
    {
        return in_json(holder, field, &json, depth, finds);
    }
    let whole: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if let Some(inner) = decoded(&whole).filter(|inner| may_hold(inner)) {
        return within(holder, field, &inner, depth, finds);
    }
    let mut whole = true;
    if is_structured(text)
        && let Ok(yaml @ (Value::Object(_) | Value::Array(_))) = serde_saphyr::from_str::<Value>(text)
    {
        whole &= in_json(holder, field, &yaml, depth, finds);
    }
    if let Some(at) = text.find("{\"")
        && let Some(Ok(json)) = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next()
    {
        whole &= in_json(holder, field, &json, depth, finds);
    }
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let long = text.as_bytes().split(|byte| !is_of_word(*byte)).filter(|word| word.len() >= SHORTEST);
    for word in long {
        // `NAME=text`
        let after = word.iter().position(|byte| *byte == b'=').map_or(&[][..], |at| &word[at + 1..]);
        for word in [word, after] {
            if let Some(inner) = decoded(word).filter(|inner| may_hold(inner)) {
                whole &= within(holder, field, &inner, depth, finds);
            }
        }
    }
    whole
}

fn in_json(holder: &Holder, field: &str, value: &Value, depth: usize, finds: &mut Finds) -> bool {
    match value {
        Value::String(text) => text.len() < SHORTEST || within(holder, field, text.as_bytes(), depth, finds),
        Value::Array(items) => {
            // Variables of a container, parameters of an application; arguments of a command.
            look_at_pairs(holder, items.iter().filter_map(name_and_value).collect(), finds);
            let texts: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            if texts.len() > 1 {
                let text = texts.join("\n");
                let (bytes, pairs) = (text.as_bytes(), lines(&text));
                ask(&Part { holder, field, bytes, text: Some(&text), pairs, object: None }, finds);
            }
            items.iter().fold(true, |whole, item| {
                let named = name_and_value(item).map(|(name, _)| name.into_owned());
                in_json(holder, named.as_deref().unwrap_or(field), item, depth, finds) && whole
            })
        }
        Value::Object(members) => {
            let text = |(name, value): (&'_ String, &'_ Value)| {
                Some((Cow::Owned(name.clone()), Cow::Owned(value.as_str()?.to_owned())))
            };
            let pairs = match name_and_value(value) {
                Some((name, value)) => vec![(name, value)],
                None => members.iter().filter_map(text).collect(),
            };
            ask(&Part { holder, field, bytes: b"", text: None, pairs, object: Some(members) }, finds);
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
fn name_and_value(item: &Value) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let name = item.get("name").or_else(|| item.get("key"))?.as_str()?;
    Some((Cow::Borrowed(name), Cow::Borrowed(item.get("value")?.as_str()?)))
}

/// `NAME=value`, `name: value`, `--name=value`, `"name": "value",`.
fn lines(text: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    text.lines()
        .filter(|line| line.len() <= LONGEST_LINE)
        .filter_map(of_line)
        .map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)))
        .collect()
}

fn of_line(line: &str) -> Option<(&str, &str)> {
    const AROUND: &[char] = &['"', '\'', ',', ' ', '\t', '-', '{', '}', ';'];
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let at = line.find(['=', ':'])?;
    let (name, value) = (line[..at].trim_matches(AROUND), line[at + 1..].trim());
    let value = value.trim_end_matches([',', ';', '}']).trim().trim_matches(['"', '\'']);
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_whitespace);
    (fits && !value.is_empty()).then_some((name, value))
}

/// Whether a YAML text may hold a credential that only its structure tells. What is quoted or folded in it is decoded, too.
fn is_structured(text: &str) -> bool {
    const MEMBERS: [&str; 5] = ["client-key-data", "users", "auths", "keyData", "bearerToken"];
    let is_block = |line: &str| [": |", ": >", ": |-", ": >-"].iter().any(|end| line.ends_with(end));
    text.len() <= LONGEST_YAML
        && text.contains(':')
        && (text.contains("\\\"")
            || MEMBERS.iter().any(|it| text.contains(it))
            || text.lines().any(|line| is_block(line.trim_end())))
}

/// Whether decoded bytes are anything: text, or a file that is known to be one.
pub(super) fn may_hold(bytes: &[u8]) -> bool {
    bytes.len() >= 8
        && (bytes.starts_with(&[0x1f, 0x8b])
            || bytes.starts_with(&[0x30])
            || of_two_bytes(bytes).is_some()
            || std::str::from_utf8(bytes)
                .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace())))
}

pub(super) enum Inflated {
    Whole(Vec<u8>),
    Broken,
    TooLarge,
}

/// Unpacks gzip up to a limit: what was compressed may be a thousand times as large.
pub(super) fn inflated(bytes: &[u8], most: u64) -> Inflated {
    let mut inner = Vec::new();
    match flate2::read::GzDecoder::new(bytes).take(most + 1).read_to_end(&mut inner) {
        Ok(_) if inner.len() as u64 > most => Inflated::TooLarge,
        Ok(_) => Inflated::Whole(inner),
        Err(_) => Inflated::Broken,
    }
}
