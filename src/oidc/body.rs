//! From the bytes of an answer to a JSON object, with a word on what it was instead.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::key::shown;
use crate::error::{Code, Error, Result};

/// UTF-8 text (RFC 8259 §8.1), or the refusal.
pub(crate) fn text<'a>(body: &'a [u8], what: &str) -> Result<&'a str> {
    std::str::from_utf8(body).map_err(|error| {
        Error::failed(Code::BodyNotUtf8, format!("{what} is not UTF-8 text"))
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
        return Err(Error::failed(Code::BodyEmpty, format!("{what} is empty"))
            .hint("the answer came with a success status but without a body; ask again, then look at what serves it"));
    }
    if trimmed.starts_with('<') {
        return Err(Error::failed(Code::BodyHtml, format!("{what} is a web page, not JSON"))
            .hint("a login page, a proxy or a single-page site answers in its place"));
    }
    let json: Json = serde_json::from_str(text).map_err(|error| {
        Error::failed(Code::BodyNotJson, format!("{what} is not JSON"))
            .caused_by_chain(&error)
            .hint("the document may be cut off, or something else is served there")
    })?;
    let value = json.unique().map_err(|name| {
        Error::failed(Code::BodyDuplicateMember, format!("{what} has the member `{}` twice", shown(&name)))
            .hint("verifiers differ in which of the two they take (RFC 8259 §4), so it is not read: something else than an API server wrote it")
    })?;
    let Value::Object(object) = value else {
        return Err(Error::failed(Code::BodyNotAnObject, format!("{what} is JSON, but not an object"))
            .hint("something else is served there"));
    };
    if object.get("kind").and_then(Value::as_str) == Some("Status") {
        return Err(Error::failed(
            Code::BodyStatus,
            format!("{what} is a Kubernetes Status, not a document"),
        )
        .caused_by(object.get("message").and_then(Value::as_str).unwrap_or_default())
        .hint("an API server refused and something in between changed the status to success"));
    }
    Ok(object)
}

/// JSON with every member that was written, and as it was written.
enum Json {
    Scalar(Value),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// The value, if no object in it has two members of one name; else the first such name.
    fn unique(self) -> Result<Value, String> {
        Ok(match self {
            Self::Scalar(value) => value,
            Self::Array(items) => {
                Value::Array(items.into_iter().map(Self::unique).collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let mut object = Map::new();
                for (name, value) in members {
                    if object.contains_key(&name) {
                        return Err(name);
                    }
                    object.insert(name, value.unique()?);
                }
                Value::Object(object)
            }
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Json::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Json::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_was_instead() {
        for (body, code) in [
            (&b"\xff\xfe{"[..], Code::BodyNotUtf8),
            (b"", Code::BodyEmpty),
            (b" \n", Code::BodyEmpty),
            (b"<!DOCTYPE html><title>Sign in</title>", Code::BodyHtml),
            (b"{\"keys\":[", Code::BodyNotJson),
            (b"{\"keys\":[]}{", Code::BodyNotJson),
            (b"404 page not found", Code::BodyNotJson),
            (b"[]", Code::BodyNotAnObject),
            (b"null", Code::BodyNotAnObject),
            (br#"{"issuer":"https://a.example","issuer":"https://b.example"}"#, Code::BodyDuplicateMember),
            (br#"{"a":[{"b":1.5,"b":true}]}"#, Code::BodyDuplicateMember),
            (br#"{"kind":"Status","status":"Failure","message":"forbidden","code":403}"#, Code::BodyStatus),
        ] {
            let error = json_object(body, "the key set").expect_err("refused");
            assert_eq!(error.code, code, "{}", String::from_utf8_lossy(body));
            assert!(!error.hints.is_empty());
            // What is served there may be anybody's.
            for part in ["<!DOCTYPE", "page not found", "keys\""] {
                assert!(!error.to_string().contains(part), "{error}");
            }
        }
        assert!(json_object(br#" {"keys":[]}"#, "the key set").is_ok());
        let all = br#"{"a":[null,true,-1,18446744073709551615,1.5,"\u0041",{}],"b":{"a":[]}}"#;
        let expected: Value = serde_json::from_slice(all).unwrap();
        assert_eq!(Value::Object(json_object(all, "it").unwrap()), expected);
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(json_object(deep.as_bytes(), "it").unwrap_err().code, Code::BodyNotJson);
    }
}
