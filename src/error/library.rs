//! PURE. What the errors of libraries may tell. A parser's error quotes what it was given, and a subprocess's error its
//! arguments and its output: those are described by what kind of error it is, where, and nothing of the input.

use std::error::Error as StdError;

use serde_saphyr::{Error as YamlError, ExternalMessageSource, granit_parser::ErrorKind};

use crate::redact;

/// The longest list of errors below each other that is followed.
const DEEPEST: usize = 16;
/// Kinds of values as serde names them (`serde::de::Unexpected`). What follows them is the value.
const KINDS: [&str; 11] = [
    "boolean",
    "integer",
    "floating point",
    "character",
    "string",
    "byte array",
    "unit value",
    "null",
    "sequence",
    "map",
    "enum",
];

/// The texts of an error and of all below it, outermost first, without repetitions and without input.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut all = vec![error];
    while let Some(below) = all.last().copied().and_then(StdError::source).filter(|_| all.len() < DEEPEST) {
        all.push(below);
    }
    // Errors that wrap others often repeat their text.
    let quoting: Vec<_> =
        all.iter().filter_map(|error| Some((error.to_string(), without_input(*error)?))).collect();
    let mut texts: Vec<String> = Vec::new();
    for error in all {
        let text = match without_input(error) {
            Some(safe) => safe,
            None => quoting.iter().fold(error.to_string(), |text, (quoted, safe)| text.replace(quoted, safe)),
        };
        let text = redact::message(&text);
        if !text.is_empty() && texts.last().is_none_or(|above| !above.contains(&text)) {
            texts.push(text);
        }
    }
    texts
}

/// The description of an error that quotes its input; `None` for all others.
fn without_input(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        return Some(json(error));
    }
    if let Some(error) = error.downcast_ref::<YamlError>() {
        return Some(yaml(error));
    }
    if let Some(error) = error.downcast_ref::<Box<YamlError>>() {
        return Some(yaml(error));
    }
    if let Some(error) = error.downcast_ref::<pem::PemError>() {
        return Some(pem(error).to_owned());
    }
    if let Some(error) = error.downcast_ref::<rustls::pki_types::pem::Error>() {
        return Some(pem_section(error).to_owned());
    }
    None
}

/// Why a text is not the JSON that it has to be. Only errors of syntax have a text that quotes nothing.
fn json(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Syntax | Category::Eof => error.to_string(),
        Category::Io => "it cannot be read".to_owned(),
        Category::Data => {
            let what = "a value is of another type than expected, or a member is missing";
            match (error.line(), error.column()) {
                (0, _) => what.to_owned(),
                (line, column) => format!("{what} at line {line} column {column}"),
            }
        }
    }
}

/// Why a text is not the YAML that it has to be.
pub(crate) fn yaml(error: &YamlError) -> String {
    let place = error.location().filter(|place| place.line() > 0);
    let place = place.map(|place| format!(" at line {} column {}", place.line(), place.column()));
    format!("{}{}", yaml_reason(error), place.unwrap_or_default())
}

fn yaml_reason(error: &YamlError) -> String {
    match error {
        YamlError::WithSnippet { error, .. } => yaml_reason(error),
        YamlError::AliasError { error, .. } => yaml_reason(error),
        YamlError::ExternalMessage { source, .. } => match &**source {
            ExternalMessageSource::Parser(error) => syntax(error.kind()),
            _ => "syntax error".to_owned(),
        },
        YamlError::Unexpected { expected, .. } => match *expected {
            "sequence start" => "a list is expected".to_owned(),
            "mapping start" => "a mapping is expected".to_owned(),
            "string scalar" => "a text is expected".to_owned(),
            expected => format!("{expected} is expected"),
        },
        YamlError::InvalidScalar { ty: "u8" | "u16" | "u32" | "u64" | "usize", .. } => {
            "a whole number is expected".to_owned()
        }
        YamlError::InvalidScalar { ty, .. } => format!("{ty} is expected"),
        YamlError::SerdeInvalidType { unexpected, expected, .. }
        | YamlError::SerdeInvalidValue { unexpected, expected, .. } => {
            let kind =
                KINDS.iter().find(|kind| unexpected.starts_with(**kind)).copied().unwrap_or("another value");
            format!("{expected} is expected, not {kind}")
        }
        YamlError::SerdeUnknownVariant { expected, .. } => {
            format!("one of {} is expected", expected.join(", "))
        }
        YamlError::SerdeUnknownField { .. } => "unknown field".to_owned(),
        YamlError::SerdeMissingField { field, .. } => format!("`{field}` is missing"),
        YamlError::Eof { .. } => "it ends too early".to_owned(),
        YamlError::MultipleDocuments { .. } => "more than one document".to_owned(),
        YamlError::DuplicateMappingKey { .. } => "a key is there twice".to_owned(),
        YamlError::UnknownAnchor { .. } => "an alias without an anchor".to_owned(),
        YamlError::InvalidBooleanStrict { .. } => "true or false is expected".to_owned(),
        YamlError::NullIntoString { .. } => "a text is expected, not null".to_owned(),
        YamlError::InvalidBinaryBase64 { .. } => "a !!binary value is not base64".to_owned(),
        YamlError::FoldedBlockScalarMustIndentContent { .. } => "a block scalar must be indented".to_owned(),
        YamlError::InvalidUtf8Input => "it is not UTF-8 text".to_owned(),
        YamlError::Budget { .. }
        | YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasExpansionLimitExceeded { .. }
        | YamlError::AliasReplayStackDepthExceeded { .. } => {
            "it is too large, or nested too deeply".to_owned()
        }
        // Others may quote a value, also by their `Debug`.
        _ => "a value cannot be used".to_owned(),
    }
}

/// Kinds of errors that carry data may carry input.
fn syntax(kind: &ErrorKind) -> String {
    let carries_data = format!("{kind:?}").contains(|c: char| !c.is_ascii_alphanumeric());
    match kind {
        ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            kind.to_string()
        }
        _ if carries_data => "syntax error".to_owned(),
        _ => kind.to_string(),
    }
}

fn pem(error: &pem::PemError) -> &'static str {
    use pem::PemError;
    match error {
        PemError::MismatchedTags(..) => "the END line of a PEM block does not fit its BEGIN line",
        PemError::MalformedFraming => "the framing of a PEM block is malformed",
        PemError::MissingBeginTag | PemError::MissingEndTag => "a PEM block has no BEGIN or END line",
        PemError::MissingData => "a PEM block is empty",
        PemError::InvalidData(_) => "a PEM block is not base64",
        PemError::InvalidHeader(_) => "a PEM block has an invalid header line",
        PemError::NotUtf8(_) => "it is not UTF-8 text",
    }
}

fn pem_section(error: &rustls::pki_types::pem::Error) -> &'static str {
    use rustls::pki_types::pem::Error;
    match error {
        Error::MissingSectionEnd { .. } => "a PEM block has no END line",
        Error::IllegalSectionStart { .. } => "a PEM block has a malformed BEGIN line",
        Error::Base64Decode(_) => "a PEM block is not base64",
        Error::Io(_) => "it cannot be read",
        Error::NoItemsFound => "there is no PEM block of the expected kind",
        _ => "a PEM block is malformed",
    }
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
