//! PURE. What is secret in a text of some form, e.g. in a key file or in an object of the cluster.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::shapes::{BEGIN, PRIVATE, is_secret_header, is_secret_name, password, private_keys};

/// What is secret in a text: members of JSON by their names, PEM private keys, `name = value` lines, or all of it.
pub(super) fn secrets_in(text: &str, add: &mut impl FnMut(&str)) {
    if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        return members(&value, add);
    }
    let mut keys = private_keys(text).peekable();
    if keys.peek().is_some() {
        for key in keys {
            let key = &text[key];
            let body = key.split_once(PRIVATE).map_or(key, |(_, body)| body);
            add(body.split_once("-----END ").map_or(body, |(body, _)| body));
        }
        return;
    }
    let lines: Vec<_> = text.lines().filter_map(assigned).collect();
    if lines.is_empty() && !text.contains(BEGIN) && !is_plain_name(text.trim()) {
        add(text);
    }
    lines.into_iter().for_each(add);
}

/// The value of `aws_secret_access_key = …` or `token: …`.
fn assigned(line: &str) -> Option<&str> {
    let (name, value) = line.split_once([':', '='])?;
    let value = value.trim().trim_matches(['"', '\'']);
    (is_secret_name(name.trim()) && !value.is_empty()).then_some(value)
}

fn members(value: &Value, add: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == "auth" || is_secret_name(name) => called_secret(text, add),
                    _ => members(value, add),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, add)),
        _ => {}
    }
}

/// A text that is secret by its name, whatever it looks like. In base64 it may be a PEM file.
fn called_secret(text: &str, add: &mut impl FnMut(&str)) {
    if text.contains(BEGIN) {
        return secrets_in(text, add);
    }
    add(text);
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(decoded) = decoded.filter(|decoded| decoded.contains(BEGIN)) {
        secrets_in(&decoded, add);
    }
}

/// A word such as `eu-west` or `external-secrets`, or the id of an AWS access key: taking it out of all output would
/// hide what the output is about.
fn is_plain_name(text: &str) -> bool {
    let is_key_id = text.len() == 20 && (text.starts_with("AKIA") || text.starts_with("ASIA"));
    is_key_id
        || text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.' | b'_' | b'@' | b'/' | b':'))
}

/// The secrets in an object of the cluster: passwords in its URLs, and headers that carry credentials.
pub(super) fn secrets_of(value: &Value, add: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => password(text).filter(|_| text.contains("://")).into_iter().for_each(add),
        Value::Array(items) => items.iter().for_each(|item| secrets_of(item, add)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Object(headers) if name == "headers" => {
                        let secret = headers.iter().filter(|(name, _)| is_secret_header(name));
                        secret.filter_map(|(_, value)| value.as_str()).for_each(|text| {
                            // After the scheme, as in `Bearer …`.
                            add(text.rsplit_once(' ').map_or(text, |(_, credential)| credential));
                        });
                    }
                    _ => secrets_of(value, add),
                }
            }
        }
        _ => {}
    }
}
