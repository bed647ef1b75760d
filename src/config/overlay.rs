//! PURE. Environment variables over the text of `keyless.yaml`: `KEYLESS_BUCKET_URL` is `bucket.url`.

use std::{
    ffi::OsString,
    path::{Path, absolute},
};

use serde_json::{Value, json};

use super::{
    known::{Form, Known, PATHS, known_settings},
    written::{Setting, edit},
};
use crate::{
    error::{Code, Error, Result},
    redact,
};

/// A setting that the environment sets.
#[derive(Clone, Debug)]
pub(crate) struct FromEnvironment {
    pub(crate) setting: &'static Known,
    pub(crate) variable: &'static str,
    pub(crate) value: Value,
}

impl FromEnvironment {
    /// A file that says this and nothing else.
    pub(super) fn alone(&self) -> Result<String> {
        over(None, Path::new(self.variable), std::slice::from_ref(self))
    }
}

/// What the environment sets. An empty variable sets nothing, as with other tools.
pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<FromEnvironment>> {
    let mut all = Vec::new();
    for setting in known_settings() {
        let Some(name) = setting.variable.as_deref() else { continue };
        let Some(text) = variable(name).filter(|text| !text.is_empty()) else { continue };
        redact::remember_url(&text);
        let value = value(setting, &text).ok_or_else(|| {
            let expected = match &setting.form {
                Form::OneOf(words) => format!("one of {}", words.join(", ")),
                Form::Number => "a number".to_owned(),
                Form::Switch => "true or false".to_owned(),
                Form::Text | Form::List => "a text in one line".to_owned(),
            };
            Error::usage(
                Code::EnvironmentSetting,
                format!("{name}: `{}` is not {expected}", redact::given(&text)),
            )
            .hint(format!("it sets {}; correct it, or run `unset {name}`", setting.path))
        })?;
        all.push(FromEnvironment { setting, variable: name, value });
    }
    Ok(all)
}

/// An error about settings names the variables that are among them.
pub(super) fn named(error: Error, variable: impl Fn(&str) -> Option<OsString>) -> Error {
    let names = known_settings().iter().filter_map(|setting| setting.variable.as_deref());
    let set: Vec<_> = names.filter(|name| variable(name).is_some_and(|text| !text.is_empty())).collect();
    match set.is_empty() || error.code == Code::EnvironmentSetting {
        true => error,
        false => error.hint(format!("the environment sets settings, too: {}", set.join(", "))),
    }
}

fn value(setting: &Known, text: &str) -> Option<Value> {
    match &setting.form {
        Form::Number => text.parse::<u32>().ok().map(Value::from),
        Form::Switch => text.parse::<bool>().ok().map(Value::from),
        Form::OneOf(words) => words.iter().any(|word| word == text).then(|| json!(text)),
        Form::List => None,
        Form::Text if text.chars().any(char::is_control) => None,
        Form::Text if PATHS.contains(&setting.path.as_str()) && !text.starts_with('~') => {
            absolute(text).ok().and_then(|path| path.to_str().map(|path| json!(path)))
        }
        Form::Text => Some(json!(text)),
    }
}

/// The text of the file with what the environment sets: the lines of the others stay as they are, and mean the same.
pub(super) fn over(text: Option<&str>, path: &Path, set: &[FromEnvironment]) -> Result<String> {
    let settings: Vec<Setting> =
        set.iter().map(|one| (one.setting.path.as_str(), one.value.clone())).collect();
    let edit = edit(text, &settings);
    if !edit.by_hand.is_empty() {
        let names: Vec<_> = set.iter().map(|one| one.variable).collect();
        return Err(Error::usage(
            Code::EnvironmentSetting,
            format!(
                "{} cannot be combined with {}: the form of the file has no place for it",
                path.display(),
                names.join(", ")
            ),
        )
        .hint("write each setting of the file on a line of its own, or unset the variable"));
    }
    Ok(edit.text.or_else(|| text.map(str::to_owned)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(all: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn variables_replace_lines_of_file() {
        let text = "apiVersion: keyless/v1\n# ours\nbucket:\n  url: s3://one # old\n  region: a\n";
        let set = read(environment(&[
            ("KEYLESS_BUCKET_URL", "s3://two"),
            ("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS", "3600"),
        ]))
        .unwrap();
        let new = over(Some(text), Path::new("keyless.yaml"), &set).unwrap();
        assert!(
            new.contains("  url: s3://two # old\n  region: a\n") && new.contains("maxTokenSeconds: 3600"),
            "{new}"
        );
    }

    #[test]
    fn empty_variable_sets_nothing() {
        assert!(read(environment(&[("KEYLESS_ISSUER", "")])).unwrap().is_empty());
    }

    #[test]
    fn unusable_variable_is_named() {
        for (name, value) in [
            ("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS", "soon"),
            ("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS", "-1"),
            ("KEYLESS_CLUSTER_ENABLED", "yes"),
            ("KEYLESS_BUCKET_ADDRESSING", "PATH"),
            ("KEYLESS_PROVIDER", "azure"),
            ("KEYLESS_ISSUER", "a\nb"),
        ] {
            let error = read(environment(&[(name, value)])).unwrap_err();
            assert_eq!(error.code, Code::EnvironmentSetting, "{name}={value}");
            assert!(error.message.contains(name) && error.hints[0].contains("unset"), "{error}");
        }
    }

    #[test]
    fn file_without_lines_is_refused() {
        let set = read(environment(&[("KEYLESS_BUCKET_URL", "s3://two")])).unwrap();
        let text = "{apiVersion: keyless/v1, bucket: {url: 's3://one'}}";
        let error = over(Some(text), Path::new("keyless.yaml"), &set).unwrap_err();
        assert_eq!(error.code, Code::EnvironmentSetting);
        assert!(error.message.contains("KEYLESS_BUCKET_URL"), "{error}");
    }

    #[test]
    fn path_is_relative_to_current_folder() {
        let set = read(environment(&[("KEYLESS_TLS_CA_FILE", "ca.pem")])).unwrap();
        assert_eq!(set[0].value, json!(absolute("ca.pem").unwrap()));
    }
}
