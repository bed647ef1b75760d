//! PURE. A result as data.

use serde_json::{Value, json};

use super::API_VERSION;
use crate::{redact, yaml};

/// With what every result has.
pub(super) fn enveloped(command: &str, mut result: Value) -> Value {
    if let Some(object) = result.as_object_mut() {
        object.insert("apiVersion".into(), json!(API_VERSION));
        object.insert("command".into(), json!(command));
    }
    result
}

/// As one line.
pub(super) fn json(result: &Value) -> String {
    redact::ascii_escapes(&result.to_string())
}

/// As a document that begins with its mark: `publish --watch` prints one after the other.
pub(super) fn yaml(result: &Value) -> String {
    // Every JSON is YAML as well (YAML 1.2 §1.3).
    format!("---\n{}", yaml::document(result).unwrap_or_else(|_| json(result)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_reads_back_as_json() {
        for odd in [
            json!("no"),
            json!("1e3"),
            json!("2026-11-27"),
            json!(""),
            json!(" a: b # c "),
            json!("a\nb\n"),
            json!("\u{1b}[2J\u{202e}"),
            json!("\u{9b}"),
            json!(null),
            json!(1.5),
            json!(18_446_744_073_709_551_615_u64),
            json!([]),
            json!({}),
            json!([{ "~": ["- a"] }]),
            json!("---"),
            json!("x".repeat(500)),
        ] {
            let result = enveloped("c", json!({ "odd": odd, "yes": [odd] }));
            let text = yaml(&result);
            assert!(
                text.chars().all(|it| it == '\n' || !it.is_control()) && !text.contains('\u{202e}'),
                "{text:?}"
            );
            assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), result, "{text}");
        }
    }

    #[test]
    fn yaml_results_follow_each_other() {
        let text = [1, 2].map(|n| yaml(&enveloped("c", json!({ "n": n })))).join("\n");
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(all.iter().map(|it| &it["n"]).collect::<Vec<_>>(), [&json!(1), &json!(2)]);
    }
}
