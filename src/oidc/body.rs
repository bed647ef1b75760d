//! From the bytes of an answer to a JSON object, with a word on what it was instead.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The most that is read of a document. A hundred keys of 8192 bit need 150 KiB.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// UTF-8 text (RFC 8259 §8.1), or the refusal.
pub(crate) fn text<'a>(body: &'a [u8], what: &str) -> Result<&'a str> {
    std::str::from_utf8(body).map_err(|error| {
        Error::failed("body-not-utf8", format!("{what} is not UTF-8 text"))
            .caused_by(error)
            .hint("something else than a JSON document is served there; look at it with curl")
    })
}

/// The one JSON object that a body holds. Answers that only look like success (an HTML page, a Kubernetes
/// Status, nothing) get a code of their own, because their cure differs.
pub(crate) fn json_object(body: &[u8], what: &str) -> Result<Map<String, Value>> {
    let text = text(body, what)?;
    let trimmed = text.trim_start();
    if trimmed.is_empty() {
        return Err(Error::failed("body-empty", format!("{what} is empty"))
            .hint("the answer came with a success status but without a body; ask again, then look at what serves it"));
    }
    if trimmed.starts_with('<') {
        return Err(Error::failed("body-html", format!("{what} is a web page, not JSON"))
            .caused_by(excerpt(trimmed))
            .hint("a login page, a proxy or a single-page site answers in its place"));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| {
        Error::failed("body-not-json", format!("{what} is not JSON"))
            .caused_by(error)
            .caused_by(excerpt(trimmed))
            .hint("the document may be cut off, or something else is served there")
    })?;
    let Value::Object(object) = value else {
        return Err(Error::failed("body-not-an-object", format!("{what} is JSON, but not an object"))
            .caused_by(excerpt(trimmed))
            .hint("something else is served there"));
    };
    if object.get("kind").and_then(Value::as_str) == Some("Status") {
        return Err(Error::failed("body-status", format!("{what} is a Kubernetes Status, not a document"))
            .caused_by(object.get("message").and_then(Value::as_str).unwrap_or_default())
            .hint("an API server refused and something in between changed the status to success"));
    }
    Ok(object)
}

/// The beginning of a foreign body, on one line.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 120;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("it begins: {}…", &line[..end]),
        None => format!("it says: {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_was_instead() {
        for (body, code) in [
            (&b"\xff\xfe{"[..], "body-not-utf8"),
            (b"", "body-empty"),
            (b" \n", "body-empty"),
            (b"<!DOCTYPE html><title>Sign in</title>", "body-html"),
            (b"{\"keys\":[", "body-not-json"),
            (b"{\"keys\":[]}{", "body-not-json"),
            (b"404 page not found", "body-not-json"),
            (b"[]", "body-not-an-object"),
            (b"null", "body-not-an-object"),
            (br#"{"kind":"Status","status":"Failure","message":"forbidden","code":403}"#, "body-status"),
        ] {
            let error = json_object(body, "the key set").expect_err("refused");
            assert_eq!(error.code, code, "{}", String::from_utf8_lossy(body));
            assert!(!error.hints.is_empty());
        }
        assert!(json_object(br#" {"keys":[]}"#, "the key set").is_ok());
    }
}
