//! What text may become before it leaves the process.
//!
//! ```text
//!  line, warning, error ─► line ─────┐
//!  JSON                 ─► json ─────┤                     ┌─ known: secrets that the process holds or has seen
//!  server, library      ─► message ──┴─► secrets left out ─┤
//!                                        then visible,    └─ shapes: what looks like a secret, known or not
//!                                        then short
//!  manifest, document   ─► document: refused if it holds a secret, else whole
//! ```
//!
//! Code that receives a secret calls [`remember`]; [`crate::secret::Secret`] does so by itself. From then on
//! it is left out of all output, also in base64, percent-encoded, escaped, or in part. A secret of less
//! than 6 characters is a part of ordinary words: it is left out only where its place gives it away, e.g. as
//! password in a URL.

mod canonical;
mod content;
mod known;
mod memory;
mod shapes;
mod visible;

use std::sync::{LazyLock, PoisonError, RwLock};

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use serde_json::Value;

use self::memory::Memory;

/// The longest text that a server, a library or a name is shown with, in characters.
const LONGEST_MESSAGE: usize = 600;
/// The longest line, in characters.
const LONGEST_LINE: usize = 8000;
/// The longest text in a JSON result, in characters.
const LONGEST_TEXT: usize = 4000;
/// Of a longer text only so much is looked at, in bytes: the rest is not shown.
const LONGEST_LOOK: usize = 64 << 10;
/// What is put in place of a secret, and of what is too long.
const LEFT_OUT: &str = "…";

/// The secrets that this process holds or has seen.
static KNOWN: LazyLock<RwLock<Memory>> = LazyLock::new(RwLock::default);

/// From now on this text is left out of everything that the process prints. It is opaque: a token, a password, a key.
pub(crate) fn remember(secret: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add(secret);
}

/// As [`remember`], for what is used once and expires by itself: a process that runs for months forgets it after many others.
pub(crate) fn remember_passing(secret: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add_passing(secret);
}

/// Remembers what is secret in a text of some form: the members of a JSON key file, the lines of a PEM private key, and
/// otherwise the text as a whole. For the values of Kubernetes Secrets and for credential files.
pub(crate) fn remember_content(content: &[u8]) {
    let text = String::from_utf8_lossy(content);
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    content::secrets_in(&text, &mut |secret| known.add(secret));
}

/// Remembers what is secret in an object of the cluster that is no Secret: passwords in its URLs, and the values of
/// headers that carry credentials, e.g. `X-Vault-Token` of a store.
pub(crate) fn remember_object(object: &Value) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    content::secrets_of(object, &mut |secret| known.add(secret));
}

/// Remembers a value whose name says that it is secret, e.g. `--client-secret` or `API_TOKEN`.
pub(crate) fn remember_named(name: &str, value: &str) {
    if shapes::is_secret_name(name) {
        remember(value);
    }
}

/// Remembers the credential in a header such as `Authorization: Bearer …` (RFC 9110 §11.6.2); of AWS's, the signature. Each
/// request remembers it again.
pub(crate) fn remember_header(value: &HeaderValue) {
    let Ok(text) = value.to_str() else { return };
    let after = text.split_once("Signature=").or_else(|| text.split_once(' '));
    remember_passing(after.map_or(text, |(_, credential)| credential));
}

/// Remembers what a request proves itself with: credentials in its headers, and tokens in a form (RFC 6749 §2.3.1).
pub(crate) fn remember_request(headers: &HeaderMap, body: Option<&[u8]>) {
    for (name, value) in headers {
        if shapes::is_secret_header(name.as_str()) {
            remember_header(value);
        }
    }
    let form = headers
        .get(CONTENT_TYPE)
        .is_some_and(|it| it.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    for (name, value) in url::form_urlencoded::parse(body.filter(|_| form).unwrap_or_default()) {
        if shapes::is_secret_name(&name) {
            remember_passing(&value);
        }
    }
}

/// Remembers the password in a URL, if there is one (RFC 3986 §3.2.1).
pub(crate) fn remember_url(text: &str) {
    if let Some(secret) = shapes::password(text) {
        remember(secret);
    }
}

/// A message of a server or a library: one line of at most 600 characters. A server may send back what it was sent, so
/// words that look like a signature, a key or a token are left out as well.
pub(crate) fn message(text: &str) -> String {
    let text = shapes::without_odd_words(&without_secrets(beginning(text)));
    visible::short(visible::spaced(text.trim()), LONGEST_MESSAGE)
}

/// A text that the user gave, as an error quotes it: the part before an `@` may be a password.
pub(crate) fn given(text: &str) -> String {
    let text = match text.rsplit_once('@') {
        Some((_, rest)) => format!("{LEFT_OUT}@{rest}"),
        None => text.to_owned(),
    };
    message(&text)
}

/// One line of output. What would end the line, or act on the terminal, is shown as an escape.
pub(crate) fn line(text: &str) -> String {
    let text = visible::escaped(&without_secrets(beginning(text)));
    visible::short(visible::short_words(text, LONGEST_MESSAGE), LONGEST_LINE)
}

/// Every text and every member name of a JSON result.
pub(crate) fn json(value: &mut Value) {
    match value {
        Value::String(text) => *text = json_text(text),
        Value::Array(items) => items.iter_mut().for_each(json),
        Value::Object(members) => {
            for (name, mut value) in std::mem::take(members) {
                json(&mut value);
                members.insert(json_text(&name), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn json_text(text: &str) -> String {
    // JSON writes its own line structure: a line break in a text is data.
    let lines: Vec<_> = without_secrets(beginning(text)).split('\n').map(visible::escaped).collect();
    visible::short(lines.join("\n"), LONGEST_TEXT)
}

/// A document of several lines that is used as it is, e.g. a manifest. What is unprintable is shown as an escape;
/// see [`secret_line`] for whether it may be written at all.
pub(crate) fn document(text: &str) -> String {
    text.split('\n').map(visible::escaped_but_tab).collect::<Vec<_>>().join("\n")
}

/// The number of the first line, from 1, that holds a known secret or what looks like one.
pub(crate) fn secret_line(text: &str) -> Option<usize> {
    let mut found = KNOWN.read().unwrap_or_else(PoisonError::into_inner).find(text);
    found.extend(shapes::find_in_document(text));
    let first = found.into_iter().map(|part| part.start).min()?;
    Some(text[..first].matches('\n').count() + 1)
}

/// JSON or double-quoted YAML, with every unprintable character in its texts as an escape: it means the same.
pub(crate) fn ascii_escapes(json: &str) -> String {
    visible::json_escaped(json)
}

/// The text without what is known as secret or looks like it.
fn without_secrets(text: &str) -> String {
    let mut found = KNOWN.read().unwrap_or_else(PoisonError::into_inner).find(text);
    found.extend(shapes::find(text));
    cut(text, found)
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_LOOK)]
}

/// The text with [`LEFT_OUT`] in place of each of these parts. They may touch and overlap.
fn cut(text: &str, mut parts: Vec<std::ops::Range<usize>>) -> String {
    parts.sort_by_key(|part| part.start);
    let mut rest = String::with_capacity(text.len());
    let mut at = 0;
    for part in parts {
        if part.end <= at {
            continue;
        }
        // A part that touches the one before shares its mark.
        if part.start > at || at == 0 {
            rest.push_str(&text[at..part.start.max(at)]);
            rest.push_str(LEFT_OUT);
        }
        at = part.end;
    }
    rest.push_str(&text[at..]);
    rest
}

#[cfg(test)]
#[path = "redact/cost_tests.rs"]
mod cost_tests;
#[cfg(test)]
#[path = "redact/tests.rs"]
mod tests;
