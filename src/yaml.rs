//! YAML as serde reads it, and errors that name the setting and never quote a value.

use std::path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment, Track};
use serde_saphyr::Error as YamlError;

use crate::{
    error::{Code, Error, Result, yaml},
    files::FileError,
    redact,
};

/// A value as a YAML document, without a line break at its end. What a terminal would act on is written as an escape.
pub(crate) fn document(value: &Value) -> Result<String, serde_saphyr::SerializeError> {
    // Folded text would lose a space at its end.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let document = serde_saphyr::to_string_with_options(value, options)?;
    Ok(match redact::document(&document) == document {
        true => document.trim_end().to_owned(),
        // Every JSON is YAML as well (YAML 1.2 §1.3), and has an escape for everything that cannot be printed.
        false => redact::ascii_escapes(&format!("{value:#}")),
    })
}

pub(crate) fn unreadable(path: &path::Path) -> Error {
    Error::usage(Code::ConfigUnreadable, format!("{} cannot be read", path.display()))
        .hint("--config names the settings file; without it ./keyless.yaml is read, if there is one")
}

/// Of a file that was named.
pub(crate) fn unread(path: &path::Path, error: FileError) -> Error {
    let code = if error.is_missing() { Code::ConfigMissing } else { Code::ConfigUnreadable };
    Error { code, ..unreadable(path) }.caused_by(error)
}

/// Reads a document. `also`: names that are known at the top beside those of `T`, for the suggestion of a mistyped one.
pub(crate) fn from_yaml<T: DeserializeOwned>(
    content: &str,
    path: &path::Path,
    also: &[&'static str],
) -> Result<T> {
    let mut track = Track::new();
    let read = serde_saphyr::with_deserializer_from_str(content, |deserializer| {
        T::deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track))
    });
    read.map_err(|error| {
        let error = error.without_snippet();
        let place = place(&track.path());
        let unknown = unknown_field(error);
        let refused = Error::usage(Code::ConfigMalformed, format!("{} cannot be used", path.display()));
        let refused = match unknown.and_then(|(field, _)| name(field)) {
            Some(field) if place.is_empty() => refused.caused_by(format_args!("{}: `{field}`", yaml(error))),
            _ => refused.caused_by(format_args!("{place}{}", yaml(error))),
        };
        let near = unknown.and_then(|(field, known)| nearest(field, &[known, also].concat()));
        let refused =
            near.into_iter().fold(refused, |refused, near| refused.hint(format!("did you mean `{near}`?")));
        refused.hint("`keyless config schema` shows every setting")
    })
}

/// Where in the document: `cluster.maxTokenSeconds: `; as far as it is made of names, and `""` for the whole of it.
fn place(path: &Path) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } if name(key).is_some() => {
                text.push_str(if text.is_empty() { "" } else { "." });
                text.push_str(key);
            }
            _ => break,
        }
    }
    if text.is_empty() { text } else { text + ": " }
}

/// A field that there is not, and those that there are.
fn unknown_field(error: &YamlError) -> Option<(&str, &[&'static str])> {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => Some((field, expected)),
        YamlError::AliasError { error, .. } => unknown_field(error),
        _ => None,
    }
}

/// A field's name, if it has the form of one: in a broken file a value may have come into its place.
fn name(field: &str) -> Option<&str> {
    const LONGEST: usize = 32;
    let fits = field.len() <= LONGEST
        && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    fits.then_some(field)
}

/// The known name that an unknown one was probably meant to be.
pub(crate) fn nearest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(unknown, known), *known));
    near.filter(|(distance, known)| *distance <= 2.max(known.len() / 3)).min().map(|(_, known)| known)
}
